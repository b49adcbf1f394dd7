//! A JSON value as a tree, for the small documents that the system records of itself.

/// A JSON value. Numbers keep their text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Json {
    /// null
    Null,
    /// true, false
    Bool(bool),
    /// A number, as written.
    Number(String),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Json>),
    /// Members in their order.
    Object(Vec<(String, Json)>),
}

/// Nesting beyond this is refused: nothing that we record comes near.
const MAX_DEPTH: usize = 64;

/// The value that canonical JSON text stands for; `None` if it is not such text. White space, which
/// canonical text has none of, is not accepted.
pub fn parse(text: &[u8]) -> Option<Json> {
    let mut parser = Parser {
        text: std::str::from_utf8(text).ok()?,
        at: 0,
    };
    let value = parser.value(0)?;
    (parser.at == parser.text.len()).then_some(value)
}

impl Json {
    /// The member of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(members) => members
                .iter()
                .find_map(|(member, value)| (member == name).then_some(value)),
            _ => None,
        }
    }

    /// A string's content.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// An array's elements.
    pub fn as_array(&self) -> Option<&[Json]> {
        match self {
            Json::Array(elements) => Some(elements),
            _ => None,
        }
    }

    /// A number that is an integer of this type, written plainly.
    pub fn as_integer<T: std::str::FromStr>(&self) -> Option<T> {
        match self {
            Json::Number(text) => text.parse().ok(),
            _ => None,
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn literal(&mut self, word: &str, value: Json) -> Option<Json> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > MAX_DEPTH {
            return None;
        }
        match self.peek()? {
            b'n' => self.literal("null", Json::Null),
            b't' => self.literal("true", Json::Bool(true)),
            b'f' => self.literal("false", Json::Bool(false)),
            b'"' => self.string().map(Json::String),
            b'[' => {
                let mut elements = Vec::new();
                self.list(b']', |parser| {
                    elements.push(parser.value(depth + 1)?);
                    Some(())
                })?;
                Some(Json::Array(elements))
            }
            b'{' => {
                let mut members = Vec::new();
                self.list(b'}', |parser| {
                    let name = parser.string()?;
                    parser.eat(b':')?;
                    members.push((name, parser.value(depth + 1)?));
                    Some(())
                })?;
                Some(Json::Object(members))
            }
            _ => self.number(),
        }
    }

    /// What stands between the bracket here and its partner, separated by commas.
    fn list(&mut self, end: u8, mut item: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        if self.eat(end).is_some() {
            return Some(());
        }
        loop {
            item(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                _ => return self.eat(end),
            }
        }
    }

    fn number(&mut self) -> Option<Json> {
        let rest = self.text.get(self.at..)?;
        let is_part = |c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E');
        let number = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        // Every JSON number is one of Rust's, too; what else Rust reads has a letter or no digit.
        number.parse::<f64>().ok()?;
        self.at += number.len();
        Some(Json::Number(number.to_owned()))
    }

    fn string(&mut self) -> Option<String> {
        self.eat(b'"')?;
        let mut string = String::new();
        loop {
            let rest = self.text.get(self.at..)?;
            let plain = rest.find(['"', '\\'])?;
            string.push_str(&rest[..plain]);
            self.at += plain + 1;
            if rest.as_bytes()[plain] == b'"' {
                return Some(string);
            }
            let escape = self.peek()?;
            self.at += 1;
            string.push(match escape {
                b'"' | b'\\' | b'/' => char::from(escape),
                b'b' => '\u{8}',
                b'f' => '\u{c}',
                b'n' => '\n',
                b'r' => '\r',
                b't' => '\t',
                b'u' => {
                    let digits = self.text.get(self.at..self.at + 4)?;
                    self.at += 4;
                    // Canonical text escapes control characters alone, so no surrogates.
                    char::from_u32(u32::from_str_radix(digits, 16).ok()?)?
                }
                _ => return None,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_as_written() {
        let json =
            parse(br#"{"a":[1,-2.5e+30,"x\"\\\n\u001f",null,true,{}],"b":"7","c":[]}"#).unwrap();
        let elements = json.get("a").and_then(Json::as_array).unwrap();
        assert_eq!(elements[0].as_integer::<i16>(), Some(1));
        assert_eq!(elements[1], Json::Number("-2.5e+30".to_owned()));
        assert_eq!(elements[1].as_integer::<i64>(), None);
        assert_eq!(elements[2].as_str(), Some("x\"\\\n\u{1f}"));
        assert_eq!(
            elements[3..],
            [Json::Null, Json::Bool(true), Json::Object(vec![])]
        );
        assert_eq!(json.get("b").and_then(Json::as_str), Some("7"));
        assert_eq!(json.get("c").and_then(Json::as_array), Some(&[][..]));
        assert_eq!(json.get("d"), None);
    }

    #[test]
    fn what_is_no_document_is_refused() {
        for text in [
            "",
            "{",
            "[1,]",
            "[1",
            "{\"a\"}",
            "{\"a\":}",
            "{a:1}",
            "nul",
            "\"a",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud800\"",
            "1 ",
            "[1 ,2]",
            "--1",
            "inf",
            "+",
            "{\"a\":1]",
            "1,2",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse(b"\"\xff\""), None);
        assert_eq!(parse("[".repeat(100_000).as_bytes()), None);
    }
}
