//! The tables as the one who writes a program sees them. Nothing depends on the picture being right: a statement
//! that does not fit fails.

use crate::model::features::Features;
use crate::model::types::{self, KEY_TYPES, Labels, TYPES, Type, pick};
use crate::rng::Rng;

/// A column that is no key.
#[derive(Clone, Debug)]
pub struct Col {
    /// Its name, quoted where needed.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Computed from others, so that it cannot be written.
    pub generated: bool,
}

/// A partition.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its qualified name.
    pub name: String,
    /// `FOR VALUES …`.
    pub bounds: String,
    /// Whether it belongs to the table now.
    pub attached: bool,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Tab {
    /// Its number.
    pub id: i32,
    /// Its qualified name.
    pub name: String,
    /// Columns of the key.
    pub keys: Vec<Col>,
    /// The others.
    pub cols: Vec<Col>,
    /// Its partitions; those of the first level can be detached.
    pub parts: Vec<Part>,
    /// Whether two rows can have one key until the end of the transaction.
    pub deferrable: bool,
    /// Whether two rows can have one key.
    pub loose: bool,
    /// Whether an upsert can name the key.
    pub upsert: bool,
    /// Whether names of rows may read otherwise than they were written.
    pub keys_retyped: bool,
    /// Name of the primary key.
    pub constraint: Option<String>,
    /// The call that audits it.
    pub options: String,
    /// The table that it inherits from.
    pub parent: Option<i32>,
    /// Numbers of names that were used.
    pub names: u64,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The tables.
    pub tables: Vec<Tab>,
    /// Labels of the enumerations.
    pub labels: Labels,
    /// Name of the table that `regclass` values point to.
    pub side: String,
}

impl Tab {
    /// A new name for a column: short ones come back.
    pub fn fresh(&mut self, rng: &mut Rng) -> String {
        let name = format!("c{}", rng.below(9));
        if self.cols.iter().all(|col| col.name != name) {
            return name;
        }
        self.names += 1;
        format!("\"Col \"\"{}\"", self.names)
    }

    /// Columns that can be written.
    pub fn writable(&self) -> Vec<&Col> {
        self.cols.iter().filter(|col| !col.generated).collect()
    }

