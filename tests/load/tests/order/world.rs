//! Tables with random keys, options and triggers.

use std::fmt::Write;

use auditspine_load::rng::Rng;

/// How a key of the table is kept unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// At any time.
    Primary,
    /// The same, in partitions.
    Partitioned,
    /// By the end of each statement, unless constraints are deferred.
    Deferrable,
    /// By the end of the transaction.
    Deferred,
    /// By the end of each statement, and of two columns that are no primary key.
    Pair,
}

impl Key {
    /// Whether two rows may have one key for a while.
    pub fn is_shared(self) -> bool {
        matches!(self, Key::Deferrable | Key::Deferred | Key::Pair)
    }
}

/// Tables and triggers, the same for some transactions.
pub struct World {
    pub key: Key,
    /// Whether versions are stamped, and rows kept.
    pub stamped: bool,
    /// Whether functions flush now and then: then an entry may come too late for its place.
    pub flushes: bool,
    /// Whether the buffer is so small that single statements fill it: the same may happen.
    pub bulk: bool,
    /// Whether a column names the chain, so that most changes move a row from one chain to another.
    pub chains: bool,
    pub script: String,
}

/// Keys are below this, mostly.
pub const KEYS: u64 = 7;

/// One of these.
pub fn one_of<'a>(rng: &mut Rng, all: &[&'a str]) -> &'a str {
    all[rng.below(all.len() as u64) as usize]
}

