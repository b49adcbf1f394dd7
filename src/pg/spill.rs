//! Temporary files of PostgreSQL: they lie in its temporary tablespaces, count against
//! `temp_file_limit`, and go with the transaction if not before.

use auditspine_core::rows::{Storage, Tape};
use pgrx::pg_sys;

/// Makes temporary files.
pub struct TempFiles {
    context: pg_sys::MemoryContext,
}

impl TempFiles {
    /// Files that live as long as the running transaction at most.
    pub fn new() -> TempFiles {
        TempFiles {
            // SAFETY: set inside a transaction, where alone this is called.
            context: unsafe { pg_sys::TopTransactionContext },
        }
    }
}

impl Storage for TempFiles {
    type Tape = TempFile;

    fn tape(&mut self) -> TempFile {
        // SAFETY: the buffers must outlive whatever context is current now; the file is registered with
        // the current resource owner, which closes it after an ERROR.
        unsafe {
            let previous = pg_sys::MemoryContextSwitchTo(self.context);
            let file = pg_sys::BufFileCreateTemp(false);
            pg_sys::MemoryContextSwitchTo(previous);
            TempFile { file }
        }
    }
}

/// A temporary file, removed on drop.
pub struct TempFile {
    file: *mut pg_sys::BufFile,
}

impl Tape for TempFile {
    fn write(&mut self, bytes: &[u8]) {
        // SAFETY: an open file; the bytes are only read.
        unsafe { pg_sys::BufFileWrite(self.file, bytes.as_ptr().cast_mut().cast(), bytes.len()) };
    }

    fn rewind(&mut self) {
        // SAFETY: an open file. Its beginning is always there.
        let failed = unsafe { pg_sys::BufFileSeek(self.file, 0, 0, 0) };
        debug_assert_eq!(failed, 0);
    }

    fn read(&mut self, buffer: &mut [u8]) -> usize {
        pgrx::check_for_interrupts!();
        // SAFETY: an open file; the buffer has room for that many bytes.
        unsafe { pg_sys::BufFileRead(self.file, buffer.as_mut_ptr().cast(), buffer.len()) }
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        // An ERROR's clean-up closes it otherwise.
        if !std::thread::panicking() {
            // SAFETY: opened by us, closed once.
            unsafe { pg_sys::BufFileClose(self.file) };
        }
    }
}
