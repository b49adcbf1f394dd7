//! Running a verification: privileges, snapshot, the pass, and its results as rows.

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use auditspine_core::canonical::write_string;
use auditspine_core::digits::write_integer;
use auditspine_core::hash::{Hash, Sink};
use auditspine_core::verify::{
    ChainReport, Checked, Finding, Limits, Neighbour, Store, Sweep, Verifier, Window,
};
use pgrx::pg_sys;

use crate::error::Failure;
use crate::ledger::catalog::{self, state};
use crate::ledger::extent::Extent;
use crate::ledger::heads::Places;
use crate::ledger::lane_scan::ByLane;
use crate::ledger::raw_tuple;
use crate::ledger::scan;
use crate::ledger::snapshot::CurrentSnapshot;
use crate::ledger::stored_entry::EntryReader;
use crate::ledger::visibility::Sight;
use crate::pg::arena::DatumArena;
use crate::pg::builtin::jsonb_of;
use crate::pg::memory::SideContext;
use crate::pg::result_rows::RowStore;
use crate::pg::sequence;
use crate::pg::sha256::compress_abreast;
use crate::pg::tuple_batch::TupleBatch;
use crate::pg::worker_pool::{self, Helpers};
use crate::verify::check_batch::{self, Done};
use crate::verify::kept;

/// What is to be verified.
pub struct Request<'a> {
    /// Name of a chain; `None` for all.
    pub chain: Option<&'a [u8]>,
    /// First `seq`.
    pub start: i64,
    /// Last `seq`.
    pub end: Option<i64>,
}

/// Verifies the links and hands every finding to `sink`. A chain that the caller may not see is as one
/// that does not exist.
pub fn verify(request: &Request<'_>, sink: &mut dyn FnMut(Finding)) -> Vec<ChainReport> {
    catalog::expect_privileges();
    let _snapshot = CurrentSnapshot::push();
    let sight = Sight::of_caller();
    let mut chains = scan::chains(request.chain);
    chains.retain(|(id, ..)| sight.sees(*id));
    if let Some(name) = request.chain
        && chains.is_empty()
    {
        let name = String::from_utf8_lossy(name);
        Failure::UnknownChain.raise(
            format!("audit chain \"{name}\" does not exist"),
            "see auditspine.chain for the chains there are; NULL verifies all",
        );
    }
    let window = Window::new(request.start, request.end);
    let verifier = Verifier::new(Arc::new(scan::names(&chains)), window, Limits::default())
        .keeping(kept::read());
    let ids = chains.iter().map(|(id, ..)| *id).collect::<HashSet<i32>>();
    if request.chain.is_some() || !sight.is_whole() {
        let by_lane = ByLane::open();
        return match by_lane.filter(|_| !sight.is_whole() || is_small(&ids)) {
            Some(by_lane) => by_index(&ids, by_lane, verifier, sink),
            None => in_one_pass(request, &|id| ids.contains(&id), verifier, sink),
        };
    }
    in_one_pass(request, &|_| true, verifier, sink)
}

/// Entries per page of the table up to which chains are read one entry after the other: finding one
/// by index costs about as much as hashing a few.
const FEW_PER_PAGE: i64 = 4;

/// Whether reading these chains by index is faster than reading the whole table.
fn is_small(chains: &HashSet<i32>) -> bool {
    let most = FEW_PER_PAGE.saturating_mul(scan::pages().into());
    let places = Places::open();
    let heads = chains.iter().flat_map(|id| places.heads(*id));
    heads.fold(0i64, |sum, (_, head)| sum.saturating_add(head.pos)) <= most
}

