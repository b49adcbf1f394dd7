//! Memory that all processes of the server share.
//!
//! PostgreSQL lets a library that is loaded late have some of what it keeps spare. It is zero when it is first had,
//! also after a restart of the server or, after a crash, of its processes.

use std::cell::OnceCell;
use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};

use auditspine_core::shared_heads::{SharedHeads, Slot};

use super::raw;

/// What all versions of this library agree on, for ever: that of two which write the table of lanes' ends in different
/// ways, none uses it.
#[repr(C)]
struct Protocol {
    /// Number of the protocol that is in use; 0 while none is.
    number: AtomicU32,
    /// Not 0 if nobody must use the table until the server is restarted.
    off: AtomicU32,
    spare: [AtomicU32; 14],
}

/// To be raised with any change in what a slot holds, in how many there are, or in who writes one when.
const PROTOCOL: u32 = 1;
const SLOTS: usize = 512;

/// The table of lanes' ends.
#[derive(Clone, Copy)]
pub struct Shared {
    protocol: &'static Protocol,
    slots: &'static [Slot],
}

thread_local! {
    static SHARED: OnceCell<Option<Shared>> = const { OnceCell::new() };
}

/// The table; `None` if it must not be used, or if PostgreSQL has no memory left for it.
pub fn heads() -> Option<SharedHeads<'static>> {
    let shared = SHARED.with(|shared| *shared.get_or_init(Shared::attach))?;
    let is_on = shared.protocol.off.load(Ordering::Acquire) == 0;
    is_on.then(|| SharedHeads::new(shared.slots))
}

/// Nobody uses the table from now on until the server is restarted.
pub fn give_up() {
    if let Some(shared) = SHARED.with(|shared| shared.get().copied().flatten()) {
        shared.protocol.off.store(1, Ordering::Release);
    }
}

impl Shared {
    fn attach() -> Option<Shared> {
        // SAFETY: all zeros is a protocol, of which no process has more than shared references.
        let protocol: &'static Protocol = unsafe { zeroed(c"auditspine", 1)?.first()? };
        let before =
            protocol
                .number
                .compare_exchange(0, PROTOCOL, Ordering::AcqRel, Ordering::Acquire);
        if before.is_err_and(|number| number != PROTOCOL) {
            // What this process appends, the others will not learn from the table.
            protocol.off.store(1, Ordering::Release);
            return None;
        }
        // SAFETY: all zeros is an empty slot, of which no process has more than shared references.
        let slots = unsafe { zeroed(c"auditspine heads", SLOTS) };
        if slots.is_none() {
            protocol.off.store(1, Ordering::Release);
        }
        slots.map(|slots| Shared { protocol, slots })
    }
}

/// So many values of shared memory, which are zero when they are first had; `None` if there is no room for them, or if
/// what has this name is of another size.
///
/// # Safety
/// All zeros is a valid value, and values are only changed in ways that other threads may see at any time.
unsafe fn zeroed<T>(name: &'static CStr, count: usize) -> Option<&'static [T]> {
    let found = pgrx::PgTryBuilder::new(AssertUnwindSafe(|| {
        let mut found = false;
        // SAFETY: raises an ERROR, holding nothing, or returns memory that stays as long as the process. One more
        // value leaves room to align them.
        unsafe {
            raw::guarded(|| {
                raw::ShmemInitStruct(name.as_ptr(), (count + 1) * size_of::<T>(), &mut found)
            })
        }
    }))
    .catch_others(|_| std::ptr::null_mut())
    .execute();
    if found.is_null() {
        return None;
    }
    let start = found.cast::<u8>();
    // SAFETY: there is room for `count` values behind the first address that is aligned.
    unsafe {
        let aligned = start.add(start.align_offset(align_of::<T>()));
        Some(std::slice::from_raw_parts(aligned.cast(), count))
    }
}
