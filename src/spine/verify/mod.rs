//! Verifying spines: each by its own evidence and the keys that count, and its rows against the audit
//! chain.
//!
//! One snapshot serves for everything. The backend reads; signatures are checked by it and by helper
//! threads. The cache is never asked for a verdict: whoever can write it could have it say anything.

mod keep;
mod progress;
mod read;
mod report;
mod rows;
mod stored_spine;

use self::progress::Progress;
use self::read::Tables;
pub use self::report::{Finding, Report};
use self::rows::RowFindings;
use self::stored_spine::{Judged, Spine, judge_all};
use crate::error::Failure;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::ledger::visibility;
use crate::pg::worker_pool::{self, Helpers};
use crate::trust::{self, Trust};

/// Which spines are verified.
#[derive(Clone, Copy, Debug)]
pub enum Which<'a> {
    /// The one with this id.
    One(&'a str),
    /// Those that meet a condition on columns of proof_spines, or all.
    Where(Option<&'a str>),
}

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Which spines.
    pub which: Which<'a>,
    /// Name of the schema that has the tables, as in the catalog.
    pub schema: &'a str,
    /// Whether status of segments, cache and history are brought up to date.
    pub record: bool,
}

/// Spines that are read at a time, and handed to a helper.
const CHUNK: usize = 128;

/// Verifies spines, and hands each report with its findings to `sink`: in the order in which they are
/// done.
///
/// Needs SELECT on the tables of spines, auditspine.audit_chain and auditspine.trusted_key; with
/// `record`, what it takes to write status and cache. Raises 42704 for a spine that neither is nor was,
/// 42P01 for a schema without the tables.
pub fn verify(request: &Request<'_>, sink: &mut dyn FnMut(Report, Vec<Finding>)) {
    visibility::expect_whole("verifying spines");
    let snapshot = CurrentSnapshot::push();
    let trust = trust::load();
    let tables = Tables::find(request.schema);
    let ids = match request.which {
        Which::One(id) => vec![id.to_owned()],
        Which::Where(condition) => tables.ids(condition),
    };
    let mut rows = RowFindings::of(&tables, &ids);
    let mut progress = Progress::of(ids.len());
    let mut kept = Vec::new();
    let mut seen = 0;
    let mut take_in = |judged: Vec<Judged>| {
        for judged in judged {
            seen += 1;
            progress.one_more();
            let (report, findings) = report::of(&judged, &mut rows, &trust);
            if request.record {
                kept.push(keep::Kept::of(&judged, &report));
            }
            sink(report, findings);
        }
    };
    judge_each(&tables, &ids, &trust, request.record, &mut take_in);
    match request.which {
        Which::One(id) if seen == 0 => {
            let gone = rows.take_gone().into_iter().find(|(gone, _)| gone == id);
            let Some((_, finding)) = gone else {
                unknown(id, request.schema)
            };
            let (report, findings) = report::of_gone(id, finding, &rows);
            sink(report, findings);
        }
        Which::Where(None) => {
            for (id, finding) in rows.take_gone() {
                let (report, findings) = report::of_gone(&id, finding, &rows);
                sink(report, findings);
            }
        }
        _ => {}
    }
    drop(snapshot);
    keep::keep(&tables, &kept);
}

fn unknown(id: &str, schema: &str) -> ! {
    let shown: String = id.chars().take(100).collect();
    Failure::UnknownSpine.raise(
        format!(
            "there is no spine \"{shown}\" in schema {schema}, and no entry says that there was"
        ),
        "see proof_spines there; spine_id() tells the id of a decision",
    )
}

/// Reads spines and has them judged, by helpers as far as there are any.
fn judge_each(
    tables: &Tables,
    ids: &[String],
    trust: &Trust,
    keeps: bool,
    take_in: &mut dyn FnMut(Vec<Judged>),
) {
    let count = if ids.len() > CHUNK {
        worker_pool::most()
    } else {
        0
    };
    std::thread::scope(|scope| {
        let workers = (0..count).map(|_| move |spines: Vec<Spine>| judge_all(spines, trust, keeps));
        let mut helpers = (count > 0).then(|| Helpers::start(scope, workers));
        for chunk in ids.chunks(CHUNK) {
            pgrx::check_for_interrupts!();
            let spines = tables.read(chunk);
            let Some(helpers) = &mut helpers else {
                take_in(judge_all(spines, trust, keeps));
                continue;
            };
            // Helpers that have enough to do leave the backend free to check too.
            if let Err(refused) = helpers.hand_over(spines) {
                take_in(judge_all(refused, trust, keeps));
            }
            while let Some(done) = helpers.finished() {
                take_in(done);
            }
        }
        while let Some(done) = helpers.as_mut().and_then(Helpers::last) {
            pgrx::check_for_interrupts!();
            take_in(done);
        }
    });
}
