//! verify_all() under pg_cron, the real one: a job of a role that may do nothing else finds a break at
//! the next full minute, and whoever listens hears of it.

use std::time::{Duration, Instant};

use auditspine_load::item::create_item;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Server, run, scalar, turn};
use postgres::fallible_iterator::FallibleIterator;

/// A job runs at each full minute; starting it takes a moment.
const PATIENCE: Duration = Duration::from_secs(75);

#[test]
fn job_finds_a_break_and_tells_of_it() {
    let _turn = turn();
    let mut main = Server::from_env().database("postgres").connect();
    let available = "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'";
    if scalar::<i64>(&mut main, available) == 0 {
        println!("skipped: pg_cron is not installed here");
        return;
    }
    let settings = [
        "shared_preload_libraries=pg_cron",
        "cron.database_name=postgres",
        "cron.use_background_workers=on",
    ];
    let scratch = Scratch::new("cron", &settings);
    let database = scratch.server().database("postgres");
    let mut admin = database.connect();
    run(
        &mut admin,
        "CREATE EXTENSION pg_cron; CREATE EXTENSION auditspine;
         CREATE ROLE watchman LOGIN; GRANT USAGE ON SCHEMA cron, auditspine TO watchman;
         GRANT SELECT ON auditspine.audit_chain, auditspine.chain TO watchman;
         GRANT EXECUTE ON FUNCTION verify_all(text) TO watchman",
    );
    create_item(&mut admin, Some("'item'"));
    run(
        &mut admin,
        "INSERT INTO item SELECT k, 0, 'n' FROM generate_series(1, 100) AS k",
    );
    run(&mut admin, "SELECT verify_all()");
    run(&mut admin, "UPDATE item SET v = 1 WHERE k = 7");
    run(&mut admin, "SET session_replication_role = replica");
    let edit =
        "UPDATE auditspine.audit_chain SET db_user = 'nobody' WHERE event_pk = '7' AND op = 'U'";
    assert_eq!(admin.execute(edit, &[]).expect("an edit"), 1);
    let mut listener = database.connect();
    run(&mut listener, "LISTEN auditspine_alert");
    run(
        &mut admin,
        "SET ROLE watchman;
         SELECT cron.schedule('verify', '* * * * *', $$SELECT * FROM verify_all('last')$$); RESET ROLE",
    );

    let start = Instant::now();
    let payload = listener
        .notifications()
        .timeout_iter(PATIENCE)
        .next()
        .expect("the connection")
        .unwrap_or_else(|| panic!("no notification within {PATIENCE:?}"))
        .payload()
        .to_owned();
    println!("after {:?}: {payload}", start.elapsed());
    let told: String = scalar(
        &mut admin,
        &format!(
            "SELECT concat_ws(' ', a.kind, a.severity, a.layer, a.finding, a.chain, a.pk, v.scope, v.ok, v.db_user)
             FROM auditspine.alert AS a JOIN auditspine.verification AS v USING (verification_id)
             WHERE a.alert_id = ($x${payload}$x$::jsonb ->> 'alert_id')::bigint"
        ),
    );
    assert_eq!(
        told,
        "audit_chain_break critical links entry_edited main 7 incremental f watchman"
    );
    // The job itself ends as soon as its transaction is committed.
    let ended = "SELECT count(*) FROM cron.job_run_details WHERE username = 'watchman' AND status = 'succeeded'";
    while scalar::<i64>(&mut admin, ended) == 0 {
        let runs: String = scalar(
            &mut admin,
            "SELECT coalesce(string_agg(d::text, E'\\n'), 'none') FROM cron.job_run_details AS d",
        );
        assert!(
            start.elapsed() < PATIENCE,
            "the job did not succeed: {runs}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}
