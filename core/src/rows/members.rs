//! The members of a canonical JSON object, told apart without being read.

use super::conversion::Undo;

/// A member as it is written: its name, a JSON string, and its value.
pub type Member<'a> = (&'a [u8], &'a [u8]);

/// The members of an object in canonical JSON, in their order; `None` if it is not one.
pub fn members(json: &[u8]) -> Option<Vec<Member<'_>>> {
    let mut rest = json.strip_prefix(b"{")?;
    let mut members = Vec::new();
    if rest == b"}" {
        return Some(members);
    }
    loop {
        let name = string(rest)?;
        let value = value(rest.get(name..)?.strip_prefix(b":")?)?;
        members.push((&rest[..name], &rest[name + 1..name + 1 + value]));
        rest = &rest[name + 1 + value..];
        match rest {
            b"}" => return Some(members),
            _ => rest = rest.strip_prefix(b",")?,
        }
    }
}

/// The names, as they read, of members of `row` that differ from those of `recorded`, or are not among them. `None` if
/// one of the two is no object.
pub fn differing(row: &[u8], recorded: &[u8]) -> Option<Vec<String>> {
    let recorded = members(recorded)?;
    let differs = |(name, value): &Member<'_>| {
        let then = recorded.iter().find(|(then, _)| then == name);
        then.is_none_or(|(_, then)| then != value)
    };
    let read = |(name, _): Member<'_>| serde_json::from_slice(name).ok();
    members(row)?
        .into_iter()
        .filter(differs)
        .map(read)
        .collect()
}

/// The object with these members as they were before their types changed; `None` if it is no object.
pub fn undone(json: &[u8], undos: &[(Vec<u8>, Undo)]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(json.len());
    for (name, value) in members(json)? {
        out.push(if out.is_empty() { b'{' } else { b',' });
        out.extend_from_slice(name);
        out.push(b':');
        match undos.iter().find(|(of, _)| of == name) {
            Some((_, undo)) => out.extend_from_slice(&undo.apply(value)),
            None => out.extend_from_slice(value),
        }
    }
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    Some(out)
}

/// Bytes of the string that a text begins with.
fn string(text: &[u8]) -> Option<usize> {
    if text.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// Bytes of the value that a text begins with, which something follows.
fn value(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0u32);
    loop {
        match text.get(at)? {
            b'"' => at += string(&text[at..])?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' if depth > 0 => {
                depth -= 1;
                at += 1;
            }
            b',' | b'}' if depth == 0 => return (at > 0).then_some(at),
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_told_apart() {
        let json = r#"{"a":1,"b\"}":{"x":[1,{"y":"]}"}]},"c":[],"d":"\\","e":null}"#;
        let members = members(json.as_bytes()).unwrap();
        let texts: Vec<(&str, &str)> = members
            .iter()
            .map(|(name, value)| {
                (
                    std::str::from_utf8(name).unwrap(),
                    std::str::from_utf8(value).unwrap(),
                )
            })
            .collect();
        assert_eq!(
            texts,
            [
                ("\"a\"", "1"),
                ("\"b\\\"}\"", r#"{"x":[1,{"y":"]}"}]}"#),
                ("\"c\"", "[]"),
                ("\"d\"", r#""\\""#),
                ("\"e\"", "null"),
            ]
        );
        assert_eq!(super::members(b"{}"), Some(Vec::new()));
        for broken in [
            "",
            "{",
            "[1]",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1}}",
            "{\"a\":\"x}",
            "1",
        ] {
            assert_eq!(super::members(broken.as_bytes()), None, "{broken}");
        }
    }

    #[test]
    fn what_differs_is_named() {
        let recorded = br#"{"a":1,"b":"x","c":null}"#;
        let of = |row: &str| differing(row.as_bytes(), recorded).unwrap();
        assert_eq!(of(r#"{"a":1,"c":null}"#), Vec::<String>::new());
        let undos = [(b"\"a\"".to_vec(), Undo::Unquote)];
        let undone = |json: &str| undone(json.as_bytes(), &undos);
        assert_eq!(
            undone(r#"{"a":"7","b":"7"}"#).unwrap(),
            br#"{"a":7,"b":"7"}"#
        );
        assert_eq!(undone("{}").unwrap(), b"{}");
        assert_eq!(of(r#"{"a":2,"c":null,"d\n":1}"#), ["a", "d\n"]);
    }
}
