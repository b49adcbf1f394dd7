//! Functions that PostgreSQL calls with its raw calling convention, one file a topic: their arguments, and what they
//! call.

mod adopted;
mod backfill;
mod canonical;
mod chain;
mod publish;
mod rows;
mod spine;
mod spine_triggers;
