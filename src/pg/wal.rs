//! The write-ahead log.

use pgrx::pg_sys;

/// Flushes WAL to disk as far as it has been written so far. Not for a standby.
pub fn flush() {
    /// Size of a page's header: SizeOfXLogShortPHD, and SizeOfXLogLongPHD on a segment's first page.
    const PAGE_HEADER: u64 = 24;
    const SEGMENT_HEADER: u64 = 40;
    // SAFETY: plain calls, and a plain global.
    unsafe {
        let end = pg_sys::GetXLogInsertRecPtr();
        // Where the next record would begin a page, the position is behind a header that is not
        // written yet, and which cannot be flushed.
        let within_page = end % u64::from(pg_sys::XLOG_BLCKSZ);
        let page = end - within_page;
        let header = if page.is_multiple_of(pg_sys::wal_segment_size as u64) {
            SEGMENT_HEADER
        } else {
            PAGE_HEADER
        };
        pg_sys::XLogFlush(if within_page <= header { page } else { end });
    }
}
