//! Random programs on tables with random triggers, that fire before the audit's and after it, ahead of it and
//! behind it, and change the same rows and others: whatever was done in whatever nesting, rows verify, the
//! history of each key ends with the row as it is, and its entries stand in the order in which versions
//! came to be. That order is told by a stamp which each version gets from a sequence when it is written.
//!
//! `ORDER_SEEDS` says how many worlds there are, `ORDER_FIRST` with which to begin.

mod world;

use std::fmt::Write;

use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, scalar, sqlstate, turn};
use postgres::Client;

use world::{KEYS, Key, World, one_of};

impl World {
    fn statement(&self, rng: &mut Rng) -> String {
        let (x, y) = (rng.below(KEYS), rng.below(KEYS));
        let value = rng.below(1000);
        if self.bulk && rng.chance(20) {
            return match rng.below(3) {
                0 => "INSERT INTO t (id, a) SELECT i, f(i % 9) FROM generate_series(100, 599) AS i"
                    .to_owned(),
                1 => "UPDATE t SET a = f(a % 9) WHERE id >= 100".to_owned(),
                _ => "DELETE FROM t WHERE id >= 100".to_owned(),
            };
        }
        match rng.below(24) {
            0..=2 => format!("INSERT INTO t (id, a) VALUES ({x}, {value})"),
            3 => format!("INSERT INTO t (id, a) VALUES ({x}, {value}), ({}, 1), ({}, 2)", (x + 2) % KEYS, (x + 3) % KEYS),
            4 => format!("INSERT INTO t (id, a) SELECT f({x}), {value}"),
            5 | 6 => format!("UPDATE t SET a = {value} WHERE id = {x}"),
            7 => format!("UPDATE t SET a = f({x})"),
            8 => format!("UPDATE t SET a = a + 1 WHERE id >= {x}"),
            9 if self.key.is_shared() => format!("UPDATE t SET id = (id + 1) % {KEYS}"),
            10 if self.key.is_shared() => format!("UPDATE t SET id = CASE id WHEN {x} THEN {y} ELSE {x} END WHERE id IN ({x}, {y})"),
            9 | 10 => format!("UPDATE t SET id = id + 1 WHERE id = {x} AND NOT EXISTS (SELECT FROM t AS o WHERE o.id = {x} + 1)"),
            11 => format!("UPDATE t SET id = {y} WHERE id = {x}"),
            12 | 13 => format!("DELETE FROM t WHERE id = {x}"),
            14 => format!("DELETE FROM t WHERE f(id) >= {x}"),
            15 if !self.key.is_shared() => format!("INSERT INTO t (id, a) VALUES ({x}, {value}), ({y}, 5) ON CONFLICT (id) DO UPDATE SET a = excluded.a + f({y})"),
            16 if self.key != Key::Partitioned => format!(
                "MERGE INTO t USING (VALUES ({x}, {value}), (({x} + 1) % {KEYS}, 3)) AS s (id, a) ON t.id = s.id
                 WHEN MATCHED AND t.a > 500 THEN DELETE WHEN MATCHED THEN UPDATE SET a = s.a
                 WHEN NOT MATCHED THEN INSERT (id, a) VALUES (s.id, s.a)"
            ),
            17 => format!("WITH gone AS (DELETE FROM t WHERE id = {x} RETURNING id) INSERT INTO t (id, a) SELECT id, {value} FROM gone"),
            18 => format!("WITH gone AS (DELETE FROM t WHERE id = {x}) UPDATE t SET a = {value} WHERE id = {y}"),
            19 if rng.chance(40) => "TRUNCATE t CASCADE".to_owned(),
            20 => format!("INSERT INTO c VALUES ({}, {x}) ON CONFLICT (id) DO UPDATE SET of = excluded.of", rng.below(5)),
            21 => format!("DELETE FROM c WHERE id = {}", rng.below(5)),
            22 => format!("SELECT f({x})"),
            _ => format!("UPDATE t SET a = a WHERE id = {x}"),
        }
    }

