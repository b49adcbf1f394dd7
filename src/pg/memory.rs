//! Memory contexts that go with what owns them.

use std::cell::Cell;

use pgrx::pg_sys;

/// A memory context that is current while `self` lives, and whose memory goes with it.
///
/// Its parent is the transaction's context: where an ERROR keeps the scope from ending properly, the
/// end of the transaction frees it.
pub struct ScratchContext {
    context: pg_sys::MemoryContext,
    previous: pg_sys::MemoryContext,
}

/// As a [`ScratchContext`], but kept from one use to the next: what a backend does over and over need not make and
/// delete one each time. A second one at a time is made anew.
pub struct KeptContext {
    context: pg_sys::MemoryContext,
    previous: pg_sys::MemoryContext,
}

/// A memory context that is current only for calls that ask for it, and goes with `self`.
pub struct SideContext {
    context: pg_sys::MemoryContext,
    used: Cell<bool>,
}

/// A memory context that outlives transactions and goes with `self`. It is small, and not current.
pub struct LastingContext {
    context: pg_sys::MemoryContext,
}

fn create() -> pg_sys::MemoryContext {
    // SAFETY: TopTransactionContext exists inside a transaction, where alone this is called.
    create_in(unsafe { pg_sys::TopTransactionContext })
}

fn create_in(parent: pg_sys::MemoryContext) -> pg_sys::MemoryContext {
    // SAFETY: the parent is alive.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            parent,
            c"auditspine".as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}

impl SideContext {
    /// Creates a context that is not current.
    pub fn new() -> SideContext {
        SideContext {
            context: create(),
            used: Cell::new(false),
        }
    }

    /// Runs `f` with the context current.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> R {
        self.used.set(true);
        // SAFETY: our own context; after an ERROR, PostgreSQL itself sets the current one.
        let previous = unsafe { pg_sys::MemoryContextSwitchTo(self.context) };
        let result = f();
        // SAFETY: the context around us is alive.
        unsafe { pg_sys::MemoryContextSwitchTo(previous) };
        result
    }

    /// Frees what was allocated in it, if anything.
    pub fn reset(&self) {
        if self.used.replace(false) {
            // SAFETY: our own context; the caller keeps nothing that lives in it.
            unsafe { pg_sys::MemoryContextReset(self.context) };
        }
    }
}

impl Drop for SideContext {
    fn drop(&mut self) {
        // SAFETY: ours, and not current.
        unsafe { pg_sys::MemoryContextDelete(self.context) };
    }
}

impl ScratchContext {
    /// Creates a context and makes it current.
    pub fn enter() -> ScratchContext {
        let context = create();
        // SAFETY: as created.
        let previous = unsafe { pg_sys::MemoryContextSwitchTo(context) };
        ScratchContext { context, previous }
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

thread_local! {
    /// The context, while nobody uses it.
    static KEPT: Cell<pg_sys::MemoryContext> = const { Cell::new(std::ptr::null_mut()) };
}

impl KeptContext {
    /// Makes the context current.
    pub fn enter() -> KeptContext {
        let mut context = KEPT.replace(std::ptr::null_mut());
        if context.is_null() {
            // SAFETY: the top context lives as long as the backend.
            context = create_in(unsafe { pg_sys::TopMemoryContext });
        }
        // SAFETY: as created; nobody else has it.
        let previous = unsafe { pg_sys::MemoryContextSwitchTo(context) };
        KeptContext { context, previous }
    }
}

impl Drop for KeptContext {
    fn drop(&mut self) {
        // SAFETY: both contexts are alive: ours, and the previous one around us. Nobody keeps what lives in ours.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.previous);
            if KEPT.get().is_null() {
                pg_sys::MemoryContextReset(self.context);
                KEPT.set(self.context);
            } else {
                pg_sys::MemoryContextDelete(self.context);
            }
        }
    }
}

impl LastingContext {
    /// Creates a context.
    pub fn new() -> LastingContext {
        // SAFETY: the top context lives as long as the backend.
        let context = unsafe {
            pg_sys::AllocSetContextCreateInternal(
                pg_sys::TopMemoryContext,
                c"auditspine".as_ptr(),
                pg_sys::ALLOCSET_SMALL_MINSIZE as usize,
                pg_sys::ALLOCSET_SMALL_INITSIZE as usize,
                pg_sys::ALLOCSET_SMALL_MAXSIZE as usize,
            )
        };
        LastingContext { context }
    }

    /// The context, for what is to live as long as `self`.
    pub fn raw(&self) -> pg_sys::MemoryContext {
        self.context
    }
}

impl Drop for LastingContext {
    fn drop(&mut self) {
        // SAFETY: ours, and not current. What is kept for the backend's life is dropped as it exits,
        // when PostgreSQL's functions are not to be called any more.
        unsafe {
            if !pg_sys::proc_exit_inprogress {
                pg_sys::MemoryContextDelete(self.context);
            }
        }
    }
}
