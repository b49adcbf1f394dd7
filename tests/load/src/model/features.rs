//! What programs may be made of. Each is a switch, so that a fault that is known does not hide the others.

use std::collections::BTreeSet;
use std::env;

/// Every feature, and whether it is on unless `MODEL_FEATURES` says otherwise.
pub const FEATURES: &[(&str, bool)] = &[
    // Values that differ in what an encoding may leave out: -0, scale, bounds, blanks of json, jsonb's null.
    ("lossless", true),
    // A column that a DDL added holds what the DDL gave: a change of it is an edit.
    ("added_watched", true),
    // After a column was dropped or retyped, the others are still compared where the payload was kept.
    ("others_compared", true),
    // Conversions that keep the text keep the row verifiable.
    ("text_kept", true),
    // Labels of enums are renamed.
    ("label_renamed", true),
    // Labels of the enumeration of keys are renamed.
    ("key_label_renamed", true),
    // Tables and types that oids in rows point to are renamed.
    ("target_renamed", true),
    // Attributes of composite types are renamed, added and retyped.
    ("attribute_changed", true),
    // The primary key is changed.
    ("key_changed", true),
    // A key column is retyped.
    ("key_retyped", true),
    // Keys that may be violated until the end of the transaction.
    ("deferrable_key", true),
    // Other triggers that write to audited tables.
    ("nested_triggers", true),
    // Tables that inherit.
    ("inherits", true),
    // Partitions are dropped without being detached.
    ("partition_dropped", true),
    // Casts to json and text are made and dropped.
    ("casts", true),
    // Payloads are set to null.
    ("payload_removed", true),
    // The table is attached again with other columns left out.
    ("other_exclude", true),
    // Tenants without a name.
    ("empty_tenant", true),
    // Histories are compared where events were written early and that was rolled back.
    ("early_rolled_back", false),
    // Backfills after names of rows were lost.
    ("backfill_of_renamed", true),
    // Names are printed quoted, whether they need it or not.
    ("quoting", true),
    // DDL in a database that was restored, where nothing was written yet.
    ("ddl_after_restore", true),
    // Keys that may be violated for a while, in several sessions, with events that are written early.
    ("deferrable_key_shared", false),
    // Composite types that have enums, beside keys of domain types, in a database that is restored.
    ("domain_keys_restored", false),
    // Everything else.
    ("partitions", true),
    ("retype", true),
    ("drop_column", true),
    ("two_phase", true),
    ("sessions", true),
    ("settings", true),
    ("policies", true),
    ("restore", true),
    ("attacks", true),
    ("chain_attacks", true),
    ("chain_by", true),
    ("no_primary_key", true),
    ("json", true),
    // The extension's own objects are looked at.
    ("state", true),
];

/// The features that are on.
#[derive(Clone, Debug)]
pub struct Features(BTreeSet<&'static str>);

impl Features {
    /// Those of [`FEATURES`], changed by `MODEL_FEATURES`: names with `+` or `-` before them, `+all`.
    ///
    /// # Panics
    /// If the variable names a feature that there is not.
    pub fn from_env() -> Features {
        let mut on: BTreeSet<&str> = FEATURES
            .iter()
            .filter(|(_, on)| *on)
            .map(|(name, _)| *name)
            .collect();
        for word in env::var("MODEL_FEATURES")
            .unwrap_or_default()
            .split(',')
            .filter(|word| !word.is_empty())
        {
            let (sign, name) = word.split_at(1);
            for (known, _) in FEATURES
                .iter()
                .filter(|(known, _)| name == "all" || *known == name)
            {
                if sign == "+" {
                    on.insert(known);
                } else {
                    on.remove(known);
                }
            }
            assert!(
                name == "all" || FEATURES.iter().any(|(known, _)| *known == name),
                "no such feature: {word}"
            );
        }
        Features(on)
    }

    /// Whether a feature is on.
    pub fn has(&self, name: &str) -> bool {
        debug_assert!(FEATURES.iter().any(|(known, _)| *known == name), "{name}");
        self.0.contains(name)
    }
}
