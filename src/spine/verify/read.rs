//! Reading spines and their segments, under the active snapshot and with the caller's rights.

use std::collections::HashMap;
use std::ffi::CString;

use pgrx::{IntoDatum, pg_sys};

use super::stored_spine::{Cached, Segment, Spine, Supersession};
use crate::error::Failure;
use crate::ledger::foreign_code::{self, Use};
use crate::pg::arena::DatumArena;
use crate::pg::receiver::for_each_row;
use crate::pg::values::Values;

/// The tables of one schema of spines.
pub struct Tables {
    /// The schema's name, quoted where it must be.
    schema: String,
    /// proof_spines
    pub spines: pg_sys::Oid,
    /// proof_segments
    pub segments: pg_sys::Oid,
    /// proof_spine_verification_cache
    pub cache: pg_sys::Oid,
}

impl Tables {
    /// Finds them; an ERROR (42P01) if one is not there, or has code of others on it (42501) that would run
    /// with the caller's rights.
    pub fn find(schema: &str) -> Tables {
        let quoted = pgrx::spi::quote_identifier(schema);
        let find = |table: &str| {
            let name = format!("{quoted}.{table}");
            let mut arena = DatumArena::default();
            let argument = (pg_sys::TEXTOID, arena.varlena(name.as_bytes()));
            let mut found = None;
            for_each_row(
                c"SELECT pg_catalog.to_regclass($1)::pg_catalog.oid",
                &[argument],
                &mut |row| found = row.oid(0),
            );
            found.unwrap_or_else(|| {
                Failure::UnknownTable.raise(
                    format!("there is no table {name}"),
                    format!("make the tables of spines with create_proof_spine_schema('{schema}'), or name the schema that has them"),
                )
            })
        };
        let tables = Tables {
            spines: find("proof_spines"),
            segments: find("proof_segments"),
            cache: find("proof_spine_verification_cache"),
            schema: quoted,
        };
        for oid in [tables.spines, tables.segments, tables.cache] {
            foreign_code::expect_none_for_caller(oid, Use::Read);
        }
        tables
    }

    /// A statement about these tables: `{}` stands for their schema.
    pub fn statement(&self, template: &str) -> String {
        template.replace("{}", &self.schema)
    }

    /// Ids of the spines that meet a condition of the caller's, in order; all of them if there is none.
    pub fn ids(&self, condition: Option<&str>) -> Vec<String> {
        let condition = condition.map(|text| format!(" WHERE ({text}\n)"));
        let query = self.statement("SELECT spine_id::text FROM ONLY {}.proof_spines AS spine")
            + condition.as_deref().unwrap_or_default()
            + " ORDER BY spine_id";
        let mut ids = Vec::new();
        select(&query, None, &mut |row| ids.push(row.text(0)));
        ids
    }

    /// Ids of all segments of some spines.
    pub fn segment_ids(&self, spines: &[String]) -> Vec<String> {
        let query = self.statement(
            "SELECT segment_id::text FROM ONLY {}.proof_segments WHERE spine_id::text = ANY ($1)",
        );
        let mut ids = Vec::new();
        select(&query, Some(spines), &mut |row| ids.push(row.text(0)));
        ids
    }

