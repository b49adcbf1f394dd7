//! A program: steps drawn from a seed, and the same as a script for psql.

use std::fmt::Write;

use crate::model::features::Features;
use crate::model::picture::{Picture, Tab};
use crate::model::state::Hint;
use crate::model::{attack, ddl, dml, surroundings};
use crate::rng::Rng;

/// What a step is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Writes rows.
    Dml {
        /// Whether the difference of before and after is all that happened.
        exact: bool,
    },
    /// COPY of these lines.
    Copy(String),
    /// Empties tables: their numbers, and whether as a whole.
    Truncate(Vec<i32>, bool),
    /// Changes tables.
    Ddl(Hint),
    /// Sets something in the session.
    Setting,
    /// BEGIN.
    Begin,
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
    /// SAVEPOINT of this name.
    Savepoint(String),
    /// ROLLBACK TO.
    RollbackTo(String),
    /// RELEASE.
    Release(String),
    /// PREPARE TRANSACTION.
    Prepare(String),
    /// COMMIT PREPARED, or ROLLBACK PREPARED.
    Finish(String, bool),
    /// Changes rows behind the record's back.
    Attack,
    /// Changes entries, which is undone when the verdict is known; findings that are due.
    ChainAttack(bool),
    /// Verdict and model are compared, in the session.
    Check,
    /// Everything is dumped and restored into another database, where the program goes on.
    Restore,
}

/// One step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Which session.
    pub session: usize,
    /// What it is.
    pub kind: Kind,
    /// The statement; empty where the kind says it.
    pub sql: String,
}

/// Sessions of a program.
pub const SESSIONS: usize = 3;

/// A program.
#[derive(Clone, Debug)]
pub struct Program {
    /// What it was drawn from.
    pub seed: u64,
    /// Its steps.
    pub steps: Vec<Step>,
    /// Whether statements in transactions are guarded by savepoints, so that one that fails is tried without the audit.
    pub guarded: bool,
    /// Whether no triggers write to audited tables.
    pub exact: bool,
}

struct Open {
    picture: Picture,
    marks: Vec<String>,
}

/// What is drawn along the way.
struct Writer<'a> {
    features: &'a Features,
    rng: Rng,
    picture: Picture,
    open: [Option<Open>; SESSIONS],
    steps: Vec<Step>,
    prepared: Vec<(String, Picture)>,
    single: bool,
    restored: bool,
    names: u64,
}

/// Draws a program.
pub fn generate(seed: u64, features: &Features) -> Program {
    let mut rng = Rng::new(seed);
    let (guarded, length) = (rng.chance(60), 40 + rng.below(90));
    let mut writer = Writer {
        features,
        rng,
        picture: Picture {
            side: "app.side".to_owned(),
            ..Picture::default()
        },
        open: [None, None, None],
        steps: Vec::new(),
        prepared: Vec::new(),
        single: false,
        restored: false,
        names: 0,
    };
    for _ in 0..1 + writer
        .rng
        .below(3)
        .saturating_sub(u64::from(writer.rng.chance(40)))
    {
        let id = writer.picture.tables.len() as i32;
        let statements = writer.picture.make_table(features, &mut writer.rng);
        for sql in statements {
            let hint = if sql.contains("backfill") {
                Hint::Backfill(id)
            } else {
                Hint::None
            };
            writer.push(0, Kind::Ddl(hint), sql);
        }
    }
    // What triggers do to rows of one key that nothing tells apart does not show.
    let loose = writer.picture.tables.iter().any(|tab| tab.loose);
    let nested = features.has("nested_triggers") && writer.rng.chance(50) && !loose;
    if nested {
        for sql in surroundings::nested_triggers(&writer.picture, &mut writer.rng) {
            writer.push(0, Kind::Ddl(Hint::None), sql);
        }
    }
    if features.has("policies") && writer.rng.chance(25) {
        for sql in surroundings::policies(&writer.picture, &mut writer.rng) {
            writer.push(0, Kind::Ddl(Hint::None), sql);
        }
        let session = writer.rng.below(2) as usize;
        writer.push(session, Kind::Setting, "SET ROLE model_writer".to_owned());
    }
    for _ in 0..4 {
        writer.dml(0);
    }
    let mut session = 0;
    // In which order rows of one key are written that nothing keeps apart, several sessions leave open.
    let single = writer
        .picture
        .tables
        .iter()
        .any(|tab| tab.loose || tab.deferrable && !features.has("deferrable_key_shared"));
    writer.single = single;
    for _ in 0..length {
        if features.has("sessions") && !single && writer.rng.chance(20) {
            session = writer.rng.below(SESSIONS as u64) as usize;
        }
        writer.step(session);
    }
    for session in 0..SESSIONS {
        if writer.open[session].is_some() {
            writer.end(session);
        }
    }
    while let Some((gid, _)) = writer.prepared.pop() {
        writer.push(0, Kind::Finish(gid, true), String::new());
    }
    writer.push(0, Kind::Check, String::new());
    Program {
        seed,
        steps: writer.steps,
        guarded,
        exact: !nested,
    }
}

