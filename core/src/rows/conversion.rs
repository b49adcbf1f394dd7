//! Changes of a column's type that leave the text of every value as it was, or such that it can be told what it was.
//!
//! What a row was hashed from is text, so a hash proves as much after such a change as before. Only commands
//! without a USING clause count, and only types that are built in: what else converts is anybody's code.

/// How the JSON that a cell had is told from the one that it has since its type changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo {
    /// An integer or a boolean became a text.
    Unquote,
    /// A date became a timestamp.
    Midnight,
}

impl Undo {
    /// The JSON that the cell had; that which it has, if no value became so.
    pub fn apply<'a>(self, cell: &'a [u8]) -> std::borrow::Cow<'a, [u8]> {
        let text = cell
            .strip_prefix(b"\"")
            .and_then(|text| text.strip_suffix(b"\""));
        let Some(text) = text else {
            return cell.into();
        };
        match self {
            Undo::Unquote if is_word(text) => text.into(),
            Undo::Unquote => cell.into(),
            Undo::Midnight => {
                let time = b"T00:00:00";
                let at = cell.windows(time.len()).position(|there| there == time);
                match at {
                    Some(at) => [&cell[..at], &cell[at + time.len()..]].concat().into(),
                    None => cell.into(),
                }
            }
        }
    }
}

/// Whether a text is an integer or a boolean as JSON has them.
fn is_word(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    matches!(text, b"true" | b"false" | b"0")
        || digits
            .first()
            .is_some_and(|first| (b'1'..=b'9').contains(first))
            && digits.iter().all(u8::is_ascii_digit)
}

/// How the text of a value is known that was converted from one type to another; `None` if it is not.
pub fn undo(from: &str, to: &str) -> Option<Option<Undo>> {
    if keeps_text(from, to) {
        return Some(None);
    }
    let (from, to) = (parse(from)?, parse(to)?);
    let is_text = matches!(to.name, "text" | "character varying") && to.rest.is_empty();
    match from.name {
        "smallint" | "integer" | "bigint" | "boolean" if is_text => Some(Some(Undo::Unquote)),
        "date"
            if to.name == "timestamp without time zone"
                || to.name == "timestamp" && to.rest == " without time zone" =>
        {
            Some(Some(Undo::Midnight))
        }
        _ => None,
    }
}

/// A type's name, as layouts have it, taken apart.
struct Type<'a> {
    name: &'a str,
    /// What stands behind the modifier.
    rest: &'a str,
    modifier: Vec<i32>,
}

/// Whether values of the one type, converted to the other, have the text that they had. Types are named as
/// layouts name them.
pub fn keeps_text(from: &str, to: &str) -> bool {
    match (from.strip_suffix("[]"), to.strip_suffix("[]")) {
        (Some(from), Some(to)) => keeps_text(from, to),
        (None, None) => match (parse(from), parse(to)) {
            (Some(from), Some(to)) => keeps(&from, &to),
            _ => false,
        },
        _ => false,
    }
}

fn parse(name: &str) -> Option<Type<'_>> {
    let Some((before, behind)) = name.split_once('(') else {
        return Some(Type {
            name,
            rest: "",
            modifier: Vec::new(),
        });
    };
    let (modifier, rest) = behind.split_once(')')?;
    let modifier = modifier.split(',').map(|number| number.trim().parse().ok());
    Some(Type {
        name: before,
        rest,
        modifier: modifier.collect::<Option<_>>()?,
    })
}

fn keeps(from: &Type<'_>, to: &Type<'_>) -> bool {
    let whole = |name: &Type<'_>| matches!(name.name, "smallint" | "integer" | "bigint");
    if whole(from) {
        // What does not fit fails.
        return whole(to)
            || to.name == "numeric" && scale(to).is_none_or(|scale| scale >= 0)
            || to.name == "double precision" && from.name != "bigint"
            || to.name == "real" && from.name == "smallint";
    }
    match (from.name, to.name) {
        ("numeric", "numeric") => match (scale(from), scale(to)) {
            // Values have the zeros that they had.
            (_, None) => true,
            (Some(from), Some(to)) => from <= to && to >= 0,
            (None, Some(_)) => false,
        },
        ("text" | "name" | "character varying" | "uuid", "text") => true,
        ("text" | "name" | "uuid", "character varying") => to.modifier.is_empty(),
        // A longer text fails, unless it is blanks that are too many: these are cut off.
        ("character varying", "character varying") | ("bit varying", "bit varying") => {
            widens(from, to)
        }
        ("bit", "bit varying") => !from.modifier.is_empty() && widens(from, to),
        _ => is_of_time(from) && same_but_for_precision(from, to) && widens(from, to),
    }
}

