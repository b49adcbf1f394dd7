//! Published heads held against databases that were left alone, cut, rewritten and restored.

use auditspine_core::entry::chain_hash;
use auditspine_core::hash::Hash;
use auditspine_core::publication::{
    Facts, Finding, FindingKind, Judge, Published, StoredEntry, Summary,
};

/// A database of one or two chains in memory; its clock goes on by one with every entry and publication.
#[derive(Clone, Default)]
struct Database {
    chains: Vec<(String, Vec<Vec<StoredEntry>>)>,
    recorded: Vec<Published>,
    last_seq: i64,
    clock: i64,
    replayed_until: Option<i64>,
    /// How often it was asked whether numbers were given out again.
    asked: u32,
}

impl Database {
    fn new() -> Database {
        let lanes = vec![Vec::new(); 3];
        Database {
            chains: vec![
                ("main".to_owned(), lanes.clone()),
                ("ledger".to_owned(), lanes),
            ],
            ..Database::default()
        }
    }

    fn append(&mut self, chain: usize, lane: usize) {
        self.last_seq += 1;
        self.clock += 1;
        let entries = &mut self.chains[chain].1[lane];
        let prev = entries.last().map_or(Hash::ZERO, |entry| {
            Hash::from_slice(&entry.chain_hash).unwrap()
        });
        let event = Hash::of(&[self.last_seq.to_be_bytes(), self.clock.to_be_bytes()].concat());
        entries.push(StoredEntry {
            pos: entries.len() as i64 + 1,
            seq: self.last_seq,
            appended_at: self.clock,
            event_hash: event.0.to_vec(),
            prev_hash: prev.0.to_vec(),
            chain_hash: chain_hash(&prev, &event, self.last_seq).0.to_vec(),
        });
    }

    fn publish(&mut self) -> String {
        self.clock += 1;
        let mut lines = Vec::new();
        for (chain, lanes) in &self.chains {
            for (lane, entries) in lanes.iter().enumerate() {
                let Some(head) = entries.last() else { continue };
                let head = Published {
                    chain: chain.clone(),
                    chain_hash: Hash::from_slice(&head.chain_hash).unwrap(),
                    lane: lane as i16,
                    pos: head.pos,
                    published_at: self.clock,
                    seq: head.seq,
                };
                head.write(&mut lines);
                lines.push(b'\n');
                self.recorded.push(head);
            }
        }
        String::from_utf8(lines).unwrap()
    }

    fn judge(&mut self, lines: &str) -> (Summary, Vec<Finding>) {
        let mut judge = Judge::default();
        let mut findings = Vec::new();
        for line in lines.lines() {
            judge.line(line.as_bytes(), self, &mut |finding| findings.push(finding));
        }
        let summary = judge.finish();
        assert_eq!(summary.findings, findings.len() as u64);
        assert_eq!(
            summary.ok(),
            findings.iter().all(|finding| !finding.kind.is_bad())
        );
        (summary, findings)
    }

    fn kinds(&mut self, lines: &str) -> Vec<(u64, &'static str)> {
        let (_, findings) = self.judge(lines);
        findings
            .iter()
            .map(|finding| (finding.line, finding.kind.label()))
            .collect()
    }

    fn lanes(&self, chain_id: i32) -> &[Vec<StoredEntry>] {
        &self.chains[chain_id as usize].1
    }
}

impl Facts for Database {
    fn chain(&mut self, name: &str) -> Option<i32> {
        let at = self.chains.iter().position(|(chain, _)| chain == name);
        at.map(|at| at as i32)
    }

    fn entry(&mut self, chain_id: i32, lane: i16, pos: i64) -> Option<StoredEntry> {
        let entries = self.lanes(chain_id).get(lane as usize)?;
        entries.iter().find(|entry| entry.pos == pos).cloned()
    }

    fn head(&mut self, chain_id: i32, lane: i16) -> Option<StoredEntry> {
        self.lanes(chain_id).get(lane as usize)?.last().cloned()
    }

