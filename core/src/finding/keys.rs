//! Layer `keys`: the rows of `auditspine.trusted_key`, in `verify_all()` and `spine_findings()`.

super::kinds! {
    /// What can be wrong with a trusted key.
    KeyKind in Keys {
        KeyEdited = Critical "key_edited":
            "The key's row is not what its last entry recorded, so the key is not trusted.",
            "Restore the row from the recorded payload, and find out who edited it.";
        KeyDeleted = Critical "key_deleted":
            "The key's row is gone, and no entry records why.",
            "Restore the row from the recorded payload, and find out who deleted it.";
        KeyUnrecorded = Critical "key_unrecorded":
            "No entry records the key, so it is not trusted.",
            "Delete the row; add the key with trust_key() if you trust it.";
    }
}
