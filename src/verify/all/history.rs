//! The index by which histories are read, in a run: whether it is as it was left, and what has come is entered.

use std::convert::Infallible;

use crate::ledger::key_index::fill::{Request, fill};
use crate::ledger::key_index::told;
use crate::ledger::text_rows::Texts;
use crate::pg::subtransaction::{attempt, is_verdict, message_of};
use crate::pg::{session, snapshot};

/// So few entries are left to the next run: a history reads them in less time than a run takes to enter them.
const LEAST: u64 = 1000;

/// What of it is not as the last fill left it: table, key, seq, in words. A full run reads all of it.
pub fn altered(full: bool) -> Vec<Texts> {
    let tell = |table: &str, key: Option<String>, detail: String| {
        vec![Some(table.to_owned()), key, None, Some(detail)]
    };
    let mut altered: Vec<Texts> = told::altered()
        .into_iter()
        .map(|table| {
            tell(
                table,
                None,
                "it is not as the last fill of the index of histories left it".to_owned(),
            )
        })
        .collect();
    if full {
        altered.extend(told::damaged_runs().into_iter().map(|run| {
            let detail = format!("the pages of run {run} are not as they were written");
            tell("history_page", Some(run.to_string()), detail)
        }));
    }
    altered
}

/// Enters what has come, if that is much and nobody else is at it; makes everything anew if it was altered. Where it fails,
/// histories are read as they were before.
pub fn enter(altered: bool) {
    // At the higher levels what is read now is not the latest, and others would be made to fail.
    if session::is_read_only() || snapshot::is_kept() {
        return;
    }
    let request = Request {
        least: if altered { 0 } else { LEAST },
        wait: false,
        rebuild: altered,
    };
    match attempt(|| Ok::<_, Infallible>(fill(request))) {
        Ok(_) => {}
        Err(raised) if is_verdict(&raised) => pgrx::warning!(
            "the index of histories was not filled: {}",
            message_of(&raised)
        ),
        Err(raised) => raised.rethrow(),
    }
}
