//! Layouts of a table's earlier lives: a dump numbers its columns anew.

use auditspine_core::rows::{CurrentColumns, Layout, Relation};

use super::column_mapping::{known, layout, present};

/// Maps the first layout; gives attribute numbers now and the relation.
fn map(layouts: &[Layout], now: &CurrentColumns) -> (Vec<i16>, Relation) {
    let mapping = known(layouts).map(&layouts[0], now);
    let numbers = mapping.sources.iter().map(|source| source.attnum).collect();
    (numbers, mapping.relation)
}

#[test]
fn a_restored_table_has_its_columns_in_their_order() {
    let then = layout(1, 1, "1 id integer,4 a text,7 b text");
    let now = present(2, "1 id integer,2 a text,3 b text");
    assert_eq!(
        map(std::slice::from_ref(&then), &now),
        (vec![1, 2, 3], Relation::Same)
    );
    // A column that was added later stands behind the others.
    let now = present(2, "1 id integer,2 a text,3 b text,4 c text");
    assert_eq!(
        map(std::slice::from_ref(&then), &now),
        (vec![1, 2, 3], Relation::Certain)
    );
}

#[test]
fn older_layouts_are_traced_through_the_last_one() {
    let layouts = [
        layout(1, 1, "1 id integer,2 old text,3 gone text"),
        layout(2, 1, "1 id integer,2 new text"),
    ];
    let now = present(2, "1 id integer,2 new text");
    let (numbers, relation) = map(&layouts, &now);
    assert_eq!(numbers, [1, 2]);
    assert_eq!(
        relation,
        Relation::Gone("column \"gone\" is gone".to_owned())
    );
    let layouts = [layout(1, 1, "1 id integer,2 old text"), layouts[1].clone()];
    assert_eq!(map(&layouts, &now), (vec![1, 2], Relation::Certain));
    assert_eq!(
        known(&layouts).map(&layouts[0], &now).sources[1].name,
        "old"
    );
}

#[test]
fn renamed_after_the_restore() {
    let layouts = [
        layout(1, 1, "1 id integer,3 a text"),
        layout(2, 2, "1 id integer,2 a text"),
        layout(3, 2, "1 id integer,2 z text"),
    ];
    let now = present(2, "1 id integer,2 z text");
    assert_eq!(map(&layouts, &now), (vec![1, 2], Relation::Certain));
    // Restored once more, from which nothing was recorded yet.
    let now = present(5, "1 id integer,2 z text");
    assert_eq!(map(&layouts, &now), (vec![1, 2], Relation::Certain));
}

#[test]
fn dropped_and_added_again_is_another_column() {
    // After the restore: column a was dropped and added again.
    let layouts = [
        layout(1, 1, "1 id integer,2 a text,3 b text"),
        layout(2, 2, "1 id integer,2 a text,3 b text"),
    ];
    let now = present(2, "1 id integer,3 b text,4 a text");
    assert!(matches!(map(&layouts, &now).1, Relation::Gone(_)));
    // Before it, with nothing recorded in between: the order tells that something happened.
    let now = present(9, "1 id integer,2 b text,3 a text");
    let (numbers, relation) = map(&layouts[..1], &now);
    assert_eq!(numbers, [1, 3, 2]);
    assert!(matches!(relation, Relation::Uncertain(_)));
}

#[test]
fn what_cannot_be_traced_proves_nothing() {
    let then = layout(1, 1, "1 id integer,2 a text");
    for now in ["1 id integer,2 b text,3 a text", "1 a text,2 id integer"] {
        let (_, relation) = map(std::slice::from_ref(&then), &present(2, now));
        assert!(matches!(relation, Relation::Uncertain(_)), "{now}");
    }
    for now in [
        "1 id integer,2 b text",
        "1 id integer,2 a bigint",
        "1 x integer",
    ] {
        let (_, relation) = map(std::slice::from_ref(&then), &present(2, now));
        assert!(matches!(relation, Relation::Gone(_)), "{now}");
    }
}

#[test]
fn partitions_have_lives_of_their_own() {
    // A row that another partition recorded: the same columns in the same order are the same.
    let layouts = [
        layout(1, 1, "1 id integer,2 day date"),
        layout(2, 2, "2 id integer,3 day date"),
    ];
    assert_eq!(
        map(&layouts, &present(2, "2 id integer,3 day date")),
        (vec![2, 3], Relation::Same)
    );
    assert_eq!(
        map(&layouts, &present(1, "1 id integer,2 day date")),
        (vec![1, 2], Relation::Same)
    );
}
