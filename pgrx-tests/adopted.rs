//! Every adopted chain against its anchor, as a verification of everything does it.

#[pgrx::pg_schema]
mod tests {
    use pgrx::prelude::*;

    use crate::tests::run;
    use crate::verify::adopted::{Report, adopted, verify_adopted};

    fn make(table: &str, rows: u32) {
        run(&format!(
            "CREATE TABLE {table} (seq bigint, event_kind text, event_pk text, event_hash bytea, prev_hash bytea,
                 chain_hash bytea, appended_at timestamptz);
             WITH RECURSIVE entry AS (
                 SELECT 1::bigint AS seq, sha256('1') AS event, NULL::bytea AS prev, sha256(sha256('1') || int8send(1)) AS chain
                 UNION ALL
                 SELECT seq + 1, sha256('1'), chain, sha256(chain || sha256('1') || int8send(seq + 1))
                 FROM entry WHERE seq < {rows})
             INSERT INTO {table} SELECT seq, 'k', '1', event, prev, chain, now() FROM entry;
             SELECT adopt_chain('{table}')"
        ));
    }

    /// Table, whether it is in order, and what was found.
    fn told() -> Vec<(String, bool, Vec<&'static str>)> {
        let mut found: Vec<(String, &'static str)> = Vec::new();
        let mut reports = Vec::new();
        for (name, table) in adopted() {
            reports.extend(verify_adopted(&name, table, &mut |finding| {
                assert!(!finding.detail.is_empty());
                found.push((name.clone(), finding.kind.label()));
            }));
        }
        let of = |report: &Report| {
            found
                .iter()
                .filter(|(table, _)| *table == report.table)
                .map(|(_, finding)| *finding)
                .collect()
        };
        reports
            .iter()
            .map(|report| (report.table.clone(), report.ok(), of(report)))
            .collect()
    }

    #[pg_test]
    fn every_adopted_table_is_verified() {
        assert_eq!(told(), []);
        run("CREATE SCHEMA \"Old\"");
        for table in [
            "public.a",
            "public.b",
            "public.c",
            "\"Old\".\"D\"",
            "public.e",
        ] {
            make(table, 20);
        }
        let clean = |told: &[(String, bool, Vec<&str>)]| {
            told.iter().all(|(_, ok, found)| *ok && found.is_empty())
        };
        assert_eq!(told().len(), 5);
        assert!(clean(&told()), "{:?}", told());
        run("DROP TABLE a;
             ALTER TABLE b DROP COLUMN prev_hash;
             DELETE FROM c WHERE seq > 15;
             UPDATE \"Old\".\"D\" SET event_hash = sha256('2') WHERE seq = 7");
        let expected = [
            ("\"Old\".\"D\"", false, vec!["entry_edited", "rows_changed"]),
            ("public.a", false, vec!["table_missing"]),
            ("public.b", false, vec!["shape_changed"]),
            ("public.c", false, vec!["rows_removed"]),
            ("public.e", true, vec![]),
        ];
        let told = told();
        let told: Vec<_> = told
            .iter()
            .map(|(table, ok, found)| (&table[..], *ok, found.clone()))
            .collect();
        assert_eq!(told, expected);
    }

    #[pg_test]
    fn what_is_there_when_adopted_is_no_alarm() {
        make("public.a", 20);
        run(
            "UPDATE a SET event_hash = sha256('2') WHERE seq = 7; DELETE FROM a WHERE seq = 12;
             SELECT adopt_chain('a', again => true)",
        );
        assert_eq!(
            told(),
            [(
                "public.a".to_owned(),
                true,
                vec!["entry_edited", "link_broken"]
            )]
        );
    }
}
