//! Published heads against what happens to real servers: publishers at once, a crash that takes back
//! commits, a disk that is full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use auditspine_load::check::{assert_no_rows, assert_verified};
use auditspine_load::publication::{assert_all_borne_out, file_of, insert, prepare, publish};
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{run, scalar, sqlstate, turn};

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
