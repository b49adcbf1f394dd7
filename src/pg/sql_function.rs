//! Functions that PostgreSQL calls with its raw calling convention: triggers, and what returns rows of our
//! own types. [`sql_functions`] gives a safe function the symbol that its SQL declaration names.

use auditspine_core::hash::{Hash, Sink};
use pgrx::pg_sys;

use super::ddl::Command;
use super::result_rows::RowStore;
use super::row_json;
use super::sqltypes::{TextArrayArg, varlena_datum};
use super::trigger_call::Call;
use super::varlena::Varlena;

/// The call of a function under way. Its arguments are read as the SQL declaration has them.
pub struct FunctionCall(pg_sys::FunctionCallInfo);

impl FunctionCall {
    /// The call behind the arguments of a function.
    ///
    /// # Safety
    /// `fcinfo` is what PostgreSQL passed to the running function, which outlives the result, and the SQL
    /// declaration is as the function takes it.
    pub unsafe fn new(fcinfo: pg_sys::FunctionCallInfo) -> FunctionCall {
        FunctionCall(fcinfo)
    }

    /// An argument, from 0; `None` for NULL.
    fn datum(&self, at: usize) -> Option<pg_sys::Datum> {
        // SAFETY: the call is under way, and the declaration has the argument.
        unsafe { pgrx::fcinfo::pg_getarg_datum(self.0, at) }
    }

    /// A text or bytea, valid during the call.
    pub fn bytes(&self, at: usize) -> Option<&[u8]> {
        // SAFETY: the declared type is of variable length; a detoasted value lives until the call ends.
        self.datum(at).map(|datum| unsafe {
            pgrx::varlena_to_byte_slice(pg_sys::pg_detoast_datum_packed(datum.cast_mut_ptr()))
        })
    }

    /// The content of a value of variable length that is read as binary, with its alignment.
    pub fn aligned(&self, at: usize) -> Option<&[u8]> {
        // SAFETY: as for `bytes`.
        self.datum(at).map(|datum| unsafe {
            pgrx::varlena_to_byte_slice(pg_sys::pg_detoast_datum(datum.cast_mut_ptr()))
        })
    }

    /// The content of a value of variable length that is not null, wherever it lies; of a strict function.
    #[inline]
    pub fn varlena(&self, at: usize) -> Varlena {
        let Some(datum) = self.datum(at) else {
            unreachable!("null argument of a strict function");
        };
        // SAFETY: the declared type is of variable length; arguments outlive the call.
        unsafe { Varlena::packed(datum) }
    }

    /// Writes a row of any type, if it is not null, as canonical JSON in encoding 1.
    pub fn write_record<S: Sink>(&self, at: usize, out: &mut S) {
        if let Some(datum) = self.datum(at) {
            // SAFETY: the declared type is record; arguments outlive the call.
            unsafe { row_json::write_composite(datum, out) }
        }
    }

    /// A text, copied; what is not UTF-8 in it is replaced.
    pub fn text(&self, at: usize) -> Option<String> {
        // SAFETY: the declared type is text; arguments outlive the call.
        self.datum(at)
            .map(|datum| String::from_utf8_lossy(&unsafe { Varlena::packed(datum) }).into_owned())
    }

    /// A `text[]` that is not null.
    pub fn texts(&self, at: usize) -> TextArrayArg {
        let datum = self.datum(at).unwrap_or(pg_sys::Datum::null());
        // SAFETY: the declared type is text[], and the function strict.
        unsafe { TextArrayArg::of(datum) }
    }

    /// An oid, or what is one in SQL.
    pub fn oid(&self, at: usize) -> Option<pg_sys::Oid> {
        let datum = self.datum(at)?;
        Some(pg_sys::Oid::from(datum.value() as u32))
    }

    /// A bigint.
    pub fn int8(&self, at: usize) -> Option<i64> {
        self.datum(at).map(|datum| datum.value() as i64)
    }

    /// An integer.
    pub fn int4(&self, at: usize) -> Option<i32> {
        self.datum(at).map(|datum| datum.value() as i32)
    }

    /// A boolean, null being false.
    pub fn is_true(&self, at: usize) -> bool {
        self.datum(at).is_some_and(|datum| datum.value() != 0)
    }

    /// Whether a procedure may end the transaction: the caller is a CALL outside of blocks.
    pub fn may_commit(&self) -> bool {
        // SAFETY: a non-null context is a Node, and that of a CALL says whether it may commit.
        unsafe {
            let context = (*self.0).context;
            !context.is_null()
                && (*context).type_ == pg_sys::NodeTag::T_CallContext
                && !(*context.cast::<pg_sys::CallContext>()).atomic
        }
    }

    /// The rows that the function returns, to be filled.
    pub fn rows(&self) -> RowStore {
        // SAFETY: the call is under way, and the declaration returns a set of a composite type.
        unsafe { RowStore::begin(self.0) }
    }

    /// The trigger that called, by the name of its function; an ERROR if none did, with a hint of how the trigger is
    /// to be made.
    pub fn trigger(&self, function: &str, hint: &str) -> Call<'_> {
        // SAFETY: the call is under way.
        unsafe { Call::expect(self.0, function, hint) }
    }

    /// The command that an event trigger is called for.
    pub fn command(&self) -> Command {
        // SAFETY: the call is under way.
        unsafe { Command::new(self.0) }
    }
}

/// What a function may return.
pub trait Answer {
    /// As PostgreSQL takes it.
    fn datum(self) -> pg_sys::Datum;
}

/// Nothing, of a trigger that fires AFTER, whose result is ignored, and of one that has filled its rows.
impl Answer for () {
    fn datum(self) -> pg_sys::Datum {
        pg_sys::Datum::from(0usize)
    }
}

impl Answer for pg_sys::Datum {
    fn datum(self) -> pg_sys::Datum {
        self
    }
}

/// UTF-8 text, as `text`.
pub struct Text(pub Vec<u8>);

impl Answer for Text {
    fn datum(self) -> pg_sys::Datum {
        varlena_datum(&self.0)
    }
}

/// As `bytea`.
impl Answer for Hash {
    #[inline]
    fn datum(self) -> pg_sys::Datum {
        varlena_datum(&self.0)
    }
}

/// Gives functions that take a [`FunctionCall`] the symbols by which PostgreSQL finds them.
macro_rules! sql_functions {
    ($($info:ident $symbol:ident = $function:path;)*) => { $(
        /// Says that the function follows calling convention version 1.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        pub extern "C" fn $info() -> &'static pgrx::pg_sys::Pg_finfo_record {
            const V1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }

        /// As PostgreSQL calls it.
        ///
        /// # Safety
        /// Called by PostgreSQL only, as the SQL declaration has it.
        #[allow(unsafe_code)]
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        pub unsafe extern "C-unwind" fn $symbol(
            fcinfo: pgrx::pg_sys::FunctionCallInfo,
        ) -> pgrx::pg_sys::Datum {
            // SAFETY: fcinfo comes from PostgreSQL.
            let call = unsafe { $crate::pg::sql_function::FunctionCall::new(fcinfo) };
            $crate::pg::sql_function::Answer::datum($function(&call))
        }
    )* };
}
pub(crate) use sql_functions;
