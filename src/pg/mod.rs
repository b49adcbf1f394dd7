//! Everything unsafe: PostgreSQL's heap, indexes, locks, snapshots and binary formats, each behind a
//! safe face. The one place of the extension that may be unsafe.

#![allow(unsafe_code)]

pub mod aggregate;
pub mod arena;
pub mod builtin;
pub mod callbacks;
pub mod char_filter;
pub mod clock;
pub mod columns_before;
pub mod compat;
pub mod ddl;
pub mod extension;
pub mod formed_rows;
pub mod heap;
pub mod index_lookup;
mod index_page;
pub mod index_scan;
pub mod insert;
mod leaf_append;
pub mod lock;
pub mod memory;
pub mod owned_value;
pub mod privilege;
pub mod query;
pub mod raw;
pub mod receiver;
pub mod registry;
pub mod relation;
pub mod result_rows;
pub mod row_json;
pub mod row_lock;
pub mod row_version;
pub mod saved_plans;
pub mod sequence;
pub mod server_file;
pub mod session;
pub mod sha256;
pub mod shape;
pub mod shared_memory;
pub mod snapshot;
pub mod spill;
pub mod sql_function;
pub mod sqltypes;
pub mod subtransaction;
pub mod table;
pub mod target;
pub mod transaction;
pub mod trigger;
pub mod trigger_call;
pub mod tuple_batch;
pub mod type_order;
pub mod values;
pub mod varlena;
pub mod wal;
pub mod worker_pool;
