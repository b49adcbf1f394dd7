//! Building a spine: what is derived of its segments, and how it takes the place of the current one.
//!
//! # Builders at the same time
//!
//! Of the spines that are made here (`managed`), a decision has one current one, by a unique index; those that
//! others have written are superseded with it. One statement makes room (the current spine is superseded by the
//! new one, whose id is known) and inserts, so whoever comes second waits for the first, on the row or on the
//! index, and then:
//!
//! - at READ COMMITTED finds nothing changed by its statement, looks again and starts anew from what is
//!   current now;
//! - at REPEATABLE READ and SERIALIZABLE gets 40001, since its snapshot does not show that.
//!
//! There is no lock on a decision's name: a transaction that builds 10,000 spines would need 10,000 of
//! them, more than PostgreSQL's lock table has room for by default.

mod input;

use pgrx::{IntoDatum, pg_sys};

pub use self::input::{Decision, Outcome, expect_text, expect_verdict};
use self::input::{Derived, derive};
use crate::error::Failure;
use crate::ledger::foreign_code::{self, Use};
use crate::ledger::text_rows::{Texts, query, text_arguments, texts};
use crate::pg::arena::DatumArena;
use crate::pg::sqltypes::JsonbArg;
use crate::pg::{saved_plans, snapshot};

/// Of the same evidence, be it that somebody else has written it under another id.
const SPINE: &str = "
    SELECT spine_id::text, verdict::text, verdict_reason::text, superseded_by_spine_id::text
    FROM {}.proof_spines
    WHERE spine_id = $1 OR (artifact_id, vuln_id, policy_profile_id, root_hash) = ($2, $3, $4, $5)
    ORDER BY spine_id <> $1 LIMIT 1";
const SEGMENTS: &str = "
    SELECT segment_id::text FROM {}.proof_segments WHERE spine_id = $1 ORDER BY idx";
const CURRENT: &str = "
    SELECT spine_id::text FROM {}.proof_spines
    WHERE artifact_id = $1 AND vuln_id = $2 AND policy_profile_id = $3 AND superseded_by_spine_id IS NULL
    ORDER BY created_at_utc DESC, spine_id";
/// In one statement, so that constraints which are not deferred see it whole.
const BUILD: &str = "
    WITH old AS (
        UPDATE {}.proof_spines SET superseded_by_spine_id = $1
        WHERE spine_id = ANY ($9) AND superseded_by_spine_id IS NULL
        RETURNING spine_id),
    spine AS (
        INSERT INTO {}.proof_spines (spine_id, artifact_id, vuln_id, policy_profile_id, verdict, verdict_reason,
                                     root_hash, scan_run_id, managed)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, true WHERE (SELECT count(*) FROM old) = cardinality($9)
        ON CONFLICT DO NOTHING
        RETURNING spine_id),
    segments AS (
        INSERT INTO {}.proof_segments (segment_id, spine_id, idx, segment_type, input_hash, result_hash,
                                       prev_segment_hash, envelope_json, tool_id, tool_version)
        SELECT i.segment_id, spine.spine_id, (i.place - 1)::integer, i.segment ->> 'segment_type',
               i.segment ->> 'input_hash', i.segment ->> 'result_hash',
               lag(i.segment ->> 'result_hash') OVER (ORDER BY i.place), i.segment ->> 'envelope_json',
               i.segment ->> 'tool_id', i.segment ->> 'tool_version'
        FROM spine
        CROSS JOIN ROWS FROM (unnest($10), jsonb_array_elements($11))
                   WITH ORDINALITY AS i (segment_id, segment, place)
        RETURNING segment_id)
    SELECT count(*)::text, (SELECT spine_id::text FROM spine) FROM old";

/// The tables that it writes, in one order.
const OIDS: &str = "
    SELECT c.oid::text FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = $1 AND c.relname IN ('proof_spines', 'proof_segments') ORDER BY c.relname DESC";

/// Tries before it is given up: each was lost to a builder that committed.
const TRIES: u32 = 1000;

/// Writes the spine with its segments and answers its id; answers only that if it is there already.
/// Everything is done with the caller's rights.
pub fn build(schema: &str, decision: &Decision, outcome: &Outcome, segments: &JsonbArg) -> String {
    let derived = derive(decision, &segments.0);
    let tables = Tables::find(schema);
    for _ in 0..TRIES {
        pgrx::check_for_interrupts!();
        let current = tables.current(decision);
        if let Some(there) = tables.spine(decision, &derived) {
            tables.expect_same(&derived, outcome, &there);
            let id = there[0].clone().unwrap_or_default();
            tell(schema, &id, &there, current.first());
            return id;
        }
        match tables.insert(decision, outcome, &derived, segments, &current) {
            Inserted::Yes => return derived.spine_id,
            Inserted::No if !snapshot::is_kept() => {}
            _ => break,
        }
    }
    Failure::DecisionChanged.raise(
        format!(
            "another transaction changed the current spine of (\"{}\", \"{}\", \"{}\") meanwhile",
            decision.artifact_id, decision.vuln_id, decision.policy_profile_id
        ),
        "run the transaction again",
    )
}

/// What became of an attempt.
enum Inserted {
    Yes,
    /// Others came first, and nothing was done.
    No,
    /// Of several current spines, some were superseded and others not: that cannot stay.
    InPart,
}

fn tell(schema: &str, id: &str, there: &Texts, current: Option<&String>) {
    if there[3].is_none() {
        pgrx::notice!("spine {id} is in schema {schema} already");
    } else {
        pgrx::notice!(
            "spine {id} is in schema {schema} already, and was superseded; the current one is {}",
            current.map_or("none", String::as_str)
        );
    }
}

/// The tables of one schema.
struct Tables {
    /// The schema, quoted where it must be.
    quoted: String,
}

