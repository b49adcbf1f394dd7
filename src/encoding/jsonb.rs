//! Walks binary jsonb (utils/jsonb.h) and writes its canonical JSON.
//!
//! The bytes are read as they lie, without a call into PostgreSQL per token. Every offset is held
//! against the length of its container, so damaged data is an error and nothing else. Depth costs
//! heap, not stack.

use std::cell::Cell;

use auditspine_core::canonical::{
    Numbers, cmp_utf16, reads_like_other_json, utf16_prefix, write_string,
};
use auditspine_core::hash::Sink;

use crate::encoding::embedded::embedded_content;
use crate::encoding::numeric::{Written, tells_scale, write_numeric, write_numeric_text};
use crate::error::Failure;

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

fn write_as<S: Sink, const PRINTED: bool>(content: &[u8], numbers: Numbers, out: &mut S) {
    let mut walk = Walk::<PRINTED> {
        content,
        numbers,
        members: MEMBERS.take(),
        frames: FRAMES.take(),
    };
    let done = walk.write(out);
    let Walk {
        mut members,
        mut frames,
        ..
    } = walk;
    if members.capacity() <= KEPT {
        members.clear();
        MEMBERS.set(members);
    }
    if frames.capacity() <= KEPT {
        frames.clear();
        FRAMES.set(frames);
    }
    if done.is_none() {
        damaged(content);
    }
}

/// Whether the canonical JSON of `content` tells the document from every other, and from a null: numbers
/// whose zeros behind the point it leaves out, and some documents that are a mere string or null, are not.
pub fn tells_all(content: &[u8]) -> bool {
    find_loss(content).unwrap_or_else(|| damaged(content))
}

/// The content of a document that is nothing but a string.
pub fn root_string(content: &[u8]) -> Option<&[u8]> {
    let header = word(content, 0)?;
    if header & SCALAR == 0 {
        return None;
    }
    let node = children(header, 0, content.len(), 1)?.next(content)?;
    content.get(node.range()).filter(|_| node.kind() == STRING)
}

fn find_loss(content: &[u8]) -> Option<bool> {
    u32::try_from(content.len()).ok()?;
    let header = word(content, 0)?;
    let per_item = |header: u32| if header & OBJECT != 0 { 2 } else { 1 };
    let mut all = children(header, 0, content.len(), per_item(header))?;
    // Containers whose children are not all seen: most documents are flat.
    let mut open = Vec::new();
    let is_scalar = header & SCALAR != 0;
    loop {
        pgrx::check_for_interrupts!();
        while all.left > 0 {
            let node = all.next(content)?;
            let range = node.range();
            match node.kind() {
                NUMERIC => {
                    let number = content.get(range.start.next_multiple_of(4)..range.end)?;
                    if !tells_scale(embedded_content(number)?, None) {
                        return Some(false);
                    }
                }
                CONTAINER => {
                    let start = range.start.next_multiple_of(4);
                    let header = word(content.get(..range.end)?, start)?;
                    open.push(all);
                    all = children(header, start, range.end, per_item(header))?;
                }
                NULL if is_scalar => return Some(false),
                STRING if is_scalar && reads_like_other_json(content.get(range)?) => {
                    return Some(false);
                }
                _ => {}
            }
        }
        match open.pop() {
            Some(outer) => all = outer,
            None => return Some(true),
        }
    }
}

#[cold]
pub(super) fn damaged(content: &[u8]) -> ! {
    Failure::CorruptedData.raise(
        format!("invalid binary jsonb of {} bytes", content.len()),
        "The stored value is damaged; check the storage and restore the row from a backup.",
    )
}

// Buffers of the last walk, reused by the next: most documents are small and many.
const KEPT: usize = 4096;
thread_local! {
    static MEMBERS: Cell<Vec<Member>> = const { Cell::new(Vec::new()) };
    static FRAMES: Cell<Vec<Frame>> = const { Cell::new(Vec::new()) };
}

pub(super) const COUNT: u32 = 0x0FFF_FFFF;
pub(super) const SCALAR: u32 = 0x1000_0000;
pub(super) const OBJECT: u32 = 0x2000_0000;
pub(super) const ARRAY: u32 = 0x4000_0000;

const LENGTH: u32 = 0x0FFF_FFFF;
pub(super) const TYPE: u32 = 0x7000_0000;
const HAS_OFFSET: u32 = 0x8000_0000;
pub(super) const STRING: u32 = 0x0000_0000;
pub(super) const NUMERIC: u32 = 0x1000_0000;
pub(super) const FALSE: u32 = 0x2000_0000;
pub(super) const TRUE: u32 = 0x3000_0000;
pub(super) const NULL: u32 = 0x4000_0000;
pub(super) const CONTAINER: u32 = 0x5000_0000;

/// A value's place: its type and length as in a JEntry without offset, and where it starts.
#[derive(Clone, Copy)]
pub(super) struct Node {
    start: u32,
    kind_and_len: u32,
}

impl Node {
    pub(super) fn kind(self) -> u32 {
        self.kind_and_len & TYPE
    }

