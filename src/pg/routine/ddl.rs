//! The event trigger that has the audit follow partitions and columns, as it should be.

use std::ops::ControlFlow;

use pgrx::pg_sys;

use super::Line;
use super::breaks::Break;
use super::record::Run;
use crate::pg::lookup::bytes_of;
use crate::pg::scan;

/// An event trigger of the extension, as it should be.
struct Wanted {
    name: &'static str,
    event: &'static str,
    symbol: &'static str,
    tags: &'static [&'static str],
}

const EVENT_TRIGGERS: [Wanted; 1] = [Wanted {
    name: "auditspine_ddl",
    event: "ddl_command_end",
    symbol: "auditspine_on_ddl",
    tags: &[
        "CREATE TABLE",
        "CREATE FOREIGN TABLE",
        "CREATE SCHEMA",
        "ALTER TABLE",
    ],
}];

/// It is not there, or does not fire at every command that it should.
const DISABLED: &str = "event_trigger_disabled";

/// Tells of event triggers of the extension that are not as it made them; a line for each.
pub fn verify(run: &mut Run, lines: &mut Vec<Line>) {
    let found = event_triggers();
    for Wanted {
        name,
        event,
        symbol,
        tags,
    } in EVENT_TRIGGERS
    {
        let of_name = found.iter().find(|trigger| trigger.name == name);
        let problem = match of_name {
            None => "does not exist",
            Some(trigger) if trigger.event != event || !trigger.fires_at(tags) => {
                "does not fire at every command that it should"
            }
            Some(trigger) if trigger.symbol != symbol => {
                "calls a function that is not auditspine's"
            }
            Some(trigger) if trigger.enabled == b'D' => "is disabled",
            Some(trigger) if trigger.enabled != b'A' => {
                "does not fire whatever session_replication_role says"
            }
            Some(_) => continue,
        };
        let detail = format!(
            "event trigger \"{name}\" {problem}, so partitions and columns of audited tables may change unrecorded"
        );
        let found = Break {
            layer: "rows",
            pk: Some(name.as_bytes()),
            ..Break::new(DISABLED, &detail)
        };
        run.found(&found);
        lines.push(Line {
            layer: "rows",
            subject: format!("event trigger {name}"),
            checked: 0,
            findings: 1,
            first_bad_seq: None,
            detail: Some(found.sentence()),
        });
    }
}

struct EventTrigger {
    name: String,
    event: String,
    symbol: String,
    enabled: u8,
    /// The commands that it fires at; empty for all.
    tags: String,
}

impl EventTrigger {
    fn fires_at(&self, tags: &[&str]) -> bool {
        let has = |tag: &&str| self.tags.split(',').any(|fires| fires == *tag);
        self.tags.is_empty() || tags.iter().all(has)
    }
}

fn event_triggers() -> Vec<EventTrigger> {
    let query =
        c"SELECT e.evtname::pg_catalog.text, e.evtevent::pg_catalog.text, p.prosrc, e.evtenabled, \
            coalesce(pg_catalog.array_to_string(e.evttags, ','), '') \
        FROM pg_catalog.pg_event_trigger AS e \
        JOIN pg_catalog.pg_proc AS p ON p.oid OPERATOR(pg_catalog.=) e.evtfoid";
    let mut found = Vec::new();
    scan::select(query, &[], &[], |tuple, desc| {
        let value = |column| {
            let mut null = false;
            // SAFETY: a row of the query, whose columns are never null.
            unsafe { pg_sys::SPI_getbinval(tuple, desc, column, &mut null) }
        };
        let text = |column| String::from_utf8_lossy(&bytes_of(value(column))).into_owned();
        found.push(EventTrigger {
            name: text(1),
            event: text(2),
            symbol: text(3),
            enabled: value(4).value() as u8,
            tags: text(5),
        });
        ControlFlow::Continue(())
    });
    found
}
