//! One client: a connection, and the memory of what its transactions did to table `item`.

use std::collections::BTreeMap;
use std::io::Write;

use postgres::{Client, Error, Statement};

use crate::ledger::{Change, Ledger, Outcome};
use crate::rng::Rng;
use crate::server::{Database, sqlstate};

/// Keys below this are for all clients; each client has its own range above.
pub const SHARED_KEYS: i64 = 1000;

/// The three isolation levels that PostgreSQL tells apart.
pub const ISOLATION_LEVELS: [&str; 3] = ["read committed", "repeatable read", "serializable"];

/// A row of `item` that this client made and that still is there.
#[derive(Clone, Debug)]
struct Row {
    v: i32,
    note: String,
}

/// What a rollback to a savepoint goes back to.
type Mark = (usize, BTreeMap<i64, Row>);

/// One client.
pub struct Session {
    /// The choices of this client.
    pub rng: Rng,
    /// What it did.
    pub ledger: Ledger,
    id: i64,
    conn: Client,
    insert: Statement,
    rows: BTreeMap<i64, Row>,
    pending: Vec<Change>,
    marks: Vec<Mark>,
    last_key: i64,
    last_version: i32,
    statements: u64,
}

impl Session {
    /// Connects client number `id`, which is also the seed of its choices. Each has other settings
    /// of the kind that must not change a hash.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub fn open(database: &Database, id: i64, isolation: &str) -> Result<Session, Error> {
        let mut conn = database.try_connect()?;
        let zone = ["UTC", "Asia/Tokyo", "America/St_Johns"][id as usize % 3];
        let style = ["ISO, DMY", "SQL, MDY", "German, DMY"][id as usize % 3];
        conn.batch_execute(&format!(
            "SET default_transaction_isolation = '{isolation}'; SET enable_seqscan = off;
             SET TimeZone = '{zone}'; SET DateStyle = '{style}'"
        ))?;
        let insert = conn.prepare("INSERT INTO item (k, v, note) VALUES ($1, $2, $3)")?;
        Ok(Session {
            rng: Rng::new(id as u64),
            ledger: Ledger::default(),
            id,
            conn,
            insert,
            rows: BTreeMap::new(),
            pending: Vec::new(),
            marks: Vec::new(),
            last_key: (id + 1) * 1_000_000,
            last_version: 0,
            statements: 0,
        })
    }

    /// Connects again after the connection was lost, and leaves the rows of before alone.
    ///
    /// # Errors
    /// If the server cannot be reached.
    pub fn reopen(&mut self, database: &Database, isolation: &str) -> Result<(), Error> {
        let fresh = Session::open(database, self.id, isolation)?;
        (self.conn, self.insert) = (fresh.conn, fresh.insert);
        self.rows.clear();
        Ok(())
    }

    /// True after the connection was lost.
    pub fn is_closed(&self) -> bool {
        self.conn.is_closed()
    }

    /// Runs `body` in a transaction that ends with COMMIT, or with ROLLBACK if `body` returns
    /// [`Outcome::Aborted`], and books what became of it.
    pub fn transaction(
        &mut self,
        body: impl FnOnce(&mut Session) -> Result<Outcome, Error>,
    ) -> Outcome {
        self.marks.push((0, self.rows.clone()));
        let done = self.conn.batch_execute("BEGIN").and_then(|()| body(self));
        let (outcome, error) = match done {
            Ok(Outcome::Committed) => match self.conn.batch_execute("COMMIT") {
                Ok(()) => (Outcome::Committed, None),
                Err(error) => (end_of_failed_commit(&error), Some(error)),
            },
            Ok(_) => match self.conn.batch_execute("ROLLBACK") {
                Ok(()) => (Outcome::Aborted, None),
                Err(error) => (Outcome::Aborted, Some(error)),
            },
            Err(error) => {
                if !self.conn.is_closed() {
                    // A lost connection shows at the next statement as well.
                    let _ = self.conn.batch_execute("ROLLBACK");
                }
                (Outcome::Aborted, Some(error))
            }
        };
        self.book(outcome, error)
    }

    /// Inserts one row in a transaction of its own, without BEGIN.
    pub fn insert_alone(&mut self) -> Outcome {
        self.marks.push((0, self.rows.clone()));
        match self.insert() {
            Ok(()) => self.book(Outcome::Committed, None),
            Err(error) => self.book(end_of_failed_commit(&error), Some(error)),
        }
    }

    fn book(&mut self, outcome: Outcome, error: Option<Error>) -> Outcome {
        let changes = std::mem::take(&mut self.pending);
        let before = self.marks.drain(..).next();
        if let (true, Some((_, rows))) = (outcome != Outcome::Committed, before) {
            self.rows = rows;
        }
        match error {
            None => self.ledger.end(outcome, changes),
            Some(error) => {
                if sqlstate(&error).starts_with("XX") {
                    println!("client {}: {error:?}", self.id);
                }
                self.ledger.fail(sqlstate(&error), outcome, changes);
            }
        }
        outcome
    }

    /// A key of this client's own that no row has had.
    pub fn new_key(&mut self) -> i64 {
        self.last_key += 1;
        self.last_key
    }

    /// `count` of this client's rows, or as many as there are.
    pub fn own_keys(&mut self, count: usize) -> Vec<i64> {
        let skip = self.rng.below(self.rows.len() as u64 + 1) as usize;
        self.rows
            .keys()
            .cycle()
            .skip(skip)
            .take(count.min(self.rows.len()))
            .copied()
            .collect()
    }

    /// Text for a new statement; holds what canonical JSON and COPY have to escape.
    fn note(&mut self) -> String {
        self.statements += 1;
        format!("c{} s{} \"é\\", self.id, self.statements)
    }

    fn version(&mut self) -> i32 {
        self.last_version += 1;
        self.last_version
    }

    fn wrote(&mut self, op: char, k: i64, v: i32, note: &str) {
        self.pending.push(Change {
            op,
            k,
            v,
            note: note.to_owned(),
        });
        if op == 'D' {
            self.rows.remove(&k);
        } else if k >= SHARED_KEYS {
            self.rows.insert(
                k,
                Row {
                    v,
                    note: note.to_owned(),
                },
            );
        }
    }

    /// INSERT of one new row.
    ///
    /// # Errors
    /// Those of the statement, here and below.
    pub fn insert(&mut self) -> Result<(), Error> {
        let (k, v, note) = (self.new_key(), self.version(), self.note());
        let insert = self.insert.clone();
        // Booked before it runs: when the connection breaks it may have been committed.
        self.wrote('I', k, v, &note);
        self.conn.execute(&insert, &[&k, &v, &note])?;
        Ok(())
    }

    /// INSERT of `count` new rows by one statement.
    pub fn insert_many(&mut self, count: usize) -> Result<(), Error> {
        let (keys, v, note) = (self.new_keys(count), self.version(), self.note());
        self.conn.execute(
            "INSERT INTO item (k, v, note) SELECT k, $2, $3 FROM unnest($1::bigint[]) k",
            &[&keys, &v, &note],
        )?;
        keys.iter().for_each(|k| self.wrote('I', *k, v, &note));
        Ok(())
    }

    /// COPY of `count` new rows.
    pub fn copy(&mut self, count: usize) -> Result<(), Error> {
        let (keys, v, note) = (self.new_keys(count), self.version(), self.note());
        let mut writer = self
            .conn
            .copy_in("COPY item (k, v, note) FROM STDIN (FORMAT csv)")?;
        let mut text = String::new();
        for k in &keys {
            text.push_str(&format!("{k},{v},\"{}\"\n", note.replace('"', "\"\"")));
        }
        // A failed write shows in `finish`, with the server's reason.
        let _ = writer.write_all(text.as_bytes());
        writer.finish()?;
        keys.iter().for_each(|k| self.wrote('I', *k, v, &note));
        Ok(())
    }

    /// UPDATE of these rows of its own by one statement.
    pub fn update(&mut self, keys: &[i64]) -> Result<(), Error> {
        let (v, note) = (self.version(), self.note());
        self.conn.execute(
            "UPDATE item SET v = $2, note = $3 WHERE k = ANY ($1)",
            &[&keys, &v, &note],
        )?;
        keys.iter().for_each(|k| self.wrote('U', *k, v, &note));
        Ok(())
    }

    /// DELETE of these rows of its own by one statement.
    pub fn delete(&mut self, keys: &[i64]) -> Result<(), Error> {
        self.conn
            .execute("DELETE FROM item WHERE k = ANY ($1)", &[&keys])?;
        for k in keys {
            if let Some(Row { v, note }) = self.rows.get(k).cloned() {
                self.wrote('D', *k, v, &note);
            }
        }
        Ok(())
    }

    /// UPDATE that gives a row of its own another key: recorded as a deletion and an insertion.
    pub fn rekey(&mut self, old: i64) -> Result<(), Error> {
        let (new, v, note) = (self.new_key(), self.version(), self.note());
        self.conn.execute(
            "UPDATE item SET k = $2, v = $3, note = $4 WHERE k = $1",
            &[&old, &new, &v, &note],
        )?;
        if let Some(row) = self.rows.get(&old).cloned() {
            self.wrote('D', old, row.v, &row.note);
        }
        self.wrote('I', new, v, &note);
        Ok(())
    }

    /// Reads a row of its own that was there before this session, and writes it back changed.
    pub fn read_modify_write(&mut self, k: i64) -> Result<(), Error> {
        let note = self.note();
        let v: i32 = self
            .conn
            .query_one("SELECT v FROM item WHERE k = $1", &[&k])?
            .get(0);
        self.conn.execute(
            "UPDATE item SET v = $2, note = $3 WHERE k = $1",
            &[&k, &(v + 1), &note],
        )?;
        self.wrote('U', k, v + 1, &note);
        Ok(())
    }

    /// Inserts a row that all clients share, or changes it where it is there already.
    pub fn upsert_shared(&mut self, k: i64) -> Result<(), Error> {
        let note = self.note();
        let row = self.conn.query_one(
            "INSERT INTO item AS i (k, v, note) VALUES ($1, 1, $2)
             ON CONFLICT (k) DO UPDATE SET v = i.v + 1, note = excluded.note RETURNING v",
            &[&k, &note],
        )?;
        let v: i32 = row.get(0);
        self.wrote(if v == 1 { 'I' } else { 'U' }, k, v, &note);
        Ok(())
    }

    /// Changes a row that all clients share, where it is there.
    pub fn update_shared(&mut self, k: i64) -> Result<(), Error> {
        let note = self.note();
        let changed = self.conn.query_opt(
            "UPDATE item SET v = v + 1, note = $2 WHERE k = $1 RETURNING v",
            &[&k, &note],
        )?;
        if let Some(row) = changed {
            self.wrote('U', k, row.get(0), &note);
        }
        Ok(())
    }

    /// An INSERT that a PL/pgSQL exception block undoes, and one by its handler.
    pub fn insert_in_handler(&mut self) -> Result<(), Error> {
        let (lost, kept) = (self.new_key(), self.new_key());
        let (v, note) = (self.version(), self.note());
        self.conn.batch_execute(&format!(
            "DO $do$ BEGIN
                 INSERT INTO item (k, v, note) VALUES ({lost}, {v}, '{note}');
                 RAISE division_by_zero;
             EXCEPTION WHEN division_by_zero THEN
                 INSERT INTO item (k, v, note) VALUES ({kept}, {v}, '{note}');
             END $do$"
        ))?;
        self.wrote('I', kept, v, &note);
        Ok(())
    }

    /// An INSERT that fails on the primary key; to be followed by a rollback to a savepoint.
    ///
    /// # Panics
    /// If it does not fail.
    pub fn insert_duplicate(&mut self, k: i64) -> Result<(), Error> {
        let insert = self.insert.clone();
        match self.conn.execute(&insert, &[&k, &0, &"duplicate"]) {
            Err(error) if sqlstate(&error) == "23505" => Ok(()),
            Err(error) => Err(error),
            Ok(_) => panic!("a second row with key {k} was accepted"),
        }
    }

    /// Writes the entries of the transaction so far.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.conn.batch_execute("SELECT audit_flush()")
    }

    /// SAVEPOINT.
    pub fn savepoint(&mut self) -> Result<(), Error> {
        self.marks.push((self.pending.len(), self.rows.clone()));
        self.conn
            .batch_execute(&format!("SAVEPOINT s{}", self.marks.len()))
    }

    /// RELEASE of the innermost savepoint.
    pub fn release(&mut self) -> Result<(), Error> {
        let name = format!("RELEASE SAVEPOINT s{}", self.marks.len());
        self.marks.pop();
        self.conn.batch_execute(&name)
    }

    /// ROLLBACK TO the innermost savepoint, which stays.
    pub fn rollback_to(&mut self) -> Result<(), Error> {
        let name = format!("ROLLBACK TO SAVEPOINT s{}", self.marks.len());
        if let Some((changes, rows)) = self.marks.last().cloned() {
            self.pending.truncate(changes);
            self.rows = rows;
        }
        self.conn.batch_execute(&name)
    }

    fn new_keys(&mut self, count: usize) -> Vec<i64> {
        (0..count).map(|_| self.new_key()).collect()
    }
}

/// What a failed COMMIT tells: an error rolls back, a lost connection or a server going down leaves
/// the end open.
fn end_of_failed_commit(error: &Error) -> Outcome {
    match sqlstate(error) {
        "08000" | "57P01" | "57P02" => Outcome::Unknown,
        _ => Outcome::Aborted,
    }
}
