//! One statement sent, and what is made of it if the server refuses it.

use std::io::Write;

use postgres::{Client, Error};

use crate::model::expect::Failure;
use crate::model::program::{Kind, Step};
use crate::model::run::Runner;
use crate::server::{run, sqlstate};

/// What a query of the model's own says; where locks are in the way, nothing.
pub(super) fn unless_locked<T>(result: Result<Option<T>, Error>, what: &str) -> Result<(), Failure>
where
    Failure: From<T>,
{
    match result {
        Ok(None) => Ok(()),
        Ok(Some(failure)) => Err(failure.into()),
        Err(error) if ["55P03", "40P01", "40001"].contains(&sqlstate(&error)) => Ok(()),
        Err(error) => Err(Failure::new(
            format!("{what} fails: {}", sqlstate(&error)),
            format!("{error:?}"),
        )),
    }
}

/// What an error says.
pub(super) fn told(error: &Error) -> String {
    error.as_db_error().map_or_else(
        || error.to_string(),
        |error| {
            format!(
                "{} {} {}",
                error.code().code(),
                error.message(),
                error.detail().unwrap_or("")
            )
        },
    )
}

fn send(client: &mut Client, step: &Step) -> Result<(), Error> {
    let Kind::Copy(lines) = &step.kind else {
        return client.batch_execute(&step.sql);
    };
    let mut writer = client.copy_in(&step.sql)?;
    // A failed write shows in `finish`, with the server's reason.
    let _ = writer.write_all(lines.as_bytes());
    writer.finish().map(|_| ())
}

impl Runner<'_> {
    /// Runs a statement; false if PostgreSQL refuses it.
    pub(super) fn attempt(&mut self, at: usize, step: &Step) -> Result<bool, Failure> {
        let guarded = self.program.guarded;
        let session = &mut self.sessions[at];
        let guard = guarded && session.open.is_some();
        if guard {
            run(&mut session.client, "SAVEPOINT guard");
        }
        let drawn: (i64, bool) = session
            .client
            .query_one("SELECT last_value, is_called FROM app.rid", &[])
            .map_or((1, true), |row| (row.get(0), row.get(1)));
        let Err(error) = send(&mut session.client, step) else {
            if guard {
                run(&mut session.client, "RELEASE SAVEPOINT guard");
            }
            self.stats.statements += 1;
            return Ok(true);
        };
        self.stats.refused += 1;
        if session.client.is_closed() {
            return Err(Failure::new(
                "the server closed the connection",
                format!("{}: {error:?}", step.sql),
            ));
        }
        if matches!(step.kind, Kind::Copy(_)) {
            // The client does not find its way back from a COPY that failed.
            let fresh = self.session();
            self.sessions[at] = fresh;
            return self.excusable(step, &error).map(|()| false);
        }
        let retry = if session.open.is_none() {
            run(&mut session.client, "ROLLBACK; BEGIN");
            true
        } else if guard {
            run(&mut session.client, "ROLLBACK TO SAVEPOINT guard");
            true
        } else {
            run(&mut session.client, "ROLLBACK");
            session.open = None;
            session.marks.clear();
            false
        };
        let mut taken = false;
        if retry {
            // With the numbers that it had: triggers of the program's own depend on them.
            let again = format!(
                "SELECT helper.mute(); SELECT setval('app.rid', {}, {})",
                drawn.0, drawn.1
            );
            let muted = session.client.batch_execute(&again);
            taken = muted.is_ok() && send(&mut session.client, step).is_ok();
            // What would have been checked at the commit.
            taken &= guard
                || session
                    .client
                    .batch_execute("SET CONSTRAINTS ALL IMMEDIATE")
                    .is_ok();
            run(
                &mut session.client,
                if guard {
                    "ROLLBACK TO SAVEPOINT guard; RELEASE SAVEPOINT guard"
                } else {
                    "ROLLBACK"
                },
            );
        }
        if taken {
            self.excused(step, &error)?;
        } else {
            self.excusable(step, &error)?;
        }
        Ok(false)
    }

    /// Without the audit the statement was taken.
    pub(super) fn excused(&self, step: &Step, error: &Error) -> Result<(), Failure> {
        let text = told(error);
        // 27000: what triggers of the program's own touch depends on numbers that are drawn anew.
        let known = text.contains("append-only")
            || ["40001", "40P01", "55P03", "27000", "25P02"].contains(&sqlstate(error));
        if known {
            return Ok(());
        }
        Err(Failure::new(
            format!("refused: {}", sqlstate(error)),
            format!("{}: {text}", step.statement()),
        ))
    }

    /// An error that may be PostgreSQL's own.
    pub(super) fn excusable(&self, step: &Step, error: &Error) -> Result<(), Failure> {
        let file = error
            .as_db_error()
            .and_then(|error| error.file())
            .unwrap_or("");
        let ours = file.ends_with(".rs") && !told(error).contains("append-only");
        if sqlstate(error).starts_with("XX")
            || sqlstate(error) == "08000"
            || ours && step.kind == Kind::Commit
        {
            return Err(Failure::new(
                format!("error {}", sqlstate(error)),
                format!("{}: {} ({file})", step.statement(), told(error)),
            ));
        }
        Ok(())
    }
}
