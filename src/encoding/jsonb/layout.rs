//! How binary jsonb lies in memory (utils/jsonb.h). Every offset is held against the length of its container.

use crate::error::Failure;

/// Raises XX001 for damaged data.
#[cold]
pub fn damaged(content: &[u8]) -> ! {
    Failure::CorruptedData.raise(
        format!("invalid binary jsonb of {} bytes", content.len()),
        "The stored value is damaged; check the storage and restore the row from a backup.",
    )
}

// What the header of a container tells: how many children it has, and of what kind it is.
pub const COUNT: u32 = 0x0FFF_FFFF;
pub const SCALAR: u32 = 0x1000_0000;
pub const OBJECT: u32 = 0x2000_0000;
pub const ARRAY: u32 = 0x4000_0000;

// What a JEntry tells: where the child ends, or how long it is, and its type.
pub const LENGTH: u32 = 0x0FFF_FFFF;
pub const TYPE: u32 = 0x7000_0000;
const HAS_OFFSET: u32 = 0x8000_0000;
pub const STRING: u32 = 0x0000_0000;
pub const NUMERIC: u32 = 0x1000_0000;
pub const FALSE: u32 = 0x2000_0000;
pub const TRUE: u32 = 0x3000_0000;
pub const NULL: u32 = 0x4000_0000;
pub const CONTAINER: u32 = 0x5000_0000;

/// A value's place: its type and length as in a JEntry without offset, and where it starts.
#[derive(Clone, Copy, Default)]
pub struct Node {
    start: u32,
    kind_and_len: u32,
}

impl Node {
    /// Its type.
    pub fn kind(self) -> u32 {
        self.kind_and_len & TYPE
    }

    /// Where it lies, its padding included.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.start as usize + (self.kind_and_len & LENGTH) as usize
    }
}

/// The children of a container, from the next one on.
#[derive(Clone, Copy)]
pub struct Children {
    /// Where the next JEntry is.
    entry: u32,
    pub left: u32,
    /// Where the children's data begins and the container ends.
    base: u32,
    end: u32,
    /// Where the next child begins, from `base`.
    offset: u32,
}

impl Children {
    /// Where the data of the container lies.
    #[inline]
    pub fn data(&self) -> std::ops::Range<usize> {
        self.base as usize..self.end as usize
    }

    /// Passes over children that have so many bytes together.
    #[inline]
    pub fn skip(&mut self, count: u32, len: usize) {
        self.entry += 4 * count;
        self.left -= count;
        self.offset += len as u32;
    }

    /// Adds all that are left to `nodes`.
    #[inline]
    pub fn read_all(mut self, content: &[u8], nodes: &mut Vec<Node>) -> Option<()> {
        let (entry, first) = (self.entry as usize, nodes.len());
        let (entries, _) = content
            .get(entry..entry + 4 * self.left as usize)?
            .as_chunks::<4>();
        nodes.resize(first + entries.len(), Node::default());
        for (node, entry) in nodes[first..].iter_mut().zip(entries) {
            *node = self.node(u32::from_ne_bytes(*entry))?;
        }
        Some(())
    }

    /// The next one; `None` if the container is damaged. There must be one left.
    #[inline]
    pub fn next(&mut self, content: &[u8]) -> Option<Node> {
        let node = self.node(word(content, self.entry as usize)?)?;
        self.entry += 4;
        self.left -= 1;
        Some(node)
    }

    /// The child with this JEntry, which is the next one.
    #[inline]
    fn node(&mut self, entry: u32) -> Option<Node> {
        let value = u64::from(entry & LENGTH);
        let offset = u64::from(self.offset);
        let end = if entry & HAS_OFFSET != 0 {
            value
        } else {
            offset + value
        };
        if end < offset || end > u64::from(self.end - self.base) {
            return None;
        }
        // Neither is more than a JEntry holds.
        let (end, len) = (end as u32, (end - offset) as u32);
        let node = Node {
            start: self.base + self.offset,
            kind_and_len: (entry & TYPE) | len,
        };
        self.offset = end;
        Some(node)
    }
}

/// The 32 bits that lie there.
#[inline]
pub fn word(content: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*content.get(at..)?.first_chunk()?))
}

/// The children of a container with this header from `start` to `end`, which are within 32 bits.
pub fn children(header: u32, start: usize, end: usize, per_item: u32) -> Option<Children> {
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
