//! What the verifiers must say of a table, and what they say.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use postgres::{Client, Error};

use crate::model::features::Features;
use crate::model::observe::Row;
use crate::model::state::{Cell, State, Table};

/// Why a program fails: a class, by which it is recognised while it is made shorter, and the facts.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Two failures of one class are taken for the same.
    pub class: String,
    /// What happened.
    pub detail: String,
}

impl Failure {
    /// A failure.
    pub fn new(class: impl Into<String>, detail: impl Into<String>) -> Failure {
        Failure {
            class: class.into(),
            detail: detail.into(),
        }
    }
}

/// What may be said of one row.
#[derive(Debug)]
struct Expectation {
    names: BTreeSet<String>,
    allowed: BTreeSet<&'static str>,
    why: String,
}

const UNKNOWN: &str = "no record of it";
const COUNTED: &str = "it is gone, and was named otherwise";
const GONE: &str = "it is gone";
const NOTHING: &str = "nothing";
const ANYTHING: [&str; 5] = [
    NOTHING,
    "row_edited",
    "row_deleted",
    "row_unrecorded",
    "row_unverifiable",
];

fn expectations(table: &Table, rows: &[Row], features: &Features) -> Vec<Expectation> {
    let mut all = Vec::new();
    let mut present = BTreeSet::new();
    for row in rows {
        let Some(key) = table.subject.key_of(row) else {
            continue;
        };
        if !present.insert(key.clone()) {
            // Which of several rows of a key is the recorded one, nobody can tell.
            all.retain(|one: &Expectation| !one.names.contains(&key));
            all.push(Expectation {
                names: BTreeSet::from([key]),
                allowed: ANYTHING.into_iter().collect(),
                why: "several rows of one key".to_owned(),
            });
            continue;
        }
        let records = table.records.get(&key);
        let record = records.and_then(|records| {
            records
                .get(&row.rid)
                .or_else(|| records.values().next_back())
        });
        let Some(record) = record else {
            all.push(Expectation {
                names: BTreeSet::from([key]),
                allowed: match table.renamed {
                    true => BTreeSet::from([
                        "row_unrecorded",
                        "row_edited",
                        "row_unverifiable",
                        NOTHING,
                    ]),
                    false => BTreeSet::from(["row_unrecorded"]),
                },
                why: UNKNOWN.to_owned(),
            });
            continue;
        };
        let (mut edited, mut unsure, mut unwatched) = (Vec::new(), record.unsure, false);
        for (column, cell) in table.subject.columns.iter().zip(&row.cells) {
            match record.cells.get(&column.number) {
                Some(Cell::Known(known)) if known != cell => {
                    edited.push(format!("{} was {known:?}, is {cell:?}", column.name));
                }
                Some(Cell::Wrong) => {
                    edited.push(format!("{} was changed before a DDL", column.name))
                }
                Some(Cell::Unsure) => unsure = true,
                Some(Cell::Unwatched(text)) => {
                    unwatched = true;
                    unsure |= text != cell;
                }
                _ => (),
            }
        }
        let compared = !record.lost || record.full && features.has("others_compared");
        let allowed: &[&str] = match (!edited.is_empty(), record.lost, unsure) {
            _ if record.unsure => &ANYTHING,
            (true, ..) if record.nameless => &["row_edited", "row_unverifiable"],
            (false, ..) if record.nameless => &[NOTHING, "row_unverifiable"],
            (true, true, _) if !compared => &["row_edited", "row_unverifiable"],
            (true, _, _) => &["row_edited"],
            (false, true, _) if record.tainted => &[NOTHING, "row_unverifiable", "row_edited"],
            (false, true, true) => &[NOTHING, "row_unverifiable", "row_edited"],
            (false, true, false) => &[NOTHING, "row_unverifiable"],
            (false, false, true) => &[NOTHING, "row_unverifiable", "row_edited"],
            (false, false, false) => &[NOTHING],
        };
        let why = format!(
            "{}{}{}",
            edited.join("; "),
            if record.lost { " lost" } else { "" },
            if unwatched { " unwatched" } else { "" }
        );
        all.push(Expectation {
            names: record.names.clone(),
            allowed: allowed.iter().copied().collect(),
            why,
        });
    }
    let absent = table
        .records
        .iter()
        .filter(|(key, _)| !present.contains(*key));
    for (key, record) in
        absent.filter_map(|(key, records)| Some((key, records.values().next_back()?)))
    {
        let mut names = record.names.clone();
        names.insert(key.clone());
        // Of rows that were written under another key only the number is told.
        let (allowed, why): (&[&str], &str) = match record.key != table.subject.key {
            _ if record.unsure => (&ANYTHING, GONE),
            true => (&ANYTHING, COUNTED),
            false => (&["row_deleted"], GONE),
        };
        all.push(Expectation {
            names,
            allowed: allowed.iter().copied().collect(),
            why: why.to_owned(),
        });
    }
    all
}

