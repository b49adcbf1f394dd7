//! The catalogue of findings. SQL: sql/findings.sql.

use ::pgrx::prelude::*;
use auditspine_core::finding::catalogue;

/// What the view auditspine.finding_kind shows.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn finding_kinds() -> TableIterator<
    'static,
    (
        name!(layer, &'static str),
        name!(finding, &'static str),
        name!(severity, &'static str),
        name!(meaning, &'static str),
        name!(action, &'static str),
    ),
> {
    TableIterator::new(catalogue().map(|kind| {
        (
            kind.layer.label(),
            kind.label,
            kind.severity.label(),
            kind.meaning,
            kind.action,
        )
    }))
}
