//! Plain facts about this backend and its running transaction.

use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::rc::Rc;

use pgrx::guc::GucSetting;
use pgrx::pg_sys;

/// The process id of this backend.
pub fn process_id() -> i32 {
    // SAFETY: a plain global, set when the backend starts.
    unsafe { pg_sys::MyProcPid }
}

/// Identifies this cluster; another after a restore.
pub fn system_identifier() -> u64 {
    // SAFETY: reads what the control file says.
    unsafe { pg_sys::GetSystemIdentifier() }
}

/// The current user.
pub fn current_user() -> pg_sys::Oid {
    // SAFETY: a plain value of this backend.
    unsafe { pg_sys::GetUserId() }
}

/// The name of a role; `None` if it is gone.
pub fn role_name(role: pg_sys::Oid) -> Option<String> {
    // SAFETY: the name is palloc'd, or null if there is no such role.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
    }
}

/// The name of the current user.
pub fn current_user_name() -> String {
    // SAFETY: the current user exists; the name is palloc'd.
    unsafe {
        let name = pg_sys::GetUserNameFromId(pg_sys::GetUserId(), false);
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

thread_local! {
    /// The session user's name, with its oid.
    static SESSION_USER: RefCell<Option<(pg_sys::Oid, Rc<[u8]>)>> = const { RefCell::new(None) };
}

/// To be called when a role may have another name.
pub fn forget_names() {
    SESSION_USER.with(|user| *user.borrow_mut() = None);
}

/// The name of the session user, as its bytes.
///
/// Roles are those of the whole cluster: one that was made in a database of another encoding may have a name that is
/// no text here. Bytes that are not UTF-8 then stand as `\xNN`.
pub fn session_user() -> Rc<[u8]> {
    // SAFETY: a plain value of this backend.
    let oid = unsafe { pg_sys::GetSessionUserId() };
    let known = SESSION_USER.with(|user| user.borrow().clone());
    if let Some((_, name)) = known.filter(|(other, _)| *other == oid) {
        return name;
    }
    // SAFETY: the session user exists; the name is palloc'd.
    let name = unsafe {
        let name = pg_sys::GetUserNameFromId(oid, false);
        CStr::from_ptr(name).to_bytes()
    };
    let mut text = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        for byte in chunk.invalid() {
            text.extend_from_slice(format!("\\x{byte:02x}").as_bytes());
        }
    }
    let text: Rc<[u8]> = text.into();
    SESSION_USER.with(|user| *user.borrow_mut() = Some((oid, text.clone())));
    text
}

/// The database of this backend.
pub fn database() -> pg_sys::Oid {
    // SAFETY: a plain global, set when the backend connects.
    unsafe { pg_sys::MyDatabaseId }
}

/// The id of the whole transaction, given to it now if it has none.
pub fn transaction_id() -> u64 {
    // SAFETY: inside a transaction; raises where none can be given.
    unsafe { pg_sys::GetTopFullTransactionId().value }
}

// access/xact.h. The bindings guard every call against an ERROR, which costs more than this one.
unsafe extern "C" {
    /// Does not raise.
    fn GetCurrentSubTransactionId() -> pg_sys::SubTransactionId;
}

/// The running subtransaction.
#[inline]
pub fn subtransaction() -> pg_sys::SubTransactionId {
    // SAFETY: reads the state of the current transaction.
    unsafe { GetCurrentSubTransactionId() }
}

/// Shows a setting's text, which is not copied; `None` if it is empty.
#[inline]
pub fn with_text<R>(
    setting: &GucSetting<Option<CString>>,
    show: impl FnOnce(Option<&CStr>) -> R,
) -> R {
    // SAFETY: the backend's own variable, on its only thread: null, or a C string that stays until the setting is
    // changed, which `show` has no way to do but by calling into PostgreSQL.
    let text = unsafe {
        let text = *setting.as_ptr();
        (!text.is_null()).then(|| CStr::from_ptr(text))
    };
    show(text.filter(|text| !text.is_empty()))
}

/// Whether a savepoint, or an exception block, is open.
pub fn is_in_subtransaction() -> bool {
    // SAFETY: reads the state of the current transaction.
    unsafe { pg_sys::IsSubTransaction() }
}

/// The running command of the transaction.
pub fn command() -> pg_sys::CommandId {
    // SAFETY: reads the state of the current transaction.
    unsafe { pg_sys::GetCurrentCommandId(false) }
}

/// Whether the session runs what pg_dump wrote, as far as that shows: every dump, and every connection of
/// pg_restore, begins by turning both settings off, which nothing else has a reason to.
pub fn is_restoring() -> bool {
    // SAFETY: plain values of this backend.
    unsafe { !pg_sys::check_function_bodies && !pg_sys::row_security }
}

/// How many triggers are running, one inside the other.
pub fn trigger_depth() -> i32 {
    // SAFETY: takes no argument, and returns an int4.
    unsafe { pgrx::direct_function_call(pg_sys::pg_trigger_depth, &[]) }.unwrap_or(0)
}

/// Makes what this transaction did visible to what it does next.
pub fn next_command() {
    // SAFETY: inside a transaction, between commands of our own.
    unsafe { pg_sys::CommandCounterIncrement() };
}

/// Whether nothing can be written: in a read-only transaction, and on a standby.
pub fn is_read_only() -> bool {
    // SAFETY: a plain global, and a plain read of shared state.
    unsafe { pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() }
}

/// Raises PostgreSQL's own error in a read-only transaction.
pub fn expect_writable(command: &CStr) {
    // SAFETY: raises, or returns.
    unsafe { pg_sys::PreventCommandIfReadOnly(command.as_ptr()) };
}

/// Raises PostgreSQL's own error on a standby.
pub fn expect_no_recovery(command: &CStr) {
    // SAFETY: raises, or returns.
    unsafe { pg_sys::PreventCommandDuringRecovery(command.as_ptr()) };
}

/// Whether this process applies what logical replication brings.
pub fn is_logical_worker() -> bool {
    // SAFETY: reads what kind of process this is.
    unsafe { pg_sys::IsLogicalWorker() }
}

/// The setting `work_mem`, in kB.
pub fn work_mem() -> i32 {
    // SAFETY: a plain global of this backend.
    unsafe { pg_sys::work_mem }
}

/// The name of the database's encoding, unless that is UTF-8.
pub fn other_encoding() -> Option<String> {
    // SAFETY: reads the encoding of the current database; the name is a static string.
    unsafe {
        (pg_sys::GetDatabaseEncoding() != pg_sys::pg_enc::PG_UTF8 as i32).then(|| {
            CStr::from_ptr(pg_sys::GetDatabaseEncodingName())
                .to_string_lossy()
                .into_owned()
        })
    }
}