    /// The spines of these ids that there are. Each is looked up by index, however few the planner takes
    /// the rows of the tables to be.
    pub fn read(&self, ids: &[String]) -> Vec<Spine> {
        let query = self.statement(
            "SELECT s.spine_id::text, s.artifact_id::text, s.vuln_id::text, s.policy_profile_id::text, \
                    s.verdict::text, s.root_hash::text, s.segment_count::integer, s.superseded_by_spine_id::text, \
                    c.all_segments_valid::boolean, c.evidence_digest::bytea, \
                    CASE WHEN s.superseded_by_spine_id IS NOT NULL THEN ( \
                        SELECT (t.artifact_id, t.vuln_id, t.policy_profile_id) = (s.artifact_id, s.vuln_id, s.policy_profile_id) \
                        FROM ONLY {}.proof_spines AS t WHERE t.spine_id = s.superseded_by_spine_id) END, \
                    s.superseded_by_spine_id IS NULL OR EXISTS ( \
                        SELECT FROM ONLY {}.proof_spines AS t \
                        WHERE (t.artifact_id, t.vuln_id, t.policy_profile_id) = (s.artifact_id, s.vuln_id, s.policy_profile_id) \
                          AND t.superseded_by_spine_id IS NULL) \
             FROM unnest($1) AS wanted (id) \
             CROSS JOIN LATERAL (SELECT * FROM ONLY {}.proof_spines WHERE spine_id = id OFFSET 0) AS s \
             LEFT JOIN LATERAL (SELECT * FROM ONLY {}.proof_spine_verification_cache WHERE spine_id = id OFFSET 0) AS c \
                    ON true",
        );
        let mut spines: Vec<Spine> = Vec::with_capacity(ids.len());
        select(&query, Some(ids), &mut |row| {
            spines.push(Spine {
                spine_id: row.text(0),
                artifact_id: row.text(1),
                vuln_id: row.text(2),
                policy_profile_id: row.text(3),
                verdict: row.text(4),
                root_hash: row.text(5),
                segment_count: row.integer(6),
                superseded_by: row.optional(7).map(|by| Supersession {
                    by,
                    same_decision: row.0.bool(10),
                    leads_on: row.0.bool(11).unwrap_or(false),
                }),
                cached: row.0.bool(8).map(|all_segments_valid| Cached {
                    all_segments_valid,
                    evidence_digest: row.0.bytes(9),
                }),
                segments: Vec::new(),
            });
        });
        let places: HashMap<String, usize> = spines
            .iter()
            .enumerate()
            .map(|(at, spine)| (spine.spine_id.clone(), at))
            .collect();
        let query = self.statement(
            "SELECT spine_id::text, segment_id::text, idx::integer, segment_type::text, input_hash::text, \
                    result_hash::text, prev_segment_hash::text, envelope_json::text, status::text, \
                    created_at_utc::timestamptz \
             FROM unnest($1) AS wanted (id) \
             CROSS JOIN LATERAL (SELECT * FROM ONLY {}.proof_segments WHERE spine_id = id OFFSET 0) AS s",
        );
        select(&query, Some(ids), &mut |row| {
            let Some(at) = places.get(&row.text(0)) else {
                return;
            };
            spines[*at].segments.push(Segment {
                segment_id: row.text(1),
                idx: row.integer(2),
                segment_type: row.text(3),
                input_hash: row.text(4),
                result_hash: row.text(5),
                prev_segment_hash: row.optional(6),
                envelope: row.text(7).into_bytes(),
                status: row.text(8),
                created_at: row.0.int8(9).unwrap_or(0),
            });
        });
        for spine in &mut spines {
            let place = |segment: &Segment| (segment.idx, segment.segment_id.clone());
            spine.segments.sort_by_cached_key(place);
        }
        spines
    }
}

/// A row of a query.
struct Row<'a>(&'a Values<'a>);

impl Row<'_> {
    fn optional(&self, at: usize) -> Option<String> {
        self.0.text(at)
    }

    fn text(&self, at: usize) -> String {
        self.optional(at).unwrap_or_default()
    }

    fn integer(&self, at: usize) -> i32 {
        self.0.int4(at).unwrap_or(0)
    }
}

/// Runs a query, with an array of texts as its argument if it has one.
fn select(query: &str, texts: Option<&[String]>, show: &mut dyn FnMut(Row<'_>)) {
    let query = CString::new(query).unwrap_or_else(|_| {
        Failure::InvalidValue.raise("the condition holds a zero byte", "leave it out")
    });
    let array = texts.and_then(|texts| texts.to_vec().into_datum());
    let arguments: Vec<_> = array
        .map(|array| (pg_sys::TEXTARRAYOID, array))
        .into_iter()
        .collect();
    for_each_row(&query, &arguments, &mut |values| show(Row(values)));
}
