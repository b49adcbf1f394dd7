//! Memory contexts for the length of a scope.

use pgrx::pg_sys;

/// A memory context that is current while `self` lives, and whose memory goes with it.
///
/// Its parent is the transaction's context: where an ERROR keeps the scope from ending properly, the
/// end of the transaction frees it.
pub struct ScratchContext {
    context: pg_sys::MemoryContext,
    previous: pg_sys::MemoryContext,
}

impl ScratchContext {
    /// Creates a context and makes it current.
    pub fn enter() -> ScratchContext {
        // SAFETY: TopTransactionContext exists inside a transaction, where alone this is called.
        unsafe {
            let context = pg_sys::AllocSetContextCreateInternal(
                pg_sys::TopTransactionContext,
                c"auditspine".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            let previous = pg_sys::MemoryContextSwitchTo(context);
            ScratchContext { context, previous }
        }
    }

    /// Frees everything allocated in it so far.
    pub fn reset(&self) {
        // SAFETY: our own context; the caller keeps nothing that lives in it.
        unsafe { pg_sys::MemoryContextReset(self.context) };
    }
}

impl Drop for ScratchContext {
    fn drop(&mut self) {
        // SAFETY: both contexts are alive: ours until here, the previous one around us.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.previous);
            pg_sys::MemoryContextDelete(self.context);
        }
    }
}