/// Counts of what was checked.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Programs run.
    pub programs: u64,
    /// Statements that were taken.
    pub statements: u64,
    /// Statements that failed, without and with the audit.
    pub refused: u64,
    /// Attacks that changed something.
    pub attacks: u64,
    /// Rows that verifiers were asked about.
    pub rows: u64,
    /// Rows of which a finding was due.
    pub findings: u64,
    /// Rows whose verdict was not certain.
    pub unsure: u64,
    /// Histories compared.
    pub histories: u64,
    /// Restores into another database.
    pub restores: u64,
}

/// Holds the findings of one table against what they must be.
///
/// # Errors
/// Those of queries that fail for no fault of the extension: locks.
pub fn check_rows(
    client: &mut Client,
    state: &State,
    rows: &BTreeMap<i32, Vec<Row>>,
    features: &Features,
    stats: &mut Stats,
) -> Result<Option<Failure>, Error> {
    let none = Vec::new();
    for (id, table) in &state.tables {
        let Some(kind) = &table.subject.kind else {
            continue;
        };
        let expected = expectations(table, rows.get(id).unwrap_or(&none), features);
        let found = client.query(
            "SELECT f.key, f.finding, concat_ws(' ', f.table_name, f.seq, f.detail), k.severity = 'notice'
             FROM verify_table_findings($1::oid) AS f
             LEFT JOIN auditspine.finding_kind AS k ON k.layer = 'rows' AND k.finding = f.finding ORDER BY 1, 2",
            &[&table.subject.oid],
        )?;
        let mut by_key: HashMap<String, Vec<(String, String)>> = HashMap::new();
        let (mut alarms, mut deleted) = (0, false);
        for row in found {
            let (key, finding, detail): (Option<String>, String, String) =
                (row.get(0), row.get(1), row.get(2));
            let notice = row.get::<_, Option<bool>>(3) == Some(true);
            alarms += i64::from(!notice);
            deleted |= finding == "row_deleted";
            match key {
                Some(key) if !notice || finding == "row_unverifiable" => {
                    by_key.entry(key).or_default().push((finding, detail));
                }
                _ if notice => (),
                // Which of those it is that were named otherwise cannot be told.
                None if finding == "row_deleted"
                    && expected.iter().any(|one| {
                        [GONE, COUNTED].contains(&&one.why[..]) && one.allowed.contains(NOTHING)
                    }) => {}
                None if finding == "row_unrecorded"
                    && expected
                        .iter()
                        .any(|one| one.why == UNKNOWN && one.allowed.contains(NOTHING)) => {}
                _ => {
                    return Ok(Some(Failure::new(
                        format!("false alarm {finding}"),
                        format!("table {kind}: {detail}"),
                    )));
                }
            }
        }
        if expected.iter().any(|one| one.why == COUNTED) && !deleted {
            let facts = format!("table {kind}: rows that were named otherwise are gone");
            return Ok(Some(Failure::new("missed row_deleted", facts)));
        }
        for expectation in expected {
            stats.rows += 1;
            stats.findings += u64::from(!expectation.allowed.contains(NOTHING));
            stats.unsure += u64::from(expectation.allowed.len() > 1);
            let found: Vec<(String, String)> = expectation
                .names
                .iter()
                .filter_map(|name| by_key.remove(name))
                .flatten()
                .collect();
            let said: Vec<&str> = found.iter().map(|(finding, _)| &finding[..]).collect();
            let fits = match said[..] {
                [] => expectation.allowed.contains(NOTHING),
                [one] => expectation.allowed.contains(one),
                _ => expectation.allowed.len() == ANYTHING.len(),
            };
            if !fits {
                let class = match (said.first(), expectation.allowed.contains(NOTHING)) {
                    (None, _) => format!(
                        "missed {}",
                        expectation.allowed.iter().next().unwrap_or(&"")
                    ),
                    (Some(said), true) => format!("false alarm {said}"),
                    (Some(said), false) => format!("{said} instead"),
                };
                let facts = format!(
                    "table {kind}: the verdict is {found:?}; the model allows {:?} of {:?}: {}",
                    expectation.allowed, expectation.names, expectation.why
                );
                return Ok(Some(Failure::new(class, facts)));
            }
        }
        if let Some((key, found)) = by_key.into_iter().next() {
            let class = format!("false alarm {}", found[0].0);
            return Ok(Some(Failure::new(
                class,
                format!("table {kind}: {key}: {found:?}; the model knows no such row"),
            )));
        }
        let verdict = client.query(
            "SELECT ok, edited + deleted + unrecorded <= findings, rows FROM verify_table($1::oid)",
            &[&table.subject.oid],
        )?;
        let ok = verdict.iter().all(|row| row.get::<_, bool>(0));
        if ok != (alarms == 0) || !verdict.iter().all(|row| row.get::<_, bool>(1)) {
            return Ok(Some(Failure::new(
                "verdict differs from findings",
                format!("table {kind}: ok is {ok}, with {alarms} alarms"),
            )));
        }
    }
    Ok(None)
}

