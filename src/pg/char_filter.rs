//! Partial indexes on the rows whose "char" column is one of a few characters. No other predicate is evaluated: it
//! would be code of whoever made the index.

use pgrx::pg_sys;

use super::relation::OpenRelation;

/// `"char" = "char"`, as pg_operator has it.
const CHAR_EQUALS: u32 = 92;
/// What comes before the elements of an array of one dimension without nulls.
const HEADER: usize = 20;

/// The predicate `column = ANY (characters)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharFilter {
    /// Zero-based column of the table.
    pub column: usize,
    characters: Vec<u8>,
}

impl CharFilter {
    /// The predicate of an index, if it is one of these. It is read as it is stored.
    pub fn of(index: &OpenRelation) -> Option<CharFilter> {
        // SAFETY: an open index has a tuple of pg_index, whose predicate is a node in text form; what it is made of is
        // looked at by its tags.
        unsafe {
            let tuple = (*index.raw()).rd_indextuple;
            let mut null = true;
            let datum = pg_sys::SysCacheGetAttr(
                pg_sys::SysCacheIdentifier::INDEXRELID as i32,
                tuple,
                pg_sys::Anum_pg_index_indpred as i16,
                &mut null,
            );
            if null {
                return None;
            }
            let text = pg_sys::text_to_cstring(datum.cast_mut_ptr());
            let mut node = pg_sys::stringToNode(text).cast::<pg_sys::Node>();
            // One condition may stand in a list.
            if !node.is_null() && (*node).type_ == pg_sys::NodeTag::T_List {
                let list = node.cast::<pg_sys::List>();
                if (*list).length != 1 {
                    return None;
                }
                node = (*(*list).elements).ptr_value.cast();
            }
            if node.is_null() || (*node).type_ != pg_sys::NodeTag::T_ScalarArrayOpExpr {
                return None;
            }
            let test = &*node.cast::<pg_sys::ScalarArrayOpExpr>();
            if !test.useOr
                || test.opno != pg_sys::Oid::from(CHAR_EQUALS)
                || (*test.args).length != 2
            {
                return None;
            }
            let argument = |at: usize| {
                (*(*test.args).elements.add(at))
                    .ptr_value
                    .cast::<pg_sys::Node>()
            };
            let (column, array) = (argument(0), argument(1));
            if (*column).type_ != pg_sys::NodeTag::T_Var
                || (*array).type_ != pg_sys::NodeTag::T_Const
            {
                return None;
            }
            let column = &*column.cast::<pg_sys::Var>();
            let array = &*array.cast::<pg_sys::Const>();
            if array.constisnull || array.consttype != pg_sys::CHARARRAYOID {
                return None;
            }
            let bytes = pgrx::varlena_to_byte_slice(array.constvalue.cast_mut_ptr());
            Some(CharFilter {
                column: usize::try_from(column.varattno - 1).ok()?,
                characters: elements(bytes)?,
            })
        }
    }

    /// Whether a row may belong into the index that has one of these characters in the column.
    pub fn meets(&self, chars: &Chars) -> bool {
        self.characters.iter().any(|char| chars.has(*char))
    }

    /// Whether a row belongs into the index.
    pub fn holds(&self, values: &[pg_sys::Datum], nulls: &[bool]) -> bool {
        !nulls[self.column]
            && self
                .characters
                .contains(&(values[self.column].value() as u8))
    }
}

/// A set of characters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chars([u64; 4]);

impl Chars {
    /// Takes one in.
    #[inline]
    pub fn add(&mut self, char: u8) {
        self.0[usize::from(char / 64)] |= 1 << (char % 64);
    }

    /// Whether one is in it.
    pub fn has(&self, char: u8) -> bool {
        self.0[usize::from(char / 64)] >> (char % 64) & 1 == 1
    }
}

/// The elements of an array of one dimension without nulls, of which `bytes` is the content.
fn elements(bytes: &[u8]) -> Option<Vec<u8>> {
    let number = |at: usize| Some(i32::from_ne_bytes(*bytes.get(at..)?.first_chunk::<4>()?));
    let (dimensions, data_offset) = (number(0)?, number(4)?);
    let count = usize::try_from(number(12)?).ok()?;
    let all = bytes.get(HEADER..)?.get(..count)?;
    (dimensions == 1 && data_offset == 0).then(|| all.to_vec())
}
