//! Functions that return rows: the rows go to a tuplestore, which spills to disk, so that a result of
//! any size takes bounded memory.

use pgrx::pg_sys;

use crate::error::Failure;

/// The result of a set-returning function under construction.
pub struct RowStore {
    store: *mut pg_sys::Tuplestorestate,
    desc: pg_sys::TupleDesc,
}

impl RowStore {
    /// Begins the result of the running function.
    ///
    /// # Safety
    /// `fcinfo` must be what PostgreSQL passed to the running function, which is declared to return a
    /// set of a composite type.
    pub unsafe fn begin(fcinfo: pg_sys::FunctionCallInfo) -> RowStore {
        // SAFETY: the caller's; the store and the descriptor must outlive the call, so they are made
        // in the per-query context.
        unsafe {
            let info = (*fcinfo).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            let accepted = !info.is_null()
                && (*info).type_ == pg_sys::NodeTag::T_ReturnSetInfo
                && (*info).allowedModes & pg_sys::SetFunctionReturnMode::SFRM_Materialize as i32
                    != 0;
            let mut desc: pg_sys::TupleDesc = std::ptr::null_mut();
            if !accepted
                || pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut desc)
                    != pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE
            {
                Failure::InvalidValue.raise(
                    "set-returning function called where a set cannot be returned",
                    "call it in the FROM clause: SELECT * FROM …()",
                );
            }
            let previous = pg_sys::MemoryContextSwitchTo((*(*info).econtext).ecxt_per_query_memory);
            let desc = pg_sys::CreateTupleDescCopy(desc);
            let store = pg_sys::tuplestore_begin_heap(true, false, pg_sys::work_mem);
            pg_sys::MemoryContextSwitchTo(previous);
            (*info).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            (*info).setResult = store;
            (*info).setDesc = desc;
            RowStore { store, desc }
        }
    }

    /// Adds a row; `None` is NULL. The values are copied.
    pub fn put<const N: usize>(&mut self, row: [Option<pg_sys::Datum>; N]) {
        let mut values = row.map(|value| value.unwrap_or(pg_sys::Datum::from(0usize)));
        let mut nulls = row.map(|value| value.is_none());
        // SAFETY: store and descriptor are alive during the call of the function.
        unsafe {
            debug_assert_eq!((*self.desc).natts as usize, N);
            pg_sys::tuplestore_putvalues(
                self.store,
                self.desc,
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            );
        }
    }
}