/// Holds the links against what they must be: in order.
///
/// # Errors
/// Those of the queries.
pub fn check_links(client: &mut Client) -> Result<Option<Failure>, Error> {
    let found = client.query(
        "SELECT finding, concat_ws(' ', chain, lane, pos, seq, detail) FROM chain_findings()",
        &[],
    )?;
    Ok(found.first().map(|row| {
        Failure::new(
            format!("links: {}", row.get::<_, String>(0)),
            row.get::<_, String>(1),
        )
    }))
}

/// Holds the histories of all keys against the model's.
///
/// # Errors
/// Those of the queries.
pub fn check_history(
    client: &mut Client,
    state: &State,
    exact: bool,
    features: &Features,
    stats: &mut Stats,
) -> Result<Option<Failure>, Error> {
    let (mut hash_of, mut content_of) = (HashMap::new(), HashMap::new());
    for table in state.tables.values() {
        let (Some(kind), true) = (&table.subject.kind, table.keys_stable) else {
            continue;
        };
        let mut entries: HashMap<String, Vec<(char, Vec<u8>)>> = HashMap::new();
        for row in client.query(
            "SELECT event_pk, op::text, payload_hash FROM auditspine.audit_chain
             WHERE event_kind = $1 AND op IN ('I', 'U', 'D') ORDER BY seq",
            &[kind],
        )? {
            let op: String = row.get(1);
            entries
                .entry(row.get(0))
                .or_default()
                .push((op.chars().next().unwrap_or('?'), row.get(2)));
        }
        for (key, events) in &table.history {
            stats.histories += 1;
            let told = entries.remove(key).unwrap_or_default();
            let certain = exact && table.exact && events.iter().all(|event| event.sure);
            let ops = |told: &[(char, Vec<u8>)]| told.iter().map(|(op, _)| *op).collect::<String>();
            let expected: String = events.iter().map(|event| event.op).collect();
            if certain && ops(&told) != expected {
                let events: Vec<String> = events
                    .iter()
                    .map(|event| format!("\n--   {} {}", event.op, event.content))
                    .collect();
                let facts = format!(
                    "{kind} {key}: {}, the model says {expected}{}",
                    ops(&told),
                    events.concat()
                );
                return Ok(Some(Failure::new("history", facts)));
            }
            if let (Some(last), Some((op, _))) = (events.last(), told.last())
                && !certain
                && table.subject.distinct
                && table.records.contains_key(key)
                && (last.op == 'D') != (*op == 'D')
            {
                let facts = format!(
                    "{kind} {key} ends with {op} of {}, the model with {expected}",
                    ops(&told)
                );
                return Ok(Some(Failure::new("history ends otherwise", facts)));
            }
            if !certain {
                continue;
            }
            for (event, (_, hash)) in events.iter().zip(&told) {
                let known = hash_of
                    .entry(event.content.clone())
                    .or_insert_with(|| hash.clone());
                if known != hash {
                    return Ok(Some(Failure::new(
                        "two hashes of one content",
                        format!("{kind} {key}: {}", event.content),
                    )));
                }
                let other = content_of
                    .entry((kind.clone(), hash.clone()))
                    .or_insert_with(|| event.content.clone());
                let epoch = |content: &str| content.split(' ').next().map(str::to_owned);
                if *other != event.content
                    && epoch(other) == epoch(&event.content)
                    && features.has("lossless")
                {
                    let facts = format!("{kind} {key}: {} and {other}", event.content);
                    return Ok(Some(Failure::new("two contents of one hash", facts)));
                }
            }
        }
        if let (Some((key, told)), true) = (entries.into_iter().next(), exact && table.exact) {
            return Ok(Some(Failure::new(
                "history of what never was",
                format!("{kind} {key}: {told:?}"),
            )));
        }
    }
    Ok(None)
}