    /// Runs a transaction; what failed in it is rolled back to a savepoint. Returns what was done.
    fn transaction(&self, client: &mut Client, rng: &mut Rng) -> String {
        let mut done = String::from("BEGIN");
        let mut savepoints = 0;
        let mut run_one = |client: &mut Client, statement: &str| {
            let _ = write!(done, ";\n{statement}");
            client.batch_execute(statement)
        };
        let fine = "a statement that cannot fail";
        let level = one_of(
            rng,
            &[
                "READ COMMITTED",
                "READ COMMITTED",
                "REPEATABLE READ",
                "SERIALIZABLE",
            ],
        );
        client
            .batch_execute("SELECT setval('budget', 1)")
            .expect(fine);
        client
            .batch_execute(&format!("BEGIN ISOLATION LEVEL {level}"))
            .expect(fine);
        if self.key.is_shared() && rng.chance(30) {
            run_one(client, "SET CONSTRAINTS ALL DEFERRED").expect(fine);
        }
        for _ in 0..1 + rng.below(6) {
            match rng.below(12) {
                0 => {
                    savepoints += 1;
                    run_one(client, &format!("SAVEPOINT s{savepoints}")).expect(fine);
                    continue;
                }
                1 if savepoints > 0 => {
                    run_one(client, &format!("ROLLBACK TO s{savepoints}")).expect(fine);
                    continue;
                }
                2 if rng.chance(30) => {
                    run_one(client, "SELECT audit_flush()").expect(fine);
                    continue;
                }
                _ => {}
            }
            run_one(client, "SAVEPOINT one").expect(fine);
            let statement = self.statement(rng);
            if let Err(error) = run_one(client, &statement) {
                assert!(!sqlstate(&error).starts_with("XX"), "{error:?}\n{done}");
                run_one(client, "ROLLBACK TO one").expect(fine);
            }
            run_one(client, "RELEASE one").expect(fine);
        }
        let end = match rng.below(10) {
            0 => "ROLLBACK",
            1 => "PREPARE TRANSACTION 'p'",
            _ => "COMMIT",
        };
        let ended = run_one(client, end);
        if let Err(error) = ended {
            let lost_row = |error: &postgres::Error| {
                let error = error.as_db_error().map_or("", |error| error.message());
                error.starts_with("failed to fetch tuple")
                    || error.starts_with("could not read block")
            };
            // A deferred constraint, or what a deferred trigger did. PostgreSQL itself looks at commit for rows
            // that a trigger inserted BEFORE TRUNCATE, where it has a deferred constraint to check on them.
            let truncated = lost_row(&error) && self.script.contains("BEFORE TRUNCATE");
            assert!(
                truncated || !sqlstate(&error).starts_with("XX"),
                "{error:?}\n{done}"
            );
        } else if end.starts_with("PREPARE") {
            run_one(client, "COMMIT PREPARED 'p'").expect(fine);
        }
        done
    }

    /// What is wrong now, a line each.
    fn complaints(&self, client: &mut Client) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut ask = |query: &str| {
            let rows = client
                .query(query, &[])
                .unwrap_or_else(|error| panic!("{query}: {error:?}"));
            wrong.extend(rows.iter().map(|row| row.get::<_, String>(0)));
        };
        if self.chains {
            ask(
                "SELECT concat_ws(' ', 'main', key, finding, detail) FROM verify_table_findings('t', chain => 'main')",
            );
        }
        for table in ["t", "c"] {
            ask(&format!(
                "SELECT concat_ws(' ', table_name, key, finding, detail) FROM verify_table_findings('{table}')"
            ));
            let key = match (table, self.key) {
                ("t", Key::Pair) => "format('[\"%s\",\"%s\"]', g, id)",
                _ => "id::text",
            };
            ask(&format!(
                "WITH emptied AS (SELECT coalesce(max(seq), 0) AS seq FROM auditspine.audit_chain WHERE event_kind = '{table}' AND op = 'T' AND payload IS NULL),
                 last AS (
                     SELECT DISTINCT ON (event_pk) event_pk, op, payload_hash FROM auditspine.audit_chain a, emptied e
                     WHERE event_kind = '{table}' AND op IN ('I', 'U', 'D') AND a.seq > e.seq ORDER BY event_pk, a.seq DESC),
                 present AS (SELECT {key} AS event_pk, canonical_row_hash(r) AS hash FROM {table} r)
                 SELECT format('{table} %s ends with %s', coalesce(l.event_pk, p.event_pk), l.op)
                 FROM last l FULL JOIN present p USING (event_pk)
                 WHERE (p.hash IS NULL) <> (coalesce(l.op, 'D') = 'D') OR p.hash <> l.payload_hash"
            ));
            if self.flushes || self.bulk || (table == "t" && self.key.is_shared()) {
                continue;
            }
            // Also of a table that was emptied: nothing of what was before counts.
            ask(&format!(
                "WITH emptied AS (SELECT seq FROM auditspine.audit_chain WHERE event_kind = '{table}' AND op = 'T' AND payload IS NULL),
                 entry AS (
                     SELECT event_pk, seq, op, (payload ->> 'stamp')::bigint AS stamp,
                            (SELECT count(*) FROM emptied e WHERE e.seq < a.seq) AS era
                     FROM auditspine.audit_chain a WHERE event_kind = '{table}' AND op IN ('I', 'U', 'D')),
                 step AS (SELECT *, lag(op) OVER w AS before, lag(stamp) OVER w AS was FROM entry WINDOW w AS (PARTITION BY era, event_pk ORDER BY seq))
                 SELECT format('{table} %s: %s (%s) after %s (%s)', event_pk, op, stamp, before, was) FROM step
                 WHERE (coalesce(before, 'D') = 'D') <> (op = 'I')
                    OR (op = 'D' AND stamp <> was) OR (op <> 'D' AND stamp <= was)"
            ));
        }
        wrong
    }
}