    fn is_recorded(&mut self, head: &Published) -> bool {
        self.recorded.contains(head)
    }

    fn last_seq(&mut self) -> i64 {
        self.last_seq
    }

    fn numbered_again(&mut self, seq: i64, time: i64) -> Option<i64> {
        self.asked += 1;
        let mut all = self.chains.iter().flat_map(|(_, lanes)| lanes).flatten();
        all.find(|entry| entry.seq <= seq && entry.appended_at > time)
            .map(|entry| entry.seq)
    }

    fn began_at(&mut self) -> Option<i64> {
        let all = self.chains.iter().flat_map(|(_, lanes)| lanes).flatten();
        all.map(|entry| entry.appended_at).min()
    }

    fn replayed_until(&mut self) -> Option<i64> {
        self.replayed_until
    }
}

/// Two chains, three publications of them, and entries behind the last: what each test starts from.
fn history() -> (Database, String) {
    let mut database = Database::new();
    let mut lines = String::new();
    for _ in 0..3 {
        for (chain, lane) in [(0, 0), (0, 1), (1, 0), (0, 0)] {
            database.append(chain, lane);
        }
        lines += &database.publish();
    }
    database.append(0, 0);
    (database, lines)
}

#[test]
fn an_intact_database_bears_every_line_out() {
    let (mut database, lines) = history();
    let (summary, findings) = database.judge(&lines);
    assert_eq!(findings, []);
    assert!(summary.ok() && !summary.restored);
    assert_eq!((summary.lines, summary.heads), (9, 9));
    assert_eq!(summary.first_bad_line, None);
    assert!(summary.first_published_at < summary.last_published_at);
    // Published twice, or in part, or without a record: all the same.
    database.recorded.clear();
    assert_eq!(database.kinds(&lines.replace('\n', "\n\n")), []);
    assert_eq!(database.asked, 0);
}

#[test]
fn a_cut_tail_is_truncation_whatever_the_record_says() {
    let (mut database, lines) = history();
    // Positions 5 to 7 of main, lane 0: the third publication has 6.
    database.chains[0].1[0].truncate(4);
    let expected = [(7, "head_truncated")];
    assert_eq!(database.kinds(&lines), expected);
    let (summary, findings) = database.judge(&lines);
    assert_eq!((summary.heads, summary.first_bad_line), (8, Some(7)));
    assert!(
        findings[0].detail.contains("2 entries are missing"),
        "{}",
        findings[0].detail
    );
    assert!(
        findings[0].detail.contains("has recorded"),
        "{}",
        findings[0].detail
    );
    let fourth = database.chains[0].1[0][3].chain_hash.clone();
    assert_eq!(findings[0].found, Some(fourth));
    let published = findings[0].head.as_ref().unwrap();
    assert_eq!(findings[0].expected, Some(published.chain_hash));
    database.recorded.clear();
    assert_eq!(database.kinds(&lines), expected);
    // Even if it goes on: numbers were not given out again.
    database.append(0, 0);
    assert_eq!(database.kinds(&lines), expected);
    database.append(0, 0);
    assert_eq!(database.kinds(&lines), [(7, "history_rewritten")]);
}

#[test]
fn what_vanished_is_told_apart() {
    let (mut database, lines) = history();
    database.chains[0].1[1].clear();
    assert_eq!(
        database.kinds(&lines),
        [
            (2, "lane_missing"),
            (5, "lane_missing"),
            (8, "lane_missing")
        ]
    );
    let (mut database, lines) = history();
    database.chains[1].0 = "renamed".to_owned();
    assert_eq!(
        database.kinds(&lines),
        [
            (3, "chain_missing"),
            (6, "chain_missing"),
            (9, "chain_missing")
        ]
    );
    let (mut database, lines) = history();
    database.chains[0].1[0].remove(3);
    assert_eq!(database.kinds(&lines), [(4, "history_rewritten")]);
}

