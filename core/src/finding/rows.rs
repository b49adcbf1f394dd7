//! Layer `rows`: `verify_table()`, `verify_table_findings()`.

super::kinds! {
    /// What can be wrong with the rows of an audited table, and with how it is audited.
    RowKind in Rows {
        RowEdited = Critical "row_edited":
            "The row is not what its last entry recorded.",
            "Compare the recorded with the current values, and write the right ones with an ordinary, audited UPDATE.";
        RowDeleted = Critical "row_deleted":
            "The last entry of the row records that it exists, and it does not.",
            "Insert the row again, from the recorded payload or a backup.";
        RowUnrecorded = Critical "row_unrecorded":
            "The row exists, and no entry records it or the last one records that it was deleted.",
            "Find out who wrote the row without the trigger; delete it, or record it with audit_backfill() if it is meant to be there.";
        RowUnverifiable = Notice "row_unverifiable":
            "Columns under which the row was recorded were dropped, retyped or computed anew, so it cannot be compared in full.",
            "Nothing is needed; the next change of the row records it under the current columns.";
        ColumnUnwatched = Notice "column_unwatched":
            "No entry covers the column in some rows: it was added or left out, and what it held then is not recorded.",
            "Compare the column with a backup if it matters; the next change of each row records it.";
        KeyChanged = Notice "key_changed":
            "The table's key has changed, and the rows that were recorded last before cannot all be told by their present columns.",
            "Look at the rows, then call audit_rebaseline(), which verifies what can be verified and records each row under the present key.";
        TriggerDisabled = Critical "trigger_disabled":
            "A trigger that records changes is disabled.",
            "Enable it with ALTER TABLE ... ENABLE ALWAYS TRIGGER, then verify the rows that changed meanwhile.";
        TriggerMissing = Critical "trigger_missing":
            "A trigger that the table should have is not there, although the table was never detached.",
            "Call audit_attach() with the options of the last attach entry, then verify the rows.";
        TriggerAltered = Critical "trigger_altered":
            "A trigger differs from what was declared when the table was attached.",
            "Call audit_attach() with the options that are meant, and find out who altered the trigger.";
        ChildUnaudited = Critical "child_unaudited":
            "Rows that are read through the table are stored in a child table whose changes are not recorded.",
            "Attach the child table with audit_attach().";
        TableSwapped = Critical "table_swapped":
            "Another table, which is not audited, has the name under which this one was attached.",
            "Find out which table applications use, and give the audited table its name back.";
        KindShared = Critical "kind_shared":
            "The trigger of another table records under the same kind, so their rows cannot be told apart.",
            "Attach one of the tables under a kind of its own.";
        LayoutAltered = Critical "layout_altered":
            "The entry that records a column layout was altered.",
            "Look at the finding of layer links for that entry; rows of the layout cannot be verified until it is restored.";
        LayoutMissing = Critical "layout_missing":
            "Entries refer to a column layout that no entry records.",
            "Restore the entry of kind auditspine.layout from a backup.";
        RecordAltered = Critical "record_altered":
            "An entry that auditspine wrote about the table, such as a TRUNCATE or a detached partition, was altered.",
            "Look at the finding of layer links for that entry, and restore it from a backup.";
        OrderDisputed = Critical "order_disputed":
            "The seq of an entry gives another order than the one in which the entries were linked.",
            "Look at the finding of layer links for that entry; the entry linked last counts as the last of the row.";
        TableMissing = Critical "table_missing":
            "Entries record that the table is audited, and it does not exist.",
            "Restore the table; if it was dropped on purpose, record that with audit_detach_kind().";
        EndedNotInOrder = Critical "ended_not_in_order":
            "Auditing of the kind ended while its rows were not as recorded, or could not be verified.",
            "Find out what was wrong with the rows; if the end was meant, record that with audit_detach_kind().";
    }
}