impl World {
    /// A world; its `script` makes it.
    pub fn new(rng: &mut Rng) -> World {
        let key = [
            Key::Primary,
            Key::Primary,
            Key::Primary,
            Key::Partitioned,
            Key::Deferrable,
            Key::Deferred,
            Key::Pair,
        ][rng.below(7) as usize];
        let mut world = World {
            key,
            stamped: rng.chance(70),
            flushes: rng.chance(15),
            bulk: rng.chance(12),
            chains: rng.chance(20),
            script: String::new(),
        };
        world.tables(rng);
        world.functions(rng);
        for number in 0..rng.below(5) {
            world.trigger(rng, number);
        }
        if rng.chance(30) {
            world.truncate_trigger(rng);
        }
        world
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.script, "{text};");
    }

    fn tables(&mut self, rng: &mut Rng) {
        let key = match self.key {
            Key::Primary | Key::Partitioned => "PRIMARY KEY (id)",
            Key::Deferrable => "PRIMARY KEY (id) DEFERRABLE",
            Key::Deferred => "PRIMARY KEY (id) DEFERRABLE INITIALLY DEFERRED",
            Key::Pair => "UNIQUE (g, id) DEFERRABLE",
        };
        let by = match self.key {
            Key::Partitioned => "PARTITION BY RANGE (id)",
            _ => "",
        };
        self.line("CREATE SEQUENCE stamps");
        // Deferred triggers fire each other without end otherwise.
        self.line("CREATE SEQUENCE budget");
        self.line(&format!(
            "CREATE TABLE t (id integer NOT NULL, g integer NOT NULL DEFAULT 1, a integer, stamp bigint, {key}) {by}"
        ));
        if self.key == Key::Partitioned {
            self.line("CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (MINVALUE) TO (4)");
            self.line("CREATE TABLE t_high PARTITION OF t FOR VALUES FROM (4) TO (MAXVALUE)");
        }
        if !self.key.is_shared() {
            let update = one_of(rng, &["CASCADE", "SET NULL"]);
            let delete = one_of(rng, &["CASCADE", "SET NULL"]);
            let deferrable = one_of(rng, &["", "DEFERRABLE INITIALLY DEFERRED"]);
            self.line(&format!(
                "CREATE TABLE c (id integer PRIMARY KEY, of integer REFERENCES t ON UPDATE {update} ON DELETE {delete} {deferrable}, stamp bigint)"
            ));
            if rng.chance(30) {
                self.line("ALTER TABLE t ADD COLUMN up integer REFERENCES t ON UPDATE CASCADE ON DELETE SET NULL");
            }
        } else {
            self.line("CREATE TABLE c (id integer PRIMARY KEY, of integer, stamp bigint)");
        }
        let mut options = String::new();
        if self.stamped {
            options += ", payload => 'full'";
        } else if rng.chance(50) {
            options += ", skip_unchanged => true";
        }
        if self.key == Key::Pair {
            options += ", pk => '{g,id}'";
        }
        if self.chains {
            options += ", chain_by => '{a}'";
        }
        self.line(&format!("SELECT audit_attach('t'{options})"));
        self.line("SELECT audit_attach('c', payload => 'full')");
        if self.stamped {
            self.line(
                "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.stamp := nextval('stamps'); RETURN NEW; END $$",
            );
            for table in ["t", "c"] {
                // No trigger of a program sorts behind it.
                self.line(&format!(
                    "CREATE TRIGGER zzz_stamp BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION stamp()"
                ));
            }
        }
    }

    /// A change, as a function makes it; `x` is an SQL expression of the key that it is about.
    fn change(&self, rng: &mut Rng, x: &str, in_trigger: bool) -> String {
        let x = match rng.below(4) {
            0 => format!("({x} + 1) % {KEYS}"),
            1 => rng.below(KEYS).to_string(),
            _ => x.to_owned(),
        };
        let to = match rng.below(3) {
            0 => format!("({x} + 1) % {KEYS}"),
            _ => rng.below(KEYS).to_string(),
        };
        let free = if self.key.is_shared() && rng.chance(40) {
            String::new()
        } else {
            format!(" AND NOT EXISTS (SELECT FROM t WHERE id = {to})")
        };
        let insert = format!(
            "INSERT INTO t (id, a) SELECT {x}, {} WHERE NOT EXISTS (SELECT FROM t WHERE id = {x})",
            rng.below(100)
        );
        let change = match rng.below(12) {
            0..=3 => format!(
                "UPDATE t SET a = coalesce(a, 0) + {} WHERE id = {x}",
                rng.below(2)
            ),
            4 | 5 => format!("DELETE FROM t WHERE id = {x}"),
            6 | 7 => insert,
            8 => format!("UPDATE t SET id = {to} WHERE id = {x}{free}"),
            9 => format!("DELETE FROM t WHERE id = {x}; {insert}"),
            10 => "INSERT INTO c VALUES ((SELECT count(*) FROM c) + 1, (SELECT min(id) FROM t)) ON CONFLICT DO NOTHING".to_owned(),
            _ => format!("UPDATE t SET a = a + 1 WHERE id <> {x}"),
        };
        if self.flushes && rng.chance(20) {
            return format!("{change}; PERFORM audit_flush()");
        }
        match rng.below(12) {
            0 => format!(
                "BEGIN {change}; RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN NULL; END"
            ),
            1 => format!("BEGIN {change}; EXCEPTION WHEN OTHERS THEN NULL; END"),
            // Elsewhere than in a trigger this links what is pending, as a flush does.
            2 if in_trigger => {
                format!("{change}; PERFORM audit_chain_append('note', {x}::text, '{{}}')")
            }
            _ => change,
        }
    }

    fn functions(&mut self, rng: &mut Rng) {
        let change = self.change(rng, "k", false);
        self.line(&format!(
            "CREATE FUNCTION f(k integer) RETURNS integer VOLATILE LANGUAGE plpgsql AS $$ BEGIN IF nextval('budget') < 60 THEN {change}; END IF; RETURN k; END $$"
        ));
    }

    fn trigger(&mut self, rng: &mut Rng, number: u64) {
        let name = format!("{}{number}", one_of(rng, &["a_", "a_", "z_"]));
        let (statement, before) = (rng.chance(15), rng.chance(40));
        let constraint = !statement && !before && rng.chance(25);
        let when = one_of(
            rng,
            &[
                "INSERT",
                "UPDATE",
                "DELETE",
                "INSERT OR UPDATE",
                "INSERT OR UPDATE OR DELETE",
            ],
        );
        let k = if statement { "3" } else { "k" };
        let change = self.change(rng, k, true);
        let depth = 1 + rng.below(3);
        let odds = one_of(rng, &["true", "k % 2 = 0", "k IN (1, 2, 3)"]);
        let odds = if statement { "true" } else { odds };
        let (k, answer) = if statement {
            ("3", "NULL")
        } else {
            (
                "CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END",
                "CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END",
            )
        };
        let answer = if before && rng.chance(5) {
            "NULL"
        } else {
            answer
        };
        self.line(&format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
             DECLARE k integer := {k};
             BEGIN IF pg_trigger_depth() <= {depth} AND {odds} AND nextval('budget') < 60 THEN {change}; END IF; {} END $$",
            if answer == "NULL" {
                "RETURN NULL;"
            } else {
                "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;"
            }
        ));
        let (kind, timing, deferrable) = match (constraint, before) {
            (true, _) => (
                "CONSTRAINT TRIGGER",
                "AFTER",
                "DEFERRABLE INITIALLY DEFERRED",
            ),
            (false, true) => ("TRIGGER", "BEFORE", ""),
            (false, false) => ("TRIGGER", "AFTER", ""),
        };
        let level = if statement { "STATEMENT" } else { "ROW" };
        let table = one_of(rng, &["t", "t", "t", "t", "c"]);
        self.line(&format!(
            "CREATE {kind} {name} {timing} {when} ON {table} {deferrable} FOR EACH {level} EXECUTE FUNCTION {name}()"
        ));
    }

    fn truncate_trigger(&mut self, rng: &mut Rng) {
        let (name, timing) = (
            one_of(rng, &["a_seed", "z_seed"]),
            one_of(rng, &["BEFORE", "AFTER"]),
        );
        let change = one_of(
            rng,
            &[
                "INSERT INTO t (id, a) VALUES (1, 1), (5, 5)",
                "INSERT INTO t (id, a) VALUES (2, 1); UPDATE t SET a = 2 WHERE id = 2",
                "INSERT INTO t (id, a) VALUES (3, 1), (4, 4); DELETE FROM t WHERE id = 3",
            ],
        );
        // Ahead of the TRUNCATE keys may be taken.
        self.line(&format!(
            "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN IF TG_WHEN = 'BEFORE' THEN DELETE FROM t; END IF; {change}; RETURN NULL; END $$;
             CREATE TRIGGER {name} {timing} TRUNCATE ON t FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
        ));
    }
}
