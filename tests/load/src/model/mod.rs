//! Random programs against a server, and beside them a model of what was legitimately done. The verdict of the
//! verifiers, the histories of rows and the model must agree.
//!
//! - [`features`]: what programs may be made of; [`types`]: types of columns and their values.
//! - [`picture`]: the tables as the one who writes a program sees them; [`dml`], [`ddl`], `columns`, `surroundings`,
//!   [`attack`]: statements.
//! - [`program`]: a list of steps, drawn from a seed, and as a script for psql.
//! - [`observe`]: what is in the tables, read as text without the extension; [`state`], `effects`, `converted`:
//!   what that makes of the record.
//! - [`expect`]: what the verifiers must say; [`run`], `attempt`, `compare`: programs run; [`shrink`]: the shortest
//!   that still fails.
//!
//! The model predicts nothing. It looks at the tables before and after each statement and books what has become of
//! each row, whatever the statement was; a statement that fails has done nothing. So any part of a program is a
//! program, which is what makes it possible to shorten one.

pub mod attack;
mod attempt;
mod columns;
mod compare;
mod converted;
pub mod ddl;
pub mod dml;
mod effects;
pub mod expect;
pub mod features;
pub mod observe;
pub mod picture;
pub mod program;
pub mod run;
pub mod shrink;
pub mod state;
mod surroundings;
pub mod types;
