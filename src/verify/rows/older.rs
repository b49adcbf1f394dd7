//! What rows of an audited table were called under earlier keys, for those who look single rows up.

use auditspine_core::rows::{CurrentColumns, KeyEpochs, Layouts};

use crate::capture::layouts::present_columns;
use crate::capture::row_spec::Spec;
use crate::ledger::owner::as_owner;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::pg::relation::OpenRelation;
use crate::verify::rows::Recorded;
use crate::verify::rows::renamed::Recipe;

/// The keys of a kind's table, one after the other.
pub struct OlderNames {
    epochs: KeyEpochs,
    layouts: Layouts,
    from: i64,
}

impl OlderNames {
    /// What the entries tell that are committed, or of this transaction and linked.
    pub fn of(kind: &str) -> OlderNames {
        let recorded = recorded();
        let from = recorded.baseline(kind).unwrap_or(i64::MIN);
        OlderNames::since(kind, &recorded, from)
    }

    /// As [`OlderNames::of`], also of what was recorded before rows were recorded anew.
    pub fn of_all(kind: &str) -> OlderNames {
        OlderNames::since(kind, &recorded(), i64::MIN)
    }

    fn since(kind: &str, recorded: &Recorded, from: i64) -> OlderNames {
        let mut layouts = Layouts::default();
        for layout in recorded.layouts.iter().filter(|layout| layout.kind == kind) {
            layouts.add(layout.clone());
        }
        OlderNames {
            epochs: KeyEpochs::of(layouts.iter(), &recorded.declared_keys(kind)).since(from),
            layouts,
            from,
        }
    }

    /// Takes in how rows of the table, or of a partition, are named now.
    pub fn add(&mut self, relation: &OpenRelation, spec: &Spec) {
        let present = present(relation, spec);
        self.epochs.add_present(&present, &spec.key);
    }

    /// The entries that name rows as they are named now: from this one on.
    pub fn newest(&self) -> i64 {
        match self.epochs.count() {
            1 => self.from,
            count => self.epochs.from(count - 1).max(self.from),
        }
    }

    /// Takes in how rows of a table with this key are named now.
    pub fn add_key(&mut self, relation: &OpenRelation, key: &[i16]) {
        let present = present_columns(relation, |_| true);
        self.epochs.add_present(&present, key);
    }

    /// What a present name was called before, newest first, as far as the text tells.
    pub fn called(&self, name: &[u8]) -> Vec<Called> {
        let newest = self.epochs.count() - 1;
        let columns = self.epochs.columns(newest).len();
        let before = |epoch: usize| Called {
            name: self
                .epochs
                .translation(newest, epoch)
                .and_then(|translation| translation.apply(name)),
            names_others: self.epochs.columns(epoch).len() < columns,
            until: self.epochs.from(epoch + 1).saturating_sub(1),
        };
        (0..newest).rev().map(before).collect()
    }

    /// How earlier names are read from the rows of a table, newest first, each with the first entry that has
    /// such names, and the first that has not any more.
    pub fn recipes(&self, relation: &OpenRelation, spec: &Spec) -> Vec<(Recipe, i64, i64)> {
        let present = present(relation, spec);
        let of = |epoch: usize| {
            let recipe = Recipe::of(epoch, &self.epochs, &self.layouts, relation, &present);
            let from = self.epochs.from(epoch).max(self.from);
            (recipe, from, self.epochs.from(epoch + 1))
        };
        (0..self.epochs.count() - 1).rev().map(of).collect()
    }
}

/// A name that a row had before.
pub struct Called {
    /// The name; `None` if the present one does not tell.
    pub name: Option<Vec<u8>>,
    /// Whether rows that have other names now had the same: the key was narrower.
    pub names_others: bool,
    /// The last entry that has such names.
    pub until: i64,
}

fn recorded() -> Recorded {
    as_owner(|| {
        let _snapshot = CurrentSnapshot::push_latest();
        Recorded::read()
    })
}

fn present(relation: &OpenRelation, spec: &Spec) -> CurrentColumns {
    present_columns(relation, |attnum| spec.layout.has_column(attnum))
}
