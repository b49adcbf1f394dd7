//! The names of an object, as they are written: kept from one object to the next, since most have the names of one
//! that was written before.

use std::rc::Rc;

use auditspine_core::canonical::{cmp_utf16, utf16_prefix, write_string};
use auditspine_core::hash::Sink;
use auditspine_core::phrase::Phrase;

use super::layout::{Children, LENGTH, Node, STRING, word};

/// The names of an object in the order in which its members are written.
#[derive(Default)]
pub struct Shape {
    /// The object's header and the JEntries of its names, and the names, as they lie in memory: these decide
    /// everything else here.
    head: Vec<u8>,
    names: Vec<u8>,
    printed: bool,
    members: Vec<Member>,
}

struct Member {
    /// Place of the value among the object's values.
    value: usize,
    /// What stands ahead of it: `{"name":` or `,"name":`.
    lead: Phrase,
}

/// A name while names are sorted.
struct Name {
    prefix: u64,
    node: Node,
    value: usize,
}

impl Shape {
    /// Writes what stands ahead of a member's value, from 0; its place among the values, or `None` behind the last.
    #[inline]
    pub fn write_lead<S: Sink>(&self, member: usize, out: &mut S) -> Option<usize> {
        let member = self.members.get(member)?;
        member.lead.write(out);
        Some(member.value)
    }

    /// How long the names are together.
    pub fn names_len(&self) -> usize {
        self.names.len()
    }

    #[inline]
    fn is_of(&self, object: &Object<'_>, printed: bool) -> bool {
        object.head == self.head && object.data.starts_with(&self.names) && printed == self.printed
    }

    fn fill(&mut self, object: &Object<'_>, printed: bool, sorted: &mut Vec<Name>) -> Option<()> {
        // A shape that is left half-done is none.
        self.head.clear();
        self.members.clear();
        sorted.clear();
        let mut children = object.children;
        let count = children.left as usize / 2;
        let mut end = children.data().start;
        let begin = end;
        for value in 0..count {
            let node = children.next(object.content)?;
            let range = node.range();
            if node.kind() != STRING {
                return None;
            }
            end = range.end;
            sorted.push(Name {
                prefix: utf16_prefix(object.content, range.start, range.len()),
                node,
                value,
            });
        }
        let text = |name: &Name| object.content.get(name.node.range()).unwrap_or_default();
        if !printed {
            sorted.sort_unstable_by(|left, right| {
                left.prefix
                    .cmp(&right.prefix)
                    .then_with(|| cmp_utf16(text(left), text(right)))
            });
        }
        let mut lead = Vec::new();
        for name in sorted.iter() {
            lead.clear();
            lead.put(match (self.members.is_empty(), printed) {
                (true, _) => b"{",
                (false, true) => b", ",
                (false, false) => b",",
            });
            write_string(text(name), &mut lead);
            lead.put(if printed { b": " } else { b":" });
            self.members.push(Member {
                value: name.value,
                lead: Phrase::new(&lead),
            });
        }
        self.names.clear();
        self.names
            .extend_from_slice(object.content.get(begin..end)?);
        self.printed = printed;
        self.head.extend_from_slice(object.head);
        Some(())
    }
}

/// An object whose shape is looked for.
struct Object<'a> {
    content: &'a [u8],
    head: &'a [u8],
    /// From its names to its end.
    data: &'a [u8],
    children: Children,
}

impl Object<'_> {
    /// Where its shape is kept, if it is: told by how long some names are, and by how the first one begins.
    #[inline]
    fn slot(&self) -> usize {
        let first = word(self.head, 4).unwrap_or(0) & LENGTH;
        let name = utf16_prefix(self.data, 0, first as usize);
        let lengths = [self.head.first_chunk::<8>(), self.head.last_chunk()];
        let [first, last] = lengths.map(|it| it.map_or(0, |it| u64::from_ne_bytes(*it)));
        let mixed = (name ^ first ^ last.rotate_left(24)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) as usize % SLOTS
    }
}

const SLOTS: usize = 64;
/// An object is not kept whose names, and their JEntries, have more bytes.
const MOST_KEPT: usize = 1024;

/// Shapes of objects that were met.
pub struct Shapes {
    slots: [Option<Rc<Shape>>; SLOTS],
    sorted: Vec<Name>,
}

impl Default for Shapes {
    fn default() -> Shapes {
        Shapes {
            slots: [const { None }; SLOTS],
            sorted: Vec::new(),
        }
    }
}

impl Shapes {
    /// The shape of the object that begins at `start` of a document and has these children; `None` if it is damaged.
    #[inline]
    pub fn find(
        &mut self,
        content: &[u8],
        start: usize,
        children: Children,
        printed: bool,
    ) -> Option<Rc<Shape>> {
        let object = Object {
            content,
            head: content.get(start..start + 4 + 4 * (children.left as usize / 2))?,
            data: content.get(children.data())?,
            children,
        };
        let slot = &mut self.slots[object.slot()];
        match slot {
            Some(shape) if shape.is_of(&object, printed) => Some(Rc::clone(shape)),
            _ => make(slot, &object, printed, &mut self.sorted),
        }
    }
}

/// Makes the shape anew in its slot.
#[cold]
#[inline(never)]
fn make(
    slot: &mut Option<Rc<Shape>>,
    object: &Object<'_>,
    printed: bool,
    sorted: &mut Vec<Name>,
) -> Option<Rc<Shape>> {
    // What is still being written elsewhere in the document stays as it is.
    let is_free = slot.as_mut().and_then(Rc::get_mut).is_some();
    if !is_free {
        *slot = Some(Rc::default());
    }
    let shape = slot.as_mut()?;
    Rc::get_mut(shape)?.fill(object, printed, sorted)?;
    let shape = Rc::clone(shape);
    if shape.head.len() + shape.names.len() > MOST_KEPT {
        (*slot, *sorted) = (None, Vec::new());
    }
    Some(shape)
}
