//! Formats of entries.

use super::{Event, v1};
use crate::hash::Sink;

/// What an entry is hashed as. Its column `version` says which: a format, once released, never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// As docs/FORMAT.md says.
    V1,
}

/// A part of an event's text. The texts of entries that one transaction writes differ but in few of them, so
/// each can be written alone; all of them, in this order, are the text.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// What is before the time.
    BeforeTime,
    /// What comes between the time and [`Part::Manner`].
    AfterTime,
    /// How the row changed: lane, layout and operation.
    Manner,
    /// What each event has for itself.
    Own,
    /// The format and the transaction.
    Transaction,
}

impl Format {
    /// The format that new entries are written in.
    pub const CURRENT: Format = Format::V1;

    /// Every format.
    pub const ALL: [Format; 1] = [Format::V1];

    /// The format of entries with this `version`; `None` if there is no such format.
    #[inline]
    pub const fn parse(version: i16) -> Option<Format> {
        match version {
            1 => Some(Format::V1),
            _ => None,
        }
    }

    /// What column `version` holds.
    #[inline]
    pub const fn version(self) -> i16 {
        match self {
            Format::V1 => 1,
        }
    }

    #[inline]
    pub(super) fn write<S: Sink>(self, part: Part, event: &Event<'_>, out: &mut S) {
        match self {
            Format::V1 => v1::write(part, event, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_those_of_their_versions() {
        for format in Format::ALL {
            assert_eq!(Format::parse(format.version()), Some(format));
        }
        let known = (i16::MIN..=i16::MAX).filter_map(Format::parse).count();
        assert_eq!(known, Format::ALL.len());
    }
}