/// Digits behind the point that every value has; `None` if each has its own.
fn scale(numeric: &Type<'_>) -> Option<i32> {
    match numeric.modifier[..] {
        [] => None,
        [_] => Some(0),
        [_, scale, ..] => Some(scale),
    }
}

fn widens(from: &Type<'_>, to: &Type<'_>) -> bool {
    match (from.modifier.first(), to.modifier.first()) {
        (_, None) => true,
        (Some(from), Some(to)) => from <= to,
        (None, Some(_)) => false,
    }
}

fn is_of_time(name: &Type<'_>) -> bool {
    matches!(name.name, "time" | "timestamp")
        || matches!(
            name.name,
            "time without time zone"
                | "time with time zone"
                | "timestamp without time zone"
                | "timestamp with time zone"
        )
}

/// `timestamp(3) without time zone` has its precision in the middle.
fn same_but_for_precision(from: &Type<'_>, to: &Type<'_>) -> bool {
    from.name
        .chars()
        .chain(from.rest.chars())
        .eq(to.name.chars().chain(to.rest.chars()))
}

#[cfg(test)]
mod tests {
    use super::{Undo, keeps_text, undo};

    #[test]
    fn what_is_sure_is_sure() {
        for (from, to) in [
            ("smallint", "integer"),
            ("integer", "bigint"),
            ("bigint", "integer"),
            ("integer", "numeric"),
            ("bigint", "numeric(20,2)"),
            ("numeric(8,2)", "numeric(10,2)"),
            ("numeric(8,2)", "numeric(10,4)"),
            ("numeric(8,2)", "numeric"),
            ("character varying(5)", "character varying(5)"),
            ("character varying(5)", "character varying(9)"),
            ("character varying(5)", "character varying"),
            ("character varying(5)", "text"),
            ("name", "text"),
            ("uuid", "text"),
            ("integer", "double precision"),
            ("smallint", "real"),
            ("text", "character varying"),
            ("integer[]", "bigint[]"),
            ("bit(3)", "bit varying(4)"),
            (
                "timestamp(3) without time zone",
                "timestamp(6) without time zone",
            ),
            (
                "timestamp(3) without time zone",
                "timestamp without time zone",
            ),
            ("time(0) with time zone", "time with time zone"),
        ] {
            assert!(keeps_text(from, to), "{from} to {to}");
        }
    }

    #[test]
    fn what_can_be_told_is() {
        for (from, to, cell, was) in [
            ("integer", "text", "\"-12\"", "-12"),
            ("integer", "text", "\"012\"", "\"012\""),
            ("integer", "text", "\"\"", "\"\""),
            ("integer", "text", "null", "null"),
            ("boolean", "character varying(5)", "\"true\"", "true"),
            (
                "date",
                "timestamp without time zone",
                "\"2026-01-01T00:00:00\"",
                "\"2026-01-01\"",
            ),
            (
                "date",
                "timestamp(0) without time zone",
                "\"0044-03-15T00:00:00 BC\"",
                "\"0044-03-15 BC\"",
            ),
            (
                "date",
                "timestamp without time zone",
                "\"infinity\"",
                "\"infinity\"",
            ),
        ] {
            let undo = undo(from, to).unwrap().unwrap();
            assert_eq!(undo.apply(cell.as_bytes()), was.as_bytes(), "{from} {to}");
        }
        assert_eq!(undo("integer", "bigint"), Some(None));
        assert_eq!(undo("integer", "character(5)"), None);
        assert_eq!(undo("date", "timestamp with time zone"), None);
        assert_eq!(
            Undo::Midnight.apply(b"\"2026-01-01T00:00:01\""),
            &b"\"2026-01-01T00:00:01\""[..]
        );
    }

    #[test]
    fn what_may_differ_is_not() {
        for (from, to) in [
            ("integer", "text"),
            ("integer", "real"),
            ("bigint", "double precision"),
            ("integer", "numeric(5,-2)"),
            ("numeric", "integer"),
            ("numeric", "numeric(8,2)"),
            ("numeric(8,2)", "numeric(8,1)"),
            ("text", "character varying(9)"),
            ("character varying(9)", "character varying(5)"),
            ("character(5)", "text"),
            ("character(5)", "character(9)"),
            ("text", "public.mine"),
            ("public.mine", "public.mine"),
            ("integer", "integer[]"),
            ("integer[]", "bigint"),
            ("bit", "bit varying"),
            ("double precision", "numeric"),
            (
                "timestamp without time zone",
                "timestamp(3) without time zone",
            ),
            ("timestamp without time zone", "timestamp with time zone"),
            ("timestamp(3) without time zone", "time without time zone"),
            ("date", "timestamp without time zone"),
        ] {
            assert!(!keeps_text(from, to), "{from} to {to}");
        }
    }
}
