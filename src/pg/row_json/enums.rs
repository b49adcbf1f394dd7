//! Labels of an enum, looked up once: values hold their oids.

use std::ffi::CStr;

use auditspine_core::hash::Sink;
use pgrx::pg_sys;

use crate::error::Failure;
use crate::pg::row_json::scalar::write_text;
use crate::pg::row_json::value::Way;

/// How the values of an enum read.
pub struct Labels {
    /// By the label's oid, in order of it.
    all: Vec<(u32, Box<[u8]>)>,
}

/// A label as the catalog has it.
pub struct Label {
    /// Its oid.
    pub oid: u32,
    /// How it reads.
    pub text: Box<[u8]>,
}

impl Labels {
    /// Those of an enum, as they read now or did at another time.
    ///
    /// # Safety
    /// `type_oid` is an enum that exists.
    pub unsafe fn of_type(type_oid: pg_sys::Oid, way: Way<'_>) -> Labels {
        let then = way
            .overrides
            .and_then(|then| then.labels.get(&type_oid.to_u32()));
        // SAFETY: the caller's.
        let labels = unsafe { labels_of(type_oid) }.into_iter();
        let mut all: Vec<(u32, Box<[u8]>)> = labels
            .map(|label| {
                let then = then.and_then(|then| then.get(&label.oid));
                let text = then.map(|text| text.as_bytes().into());
                (label.oid, text.unwrap_or(label.text))
            })
            .collect();
        all.sort_unstable_by_key(|(oid, _)| *oid);
        Labels { all }
    }

    /// Writes the label with this oid.
    #[inline]
    pub fn write<S: Sink, const RAW: bool>(&self, oid: u32, out: &mut S) {
        match self.all.binary_search_by_key(&oid, |(oid, _)| *oid) {
            Ok(at) => write_text::<_, RAW>(&self.all[at].1, out),
            Err(_) => write_text::<_, RAW>(&look_up(oid), out),
        }
    }
}

/// The text of a label that has come since the others were looked up: that another session added it may be seen
/// ahead of its message.
#[cold]
fn look_up(oid: u32) -> Box<[u8]> {
    // SAFETY: the tuple is a row of pg_enum, and is copied from before it is released.
    let text = unsafe {
        let cache = pg_sys::SysCacheIdentifier::ENUMOID as i32;
        let tuple = pg_sys::SearchSysCache1(cache, pg_sys::Oid::from_u32(oid).into());
        (!tuple.is_null()).then(|| {
            let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_enum>();
            let text = CStr::from_ptr(form.enumlabel.data.as_ptr())
                .to_bytes()
                .into();
            pg_sys::ReleaseSysCache(tuple);
            text
        })
    };
    text.unwrap_or_else(|| {
        Failure::CorruptedData.raise(
            format!("no label of the enum has the oid {oid}"),
            "The stored value is damaged, or the label's row of pg_enum is; check the storage and restore the row \
             from a backup.",
        )
    })
}

/// The labels of an enum in their order.
///
/// # Safety
/// `type_oid` is an enum that exists.
pub unsafe fn labels_of(type_oid: pg_sys::Oid) -> Vec<Label> {
    let mut found: Vec<(f32, Label)> = Vec::new();
    // SAFETY: the list has `n_members` members, whose tuples are rows of pg_enum; they are copied before the
    // list is released.
    unsafe {
        let list = pg_sys::SearchSysCacheList(
            pg_sys::SysCacheIdentifier::ENUMTYPOIDNAME as i32,
            1,
            type_oid.into(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        );
        let count = usize::try_from((*list).n_members).unwrap_or(0);
        for member in (*list).members.as_slice(count) {
            let tuple = &raw mut (**member).tuple;
            let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_enum>();
            let text = CStr::from_ptr(form.enumlabel.data.as_ptr()).to_bytes();
            let label = Label {
                oid: form.oid.to_u32(),
                text: text.into(),
            };
            found.push((form.enumsortorder, label));
        }
        pg_sys::ReleaseCatCacheList(list);
    }
    found.sort_by(|left, right| left.0.total_cmp(&right.0));
    found.into_iter().map(|(_, label)| label).collect()
}