/// What a superuser does with triggers off is found.
fn tampering(client: &mut Client, seed: u64) {
    run(
        client,
        "BEGIN; TRUNCATE c; SET LOCAL session_replication_role = replica; TRUNCATE t CASCADE; COMMIT",
    );
    let off = "SET LOCAL session_replication_role = replica; SET CONSTRAINTS ALL IMMEDIATE";
    run(
        client,
        &format!(
            "BEGIN; TRUNCATE c; ALTER TABLE t DISABLE TRIGGER USER; ALTER TABLE t ENABLE TRIGGER auditspine_audit;
             ALTER TABLE t ENABLE TRIGGER auditspine_truncate;
             TRUNCATE t CASCADE;
             INSERT INTO t (id, a) VALUES (1, 1), (2, 2), (5, 5);
             COMMIT;
             BEGIN; {off}; UPDATE t SET a = 7 WHERE id = 1; DELETE FROM t WHERE id = 2; INSERT INTO t (id, a) VALUES (6, 6); COMMIT"
        ),
    );
    let found: String = scalar(
        client,
        "SELECT string_agg(finding, ',' ORDER BY finding) FROM verify_table_findings('t') WHERE finding LIKE 'row%'",
    );
    assert_eq!(
        found, "row_deleted,row_edited,row_unrecorded",
        "seed {seed}"
    );
}

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn order_of_changes() {
    let _turn = turn();
    let server = Server::from_env();
    let (first, seeds) = (number("ORDER_FIRST", 0), number("ORDER_SEEDS", 40));
    let mut transactions = 0;
    let mut client = server.fresh_database("order_of_changes").connect();
    run(&mut client, "SET statement_timeout = '60s'");
    for seed in first..first + seeds {
        let mut rng = Rng::new(seed);
        let world = World::new(&mut rng);
        println!("seed {seed}: {:?}", world.key);
        run(
            &mut client,
            "DROP EXTENSION auditspine CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public; CREATE EXTENSION auditspine",
        );
        run(&mut client, &world.script);
        let buffer = if world.bulk { "64" } else { "65536" };
        run(
            &mut client,
            &format!("SET auditspine.buffer_size = {buffer}"),
        );
        let mut done = Vec::new();
        for _ in 0..12 {
            done.push(world.transaction(&mut client, &mut rng));
            transactions += 1;
            let wrong = world.complaints(&mut client);
            assert!(
                wrong.is_empty(),
                "seed {seed}: {wrong:#?}\n{}\n-- {:?}\n{};",
                world.script,
                world.key,
                done.join(";\n")
            );
        }
        let ok: bool = scalar(&mut client, "SELECT bool_and(ok) FROM verify_chain()");
        assert!(ok, "seed {seed}: links");
        tampering(&mut client, seed);
    }
    println!("{transactions} transactions in {seeds} worlds");
}
