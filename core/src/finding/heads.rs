//! Layer `heads`: `publication_findings()`, `publication_file_findings()`.

super::kinds! {
    /// What can come of comparing published heads with the database.
    HeadKind in Heads {
        HeadTruncated = Critical "head_truncated":
            "The lane ends before the published position: its last entries were removed.",
            "Take the missing entries from a backup or a standby, up to the published position.";
        LaneMissing = Critical "lane_missing":
            "The chain exists, but the published lane has no entries.",
            "Take the entries of the lane from a backup or a standby.";
        ChainMissing = Critical "chain_missing":
            "There is no chain of the published name.",
            "Restore the chain from a backup, and find out who could delete from auditspine.chain.";
        HistoryRewritten = Critical "history_rewritten":
            "The entry at the published position is not the published one.",
            "Keep the published lines as evidence, and compare the lane with a backup from before the publication.";
        DatabaseRestored = Critical "database_restored":
            "The database as a whole is older than the publication, or continued from an older state.",
            "If it was restored from a backup, document that and publish again; if not, find out who replaced it.";
        HistoryBeganAnew = Critical "history_began_anew":
            "No entry is as old as the publication: this is another history than the published one.",
            "Check that the lines are of this database, and find out whether the extension was dropped and created again.";
        Unordered = Critical "unordered":
            "The published lines contradict each other: a lane goes backwards, or has two entries at one position.",
            "Treat the published lines as tampered with, and compare them with another copy.";
        Malformed = Critical "malformed":
            "The line is not a published head.",
            "Compare the line with another copy of the published heads, and find out who edited the file.";
        LineCutShort = Notice "line_cut_short":
            "The line is only the beginning of a published head, because writing it was interrupted.",
            "Nothing is needed; publish again if the last publication failed.";
        AheadOfStandby = Notice "ahead_of_standby":
            "This standby has not yet replayed the published entry.",
            "Verify again once the standby has caught up, or verify on the primary.";
    }
}
