//! What is in the tables, read as text.

use std::collections::{BTreeMap, BTreeSet};

use postgres::{Client, Error};

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its number in `pg_attribute`.
    pub number: i16,
    /// Its name.
    pub name: String,
    /// Oid of its type and the type's modifier: stay as they are when the type is renamed.
    pub stable: String,
    /// The type as it is written.
    pub type_name: String,
}

/// A table of the program.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its oid.
    pub oid: u32,
    /// Kind of its events; none if it is not audited.
    pub kind: Option<String>,
    /// Columns of the key.
    pub key: Vec<i16>,
    /// Columns that name the chain.
    pub chain_by: Vec<i16>,
    /// Whether payloads are kept.
    pub full: bool,
    /// Whether an UPDATE that changes nothing leaves no entry.
    pub skip: bool,
    /// Columns that are not recorded.
    pub excluded: BTreeSet<i16>,
    /// Whether no two rows can have one key.
    pub distinct: bool,
    /// All columns.
    pub columns: Vec<Column>,
    /// Oids of the partitions that hold rows.
    pub leaves: String,
}

/// One row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Relation, place and transaction: no two versions of rows share one.
    pub place: String,
    /// What tells rows apart whatever becomes of their keys.
    pub rid: i64,
    /// Texts of the cells, in the order of the columns.
    pub cells: Vec<Option<String>>,
}

/// Rows of each table.
pub type Rows = BTreeMap<i32, Vec<Row>>;
/// The tables.
pub type Subjects = BTreeMap<i32, Subject>;

/// Tables and rows at one moment.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// The tables.
    pub subjects: Subjects,
    /// Their rows.
    pub rows: Rows,
}

/// Reads tables and rows.
///
/// # Errors
/// Those of the queries; here and below.
pub fn look(client: &mut Client) -> Result<Look, Error> {
    Ok(Look {
        subjects: subjects(client)?,
        rows: rows(client)?,
    })
}

/// Reads the tables.
pub fn subjects(client: &mut Client) -> Result<Subjects, Error> {
    let mut all = Subjects::new();
    for row in client.query("SELECT * FROM helper.subjects()", &[])? {
        let numbers: Vec<i16> = row.get("numbers");
        let names: Vec<String> = row.get("names");
        let types: Vec<String> = row.get("types");
        let number = |name: &String| {
            let at = names.iter().position(|other| other == name);
            at.map(|at| numbers[at])
        };
        let listed = |column: &str| -> Vec<i16> {
            let listed: Option<Vec<String>> = row.get(column);
            listed
                .unwrap_or_default()
                .iter()
                .filter_map(number)
                .collect()
        };
        let columns = numbers
            .iter()
            .zip(&names)
            .zip(&types)
            .map(|((number, name), told)| {
                let mut words = told.splitn(3, ' ');
                let (oid, modifier) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
                Column {
                    number: *number,
                    name: name.clone(),
                    stable: format!("{oid} {modifier}"),
                    type_name: words.next().unwrap_or("").to_owned(),
                }
            });
        let subject = Subject {
            oid: row.get("rel"),
            kind: row.get("kind"),
            key: listed("pk"),
            chain_by: listed("chain_by"),
            full: row.get::<_, Option<&str>>("payload") == Some("full"),
            skip: row.get::<_, Option<bool>>("skip") == Some(true),
            excluded: listed("exclude").into_iter().collect(),
            distinct: row.get("distinct_keys"),
            columns: columns.collect(),
            leaves: row.get::<_, Option<String>>("leaves").unwrap_or_default(),
        };
        all.insert(row.get("id"), subject);
    }
    Ok(all)
}

/// Reads the rows.
pub fn rows(client: &mut Client) -> Result<Rows, Error> {
    let mut all = Rows::new();
    let found = client.query("SELECT * FROM helper.all_rows()", &[])?;
    for row in found {
        all.entry(row.get(0)).or_default().push(Row {
            place: row.get(1),
            rid: row.get::<_, Option<i64>>(2).unwrap_or_default(),
            cells: row.get(3),
        });
    }
    Ok(all)
}

impl Subject {
    /// Place of a column in a row's cells.
    fn at(&self, number: i16) -> Option<usize> {
        self.columns
            .iter()
            .position(|column| column.number == number)
    }

    /// Texts of some cells; none if one of them is null.
    fn texts<'a>(&self, row: &'a Row, numbers: &[i16]) -> Option<Vec<&'a str>> {
        numbers
            .iter()
            .map(|number| row.cells.get(self.at(*number)?)?.as_deref())
            .collect()
    }

    /// The key as entries name it; none without a key, or if a column of it is null.
    pub fn key_of(&self, row: &Row) -> Option<String> {
        let texts = self.texts(row, &self.key)?;
        match texts[..] {
            [] => None,
            [text] => Some(text.to_owned()),
            _ => Some(format!(
                "[{}]",
                texts
                    .iter()
                    .map(|text| json_string(text))
                    .collect::<Vec<_>>()
                    .join(",")
            )),
        }
    }

    /// The name of the chain as far as the row decides it.
    pub fn chain_of(&self, row: &Row) -> Option<String> {
        Some(self.texts(row, &self.chain_by)?.join("\u{1}"))
    }

    /// The recorded cells of a row, with their columns.
    pub fn recorded<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = (i16, &'a Option<String>)> {
        let cells = self.columns.iter().zip(&row.cells);
        cells
            .filter(|(column, _)| !self.excluded.contains(&column.number))
            .map(|(column, cell)| (column.number, cell))
    }
}

fn json_string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
