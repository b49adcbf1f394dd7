//! What the multi-process tests share: servers, clients that remember what they committed, and
//! checks of the result that do not rely on auditspine's own verifiers.
//!
//! The tests need a running PostgreSQL with the extension installed (`PGHOST`, `PGPORT`, `PGUSER`,
//! `AUDITSPINE_PGBIN`); those that stop, kill or copy a server make their own with the script named
//! by `AUDITSPINE_PGCTL`. `make test` sets all of it.
//!
//! - [`server`]: connections and databases; [`scratch`]: servers of the test's own.
//! - [`item`]: the audited table; [`session`]: one client, its transactions and savepoints; [`mix`]: the mixed load.
//! - [`zerotrace`]: a blueprint of many tenants, and what is done in it.
//! - [`model`]: random programs and what they must have recorded.
//! - [`ledger`]: what a client committed; [`check`]: the ledger and the chain held together.

#![forbid(unsafe_code)]

pub mod check;
pub mod item;
pub mod ledger;
pub mod mix;
pub mod model;
pub mod publication;
pub mod rng;
pub mod scratch;
pub mod server;
pub mod session;
pub mod zerotrace;
