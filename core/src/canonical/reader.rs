//! Reading canonical JSON whose members are known: they stand in one order, without white space.

use crate::hash::Hash;

/// What is left to be read. Where a method answers `None`, the text is not what was expected, and
/// what is left is undefined but for that.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl Reader<'_> {
    /// This, exactly.
    pub fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// A decimal number without leading zeros.
    pub fn number(&mut self) -> Option<i64> {
        let sign = usize::from(self.0.starts_with(b"-"));
        let digits = self.0[sign..].iter().take_while(|c| c.is_ascii_digit());
        let (text, rest) = self.0.split_at(sign + digits.count());
        // One number has one text.
        if text[sign..].starts_with(b"0") && text.len() > 1 {
            return None;
        }
        let value = std::str::from_utf8(text).ok()?.parse().ok()?;
        self.0 = rest;
        Some(value)
    }

    /// Text up to the closing quote, unescaped: the few escapes that canonical JSON has.
    pub fn string(&mut self) -> Option<String> {
        let mut out = Vec::new();
        let mut at = 0;
        loop {
            match *self.0.get(at)? {
                b'"' => break,
                b'\\' => {
                    at += 1;
                    out.push(match *self.0.get(at)? {
                        b'b' => 8,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 12,
                        b'r' => b'\r',
                        b'u' => {
                            let hex = std::str::from_utf8(self.0.get(at + 1..at + 5)?).ok()?;
                            at += 4;
                            u8::from_str_radix(hex, 16).ok()?
                        }
                        quoted => quoted,
                    });
                }
                byte => out.push(byte),
            }
            at += 1;
        }
        self.0 = &self.0[at + 1..];
        String::from_utf8(out).ok()
    }

    /// 64 lower-case hex digits up to the closing quote.
    pub fn hash(&mut self) -> Option<Hash> {
        let text = self.0.get(..64)?;
        let mut hash = Hash::ZERO;
        hex::decode_to_slice(text, &mut hash.0).ok()?;
        // Upper-case digits would give one hash two texts.
        if hash.to_hex() != *text {
            return None;
        }
        self.0 = self.0[64..].strip_prefix(b"\"")?;
        Some(hash)
    }
}
