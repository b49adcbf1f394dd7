//! What may be wrong with a JSON text.

use std::error::Error;
use std::fmt;

/// Why a text is not a JSON document that has a canonical form, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextError {
    /// What is wrong.
    pub kind: TextErrorKind,
    /// Offset in bytes, from 0, of what is wrong; at most the length of the text.
    pub position: usize,
}

/// What is wrong with a text. Values are shown as they stand in it, long ones cut.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TextErrorKind {
    /// An object has this name (unescaped) twice: RFC 8785 section 3.1 by way of RFC 7493 section
    /// 2.3. Readers differ on which value they take, so there is no one meaning to hash.
    DuplicateName(String),
    /// An escape names one half of a surrogate pair without the other (RFC 7493 section 2.1).
    LoneSurrogate(String),
    /// This byte is no part of UTF-8 where it stands.
    InvalidUtf8(u8),
    /// A string holds this control character unescaped.
    ControlCharacter(char),
    /// A string holds an escape that JSON does not have.
    InvalidEscape(String),
    /// A number that is not written as JSON writes numbers: `01`, `1.`, `+1`, `.5`.
    InvalidNumber(String),
    /// More than 131072 digits before the point or 16383 after it, trailing zeros not counted: the
    /// limits of PostgreSQL's numeric.
    NumberOutOfRange(String),
    /// The text ends where more was due; it may have been cut.
    UnexpectedEnd,
    /// This character cannot stand where it does.
    UnexpectedCharacter(char),
    /// Something, beginning with this character, follows the document.
    TrailingContent(char),
    /// The text, or the canonical text of one of its objects, is 4 GiB or more.
    TooLarge,
}

impl TextError {
    pub(super) fn new(kind: TextErrorKind, position: usize) -> TextError {
        TextError { kind, position }
    }
}

impl Error for TextError {}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use TextErrorKind::*;
        match &self.kind {
            DuplicateName(name) => write!(f, "duplicate name {name:?}"),
            LoneSurrogate(escape) => write!(f, "lone surrogate {escape}"),
            InvalidUtf8(byte) => write!(f, "invalid UTF-8 byte 0x{byte:02x}"),
            ControlCharacter(c) => write!(f, "unescaped control character U+{:04X}", u32::from(*c)),
            InvalidEscape(escape) => write!(f, "invalid escape {escape}"),
            InvalidNumber(number) => write!(f, "invalid number {number}"),
            NumberOutOfRange(number) => write!(f, "number {number} out of range"),
            UnexpectedEnd => write!(f, "unexpected end of JSON text"),
            UnexpectedCharacter(c) => write!(f, "unexpected character {c:?}"),
            TrailingContent(c) => write!(f, "trailing content {c:?} after the JSON document"),
            TooLarge => write!(f, "JSON text too large"),
        }?;
        write!(f, " at byte offset {}", self.position)
    }
}

/// Values in messages are cut to so many characters.
const SHOWN_CHARS: usize = 80;

/// As much of a value as a message shows.
pub(super) fn cut(mut value: impl Iterator<Item = char>) -> String {
    let mut shown: String = value.by_ref().take(SHOWN_CHARS).collect();
    if value.next().is_some() {
        shown.push('…');
    }
    shown
}
