//! What a run writes is read again: a trigger, or a rule, on a table of ours must not keep it out, nor
//! change it.

use std::collections::BTreeMap;

use pgrx::datum::DatumWithOid;
use pgrx::spi::{Spi, SpiError};

use crate::error::{Failure, broken};
use crate::ledger::evidence::row_hash;

/// A lock: breaks are told from known ones.
pub const ALERTS: u32 = 1;
/// A lock: verified heads are moved on.
pub const HEADS: u32 = 2;

/// A table that runs write.
#[derive(Clone, Copy)]
pub struct Written(pub &'static str);

/// Alerts.
pub const ALERT: Written = Written("alert");
/// Breaks that raised one and are open.
pub const OPEN_BREAK: Written = Written("open_break");
/// Runs.
pub const VERIFICATION: Written = Written("verification");
/// Where incremental runs go on.
pub const VERIFIED_HEAD: Written = Written("verified_head");

impl Written {
    /// Raises 27000: the table does not hold what was written.
    pub fn not_as_written(self, what: &str) -> ! {
        let table = self.0;
        let what = format!("auditspine.{table} does not hold {what} as it was written");
        let (because, hint) = match self.others() {
            Some(others) => (
                format!(": {others} is on it"),
                format!(
                    "triggers and rules on auditspine.{table} must neither keep rows out nor change them; drop it, \
                     or let it return NEW as it is"
                ),
            ),
            None => (
                String::new(),
                format!("see what triggers, rules and policies auditspine.{table} has"),
            ),
        };
        Failure::NotAsWritten.raise(format!("{what}{because}"), hint)
    }

    /// Triggers and rules on it that are not the extension's.
    fn others(self) -> Option<String> {
        let query = "
            SELECT pg_catalog.string_agg(what, ', ' ORDER BY what) FROM (
                SELECT pg_catalog.format('trigger %I', t.tgname) FROM pg_catalog.pg_trigger AS t
                WHERE t.tgrelid = pg_catalog.to_regclass($1) AND NOT t.tgisinternal AND t.tgenabled <> 'D'
                  AND t.tgname <> ALL ('{append_only,replicated,replicated_truncate}'::pg_catalog.name[])
                UNION ALL
                SELECT pg_catalog.format('rule %I', r.rulename) FROM pg_catalog.pg_rewrite AS r
                WHERE r.ev_class = pg_catalog.to_regclass($1)) AS other (what)";
        let table = format!("auditspine.{}", self.0);
        expect(Spi::get_one_with_args(query, &[table.into()]))
    }
}

/// Hashes of rows, as canonical_row_hash() gives them, by number.
pub fn hashes(
    table: Written,
    id: &str,
    condition: &str,
    arguments: &[DatumWithOid<'_>],
) -> BTreeMap<i64, Vec<u8>> {
    let query = format!(
        "SELECT t.{id}, {} FROM ONLY auditspine.{} AS t WHERE {condition}",
        row_hash("t.*"),
        table.0
    );
    expect(Spi::connect_mut(|client| {
        client
            .update(&query[..], None, arguments)?
            .map(|row| {
                let id: Option<i64> = row.get(1)?;
                let hash: Option<Vec<u8>> = row.get(2)?;
                Ok((id.unwrap_or_default(), hash.unwrap_or_default()))
            })
            .collect()
    }))
}

/// The next number of a sequence that no row has.
pub fn fresh_id(sequence: &str, table: &str, id: &str) -> i64 {
    let draw = format!("SELECT pg_catalog.nextval('auditspine.{sequence}')");
    let taken =
        format!("SELECT EXISTS (SELECT FROM ONLY auditspine.{table} AS t WHERE t.{id} = $1)");
    loop {
        pgrx::check_for_interrupts!();
        let number: Option<i64> = expect(Spi::get_one(&draw));
        let Some(number) = number else {
            broken(format!("auditspine.{sequence} gave no number"))
        };
        let taken: Option<bool> = expect(Spi::get_one_with_args(&taken, &[number.into()]));
        if taken != Some(true) {
            return number;
        }
    }
}

/// The statements are fixed, so what SPI itself refuses is that the tables are not ours any more.
pub fn expect<T>(result: Result<T, SpiError>) -> T {
    result.unwrap_or_else(|error| broken(format!("a state table could not be written: {error}")))
}
