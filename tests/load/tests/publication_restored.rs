//! Published heads against databases that were put back to an earlier state, and against standbys.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_verified};
use auditspine_load::publication::{
    assert_all_borne_out, file_of, insert, prepare, publish, verdict,
};
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, run, scalar, sqlstate, turn};
use postgres::Client;

fn publish_around(database: &Database, backup: impl FnOnce()) -> (i64, i64) {
    let mut client = database.connect();
    let mut lines = [0, 0];
    for _ in 0..3 {
        insert(&mut client, 10);
        lines[0] += publish(&mut client);
    }
    drop(client);
    backup();
    let mut client = database.connect();
    for _ in 0..3 {
        insert(&mut client, 10);
        lines[1] += publish(&mut client);
    }
    (lines[0], lines[1])
}

/// The older state bears out what was published before it, and says of the rest that it is older
/// itself; also after it went on, up to numbers beyond the published ones.
fn assert_restored(database: &Database, file: &Path, before: i64, after: i64) {
    let mut client = database.connect();
    let lines = fs::read_to_string(file).expect("the file");
    let expected = (
        false,
        true,
        before + after,
        before,
        vec![format!("database_restored {after}")],
    );
    assert_verified(&mut client);
    assert_eq!(verdict(&mut client, file), expected);
    for rows in [1, 5, 100] {
        insert(&mut client, rows);
        assert_eq!(
            verdict(&mut client, file),
            expected,
            "after {rows} more rows"
        );
    }
    assert_verified(&mut client);
    // From then on it publishes to a new file, and that one holds.
    let new = file.with_extension("new");
    run(
        &mut client,
        &format!("SET auditspine.publish_file = '{}'", new.display()),
    );
    let count = publish(&mut client);
    assert_all_borne_out(&mut client, &new, count);
    assert_eq!(fs::read_to_string(file).expect("the file"), lines);
    assert_linked(&mut client);
}

#[test]
fn an_old_dump_is_told() {
    let _turn = turn();
    let scratch = Scratch::new("publish-dump", &[]);
    let server = scratch.server();
    let file = file_of(&scratch, "heads.jsonl");
    let database = prepare(&scratch, "source", &file);
    let dump = |to: &Path| {
        let dump = server
            .program("pg_dump")
            .args(["-Fc", "source"])
            .output()
            .expect("pg_dump");
        assert!(
            dump.status.success(),
            "{}",
            String::from_utf8_lossy(&dump.stderr)
        );
        fs::write(to, dump.stdout).expect("the dump");
    };
    let old = file_of(&scratch, "old.dump");
    let (before, after) = publish_around(&database, || dump(&old));
    let restore = |from: &Path, name: &str| {
        server.empty_database(name);
        let status = server
            .program("pg_restore")
            .args(["--exit-on-error", "-d", name])
            .arg(from)
            .status()
            .expect("pg_restore");
        assert!(status.success());
        server.database(name)
    };
    assert_restored(&restore(&old, "restored"), &file, before, after);
    // A new dump holds, all lines and their record.
    let new = file_of(&scratch, "new.dump");
    dump(&new);
    let moved = restore(&new, "moved");
    let mut client = moved.connect();
    assert_all_borne_out(&mut client, &file, before + after);
    assert_eq!(
        scalar::<i64>(&mut client, "SELECT count(*) FROM auditspine.publication"),
        before + after
    );
    insert(&mut client, 3);
    run(
        &mut client,
        &format!("SET auditspine.publish_file = '{}'", file.display()),
    );
    let more = publish(&mut client);
    assert_all_borne_out(&mut client, &file, before + after + more);
}

#[test]
fn an_old_data_directory_is_told() {
    let _turn = turn();
    let scratch = Scratch::new("publish-restore", &[]);
    let file = file_of(&scratch, "heads.jsonl");
    let database = prepare(&scratch, "restore", &file);
    let data = file_of(&scratch, "data");
    let kept = file_of(&scratch, "data.kept");
    let (before, after) = publish_around(&database, || {
        scratch.stop("fast");
        let status = Command::new("cp")
            .arg("-a")
            .args([&data, &kept])
            .status()
            .expect("cp");
        assert!(status.success());
        scratch.start_again();
    });
    assert_all_borne_out(&mut database.connect(), &file, before + after);
    scratch.stop("fast");
    fs::remove_dir_all(&data).expect("the new state goes");
    fs::rename(&kept, &data).expect("the old state comes");
    scratch.start_again();
    assert_restored(&database, &file, before, after);
}

