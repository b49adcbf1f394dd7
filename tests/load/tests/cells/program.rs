//! A program: steps that are taken on the table and its twin, and what must be found after each.

use std::collections::{BTreeMap, BTreeSet};

use auditspine_load::rng::Rng;
use auditspine_load::server::scalar;
use postgres::Client;

use super::model::{Cell, Column, Model, Row, Type};

/// What programs came to.
#[derive(Clone, Debug, Default)]
pub struct Totals {
    pub programs: u64,
    pub statements: u64,
    pub verifications: u64,
    pub attacks: u64,
    /// Rows whose attack was to be told, each time.
    pub proved: u64,
    pub unverifiable: u64,
    pub unwatched: u64,
}

impl Totals {
    pub fn add(&mut self, other: &Totals) {
        self.programs += 1;
        self.statements += other.statements;
        self.verifications += other.verifications;
        self.attacks += other.attacks;
        self.proved += other.proved;
        self.unverifiable += other.unverifiable;
        self.unwatched += other.unwatched;
    }
}

pub struct Program<'a> {
    table: String,
    rng: Rng,
    client: &'a mut Client,
    model: Model,
    kept: bool,
    step: u64,
    next_id: i32,
    log: Vec<String>,
    pub totals: Totals,
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

impl<'a> Program<'a> {
    pub fn new(seed: u64, rng: Rng, client: &'a mut Client) -> Program<'a> {
        let mut program = Program {
            table: format!("t{seed}"),
            rng,
            client,
            model: Model::default(),
            kept: false,
            step: 1,
            next_id: 1,
            log: Vec::new(),
            totals: Totals::default(),
        };
        program.begin();
        program
    }

    pub fn table(&self) -> &str {
        &self.table
    }

    fn begin(&mut self) {
        self.kept = self.rng.chance(50);
        let table = self.table.clone();
        let mut columns = String::new();
        for name in &NAMES[..2] {
            let of_type = self.any(&Type::FIRST);
            columns += &format!(", {name} {}", of_type.name());
            self.model.columns.push(column(name, of_type, 0));
        }
        for name in [&table, &format!("{table}_twin")] {
            self.sql(&format!(
                "CREATE TABLE {name} (id integer PRIMARY KEY{columns})"
            ));
        }
        self.attach();
        for _ in 0..6 {
            self.insert();
        }
    }

    pub fn run(&mut self, steps: u32) {
        for _ in 0..steps {
            self.step += 10;
            match self.rng.below(20) {
                0 | 1 => self.insert(),
                2 | 3 => self.update(),
                4 => self.delete(),
                5..=9 => self.attack(),
                10 | 11 => self.add_column(),
                12 => self.drop_column(),
                13 => self.rename(),
                14 | 15 => self.convert(),
                16 => self.compute(),
                17 | 18 => self.exclude(),
                _ => self.rewrite(),
            }
            self.step += 10;
            self.verify();
        }
    }

    fn any<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.rng.below(of.len() as u64) as usize].clone()
    }

    fn sql(&mut self, statement: &str) {
        self.log.push(statement.to_owned());
        self.totals.statements += 1;
        let done = self.client.batch_execute(statement);
        if let Err(error) = done {
            self.fail(&format!("{error:?}"));
        }
    }

    /// On the table and on its twin.
    fn both(&mut self, statement: &str) {
        let table = self.table.clone();
        self.sql(&statement.replace("{t}", &table));
        self.sql(&statement.replace("{t}", &format!("{table}_twin")));
    }

    /// What the trigger does not see.
    fn unseen(&mut self, statement: &str) {
        let table = &self.table;
        let statement = format!(
            "BEGIN; ALTER TABLE {table} DISABLE TRIGGER auditspine_audit; {statement}; \
             ALTER TABLE {table} ENABLE ALWAYS TRIGGER auditspine_audit; COMMIT"
        );
        self.sql(&statement);
    }

    fn fail(&self, why: &str) -> ! {
        panic!(
            "{}: {why}\n{}\n{:#?}",
            self.table,
            self.log.join(";\n"),
            self.model
        )
    }

    fn row(&mut self) -> Option<i32> {
        let ids: Vec<i32> = self.model.rows.keys().copied().collect();
        (!ids.is_empty()).then(|| self.any(&ids))
    }

    /// The row is recorded as it is: the twin takes it over.
    fn recorded(&mut self, id: i32) {
        let table = &self.table;
        let statement = format!(
            "DELETE FROM {table}_twin WHERE id = {id}; INSERT INTO {table}_twin SELECT * FROM {table} WHERE id = {id}"
        );
        self.sql(&statement);
        let row = Row {
            recorded: self.step,
            kept: self.kept,
            touched: 0,
        };
        self.model.rows.insert(id, row);
    }

    fn column(&mut self) -> Option<usize> {
        let present: Vec<usize> = (0..self.model.columns.len())
            .filter(|at| self.model.columns[*at].dropped.is_none())
            .collect();
        (!present.is_empty()).then(|| self.any(&present))
    }

    fn value(&mut self, of_type: Type) -> String {
        if self.rng.chance(10) {
            return "NULL".to_owned();
        }
        of_type.value(self.rng.next_u64() >> 8)
    }

    fn attach(&mut self) {
        let out: Vec<String> = self
            .model
            .present()
            .filter(|column| !column.is_hashed())
            .map(|column| column.name.clone())
            .collect();
        let statement = format!(
            "SELECT audit_attach('{}', kind => '{}', payload => '{}', exclude => '{{{}}}')",
            self.table,
            self.table,
            if self.kept { "full" } else { "hash" },
            out.join(",")
        );
        self.sql(&statement);
    }

    fn insert(&mut self) {
        let id = self.next_id;
        self.next_id += 1;
        let columns: Vec<(String, Type)> = self
            .model
            .present()
            .map(|column| (column.name.clone(), column.of_type))
            .collect();
        let mut names = vec!["id".to_owned()];
        let mut values = vec![id.to_string()];
        for (name, of_type) in columns {
            names.push(name);
            values.push(self.value(of_type));
        }
        let statement = format!(
            "INSERT INTO {} ({}) VALUES ({})",
            self.table,
            names.join(", "),
            values.join(", ")
        );
        self.sql(&statement);
        self.recorded(id);
    }

    fn update(&mut self) {
        let (Some(id), Some(at)) = (self.row(), self.column()) else {
            return;
        };
        let Column { name, of_type, .. } = self.model.columns[at].clone();
        let value = self.value(of_type);
        let statement = format!("UPDATE {} SET {name} = {value} WHERE id = {id}", self.table);
        self.sql(&statement);
        self.recorded(id);
    }

    fn delete(&mut self) {
        let Some(id) = self.row() else { return };
        self.both(&format!("DELETE FROM {{t}} WHERE id = {id}"));
        self.model.rows.remove(&id);
    }

    fn attack(&mut self) {
        let (Some(id), Some(at)) = (self.row(), self.column()) else {
            return;
        };
        let Column { name, of_type, .. } = self.model.columns[at].clone();
        let value = self.value(of_type);
        let statement = format!("UPDATE {} SET {name} = {value} WHERE id = {id}", self.table);
        self.unseen(&statement);
        self.totals.attacks += 1;
        let step = self.step;
        if let Some(row) = self.model.rows.get_mut(&id) {
            row.touched = step;
        }
    }

    fn free_name(&mut self) -> Option<&'static str> {
        let free: Vec<&'static str> = NAMES
            .into_iter()
            .filter(|name| self.model.present().all(|column| column.name != *name))
            .collect();
        (!free.is_empty()).then(|| self.any(&free))
    }

    fn add_column(&mut self) {
        let Some(name) = self.free_name() else { return };
        let of_type = self.any(&Type::FIRST);
        let mut added = column(name, of_type, self.step);
        let table = self.table.clone();
        match self.rng.below(3) {
            0 => self.both(&format!(
                "ALTER TABLE {{t}} ADD COLUMN {name} {}",
                of_type.name()
            )),
            1 => {
                let value = of_type.value(self.rng.next_u64() >> 8);
                self.both(&format!(
                    "ALTER TABLE {{t}} ADD COLUMN {name} {} DEFAULT {value}",
                    of_type.name()
                ));
            }
            _ => {
                added.of_type = Type::Text;
                added.default_is_known = false;
                // Each row gets a value of its own.
                self.both(&format!(
                    "ALTER TABLE {{t}} ADD COLUMN {name} text DEFAULT gen_random_uuid()::text"
                ));
                self.sql(&format!(
                    "UPDATE {table}_twin AS twin SET {name} = t.{name} FROM {table} AS t WHERE t.id = twin.id"
                ));
                self.model.rewritten = self.step;
            }
        }
        self.model.columns.push(added);
    }

    fn drop_column(&mut self) {
        let Some(at) = self.column() else { return };
        let name = self.model.columns[at].name.clone();
        let query = format!("SELECT id FROM {} WHERE {name} IS NULL", self.table);
        let nulls = self.client.query(&query, &[]).unwrap();
        let attacked = self.attacked();
        let attacked = attacked
            .iter()
            .filter(|(_, columns)| columns.contains(&name));
        let attacked = attacked.map(|(id, _)| *id).collect();
        self.both(&format!("ALTER TABLE {{t}} DROP COLUMN {name}"));
        let step = self.step;
        let column = &mut self.model.columns[at];
        column.nulls = nulls.iter().map(|row| row.get(0)).collect();
        column.attacked = attacked;
        column.dropped = Some(step);
    }

    fn rename(&mut self) {
        let (Some(at), Some(name)) = (self.column(), self.free_name()) else {
            return;
        };
        let old = self.model.columns[at].name.clone();
        self.both(&format!("ALTER TABLE {{t}} RENAME {old} TO {name}"));
        self.model.columns[at].name = name.to_owned();
    }

    fn convert(&mut self) {
        let Some(at) = self.column() else { return };
        let Column { name, of_type, .. } = self.model.columns[at].clone();
        let (to, known) = self.any(of_type.conversions());
        // A default may have no such value.
        self.both(&format!(
            "ALTER TABLE {{t}} ALTER COLUMN {name} DROP DEFAULT; ALTER TABLE {{t}} ALTER COLUMN {name} TYPE {}",
            to.name()
        ));
        self.converted(at, to, known);
    }

    fn compute(&mut self) {
        let Some(at) = self.column() else { return };
        let Column { name, of_type, .. } = self.model.columns[at].clone();
        let value = of_type.value(self.rng.next_u64() >> 8);
        self.both(&format!(
            "ALTER TABLE {{t}} ALTER COLUMN {name} TYPE {} USING CASE WHEN id % 2 = 0 THEN {name} ELSE {value} END",
            of_type.name()
        ));
        self.converted(at, of_type, false);
    }

    fn converted(&mut self, at: usize, to: Type, known: bool) {
        let step = self.step;
        // A longer varchar is not written anew, nor is one that becomes a text.
        let in_place = matches!(
            (self.model.columns[at].of_type, to),
            (Type::Varchar, Type::Text) | (Type::Scaled, Type::Numeric)
        );
        if !in_place || !known {
            self.model.rewritten = step;
        }
        let column = &mut self.model.columns[at];
        column.of_type = to;
        if !known {
            column.doubts.push(step);
        }
    }

    fn exclude(&mut self) {
        let step = self.step;
        if self.rng.chance(20) {
            self.kept = !self.kept;
        } else {
            let Some(at) = self.column() else { return };
            let column = &mut self.model.columns[at];
            match column
                .out
                .last_mut()
                .filter(|(_, until)| *until == u64::MAX)
            {
                Some((_, until)) => *until = step,
                None => column.out.push((step, u64::MAX)),
            }
        }
        self.attach();
    }

    fn rewrite(&mut self) {
        let table = self.table.clone();
        match self.rng.below(2) {
            0 => self.sql(&format!("VACUUM FULL {table}")),
            _ => self.sql(&format!("CLUSTER {table} USING {table}_pkey")),
        }
        self.model.rewritten = self.step;
    }

    /// Ids of rows that differ from the twin's, by column.
    fn attacked(&mut self) -> BTreeMap<i32, BTreeSet<String>> {
        let mut attacked: BTreeMap<i32, BTreeSet<String>> = BTreeMap::new();
        let names: Vec<String> = self
            .model
            .present()
            .map(|column| column.name.clone())
            .collect();
        for name in names {
            let query = format!(
                "SELECT t.id FROM {0} AS t JOIN {0}_twin AS twin USING (id) \
                 WHERE t.{name}::text IS DISTINCT FROM twin.{name}::text",
                self.table
            );
            for row in self.client.query(&query, &[]).unwrap() {
                attacked.entry(row.get(0)).or_default().insert(name.clone());
            }
        }
        attacked
    }

    fn verify(&mut self) {
        self.totals.verifications += 1;
        let attacked = self.attacked();
        let query = format!(
            "SELECT finding, key::integer, detail FROM verify_table_findings('{}')",
            self.table
        );
        let findings = match self.client.query(&query, &[]) {
            Ok(findings) => findings,
            Err(error) => self.fail(&format!("{error:?}")),
        };
        let (mut edited, mut unverifiable) = (BTreeSet::new(), BTreeSet::new());
        for row in &findings {
            let (finding, key): (&str, Option<i32>) = (row.get(0), row.get(1));
            match (finding, key) {
                ("row_edited", Some(id)) => {
                    edited.insert(id);
                }
                ("row_unverifiable", Some(id)) => {
                    unverifiable.insert(id);
                }
                ("column_unwatched", None) => {}
                _ => self.fail(&format!("{finding} of {key:?}: {}", row.get::<_, &str>(2))),
            }
        }
        let mut partly = 0;
        for (id, row) in &self.model.rows {
            let cells: Vec<(&Column, Cell)> = self
                .model
                .present()
                .map(|column| (column, self.model.cell(row, column)))
                .collect();
            let differing = attacked.get(id);
            let is_attacked = |column: &Column| {
                differing.is_some_and(|differing| differing.contains(&column.name))
            };
            let told = edited.contains(id);
            let by_hash = self.model.hash_proves(*id, row);
            let before = self.model.attacked_before(*id, row);
            let proved = before && by_hash
                || cells.iter().any(|(column, cell)| {
                    is_attacked(column)
                        && match cell {
                            Cell::Filled => true,
                            Cell::Recorded => row.kept || by_hash,
                            _ => false,
                        }
                });
            let has_unwatched = cells.iter().any(|(_, cell)| *cell == Cell::Unwatched);
            let is_there = cells.iter().any(|(column, cell)| {
                is_attacked(column) && !matches!(cell, Cell::LeftOut | Cell::Doubtful)
            });
            let has_attacked = before || cells.iter().any(|(column, _)| is_attacked(column));
            self.totals.proved += u64::from(proved);
            if proved && !told {
                self.fail(&format!("row {id} was attacked, and is not told of"));
            }
            if !has_attacked && told {
                self.fail(&format!("row {id} was not attacked, and is told of"));
            }
            let in_doubt = unverifiable.contains(id);
            // What went with its column is nothing that is called verified. And a cell that a command has computed
            // anew may have been given back what was recorded.
            if is_there && !told && !in_doubt && !has_unwatched {
                self.fail(&format!("row {id} was attacked, and counts as verified"));
            }
            if !has_attacked && in_doubt && self.model.hash_is_exact(*id, row) {
                self.fail(&format!(
                    "row {id} can be verified, and counts as unverifiable"
                ));
            }
            partly += u64::from(has_unwatched && !told && !in_doubt);
        }
        self.totals.unverifiable += unverifiable.len() as u64;
        self.totals.unwatched += partly;
        let counted: i64 = scalar(
            self.client,
            &format!("SELECT unverifiable FROM verify_table('{}')", self.table),
        );
        if counted as u64 != unverifiable.len() as u64 + partly {
            self.fail(&format!(
                "{counted} rows count as unverifiable; {} are, and {partly} have cells that nothing vouches for",
                unverifiable.len()
            ));
        }
    }
}

fn column(name: &str, of_type: Type, added: u64) -> Column {
    Column {
        name: name.to_owned(),
        of_type,
        added,
        default_is_known: true,
        doubts: Vec::new(),
        out: Vec::new(),
        dropped: None,
        nulls: BTreeSet::new(),
        attacked: BTreeSet::new(),
    }
}
