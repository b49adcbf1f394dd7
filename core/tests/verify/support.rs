//! Chains in memory: rows, their history, a store over them, and one call to verify them.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::Arc;

use auditspine_core::entry::{Event, Format, chain_hash};
use auditspine_core::hash::{Hash, in_turns};
use auditspine_core::verify::{
    ChainReport, Chains, Checked, EntryView, Finding, FindingKind, Limits, Store, Verifier, Window,
};

/// A stored entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub seq: i64,
    pub chain_id: i32,
    pub lane: i16,
    pub pos: i64,
    pub version: i16,
    pub op: u8,
    pub kind: Vec<u8>,
    pub pk: Option<Vec<u8>>,
    pub xid: u64,
    pub appended_at: i64,
    pub db_user: Vec<u8>,
    pub actor: Option<Vec<u8>>,
    pub context: Option<Vec<u8>>,
    pub layout: Option<i32>,
    pub payload: Option<Vec<u8>>,
    pub payload_hash: Vec<u8>,
    pub event_hash: Vec<u8>,
    pub prev_hash: Vec<u8>,
    pub chain_hash: Vec<u8>,
}

/// Number, name and lanes.
pub const CHAINS: [(i32, &str, i16); 3] =
    [(1, "main", 32), (2, "tenant \"b\"", 32), (7, "quiet", 1)];

pub fn chains() -> Arc<Chains> {
    Arc::new(CHAINS.into_iter().collect())
}

pub fn chain_name(chain_id: i32) -> Option<&'static str> {
    CHAINS
        .iter()
        .find(|(id, ..)| *id == chain_id)
        .map(|(_, name, _)| *name)
}

/// The text of an event of format 1 as a forger writes it who claims another version.
fn with_version(mut text: Vec<u8>, version: i16) -> Vec<u8> {
    const END: &[u8] = b"\"v\":1,\"xid\"";
    let at = text.windows(END.len()).rposition(|part| part == END);
    let at = at.expect("an event names its version");
    text.splice(
        at..at + END.len(),
        format!("\"v\":{version},\"xid\"").into_bytes(),
    );
    text
}

impl Row {
    pub fn view<R>(&self, show: impl FnOnce(&EntryView<'_>) -> R) -> R {
        show(&EntryView {
            seq: self.seq,
            chain_id: self.chain_id,
            lane: self.lane,
            pos: self.pos,
            version: self.version,
            op: self.op,
            kind: &self.kind,
            pk: self.pk.as_deref(),
            xid: self.xid,
            appended_at: self.appended_at,
            db_user: &self.db_user,
            actor: self.actor.as_deref(),
            context: self.context.as_deref(),
            layout: self.layout,
            stored_payload_hash: self.payload.as_deref().map(Hash::of),
            payload_hash: &self.payload_hash,
            event_hash: &self.event_hash,
            prev_hash: &self.prev_hash,
            chain_hash: &self.chain_hash,
        })
    }

    /// `event_hash` as its columns say.
    pub fn own_event(&self) -> Option<Hash> {
        let event = Event {
            actor: self.actor.as_deref(),
            appended_at: self.appended_at,
            chain: chain_name(self.chain_id)?.as_bytes(),
            context: self.context.as_deref(),
            db_user: &self.db_user,
            kind: &self.kind,
            lane: self.lane,
            layout: self.layout,
            op: self.op,
            payload_hash: Hash::from_slice(&self.payload_hash)?,
            pk: self.pk.as_deref(),
            pos: self.pos,
            format: Format::V1,
            xid: self.xid,
        };
        let mut text = Vec::new();
        event.write(&mut text);
        Some(Hash::of(&with_version(text, self.version)))
    }

    /// `chain_hash` as its columns say.
    pub fn own_chain(&self) -> Option<Hash> {
        let prev = Hash::from_slice(&self.prev_hash)?;
        let event = Hash::from_slice(&self.event_hash)?;
        Some(chain_hash(&prev, &event, self.seq))
    }

    /// Recomputes the entry's own hashes, as a forger would.
    pub fn seal(&mut self) {
        self.event_hash = self.own_event().unwrap().0.to_vec();
        self.chain_hash = self.own_chain().unwrap().0.to_vec();
    }
}

/// A small generator of numbers, so that a history is a function of its seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub fn roll(&mut self, below: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963);
        ((self.0 >> 33) % below.max(1) as u64) as usize
    }

    /// Moves every row by up to `reach` places: 0 leaves the order, `usize::MAX` shuffles.
    pub fn disorder<T>(&mut self, rows: &mut [T], reach: usize) {
        for at in (1..rows.len()).rev() {
            let with = at - self.roll(at.min(reach).saturating_add(1));
            rows.swap(at, with);
        }
    }
}

