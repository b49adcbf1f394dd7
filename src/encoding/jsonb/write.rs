//! Walks binary jsonb and writes it. Damaged data is an error and nothing else. Depth costs heap, not stack.

use std::cell::Cell;
use std::mem::replace;
use std::rc::Rc;

use auditspine_core::canonical::{Numbers, write_string};
use auditspine_core::hash::Sink;

use super::layout::{
    ARRAY, CONTAINER, COUNT, Children, FALSE, NULL, NUMERIC, Node, OBJECT, SCALAR, STRING, TRUE,
    children, damaged, word,
};
use super::shape::{Shape, Shapes};
use crate::encoding::embedded::embedded_content;
use crate::encoding::numeric::{Written, write_numeric, write_numeric_text};

/// Writes the canonical JSON of `content`, a detoasted jsonb without its varlena header.
///
/// Raises XX001 for damaged data, and is interruptible.
pub fn write_jsonb<S: Sink>(content: &[u8], numbers: Numbers, out: &mut S) {
    write_as::<_, false>(content, numbers, out);
}

/// Writes `content` as jsonb's output function prints it.
pub fn write_jsonb_text<S: Sink>(content: &[u8], out: &mut S) {
    write_as::<_, true>(content, Numbers::Exact, out);
}

#[inline]
fn write_as<S: Sink, const PRINTED: bool>(content: &[u8], numbers: Numbers, out: &mut S) {
    let mut work = WORK.take().unwrap_or_default();
    let mut walk = Walk::<PRINTED> {
        content,
        numbers,
        work: &mut work,
    };
    if walk.write(out).is_none() {
        damaged(content);
    }
    if work.values.capacity() + work.outer.capacity() > KEPT {
        (work.values, work.outer) = Default::default();
    }
    WORK.set(Some(work));
}

/// Room that is reused from one document to the next: most are small and many.
#[derive(Default)]
struct Work {
    /// Values of the objects being written, outermost first; each object's as they are stored.
    values: Vec<Node>,
    /// Containers around the one that is being written, outermost first.
    outer: Vec<Container>,
    shapes: Shapes,
}

/// Beyond so many values, or depth, it is not.
const KEPT: usize = 4096;

thread_local! {
    static WORK: Cell<Option<Box<Work>>> = const { Cell::new(None) };
}

/// A container that is being written.
enum Container {
    Array {
        children: Children,
        started: bool,
    },
    Object {
        shape: Rc<Shape>,
        /// Where its values begin, and which member is next.
        first: usize,
        next: usize,
    },
}

struct Walk<'a, const PRINTED: bool> {
    content: &'a [u8],
    numbers: Numbers,
    work: &'a mut Work,
}

impl<const PRINTED: bool> Walk<'_, PRINTED> {
    const COMMA: &'static [u8] = if PRINTED { b", " } else { b"," };

    #[inline]
    fn write<S: Sink>(&mut self, out: &mut S) -> Option<()> {
        // One JEntry's length bounds what a child may be, not the root; offsets are kept in 32 bits.
        u32::try_from(self.content.len()).ok()?;
        let header = word(self.content, 0)?;
        if header & SCALAR != 0 {
            let mut child = children(header, 0, self.content.len(), 1)?;
            if header & (OBJECT | ARRAY | COUNT) != ARRAY | 1 {
                return None;
            }
            let node = child.next(self.content)?;
            return if node.kind() == CONTAINER {
                None
            } else {
                self.write_scalar(node, out)
            };
        }
        let mut open = self.open(0..self.content.len(), out)?;
        loop {
            match self.write_scalars(&mut open, out)? {
                Some(node) => {
                    let inner = self.open(node.range(), out)?;
                    self.work.outer.push(replace(&mut open, inner));
                }
                None => match self.work.outer.pop() {
                    Some(outer) => open = outer,
                    None => return Some(()),
                },
            }
        }
    }

    /// Begins the container that lies in `range`, which may begin with padding.
    fn open<S: Sink>(&mut self, range: std::ops::Range<usize>, out: &mut S) -> Option<Container> {
        let start = range.start.next_multiple_of(4);
        let header = word(self.content.get(..range.end)?, start)?;
        match header & (OBJECT | ARRAY | SCALAR) {
            ARRAY => {
                out.put_byte(b'[');
                Some(Container::Array {
                    children: children(header, start, range.end, 1)?,
                    started: false,
                })
            }
            OBJECT => {
                let children = children(header, start, range.end, 2)?;
                self.open_object(start, children)
            }
            _ => None,
        }
    }

    #[inline]
    fn open_object(&mut self, start: usize, mut children: Children) -> Option<Container> {
        let work = &mut *self.work;
        let shape = work.shapes.find(self.content, start, children, PRINTED)?;
        children.skip(children.left / 2, shape.names_len());
        let first = work.values.len();
        children.read_all(self.content, &mut work.values)?;
        Some(Container::Object {
            shape,
            first,
            next: 0,
        })
    }

    /// Goes on with a container up to the next one within it, which is returned, or to its end.
    #[inline]
    fn write_scalars<S: Sink>(
        &mut self,
        open: &mut Container,
        out: &mut S,
    ) -> Option<Option<Node>> {
        match open {
            Container::Array { children, started } => {
                while children.left > 0 {
                    pgrx::check_for_interrupts!();
                    if replace(started, true) {
                        out.put(Self::COMMA);
                    }
                    let node = children.next(self.content)?;
                    if node.kind() == CONTAINER {
                        return Some(Some(node));
                    }
                    self.write_scalar(node, out)?;
                }
                out.put_byte(b']');
            }
            Container::Object { shape, first, next } => {
                while let Some(value) = shape.write_lead(*next, out) {
                    pgrx::check_for_interrupts!();
                    *next += 1;
                    let node = *self.work.values.get(*first + value)?;
                    if node.kind() == CONTAINER {
                        return Some(Some(node));
                    }
                    self.write_scalar(node, out)?;
                }
                out.put(if *next == 0 { b"{}" } else { b"}" });
                self.work.values.truncate(*first);
            }
        }
        Some(None)
    }

    #[inline(always)]
    fn write_scalar<S: Sink>(&self, node: Node, out: &mut S) -> Option<()> {
        match node.kind() {
            STRING => write_string(self.content.get(node.range())?, out),
            NUMERIC => {
                let range = node.range();
                let number = self
                    .content
                    .get(range.start.next_multiple_of(4)..range.end)?;
                let number = embedded_content(number)?;
                let written = if PRINTED {
                    write_numeric_text(number, out)
                } else {
                    write_numeric(number, self.numbers, out)
                };
                match written {
                    Written::Number => {}
                    // No way to build a jsonb lets these in.
                    Written::Special(_) | Written::Corrupt => return None,
                }
            }
            TRUE => out.put(b"true"),
            FALSE => out.put(b"false"),
            NULL => out.put(b"null"),
            _ => return None,
        }
        Some(())
    }
}
