//! The settings `auditspine.*`.

use std::ffi::CString;

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

static BUFFER_SIZE: GucSetting<i32> = GucSetting::<i32>::new(64 * 1024);
static LANE_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(30_000);
static VERIFY_LOCK_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5_000);
/// `auditspine.actor`.
pub static ACTOR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
static PUBLISH_FILE: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);
/// `auditspine.context` as the user wrote it.
pub static CONTEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

/// Registers the settings; once, when the library is loaded.
pub fn register() {
    GucRegistry::define_int_guc(
        c"auditspine.buffer_size",
        c"Memory for the events of a transaction that are not yet linked.",
        c"When it is full, the events are linked before the commit, and the lane is held from then on.",
        &BUFFER_SIZE,
        64,
        1024 * 1024,
        GucContext::Userset,
        GucFlags::UNIT_KB,
    );
    GucRegistry::define_int_guc(
        c"auditspine.lane_timeout",
        c"How long a commit waits for a free lane of a chain before it fails.",
        c"0 waits without limit. statement_timeout does not cover a commit.",
        &LANE_TIMEOUT,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_int_guc(
        c"auditspine.verify_lock_timeout",
        c"How long verify_all() waits for the locks on one table before it is told as not verified.",
        c"0 waits without limit. Tables that are free are verified first.",
        &VERIFY_LOCK_TIMEOUT,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_MS,
    );
    GucRegistry::define_string_guc(
        c"auditspine.actor",
        c"Who makes the change on behalf of the database user: recorded in each entry.",
        c"Set it with SET LOCAL behind a connection pooler. Empty stands for absent.",
        &ACTOR,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"auditspine.context",
        c"A JSON value recorded in each entry, such as a request or ticket number.",
        c"Set it with SET LOCAL behind a connection pooler. Empty stands for absent.",
        &CONTEXT,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_string_guc(
        c"auditspine.publish_file",
        c"Files that publish_head() appends heads to: absolute paths on the server, separated by commas.",
        c"Best where those who administer the database cannot write. Files of its own for each database.",
        &PUBLISH_FILE,
        GucContext::Suset,
        GucFlags::default(),
    );
}

/// `auditspine.buffer_size` in bytes.
pub fn buffer_bytes() -> usize {
    BUFFER_SIZE.get().unsigned_abs() as usize * 1024
}

/// `auditspine.lane_timeout` in milliseconds; 0 is without limit.
pub fn lane_timeout() -> i32 {
    LANE_TIMEOUT.get()
}

/// `auditspine.verify_lock_timeout` in milliseconds; 0 is without limit.
pub fn verify_lock_timeout() -> i32 {
    VERIFY_LOCK_TIMEOUT.get()
}

/// `auditspine.publish_file` as the user wrote it, `None` if empty.
pub fn publish_file() -> Option<CString> {
    PUBLISH_FILE.get().filter(|file| !file.is_empty())
}
