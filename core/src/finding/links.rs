//! Layer `links`: `verify_chain()`, `chain_findings()`.

super::kinds! {
    /// What can be wrong with the entries of chains.
    LinkKind in Links {
        EntryEdited = Critical "entry_edited":
            "A stored column of the entry was changed.",
            "Keep the entry and the evidence of the finding, and take the original from a backup or a standby.";
        PayloadEdited = Critical "payload_edited":
            "The stored payload is not the one that was recorded; the hashes of the entry still commit to the original.",
            "Do not trust the payload; compare it with a backup, whose original must have the recorded payload_hash.";
        PayloadRemoved = Critical "payload_removed":
            "The payload that was kept with the entry is gone, and no entry records that it was erased.",
            "Restore the payload from a backup; if it was erased on purpose, record that with audit_erase().";
        EntryRewritten = Critical "entry_rewritten":
            "The entry was replaced together with its hashes, but its successor commits to another entry.",
            "Compare the entry with a backup or a published head from before the change.";
        EntryMoved = Critical "entry_moved":
            "The entry is not at the place, or does not have the seq, at which it was appended.",
            "Look for entries_missing at the place it came from, and restore the order from a backup.";
        EntryInserted = Critical "entry_inserted":
            "The entry was inserted afterwards: neither neighbour commits to it.",
            "Treat what the entry claims as forged, and find out who could write to auditspine.audit_chain.";
        EntriesMissing = Critical "entries_missing":
            "Entries before this one were removed.",
            "Take the missing entries from a backup or a standby; the neighbours in the evidence give the gap.";
        Fork = Critical "fork":
            "A second entry continues the same predecessor.",
            "Compare both entries with a backup or a published head; only one of them was appended there.";
        Duplicate = Critical "duplicate":
            "The same entry is stored twice.",
            "Check the primary key of auditspine.audit_chain with amcheck, and find out how the copy was written.";
        LinkBroken = Critical "link_broken":
            "The entry does not continue its predecessor, and the hashes do not show which of the two was changed.",
            "Compare both entries with a backup or a published head.";
        SeqOrder = Critical "seq_order":
            "The entry's seq is not above that of its predecessor, although the hashes agree.",
            "Treat this entry and all that follow in the lane as rewritten, and compare them with published heads.";
        UnknownVersion = Critical "unknown_version":
            "This version of auditspine does not know the format of the entry.",
            "Verify with the version of auditspine that wrote the entry; if none did, the entry is forged.";
        UnknownChain = Critical "unknown_chain":
            "The entry's chain_id is not in auditspine.chain.",
            "Restore the chain's row in auditspine.chain from a backup.";
        Malformed = Critical "malformed":
            "A column has a value that no entry can have.",
            "Take the original entry from a backup, and find out who could write to auditspine.audit_chain.";
        HeadMissing = Critical "head_missing":
            "The entry at which an earlier verification ended is gone.",
            "Run verify_all('full'), and compare the end of the lane with published heads.";
        HeadChanged = Critical "head_changed":
            "Another entry stands where an earlier verification ended.",
            "Run verify_all('full'), and compare the entry with a backup or a published head.";
        ChainAltered = Critical "chain_altered":
            "The chain's row in auditspine.chain was altered: its number of lanes is impossible, or its number or name occurs twice.",
            "Restore the row of auditspine.chain from a backup.";
        SeqAhead = Critical "seq_ahead":
            "The entry's seq is beyond the last number that auditspine.audit_seq has drawn.",
            "Find out who set the sequence, and set it above the largest seq of auditspine.audit_chain.";
        SeqDisorder = Critical "seq_disorder":
            "The entry was linked earlier or later than its seq claims, or another entry has the same seq.",
            "Do not trust the order of seq around this entry; use appended_at and pos, and find out who set the sequence.";
    }
}
