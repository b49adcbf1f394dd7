//! What a statement did to rows, as it shows in what was there before and after.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::observe::{Row, Rows};
use crate::model::state::{Effect, State, Write};

/// What a statement did to rows. `truncated` names the tables that it emptied, and says whether as a whole.
pub fn effects(
    state: &State,
    before: &Rows,
    after: &Rows,
    truncated: Option<&(Vec<i32>, bool)>,
    sure: bool,
) -> Vec<Effect> {
    let none = Vec::new();
    let mut all = Vec::new();
    if !sure {
        all.push(Effect::Inexact);
    }
    for (id, table) in &state.tables {
        let (old, new) = (
            before.get(id).unwrap_or(&none),
            after.get(id).unwrap_or(&none),
        );
        let places = |rows: &[Row]| -> BTreeSet<String> {
            rows.iter().map(|row| row.place.clone()).collect()
        };
        let (old_places, new_places) = (places(old), places(new));
        let removed: Vec<&Row> = old
            .iter()
            .filter(|row| !new_places.contains(&row.place))
            .collect();
        let added: Vec<&Row> = new
            .iter()
            .filter(|row| !old_places.contains(&row.place))
            .collect();
        let subject = &table.subject;
        if let Some((_, whole)) = truncated.filter(|(targets, _)| targets.contains(id)) {
            let keys = |rows: &[&Row]| rows.iter().filter_map(|row| subject.key_of(row)).collect();
            let kept: Vec<&Row> = new.iter().collect();
            all.push(Effect::Truncate(*id, *whole, keys(&removed), keys(&kept)));
            continue;
        }
        let mut keys: BTreeMap<String, (Vec<&Row>, Vec<&Row>)> = BTreeMap::new();
        for row in removed {
            keys.entry(subject.key_of(row).unwrap_or_default())
                .or_default()
                .0
                .push(row);
        }
        for row in added {
            keys.entry(subject.key_of(row).unwrap_or_default())
                .or_default()
                .1
                .push(row);
        }
        let mut writes = Vec::new();
        for (key, (gone, come)) in keys {
            let of_key = |rows: &[Row]| {
                rows.iter()
                    .filter(|row| subject.key_of(row).as_ref() == Some(&key))
                    .count()
            };
            // Two rows of one key, of which one came unseen past a constraint, cannot be told apart either.
            let known = table.records.get(&key).map_or(0, BTreeMap::len);
            let doubtful =
                of_key(old).max(of_key(new)) > 1 && (!subject.distinct || known < of_key(old));
            let all: BTreeSet<i64> = new
                .iter()
                .filter(|row| subject.key_of(row).as_ref() == Some(&key))
                .map(|row| row.rid)
                .collect();
            let mut write = |op, row: &Row, sure: bool| {
                let sure = sure && !doubtful && all.len() < 2;
                let others = all.iter().copied().filter(|rid| *rid != row.rid).collect();
                writes.push(Write {
                    key: key.clone(),
                    op,
                    row: row.clone(),
                    sure,
                    doubtful,
                    others,
                });
            };
            match (&gone[..], &come[..]) {
                ([old], []) => write('D', old, sure && all.is_empty()),
                ([], [new]) => write('I', new, sure),
                ([old], [new]) => {
                    let same = |of: fn(&Row) -> &str| of(old) == of(new);
                    let moved = old.rid != new.rid
                        || !same(|row| row.place.split(' ').next().unwrap_or(""))
                        || subject.chain_of(old) != subject.chain_of(new);
                    if moved {
                        write('D', old, sure);
                        write('I', new, sure);
                    } else if !subject.skip || !subject.recorded(old).eq(subject.recorded(new)) {
                        write('U', new, sure);
                    }
                }
                (gone, come) => {
                    gone.iter().for_each(|old| write('D', old, false));
                    come.iter().for_each(|new| write('I', new, false));
                }
            }
        }
        if !writes.is_empty() {
            all.push(Effect::Dml(*id, writes));
        }
    }
    all
}
