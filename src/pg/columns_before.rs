//! Columns that a table had when the running command began.

use pgrx::pg_sys;

use super::registry::scan_under;
use super::relation::OpenRelation;

/// The moment when the running command began.
#[derive(Clone, Copy, Debug)]
pub struct Beginning {
    command: pg_sys::CommandId,
}

impl Beginning {
    /// Of the command that an event trigger was fired by. To be called ahead of anything that takes a snapshot: the
    /// active one is that with which the command began, or an older one where several commands share it (those
    /// of one DO block). `None` if there is none.
    pub fn of_this_command() -> Option<Beginning> {
        // SAFETY: reads the active snapshot, if there is one.
        unsafe {
            pg_sys::ActiveSnapshotSet().then(|| Beginning {
                command: (*pg_sys::GetActiveSnapshot()).curcid,
            })
        }
    }

    /// The columns that a table had then, those that were dropped before included, by number; none if it was not
    /// there.
    pub fn columns(self, relation: pg_sys::Oid) -> Vec<pg_sys::FormData_pg_attribute> {
        let mut columns = Vec::new();
        let condition = (pg_sys::Anum_pg_attribute_attrelid, relation.into());
        let index = pg_sys::AttributeRelidNumIndexId;
        self.scan(pg_sys::AttributeRelationId, index, condition, |tuple| {
            // SAFETY: tuples of this catalog begin with such a struct.
            let column =
                unsafe { &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_attribute>() };
            if column.attnum > 0 {
                columns.push(*column);
            }
        });
        columns
    }

    /// The columns of the primary key that a table had then.
    pub fn primary_key(self, relation: pg_sys::Oid) -> Option<Vec<i16>> {
        let mut key = None;
        let condition = (pg_sys::Anum_pg_index_indrelid, relation.into());
        let index = pg_sys::IndexIndrelidIndexId;
        self.scan(pg_sys::IndexRelationId, index, condition, |tuple| {
            // SAFETY: tuples of this catalog begin with such a struct, and the numbers of the columns follow it at
            // once, `indnatts` of them.
            unsafe {
                let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_index>();
                if form.indisprimary && form.indisvalid {
                    let columns = form.indkey.values.as_slice(form.indnkeyatts as usize);
                    key = Some(columns.to_vec());
                }
            }
        });
        key
    }

    /// Shows the rows of a catalog as they were then.
    fn scan(
        self,
        catalog: pg_sys::Oid,
        index: u32,
        condition: (u32, pg_sys::Datum),
        show: impl FnMut(pg_sys::HeapTuple),
    ) {
        let catalog = OpenRelation::table(catalog, pg_sys::AccessShareLock);
        // SAFETY: registered until the scan has ended, or the resource owner releases it on an ERROR. It is a copy of
        // our own, so that its command number is ours to set.
        unsafe {
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            (*snapshot).curcid = self.command;
            scan_under(snapshot, &catalog, index, &[condition], show);
            pg_sys::UnregisterSnapshot(snapshot);
        }
    }
}
