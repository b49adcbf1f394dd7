//! The catalogue of findings: everything that a verification can report, each once. A layer is what is
//! verified; every file here holds the kinds of one layer. The code that reports takes labels and severity
//! from here, and the view `auditspine.finding_kind` shows the whole.

mod adopted;
mod heads;
mod keys;
mod links;
mod rows;
mod spines;
mod state;

pub use adopted::AdoptedKind;
pub use heads::HeadKind;
pub use keys::KeyKind;
pub use links::LinkKind;
pub use rows::RowKind;
pub use spines::{SpineKind, SpineRecordKind};
pub use state::StateKind;

/// What is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// The entries of chains, and how they are linked.
    Links,
    /// The rows of audited tables, and the triggers that record them.
    Rows,
    /// Published heads.
    Heads,
    /// Proof spines: their segments and signatures.
    Spines,
    /// The keys whose signatures count.
    Keys,
    /// Chains that other software wrote and `adopt_chain()` anchored.
    Adopted,
    /// The extension's own tables, functions and triggers.
    State,
}

impl Layer {
    /// Every layer.
    pub const ALL: [Layer; 7] = [
        Layer::Links,
        Layer::Rows,
        Layer::Heads,
        Layer::Spines,
        Layer::Keys,
        Layer::Adopted,
        Layer::State,
    ];

    /// Stable name, as alerts have it.
    pub const fn label(self) -> &'static str {
        match self {
            Layer::Links => "links",
            Layer::Rows => "rows",
            Layer::Heads => "heads",
            Layer::Spines => "spines",
            Layer::Keys => "keys",
            Layer::Adopted => "adopted",
            Layer::State => "state",
        }
    }
}

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It can come about without any tampering: the verdict stays `ok`, and there is no alert.
    Notice,
    /// It is evidence of tampering or loss: the verdict is not `ok`.
    Critical,
}

impl Severity {
    /// Stable name, as alerts have it.
    pub const fn label(self) -> &'static str {
        match self {
            Severity::Notice => "notice",
            Severity::Critical => "critical",
        }
    }
}

/// What the catalogue says of a kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Definition {
    /// What is verified where it can be found.
    pub layer: Layer,
    /// Stable name, in snake case; no other kind of the layer has it.
    pub label: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub meaning: &'static str,
    /// What to do, in a sentence.
    pub action: &'static str,
}

impl Definition {
    /// Whether it speaks against what was verified.
    pub const fn is_bad(&self) -> bool {
        matches!(self.severity, Severity::Critical)
    }
}

/// A kind of finding, of whatever layer.
pub trait Kind: Copy {
    /// What the catalogue says of it.
    fn definition(self) -> &'static Definition;
}

/// Part of a layer could not be verified, and the others went on. Layers that are verified as a whole raise an
/// ERROR instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotVerified(pub Layer);

impl NotVerified {
    /// The layers that have it.
    pub const LAYERS: [Layer; 5] = [
        Layer::Rows,
        Layer::Heads,
        Layer::Keys,
        Layer::Adopted,
        Layer::State,
    ];

    const DEFINITIONS: [Definition; Layer::ALL.len()] = {
        let mut definitions = [Definition {
            layer: Layer::Links,
            label: "not_verified",
            severity: Severity::Critical,
            meaning: "Something could not be verified: an ERROR ended the attempt, or a lock could not be taken.",
            action: "Read the reason in the detail, remove it, and run verify_all() again.",
        }; Layer::ALL.len()];
        let mut at = 0;
        while at < definitions.len() {
            definitions[at].layer = Layer::ALL[at];
            at += 1;
        }
        definitions
    };
}

impl Kind for NotVerified {
    fn definition(self) -> &'static Definition {
        const DEFINITIONS: &[Definition] = &NotVerified::DEFINITIONS;
        &DEFINITIONS[self.0 as usize]
    }
}

/// The whole catalogue.
pub fn catalogue() -> impl Iterator<Item = &'static Definition> {
    fn of<K: Kind>(kinds: &'static [K]) -> impl Iterator<Item = &'static Definition> {
        kinds.iter().map(|kind| kind.definition())
    }
    of(LinkKind::ALL)
        .chain(of(RowKind::ALL))
        .chain(of(HeadKind::ALL))
        .chain(of(SpineKind::ALL))
        .chain(of(SpineRecordKind::ALL))
        .chain(of(KeyKind::ALL))
        .chain(of(AdoptedKind::ALL))
        .chain(of(StateKind::ALL))
        .chain(
            NotVerified::LAYERS
                .iter()
                .map(|layer| NotVerified(*layer).definition()),
        )
}

/// Declares the kinds of a layer, each with its label, severity, meaning and what to do.
macro_rules! kinds {
    (
        $(#[$about:meta])*
        $name:ident in $layer:ident {
            $($variant:ident = $severity:ident $label:literal: $meaning:literal, $action:literal;)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $(#[doc = $meaning] $variant,)+
        }

        impl $name {
            /// Every kind.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// What the catalogue says of it.
            pub const fn definition(self) -> &'static $crate::finding::Definition {
                match self {
                    $($name::$variant => &$crate::finding::Definition {
                        layer: $crate::finding::Layer::$layer,
                        label: $label,
                        severity: $crate::finding::Severity::$severity,
                        meaning: $meaning,
                        action: $action,
                    },)+
                }
            }

            /// Stable name, in snake case.
            pub const fn label(self) -> &'static str {
                self.definition().label
            }

            /// Whether it speaks against what was verified.
            pub const fn is_bad(self) -> bool {
                self.definition().is_bad()
            }
        }

        impl $crate::finding::Kind for $name {
            fn definition(self) -> &'static $crate::finding::Definition {
                $name::definition(self)
            }
        }
    };
}
use kinds;
