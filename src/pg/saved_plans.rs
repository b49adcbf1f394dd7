//! Statements of our own that are planned once in a backend, for functions that run often.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::CString;

use pgrx::pg_sys;

use super::query::{Argument, show_all, split};
use super::trigger_call::Call;
use super::values::Values;

/// Plans that are kept. The text of a statement names the schema of what it uses, so there are as many as
/// there are statements and schemas; those beyond are planned each time.
const KEPT: usize = 512;

thread_local! {
    /// By the table whose transition tables the statement reads, if any, and its text.
    static PLANS: RefCell<HashMap<(pg_sys::Oid, String), pg_sys::SPIPlanPtr>> = RefCell::default();
}

/// Runs a statement that sees what this transaction has done so far, under a snapshot of this moment (at
/// READ COMMITTED; else that of the transaction), and shows its rows. Returns how many rows it returned or changed.
///
/// The statement qualifies what it uses, unless the running function pins `search_path`. PostgreSQL plans
/// it again when something that it uses has changed.
pub fn run(statement: &str, arguments: &[Argument], show: impl FnMut(&Values<'_>)) -> u64 {
    // SAFETY: no trigger's rows are asked for.
    unsafe { run_with(std::ptr::null_mut(), statement, arguments, show) }
}

/// As [`run`], in a trigger whose transition tables the statement may read by their names.
pub fn run_in_trigger(
    call: &Call<'_>,
    statement: &str,
    arguments: &[Argument],
    show: impl FnMut(&Values<'_>),
) -> u64 {
    // SAFETY: the data is that of the running trigger.
    unsafe { run_with(call.raw(), statement, arguments, show) }
}

/// # Safety
/// `data` is null, or the data of the running trigger.
unsafe fn run_with(
    data: *mut pg_sys::TriggerData,
    statement: &str,
    arguments: &[Argument],
    show: impl FnMut(&Values<'_>),
) -> u64 {
    let types: Vec<pg_sys::Oid> = arguments.iter().map(|(oid, _)| *oid).collect();
    let (mut values, nulls) = split(arguments.iter().map(|(_, value)| *value));
    // SAFETY: SPI is closed here, or by the clean-up of an ERROR; there is one type, value and flag per
    // parameter; the rows live until SPI is closed.
    unsafe {
        pg_sys::SPI_connect();
        let mut table = pg_sys::InvalidOid;
        if !data.is_null() {
            pg_sys::SPI_register_trigger_data(data);
            table = (*(*data).tg_relation).rd_id;
        }
        let plan = plan(table, statement, &types);
        pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr(), false, 0);
        let count = pg_sys::SPI_processed;
        show_all(pg_sys::SPI_tuptable, show);
        pg_sys::SPI_finish();
        count
    }
}

/// The statement's plan, kept for the next time. One that is kept is never freed: it may be running
/// further up.
///
/// # Safety
/// SPI is open.
unsafe fn plan(table: pg_sys::Oid, statement: &str, types: &[pg_sys::Oid]) -> pg_sys::SPIPlanPtr {
    let key = (table, statement.to_owned());
    if let Some(plan) = PLANS.with_borrow(|plans| plans.get(&key).copied()) {
        return plan;
    }
    let text = CString::new(statement).unwrap_or_default();
    // SAFETY: the text is NUL-terminated, and there is one type per parameter.
    let plan = unsafe {
        pg_sys::SPI_prepare(text.as_ptr(), types.len() as i32, types.as_ptr().cast_mut())
    };
    PLANS.with_borrow_mut(|plans| {
        // SAFETY: a plan that SPI_prepare has just made.
        if plans.len() < KEPT && unsafe { pg_sys::SPI_keepplan(plan) } == 0 {
            plans.insert(key, plan);
        }
    });
    plan
}
