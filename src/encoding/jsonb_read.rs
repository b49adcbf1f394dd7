//! Reads binary jsonb as it lies: values are looked at one after the other, and nothing is copied, so that
//! a large document costs no memory.

use crate::encoding::jsonb::layout::{self, Children, Node, children, damaged, word};

/// A value in a document.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// null
    Null,
    /// true or false
    Boolean,
    /// A number.
    Number,
    /// A string.
    Text(&'a str),
    /// An array.
    Array(Container<'a>),
    /// An object.
    Object(Container<'a>),
}

impl Value<'_> {
    /// What it is, with an article.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Boolean => "a boolean",
            Value::Number => "a number",
            Value::Text(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// An array or object.
#[derive(Clone, Copy)]
pub struct Container<'a> {
    /// Begins with its header; the content of a jsonb of its own.
    content: &'a [u8],
    header: u32,
}

/// Reads a document: `content` is a detoasted jsonb without its varlena header. Raises XX001 for damaged
/// data, here and below.
pub fn read(content: &[u8]) -> Value<'_> {
    root(content).unwrap_or_else(|| damaged(content))
}

fn root(content: &[u8]) -> Option<Value<'_>> {
    u32::try_from(content.len()).ok()?;
    let header = word(content, 0)?;
    if header & layout::SCALAR == 0 {
        return container(content, 0..content.len());
    }
    let mut only = children(header, 0, content.len(), 1)?;
    if only.left != 1 {
        return None;
    }
    let node = only.next(content)?;
    (node.kind() != layout::CONTAINER)
        .then(|| value(content, node))
        .flatten()
}

fn container(content: &[u8], range: std::ops::Range<usize>) -> Option<Value<'_>> {
    let content = content.get(range.start.next_multiple_of(4)..range.end)?;
    let header = word(content, 0)?;
    let container = Container { content, header };
    match header & (layout::OBJECT | layout::ARRAY | layout::SCALAR) {
        layout::ARRAY => Some(Value::Array(container)),
        layout::OBJECT => Some(Value::Object(container)),
        _ => None,
    }
}

fn value(content: &[u8], node: Node) -> Option<Value<'_>> {
    Some(match node.kind() {
        layout::STRING => Value::Text(text(content, node)?),
        layout::NUMERIC => Value::Number,
        layout::FALSE | layout::TRUE => Value::Boolean,
        layout::NULL => Value::Null,
        layout::CONTAINER => return container(content, node.range()),
        _ => return None,
    })
}

fn text(content: &[u8], node: Node) -> Option<&str> {
    std::str::from_utf8(content.get(node.range())?).ok()
}

impl<'a> Container<'a> {
    /// Its content, which is that of a jsonb of its own.
    pub fn content(&self) -> &'a [u8] {
        self.content
    }

    /// How many elements or members it has.
    pub fn len(&self) -> usize {
        (self.header & layout::COUNT) as usize
    }

    /// The elements of an array.
    pub fn elements(&self) -> impl Iterator<Item = Value<'a>> {
        let content = self.content;
        let mut left = self.children(1);
        (0..self.len()).map(move |_| {
            pgrx::check_for_interrupts!();
            left.next(content)
                .and_then(|node| value(content, node))
                .unwrap_or_else(|| damaged(content))
        })
    }

    /// The members of an object, names in jsonb's order.
    pub fn members(&self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        let content = self.content;
        let mut names = self.children(2);
        let mut values = names;
        for _ in 0..self.len() {
            if values.next(content).is_none() {
                damaged(content);
            }
        }
        (0..self.len()).map(move |_| {
            pgrx::check_for_interrupts!();
            let name = names
                .next(content)
                .filter(|node| node.kind() == layout::STRING)
                .and_then(|node| text(content, node));
            let value = values.next(content).and_then(|node| value(content, node));
            match (name, value) {
                (Some(name), Some(value)) => (name, value),
                _ => damaged(content),
            }
        })
    }

    fn children(&self, per_item: u32) -> Children {
        children(self.header, 0, self.content.len(), per_item)
            .unwrap_or_else(|| damaged(self.content))
    }
}
