//! A program of several sessions that change rows of `item`.

use auditspine_load::rng::Rng;
use auditspine_load::server::{Database, run};
use postgres::Client;

use super::{KEYS, SESSIONS};

/// One client with keys of its own, so that nobody waits for a row.
struct Session {
    client: Client,
    number: u64,
    open: bool,
    savepoints: u32,
}

/// What the program does, apart from its sessions.
pub struct Program {
    sessions: Vec<Session>,
    prepared: Vec<String>,
    named: u32,
    pub rng: Rng,
}

impl Session {
    fn statement(&mut self, rng: &mut Rng) {
        let key = self.number * KEYS + 1 + rng.below(KEYS);
        let other = self.number * KEYS + 1 + rng.below(KEYS);
        let tenant = rng.below(3);
        let statement = match rng.below(10) {
            0..=3 => format!(
                "INSERT INTO item VALUES ({key}, 't{tenant}', 0) ON CONFLICT (id) DO UPDATE SET v = item.v + 1"
            ),
            4..=5 => format!("UPDATE item SET v = v + 1 WHERE id = {key}"),
            6 => format!("DELETE FROM item WHERE id = {key}"),
            7 => format!(
                "UPDATE item SET id = {other} WHERE id = {key} AND NOT EXISTS (SELECT FROM item WHERE id = {other})"
            ),
            8 => format!("UPDATE item SET tenant = 't{tenant}' WHERE id = {key}"),
            _ => "SELECT audit_flush()".to_owned(),
        };
        run(&mut self.client, &statement);
    }

    fn step(&mut self, rng: &mut Rng, prepared: &mut Vec<String>, named: &mut u32) {
        if !self.open {
            if rng.chance(40) {
                run(&mut self.client, "BEGIN");
                self.open = true;
                self.savepoints = 0;
            }
            return self.statement(rng);
        }
        match rng.below(12) {
            0 => {
                self.savepoints += 1;
                run(&mut self.client, &format!("SAVEPOINT s{}", self.savepoints));
            }
            1 if self.savepoints > 0 => {
                let to = 1 + rng.below(u64::from(self.savepoints)) as u32;
                run(&mut self.client, &format!("ROLLBACK TO s{to}"));
                self.savepoints = to;
            }
            2 if self.savepoints > 0 => {
                run(&mut self.client, &format!("RELEASE s{}", self.savepoints));
                self.savepoints -= 1;
            }
            3 | 4 => {
                run(&mut self.client, "COMMIT");
                self.open = false;
            }
            5 => {
                run(&mut self.client, "ROLLBACK");
                self.open = false;
            }
            // Its rows stay locked, so only one of a session's own.
            6 if !prepared
                .iter()
                .any(|name| name.starts_with(&format!("p{}_", self.number))) =>
            {
                *named += 1;
                let name = format!("p{}_{named}", self.number);
                run(&mut self.client, &format!("PREPARE TRANSACTION '{name}'"));
                prepared.push(name);
                self.open = false;
                // Its keys are for others to leave alone until it is over.
                self.number += SESSIONS;
            }
            _ => self.statement(rng),
        }
    }
}

impl Program {
    fn end_prepared(&mut self, admin: &mut Client) {
        let at = self.rng.below(self.prepared.len() as u64) as usize;
        let name = self.prepared.swap_remove(at);
        let how = if self.rng.chance(70) {
            "COMMIT"
        } else {
            "ROLLBACK"
        };
        run(admin, &format!("{how} PREPARED '{name}'"));
        let number: u64 = name[1..]
            .split('_')
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a number");
        for session in &mut self.sessions {
            if session.number == number + SESSIONS {
                session.number = number;
            }
        }
    }

    /// One step of a session or of an administrator.
    pub fn step(&mut self, admin: &mut Client) {
        let Program {
            sessions,
            prepared,
            named,
            rng,
        } = self;
        let at = rng.below(SESSIONS) as usize;
        // A session whose transaction is prepared waits for its end.
        if sessions[at].number < SESSIONS {
            sessions[at].step(rng, prepared, named);
        }
        if !self.prepared.is_empty() && self.rng.chance(4) {
            self.end_prepared(admin);
        }
        if self.rng.chance(5) {
            run(admin, "SELECT index_history()");
        }
        if self.rng.chance(1) {
            run(admin, "SELECT index_history(rebuild => true)");
        }
    }

    /// Ends every transaction.
    pub fn finish(&mut self, admin: &mut Client) {
        for session in &mut self.sessions {
            if session.open {
                run(&mut session.client, "COMMIT");
            }
        }
        while !self.prepared.is_empty() {
            self.end_prepared(admin);
        }
    }
}

/// A program of [`SESSIONS`] sessions.
pub fn begin(database: &Database, seed: u64) -> Program {
    let sessions = (0..SESSIONS).map(|number| Session {
        client: database.connect(),
        number,
        open: false,
        savepoints: 0,
    });
    Program {
        sessions: sessions.collect(),
        prepared: Vec::new(),
        named: 0,
        rng: Rng::new(seed),
    }
}
