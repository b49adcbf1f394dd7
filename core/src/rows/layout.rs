//! Column layouts as they are recorded: which columns of which table rows were hashed from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;
use serde_json::value::RawValue;

use super::types::{Form, Label, Shape, Shapes};

/// One column of a layout, or one attribute of a composite type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Attribute number, from 1; a table never gives it to another column.
    pub attnum: i16,
    /// Name; may change.
    pub name: String,
    /// Type with its modifier, qualified. May change without the type, which may be renamed.
    pub type_name: String,
    /// Encoding 1: what else the text of its values depends on: the fields of a composite type, the
    /// labels of an enum.
    pub shape: Option<Value>,
    /// Encoding 2: the type's oid and modifier, which mean the same throughout an incarnation.
    pub type_id: Option<TypeId>,
    /// Of a layout's columns: oids of the types in its values that the layout describes, at any depth.
    pub contains: Vec<u32>,
}

/// Which type values are of, in one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TypeId {
    /// The type's oid.
    pub oid: u32,
    /// Its modifier; -1 for none.
    pub modifier: i32,
}

impl Column {
    /// Whether values of both, columns of one incarnation, are of the same type.
    pub fn same_type(&self, other: &Column) -> bool {
        match (self.type_id, other.type_id) {
            (Some(this), Some(other)) => this == other,
            _ => self.type_named_alike(other),
        }
    }

    /// Whether the types have the same name: all that can be told across incarnations.
    pub fn type_named_alike(&self, other: &Column) -> bool {
        let shapes_agree = match (self.type_id, other.type_id) {
            (None, None) => self.shape == other.shape,
            // Labels and attributes are the layout's; who asks has looked at them.
            (Some(_), Some(_)) => true,
            _ => self.shape.is_none() || other.shape.is_none() || self.shape == other.shape,
        };
        self.type_name == other.type_name && shapes_agree
    }

    /// Whether nothing but the attribute number tells them apart, of whatever incarnations they are.
    pub fn alike(&self, other: &Column) -> bool {
        self.name == other.name && self.type_named_alike(other)
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
    /// How rows and keys are written: FORMAT.md, 1 or 2.
    pub encoding: u8,
    /// The key's columns in order; `None` in encoding 1, which does not tell.
    pub key: Option<Vec<i16>>,
    /// Columns of the key and of the chain's name that are not hashed.
    pub others: Vec<Column>,
    /// Whether entries keep the row; `None` in encoding 1, which does not tell.
    pub payload_kept: Option<bool>,
    /// Types that values of the columns contain, at any depth.
    pub shapes: Shapes,
    /// What the command that called for the layout did to the rows that were there.
    pub upon: Upon,
}

/// What a command did to the rows that were there, by attribute number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upon {
    /// Columns that it added, each with the JSON of what these rows read there.
    pub added: Vec<(i16, String)>,
    /// Columns whose values an expression made anew.
    pub computed: Vec<i16>,
    /// Columns, hashed or not, whose values were converted to another type, this one, as assignments are.
    pub converted: Vec<Column>,
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

    /// The column of that number, hashed or not.
    pub fn column(&self, attnum: i16) -> Option<&Column> {
        let all = self.columns.iter().chain(&self.others);
        all.into_iter().find(|column| column.attnum == attnum)
    }

    /// Reads the payload, canonical JSON, of the entry `seq` that records layout `id`.
    pub fn read(id: i32, seq: i64, payload: &[u8]) -> Result<Layout, MalformedLayout> {
        read(id, seq, payload).ok_or(MalformedLayout)
    }
}

/// Members of an object, each as it is written.
type Members<'a> = BTreeMap<String, &'a RawValue>;