impl Tables {
    /// Raises 3F000 if there is no such schema, 42P01 if it has not the tables.
    fn find(schema: &str) -> Tables {
        const FOUND: &str = "
            SELECT (n.oid IS NOT NULL)::text, string_agg(t.name, ', ') FILTER (WHERE c.oid IS NULL)
            FROM (VALUES ('proof_spines'), ('proof_segments')) AS t (name)
            LEFT JOIN pg_namespace AS n ON n.nspname = $1
            LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.name
            GROUP BY n.oid";
        let hint = || {
            format!(
                "create the tables of spines with create_proof_spine_schema({}), or name the schema that has them",
                pgrx::spi::quote_literal(schema)
            )
        };
        let found = query(FOUND, &[Some(schema)]);
        match found.first().map(Vec::as_slice) {
            Some([Some(there), None]) if there == "true" => {}
            Some([Some(there), Some(missing)]) if there == "true" => Failure::UnknownTable
                .raise(format!("schema {schema} has no table {missing}"), hint()),
            _ => Failure::UnknownSchema.raise(format!("there is no schema {schema:.100}"), hint()),
        }
        let tables = Tables {
            quoted: pgrx::spi::quote_identifier(schema),
        };
        // Written with the caller's rights.
        for oid in tables
            .query(OIDS, &[Some(schema)])
            .iter()
            .flatten()
            .flatten()
        {
            let oid = pg_sys::Oid::from(oid.parse::<u32>().unwrap_or_default());
            foreign_code::expect_none_for_caller(oid, Use::Write);
        }
        tables
    }

    fn query(&self, statement: &str, arguments: &[Option<&str>]) -> Vec<Texts> {
        query(&statement.replace("{}", &self.quoted), arguments)
    }

    /// The spine of this evidence.
    fn spine(&self, decision: &Decision, derived: &Derived) -> Option<Texts> {
        let arguments = [
            Some(&*derived.spine_id),
            Some(&*decision.artifact_id),
            Some(&*decision.vuln_id),
            Some(&*decision.policy_profile_id),
            Some(&*derived.root_hash),
        ];
        self.query(SPINE, &arguments).into_iter().next()
    }

    /// The current spines of a decision, the newest first: one, unless somebody else has written further ones.
    fn current(&self, decision: &Decision) -> Vec<String> {
        let arguments = [
            Some(&*decision.artifact_id),
            Some(&*decision.vuln_id),
            Some(&*decision.policy_profile_id),
        ];
        self.query(CURRENT, &arguments)
            .into_iter()
            .flatten()
            .flatten()
            .collect()
    }

    /// Raises 23000 if a spine of the same root says something else.
    fn expect_same(&self, derived: &Derived, outcome: &Outcome, there: &Texts) {
        let id = there[0].as_deref().unwrap_or_default();
        let verdict = there[1].as_deref().unwrap_or_default();
        if verdict != outcome.verdict || there[2] != outcome.verdict_reason {
            let says = |verdict: &str, reason: Option<&str>| match reason {
                Some(reason) => format!("{verdict} (\"{reason:.200}\")"),
                None => format!("{verdict} (no reason)"),
            };
            Failure::SpineDiffers.raise(
                format!(
                    "spine {id} of this evidence is there with verdict {}, not {}",
                    says(verdict, there[2].as_deref()),
                    says(&outcome.verdict, outcome.verdict_reason.as_deref())
                ),
                "the same evidence gives the same verdict; another one has evidence of its own, such as \
                 another PolicyEval segment",
            );
        }
        if id != derived.spine_id {
            // Its segments are called as its builder calls them.
            return;
        }
        let segments = self.query(SEGMENTS, &[Some(id)]);
        let stored: Vec<&str> = segments
            .iter()
            .map(|row| row[0].as_deref().unwrap_or_default())
            .collect();
        let differs = derived
            .segment_ids
            .iter()
            .enumerate()
            .find(|(at, wanted)| stored.get(*at) != Some(&wanted.as_str()));
        if let Some((at, wanted)) = differs {
            Failure::SpineDiffers.raise(
                format!(
                    "spine {id} is there with the same results, but segments[{at}] has id {}, not {wanted}",
                    stored.get(at).unwrap_or(&"none")
                ),
                "segment_type and input_hash of that segment, or segments that are missing, make the \
                 difference; see verify_spine()",
            );
        }
    }

    /// Inserts the spine in the place of the current ones, if they are still that.
    fn insert(
        &self,
        decision: &Decision,
        outcome: &Outcome,
        derived: &Derived,
        segments: &JsonbArg,
        current: &[String],
    ) -> Inserted {
        let mut arena = DatumArena::default();
        let mut arguments = text_arguments(
            &[
                Some(&derived.spine_id),
                Some(&decision.artifact_id),
                Some(&decision.vuln_id),
                Some(&decision.policy_profile_id),
                Some(&outcome.verdict),
                outcome.verdict_reason.as_deref(),
                Some(&derived.root_hash),
                Some(&outcome.scan_run_id),
            ],
            &mut arena,
        );
        for texts in [current, &derived.segment_ids] {
            arguments.push((pg_sys::TEXTARRAYOID, texts.to_vec().into_datum()));
        }
        arguments.push((pg_sys::JSONBOID, Some(segments.datum())));
        let mut inserted = Vec::new();
        saved_plans::run(&BUILD.replace("{}", &self.quoted), &arguments, |row| {
            inserted.push(texts(row))
        });
        match inserted.first().map(Vec::as_slice) {
            Some([_, Some(_)]) => Inserted::Yes,
            Some([Some(superseded), _]) if superseded != "0" => Inserted::InPart,
            _ => Inserted::No,
        }
    }
}
