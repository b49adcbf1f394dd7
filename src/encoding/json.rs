//! JSON text of the server: canonicalized, with failures as SQL errors.

use auditspine_core::canonical::{Numbers, TextError, TextErrorKind, canonicalize};
use auditspine_core::hash::Sink;

use crate::encoding::sink::Interruptible;
use crate::error::Failure;

/// Writes the canonical JSON of a stored JSON text, numbers exactly.
pub fn write_json_text<S: Sink>(text: &[u8], out: &mut S) {
    write_text(text, Numbers::Exact, out);
}

/// Writes the canonical JSON of JSON text from elsewhere, numbers as RFC 8785 reads them.
pub fn write_interchange_text<S: Sink>(text: &[u8], out: &mut S) {
    write_text(text, Numbers::Interchange, out);
}

fn write_text<S: Sink>(text: &[u8], numbers: Numbers, out: &mut S) {
    if let Err(error) = canonicalize(text, numbers, &mut Interruptible(out)) {
        raise(&error);
    }
}

fn raise(error: &TextError) -> ! {
    let (failure, hint) = match error.kind {
        TextErrorKind::DuplicateName(_) => (
            Failure::DuplicateJsonName,
            "Canonical JSON needs distinct names within an object. Remove one of the two, or cast \
             the text to jsonb, which keeps the last.",
        ),
        TextErrorKind::NumberOutOfRange(_) => (
            Failure::NumberOutOfRange,
            "Numbers may have up to 131072 digits before the decimal point and 16383 after it.",
        ),
        TextErrorKind::TooLarge => (
            Failure::ResultTooLarge,
            "Split the document, or hash its parts.",
        ),
        TextErrorKind::UnexpectedEnd => (
            Failure::InvalidJson,
            "The text may have been cut; pass one whole JSON document.",
        ),
        TextErrorKind::LoneSurrogate(_) => (
            Failure::InvalidJson,
            "Escape both halves of a surrogate pair, or neither.",
        ),
        _ => (
            Failure::InvalidJson,
            "Pass one JSON document as RFC 8259 defines it.",
        ),
    };
    failure.raise(format!("invalid JSON text: {error}"), hint)
}
