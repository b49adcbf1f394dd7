//! Column layouts as they are recorded: which columns of which table rows were hashed from.

use std::fmt;

use serde_json::Value;

/// One column of a layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Attribute number, from 1; a table never gives it to another column.
    pub attnum: i16,
    /// Name; may change.
    pub name: String,
    /// Type with its modifier, qualified.
    pub type_name: String,
    /// What else the text of its values depends on: the fields of a composite type, the labels of an
    /// enum.
    pub shape: Option<Value>,
}

impl Column {
    /// Whether values of both are of the same type.
    pub fn same_type(&self, other: &Column) -> bool {
        self.type_name == other.type_name && self.shape == other.shape
    }

    /// Whether nothing but the attribute number tells them apart.
    pub fn alike(&self, other: &Column) -> bool {
        self.name == other.name && self.same_type(other)
    }
}

/// A table's life in one database cluster: attribute numbers mean the same column throughout, and
/// nothing beyond it, since a dump numbers them anew.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incarnation {
    /// System identifier of the cluster.
    pub system: String,
    /// The table's oid.
    pub oid: String,
}

/// A recorded layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Its number, which entries name.
    pub id: i32,
    /// The entry that recorded it.
    pub seq: i64,
    /// Kind of the events.
    pub kind: String,
    /// The table's qualified name then.
    pub table: String,
    /// Which table.
    pub incarnation: Incarnation,
    /// The columns that are hashed, by attribute number.
    pub columns: Vec<Column>,
}

/// What a recorded layout's payload lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MalformedLayout;

impl fmt::Display for MalformedLayout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entry does not describe a column layout")
    }
}

impl Layout {
    /// Whether the table was called so then, in whatever schema.
    pub fn is_named(&self, name: &str) -> bool {
        split_name(&self.table).is_some_and(|(_, table)| table == name)
    }

    /// Reads the payload, canonical JSON, of the entry `seq` that records layout `id`.
    pub fn read(id: i32, seq: i64, payload: &[u8]) -> Result<Layout, MalformedLayout> {
        let read = || {
            let json: Value = serde_json::from_slice(payload).ok()?;
            let text = |name| json.get(name)?.as_str().map(str::to_owned);
            let mut columns = json
                .get("columns")?
                .as_array()?
                .iter()
                .map(column)
                .collect::<Option<Vec<Column>>>()?;
            columns.sort_by_key(|column| column.attnum);
            Some(Layout {
                id,
                seq,
                kind: text("kind")?,
                table: text("table")?,
                incarnation: Incarnation {
                    system: text("system")?,
                    oid: text("oid")?,
                },
                columns,
            })
        };
        read().ok_or(MalformedLayout)
    }
}

/// Schema and name, unquoted, of a qualified name as it is recorded.
pub fn split_name(qualified: &str) -> Option<(String, String)> {
    let (schema, rest) = identifier(qualified)?;
    let (name, rest) = identifier(rest.strip_prefix('.')?)?;
    rest.is_empty().then_some((schema, name))
}

/// The identifier that a text begins with, and what follows it.
fn identifier(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        return (end > 0).then(|| (text[..end].to_owned(), &text[end..]));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let quote = rest.find('"')?;
        name.push_str(&rest[..quote]);
        rest = &rest[quote + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Some((name, rest)),
        }
    }
}

fn column(json: &Value) -> Option<Column> {
    Some(Column {
        attnum: json.get("attnum")?.as_i64()?.try_into().ok()?,
        name: json.get("name")?.as_str()?.to_owned(),
        type_name: json.get("type")?.as_str()?.to_owned(),
        shape: json
            .get("shape")
            .filter(|shape| **shape != Value::Null)
            .cloned(),
    })
}

/// A table as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentColumns {
    /// Which table.
    pub incarnation: Incarnation,
    /// The columns that are hashed, by attribute number.
    pub columns: Vec<Column>,
    /// Its other columns, which are excluded.
    pub excluded: Vec<Column>,
}

impl CurrentColumns {
    /// Its column of that number, hashed or excluded; `None` if it was dropped.
    pub fn column(&self, attnum: i16) -> Option<&Column> {
        self.columns
            .iter()
            .chain(&self.excluded)
            .find(|column| column.attnum == attnum)
    }

    /// Whether a column was dropped at some time.
    pub fn has_dropped(&self) -> bool {
        let last = self.columns.iter().chain(&self.excluded);
        let last = last.map(|column| column.attnum).max().unwrap_or_default();
        (1..=last).any(|attnum| self.column(attnum).is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAYLOAD: &str = r#"{"columns":[{"attnum":3,"name":"b","shape":["x","y"],"type":"public.mood"},{"attnum":1,"name":"id","type":"integer"}],"kind":"k","oid":"16999","system":"7","table":"public.t"}"#;

    #[test]
    fn a_payload_is_read() {
        let layout = Layout::read(4, 99, PAYLOAD.as_bytes()).unwrap();
        assert_eq!((layout.id, layout.seq), (4, 99));
        assert_eq!((&layout.kind[..], &layout.table[..]), ("k", "public.t"));
        assert_eq!(layout.incarnation.oid, "16999");
        assert_eq!(layout.columns[0].name, "id");
        assert_eq!(layout.columns[1].attnum, 3);
        assert!(layout.columns[1].shape.is_some());
    }

    #[test]
    fn names_are_told_from_schemas() {
        let named = |table: &str, name| {
            let payload = PAYLOAD.replace("public.t", &table.replace('"', "\\\""));
            Layout::read(4, 99, payload.as_bytes())
                .unwrap()
                .is_named(name)
        };
        assert!(named("public.t", "t") && named("\"a.b\".t", "t"));
        assert!(named("public.\"T \"\"1\"\"\"", "T \"1\""));
        assert!(!named("public.st", "t") && !named("t.public", "t"));
        let parts = |schema: &str, name: &str| Some((schema.to_owned(), name.to_owned()));
        assert_eq!(split_name("\"a.b\".\"c\"\"\""), parts("a.b", "c\""));
        for text in ["", "a", "a.", ".b", "a.b.c", "\"a", "\"a\"b.c"] {
            assert_eq!(split_name(text), None, "{text}");
        }
    }

    #[test]
    fn what_lacks_a_part_is_refused() {
        assert!(Layout::read(4, 99, b"null").is_err());
        for part in [
            "kind", "oid", "system", "table", "columns", "attnum", "name", "type",
        ] {
            let payload = PAYLOAD.replace(&format!("\"{part}\""), "\"other\"");
            assert_eq!(
                Layout::read(1, 1, payload.as_bytes()),
                Err(MalformedLayout),
                "{part}"
            );
        }
    }
}