#[test]
fn a_rewritten_entry_is_found_at_the_first_publication_after_it() {
    let (original, lines) = history();
    // One column edited, its hash left: only where it was published itself is that seen here.
    let mut database = original.clone();
    database.chains[0].1[0][3].event_hash = vec![7; 32];
    let (_, findings) = database.judge(&lines);
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].line, findings[0].kind),
        (4, FindingKind::HistoryRewritten)
    );
    assert!(
        findings[0].detail.contains("do not hash"),
        "{}",
        findings[0].detail
    );
    assert_ne!(
        findings[0].found,
        findings[0].expected.map(|hash| hash.0.to_vec())
    );
    // Rewritten from there on, all hashes made to fit.
    let mut prev = Hash::from_slice(&database.chains[0].1[0][2].chain_hash).unwrap();
    for entry in &mut database.chains[0].1[0][3..] {
        let event = Hash::from_slice(&entry.event_hash).unwrap();
        entry.prev_hash = prev.0.to_vec();
        prev = chain_hash(&prev, &event, entry.seq);
        entry.chain_hash = prev.0.to_vec();
    }
    let expected = [(4, "history_rewritten"), (7, "history_rewritten")];
    assert_eq!(database.kinds(&lines), expected);
    // A later time than the publication makes it no restore, while the database has its record, or
    // has not given out numbers again.
    database.chains[0].1[0][3].appended_at = 1000;
    assert_eq!(database.kinds(&lines), expected);
    // Not a hash at all.
    let mut database = original.clone();
    for bad in [vec![], vec![0; 31], vec![0; 5000]] {
        database.chains[0].1[0][3].chain_hash = bad;
        let (_, findings) = database.judge(&lines);
        assert_eq!(findings[0].kind, FindingKind::HistoryRewritten);
        assert!(findings[0].found.as_ref().unwrap().len() <= 64);
    }
    // Another number.
    let mut database = original;
    database.chains[0].1[0][3].seq += 1;
    assert_eq!(database.kinds(&lines), [(4, "history_rewritten")]);
}

#[test]
fn a_restored_database_is_told_as_such() {
    let mut database = Database::new();
    let mut lines = String::new();
    let mut backup = None;
    for round in 0..4 {
        for (chain, lane) in [(0, 0), (0, 1), (1, 0), (0, 0)] {
            database.append(chain, lane);
        }
        lines += &database.publish();
        if round == 1 {
            backup = Some(database.clone());
        }
    }
    let mut restored = backup.unwrap();
    let kinds = |database: &mut Database| {
        let (summary, findings) = database.judge(&lines);
        assert!(summary.restored && !summary.ok());
        findings
            .into_iter()
            .map(|finding| (finding.line, finding.kind))
            .collect::<Vec<_>>()
    };
    // What was published before the backup holds; everything after it says that.
    let expected: Vec<_> = (7..=12)
        .map(|line| (line, FindingKind::DatabaseRestored))
        .collect();
    assert_eq!(kinds(&mut restored), expected);
    // It goes on, with other content; time has passed.
    restored.clock = database.clock + 10;
    for steps in [1, 2, 3, 10, 100] {
        for step in 0..steps {
            restored.append(step % 2, step % 2);
            assert_eq!(
                kinds(&mut restored),
                expected,
                "after step {step} of {steps}"
            );
        }
    }
    // New publications are recorded and hold, in a file of their own.
    let new = restored.publish();
    assert_eq!(restored.kinds(&new), []);
}

#[test]
fn a_history_that_began_anew_is_no_restore() {
    let (old, lines) = history();
    let mut anew = Database::new();
    anew.clock = old.clock + 10;
    // Without entries, with fewer than were published, with as many, with more.
    for _ in 0..100 {
        let (summary, findings) = anew.judge(&lines);
        assert!(!summary.restored && !summary.ok());
        assert_eq!(findings.len(), 9);
        assert!(
            findings
                .iter()
                .all(|finding| finding.kind == FindingKind::HistoryBeganAnew),
            "{findings:?}"
        );
        anew.append(0, 0);
        anew.append(1, 0);
    }
    // One older entry is what a state has that came before the publications.
    let mut older = Database::new();
    older.append(0, 0);
    assert!(older.judge(&lines).0.restored);
    older.clock = old.clock + 10;
    older.append(0, 0);
    assert_eq!(
        older
            .kinds(&lines)
            .iter()
            .filter(|(_, kind)| *kind == "database_restored")
            .count(),
        9
    );
}