/// Reads the chains lane by lane. The time that this takes depends on no other chain.
fn by_index(
    chains: &HashSet<i32>,
    mut store: ByLane,
    mut verifier: Verifier,
    sink: &mut dyn FnMut(Finding),
) -> Vec<ChainReport> {
    for chain_id in chains {
        let mut lane = store.lane_of(*chain_id, None);
        while let Some(number) = lane {
            let Ok(()) = store.entries_from(*chain_id, number, i64::MIN, &mut |entry| {
                verifier.push(entry);
                ControlFlow::Continue(())
            });
            lane = store.lane_of(*chain_id, Some(number));
        }
    }
    verifier.drawn(drawn());
    let Ok(reports) = verifier.finish(&mut store, sink);
    reports
}

/// Reads the table in one pass, or the part of it that can hold the window.
fn in_one_pass(
    request: &Request<'_>,
    wanted: &dyn Fn(i32) -> bool,
    mut verifier: Verifier,
    sink: &mut dyn FnMut(Finding),
) -> Vec<ChainReport> {
    if let Some(extent) = scan::extent(request.start, request.end) {
        std::thread::scope(|scope| {
            let count = worker_pool::count(extent.pages);
            let workers = (0..count).map(|_| {
                let mut sweep = verifier.sweep(compress_abreast());
                move |batch| check_batch::work(batch, &mut sweep)
            });
            let helpers = (count > 0).then(|| Helpers::start(scope, workers));
            Pass {
                extent: &extent,
                reader: EntryReader::new(),
                helpers,
                spare: Vec::new(),
            }
            .run(&mut verifier, wanted);
        });
    }
    verifier.drawn(drawn());
    let Ok(reports) = verifier.finish(&mut scan::ByPlace, sink);
    reports
}

/// The last number that was drawn, or a later one; of entries under an earlier snapshot none has a
/// greater one.
pub fn drawn() -> Option<i64> {
    sequence::drawn_at_most(state().seq)
}

/// The one pass over the entries.
struct Pass<'t> {
    extent: &'t Extent,
    reader: EntryReader,
    helpers: Option<Helpers<TupleBatch<'t>, Done<'t>>>,
    /// Batches to be filled again.
    spare: Vec<TupleBatch<'t>>,
}

impl<'t> Pass<'t> {
    fn run(mut self, verifier: &mut Verifier, wanted: &dyn Fn(i32) -> bool) {
        let mut sweep = verifier.sweep(compress_abreast());
        let mut link = |checked: &Checked| {
            if wanted(checked.chain_id()) {
                verifier.link(checked);
            }
        };
        let Pass {
            extent,
            reader,
            helpers,
            spare,
        } = &mut self;
        let Some(helpers) = helpers else {
            extent.tuples(|tuple| match raw_tuple::decode(tuple.bytes()) {
                Some(entry) => sweep.add(&entry, &mut link),
                None => reader.read(&tuple, |entry| sweep.add(entry, &mut link)),
            });
            return sweep.finish(&mut link);
        };
        let mut take_in =
            |spare: &mut Vec<TupleBatch<'t>>, mut done: Done<'t>, sweep: &mut Sweep| {
                done.checked.iter().for_each(&mut link);
                for at in &done.left {
                    done.batch.show(*at, &extent.table, |tuple| {
                        reader.read(&tuple, |entry| sweep.add(entry, &mut link));
                    });
                }
                sweep.finish(&mut link);
                done.batch.clear();
                spare.push(done.batch);
            };
        let mut batch = TupleBatch::of(&extent.table);
        extent.tuples(|tuple| {
            batch.push(&tuple);
            if batch.is_full() {
                let next = spare.pop().unwrap_or_else(|| TupleBatch::of(&extent.table));
                let full = std::mem::replace(&mut batch, next);
                // Helpers that have enough to do leave the backend free to hash too.
                if let Err(refused) = helpers.hand_over(full) {
                    let done = check_batch::work(refused, &mut sweep);
                    take_in(spare, done, &mut sweep);
                }
                while let Some(done) = helpers.finished() {
                    take_in(spare, done, &mut sweep);
                }
            }
        });
        let done = check_batch::work(batch, &mut sweep);
        take_in(spare, done, &mut sweep);
        while let Some(done) = helpers.last() {
            take_in(spare, done, &mut sweep);
        }
    }
}