impl Writer<'_> {
    fn push(&mut self, session: usize, kind: Kind, sql: String) {
        self.steps.push(Step { session, kind, sql });
    }

    fn name(&mut self, prefix: &str) -> String {
        self.names += 1;
        format!("{prefix}{}", self.names)
    }

    fn dml(&mut self, session: usize) {
        let (kind, sql) = dml::statement(&self.picture, self.features, &mut self.rng);
        self.push(session, kind, sql);
    }

    fn step(&mut self, session: usize) {
        let alone = self
            .open
            .iter()
            .enumerate()
            .all(|(other, open)| other == session || open.is_none())
            && self.prepared.is_empty();
        let within = self.open[session].is_some();
        match self.rng.below(100) {
            0..=5 if self.features.has("settings") => {
                let sql = dml::setting(self.features, &mut self.rng);
                self.push(session, Kind::Setting, sql);
            }
            6..=19 if !within => {
                let level = [
                    "",
                    "",
                    " ISOLATION LEVEL REPEATABLE READ",
                    " ISOLATION LEVEL SERIALIZABLE",
                ];
                let sql = format!("BEGIN{}", level[self.rng.below(4) as usize]);
                self.open[session] = Some(Open {
                    picture: self.picture.clone(),
                    marks: Vec::new(),
                });
                self.push(session, Kind::Begin, sql);
            }
            6..=13 if within => self.end(session),
            14..=22 if within => self.mark(session),
            20..=35 if alone && (!self.restored || self.features.has("ddl_after_restore")) => {
                for (hint, sql) in ddl::statement(&mut self.picture, self.features, &mut self.rng) {
                    let kind = if sql.starts_with("UPDATE") {
                        Kind::Dml { exact: true }
                    } else {
                        Kind::Ddl(hint)
                    };
                    self.push(session, kind, sql);
                }
            }
            36..=51 if self.features.has("attacks") && alone && !within => {
                let sql = attack::statement(&self.picture, self.features, &mut self.rng);
                self.push(session, Kind::Attack, sql);
                if self.rng.chance(50) {
                    self.push(session, Kind::Check, String::new());
                }
            }
            52..=53 if self.features.has("chain_attacks") && alone && !within => {
                let (due, sql) = attack::on_chain(&self.picture, self.features, &mut self.rng);
                self.push(session, Kind::ChainAttack(due), sql);
            }
            54..=60 => self.push(session, Kind::Check, String::new()),
            61 if self.features.has("restore")
                && self.restorable()
                && alone
                && !within
                && self.rng.chance(40) =>
            {
                self.restored = true;
                self.push(session, Kind::Restore, String::new());
            }
            62..=63 if !self.prepared.is_empty() => {
                let (gid, picture) = self.prepared.remove(0);
                let commit = self.rng.chance(60);
                if !commit {
                    self.picture = picture;
                }
                self.push(session, Kind::Finish(gid, commit), String::new());
            }
            _ => self.dml(session),
        }
    }

    /// Whether a restore is known to leave everything verifiable.
    fn restorable(&self) -> bool {
        let of_domain = |tab: &Tab| tab.keys.iter().any(|col| col.kind.0.starts_with("app."));
        self.features.has("domain_keys_restored") || !self.picture.tables.iter().any(of_domain)
    }

    /// Ends a session's transaction.
    fn end(&mut self, session: usize) {
        let Some(open) = self.open[session].take() else {
            return;
        };
        match self.rng.below(10) {
            0 | 1 => {
                self.picture = open.picture;
                self.push(session, Kind::Rollback, String::new());
            }
            2 if self.features.has("two_phase") && !self.single => {
                let gid = self.name("gid");
                self.prepared.push((gid.clone(), open.picture));
                self.push(session, Kind::Prepare(gid), String::new());
            }
            _ => self.push(session, Kind::Commit, String::new()),
        }
    }

    /// Sets a savepoint, or does something with one.
    fn mark(&mut self, session: usize) {
        let fresh = self.name("s");
        let at = self.rng.next_u64();
        let Some(open) = &mut self.open[session] else {
            return;
        };
        let kind = if open.marks.is_empty() || at.is_multiple_of(2) {
            open.marks.push(fresh.clone());
            Kind::Savepoint(fresh)
        } else {
            let index = (at / 8) as usize % open.marks.len();
            let name = open.marks[index].clone();
            if (at / 2).is_multiple_of(3) {
                open.marks.truncate(index);
                Kind::Release(name)
            } else {
                open.marks.truncate(index + 1);
                Kind::RollbackTo(name)
            }
        };
        self.push(session, kind, String::new());
    }
}

