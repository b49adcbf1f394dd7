//! Rows of a query, shown one after the other as the executor makes them: nothing is kept.

use std::ffi::CStr;

use pgrx::{pg_guard, pg_sys};

use crate::pg::values::Values;

/// A destination of PostgreSQL's executor that calls a closure.
#[repr(C)]
struct Receiver<'a> {
    destination: pg_sys::DestReceiver,
    show: &'a mut dyn FnMut(&Values<'_>),
}

/// Runs a query under the active snapshot, as the current user, and shows each
/// of its rows, valid during the call. PostgreSQL chooses the plan.
pub fn for_each_row(
    query: &CStr,
    parameters: &[(pg_sys::Oid, pg_sys::Datum)],
    show: &mut dyn FnMut(&Values<'_>),
) {
    let mut receiver = Receiver {
        destination: pg_sys::DestReceiver {
            receiveSlot: Some(receive),
            rStartup: Some(start_up),
            rShutdown: Some(shut_down),
            rDestroy: Some(shut_down),
            mydest: pg_sys::CommandDest::DestNone,
        },
        show,
    };
    // SAFETY: the parameter list and the receiver outlive the query; what SPI opened is closed by
    // SPI_finish, or by an ERROR's clean-up.
    unsafe {
        pg_sys::SPI_connect();
        let list = pg_sys::makeParamList(parameters.len() as i32);
        let first = (*list).params.as_mut_ptr();
        for (at, (type_oid, value)) in parameters.iter().enumerate() {
            let parameter = &mut *first.add(at);
            parameter.value = *value;
            parameter.isnull = false;
            parameter.pflags = pg_sys::PARAM_FLAG_CONST as u16;
            parameter.ptype = *type_oid;
        }
        let options = pg_sys::SPIExecuteOptions {
            params: list,
            read_only: true,
            dest: (&raw mut receiver).cast(),
            ..Default::default()
        };
        pg_sys::SPI_execute_extended(query.as_ptr(), &options);
        pg_sys::SPI_finish();
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn receive(
    slot: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: called by the executor with the receiver that it was given, and a slot that holds a row;
    // once all attributes are there, both arrays have a member for each.
    unsafe {
        let natts = (*(*slot).tts_tupleDescriptor).natts;
        if i32::from((*slot).tts_nvalid) < natts {
            pg_sys::slot_getsomeattrs_int(slot, natts);
        }
        let receiver = &mut *receiver.cast::<Receiver>();
        (receiver.show)(&Values::new(
            std::slice::from_raw_parts((*slot).tts_values, natts as usize),
            std::slice::from_raw_parts((*slot).tts_isnull, natts as usize),
            (*slot).tts_tupleDescriptor,
        ));
    }
    true
}

unsafe extern "C-unwind" fn start_up(
    _: *mut pg_sys::DestReceiver,
    _: core::ffi::c_int,
    _: pg_sys::TupleDesc,
) {
}

unsafe extern "C-unwind" fn shut_down(_: *mut pg_sys::DestReceiver) {}