/// Rows of auditspine.chain_verdict.
pub fn verdicts(request: &Request<'_>, rows: &mut RowStore) {
    let mut arena = DatumArena::default();
    for report in verify(request, &mut |_| {}) {
        let big = |value: Option<i64>| value.map(pg_sys::Datum::from);
        rows.put([
            Some(chain_name(
                report.chain.as_deref(),
                report.chain_id,
                &mut arena,
            )),
            Some(report.ok().into()),
            big(Some(report.entries as i64)),
            Some((report.lanes as i32).into()),
            big(report.first_bad_seq),
            big(Some(report.findings as i64)),
            big(report.first_seq),
            big(report.head_seq),
        ]);
        arena.clear();
    }
}

/// Rows of auditspine.chain_finding.
pub fn findings(request: &Request<'_>, rows: &mut RowStore) {
    let mut arena = DatumArena::default();
    let evidence = SideContext::new();
    verify(request, &mut |finding| {
        let text = |arena: &mut DatumArena, text: &[u8]| {
            // Stored text is valid, but what was cut or forged in a bytea column need not be.
            arena.varlena(String::from_utf8_lossy(text).as_bytes())
        };
        let row = [
            Some(chain_name(
                finding.chain.as_deref(),
                finding.chain_id,
                &mut arena,
            )),
            Some(i32::from(finding.lane).into()),
            Some(finding.pos.into()),
            Some(finding.seq.into()),
            Some(text(&mut arena, finding.kind.label().as_bytes())),
            Some(text(&mut arena, finding.detail.as_bytes())),
            finding.expected.map(|hash| arena.varlena(&hash.0)),
            finding.found.as_deref().map(|bytes| arena.varlena(bytes)),
            Some(text(&mut arena, &finding.event_kind)),
            finding.event_pk.as_deref().map(|pk| text(&mut arena, pk)),
            evidence_of(&finding).map(|json| evidence.run(|| jsonb_of(&json))),
        ];
        rows.put(row);
        evidence.reset();
        arena.clear();
    });
}

fn chain_name(name: Option<&str>, id: i32, arena: &mut DatumArena) -> pg_sys::Datum {
    match name {
        Some(name) => arena.varlena(name.as_bytes()),
        None => arena.varlena(format!("(unknown chain_id {id})").as_bytes()),
    }
}

/// The neighbours, as canonical JSON.
pub fn evidence_of(finding: &Finding) -> Option<Vec<u8>> {
    let neighbours = [
        ("predecessor", finding.predecessor),
        ("successor", finding.successor),
    ];
    let mut json = Vec::new();
    for (name, neighbour) in neighbours {
        if let Some(neighbour) = neighbour {
            json.put_byte(if json.is_empty() { b'{' } else { b',' });
            write_string(name.as_bytes(), &mut json);
            json.put_byte(b':');
            write_neighbour(&neighbour, &mut json);
        }
    }
    (!json.is_empty()).then(|| {
        json.put_byte(b'}');
        json
    })
}

fn write_neighbour(neighbour: &Neighbour, json: &mut Vec<u8>) {
    let hash = |name: &str, hash: Option<Hash>, json: &mut Vec<u8>| {
        write_string(name.as_bytes(), json);
        json.put_byte(b':');
        match hash {
            Some(hash) => write_string(&hash.to_hex(), json),
            None => json.put(b"null"),
        }
        json.put_byte(b',');
    };
    json.put_byte(b'{');
    hash("chain_hash", neighbour.chain_hash, json);
    hash("prev_hash", neighbour.prev_hash, json);
    json.put(b"\"pos\":");
    write_integer(neighbour.pos, json);
    json.put(b",\"seq\":");
    write_integer(neighbour.seq, json);
    json.put_byte(b'}');
}
