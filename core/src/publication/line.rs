//! One published head as a line of JSON.

use crate::canonical::reader::Reader;
use crate::canonical::{Numbers, TextErrorKind, canonical_text, write_string};
use crate::digits::write_integer;
use crate::hash::{Hash, Sink};
use crate::time::{parse_entry_time, write_entry_time};

/// The format that this code writes, and the only one so far: member `v`.
pub const VERSION: i64 = 1;

/// The longest line that is read, in bytes; a chain's name has at most a few hundred.
pub const MAX_LINE: usize = 64 * 1024;

/// The head of a lane, as it was when it was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Name of the chain.
    pub chain: String,
    /// `chain_hash` of the lane's last entry.
    pub chain_hash: Hash,
    /// Lane within the chain.
    pub lane: i16,
    /// Position of that entry, from 1.
    pub pos: i64,
    /// When it was published: microseconds since 2000-01-01 00:00 UTC.
    pub published_at: i64,
    /// Number of that entry, from 1.
    pub seq: i64,
}

/// Why a line is no published head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line is the beginning of one, without its end.
    pub cut_short: bool,
    /// What is wrong.
    pub reason: String,
}

impl Published {
    /// Writes the canonical line, without a line feed.
    pub fn write<S: Sink>(&self, out: &mut S) {
        out.put(b"{\"chain\":");
        write_string(self.chain.as_bytes(), out);
        out.put(b",\"chain_hash\":\"");
        out.put(&self.chain_hash.to_hex());
        out.put(b"\",\"lane\":");
        write_integer(i64::from(self.lane), out);
        out.put(b",\"pos\":\"");
        write_integer(self.pos, out);
        out.put(b"\",\"published_at\":\"");
        write_entry_time(self.published_at, out);
        out.put(b"\",\"seq\":\"");
        write_integer(self.seq, out);
        out.put(b"\",\"v\":");
        write_integer(VERSION, out);
        out.put(b"}");
    }

    /// Reads a line, without its line feed.
    pub fn parse(line: &[u8]) -> Result<Published, Malformed> {
        if line.len() > MAX_LINE {
            return Err(malformed(format!("it has more than {MAX_LINE} bytes")));
        }
        // Canonical, the members stand in a fixed order, without white space.
        let text = canonical_text(line, Numbers::Exact).map_err(|error| Malformed {
            cut_short: error.kind == TextErrorKind::UnexpectedEnd || ends_within(line),
            reason: error.to_string(),
        })?;
        let mut rest = Reader(&text);
        let published = rest.head().ok_or_else(|| malformed(rest.complaint()))?;
        Ok(published)
    }
}

fn malformed(reason: String) -> Malformed {
    Malformed {
        cut_short: false,
        reason,
    }
}

/// Whether a line ends within a character or within an escape, neither of which JSON ends with.
fn ends_within(line: &[u8]) -> bool {
    match std::str::from_utf8(line) {
        Err(error) => error.error_len().is_none(),
        Ok(text) => {
            let tail = text.rfind('\\').map_or("", |at| &text[at..]);
            matches!(tail.as_bytes(), [b'\\']) || (tail.starts_with("\\u") && tail.len() < 6)
        }
    }
}

