//! Verdict and model compared: as things stand, after an attack on entries, after a restore.

use std::io::Write;
use std::process::{Command, Stdio};

use postgres::Client;

use crate::model::attempt::{told, unless_locked};
use crate::model::expect::{Failure, check_history, check_links, check_rows};
use crate::model::program::Step;
use crate::model::run::Runner;
use crate::model::state::Effect;
use crate::server::{run, scalar};

impl Runner<'_> {
    /// Holds verdict against model.
    pub(super) fn check(&mut self, at: usize, last: bool) -> Result<(), Failure> {
        let level: String = self.sessions[at]
            .client
            .query_one("SELECT current_setting('transaction_isolation')", &[])
            .map_or_else(|_| String::new(), |row| row.get(0));
        if level != "read committed" && self.sessions[at].open.is_some() {
            return Ok(());
        }
        let rows = self.rows(at)?;
        let state = self.state(at);
        let within = self.sessions[at].open.is_some();
        let client = &mut self.sessions[at].client;
        let guarded = |client: &mut Client, sql: &str| {
            client
                .batch_execute(sql)
                .map_err(|error| Failure::new("the model cannot check", told(&error)))
        };
        if within {
            guarded(client, "SAVEPOINT checking")?;
        }
        guarded(client, "RESET ROLE; SET search_path = public")?;
        let exact = self.program.exact;
        let result = check_rows(client, &state, &rows, self.features, self.stats);
        unless_locked(result, "verify_table")?;
        if last || !within {
            unless_locked(check_links(client), "chain_findings")?;
            unless_locked(
                check_history(client, &state, exact, self.features, self.stats),
                "history",
            )?;
        }
        if within {
            guarded(
                client,
                "ROLLBACK TO SAVEPOINT checking; RELEASE SAVEPOINT checking",
            )?;
            if !self.features.has("early_rolled_back") {
                self.book(at, vec![Effect::Inexact]);
            }
        } else {
            guarded(client, "RESET search_path")?;
        }
        if last {
            let client = &mut self.sessions[at].client;
            let found = client.query(
                "SELECT layer || ' ' || coalesce(subject, ''), coalesce(detail, '') FROM verify_all()
                 WHERE NOT ok AND layer <> 'rows' AND (layer <> 'state' OR $1)",
                &[&self.features.has("state")],
            );
            let found = found.map(|rows| {
                rows.first().map(|row| {
                    Failure::new(
                        "verify_all",
                        format!("{} {}", row.get::<_, &str>(0), row.get::<_, &str>(1)),
                    )
                })
            });
            unless_locked(found, "verify_all")?;
        }
        Ok(())
    }

    pub(super) fn chain_attack(&mut self, step: &Step, due: bool) -> Result<(), Failure> {
        let session = &mut self.sessions[step.session];
        if session.open.is_some() {
            return Ok(());
        }
        const DIGEST: &str = "SELECT md5(coalesce(string_agg(c::text, '' ORDER BY c.seq), '')) FROM auditspine.audit_chain AS c";
        let client = &mut session.client;
        run(
            client,
            "RESET ROLE; SET search_path = public; SET session_replication_role = origin; BEGIN",
        );
        let before: String = scalar(client, DIGEST);
        let result = client
            .batch_execute(&step.sql)
            .and_then(|()| check_links(client));
        let changed = result.is_ok() && before != scalar::<String>(client, DIGEST);
        run(client, "ROLLBACK; RESET search_path");
        match result {
            Ok(found) if changed => {
                self.stats.attacks += 1;
                if due != found.is_some() {
                    return Err(Failure::new("attack on an entry missed", step.sql.clone()));
                }
                Ok(())
            }
            Ok(Some(found)) => Err(found),
            Ok(None) => Ok(()),
            Err(error) => unless_locked::<Failure>(Err(error), "an attack on an entry"),
        }
    }

    pub(super) fn restore(&mut self) -> Result<(), Failure> {
        if self.sessions.iter().any(|session| session.open.is_some()) || !self.prepared.is_empty() {
            return Ok(());
        }
        self.check(0, false)?;
        let before = self.look(0)?;
        self.sessions.clear();
        let from = self.database;
        let to = if from == "model_one" {
            "model_two"
        } else {
            "model_one"
        };
        let dump = self.server.program("pg_dump").arg(from).output();
        let dump = dump.map_err(|error| Failure::new("pg_dump", error.to_string()))?;
        let mut admin = self.server.database("postgres").connect();
        run(
            &mut admin,
            &format!("DROP DATABASE IF EXISTS {to} WITH (FORCE)"),
        );
        run(
            &mut admin,
            &format!("CREATE DATABASE {to} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8'"),
        );
        let mut psql: Command = self.server.program("psql");
        psql.args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", to]);
        let psql = psql
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut psql = psql.map_err(|error| Failure::new("psql", error.to_string()))?;
        if let Some(mut input) = psql.stdin.take() {
            // A script that stops in the middle shows in what psql says.
            let _ = input.write_all(&dump.stdout);
        }
        let output = psql
            .wait_with_output()
            .map_err(|error| Failure::new("psql", error.to_string()))?;
        let said = format!(
            "{}{}",
            String::from_utf8_lossy(&dump.stderr),
            String::from_utf8_lossy(&output.stderr)
        );
        self.database = to;
        self.connect();
        if !dump.status.success() || !output.status.success() {
            return Err(Failure::new("restore", said));
        }
        let after = self.look(0)?;
        self.committed = self.committed.restored(&before, &after);
        self.stats.restores += 1;
        self.check(0, false)
    }
}
