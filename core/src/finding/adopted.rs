//! Layer `adopted`: `verify_adopted()`, `adopted_findings()`.

super::kinds! {
    /// What can be wrong with a chain that other software wrote.
    AdoptedKind in Adopted {
        EntryEdited = Critical "entry_edited":
            "The row's chain_hash does not follow from its prev_hash, event_hash and seq.",
            "Compare the row with a backup from before the change.";
        LinkBroken = Critical "link_broken":
            "The row does not continue the one before it: rows were removed, inserted or reordered.",
            "Compare both rows with a backup.";
        EntriesMissing = Critical "entries_missing":
            "The first row continues another one, which is gone.",
            "Take the missing rows from a backup.";
        DuplicateSeq = Critical "duplicate_seq":
            "Two rows have the same seq.",
            "Compare both rows with a backup; only one of them is part of the chain.";
        Malformed = Critical "malformed":
            "A column has a value that no row of a chain can have.",
            "Compare the row with a backup.";
        RowsRemoved = Critical "rows_removed":
            "Part of the chain has fewer rows than when it was adopted.",
            "Take the missing rows from a backup; the detail gives their range of seq.";
        RowsInserted = Critical "rows_inserted":
            "Part of the chain has more rows than when it was adopted.",
            "Compare the range of seq in the detail with a backup, and find out who inserted rows.";
        RowsChanged = Critical "rows_changed":
            "Part of the chain has as many rows as when it was adopted, but with other content.",
            "Compare the range of seq in the detail with a backup.";
        AnchorDamaged = Critical "anchor_damaged":
            "The payload of the entry that anchors the chain is not what was recorded.",
            "Restore the entry from a backup; the table cannot be compared with it until then.";
        TableMissing = Critical "table_missing":
            "There is no table any more of the name under which the chain was adopted.",
            "Restore the table, or give it its name back.";
        ShapeChanged = Critical "shape_changed":
            "The table can no longer be read as a chain: it is another sort of relation, or columns are gone or retyped.",
            "Restore the columns seq, event_hash, prev_hash and chain_hash as they were when the chain was adopted.";
        RowsHidden = Critical "rows_hidden":
            "Row-level security may hide rows of the table from the verification.",
            "Drop the forced policies, or give the owner of the extension BYPASSRLS, and verify again.";
    }
}
