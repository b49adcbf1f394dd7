//! Published heads against what happens to real servers: publishers at once, a crash that takes back
//! commits, an old dump, an old data directory, a standby that lags, a disk that is full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{Database, run, scalar, sqlstate, turn};
use postgres::Client;

/// A file that the server can write, in the folder of its socket.
fn file_of(scratch: &Scratch, name: &str) -> PathBuf {
    Path::new(&scratch.server().host).join(name)
}

/// A fresh database with an audited table, that publishes to `file`.
fn prepare(scratch: &Scratch, name: &str, file: &Path) -> Database {
    let database = scratch.server().fresh_database(name);
    database.run(&format!(
        "ALTER DATABASE \"{name}\" SET auditspine.publish_file = '{}';
         SELECT create_chain('ledger', 4);
         CREATE TABLE item (k bigserial PRIMARY KEY, v integer);
         CREATE TRIGGER audit AFTER INSERT ON item
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain=ledger')",
        file.display()
    ));
    database
}

/// Publishes the chain of the table; chain `main`, which has its layout, stands still meanwhile.
fn publish(client: &mut Client) -> i64 {
    scalar(client, "SELECT heads FROM publish_head('ledger')")
}

fn insert(client: &mut Client, rows: u32) {
    for _ in 0..rows {
        run(client, "INSERT INTO item (v) VALUES (1)");
    }
}

/// What the database says of the lines: ok, restored, lines, lines that it bears out, and each kind
/// of finding with how often.
fn verdict(client: &mut Client, file: &Path) -> (bool, bool, i64, i64, Vec<String>) {
    let lines = fs::read_to_string(file).expect("the file of heads");
    let row = client
        .query_one(
            "SELECT ok, restored, lines, heads, findings FROM verify_publication($1)",
            &[&lines],
        )
        .expect("verify_publication");
    let kinds = client
        .query(
            "SELECT finding || ' ' || count(*) FROM publication_findings($1) GROUP BY finding ORDER BY finding",
            &[&lines],
        )
        .expect("publication_findings");
    let kinds: Vec<String> = kinds.iter().map(|row| row.get(0)).collect();
    assert_eq!(row.get::<_, i64>(4) == 0, kinds.is_empty(), "{kinds:?}");
    (row.get(0), row.get(1), row.get(2), row.get(3), kinds)
}

#[track_caller]
fn assert_all_borne_out(client: &mut Client, file: &Path, lines: i64) {
    assert_eq!(
        verdict(client, file),
        (true, false, lines, lines, Vec::new())
    );
}

#[test]
fn publishers_at_once() {
    let _turn = turn();
    let scratch = Scratch::new("publish", &[]);
    let file = file_of(&scratch, "heads.jsonl");
    let database = prepare(&scratch, "publish", &file);
    let published: i64 = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| insert(&mut database.connect(), 200)))
            .collect();
        let publishers: Vec<_> = (0..4)
            .map(|id| {
                let database = &database;
                scope.spawn(move || {
                    let mut client = database.connect();
                    // Also with snapshots that are older than the heads.
                    let isolation = ["read committed", "repeatable read"][id % 2];
                    let mut lines = 0;
                    for _ in 0..25 {
                        run(
                            &mut client,
                            &format!(
                                "BEGIN ISOLATION LEVEL {isolation}; SELECT 1 FROM item LIMIT 1"
                            ),
                        );
                        lines += scalar::<i64>(&mut client, "SELECT heads FROM publish_head()");
                        run(&mut client, "COMMIT");
                    }
                    lines
                })
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().expect("a writer"));
        publishers
            .into_iter()
            .map(|publisher| publisher.join().expect("a publisher"))
            .sum()
    });
    let mut client = database.connect();
    println!("{published} heads published by 4 publishers");
    assert!(published > 100, "{published}");
    assert_all_borne_out(&mut client, &file, published);
    assert_eq!(
        scalar::<i64>(&mut client, "SELECT count(*) FROM auditspine.publication"),
        published
    );
    // Each line has its record, and in the order of the lines.
    let text = fs::read_to_string(&file).expect("the file");
    let recorded: Vec<String> = client
        .query(
            "SELECT canonical_json(jsonb_build_object('chain', chain, 'chain_hash', encode(chain_hash, 'hex'), 'lane', lane,
                 'pos', pos::text, 'seq', seq::text, 'v', 1, 'published_at',
                 to_char(published_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')))
             FROM auditspine.publication ORDER BY publication_id, chain_id, lane",
            &[],
        )
        .expect("the record")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(text.lines().collect::<Vec<_>>(), recorded);
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(&file).expect("the file").permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

/// Two databases publish to the same two files, each naming them in another order, as fast as they can.
#[test]
fn several_files_have_the_same_lines() {
    let _turn = turn();
    let scratch = Scratch::new("publish-two", &[]);
    let files = [
        file_of(&scratch, "one.jsonl"),
        file_of(&scratch, "two, \"2\".jsonl"),
    ];
    let quoted = |file: &Path| format!("\"{}\"", file.display().to_string().replace('"', "\"\""));
    let database = |name: &str, files: [&Path; 2]| {
        let database = prepare(&scratch, name, Path::new("/nowhere"));
        let list = files.map(quoted).join(", ");
        database.run(&format!(
            "ALTER DATABASE \"{name}\" SET auditspine.publish_file = '{list}'"
        ));
        database
    };
    let databases = [
        database("here", [&files[0], &files[1]]),
        database("there", [&files[1], &files[0]]),
    ];
    thread::scope(|scope| {
        for database in &databases {
            scope.spawn(|| {
                let mut client = database.connect();
                run(&mut client, "SET statement_timeout = '60s'");
                for _ in 0..40 {
                    insert(&mut client, 1);
                    let rows = client
                        .query("SELECT heads, file FROM publish_head('ledger')", &[])
                        .expect("publish_head");
                    let told: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
                    assert_eq!(told, [1, 1]);
                }
            });
        }
    });
    let text = files
        .each_ref()
        .map(|file| fs::read_to_string(file).expect("the file"));
    assert_eq!(text[0], text[1]);
    assert_eq!(text[0].lines().count(), 80);
    for database in &databases {
        let mut client = database.connect();
        let recorded: String = scalar(
            &mut client,
            "SELECT string_agg(DISTINCT n || ' in ' || ids, ', ') FROM (
                 SELECT count(*) AS n, count(DISTINCT publication_id) AS ids FROM auditspine.publication GROUP BY file) AS f",
        );
        assert_eq!(recorded, "40 in 40");
        let heads: String = scalar(
            &mut client,
            "SELECT checked || ' ' || findings FROM verify_all() WHERE layer = 'heads'",
        );
        assert_eq!(heads, "40 0");
    }
}

