//! SQL with names put in between at-signs: `@schema@`.

/// `sql` with each `@name@` (lower-case letters and underscores between the at-signs) replaced by what
/// `value` has for it; a name that it does not know stays as it is, as do other at-signs.
pub fn fill<'v>(sql: &str, value: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut filled = String::with_capacity(sql.len() + sql.len() / 8);
    let mut rest = sql;
    while let Some(at) = rest.find('@') {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let name = from[1..].split('@').next().unwrap_or_default();
        let ends = from[1..].len() > name.len();
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        match value(name).filter(|_| ends && is_name) {
            Some(value) => {
                filled.push_str(value);
                rest = &from[name.len() + 2..];
            }
            None => {
                filled.push('@');
                rest = &from[1..];
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn names_are_put_in_once() {
        let value = |name: &str| match name {
            "schema" => Some("\"@verbs@\""),
            "verbs" => Some("public"),
            _ => None,
        };
        assert_eq!(
            fill("a @schema@.b, @verbs@.c(@other@)", value),
            "a \"@verbs@\".b, public.c(@other@)"
        );
        // Operators of PostgreSQL, and an address.
        for kept in [
            "x @@ y",
            "x @> y AND y <@ x",
            "a@b.c",
            "@",
            "@schema",
            "@-@ schema@",
        ] {
            assert_eq!(fill(kept, value), kept);
        }
        assert_eq!(fill("x @@ y @schema@", value), "x @@ y \"@verbs@\"");
        assert_eq!(fill("é@schema@é", value), "é\"@verbs@\"é");
    }
}
