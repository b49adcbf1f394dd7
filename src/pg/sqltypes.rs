//! Arguments and results of SQL functions as they lie in memory, without a conversion. Text is UTF-8,
//! since the extension asks for a database of that encoding.

use std::borrow::Cow;
use std::ffi::{c_int, c_void};

use pgrx::callconv::{Arg, ArgAbi, BoxRet, FcInfo};
use pgrx::datum::FromDatum;
use pgrx::pg_sys;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};

use crate::pg::varlena::Varlena;

/// Makes a Rust type stand for an SQL type.
macro_rules! sql_type {
    ($rust:ty, $sql:literal) => {
        // SAFETY: `ArgAbi` and `BoxRet` below treat this Rust type as that SQL type.
        unsafe impl SqlTranslatable for $rust {
            const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!($rust);
            const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
            const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
                Ok(SqlMappingRef::literal($sql));
            const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
                Ok(ReturnsRef::One(SqlMappingRef::literal($sql)));
        }
    };
}

/// Makes a Rust type, by its `FromDatum`, an argument.
macro_rules! sql_argument {
    ($rust:ident, $sql:literal) => {
        sql_type!($rust, $sql);

        impl FromDatum for $rust {
            unsafe fn from_polymorphic_datum(
                datum: pg_sys::Datum,
                is_null: bool,
                _type: pg_sys::Oid,
            ) -> Option<$rust> {
                // SAFETY: PostgreSQL hands over a valid value of the declared type, which lives
                // until the function returns.
                (!is_null).then(|| unsafe { $rust::from_value(datum) })
            }
        }

        // SAFETY: as `FromDatum` above.
        unsafe impl<'fcx> ArgAbi<'fcx> for $rust {
            unsafe fn unbox_arg_unchecked(arg: Arg<'_, 'fcx>) -> $rust {
                // SAFETY: the declared type is the one that `FromDatum` takes.
                match unsafe { arg.unbox_arg_using_from_datum() } {
                    Some(value) => value,
                    // A function that takes this type by itself is declared STRICT by pgrx.
                    None => unreachable!("null argument of a strict function"),
                }
            }
        }
    };
}

/// A `text`.
pub struct TextArg(pub Varlena);
sql_argument!(TextArg, "text");

impl TextArg {
    /// The text; what is not UTF-8, as no stored text should be, is replaced.
    pub fn as_str(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    unsafe fn from_value(datum: pg_sys::Datum) -> TextArg {
        // SAFETY: the caller passes a text.
        TextArg(unsafe { Varlena::packed(datum) })
    }
}

/// A `jsonb`.
pub struct JsonbArg(pub Varlena);
sql_argument!(JsonbArg, "jsonb");

impl JsonbArg {
    unsafe fn from_value(datum: pg_sys::Datum) -> JsonbArg {
        // SAFETY: the caller passes a jsonb.
        JsonbArg(unsafe { Varlena::packed(datum) })
    }

    /// The value, to be handed on while this lives.
    pub fn datum(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.0.as_ptr())
    }
}

/// A `text[]`.
pub struct TextArrayArg(Varlena);
sql_argument!(TextArrayArg, "text[]");

impl TextArrayArg {
    /// A value of a function that PostgreSQL calls with its raw convention.
    ///
    /// # Safety
    /// `datum` is a valid non-null `text[]`, which outlives the result.
    pub unsafe fn of(datum: pg_sys::Datum) -> TextArrayArg {
        // SAFETY: the caller's.
        unsafe { TextArrayArg::from_value(datum) }
    }

    unsafe fn from_value(datum: pg_sys::Datum) -> TextArrayArg {
        // SAFETY: the caller passes a text[].
        TextArrayArg(unsafe { Varlena::aligned(datum) })
    }

    /// The number of dimensions; 0 if it is empty.
    pub fn dimensions(&self) -> i32 {
        // SAFETY: `aligned` made it a plain array.
        unsafe { (*self.0.as_ptr().cast::<pg_sys::ArrayType>()).ndim }
    }

    /// The elements in order of storage; `None` for null.
    pub fn elements(&self) -> Vec<Option<TextArg>> {
        let (mut values, mut nulls) = (std::ptr::null_mut(), std::ptr::null_mut());
        let mut count = 0;
        // SAFETY: a text[] has elements of this storage; both results are arrays of `count`, and
        // the elements lie in the array, which the caller holds.
        unsafe {
            pg_sys::deconstruct_array(
                self.0.as_ptr().cast(),
                pg_sys::TEXTOID,
                -1,
                false,
                pg_sys::TYPALIGN_INT as _,
                &mut values,
                &mut nulls,
                &mut count,
            );
            (0..count as usize)
                .map(|at| (!*nulls.add(at)).then(|| TextArg::from_value(*values.add(at))))
                .collect()
        }
    }
}

/// UTF-8 text as `text`.
pub struct TextResult(pub Vec<u8>);
sql_type!(TextResult, "text");

// SAFETY: returns a text, as declared.
unsafe impl BoxRet for TextResult {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> pgrx::datum::Datum<'fcx> {
        // SAFETY: as above.
        unsafe { fcinfo.return_raw_datum(varlena_datum(&self.0)) }
    }
}

/// A palloc'd varlena of this content, which must be shorter than 1 GB or palloc refuses it.
#[inline]
pub(super) fn varlena_datum(content: &[u8]) -> pg_sys::Datum {
    let size = content.len() + pg_sys::VARHDRSZ;
    // SAFETY: the allocation has room for the header and the content.
    unsafe {
        let value = allocate(size).cast::<pg_sys::varlena>();
        pgrx::varlena::set_varsize_4b(value, size as i32);
        let data = value.cast::<u8>().add(pg_sys::VARHDRSZ);
        std::ptr::copy_nonoverlapping(content.as_ptr(), data, content.len());
        pg_sys::Datum::from(value)
    }
}

// utils/palloc.h. The bindings guard every call against an ERROR, which costs more than the call.
unsafe extern "C" {
    /// Does not raise if the size is small and `flags` say that it returns null where memory lacks.
    fn MemoryContextAllocExtended(
        context: pg_sys::MemoryContext,
        size: pg_sys::Size,
        flags: c_int,
    ) -> *mut c_void;
}

/// As palloc.
#[inline]
fn allocate(size: usize) -> *mut c_void {
    const SMALL: usize = 1024;
    if size <= SMALL {
        // SAFETY: the current context is valid; the call does not raise.
        let small = unsafe {
            let flags = pg_sys::MCXT_ALLOC_NO_OOM as c_int;
            MemoryContextAllocExtended(pg_sys::CurrentMemoryContext, size, flags)
        };
        if !small.is_null() {
            return small;
        }
    }
    // SAFETY: raises, or returns so much memory.
    unsafe { pg_sys::palloc(size) }
}
