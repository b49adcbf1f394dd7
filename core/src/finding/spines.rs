//! Layer `spines`: `verify_spine()`, `spine_findings()`. These report findings of the layers `rows` and `keys`
//! as well, where they are about the tables of spines or the keys of their signatures.

super::kinds! {
    /// What can be wrong with the evidence of a spine.
    SpineKind in Spines {
        NoSegments = Critical "no_segments":
            "The spine has no segments.",
            "Restore the segments from the recorded rows or a backup.";
        SegmentCount = Critical "segment_count":
            "The spine's segment_count is not the number of its segments.",
            "Compare the spine and its segments with the recorded rows.";
        SegmentMissing = Critical "segment_missing":
            "Segments are missing before others.",
            "Restore the missing segments from the recorded rows or a backup.";
        TailMissing = Critical "tail_missing":
            "The last segments are missing.",
            "Restore the missing segments from the recorded rows or a backup.";
        SegmentExtra = Critical "segment_extra":
            "The segment's idx is negative or not below segment_count.",
            "Find out who inserted the segment; it is not part of the spine.";
        SegmentDuplicate = Critical "segment_duplicate":
            "A second segment has the same idx.",
            "Compare both segments with the recorded rows; only one of them is part of the spine.";
        LinkBroken = Critical "link_broken":
            "The segment's prev_segment_hash is not the result_hash of the segment before it.",
            "Compare both segments with the recorded rows.";
        RootMismatch = Critical "root_mismatch":
            "The spine's root_hash does not follow from its segments.",
            "Compare the spine and its segments with the recorded rows.";
        SpineIdMismatch = Critical "spine_id_mismatch":
            "The spine_id does not follow from the decision that the spine is about.",
            "Compare the decision's columns with the recorded row.";
        UnknownVerdict = Critical "unknown_verdict":
            "The verdict is not one of the four that exist.",
            "Compare the spine with the recorded row.";
        SegmentIdMismatch = Critical "segment_id_mismatch":
            "The segment_id does not follow from the segment's columns.",
            "Compare the segment with the recorded row.";
        UnknownSegmentType = Critical "unknown_segment_type":
            "The segment's type is not one of the six that exist.",
            "Compare the segment with the recorded row.";
        Malformed = Critical "malformed":
            "A column that must hold a SHA-256 digest holds something else.",
            "Compare the row with the recorded one.";
        EnvelopeUnreadable = Critical "envelope_unreadable":
            "The envelope is not a DSSE envelope.",
            "Get the envelope again from the tool that signed it.";
        ResultNotBound = Critical "result_not_bound":
            "The signed statement does not contain the segment's result_hash.",
            "Treat the result as unsigned, and have the tool that made it sign it again.";
        SignatureInvalid = Critical "signature_invalid":
            "A signature does not verify under the trusted key that it names.",
            "Treat the segment as forged until its signer confirms it.";
        SignatureMalformed = Critical "signature_malformed":
            "A signature cannot be read as a signature of its algorithm.",
            "Get the envelope again from the tool that signed it.";
        KeyUnknown = Critical "key_unknown":
            "The signature is by a key that is not in auditspine.trusted_key.",
            "Add the key with trust_key() if you trust it; otherwise reject the segment.";
        KeyRevoked = Critical "key_revoked":
            "The signature verifies, but its key was revoked.",
            "Have the result signed again with a key that is valid.";
        KeyNotYetValid = Critical "key_not_yet_valid":
            "The signature verifies, but its key was not valid yet when the segment was written.",
            "Check the key's valid_from and the segment's time.";
        KeyExpired = Critical "key_expired":
            "The signature verifies, but its key was no longer valid when the segment was written.",
            "Have the result signed again with a key that is valid.";
    }
}

super::kinds! {
    /// What can be wrong with the records around a spine.
    SpineRecordKind in Spines {
        SupersededElsewhere = Critical "superseded_elsewhere":
            "The spine that superseded this one does not exist, or is about another decision.",
            "Compare superseded_by with the recorded row; the evidence of the spine itself is not in question.";
        NoCurrentSpine = Critical "no_current_spine":
            "Every spine of the decision is superseded, in a circle or by spines of other decisions.",
            "Compare superseded_by of these spines with the recorded rows.";
        StatusStale = Notice "status_stale":
            "The segment's status says Verified, and the segment is not.",
            "Run verify_spine() with record => true to bring the status up to date; a key may have been revoked since.";
        CacheContradicted = Notice "cache_contradicted":
            "The cached verdict differs from this one, although nothing changed since it was written.",
            "Find out who wrote to the cache; no verification relies on it.";
    }
}
