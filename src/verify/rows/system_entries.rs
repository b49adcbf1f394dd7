//! What entries of the system tell about a table beside its rows: what was taken away, and layouts.

use std::collections::HashSet;

use auditspine_core::rows::{Removals, RowFindingKind};

use crate::capture::layouts::KIND as LAYOUT_KIND;
use crate::verify::rows::entries;
use crate::verify::rows::judge::Judge;
use crate::verify::rows::recorded::Recorded;
use crate::verify::rows::report::Finding;
use crate::verify::rows::target::Target;

/// What TRUNCATEs and detached partitions took away.
pub fn removals(
    target: &Target,
    recorded: &Recorded,
    pass: &entries::Pass,
    judge: &mut Judge<'_>,
) -> Removals {
    let mut altered = Vec::new();
    let mut removals = entries::removals(&pass.truncated, &mut judge.entries, &mut altered);
    for partition in &recorded.partitions {
        if partition.kind == target.kind {
            for layout in &partition.layouts {
                removals.remove_layout(partition.seq, *layout);
            }
        }
    }
    let mut tell = |seq, what: String| {
        (judge.put)(Finding {
            seq: Some(seq),
            ..Finding::of_table(RowFindingKind::RecordAltered, &target.name, what)
        });
    };
    for seq in altered {
        tell(
            seq,
            "the payload of a TRUNCATE's entry is not what its hash says".to_owned(),
        );
    }
    for entry in &recorded.altered {
        if entry.event_kind != LAYOUT_KIND && entry.event_pk == target.kind {
            tell(
                entry.seq,
                format!("entry of kind {}: {}", entry.event_kind, entry.what),
            );
        }
    }
    removals
}

/// Layouts that entries name and no entry tells, or none that can be trusted.
pub fn tell_lost_layouts(
    target: &Target,
    recorded: &Recorded,
    pass: &entries::Pass,
    judge: &mut Judge<'_>,
) {
    let mut told = HashSet::new();
    for (id, first) in &pass.layouts {
        if judge.layouts.get(*id).is_some() || !told.insert(*id) {
            continue;
        }
        let pk = id.to_string();
        let altered = recorded
            .altered
            .iter()
            .find(|entry| entry.event_kind == LAYOUT_KIND && entry.event_pk == pk);
        let (kind, seq, what) = match altered {
            Some(entry) => (RowFindingKind::LayoutAltered, entry.seq, entry.what),
            None => (
                RowFindingKind::LayoutMissing,
                *first,
                "no entry tells it, although entries name it",
            ),
        };
        (judge.put)(Finding {
            seq: Some(seq),
            layout: Some(*id),
            ..Finding::of_table(kind, &target.name, format!("layout {id}: {what}"))
        });
    }
}