#[test]
fn a_byte_order_mark_is_passed_over() {
    let (mut database, lines) = history();
    for text in [
        format!("\u{feff}{lines}"),
        lines.replace('\n', "\r\n\u{feff}"),
    ] {
        assert_eq!(database.kinds(&text), []);
        assert_eq!(database.judge(&text).0.heads, 9);
    }
    assert_eq!(database.judge("\u{feff}").0.lines, 0);
    assert_eq!(database.kinds(" \u{feff}{}"), [(1, "malformed")]);
}

#[test]
fn a_standby_behind_its_primary_is_no_alarm() {
    let (primary, lines) = history();
    let mut standby = primary.clone();
    standby.chains[0].1[0].truncate(4);
    standby.chains[1].1[0].clear();
    standby.recorded.clear();
    standby.last_seq = 8;
    let second = primary.recorded[3].published_at;
    standby.replayed_until = Some(second);
    // Up to the second publication it has replayed, so what is missing then is missing.
    assert_eq!(
        standby.kinds(&lines),
        [
            (3, "lane_missing"),
            (6, "lane_missing"),
            (7, "ahead_of_standby"),
            (9, "ahead_of_standby")
        ]
    );
    standby.replayed_until = Some(i64::MIN);
    let (summary, findings) = standby.judge(&lines);
    assert!(summary.ok() && !summary.restored);
    assert_eq!((summary.heads, findings.len()), (5, 4));
    // What is there and differs is no matter of replay.
    standby.chains[0].1[0][1].seq += 100;
    assert!(standby.kinds(&lines).contains(&(1, "history_rewritten")));
}

#[test]
fn lines_out_of_order_are_told() {
    let (mut database, lines) = history();
    let all: Vec<&str> = lines.lines().collect();
    let swapped = [all[3], all[0], all[6], all[6]].join("\n");
    assert_eq!(database.kinds(&swapped), [(2, "unordered")]);
    let mut forged = Published::parse(all[6].as_bytes()).unwrap();
    forged.chain_hash = Hash::ZERO;
    let mut text = Vec::new();
    forged.write(&mut text);
    let forged = String::from_utf8(text).unwrap();
    assert_eq!(
        database.kinds(&[all[6], &forged].join("\n")),
        [(2, "unordered"), (2, "history_rewritten")]
    );
    let mut early = Published::parse(all[6].as_bytes()).unwrap();
    early.seq = 1;
    let mut text = Vec::new();
    early.write(&mut text);
    let early = String::from_utf8(text).unwrap();
    assert_eq!(
        database.kinds(&[all[3], &early].join("\n")),
        [(2, "unordered"), (2, "history_rewritten")]
    );
}

#[test]
fn what_is_no_line_is_counted_by_its_number() {
    let (mut database, lines) = history();
    let text = format!("\n \t\n{lines}x\n\n{}", &lines[..50]);
    let (summary, findings) = database.judge(&text);
    let told: Vec<_> = findings.iter().map(|f| (f.line, f.kind)).collect();
    assert_eq!(
        told,
        [
            (12, FindingKind::Malformed),
            (14, FindingKind::LineCutShort)
        ]
    );
    assert_eq!((summary.lines, summary.heads, summary.bad), (11, 9, 1));
    assert_eq!(summary.first_bad_line, Some(12));
    assert!(database.judge(&format!("{lines}{}", &lines[..50])).0.ok());
}

#[test]
fn labels_are_distinct() {
    let mut labels: Vec<_> = FindingKind::ALL.iter().map(|kind| kind.label()).collect();
    labels.sort();
    labels.dedup();
    assert_eq!(labels.len(), FindingKind::ALL.len());
}
