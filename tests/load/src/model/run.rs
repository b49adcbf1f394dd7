//! Programs run.

use std::collections::BTreeMap;
use std::rc::Rc;

use postgres::Client;

use crate::model::attempt::{told, unless_locked};
use crate::model::effects::effects;
use crate::model::expect::{Failure, Stats};
use crate::model::features::Features;
use crate::model::observe::{self, Look, Rows};
use crate::model::program::{Kind, Program, SESSIONS, Step};
use crate::model::state::{Effect, Hint, State};
use crate::server::{Server, run, sqlstate};

/// The database that every program begins with.
pub const TEMPLATE: &str = "model_template";

/// Makes [`TEMPLATE`], and the role that programs use.
///
/// # Panics
/// If the server refuses.
pub fn prepare(server: &Server) {
    let mut admin = server.database("postgres").connect();
    run(
        &mut admin,
        "DO $$ BEGIN CREATE ROLE model_writer; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
    );
    let template = server.fresh_database(TEMPLATE);
    template.run(include_str!("preamble.sql"));
    template.run(include_str!("helpers.sql"));
}

/// Removes what [`prepare`] made.
///
/// # Panics
/// If the server refuses.
pub fn clean_up(server: &Server) {
    let mut admin = server.database("postgres").connect();
    for statement in [
        "DROP DATABASE IF EXISTS model_one WITH (FORCE)",
        "DROP DATABASE IF EXISTS model_two WITH (FORCE)",
        "DROP DATABASE IF EXISTS model_template WITH (FORCE)",
        "DROP ROLE IF EXISTS model_writer",
    ] {
        run(&mut admin, statement);
    }
}

pub(super) struct Session {
    pub(super) client: Client,
    /// What its transaction did; none outside of one.
    pub(super) open: Option<Vec<Effect>>,
    /// Whether it sees what others have committed since it began.
    pub(super) old_snapshot: bool,
    pub(super) marks: Vec<(String, usize)>,
}

pub(super) struct Runner<'a> {
    pub(super) server: &'a Server,
    pub(super) features: &'a Features,
    pub(super) program: &'a Program,
    pub(super) database: &'static str,
    pub(super) sessions: Vec<Session>,
    pub(super) committed: State,
    pub(super) prepared: BTreeMap<String, Vec<Effect>>,
    pub(super) stats: &'a mut Stats,
}

/// Runs a program in a database of its own.
///
/// # Errors
/// Where verdict and model differ.
pub fn execute(
    server: &Server,
    program: &Program,
    features: &Features,
    stats: &mut Stats,
) -> Result<(), Failure> {
    let mut admin = server.database("postgres").connect();
    run(&mut admin, "DROP DATABASE IF EXISTS model_one WITH (FORCE)");
    run(
        &mut admin,
        &format!("CREATE DATABASE model_one TEMPLATE {TEMPLATE}"),
    );
    let mut runner = Runner {
        server,
        features,
        program,
        database: "model_one",
        sessions: Vec::new(),
        committed: State::new(features.clone()),
        prepared: BTreeMap::new(),
        stats,
    };
    runner.connect();
    let done = runner.all();
    for gid in std::mem::take(&mut runner.prepared).into_keys() {
        runner.sessions.truncate(1);
        let session = &mut runner.sessions[0];
        // It was not the program's to be left; a failure here shows when the database is dropped.
        let _ = session.client.batch_execute("ROLLBACK");
        let _ = session
            .client
            .batch_execute(&format!("ROLLBACK PREPARED '{gid}'"));
    }
    runner.stats.programs += 1;
    done
}