/// A recovery, to a backup or a standby that took over, skips the numbers that were logged ahead. What
/// was published of these is told as such until the database goes on, and stays bad for ever.
#[test]
fn a_recovery_to_an_older_state_is_told() {
    let _turn = turn();
    let scratch = Scratch::new("publish-recovery", &[]);
    let file = file_of(&scratch, "heads.jsonl");
    let database = prepare(&scratch, "recovery", &file);
    let mut client = database.connect();
    insert(&mut client, 20);
    let before = publish(&mut client);
    scratch.kill9();
    let (data, kept) = (file_of(&scratch, "data"), file_of(&scratch, "data.kept"));
    let status = Command::new("cp")
        .arg("-a")
        .args([&data, &kept])
        .status()
        .expect("cp");
    assert!(status.success());
    scratch.start_again();
    let mut client = database.connect();
    // 40 of them, so that the second lies beyond what was logged ahead.
    insert(&mut client, 20);
    assert_eq!(publish(&mut client), 1);
    insert(&mut client, 20);
    assert_eq!(publish(&mut client), 1);
    assert_all_borne_out(&mut client, &file, before + 2);
    scratch.stop("fast");
    fs::remove_dir_all(&data).expect("the new state goes");
    fs::rename(&kept, &data).expect("the old state comes");
    scratch.start_again();
    let mut client = database.connect();
    assert_eq!(
        verdict(&mut client, &file),
        (
            false,
            true,
            before + 2,
            before,
            vec!["database_restored 2".to_owned()]
        )
    );
    for rows in [1, 30, 100] {
        insert(&mut client, rows);
        let (ok, restored, lines, heads, kinds) = verdict(&mut client, &file);
        assert_eq!(
            (ok, restored, lines, heads),
            (false, true, before + 2, before),
            "{kinds:?}"
        );
    }
}

#[test]
fn a_standby_verifies_and_its_lag_is_no_alarm() {
    let _turn = turn();
    let primary = Scratch::new("publish-primary", &[]);
    let file = file_of(&primary, "heads.jsonl");
    let database = prepare(&primary, "publish", &file);
    let mut client = database.connect();
    insert(&mut client, 5);
    let first = publish(&mut client);
    let standby = primary.standby("publish-standby");
    let mut reader = standby.server().database("publish").connect();
    let catch_up = |client: &mut Client, reader: &mut Client| {
        let end: String = scalar(client, "SELECT pg_current_wal_flush_lsn()::text");
        let start = Instant::now();
        let caught_up = format!("SELECT pg_last_wal_replay_lsn() >= '{end}'::pg_lsn");
        while !scalar::<bool>(reader, &caught_up) {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "the standby does not catch up"
            );
            thread::sleep(Duration::from_millis(50));
        }
    };
    catch_up(&mut client, &mut reader);
    assert_all_borne_out(&mut reader, &file, first);
    let refused = reader
        .query("SELECT publish_head()", &[])
        .expect_err("a standby publishes");
    assert_eq!(sqlstate(&refused), "25006");

    run(&mut reader, "SELECT pg_wal_replay_pause()");
    while scalar::<String>(&mut reader, "SELECT pg_get_wal_replay_pause_state()") != "paused" {
        thread::sleep(Duration::from_millis(20));
    }
    insert(&mut client, 5);
    let second = publish(&mut client);
    let behind = (
        true,
        false,
        first + second,
        first,
        vec![format!("ahead_of_standby {second}")],
    );
    assert_eq!(verdict(&mut reader, &file), behind);
    run(&mut reader, "SELECT pg_wal_replay_resume()");
    catch_up(&mut client, &mut reader);
    assert_all_borne_out(&mut reader, &file, first + second);
}