impl Step {
    /// The statement as the server gets it.
    pub fn statement(&self) -> String {
        match &self.kind {
            Kind::Commit => "COMMIT".to_owned(),
            Kind::Rollback => "ROLLBACK".to_owned(),
            Kind::Savepoint(name) => format!("SAVEPOINT {name}"),
            Kind::RollbackTo(name) => format!("ROLLBACK TO SAVEPOINT {name}"),
            Kind::Release(name) => format!("RELEASE SAVEPOINT {name}"),
            Kind::Prepare(gid) => format!("PREPARE TRANSACTION '{gid}'"),
            Kind::Finish(gid, true) => format!("COMMIT PREPARED '{gid}'"),
            Kind::Finish(gid, false) => format!("ROLLBACK PREPARED '{gid}'"),
            _ => self.sql.clone(),
        }
    }
}

impl Program {
    /// The program as a script for psql. `helper` is what the model needs and the script does not.
    pub fn script(&self) -> String {
        let mut text = format!(
            "-- seed {}; statements that fail are to be passed over\nCREATE EXTENSION IF NOT EXISTS auditspine;\n{}\n",
            self.seed,
            include_str!("preamble.sql")
        );
        let mut session = 0;
        for step in &self.steps {
            if step.session != session {
                session = step.session;
                let _ = writeln!(text, "-- session {session}");
            }
            let _ = match &step.kind {
                Kind::Copy(lines) => writeln!(text, "{};\n{lines}\\.", step.sql),
                Kind::Check => writeln!(
                    text,
                    "SELECT table_name, key, finding, seq, detail FROM auditspine.audited_table AS a, verify_table_findings(a.table_name);"
                ),
                Kind::Restore => {
                    writeln!(text, "-- pg_dump into another database, and on from there")
                }
                Kind::ChainAttack(_) => writeln!(
                    text,
                    "BEGIN;\n{};\nSELECT * FROM chain_findings();\nROLLBACK;",
                    step.sql
                ),
                _ if step.sql.contains("helper.") => Ok(()),
                _ => writeln!(text, "{};", step.statement()),
            };
        }
        text
    }
}