/// An untouched history of `entries` entries, in order of `seq`, over lanes of chains 1 and 2.
pub fn history(seed: u64, entries: usize, lanes: usize) -> Vec<Row> {
    let mut dice = Dice::new(seed);
    let mut heads = vec![(0, Hash::ZERO); lanes * 2];
    let mut seq = 0;
    let text = |text: String| text.into_bytes();
    (0..entries)
        .map(|at| {
            seq += 1 + i64::from(dice.roll(8) == 0) * 3;
            let head = dice.roll(heads.len());
            let (pos, prev) = heads[head];
            let payload = text(format!("{{\"id\":{at}}}"));
            let op = b"IUDTAS"[dice.roll(6)];
            let mut row = Row {
                seq,
                chain_id: if head < lanes { 1 } else { 2 },
                lane: (head % lanes) as i16,
                pos: pos + 1,
                version: Format::CURRENT.version(),
                op,
                kind: text(["finding", "artifact \"x\"", "ä"][dice.roll(3)].to_owned()),
                pk: (dice.roll(4) > 0).then(|| text(at.to_string())),
                xid: 700 + at as u64 / 3,
                appended_at: 848_534_262_123_456 + at as i64 / 3,
                db_user: text("alice".to_owned()),
                actor: (dice.roll(2) > 0).then(|| text(format!("user{}", dice.roll(3)))),
                context: (dice.roll(2) > 0).then(|| text("{\"ip\":\"::1\"}".to_owned())),
                layout: (dice.roll(2) > 0).then(|| dice.roll(5) as i32),
                payload_hash: Hash::of(&payload).0.to_vec(),
                // Of entries of these ops payloads are always kept.
                payload: (b"AS".contains(&op) || dice.roll(2) > 0).then_some(payload),
                event_hash: Vec::new(),
                prev_hash: prev.0.to_vec(),
                chain_hash: Vec::new(),
            };
            row.seal();
            heads[head] = (pos + 1, row.own_chain().unwrap());
            row
        })
        .collect()
}

/// An untouched lane 0 of chain 1, with every optional column present.
pub fn line(entries: usize) -> Vec<Row> {
    let mut rows = history(5, entries, 1);
    let mut prev = Hash::ZERO;
    for (at, row) in rows.iter_mut().enumerate() {
        let payload = format!("{{\"id\":{at}}}").into_bytes();
        *row = Row {
            seq: 2 * at as i64 + 3,
            chain_id: 1,
            lane: 0,
            pos: at as i64 + 1,
            pk: Some(at.to_string().into_bytes()),
            actor: Some(b"carol".to_vec()),
            context: Some(b"{}".to_vec()),
            layout: Some(4),
            payload_hash: Hash::of(&payload).0.to_vec(),
            payload: Some(payload),
            prev_hash: prev.0.to_vec(),
            ..row.clone()
        };
        row.seal();
        prev = row.own_chain().unwrap();
    }
    rows
}

/// Links every lane anew, as whoever owns the database could.
pub fn reseal(rows: &mut [Row]) {
    rows.sort_by_key(|row| (row.chain_id, row.lane, row.pos));
    for at in 0..rows.len() {
        let prev = match at.checked_sub(1).map(|before| &rows[before]) {
            Some(before)
                if (before.chain_id, before.lane) == (rows[at].chain_id, rows[at].lane) =>
            {
                before.chain_hash.clone()
            }
            _ => vec![0; 32],
        };
        rows[at].prev_hash = prev;
        rows[at].seal();
    }
}

/// Rows in the order of the primary key.
pub struct Table(Vec<Row>);

impl Table {
    pub fn new(mut rows: Vec<Row>) -> Table {
        rows.sort_by_key(|row| (row.chain_id, row.lane, row.pos, row.seq));
        Table(rows)
    }
}

impl Store for Table {
    type Error = Infallible;

