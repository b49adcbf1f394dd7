//! Columns of recorded layouts in a table as it is now: what is the same, what is not known any more.

use auditspine_core::rows::{
    Column, Incarnation, Layout, Layouts, Mapping, Present, Relation, Source,
};

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
    }
}

pub fn present(of: u32, text: &str) -> Present {
    Present {
        incarnation: incarnation(of),
        columns: columns(text),
        excluded: Vec::new(),
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
            }
        })
        .collect()
}

fn map(then: &str, now: &Present) -> Mapping {
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
    assert_eq!(ways[0].relation, Relation::Same);
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
