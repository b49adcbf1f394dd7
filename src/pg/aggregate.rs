//! The state of a running aggregate.

use pgrx::callconv::{Arg, ArgAbi};
use pgrx::datum::Internal;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};

use crate::error::Failure;

/// How the running function was called; no argument in SQL.
pub struct Caller(pg_sys::FunctionCallInfo);

// SAFETY: this stands for nothing in SQL.
unsafe impl SqlTranslatable for Caller {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Caller);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> = Ok(SqlMappingRef::Skip);
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> = Err(ReturnsError::Datum);
}

// SAFETY: takes no argument.
unsafe impl<'fcx> ArgAbi<'fcx> for Caller {
    unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> Caller {
        // SAFETY: pgrx knows this type, which takes no argument either.
        Caller(unsafe { arg.unbox_unchecked() })
    }

    fn is_virtual_arg() -> bool {
        true
    }
}

impl Caller {
    /// Raises 0A000 where no aggregate is running.
    fn aggregate_context(&self) -> pg_sys::MemoryContext {
        let mut context = std::ptr::null_mut();
        // SAFETY: the call information of the running function.
        if unsafe { pg_sys::AggCheckCallContext(self.0, &mut context) } == 0 {
            Failure::AggregateProtocol.raise(
                "a part of an aggregate function was called by itself",
                "Call the aggregate: spine_root_hash(hash ORDER BY position).",
            );
        }
        context
    }
}

/// Hands the aggregate's state to `step`, made anew at the first row, and returns it for the next
/// row. Raises 0A000 where no aggregate is running.
///
/// `T` must be the type that every function of this aggregate uses. It is never dropped but goes with
/// the aggregate's memory, so it should own none elsewhere.
pub fn advance<T: Default>(
    caller: &Caller,
    state: Internal,
    step: impl FnOnce(&mut T),
) -> Internal {
    const {
        assert!(
            align_of::<T>() <= pg_sys::MAXIMUM_ALIGNOF as usize,
            "palloc aligns no further"
        );
    }
    let context = caller.aggregate_context();
    let value = match state.unwrap() {
        Some(datum) => datum.cast_mut_ptr::<T>(),
        // SAFETY: the allocation has the size and alignment of a T, and is filled at once.
        None => unsafe {
            let value = pg_sys::MemoryContextAlloc(context, size_of::<T>()).cast::<T>();
            value.write(T::default());
            value
        },
    };
    // SAFETY: within an aggregate the state is what this function returned for its last row, and
    // nothing else refers to it.
    step(unsafe { &mut *value });
    Internal::from(Some(pg_sys::Datum::from(value)))
}

/// The result at the end, or none if there were no rows; the state is only read, so that a window
/// may go on.
pub fn finish<T, R>(
    caller: &Caller,
    state: Internal,
    result: impl FnOnce(&T) -> Option<R>,
) -> Option<R> {
    caller.aggregate_context();
    // SAFETY: as in `advance`.
    state
        .unwrap()
        .and_then(|datum| result(unsafe { &*datum.cast_mut_ptr::<T>() }))
}
