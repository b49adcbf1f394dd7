//! From JSON text (RFC 8259) to canonical text.

use super::error::{TextError, TextErrorKind, cut};
use super::number::Numbers;
use super::numeral::Numeral;
use super::order::{Draft, OrderError};
use super::string::{plain_len, write_string_content};
use crate::hash::Sink;

/// Reads one JSON document (RFC 8259, UTF-8, white space around it) and writes its canonical text.
///
/// Nesting is bounded by memory alone. What lies outside of any object goes to `out` as it is read,
/// an outermost object when it is complete; memory needed beside that is a small multiple of the
/// largest such object, whatever its numbers would expand to. On an error `out` has received some
/// part of the text.
pub fn canonicalize<S: Sink>(text: &[u8], numbers: Numbers, out: &mut S) -> Result<(), TextError> {
    if u32::try_from(text.len()).is_err() {
        return Err(TextError::new(TextErrorKind::TooLarge, u32::MAX as usize));
    }
    // Whatever is wrong before the first invalid byte is told first.
    let (valid, invalid) = match std::str::from_utf8(text) {
        Ok(valid) => (valid, None),
        Err(error) => {
            let (valid, invalid) = text.split_at(error.valid_up_to());
            (
                std::str::from_utf8(valid).unwrap_or_default(),
                invalid.first(),
            )
        }
    };
    let result = Reader::new(valid, numbers, out).document();
    match (invalid, result) {
        (None, result) => result,
        (Some(_), Err(error)) if error.position < valid.len() => Err(error),
        (Some(byte), _) => Err(TextError::new(
            TextErrorKind::InvalidUtf8(*byte),
            valid.len(),
        )),
    }
}

/// The canonical text of one JSON document, as [`canonicalize`] writes it.
pub fn canonical_text(text: &[u8], numbers: Numbers) -> Result<Vec<u8>, TextError> {
    let mut out = Vec::with_capacity(text.len());
    canonicalize(text, numbers, &mut out)?;
    Ok(out)
}

/// How much is drafted before it goes to the sink.
const DRAFT_BYTES: usize = 32 * 1024;

/// By how many bytes a number's canonical text may exceed it within an object that is kept.
const MAX_GROWTH: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

struct Reader<'a, S> {
    text: &'a str,
    bytes: &'a [u8],
    position: usize,
    /// The arrays and objects around the position, outermost first.
    open: Vec<Container>,
    draft: Draft,
    numbers: Numbers,
    out: &'a mut S,
}

impl<'a, S: Sink> Reader<'a, S> {
    fn new(text: &'a str, numbers: Numbers, out: &'a mut S) -> Self {
        let (open, draft) = (Vec::new(), Draft::default());
        Reader {
            text,
            bytes: text.as_bytes(),
            position: 0,
            open,
            draft,
            numbers,
            out,
        }
    }

    fn document(mut self) -> Result<(), TextError> {
        loop {
            let opened = self.value()?;
            if opened || self.after_value()? {
                continue;
            }
            self.flush();
            return match self.peek() {
                None => Ok(()),
                Some(_) => self.fail_at_char(TextErrorKind::TrailingContent),
            };
        }
    }

