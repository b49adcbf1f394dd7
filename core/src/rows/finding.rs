//! What a verification of rows tells.

/// Kinds of finding about the rows of a table, and about how it is audited. The labels are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RowFindingKind {
    /// The row is not what its last entry recorded.
    RowEdited,
    /// The last entry says that there is a row, and there is none.
    RowDeleted,
    /// There is a row, and no entry that says so.
    RowUnrecorded,
    /// The row's hash cannot be computed as it was then: columns are gone or have another type.
    RowUnverifiable,
    /// A trigger that records changes is disabled.
    TriggerDisabled,
    /// A trigger that records changes is not there.
    TriggerMissing,
    /// A trigger is not as it was declared when the table was attached.
    TriggerAltered,
    /// Rows that are read through the table are stored in a child whose changes are not recorded.
    ChildUnaudited,
    /// Another table, which is not audited, has taken the name that this one was attached under.
    TableSwapped,
    /// Another table's changes are recorded under the same kind.
    KindShared,
    /// The entry that tells a column layout was altered.
    LayoutAltered,
    /// Entries name a column layout that no entry tells.
    LayoutMissing,
    /// An entry of the system's own about this table was altered.
    RecordAltered,
    /// An entry's number tells another order than that in which it was linked.
    OrderDisputed,
}

impl RowFindingKind {
    /// Stable name, in snake case.
    pub fn label(self) -> &'static str {
        match self {
            RowFindingKind::RowEdited => "row_edited",
            RowFindingKind::RowDeleted => "row_deleted",
            RowFindingKind::RowUnrecorded => "row_unrecorded",
            RowFindingKind::RowUnverifiable => "row_unverifiable",
            RowFindingKind::TriggerDisabled => "trigger_disabled",
            RowFindingKind::TriggerMissing => "trigger_missing",
            RowFindingKind::TriggerAltered => "trigger_altered",
            RowFindingKind::ChildUnaudited => "child_unaudited",
            RowFindingKind::TableSwapped => "table_swapped",
            RowFindingKind::KindShared => "kind_shared",
            RowFindingKind::LayoutAltered => "layout_altered",
            RowFindingKind::LayoutMissing => "layout_missing",
            RowFindingKind::RecordAltered => "record_altered",
            RowFindingKind::OrderDisputed => "order_disputed",
        }
    }

    /// Whether it speaks against the table: what cannot be verified does not.
    pub fn is_bad(self) -> bool {
        self != RowFindingKind::RowUnverifiable
    }
}
