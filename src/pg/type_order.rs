//! The order of a type's values: the operators that have it, and whether an index has the same.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::relation::{OpenRelation, index_columns, name_of};

/// The operators by which a type is ordered, as SQL, whatever the search path.
pub struct TypeOrder {
    /// `<`
    pub less: String,
    /// `>`
    pub greater: String,
    /// `=`
    pub equal: String,
}

impl TypeOrder {
    /// Of a type that is there; `None` if it has no order.
    pub fn of(oid: pg_sys::Oid) -> Option<TypeOrder> {
        let wanted = pg_sys::TYPECACHE_LT_OPR | pg_sys::TYPECACHE_GT_OPR | pg_sys::TYPECACHE_EQ_OPR;
        // SAFETY: looks up a type, and raises if there is none; an entry of the cache stays.
        let entry = unsafe { &*pg_sys::lookup_type_cache(oid, wanted as i32) };
        let operators = [entry.lt_opr, entry.gt_opr, entry.eq_opr];
        if operators.contains(&pg_sys::InvalidOid) {
            return None;
        }
        let [less, greater, equal] = operators.map(operator);
        Some(TypeOrder {
            less,
            greater,
            equal,
        })
    }
}

/// An operator as SQL, whatever the search path.
fn operator(oid: pg_sys::Oid) -> String {
    // SAFETY: looks up an existing operator; the strings are copied before it is released.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(
            pg_sys::SysCacheIdentifier::OPEROID as i32,
            pg_sys::Datum::from(oid),
        );
        if tuple.is_null() {
            crate::error::broken(format!("there is no operator {oid:?}"));
        }
        let form = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_operator>();
        let schema = pg_sys::get_namespace_name(form.oprnamespace);
        let text = format!(
            "OPERATOR({}.{})",
            CStr::from_ptr(pg_sys::quote_identifier(schema)).to_string_lossy(),
            String::from_utf8_lossy(name_of(&form.oprname))
        );
        pg_sys::ReleaseSysCache(tuple);
        text
    }
}

/// How a key column of an index is ordered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ColumnOrder {
    /// The family of the operators.
    pub family: pg_sys::Oid,
    /// The collation.
    pub collation: pg_sys::Oid,
}

impl OpenRelation {
    /// How the key columns of an index are ordered, each with its number in the table, 0 for an expression;
    /// `None` if it is no B-tree on all rows that queries may use.
    pub fn order_of_key(&self) -> Option<Vec<(i16, ColumnOrder)>> {
        if !self.is_usable_btree() {
            return None;
        }
        let count = usize::try_from(self.index_form()?.indnkeyatts).ok()?;
        let columns = index_columns(self);
        let columns = columns.iter().take(count).enumerate();
        let order = |(at, attnum): (usize, &i16)| {
            // SAFETY: both arrays of an open index have a member for each key column.
            let order = unsafe {
                ColumnOrder {
                    family: *(*self.raw()).rd_opfamily.add(at),
                    collation: *(*self.raw()).rd_indcollation.add(at),
                }
            };
            (*attnum, order)
        };
        Some(columns.map(order).collect())
    }

    /// How a column of the table, by its number, is ordered by its type and collation; `None` if there is no such
    /// column.
    pub fn order_of_column(&self, attnum: i16) -> Option<ColumnOrder> {
        let at = usize::try_from(i32::from(attnum) - 1).ok()?;
        let attribute = self.attributes().into_iter().nth(at)?;
        // SAFETY: looks up the type of a column; an entry of the cache stays.
        let entry = unsafe {
            &*pg_sys::lookup_type_cache(attribute.atttypid, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32)
        };
        Some(ColumnOrder {
            family: entry.btree_opf,
            collation: attribute.attcollation,
        })
    }
}