/// With synchronous_commit = off a commit is seen before it is on disk. What was published must
/// survive a crash nevertheless; what came after it may go.
#[test]
fn published_heads_survive_a_crash() {
    let _turn = turn();
    let settings = [
        "synchronous_commit=off",
        "wal_writer_delay=10s",
        "log_min_messages=panic",
    ];
    let scratch = Scratch::new("publish-crash", &settings);
    let file = file_of(&scratch, "heads.jsonl");
    let database = prepare(&scratch, "crash", &file);
    scratch.stop("fast");
    scratch.start_again();
    let (mut lost, mut lines) = (0, 0);
    for round in 0..6 {
        let mut client = database.connect();
        let before: i64 = scalar(&mut client, "SELECT count(*) FROM item");
        insert(&mut client, 5);
        lines += publish(&mut client);
        insert(&mut client, 5);
        scratch.kill9();
        scratch.start_again();
        let mut client = database.connect();
        let after: i64 = scalar(&mut client, "SELECT count(*) FROM item");
        assert!(
            after >= before + 5,
            "round {round}: {before} rows, then {after}"
        );
        lost += before + 10 - after;
        assert_all_borne_out(&mut client, &file, lines);
        assert_verified(&mut client);
    }
    println!("{lost} of 60 rows were taken back by 6 crashes, {lines} heads published");
    assert!(lost > 0, "the crashes took nothing back: they show nothing");
}

/// Entries and publications, a backup in between, then what the older state says of the file.
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

/// A folder of 64 kB of its own.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(folder: PathBuf) -> Option<SmallDisk> {
        fs::create_dir(&folder).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k,mode=0777", "tmpfs"])
            .arg(&folder)
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_half_line() {
    let _turn = turn();
    let scratch = Scratch::new("publish-full", &[]);
    let Some(disk) = SmallDisk::mount(file_of(&scratch, "small")) else {
        println!("skipped: no file system can be mounted here");
        return;
    };
    let file = disk.0.join("heads.jsonl");
    let database = prepare(&scratch, "full", &file);
    let mut client = database.connect();
    insert(&mut client, 5);
    let mut lines = publish(&mut client);
    fs::write(disk.0.join("ballast"), vec![0; 56 * 1024]).expect("ballast");
    let refused = loop {
        match client.query_one("SELECT heads FROM publish_head()", &[]) {
            Ok(row) => lines += row.get::<_, i64>(0),
            Err(error) => break error,
        }
        assert!(lines < 10_000, "the disk does not fill");
    };
    assert_eq!(sqlstate(&refused), "53100", "{refused:?}");
    let text = fs::read_to_string(&file).expect("the file");
    assert!(
        text.ends_with("}\n"),
        "half a line: {:?}",
        text.lines().last()
    );
    assert_all_borne_out(&mut client, &file, lines);
    assert_no_rows(
        &mut client,
        "another number of records than of lines",
        &format!("SELECT count(*)::text FROM auditspine.publication HAVING count(*) <> {lines}"),
    );
    fs::remove_file(disk.0.join("ballast")).expect("room");
    lines += publish(&mut client);
    assert_all_borne_out(&mut client, &file, lines);
    // With a second file on the full disk, nothing is recorded; the first one's lines do no harm.
    let other = file_of(&scratch, "heads.other");
    let both = format!("{}, {}", other.display(), file.display());
    fs::write(disk.0.join("ballast"), vec![0; 60 * 1024]).expect_err("the disk is full");
    run(
        &mut client,
        &format!("SET auditspine.publish_file = '{both}'"),
    );
    let refused = loop {
        match client.query("SELECT heads FROM publish_head('ledger')", &[]) {
            Ok(rows) => assert_eq!(rows.len(), 2),
            Err(error) => break error,
        }
        lines += 1;
        assert!(lines < 10_000, "the disk does not fill");
    };
    assert_eq!(sqlstate(&refused), "53100", "{refused:?}");
    let of = refused
        .as_db_error()
        .expect("an error of the server")
        .message();
    assert!(of.contains(&file.display().to_string()), "{of}");
    assert_all_borne_out(&mut client, &file, lines);
    let written = fs::read_to_string(&other)
        .expect("the file")
        .lines()
        .count() as i64;
    assert_all_borne_out(&mut client, &other, written);
    let recorded: i64 = scalar(
        &mut client,
        &format!(
            "SELECT count(*) FROM auditspine.publication WHERE file = '{}'",
            other.display()
        ),
    );
    assert_eq!(written, recorded + 1);
}