    /// Reads a value, or the beginning of a container up to its first value; whether the latter.
    #[inline]
    fn value(&mut self) -> Result<bool, TextError> {
        match self.peek() {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'-' | b'0'..=b'9' | b'+' | b'.') => self.number()?,
            Some(b'{') => {
                self.position += 1;
                self.draft
                    .begin_object()
                    .or_else(|error| self.fail_in_order(error))?;
                if self.peek() != Some(b'}') {
                    self.open.push(Container::Object);
                    self.member_name()?;
                    return Ok(true);
                }
                self.position += 1;
                self.draft
                    .end_object()
                    .or_else(|error| self.fail_in_order(error))?;
            }
            Some(b'[') => {
                self.position += 1;
                self.draft.text.push(b'[');
                if self.peek() != Some(b']') {
                    self.open.push(Container::Array);
                    return Ok(true);
                }
                self.position += 1;
                self.draft.text.push(b']');
            }
            Some(b't') => self.literal(b"true")?,
            Some(b'f') => self.literal(b"false")?,
            Some(b'n') => self.literal(b"null")?,
            _ => return self.fail_at_char(TextErrorKind::UnexpectedCharacter),
        }
        Ok(false)
    }

    /// Closes what ends here and goes on to the next value; whether there is one.
    #[inline]
    fn after_value(&mut self) -> Result<bool, TextError> {
        loop {
            if self.draft.text.len() >= DRAFT_BYTES && !self.draft.is_open() {
                self.flush();
            }
            let Some(&container) = self.open.last() else {
                return Ok(false);
            };
            match (self.peek(), container) {
                (Some(b','), Container::Array) => {
                    self.position += 1;
                    self.draft.text.push(b',');
                    return Ok(true);
                }
                (Some(b','), Container::Object) => {
                    self.position += 1;
                    self.member_name()?;
                    return Ok(true);
                }
                (Some(b']'), Container::Array) => self.draft.text.push(b']'),
                (Some(b'}'), Container::Object) => {
                    self.draft
                        .end_object()
                        .or_else(|error| self.fail_in_order(error))?;
                }
                _ => return self.fail_at_char(TextErrorKind::UnexpectedCharacter),
            }
            self.position += 1;
            self.open.pop();
        }
    }

    /// Reads a member's name and the colon after it.
    #[inline]
    fn member_name(&mut self) -> Result<(), TextError> {
        if self.peek() != Some(b'"') {
            return self.fail_at_char(TextErrorKind::UnexpectedCharacter);
        }
        let begun = self.draft.begin_member(self.position);
        begun.or_else(|error| self.fail_in_order(error))?;
        let escapes = self.string()?;
        self.draft
            .end_name(escapes)
            .or_else(|error| self.fail_in_order(error))?;
        if self.peek() != Some(b':') {
            return self.fail_at_char(TextErrorKind::UnexpectedCharacter);
        }
        self.position += 1;
        self.draft.text.push(b':');
        Ok(())
    }

    /// Reads a string; whether it holds escapes.
    #[inline]
    fn string(&mut self) -> Result<bool, TextError> {
        let start = self.position;
        let end = start + 1 + plain_len(&self.bytes[start + 1..]);
        if self.bytes.get(end) == Some(&b'"') {
            self.draft.text.extend_from_slice(&self.bytes[start..=end]);
            self.position = end + 1;
            return Ok(false);
        }
        self.draft.text.extend_from_slice(&self.bytes[start..end]);
        self.position = end;
        self.rest_of_string()?;
        Ok(true)
    }

    fn rest_of_string(&mut self) -> Result<(), TextError> {
        loop {
            match self.bytes.get(self.position) {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                Some(_) => return self.fail_at_char(TextErrorKind::ControlCharacter),
                None => return self.fail(TextErrorKind::UnexpectedEnd, self.position),
            }
            let plain = plain_len(&self.bytes[self.position..]);
            let end = self.position + plain;
            self.draft
                .text
                .extend_from_slice(&self.bytes[self.position..end]);
            self.position = end;
        }
        self.position += 1;
        self.draft.text.push(b'"');
        Ok(())
    }

    fn escape(&mut self) -> Result<(), TextError> {
        let start = self.position;
        let Some(kind) = self.bytes.get(start + 1) else {
            return self.fail(TextErrorKind::UnexpectedEnd, self.bytes.len());
        };
        match kind {
            b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => {
                self.draft.text.extend_from_slice(&[b'\\', *kind]);
            }
            b'/' => self.draft.text.push(b'/'),
            b'u' => return self.unicode_escape(),
            _ => {
                let shown = self.text[start..].chars().take(2).collect();
                return self.fail(TextErrorKind::InvalidEscape(shown), start);
            }
        }
        self.position += 2;
        Ok(())
    }

    fn unicode_escape(&mut self) -> Result<(), TextError> {
        let start = self.position;
        let mut code = self.hex4()?;
        if (0xD800..0xDC00).contains(&code) && self.bytes[self.position..].starts_with(b"\\u") {
            let low = self.hex4()?;
            if (0xDC00..0xE000).contains(&low) {
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
        }
        let Some(character) = char::from_u32(code) else {
            let shown = self.text[start..start + 6].to_owned();
            return self.fail(TextErrorKind::LoneSurrogate(shown), start);
        };
        let mut utf8 = [0; 4];
        write_string_content(
            character.encode_utf8(&mut utf8).as_bytes(),
            &mut self.draft.text,
        );
        Ok(())
    }

    /// Reads `\u` and the four hexadecimal digits after it.
    fn hex4(&mut self) -> Result<u32, TextError> {
        let start = self.position;
        let digits = self.bytes[start + 2..].iter().take(4);
        let code = digits.clone().try_fold(0, |code, digit| {
            char::from(*digit)
                .to_digit(16)
                .map(|digit| code << 4 | digit)
        });
        match code {
            Some(code) if digits.len() == 4 => {
                self.position += 6;
                Ok(code)
            }
            Some(_) => self.fail(TextErrorKind::UnexpectedEnd, self.bytes.len()),
            None => {
                let shown = self.text[start..].chars().take(6).collect();
                self.fail(TextErrorKind::InvalidEscape(shown), start)
            }
        }
    }

    #[inline]
    fn literal(&mut self, literal: &[u8]) -> Result<(), TextError> {
        let rest = &self.bytes[self.position..];
        if rest.starts_with(literal) {
            self.position += literal.len();
            self.draft.text.extend_from_slice(literal);
            return Ok(());
        }
        self.position += rest.iter().zip(literal).take_while(|(l, r)| l == r).count();
        self.fail_at_char(TextErrorKind::UnexpectedCharacter)
    }

    #[inline]
    fn number(&mut self) -> Result<(), TextError> {
        const COPIED_DIGITS: usize = 15;
        let start = self.position;
        let Some(number) = Numeral::read(&self.bytes[start..]) else {
            return self.fail_at_number(TextErrorKind::InvalidNumber, start);
        };
        self.position += number.len;
        if number.is_plain_integer && number.whole.len() <= COPIED_DIGITS && number.whole != b"0" {
            self.draft
                .text
                .extend_from_slice(&self.bytes[start..self.position]);
            return Ok(());
        }
        let before = self.draft.text.len();
        if !number.write(self.numbers, &mut self.draft.text) {
            return self.fail_at_number(TextErrorKind::NumberOutOfRange, start);
        }
        if self.draft.is_open() && self.draft.text.len() - before > number.len + MAX_GROWTH {
            self.draft.text.truncate(before);
            let put_off = self.draft.put_off_number(start, self.position);
            put_off.or_else(|error| self.fail_in_order(error))?;
        }
        Ok(())
    }

    fn flush(&mut self) {
        let (bytes, numbers) = (self.bytes, self.numbers);
        self.draft.flush(self.out, |start, end, out| {
            if let Some(number) = Numeral::read(&bytes[start..end]) {
                number.write(numbers, out);
            }
        });
    }

    /// Skips white space; the byte after it.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.position)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.position += 1;
        }
    }

    #[cold]
    fn fail<T>(&self, kind: TextErrorKind, position: usize) -> Result<T, TextError> {
        Err(TextError::new(kind, position))
    }

    /// Fails with the character at the position, or for want of one.
    #[cold]
    fn fail_at_char<T>(&self, kind: fn(char) -> TextErrorKind) -> Result<T, TextError> {
        let character = self.text[self.position..].chars().next();
        self.fail(
            character.map_or(TextErrorKind::UnexpectedEnd, kind),
            self.position,
        )
    }

    #[cold]
    fn fail_at_number<T>(
        &self,
        kind: fn(String) -> TextErrorKind,
        start: usize,
    ) -> Result<T, TextError> {
        let part_of_number = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
        self.fail(
            kind(cut(self.text[start..].chars().take_while(part_of_number))),
            start,
        )
    }

    #[cold]
    fn fail_in_order<T>(&self, error: OrderError) -> Result<T, TextError> {
        match error {
            OrderError::Full => self.fail(TextErrorKind::TooLarge, self.position),
            OrderError::Duplicate { name, source } => {
                self.fail(TextErrorKind::DuplicateName(cut(name.chars())), source)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_members_in_order_at_every_depth() {
        let text =
            br#" {"b":[{"d":1,"c":{"\u000a":1,"\r":2,"":{}}},-0.0,1e309], "a" : "\/\u20AC" } "#;
        let zeros = "0".repeat(309);
        assert_eq!(
            String::from_utf8(canonical_text(text, Numbers::Exact).unwrap()).unwrap(),
            format!(r#"{{"a":"/€","b":[{{"c":{{"":{{}},"\n":1,"\r":2}},"d":1}},0,1{zeros}]}}"#)
        );
    }
}