    pub(super) fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + (self.kind_and_len & LENGTH) as usize
    }
}

/// A member of an object.
#[derive(Clone, Copy)]
struct Member {
    /// [`utf16_prefix`] of the name.
    prefix: u64,
    name: Node,
    value: Node,
}

/// A container that is being written.
#[derive(Clone, Copy)]
enum Frame {
    Array { children: Children, started: bool },
    Object { first: usize, next: usize },
}

/// The children of a container, from the next one on.
#[derive(Clone, Copy)]
pub(super) struct Children {
    /// Where the next JEntry is.
    entry: u32,
    pub(super) left: u32,
    /// Where the children's data begins and the container ends.
    base: u32,
    end: u32,
    /// Where the next child begins, from `base`.
    offset: u32,
}

impl Children {
    #[inline]
    pub(super) fn next(&mut self, content: &[u8]) -> Option<Node> {
        let entry = word(content, self.entry as usize)?;
        let value = entry & LENGTH;
        let end = if entry & HAS_OFFSET != 0 {
            value
        } else {
            self.offset.checked_add(value)?
        };
        let len = end.checked_sub(self.offset)?;
        if len > LENGTH || end > self.end - self.base {
            return None;
        }
        let node = Node {
            start: self.base + self.offset,
            kind_and_len: (entry & TYPE) | len,
        };
        self.entry += 4;
        self.left -= 1;
        self.offset = end;
        Some(node)
    }
}

#[inline]
pub(super) fn word(content: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*content.get(at..)?.first_chunk()?))
}

/// The children of a container with this header from `start` to `end`, which are within 32 bits.
pub(super) fn children(header: u32, start: usize, end: usize, per_item: u32) -> Option<Children> {
    let left = (header & COUNT) * per_item;
    let base = start + 4 + 4 * left as usize;
    let at = |place: usize| place as u32;
    (base <= end).then_some(Children {
        entry: at(start + 4),
        left,
        base: at(base),
        end: at(end),
        offset: 0,
    })
}

struct Walk<'a, const PRINTED: bool> {
    content: &'a [u8],
    numbers: Numbers,
    /// Of the objects being written, outermost first; each object's in order.
    members: Vec<Member>,
    frames: Vec<Frame>,
}

impl<const PRINTED: bool> Walk<'_, PRINTED> {
    const COMMA: &'static [u8] = if PRINTED { b", " } else { b"," };

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
        self.open(0..self.content.len(), out)?;
        while let Some(frame) = self.frames.last_mut() {
            pgrx::check_for_interrupts!();
            let node = match frame {
                Frame::Array { children, started } => {
                    if children.left == 0 {
                        out.put_byte(b']');
                        self.frames.pop();
                        continue;
                    }
                    if *started {
                        out.put(Self::COMMA);
                    }
                    *started = true;
                    children.next(self.content)?
                }
                Frame::Object { first, next } => {
                    let Some(member) = self.members.get(*next).copied() else {
                        out.put_byte(b'}');
                        self.members.truncate(*first);
                        self.frames.pop();
                        continue;
                    };
                    if *next > *first {
                        out.put(Self::COMMA);
                    }
                    *next += 1;
                    write_string(self.content.get(member.name.range())?, out);
                    out.put(if PRINTED { b": " } else { b":" });
                    member.value
                }
            };
            if node.kind() == CONTAINER {
                self.open(node.range(), out)?;
            } else {
                self.write_scalar(node, out)?;
            }
        }
        Some(())
    }

    /// Begins the container that lies in `range`, which may begin with padding.
    fn open<S: Sink>(&mut self, range: std::ops::Range<usize>, out: &mut S) -> Option<()> {
        let start = range.start.next_multiple_of(4);
        let header = word(self.content.get(..range.end)?, start)?;
        match header & (OBJECT | ARRAY | SCALAR) {
            ARRAY => {
                let children = children(header, start, range.end, 1)?;
                out.put_byte(b'[');
                self.frames.push(Frame::Array {
                    children,
                    started: false,
                });
            }
            OBJECT => {
                let children = children(header, start, range.end, 2)?;
                out.put_byte(b'{');
                self.open_object(children)?;
            }
            _ => return None,
        }
        Some(())
    }

    fn open_object(&mut self, mut children: Children) -> Option<()> {
        let first = self.members.len();
        let count = children.left / 2;
        self.members.reserve(count as usize);
        for _ in 0..count {
            let name = children.next(self.content)?;
            if name.kind() != STRING {
                return None;
            }
            let range = name.range();
            self.members.push(Member {
                prefix: utf16_prefix(self.content, range.start, range.len()),
                name,
                value: name,
            });
        }
        for member in &mut self.members[first..] {
            member.value = children.next(self.content)?;
        }
        let text = |name: Node| self.content.get(name.range()).unwrap_or_default();
        if !PRINTED {
            self.members[first..].sort_unstable_by(|left, right| {
                left.prefix
                    .cmp(&right.prefix)
                    .then_with(|| cmp_utf16(text(left.name), text(right.name)))
            });
        }
        self.frames.push(Frame::Object { first, next: first });
        Some(())
    }

    #[inline]
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
