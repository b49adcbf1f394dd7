//! `verify_all()`: verification as a routine. Layer after layer is verified; the run is recorded, and
//! each break that is new raises an alert.

pub mod adopted;
pub mod alerts;
pub mod breaks;
pub mod evidence;
pub mod guard;
pub mod heads;
mod history;
pub mod keys;
pub mod links;
mod locks;
pub mod published;
pub mod rows;
pub mod run_log;
pub mod state;
pub mod written;

use auditspine_core::finding::Layer;
use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::evidence::is_kind;
use crate::ledger::visibility;
use crate::pg::arena::DatumArena;
use crate::pg::result_rows::RowStore;
use crate::pg::row_json::with_plain_names;
use crate::verify::all::run_log::Run;

/// What is to be verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything.
    Full,
    /// What was added since the last clean run.
    Last,
    /// Entries from this `seq` on, up to that one if one is given.
    Since(i64, Option<i64>),
}

impl Scope {
    /// The scope that the argument `since` names.
    fn parse(since: Option<&[u8]>) -> Scope {
        let Some(text) = since else {
            return Scope::Full;
        };
        let number = |text: &[u8]| {
            let digits = text.iter().all(u8::is_ascii_digit);
            digits.then(|| std::str::from_utf8(text).ok()?.parse::<i64>().ok())?
        };
        let mut bounds = text.splitn(2, |byte| *byte == b'-');
        let window = (bounds.next().and_then(number), bounds.next().map(number));
        match (text, window) {
            (b"last", _) => Scope::Last,
            (_, (Some(start), None)) => Scope::Since(start, None),
            (_, (Some(start), Some(Some(end)))) if start <= end => Scope::Since(start, Some(end)),
            _ => Failure::InvalidValue.raise(
                format!(
                    "since is \"{}\", neither 'last' nor the seq of an entry",
                    String::from_utf8_lossy(text)
                ),
                "NULL verifies everything, 'last' what was added since the last clean run, a number \
                 the entries from that seq on, '5-9' those from one to the other",
            ),
        }
    }

    /// As auditspine.verification has it.
    fn label(self) -> String {
        match self {
            Scope::Full => "full".to_owned(),
            Scope::Last => "incremental".to_owned(),
            Scope::Since(start, None) => format!("since {start}"),
            Scope::Since(start, Some(end)) => format!("{start} to {end}"),
        }
    }
}

/// A row of the result.
pub struct Line {
    /// `links`, `rows`, `heads`, `keys`, `adopted` or `state`.
    pub layer: Layer,
    /// Name of the chain or table.
    pub subject: String,
    /// Entries or rows.
    pub checked: i64,
    /// How many are wrong.
    pub findings: i64,
    /// Smallest `seq` that has a finding.
    pub first_bad_seq: Option<i64>,
    /// The first finding in words.
    pub detail: Option<String>,
}

/// Rows of `verify_all(since)`.
pub fn verify_all(since: Option<&[u8]>, rows: &mut RowStore) {
    // Names are held against recorded ones, whatever the session wants to have quoted.
    with_plain_names(|| verify_plainly(since, rows));
}

fn verify_plainly(since: Option<&[u8]>, rows: &mut RowStore) {
    let scope = Scope::parse(since);
    visibility::expect_whole("verify_all()");
    let left = evidence::Left::read();
    let mut run = Run::begin(left);
    let mut lines = Vec::new();
    let mut added: Option<i64> = None;
    let links = links::verify(scope, left, &mut run, &mut lines, &mut |entry| {
        if !is_kind(entry.kind) {
            added = Some(added.map_or(entry.seq, |first| first.min(entry.seq)));
        }
    });
    // Rows that entries tell of which were added since: all of these have this number or a larger one.
    let since = match links.scope {
        Scope::Full => None,
        Scope::Last => Some(added.unwrap_or(i64::MAX)),
        Scope::Since(start, _) => Some(start),
    };
    rows::verify(since, &mut run, &mut lines);
    published::verify(links.scope, &mut run, &mut lines);
    keys::verify(&mut run, &mut lines);
    if links.scope == Scope::Full {
        adopted::verify(&mut run, &mut lines);
    }
    state::verify(&mut run, &mut lines);
    let full = links.scope == Scope::Full;
    let index_altered = evidence::verify(left, full, &mut run, &mut lines);
    history::enter(index_altered);
    // Before a window there may be entries that nobody has verified yet.
    let heads = match links.scope {
        Scope::Since(..) => &[],
        Scope::Full | Scope::Last => &links.heads[..],
    };
    run.finish(links.scope, links.reason, heads);
    let mut arena = DatumArena::default();
    for line in lines {
        let text = |arena: &mut DatumArena, text: &str| Some(arena.varlena(text.as_bytes()));
        rows.put([
            text(&mut arena, line.layer.label()),
            text(&mut arena, &line.subject),
            Some((line.findings == 0).into()),
            Some(line.checked.into()),
            Some(line.findings.into()),
            line.first_bad_seq.map(pg_sys::Datum::from),
            line.detail
                .as_deref()
                .and_then(|detail| text(&mut arena, detail)),
        ]);
        arena.clear();
    }
}