    fn entries_at(
        &mut self,
        chain_id: i32,
        lane: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>),
    ) -> Result<(), Infallible> {
        self.entries_from(chain_id, lane, pos, &mut |view| {
            if view.pos != pos {
                return ControlFlow::Break(());
            }
            show(view);
            ControlFlow::Continue(())
        })
    }

    fn entries_from(
        &mut self,
        chain_id: i32,
        lane: i16,
        pos: i64,
        show: &mut dyn FnMut(&EntryView<'_>) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        let start = self
            .0
            .partition_point(|r| (r.chain_id, r.lane, r.pos) < (chain_id, lane, pos));
        for row in self.0[start..]
            .iter()
            .take_while(|r| (r.chain_id, r.lane) == (chain_id, lane))
        {
            if row.view(&mut *show).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// What a verification said; findings in a fixed order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub reports: Vec<ChainReport>,
    pub findings: Vec<Finding>,
}

impl Outcome {
    /// Kinds and `seq`s.
    pub fn at(&self) -> Vec<(FindingKind, i64)> {
        self.findings.iter().map(|f| (f.kind, f.seq)).collect()
    }
}

/// Verifies rows delivered in the order given, one by one and in a sweep; both must say the same.
pub fn verify_with(rows: &[Row], window: Window, limits: Limits) -> Outcome {
    let mut swept = Verifier::new(chains(), window, limits);
    let mut sweep = swept.sweep(in_turns);
    let mut link = |entry: &Checked| swept.link(entry);
    for row in rows {
        row.view(|view| sweep.add(view, &mut link));
    }
    sweep.finish(&mut link);
    let mut verifier = Verifier::new(chains(), window, limits);
    for row in rows {
        row.view(|view| verifier.push(view));
        assert!(
            verifier.held() <= limits.waiting,
            "{} held",
            verifier.held()
        );
    }
    let outcome = self::outcome(verifier, rows);
    assert_eq!(self::outcome(swept, rows), outcome, "in a sweep");
    outcome
}

/// Ends a verification of these rows.
pub fn outcome(verifier: Verifier, rows: &[Row]) -> Outcome {
    let mut findings = Vec::new();
    let mut table = Table::new(rows.to_vec());
    let Ok(reports) = verifier.finish(&mut table, &mut |finding| findings.push(finding));
    for report in &reports {
        let own = findings.iter().filter(|f| f.chain_id == report.chain_id);
        assert_eq!(report.findings, own.clone().count() as u64);
        assert_eq!(report.first_bad_seq, own.map(|f| f.seq).min());
        assert!(report.findings == 0 || report.heads.is_empty());
    }
    findings.sort_by_key(|f| (f.chain_id, f.lane, f.pos, f.seq, f.kind, f.detail.clone()));
    Outcome { reports, findings }
}

/// Verifies everything, in several orders and under several bounds; all must say the same.
pub fn verify(rows: &[Row]) -> Outcome {
    let outcome = verify_with(rows, Window::ALL, Limits::default());
    let mut dice = Dice::new(rows.len() as u64);
    for (reach, waiting) in [
        (0, 0),
        (2, 1),
        (usize::MAX, 0),
        (usize::MAX, 3),
        (usize::MAX, 999),
    ] {
        let mut rows = rows.to_vec();
        dice.disorder(&mut rows, reach);
        let other = verify_with(
            &rows,
            Window::ALL,
            Limits {
                waiting,
                ..Limits::default()
            },
        );
        assert_eq!(other, outcome, "in another order, {waiting} waiting");
    }
    outcome
}

/// Kinds and `seq`s of what is said of `rows`.
pub fn told(rows: &[Row]) -> Vec<(FindingKind, i64)> {
    verify(rows).at()
}

/// The sentences of what is said of `rows`.
pub fn detail(rows: &[Row]) -> String {
    verify(rows)
        .findings
        .iter()
        .map(|f| f.detail.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// A forger's entry at `pos`, continuing what stands before it.
pub fn forged(rows: &[Row], pos: usize, seq: i64) -> Row {
    let mut row = rows[pos - 1].clone();
    row.seq = seq;
    row.kind = b"forged".to_vec();
    row.prev_hash = if pos == 1 {
        vec![0; 32]
    } else {
        rows[pos - 2].chain_hash.clone()
    };
    row.seal();
    row
}
