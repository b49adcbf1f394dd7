//! Columns of recorded layouts in a table as it is now: what is the same, what is not known any more.

use auditspine_core::rows::{
    Column, CurrentColumns, Incarnation, Layout, Layouts, Mapping, Relation, Shapes, Source, Upon,
};
use std::collections::{BTreeMap, BTreeSet};

pub fn incarnation(number: u32) -> Incarnation {
    Incarnation {
        system: "7".to_owned(),
        oid: number.to_string(),
    }
}

/// Columns as `number name type`.
pub fn columns(text: &str) -> Vec<Column> {
    let column = |text: &str| {
        let mut words = text.trim().split(' ');
        let mut word = || words.next().unwrap();
        Column {
            attnum: word().parse().unwrap(),
            name: word().to_owned(),
            type_name: word().to_owned(),
            shape: None,
            type_id: None,
            contains: Vec::new(),
        }
    };
    text.split(',')
        .filter(|text| !text.is_empty())
        .map(column)
        .collect()
}

pub fn layout(id: i32, of: u32, text: &str) -> Layout {
    Layout {
        id,
        seq: i64::from(id) * 10,
        kind: "k".to_owned(),
        table: "public.t".to_owned(),
        incarnation: incarnation(of),
        columns: columns(text),
        encoding: 2,
        key: Some(vec![1]),
        others: Vec::new(),
        payload_kept: Some(false),
        shapes: Shapes::new(),
        upon: Upon::default(),
    }
}

pub fn present(of: u32, text: &str) -> CurrentColumns {
    CurrentColumns {
        incarnation: incarnation(of),
        columns: columns(text),
        excluded: Vec::new(),
        shapes: Shapes::new(),
        contains: BTreeMap::new(),
        refers: BTreeSet::new(),
    }
}

pub fn known(all: &[Layout]) -> Layouts {
    let mut layouts = Layouts::default();
    all.iter().for_each(|layout| layouts.add(layout.clone()));
    layouts
}

fn sources(text: &str) -> Vec<Source> {
    text.split(',')
        .filter(|text| !text.is_empty())
        .map(|text| {
            let (attnum, name) = text.trim().split_once(' ').unwrap();
            Source {
                attnum: attnum.parse().unwrap(),
                name: name.to_owned(),
                modifier: None,
                undo: None,
                doubt: None,
            }
        })
        .collect()
}

fn map(then: &str, now: &CurrentColumns) -> Mapping {
    let then = layout(1, 1, then);
    known(std::slice::from_ref(&then)).map(&then, now)
}

#[test]
fn within_one_life_the_number_tells() {
    let now = present(1, "1 id integer,3 b text");
    let cases = [
        ("1 id integer,3 b text", "1 id,3 b", Relation::Same),
        ("1 id integer", "1 id", Relation::Certain),
        ("1 key integer,3 a text", "1 key,3 a", Relation::Certain),
        // The names changed places.
        ("1 b integer,3 id text", "1 b,3 id", Relation::Certain),
    ];
    for (then, sources_now, relation) in cases {
        let mapping = map(then, &now);
        assert_eq!(mapping.sources, sources(sources_now), "{then}");
        assert_eq!(mapping.relation, relation, "{then}");
    }
    // Dropped, although there is another column of that name and type by now.
    let Relation::Gone(why) = map("1 id integer,2 b text", &now).relation else {
        panic!("column 2 is gone")
    };
    assert_eq!(why, "column \"b\" is gone");
    let Relation::Uncertain(why) = map("1 id integer,3 b integer", &now).relation else {
        panic!("column 3 was retyped")
    };
    assert_eq!(why, "column \"b\" was integer and is text now");
}

#[test]
fn what_was_hashed_and_is_excluded_now_can_still_be_read() {
    let mut now = present(1, "1 id integer");
    now.excluded = columns("2 secret text");
    let mapping = map("1 id integer,2 secret text", &now);
    assert_eq!(mapping.sources, sources("1 id,2 secret"));
    assert_eq!(mapping.relation, Relation::Certain);
}

#[test]
fn of_two_layouts_with_one_number_the_first_counts() {
    let first = layout(1, 1, "1 id integer");
    let mut forged = layout(1, 1, "1 other integer");
    forged.seq = 99;
    assert_eq!(known(&[first.clone(), forged.clone()]).get(1), Some(&first));
    assert_eq!(known(&[forged, first.clone()]).get(1), Some(&first));
}

#[test]
fn entries_without_a_layout() {
    let now = present(1, "1 id integer,2 a text,3 b text");
    // No layout is recorded: as the table is, or as it was before columns were added.
    let ways = known(&[]).map_unnamed(&now);
    assert_eq!(ways[0].sources, sources("1 id,2 a,3 b"));
    assert_eq!(
        (ways[0].encoding, &ways[0].relation),
        (1, &Relation::Certain)
    );
    assert_eq!(ways[1].sources, sources("1 id,2 a"));
    assert_eq!(ways[2].sources, sources("1 id"));
    assert_eq!(ways.len(), 3);
    // The first one recorded of this table tells the names.
    let layouts = known(&[
        layout(1, 9, "1 x integer"),
        layout(2, 1, "1 id integer,2 old text"),
        layout(3, 1, "1 id integer,2 a text"),
    ]);
    let ways = layouts.map_unnamed(&now);
    assert_eq!(ways[0].sources, sources("1 id,2 old"));
    assert_eq!(ways[0].relation, Relation::Certain);
    // Once a column was dropped, nothing is certain.
    let now = present(1, "1 id integer,3 b text");
    assert!(matches!(
        known(&[]).map_unnamed(&now)[0].relation,
        Relation::Uncertain(_)
    ));
}

