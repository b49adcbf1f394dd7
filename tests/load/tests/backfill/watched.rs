//! A backfill that is killed, and what others and its caller hear of one.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Server, run, scalar, turn};
use postgres::{Client, Config, NoTls};

use super::{ROWS, assert_complete, assert_nothing_left, backfill, prepare};

const PATIENCE: Duration = Duration::from_secs(120);

/// kill -9 of the backfill's backend, which takes the whole server down with it, twice; then a run
/// that ends.
#[test]
fn backfill_killed_and_called_again() {
    let _turn = turn();
    let scratch = Scratch::new("backfill", &["log_min_messages=panic"]);
    let database = scratch.server().fresh_database("backfill");
    let mut admin = database.connect();
    prepare(&mut admin, false, 32);
    for turn in 1..=2 {
        let done = thread::scope(|scope| {
            let run = scope.spawn(|| backfill(&database, "read committed", 500));
            let pid = pid_when_done(&mut admin, turn * 20_000);
            let status = Command::new("kill")
                .args(["-9", &pid.to_string()])
                .status()
                .expect("kill");
            assert!(status.success(), "kill -9 of {pid}: {status}");
            run.join().expect("the backfill's client")
        });
        assert!(done.is_err(), "the backfill ended before it was killed");
        admin = database.connect_after_crash(admin);
        // What was committed is there, in whole batches; the run is recognised as dead by its pid.
        let recorded: i64 = scalar(
            &mut admin,
            "SELECT count(*) FROM auditspine.audit_chain WHERE event_kind = 'item'",
        );
        println!("killed after {recorded} rows");
        assert!(recorded >= turn * 20_000 && recorded < ROWS, "{recorded}");
        assert_eq!(recorded % 500, 0);
        assert_eq!(
            scalar::<i64>(
                &mut admin,
                "SELECT count(*) FROM auditspine.progress p WHERE state = 'running'
                 AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = p.pid AND a.backend_start < p.started_at)"
            ),
            1
        );
    }
    backfill(&database, "read committed", 500).expect("a backfill that ends");
    let states: String = scalar(
        &mut admin,
        "SELECT string_agg(state, ' ' ORDER BY progress_id) FROM auditspine.progress",
    );
    assert_eq!(states, "interrupted interrupted finished");
    assert_complete(&mut admin);
    assert_nothing_left(&database, &mut admin);
    drop(admin);
}

/// What the caller hears: how far a run is, now and then, and how it ended.
#[test]
fn backfill_tells_how_far_it_is() {
    let _turn = turn();
    let server = Server::from_env();
    let database = server.fresh_database("backfill_notices");
    let mut admin = database.connect();
    prepare(&mut admin, false, 32);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let mut caller = Config::new()
        .host(&server.host)
        .port(server.port)
        .user(&server.user)
        .dbname(database.name())
        .notice_callback(move |notice| {
            let detail = notice.detail().unwrap_or_default();
            let line = format!("{} | {detail}", notice.message());
            ear.lock().expect("an ear").push(line);
        })
        .connect(NoTls)
        .expect("a connection");
    let mut holder = database.connect();
    run(&mut holder, "BEGIN; UPDATE item SET v = 1 WHERE k = 7");
    thread::scope(|scope| {
        // Longer than a run is silent.
        let run = scope.spawn(|| caller.execute("CALL audit_backfill('item', $1)", &[&5000]));
        thread::sleep(Duration::from_millis(5500));
        holder.batch_execute("COMMIT").expect("COMMIT");
        run.join()
            .expect("the caller")
            .expect("a backfill that ends in order");
    });
    let heard = heard.lock().expect("an ear").clone();
    println!("{heard:#?}");
    let progress = heard
        .iter()
        .find(|line| line.contains("rows done"))
        .expect("a notice of progress");
    assert!(
        progress.starts_with("audit_backfill of table public.item: ")
            && progress.contains(" of about ")
            && progress.contains(" rows/s, ")
            && progress.contains(" s left"),
        "{progress}"
    );
    let end = heard.last().expect("a notice at the end");
    assert!(
        end.starts_with(
            "audit_backfill of table public.item: 99999 rows recorded, 1 skipped | 100000 rows in "
        ),
        "{end}"
    );
}

/// The process of the running backfill, once it has dealt with that many rows.
fn pid_when_done(admin: &mut Client, rows: i64) -> i32 {
    let start = Instant::now();
    loop {
        let found = admin
            .query_opt(
                "SELECT pid FROM auditspine.progress p WHERE state = 'running' AND done >= $1
                 AND EXISTS (SELECT FROM pg_stat_activity a WHERE a.pid = p.pid AND a.backend_start < p.started_at)",
                &[&rows],
            )
            .expect("the progress");
        if let Some(row) = found {
            return row.get(0);
        }
        assert!(start.elapsed() < PATIENCE, "{rows} rows are not done");
        thread::sleep(Duration::from_millis(2));
    }
}