/// The members of a head, as canonical JSON orders them.
impl Reader<'_> {
    fn head(&mut self) -> Option<Published> {
        self.literal(b"{\"chain\":\"")?;
        let chain = self.string()?;
        self.literal(b",\"chain_hash\":\"")?;
        let chain_hash = self.hash()?;
        self.literal(b",\"lane\":")?;
        let lane = self.number()?;
        self.literal(b",\"pos\":\"")?;
        let pos = self.number()?;
        self.literal(b"\",\"published_at\":\"")?;
        let published_at = self.time()?;
        self.literal(b",\"seq\":\"")?;
        let seq = self.number()?;
        self.literal(b"\",\"v\":")?;
        let before = self.0;
        if self.number()? != VERSION {
            self.0 = before;
            return None;
        }
        self.literal(b"}")?;
        let named = !chain.is_empty() && pos >= 1 && seq >= 1;
        let lane = i16::try_from(lane).ok().filter(|lane| *lane >= 0)?;
        named.then_some(Published {
            chain,
            chain_hash,
            lane,
            pos,
            published_at,
            seq,
        })
    }

    /// What is wrong where reading stopped.
    fn complaint(&self) -> String {
        if self.0.is_empty() {
            return "its chain is empty, or its lane, pos or seq is out of range".to_owned();
        }
        let shown: String = String::from_utf8_lossy(self.0).chars().take(40).collect();
        format!(
            "it is not a published head of version {VERSION}: its canonical form goes on {shown:?}"
        )
    }

    fn time(&mut self) -> Option<i64> {
        let end = self.0.iter().position(|c| *c == b'"')?;
        let micros = parse_entry_time(&self.0[..end])?;
        self.0 = &self.0[end + 1..];
        Some(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(chain: &str) -> Published {
        Published {
            chain: chain.to_owned(),
            chain_hash: Hash::of(b"7"),
            lane: 0,
            pos: 7,
            published_at: 848_534_262_123_456,
            seq: 12,
        }
    }

    fn line(head: &Published) -> Vec<u8> {
        let mut line = Vec::new();
        head.write(&mut line);
        line
    }

    #[test]
    fn the_line_is_the_documented_one() {
        let expected = format!(
            "{{\"chain\":\"main\",\"chain_hash\":\"{}\",\"lane\":0,\"pos\":\"7\",\
             \"published_at\":\"2026-11-20T23:57:42.123456Z\",\"seq\":\"12\",\"v\":1}}",
            Hash::of(b"7")
        );
        assert_eq!(String::from_utf8(line(&head("main"))).unwrap(), expected);
    }

    #[test]
    fn what_is_written_is_read() {
        for chain in ["main", "a\"b\\c\n\u{1}\u{7f}é𝄞", "\\u0041", "{}", " "] {
            let mut head = head(chain);
            for (lane, pos, seq) in [
                (0, 1, 1),
                (255, i64::MAX, i64::MAX),
                (i16::MAX, 1 << 53, 10),
            ] {
                (head.lane, head.pos, head.seq) = (lane, pos, seq);
                assert_eq!(Published::parse(&line(&head)).as_ref(), Ok(&head));
            }
        }
    }

    #[test]
    fn spacing_and_order_do_not_matter() {
        let text = format!(
            " {{ \"v\": 1.0, \"seq\": \"12\",\t\"published_at\": \"2026-11-20T23:57:42.123456Z\", \"pos\": \"7\",
               \"lane\": 0, \"chain_hash\": \"{}\", \"chain\": \"m\\u0061in\" }}\r",
            Hash::of(b"7")
        );
        assert_eq!(Published::parse(text.as_bytes()), Ok(head("main")));
    }

    #[test]
    fn every_beginning_of_a_line_is_told_as_such() {
        let line = line(&head("a\"b\\c\n\u{1}é𝄞"));
        for end in 1..line.len() {
            let error = Published::parse(&line[..end]).unwrap_err();
            let shown = String::from_utf8_lossy(&line[..end]);
            assert!(error.cut_short, "{shown}: {}", error.reason);
        }
    }

    #[test]
    fn what_is_no_head_is_refused() {
        let good = String::from_utf8(line(&head("main"))).unwrap();
        let changed = [
            ("\"7\"", "\"07\""),
            ("\"7\"", "7"),
            ("\"7\"", "\"0\""),
            ("\"7\"", "\"-7\""),
            ("\"7\"", "\"9223372036854775808\""),
            ("\"12\"", "\"\""),
            ("\"12\"", "null"),
            (":0,", ":-1,"),
            (":0,", ":32768,"),
            (":0,", ":0.5,"),
            ("\"main\"", "\"\""),
            ("\"main\"", "7"),
            (":1}", ":2}"),
            (":1}", ":1,\"w\":1}"),
            (":1}", ":1,\"v\":1}"),
            (":1}", ":1} {}"),
            (",\"v\":1}", "}"),
            ("{", "[{"),
            ("\"chain\":\"main\",", ""),
            ("23:57:42.123456Z", "23:57:42Z"),
            ("23:57:42.123456Z", "24:57:42.123456Z"),
            ("2026-11-20T", "2026-02-30T"),
            ("2026-11-20T", "2026-11-20 "),
        ];
        for (from, to) in changed {
            let text = good.replacen(from, to, 1);
            assert_ne!(text, good);
            let error = Published::parse(text.as_bytes()).unwrap_err();
            let cut = from == "{";
            assert_eq!(error.cut_short, cut, "{text}: {}", error.reason);
            assert!(!error.reason.is_empty());
        }
        let hash = Hash::of(b"7").to_string();
        for bad in [&hash[1..], &hash.to_uppercase(), &format!("{hash}0"), ""] {
            let text = good.replace(&hash, bad);
            assert!(!Published::parse(text.as_bytes()).unwrap_err().cut_short);
        }
        for text in ["null", "7", "\"x\"", "{}", "[]", "x", "\0\0\0"] {
            assert!(!Published::parse(text.as_bytes()).unwrap_err().cut_short);
        }
        let long = line(&head(&"x".repeat(MAX_LINE)));
        assert!(!Published::parse(&long).unwrap_err().cut_short);
    }
}
