//! The words that columns of spines and segments may hold.

use std::fmt;

macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Each of them, in order.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// Its text.
            pub fn text(self) -> &'static str {
                match self {
                    $($name::$variant => $text,)+
                }
            }

            /// The one with exactly this text.
            pub fn parse(text: &str) -> Option<$name> {
                $name::ALL.iter().copied().find(|word| word.text() == text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.text())
            }
        }
    };
}

words! {
    /// What a segment is evidence of.
    SegmentType {
        /// The part of a bill of materials that concerns the artifact.
        SbomSlice = "SbomSlice",
        /// The vulnerability matches a component.
        Match = "Match",
        /// Whether the vulnerable code can be reached.
        Reachability = "Reachability",
        /// Conditions that guard it.
        GuardAnalysis = "GuardAnalysis",
        /// What was seen while it ran.
        RuntimeObservation = "RuntimeObservation",
        /// The policy, applied to all of that.
        PolicyEval = "PolicyEval",
    }
}

words! {
    /// What was decided: a VEX status.
    Verdict {
        /// The artifact is not affected.
        NotAffected = "not_affected",
        /// It is.
        Affected = "affected",
        /// It was, and the vulnerability is fixed in it.
        Fixed = "fixed",
        /// Not known yet.
        UnderInvestigation = "under_investigation",
    }
}

words! {
    /// What a segment or a spine is worth.
    Status {
        /// Not verified yet; no judgement gives it.
        Pending = "Pending",
        /// All is as it must be, and signed by trusted keys.
        Verified = "Verified",
        /// Some of it is good, some is not.
        Partial = "Partial",
        /// Damaged.
        Invalid = "Invalid",
        /// Not damaged, but signed by keys that do not count.
        Untrusted = "Untrusted",
    }
}