impl Runner<'_> {
    pub(super) fn connect(&mut self) {
        self.sessions.clear();
        for _ in 0..SESSIONS {
            let session = self.session();
            self.sessions.push(session);
        }
    }

    pub(super) fn session(&self) -> Session {
        let mut client = self.server.database(self.database).connect();
        run(
            &mut client,
            "SET lock_timeout = '40ms'; SET client_min_messages = error; SET jit = off",
        );
        Session {
            client,
            open: None,
            old_snapshot: false,
            marks: Vec::new(),
        }
    }

    pub(super) fn all(&mut self) -> Result<(), Failure> {
        let program = self.program;
        for step in &program.steps {
            self.step(step)?;
        }
        // Whatever is still open does not count.
        self.end_all();
        self.check(0, true)
    }

    pub(super) fn end_all(&mut self) {
        for session in &mut self.sessions {
            if session.open.take().is_some() {
                // The connection may be in a failed transaction or in none.
                let _ = session.client.batch_execute("ROLLBACK");
            }
        }
    }

    pub(super) fn state(&self, session: usize) -> State {
        match &self.sessions[session].open {
            Some(effects) => self.committed.after(effects),
            None => self.committed.clone(),
        }
    }

    pub(super) fn look(&mut self, session: usize) -> Result<Look, Failure> {
        observe::look(&mut self.sessions[session].client).map_err(|error| {
            Failure::new(
                format!("the model cannot look: {}", sqlstate(&error)),
                told(&error),
            )
        })
    }

    pub(super) fn rows(&mut self, session: usize) -> Result<Rows, Failure> {
        observe::rows(&mut self.sessions[session].client).map_err(|error| {
            Failure::new(
                format!("the model cannot look: {}", sqlstate(&error)),
                told(&error),
            )
        })
    }

    pub(super) fn book(&mut self, session: usize, effects: Vec<Effect>) {
        match &mut self.sessions[session].open {
            Some(open) => open.extend(effects),
            None => effects
                .iter()
                .for_each(|effect| self.committed.apply(effect)),
        }
    }

    pub(super) fn step(&mut self, step: &Step) -> Result<(), Failure> {
        let at = step.session;
        let looks = matches!(
            step.kind,
            Kind::Attack
                | Kind::Check
                | Kind::Dml { .. }
                | Kind::Copy(_)
                | Kind::Truncate(..)
                | Kind::Ddl(_)
        );
        let mut before = Rows::new();
        if looks {
            match observe::rows(&mut self.sessions[at].client) {
                Ok(rows) => before = rows,
                Err(error) => {
                    // A table that another session has changed and not committed can be neither read nor written.
                    let session = &mut self.sessions[at];
                    run(&mut session.client, "ROLLBACK");
                    session.open = None;
                    session.marks.clear();
                    return unless_locked::<Failure>(Err(error), "a look");
                }
            }
        }
        match &step.kind {
            Kind::Check => self.check(at, false),
            Kind::Restore => self.restore(),
            Kind::ChainAttack(due) => self.chain_attack(step, *due),
            Kind::Setting => self.attempt(at, step).map(|_| ()),
            Kind::Attack => {
                if self.sessions[at].open.is_some() {
                    return Ok(());
                }
                let session = &mut self.sessions[at];
                run(
                    &mut session.client,
                    "RESET ROLE; RESET search_path; SET session_replication_role = origin; RESET row_security",
                );
                let _ = session.client.batch_execute(&step.sql);
                self.stats.attacks += u64::from(self.rows(at)? != before);
                Ok(())
            }
            Kind::Dml { .. } | Kind::Copy(_) | Kind::Truncate(..) => {
                if !self.attempt(at, step)? {
                    return Ok(());
                }
                let after = self.rows(at)?;
                let truncated = match step.kind {
                    Kind::Truncate(ref ids, whole) => Some((ids.clone(), whole)),
                    _ => None,
                };
                let sure = !matches!(step.kind, Kind::Dml { exact: false });
                let done = effects(&self.state(at), &before, &after, truncated.as_ref(), sure);
                self.book(at, done);
                Ok(())
            }
            Kind::Ddl(hint) => {
                // Its rows must be seen as they are, and types are not locked.
                let busy = self.sessions.iter().any(|session| session.open.is_some())
                    || !self.prepared.is_empty();
                if self.sessions[at].open.is_some() && self.sessions[at].old_snapshot
                    || busy && step.sql.starts_with("ALTER TYPE")
                {
                    return Ok(());
                }
                let before = self.look(at)?;
                if !self.attempt(at, step)? {
                    return Ok(());
                }
                let after = self.look(at)?;
                let hint = match hint {
                    Hint::Retypes(id) => computed_anew(*id, &after, &step.sql),
                    other => *other,
                };
                self.book(at, vec![Effect::Ddl(Rc::new((before, after)), hint)]);
                Ok(())
            }
            _ => self.control(step),
        }
    }

    /// Beginnings and ends.
    pub(super) fn control(&mut self, step: &Step) -> Result<(), Failure> {
        let session = &mut self.sessions[step.session];
        if (step.kind == Kind::Begin) == session.open.is_some()
            && !matches!(step.kind, Kind::Finish(..))
        {
            return Ok(());
        }
        if matches!(step.kind, Kind::Finish(..)) && session.open.is_some() {
            return Ok(());
        }
        if let Err(error) = session.client.batch_execute(&step.statement()) {
            self.stats.refused += 1;
            session.open = None;
            session.marks.clear();
            // Some of these leave a failed transaction, others none.
            let _ = session.client.batch_execute("ROLLBACK");
            return self.excusable(step, &error);
        }
        match &step.kind {
            Kind::Begin => {
                session.open = Some(Vec::new());
                session.old_snapshot = step.sql.contains("ISOLATION");
            }
            Kind::Commit | Kind::Rollback | Kind::Prepare(_) => {
                let effects = session.open.take().unwrap_or_default();
                session.marks.clear();
                match &step.kind {
                    Kind::Commit => effects
                        .iter()
                        .for_each(|effect| self.committed.apply(effect)),
                    Kind::Prepare(gid) => drop(self.prepared.insert(gid.clone(), effects)),
                    _ => (),
                }
            }
            Kind::Finish(gid, commit) => {
                let effects = self.prepared.remove(gid).unwrap_or_default();
                if *commit {
                    effects
                        .iter()
                        .for_each(|effect| self.committed.apply(effect));
                }
            }
            Kind::Savepoint(name) => {
                let length = session.open.as_ref().map_or(0, Vec::len);
                session.marks.push((name.clone(), length));
            }
            Kind::RollbackTo(name) => {
                if let Some(place) = session.marks.iter().rposition(|(mark, _)| mark == name) {
                    let length = session.marks[place].1;
                    session.marks.truncate(place + 1);
                    if let Some(open) = &mut session.open {
                        open.truncate(length);
                    }
                }
            }
            Kind::Release(name) => {
                if let Some(place) = session.marks.iter().rposition(|(mark, _)| mark == name) {
                    session.marks.truncate(place);
                }
            }
            _ => (),
        }
        self.stats.statements += 1;
        Ok(())
    }
}

/// The column of a table that a statement retypes by an expression, if it does.
fn computed_anew(id: i32, look: &Look, sql: &str) -> Hint {
    let column = look.subjects.get(&id).and_then(|subject| {
        subject.columns.iter().find(|column| {
            let quoted = column.name.replace('"', "\"\"");
            let alters = |name: &str| sql.contains(&format!("ALTER COLUMN {name} TYPE"));
            alters(&column.name) || alters(&format!("\"{quoted}\""))
        })
    });
    match column.filter(|_| sql.contains(" USING ")) {
        Some(column) => Hint::ComputesAnew(column.number),
        None => Hint::None,
    }
}