#[test]
fn what_was_retyped_and_retyped_back_may_have_lost_digits() {
    let layouts = known(&[
        layout(1, 1, "1 id integer,2 v float8"),
        layout(2, 1, "1 id integer,2 v float4"),
        layout(3, 1, "1 id integer,2 v float8"),
        layout(4, 1, "1 id integer,2 v float8,3 w text"),
    ]);
    let now = present(1, "1 id integer,2 v float8,3 w text");
    let relation = |id| layouts.map(layouts.get(id).unwrap(), &now).relation;
    assert_eq!(
        relation(1),
        Relation::Uncertain("column \"v\" was float4 for a while".to_owned())
    );
    assert_eq!(
        relation(2),
        Relation::Uncertain("column \"v\" was float4 and is float8 now".to_owned())
    );
    assert_eq!(relation(3), Relation::Certain);
    assert_eq!(relation(4), Relation::Same);
    // A dump in between changes nothing about it.
    let restored = present(2, "1 id integer,2 v float8,3 w text");
    let map = |id| layouts.map(layouts.get(id).unwrap(), &restored).relation;
    assert!(matches!(map(1), Relation::Uncertain(_)));
    assert_eq!(map(3), Relation::Certain);
    // Nor that it happened in the table's next life.
    let layouts = known(&[
        layout(1, 1, "2 v float8"),
        layout(2, 2, "1 v float8"),
        layout(3, 2, "1 v float4"),
        layout(4, 2, "1 v float8"),
    ]);
    let now = present(2, "1 v float8");
    let relation = |id| layouts.map(layouts.get(id).unwrap(), &now).relation;
    assert!(matches!(relation(1), Relation::Uncertain(_)));
    assert!(matches!(relation(2), Relation::Uncertain(_)));
    assert_eq!(relation(4), Relation::Same);
}

#[test]
fn what_was_excluded_for_a_while_may_have_been_rewritten_meanwhile() {
    let layouts = known(&[
        layout(1, 1, "1 id integer,2 v text"),
        layout(2, 1, "1 id integer"),
        layout(3, 1, "1 id integer,2 v text"),
    ]);
    let now = present(1, "1 id integer,2 v text");
    let relation = |id| layouts.map(layouts.get(id).unwrap(), &now).relation;
    assert_eq!(
        relation(1),
        Relation::Uncertain("column \"v\" was excluded for a while".to_owned())
    );
    assert_eq!(relation(3), Relation::Same);
}

const NONE: [i32; 0] = [];

/// Numbers of the layouts one of which entry `seq` was written under, though it names another.
fn in_force(all: &[Layout], named: Option<i32>, seq: i64) -> Vec<i32> {
    known(all).in_force(named, seq, &present(1, "1 id integer"))
}

#[test]
fn entries_are_of_a_layout_that_the_table_had() {
    let all = [
        layout(1, 1, "1 id integer,2 a integer"),
        layout(2, 1, "1 id integer,2 a bigint"),
    ];
    // Rightly named: before the second one, and after it.
    assert_eq!(in_force(&all, Some(1), 15), NONE);
    assert_eq!(in_force(&all, Some(2), 25), NONE);
    // The first one after the second one; one that no entry tells; none.
    assert_eq!(in_force(&all, Some(1), 25), [2]);
    assert_eq!(in_force(&all, Some(77), 25), [2]);
    assert_eq!(in_force(&all, None, 25), [2]);
    // One that was not recorded yet.
    assert_eq!(in_force(&all, Some(2), 15), [1]);
    // Before any was recorded.
    assert_eq!(in_force(&all, None, 5), NONE);
}

#[test]
fn each_change_of_a_table_ends_its_layout() {
    let first = "1 id integer,2 a integer";
    for other in [
        "1 id integer",
        "1 id integer,2 b integer",
        "1 id integer,3 a integer",
        "1 id integer,2 a public.money",
        "1 id integer,2 a integer,3 c integer",
    ] {
        let all = [
            layout(1, 1, first),
            layout(2, 1, other),
            layout(3, 1, first),
        ];
        // Also where the columns are those of the first one again.
        assert_eq!(in_force(&all, Some(1), 25), [2], "{other}");
        assert_eq!(in_force(&all, Some(1), 35), [3], "{other}");
        assert_eq!(in_force(&all, Some(3), 35), NONE, "{other}");
    }
}

#[test]
fn what_changes_without_a_lock_proves_nothing() {
    // Recorded twice at a time; a type called otherwise; a type of other labels.
    let mut labels = layout(4, 1, "1 id integer,2 a public.state");
    labels.columns[1].shape = Some(serde_json::json!(["x", "y"]));
    let all = [
        layout(1, 1, "1 id integer,2 a public.mood"),
        layout(2, 1, "1 id integer,2 a public.mood"),
        layout(3, 1, "1 id integer,2 a public.state"),
        labels,
    ];
    for named in 1..=4 {
        assert_eq!(in_force(&all, Some(named), 45), NONE);
    }
    assert_eq!(in_force(&all, Some(9), 45), [1, 2, 3, 4]);
    let mut all = all.to_vec();
    all.push(layout(5, 1, "1 id integer,2 a text"));
    assert_eq!(in_force(&all, Some(4), 55), [5]);
}

#[test]
fn layouts_of_others_are_not_in_force() {
    let mut other_kind = layout(2, 1, "1 id integer,2 a bigint");
    other_kind.kind = "other".to_owned();
    let all = [
        layout(1, 1, "1 id integer,2 a integer"),
        other_kind,
        layout(3, 2, "1 id integer"),
    ];
    assert_eq!(in_force(&all, Some(1), 35), NONE);
    // Of another table, though this one had its own; and of which of two kinds is not told.
    assert_eq!(in_force(&all, Some(3), 35), [1]);
    assert_eq!(in_force(&all, None, 35), NONE);
}