fn read(id: i32, seq: i64, payload: &[u8]) -> Option<Layout> {
    let json: Members = serde_json::from_slice(payload).ok()?;
    let encoding = match json.get("encoding") {
        None => 1,
        Some(encoding) => serde_json::from_str(encoding.get()).ok()?,
    };
    if !(1..=2).contains(&encoding) {
        return None;
    }
    let named = |name| json.get(name).map(|value| value.get());
    Some(Layout {
        id,
        seq,
        kind: text(&json, "kind")?,
        table: text(&json, "table")?,
        incarnation: Incarnation {
            system: text(&json, "system")?,
            oid: text(&json, "oid")?,
        },
        columns: columns(named("columns")?, encoding)?,
        encoding,
        key: match named("key") {
            Some(key) => Some(serde_json::from_str(key).ok()?),
            None => None,
        },
        others: columns(named("others").unwrap_or("[]"), encoding)?,
        payload_kept: match named("payload") {
            None => None,
            Some("\"full\"") => Some(true),
            Some("\"hash\"") => Some(false),
            Some(_) => return None,
        },
        shapes: shapes(named("shapes").unwrap_or("{}"))?,
        upon: upon(named("upon").unwrap_or("{}"))?,
    })
    .filter(|layout| encoding == 1 || layout.key.is_some() && layout.payload_kept.is_some())
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

fn text(json: &Members, name: &str) -> Option<String> {
    serde_json::from_str(json.get(name)?.get()).ok()
}

fn columns(json: &str, encoding: u8) -> Option<Vec<Column>> {
    let all: Vec<Members> = serde_json::from_str(json).ok()?;
    let mut columns = all
        .iter()
        .map(|json| column(json, encoding))
        .collect::<Option<Vec<Column>>>()?;
    columns.sort_by_key(|column| column.attnum);
    Some(columns)
}

fn column(json: &Members, encoding: u8) -> Option<Column> {
    let read = |name| json.get(name).map(|value| value.get());
    let number = |name| serde_json::from_str(read(name)?).ok();
    let type_id = match encoding {
        1 => None,
        _ => Some(TypeId {
            oid: text(json, "typid")?.parse().ok()?,
            modifier: serde_json::from_str(read("typmod")?).ok()?,
        }),
    };
    Some(Column {
        attnum: number("attnum")?,
        name: text(json, "name")?,
        type_name: text(json, "type")?,
        shape: read("shape")
            .and_then(|shape| serde_json::from_str(shape).ok())
            .filter(|shape| *shape != Value::Null),
        type_id,
        contains: match read("contains") {
            Some(oids) => (serde_json::from_str::<Vec<String>>(oids).ok()?.iter())
                .map(|oid| oid.parse().ok())
                .collect::<Option<_>>()?,
            None => Vec::new(),
        },
    })
}

fn upon(json: &str) -> Option<Upon> {
    let json: Members = serde_json::from_str(json).ok()?;
    let list = |name| json.get(name).map_or("[]", |value| value.get());
    let numbers = |name| serde_json::from_str::<Vec<i16>>(list(name)).ok();
    let added: Vec<Members> = serde_json::from_str(list("added")).ok()?;
    let cell = |json: &Members| {
        let attnum = serde_json::from_str(json.get("attnum")?.get()).ok()?;
        Some((attnum, text(json, "missing")?))
    };
    Some(Upon {
        added: added.iter().map(cell).collect::<Option<_>>()?,
        computed: numbers("computed")?,
        converted: columns(list("converted"), 2)?,
    })
}

fn shapes(json: &str) -> Option<Shapes> {
    let all: BTreeMap<String, Members> = serde_json::from_str(json).ok()?;
    all.iter()
        .map(|(oid, json)| Some((oid.parse().ok()?, shape(json)?)))
        .collect()
}

fn shape(json: &Members) -> Option<Shape> {
    let read = |name| json.get(name).map(|value| value.get());
    let form = if let Some(attributes) = read("attributes") {
        Form::Attributes(columns(attributes, 2)?)
    } else if let Some(labels) = read("labels") {
        let labels: Vec<Members> = serde_json::from_str(labels).ok()?;
        let label = |json: &Members| {
            Some(Label {
                oid: text(json, "oid")?.parse().ok()?,
                text: text(json, "label")?,
            })
        };
        Form::Labels(labels.iter().map(label).collect::<Option<_>>()?)
    } else if read("send")? == "true" {
        Form::Send
    } else {
        return None;
    };
    Some(Shape {
        type_name: text(json, "type")?,
        form,
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
    /// Types that values of all of them contain, at any depth.
    pub shapes: Shapes,
    /// Which of these types values of a column contain, by its number.
    pub contains: BTreeMap<i16, BTreeSet<u32>>,
    /// Numbers of the columns whose values a dump may bring back otherwise: oids, which it numbers anew, and
    /// tsqueries, whose text does not tell all.
    pub refers: BTreeSet<i16>,
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

    const ENCODING_2: &str = r#"{"columns":[{"attnum":1,"name":"id","type":"integer","typid":"23","typmod":-1},{"attnum":3,"name":"b","type":"public.mood","typid":"16390","typmod":-1},{"attnum":4,"name":"c","type":"public.pair[]","typid":"16500","typmod":-1}],"encoding":2,"key":[5,1],"kind":"k","oid":"16999","others":[{"attnum":5,"name":"tenant","type":"text","typid":"25","typmod":-1}],"payload":"full","shapes":{"16390":{"labels":[{"label":"ok","oid":"16392"},{"label":"bad","oid":"16391"}],"type":"public.mood"},"16500":{"attributes":[{"attnum":2,"name":"a","type":"numeric(4,2)","typid":"1700","typmod":262150}],"type":"public.pair"},"16600":{"send":true,"type":"public.blob"}},"system":"7","table":"public.t","upon":{"added":[{"attnum":3,"missing":"1.50"},{"attnum":4,"missing":"null"}],"computed":[1],"converted":[{"attnum":3,"name":"b","type":"text","typid":"25","typmod":-1}]}}"#;

    #[test]
    fn a_payload_of_encoding_2_is_read() {
        let layout = Layout::read(4, 99, ENCODING_2.as_bytes()).unwrap();
        assert_eq!((layout.encoding, layout.payload_kept), (2, Some(true)));
        assert_eq!(layout.key.as_deref(), Some(&[5, 1][..]));
        let id = |oid, modifier| Some(TypeId { oid, modifier });
        assert_eq!(layout.columns[0].type_id, id(23, -1));
        let cell = |attnum, json: &str| (attnum, json.to_owned());
        assert_eq!(layout.upon.added, [cell(3, "1.50"), cell(4, "null")]);
        assert_eq!(layout.upon.computed, [1]);
        assert_eq!(layout.upon.converted[0].type_name, "text");
        assert_eq!(
            layout.column(5).map(|column| &column.name[..]),
            Some("tenant")
        );
        let form = |oid| layout.shapes.get(&oid).map(|shape| &shape.form);
        assert_eq!(layout.shapes[&16390].type_name, "public.mood");
        let Some(Form::Labels(labels)) = form(16390) else {
            panic!("no labels")
        };
        assert_eq!((labels[0].oid, &labels[1].text[..]), (16392, "bad"));
        let Some(Form::Attributes(attributes)) = form(16500) else {
            panic!("no attributes")
        };
        assert_eq!(attributes[0].type_id, id(1700, 262_150));
        assert_eq!(form(16600), Some(&Form::Send));
    }

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
        let payload = ENCODING_2;
        for part in [
            "kind", "oid", "key", "typid", "typmod", "payload", "labels", "label", "send",
        ] {
            let payload = payload.replace(&format!("\"{part}\""), "\"other\"");
            assert_eq!(
                Layout::read(1, 1, payload.as_bytes()),
                Err(MalformedLayout),
                "{part}"
            );
        }
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