    /// Names of the key's columns.
    pub fn key_list(&self) -> String {
        self.keys
            .iter()
            .map(|col| &col.name[..])
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A type for a column.
pub fn column_type(features: &Features, rng: &mut Rng) -> Type {
    loop {
        let kind = *pick(TYPES, rng);
        if features.has("json") || !kind.0.starts_with("json") {
            return kind;
        }
    }
}

/// A value for a column, null in one of eight.
pub fn cell(col: &Col, picture: &Picture, features: &Features, rng: &mut Rng) -> Option<String> {
    (!rng.chance(12)).then(|| types::value(&col.kind, &picture.labels, features, rng))
}

impl Picture {
    /// Draws a table, and the statements that make and audit it.
    pub fn make_table(&mut self, features: &Features, rng: &mut Rng) -> Vec<String> {
        let id = self.tables.len() as i32;
        let name = [
            format!("public.t{id}"),
            format!("\"Other schema\".\"T {id}\""),
        ][usize::from(rng.chance(20))]
        .clone();
        let mut script = Vec::new();
        let partitioned = features.has("partitions") && rng.chance(40);
        let mut keys: Vec<Col> = (0..1 + rng.below(3).saturating_sub(u64::from(rng.chance(50))))
            .map(|at| Col {
                name: format!("k{at}"),
                kind: *pick(KEY_TYPES, rng),
                generated: false,
            })
            .collect();
        if partitioned {
            keys[0].kind = KEY_TYPES[0];
        }
        let mut tab = Tab {
            id,
            name: name.clone(),
            keys,
            cols: Vec::new(),
            parts: Vec::new(),
            deferrable: false,
            loose: false,
            keys_retyped: false,
            upsert: true,
            constraint: None,
            options: String::new(),
            parent: None,
            names: 0,
        };
        for _ in 0..1 + rng.below(7) {
            let col = Col {
                name: tab.fresh(rng),
                kind: column_type(features, rng),
                generated: false,
            };
            tab.cols.push(col);
        }
        let no_primary = features.has("no_primary_key") && rng.chance(15);
        let identity = !partitioned && rng.chance(10);
        let mut columns: Vec<String> = tab
            .keys
            .iter()
            .map(|col| format!("{} {} NOT NULL", col.name, col.kind.0))
            .collect();
        if identity && tab.keys[0].kind.0 == "integer" {
            columns[0] = "k0 integer GENERATED BY DEFAULT AS IDENTITY".to_owned();
        }
        for col in &tab.cols {
            let default = if rng.chance(15) {
                format!(
                    " DEFAULT {}",
                    types::literal(&Some(types::value(&col.kind, &self.labels, features, rng)))
                )
            } else {
                String::new()
            };
            columns.push(format!("{} {}{default}", col.name, col.kind.0));
        }
        if rng.chance(20) {
            columns.push(
                "g integer GENERATED ALWAYS AS (length(coalesce(note, '')) * 2) STORED".to_owned(),
            );
            tab.cols.push(Col {
                name: "g".to_owned(),
                kind: TYPES[0],
                generated: true,
            });
        }
        let at = rng.below(columns.len() as u64 + 1) as usize;
        columns.insert(
            at,
            "rid bigint NOT NULL DEFAULT nextval('app.rid')".to_owned(),
        );
        columns.insert(
            rng.below(columns.len() as u64 + 1) as usize,
            "note text".to_owned(),
        );
        tab.cols.push(Col {
            name: "note".to_owned(),
            kind: ("text", &["n#", "", "~n"]),
            generated: false,
        });
        let deferrable = features.has("deferrable_key") && !partitioned && rng.chance(30);
        if no_primary {
            tab.upsert = false;
        } else {
            let constraint = format!("key{id}");
            let when = if deferrable {
                " DEFERRABLE INITIALLY DEFERRED"
            } else {
                ""
            };
            columns.push(format!(
                "CONSTRAINT {constraint} PRIMARY KEY ({}){when}",
                tab.key_list()
            ));
            tab.constraint = Some(constraint);
            (tab.upsert, tab.deferrable) = (!deferrable, deferrable);
        }
        let (by, parts) = if partitioned {
            partitions(&tab, rng)
        } else {
            (String::new(), Vec::new())
        };
        script.push(format!("CREATE TABLE {name} ({}){by}", columns.join(", ")));
        for (part, statements) in parts {
            script.extend(statements);
            tab.parts.push(part);
        }
        tab.loose = no_primary && rng.chance(40);
        if no_primary && !tab.loose {
            script.push(format!(
                "CREATE UNIQUE INDEX ON {name} ({})",
                tab.key_list()
            ));
        }
        script.push(format!(
            "INSERT INTO helper.subject VALUES ({id}, '{}')",
            name.replace('\'', "''")
        ));
        let mut options = vec![format!("kind => 'kind{id}'")];
        if no_primary {
            let names: Vec<&str> = tab.keys.iter().map(|col| &col.name[..]).collect();
            options.push(format!("pk => '{{{}}}'", names.join(",")));
        }
        if rng.chance(50) {
            options.push("payload => 'full'".to_owned());
        }
        if rng.chance(25) {
            options.push("skip_unchanged => true".to_owned());
        }
        if rng.chance(20) {
            let col = &pick(&tab.cols, rng).name;
            options.push(format!(
                "exclude => ARRAY['{}']",
                col.trim_matches('"').replace("\"\"", "\"")
            ));
        }
        if features.has("chain_by") && rng.chance(25) {
            if let Some(note) = tab
                .cols
                .iter_mut()
                .find(|col| col.name == "note" && !features.has("empty_tenant"))
            {
                note.kind = ("text", &["n#"]);
            }
            options.push("chain_by => '{note}'".to_owned());
        }
        if rng.chance(5) {
            options.push("append_only => true".to_owned());
        }
        tab.options = format!("SELECT audit_attach('{name}', {})", options.join(", "));
        let heir = features.has("inherits") && !partitioned && rng.chance(25);
        let early = !identity && rng.chance(15);
        if early {
            // Rows from before the audit begins.
            script.push(format!("INSERT INTO {name} (note) VALUES ('early')"));
            let values = tab.keys.iter().map(|col| {
                types::literal(&Some(types::value(&col.kind, &self.labels, features, rng)))
            });
            let values: Vec<String> = values.collect();
            script.push(format!(
                "INSERT INTO {name} ({}) VALUES ({})",
                tab.key_list(),
                values.join(", ")
            ));
        }
        match early && rng.chance(50) {
            true => script.push(
                tab.options
                    .replacen(", kind", ", backfill => true, kind", 1),
            ),
            false => script.push(tab.options.clone()),
        }
        if early && rng.chance(60) {
            script.push(format!("CALL audit_backfill('{name}')"));
        }
        let below = heir.then(|| tab.clone());
        self.tables.push(tab);
        script.extend(below.into_iter().flat_map(|tab| self.make_heir(tab)));
        script
    }

    /// A table that inherits from another, audited under a kind of its own.
    fn make_heir(&mut self, parent: Tab) -> Vec<String> {
        let id = self.tables.len() as i32;
        let name = format!("public.heir{id}");
        let constraint = format!("key{id}");
        let script = vec![
            format!(
                "CREATE TABLE {name} (CONSTRAINT {constraint} PRIMARY KEY ({})) INHERITS ({})",
                parent.key_list(),
                parent.name
            ),
            format!("INSERT INTO helper.subject VALUES ({id}, '{name}')"),
            format!("SELECT audit_attach('{name}', kind => 'kind{id}')"),
        ];
        self.tables.push(Tab {
            id,
            options: script[2].clone(),
            constraint: Some(constraint),
            upsert: true,
            parent: Some(parent.id),
            name,
            ..parent
        });
        script
    }

    /// What was done to the columns of a table was done to those that inherit from it.
    pub fn pass_on(&mut self, at: usize) {
        let parent = self.tables[at].clone();
        for tab in self
            .tables
            .iter_mut()
            .filter(|tab| tab.parent == Some(parent.id))
        {
            tab.cols.clone_from(&parent.cols);
            tab.keys.clone_from(&parent.keys);
        }
    }
}

/// The partitions of a table: what stands behind it, and each with the statements that make it.
fn partitions(tab: &Tab, rng: &mut Rng) -> (String, Vec<(Part, Vec<String>)>) {
    let base = format!("public.part{}", tab.id);
    let whole = &tab.name;
    let part = |at: usize, bounds: &str| Part {
        name: format!("{base}_{at}"),
        bounds: bounds.to_owned(),
        attached: true,
    };
    let (by, all): (&str, Vec<Part>) = match rng.below(3) {
        0 => (
            "RANGE (k0)",
            vec![
                part(0, "FOR VALUES FROM (MINVALUE) TO (5)"),
                part(1, "FOR VALUES FROM (5) TO (11)"),
                part(2, "FOR VALUES FROM (11) TO (MAXVALUE)"),
            ],
        ),
        1 => (
            "LIST (k0)",
            vec![
                part(0, "FOR VALUES IN (0, 1, 2, 3, 4, 5)"),
                part(1, "DEFAULT"),
            ],
        ),
        _ => (
            "HASH (k0)",
            vec![
                part(0, "FOR VALUES WITH (MODULUS 2, REMAINDER 0)"),
                part(1, "FOR VALUES WITH (MODULUS 2, REMAINDER 1)"),
            ],
        ),
    };
    let deep = rng.chance(30).then(|| rng.below(all.len() as u64) as usize);
    let made = all.into_iter().enumerate().map(|(at, part)| {
        let mut statements = Vec::new();
        let create = format!(
            "CREATE TABLE {} PARTITION OF {whole} {}",
            part.name, part.bounds
        );
        if deep == Some(at) {
            statements.push(format!("{create} PARTITION BY LIST (k0)"));
            statements.push(format!(
                "CREATE TABLE {0}_low PARTITION OF {0} FOR VALUES IN (0, 2, 6, 12)",
                part.name
            ));
            statements.push(format!(
                "CREATE TABLE {0}_rest PARTITION OF {0} DEFAULT",
                part.name
            ));
        } else {
            statements.push(create);
        }
        (part, statements)
    });
    (format!(" PARTITION BY {by}"), made.collect())
}
