//! `chain_by=` with 10,000 tenants, under the default `max_locks_per_transaction`.

use std::time::Instant;

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::ledger::{Ledger, Outcome};
use auditspine_load::mix::run_clients;
use auditspine_load::rng::Rng;
use auditspine_load::server::{Database, Server, run, scalar, sqlstate, turn};
use postgres::Client;

const TENANTS: i64 = 10_000;

fn prepare(name: &str) -> (Database, Client) {
    let database = Server::from_env().fresh_database(name);
    let mut admin = database.connect();
    run(
        &mut admin,
        "CREATE TABLE event (id bigserial PRIMARY KEY, tenant text NOT NULL, v integer NOT NULL DEFAULT 0);
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON event
         FOR EACH ROW EXECUTE FUNCTION audit_chain_append('event', 'chain_by=tenant')",
    );
    (database, admin)
}

/// Every row and every change is in the chain of its tenant, and there is one chain of each name.
fn assert_tenants(admin: &mut Client, per_row: i64) {
    assert_no_rows(
        admin,
        "a tenant without exactly its own entries",
        &format!(
            "SELECT row(t.*, e.*)::text
             FROM (SELECT tenant, count(*) * {per_row} AS changes FROM event GROUP BY 1) t
             FULL JOIN (SELECT name AS tenant, count(*) AS entries
                        FROM auditspine.chain JOIN auditspine.audit_chain USING (chain_id)
                        WHERE op <> 'S' GROUP BY 1) e
             USING (tenant) WHERE changes IS DISTINCT FROM entries"
        ),
    );
    assert_no_rows(
        admin,
        "a chain made twice",
        "SELECT name FROM auditspine.chain GROUP BY name HAVING count(*) > 1",
    );
    assert_no_rows(
        admin,
        "an entry in another tenant's chain",
        "SELECT seq::text FROM auditspine.audit_chain a JOIN auditspine.chain c USING (chain_id)
         LEFT JOIN event e ON e.id::text = a.event_pk WHERE a.op <> 'S' AND c.name IS DISTINCT FROM e.tenant",
    );
    assert_linked(admin);
    assert_verified(admin);
}

#[test]
fn one_transaction_for_ten_thousand_tenants() {
    let _turn = turn();
    let (_, mut admin) = prepare("tenants_bulk");
    let default_locks: String = scalar(
        &mut admin,
        "SELECT boot_val FROM pg_settings WHERE name = 'max_locks_per_transaction' AND setting = boot_val",
    );
    let mut timed = |what: &str, statement: &str| {
        let start = Instant::now();
        run(&mut admin, statement);
        println!("{what}: {:.2} s", start.elapsed().as_secs_f64());
    };
    timed(
        "first events of 10,000 tenants in one transaction",
        &format!(
            "INSERT INTO event (tenant) SELECT 'tenant-' || g FROM generate_series(1, {TENANTS}) g"
        ),
    );
    timed(
        "a change of each in one transaction",
        "UPDATE event SET v = v + 1",
    );
    timed(
        "the same, flushed early and part taken back",
        "BEGIN; UPDATE event SET v = v + 1; SELECT audit_flush();
         SAVEPOINT s; UPDATE event SET v = v + 1; SELECT audit_flush(); ROLLBACK TO s; COMMIT",
    );
    println!("max_locks_per_transaction: {default_locks}");
    let start = Instant::now();
    let ok: i64 = scalar(
        &mut admin,
        "SELECT count(*) FROM verify_chain() WHERE ok AND entries = 3",
    );
    println!("verify_chain: {:.2} s", start.elapsed().as_secs_f64());
    assert_eq!(ok, TENANTS);
    assert_tenants(&mut admin, 3);
}

#[test]
fn same_new_tenants_at_once() {
    let _turn = turn();
    const CLIENTS: i64 = 16;
    const NEW: u64 = 300;
    let (database, mut admin) = prepare("tenants_race");
    let ledger = run_clients(CLIENTS, |id| {
        let mut client = database.connect();
        let mut ledger = Ledger::default();
        let mut rng = Rng::new(id as u64);
        let mut book = |ended: Result<(), postgres::Error>| match ended {
            Ok(()) => ledger.commits += 1,
            Err(error) => ledger.fail(sqlstate(&error), Outcome::Aborted, vec![]),
        };
        // All clients start with the same tenants, alone, then several in an order of their own.
        for tenant in 0..NEW {
            book(client.batch_execute(&format!("INSERT INTO event (tenant) VALUES ('t{tenant}')")));
        }
        for round in 0..20 {
            let first = NEW + round * 20;
            let mut several: Vec<u64> = (first..first + 20).collect();
            several.sort_by_key(|_| rng.next_u64());
            let inserts: String = several
                .iter()
                .map(|tenant| format!("INSERT INTO event (tenant) VALUES ('t{tenant}');"))
                .collect();
            let end = if rng.chance(20) { "ROLLBACK" } else { "COMMIT" };
            book(client.batch_execute(&format!("BEGIN; {inserts} {end}")));
        }
        ledger
    });
    println!(
        "first events of {} tenants from {CLIENTS} connections: {ledger}",
        NEW + 400
    );
    assert!(ledger.failures.is_empty(), "{ledger}");
    assert_tenants(&mut admin, 1);
}
