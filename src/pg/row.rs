//! stub
use pgrx::pg_sys;
use auditspine_core::hash::Sink;
/// stub
#[derive(Default)]
pub struct DeformedRow { values: Vec<pg_sys::Datum>, nulls: Vec<bool> }
impl DeformedRow { pub unsafe fn load(&mut self, t: pg_sys::HeapTuple, d: pg_sys::TupleDesc) {
 unsafe { let n=(*d).natts as usize; self.values.resize(n, pg_sys::Datum::from(0usize)); self.nulls.resize(n,false);
 pg_sys::heap_deform_tuple(t,d,self.values.as_mut_ptr(),self.nulls.as_mut_ptr()); } }
 pub fn is_null(&self, c: i16) -> bool { self.nulls[c as usize-1] } }
/// stub
pub struct RowLayout;
impl RowLayout { pub unsafe fn new(_d: pg_sys::TupleDesc, _e: &[i16]) -> RowLayout { RowLayout }
 pub fn write<S: Sink>(&self, r: &DeformedRow, out: &mut S) { out.put(format!("{:?}", r.values).as_bytes()); } }
pub fn write_key_text<S: Sink>(c: i16, r: &DeformedRow, out: &mut S) { out.put(r.values[c as usize-1].value().to_string().as_bytes()); }
