//! A procedure that commits as it goes.

use pgrx::pg_sys;

/// A connection to SPI that lets transactions end. For a procedure whose caller lets it commit.
pub struct Committing(());

impl Committing {
    /// Opens it.
    pub fn connect() -> Committing {
        // SAFETY: closed by `close`, or by the clean-up of an ERROR.
        unsafe { pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32) };
        Committing(())
    }

    /// Closes it.
    pub fn close(self) {
        // SAFETY: opened by `connect`; what was opened since is closed.
        unsafe { pg_sys::SPI_finish() };
    }
}

/// Commits and begins the next transaction, at READ COMMITTED. Under a [`Committing`] connection, outside of
/// subtransactions, with no snapshot of ours active.
pub fn next() {
    // SAFETY: the level may be set before the transaction's first snapshot is taken; elsewhere than said, SPI
    // raises.
    unsafe {
        pg_sys::SPI_commit();
        pg_sys::SPI_start_transaction();
        pg_sys::XactIsoLevel = pg_sys::XACT_READ_COMMITTED as i32;
    }
}
