//! Changes of a key come into the order in which they were made, whatever order triggers fired in.
//!
//! The model of a transaction: a command gets its number when it begins, sees the rows that are there then,
//! and changes some of these or inserts others; between its changes (BEFORE triggers, volatile functions)
//! and behind them (AFTER triggers, which tell of each change when they come to it) it runs further commands.

use auditspine_core::versions::{Change, Sequence, Untold, Version, sequence};
use proptest::prelude::*;

fn version(number: u32) -> Option<Version> {
    Version::at(number, 1)
}

fn change(command: u32, ended: u32, began: u32) -> Change {
    Change {
        command,
        relation: 1,
        file: 1,
        ended: version(ended).filter(|_| ended > 0),
        began: version(began).filter(|_| began > 0),
    }
}

fn order(changes: &[Change]) -> Vec<usize> {
    sequence(changes, &[], &Untold::new()).order
}

#[test]
fn a_row_that_was_changed_by_a_trigger_ahead_of_ours() {
    assert_eq!(order(&[change(6, 1, 2), change(5, 0, 1)]), [1, 0]);
}

#[test]
fn a_row_put_back_by_a_trigger_ahead_of_ours() {
    assert_eq!(order(&[change(6, 0, 2), change(5, 1, 0)]), [1, 0]);
}

#[test]
fn a_row_that_made_room_for_one_of_the_outer_command() {
    assert_eq!(order(&[change(6, 1, 0), change(5, 0, 2)]), [0, 1]);
}

#[test]
fn keys_that_are_shifted_by_one_command() {
    let key_2 = [change(5, 0, 4), change(5, 2, 0)];
    assert_eq!(order(&key_2), [1, 0]);
}

#[test]
fn an_unrecorded_update_links_what_is_around_it() {
    let changes = [change(7, 3, 0), change(5, 0, 1), change(8, 0, 4)];
    let untold = Untold::from([((1, version(3).unwrap()), version(1).unwrap())]);
    assert_eq!(sequence(&changes, &[], &untold).order, [1, 0, 2]);
}

#[test]
fn a_rewritten_table_has_other_versions() {
    let mut changes = [change(3, 0, 7), change(9, 1, 0)];
    changes[1].file = 2;
    let expected = Sequence {
        order: vec![0, 1],
        goes_on: false,
        all_new: false,
    };
    assert_eq!(sequence(&changes, &[], &Untold::new()), expected);
}

#[test]
fn what_follows_an_emptying_of_the_table_stays_behind_it() {
    let changes = [change(3, 0, 1), change(6, 0, 1)];
    assert_eq!(sequence(&changes, &[1], &Untold::new()).order, [0, 1]);
}

#[test]
fn versions_in_a_circle_lose_no_change() {
    assert_eq!(order(&[change(3, 1, 2), change(4, 2, 1)]), [0, 1]);
}

/// Choices, used up one after the other.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        self.0.next().map_or(0, |choice| *choice as usize % bound)
    }

    fn chance(&mut self) -> bool {
        self.below(3) == 1
    }
}

/// A transaction on a table whose rows have one of a few keys.
struct Model<'a> {
    choices: Choices<'a>,
    /// By key the version that is there, and the command that began it.
    alive: Vec<Option<(u32, u32)>>,
    versions: u32,
    commands: u32,
    made: Vec<(usize, Change)>,
    told: Vec<(usize, Change)>,
}

impl Model<'_> {
    fn command(&mut self, depth: usize) {
        self.commands += 1;
        let command = self.commands;
        let mut changes = Vec::new();
        for _ in 0..=self.choices.below(3) {
            let key = self.choices.below(self.alive.len());
            if depth < 3 && self.choices.chance() {
                self.command(depth + 1);
            }
            let change = match self.alive[key] {
                // It does not see what was begun since its own beginning.
                Some((_, by)) if by >= command => continue,
                Some((old, _)) => {
                    let new = if self.choices.chance() {
                        0
                    } else {
                        self.begin()
                    };
                    change(command, old, new)
                }
                None => change(command, 0, self.begin()),
            };
            self.alive[key] = change.began.map(|it| (it.block(), command));
            self.made.push((key, change));
            changes.push((key, change));
        }
        for change in changes {
            if depth < 3 && self.choices.chance() {
                self.command(depth + 1);
            }
            self.told.push(change);
        }
    }

    fn begin(&mut self) -> u32 {
        self.versions += 1;
        self.versions
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    #[test]
    fn the_order_is_that_in_which_changes_were_made(
        choices in proptest::collection::vec(any::<u8>(), 0..120),
        commands in 1usize..4,
    ) {
        let mut model = Model {
            choices: Choices(choices.iter()),
            alive: vec![Some((101, 0)), None, Some((102, 0))],
            versions: 200,
            commands: 0,
            made: Vec::new(),
            told: Vec::new(),
        };
        for _ in 0..commands {
            model.command(0);
        }
        for key in 0..model.alive.len() {
            let of_key = |all: &[(usize, Change)]| -> Vec<Change> {
                all.iter().filter(|(it, _)| *it == key).map(|(_, change)| *change).collect()
            };
            let (made, told) = (of_key(&model.made), of_key(&model.told));
            let sequence = sequence(&told, &[], &Untold::new());
            let ordered: Vec<Change> = sequence.order.iter().map(|at| told[*at]).collect();
            prop_assert_eq!(&ordered, &made);
            if !made.is_empty() {
                prop_assert_eq!(sequence.goes_on, model.alive[key].is_some());
            }
            // Where command numbers only grow nothing has to be put in order.
            if told.is_sorted_by_key(|change| change.command) {
                prop_assert_eq!(&told, &made);
            }
        }
    }
}
