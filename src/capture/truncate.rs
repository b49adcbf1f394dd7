//! A TRUNCATE becomes a pending event, ahead of what was told of the emptied table before the trigger fired.

use std::collections::HashSet;

use auditspine_core::hash::Hash;
use pgrx::pg_sys;

use crate::capture::audited::triggers;
use crate::capture::declaration::{self, ChainOf};
use crate::capture::existing_rows::record_rows;
use crate::capture::layouts;
use crate::capture::row_spec::kind_of;
use crate::capture::trigger::spec_of;
use crate::ledger::attribution;
use crate::ledger::buffer::{self, Buffer, Fields, NameId};
use crate::ledger::{chains, flush};
use crate::pg::relation::OpenRelation;
use crate::pg::row_version::{VersionReader, file_of};
use crate::pg::table::ancestors;
use crate::pg::trigger_call::Call;
use crate::settings;

/// Records the TRUNCATE that fired the trigger.
pub fn capture(call: &Call<'_>) {
    let declaration = declaration::parse(&call.arguments());
    let relation = call.relation();
    let kind = kind_of(&relation, &declaration);
    let kind = buffer::intern(kind.as_bytes());
    let chain = match &declaration.chain {
        ChainOf::Named(name) => name.as_bytes(),
        // No row says whose chain it is.
        ChainOf::By(_) => chains::MAIN,
    };
    chains::expect_operators(chain);
    let table = relation.qualified_name();
    // Of a partition only those rows are gone that lived in it: their layouts tell.
    let payload = relation.is_partition().then(|| {
        let ids: Vec<String> = layouts::of_relation(relation.oid())
            .iter()
            .map(i32::to_string)
            .collect();
        format!("{{\"layouts\":[{}]}}", ids.join(",")).into_bytes()
    });
    let fields = Fields {
        chain: buffer::intern(chain),
        creates_chain: false,
        kind,
        op: b'T',
        attribution: attribution::current(),
        layout: None,
        payload_hash: Hash::of(payload.as_deref().unwrap_or(b"null")),
    };
    let since = told_since_emptied(&relation, kind);
    buffer::with_mut(|buffer| {
        let emptied = (relation.oid(), since);
        buffer.push_emptied(fields, emptied, Some(&table), payload.as_deref());
    });
    if buffer::with(Buffer::has_flushed) {
        tell_linked(&relation, kind, since);
    }
    flush::flush_if_due(settings::buffer_bytes());
}

/// How many of the last pending events came since a table was emptied, which is told only now: another
/// trigger has fired first, and inserted rows. What was changed before left nothing in the table's file.
fn told_since_emptied(table: &OpenRelation, kind: NameId) -> usize {
    let mut since = 0;
    for passed in 0.. {
        let next = buffer::with(|buffer| {
            let event = buffer.pending().iter().nth_back(passed)?;
            // A TRUNCATE of another partition came with this one's.
            let counts = event.fields.kind == kind && event.fields.op != b'T';
            Some(counts.then(|| buffer.change(event)))
        });
        let (change, origin) = match next {
            None | Some(Some(None)) => break,
            Some(None) => continue,
            Some(Some(Some(told))) => told,
        };
        if origin.relation != table.oid() && !ancestors(origin.relation).contains(&table.oid()) {
            continue;
        }
        let is_there = OpenRelation::if_exists(origin.relation, pg_sys::AccessShareLock)
            .filter(|leaf| file_of(leaf) == origin.file)
            .is_some_and(|leaf| VersionReader::new(&leaf).holds(&change));
        if !is_there {
            break;
        }
        since = passed + 1;
    }
    since
}

/// Tells again of rows that came since a table was emptied and that are linked already, ahead of the entry of
/// the TRUNCATE: whatever the table has now came since. `since` is how many of the events before it tell of
/// such rows.
fn tell_linked(table: &OpenRelation, kind: NameId, since: usize) {
    if !table.is_heap() || table.pages() == 0 {
        return;
    }
    let spec = triggers(table)
        .into_iter()
        .filter(|trigger| trigger.on_every_change)
        .filter_map(|trigger| spec_of(trigger.oid, table))
        .find(|spec| spec.kind == kind);
    let Some(spec) = spec else { return };
    let told: HashSet<Vec<u8>> = buffer::with(|buffer| {
        let before = buffer.pending().iter().rev().skip(1).take(since);
        before
            .filter(|event| event.fields.kind == kind)
            .filter_map(|event| buffer.pk(event).map(<[u8]>::to_vec))
            .collect()
    });
    record_rows(table, &spec, |key, _| (!told.contains(key)).then_some(b'I'));
}
