//! Evidence spines: a decision, the ordered and signed segments that led to it, and what all of that
//! is worth.
//!
//! ```text
//! root_hash  = SHA-256(result_hash of each segment, in order, as text)
//! spine_id   = SHA-256(canonical JSON of [artifact_id, vuln_id, policy_profile_id, root_hash])
//! segment_id = SHA-256(canonical JSON of [spine_id, idx, segment_type, input_hash, result_hash])
//! ```
//!
//! each in 64 lower-case hex digits. A segment's `prev_segment_hash` is the `result_hash` of the one
//! before it, null in the first; `idx` counts from 0.
//!
//! A spine that was not made by us may have for a `spine_id` the SHA-256 of the four texts put together,
//! with or without `sha256:` before it ([`joined_spine_id`]). Then `segment_id` is whatever its builder calls
//! the segment, and `idx` may count from 1. No spine of one sort can be passed off as one of the other
//! without a digest that is the same for both.
//!
//! A segment's envelope ([`crate::dsse`]) signs a
//! payload that [binds](crate::dsse::binds) its `result_hash`.
//!
//! - [`SpineRoot`], [`spine_id`], [`segment_id`]: the formulas.
//! - [`TrustStore`]: the keys that count, and when.
//! - [`judge()`]: one spine's rows held against the formulas and the keys.
//!
//! The formulas commit to neither the verdict nor any time: that those are as they were written, the
//! chain of the tables' changes says.

mod finding;
mod id;
mod judge;
mod report;
mod root;
mod rows;
mod segment;
mod structure;
mod trust;
mod vocabulary;

pub use finding::{Finding, FindingKind};
pub use id::{joined_spine_id, segment_id, spine_id};
pub use judge::judge;
pub use report::{Judgement, SegmentReport, Signer};
pub use root::{SpineError, SpineRoot, parse_digest};
pub use rows::{SegmentRow, SpineRow};
pub use trust::{Standing, TrustStore, TrustedKey};
pub use vocabulary::{SegmentType, Status, Verdict};
