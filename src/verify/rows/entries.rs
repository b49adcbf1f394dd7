//! The entries of one kind, read once.

use std::collections::BTreeMap;
use std::ffi::CString;

use auditspine_core::canonical::Numbers;
use auditspine_core::hash::Hash;
use auditspine_core::order::Order;
use auditspine_core::rows::{EntryRecord, KeyHasher, Place, Removals};
use auditspine_core::short_text;
use pgrx::{IntoDatum, pg_sys};

use crate::encoding::jsonb::write_jsonb;
use crate::ledger::catalog::{column, state};
use crate::ledger::key_index::places;
use crate::ledger::owner::as_owner;
use crate::pg::arena::DatumArena;
use crate::pg::heap::Fetcher;
use crate::pg::receiver::for_each_row;
use crate::pg::relation::OpenRelation;
use crate::pg::values::Values;
use crate::verify::rows::chains::ChainFilter;
use crate::verify::rows::recorded::numbers;
use crate::verify::rows::target::Source;

/// Entries beyond what was drawn that are told one by one.
const MOST_AHEAD: usize = 1000;

/// What a pass over the entries of a kind found, beside what each says of its key.
#[derive(Default)]
pub struct Pass {
    /// How many entries there are.
    pub entries: u64,
    /// TRUNCATEs: entry and place.
    pub truncated: Vec<(i64, Place)>,
    /// Numbers and times of all of these.
    pub order: Order,
    /// Entries beyond what was drawn: their numbers and keys, of some.
    pub ahead: Vec<(i64, Vec<u8>)>,
    /// How many more there are.
    pub more_ahead: u64,
    /// Layouts that entries name, each with the first that does.
    pub layouts: BTreeMap<i32, i64>,
}

/// An entry that says what became of one key.
pub struct Entry<'a> {
    /// The key's text.
    pub key: &'a [u8],
    /// Whether it tells that the row came: an INSERT.
    pub came: bool,
    /// The rest.
    pub record: EntryRecord,
}

/// The entries about a table.
#[derive(Clone, Copy)]
pub struct Entries<'a> {
    /// Where they come from.
    pub sources: &'a [Source],
    /// The chains that they are in.
    pub chains: &'a ChainFilter,
    /// The last number that was drawn, or a later one.
    pub drawn: Option<i64>,
    /// Entries before this one do not count: the rows were recorded anew since.
    pub from: i64,
}

/// Which entries about a table are read.
#[derive(Clone, Copy)]
pub enum Which<'a> {
    /// All of them.
    All,
    /// Those from this `seq` on.
    Since(i64),
    /// Those of these keys, and TRUNCATEs.
    OfKeys(&'a [Vec<u8>]),
}

/// Reads entries about a table, and shows what each says of its key.
pub fn read(
    about: Entries<'_>,
    which: Which<'_>,
    hasher: &KeyHasher,
    show: &mut dyn FnMut(Entry<'_>),
) -> Pass {
    let mut pass = Pass::default();
    for source in about.sources {
        read_source(source, about, which, hasher, &mut pass, show);
    }
    pass
}

const READ: &str = "SELECT e.ctid, e.seq, e.op, e.event_pk, e.layout, e.payload_hash, e.appended_at \
                    FROM ONLY auditspine.audit_chain AS e";
const OF_KIND: &str = "e.event_kind OPERATOR(pg_catalog.=) $1";

/// The query for these entries, and its second and third parameter.
fn query(
    chains: &ChainFilter,
    which: Which<'_>,
) -> (CString, Vec<(pg_sys::Oid, Option<pg_sys::Datum>)>) {
    let mut parameters = Vec::new();
    let mut conditions = vec![OF_KIND.to_owned()];
    match which {
        Which::All => {}
        Which::Since(start) => {
            parameters.push((pg_sys::INT8OID, Some(start.into())));
            conditions.push("e.seq OPERATOR(pg_catalog.>=) $2".to_owned());
        }
        Which::OfKeys(keys) => {
            parameters.push((pg_sys::TEXTARRAYOID, texts(keys)));
            conditions.push("e.event_pk OPERATOR(pg_catalog.=) ANY ($2)".to_owned());
        }
    }
    // TRUNCATEs stand in the main chain, whatever chains the rows are in, and have a key of their own.
    let mut apart = None;
    if let Some(ids) = chains.ids() {
        parameters.push((pg_sys::INT4ARRAYOID, ids.into_datum()));
        let at = parameters.len() + 1;
        conditions.push(format!("e.chain_id OPERATOR(pg_catalog.=) ANY (${at})"));
        apart = Some(format!("e.chain_id OPERATOR(pg_catalog.<>) ALL (${at})"));
    }
    let by_place = match which {
        Which::OfKeys(_) if places::is_installed() => {
            " JOIN auditspine.places_of($1, $2) AS p ON e.chain_id OPERATOR(pg_catalog.=) p.chain_id \
             AND e.lane OPERATOR(pg_catalog.=) p.lane AND e.pos OPERATOR(pg_catalog.=) p.pos"
        }
        _ => "",
    };
    let mut query = format!("{READ}{by_place} WHERE {}", conditions.join(" AND "));
    let apart = match which {
        Which::OfKeys(_) => Some("true".to_owned()),
        _ => apart,
    };
    if let Some(apart) = apart {
        let from = match which {
            Which::Since(_) => " AND e.seq OPERATOR(pg_catalog.>=) $2",
            _ => "",
        };
        query.push_str(&format!(
            " UNION ALL {READ} JOIN auditspine.removals($1) AS r \
             ON e.chain_id OPERATOR(pg_catalog.=) r.chain_id AND e.lane OPERATOR(pg_catalog.=) r.lane \
             AND e.pos OPERATOR(pg_catalog.=) r.pos \
             WHERE r.op OPERATOR(pg_catalog.=) 'T' AND {apart}{from}"
        ));
    }
    (CString::new(query).unwrap_or_default(), parameters)
}

fn read_source(
    source: &Source,
    about: Entries<'_>,
    which: Which<'_>,
    hasher: &KeyHasher,
    pass: &mut Pass,
    show: &mut dyn FnMut(Entry<'_>),
) {
    let mut arena = DatumArena::default();
    let kind = (pg_sys::TEXTOID, arena.varlena(source.kind.as_bytes()));
    let (query, more) = query(about.chains, which);
    let more = more
        .into_iter()
        .filter_map(|(oid, value)| Some((oid, value?)));
    let parameters: Vec<_> = std::iter::once(kind).chain(more).collect();
    // Neighbours mostly name the same one.
    let (mut last_layout, mut counts) = (None, true);
    let mut take_in = |row: &Values<'_>| {
        if pass.entries.is_multiple_of(4096) {
            pgrx::check_for_interrupts!();
        }
        let op = row.char(2).unwrap_or(0);
        let seq = row.int8(1).unwrap_or(0);
        if seq < about.from {
            return;
        }
        // The place of a tuple is its own, and never null.
        let Some((block, offset)) = row.place(0) else {
            return;
        };
        let place = Place { block, offset };
        let mut in_order = |key: &[u8]| {
            let ahead = about.drawn.is_some_and(|drawn| seq > drawn);
            if !ahead {
                pass.order.note(seq, row.int8(6).unwrap_or(0));
            } else if pass.ahead.len() < MOST_AHEAD {
                pass.ahead.push((seq, key.to_vec()));
            } else {
                pass.more_ahead += 1;
            }
            !ahead
        };
        let at = row.int8(6).unwrap_or(0);
        let alive = match op {
            b'I' | b'U' => true,
            b'D' => false,
            b'T' => {
                if seq < source.until && in_order(b"") {
                    pass.truncated.push((seq, place));
                    pass.entries += 1;
                }
                return;
            }
            // Appended by hand under a kind that is a table's too.
            _ => return,
        };
        let layout = row.int4(4);
        if layout != last_layout {
            last_layout = layout;
            counts = layout.is_none_or(|id| source.has(id));
            if counts && let Some(id) = layout {
                let first = pass.layouts.entry(id).or_insert(seq);
                *first = seq.min(*first);
            }
        }
        if !counts {
            return;
        }
        pass.entries += 1;
        let content = |at: usize| row.content(at);
        let key = content(3);
        let key = key.as_deref().unwrap_or_default();
        in_order(key);
        let hash = content(5)
            .and_then(|hash| Hash::from_slice(&hash))
            .unwrap_or(Hash::ZERO);
        show(Entry {
            key,
            came: op == b'I',
            record: EntryRecord {
                key: hasher.digest(&short_text::of_entry(key)),
                seq,
                at,
                layout,
                hash,
                place,
                alive,
            },
        });
    };
    // Whose they are was asked before: what stands in other chains has to be read here and there.
    as_owner(|| for_each_row(&query, &parameters, &mut take_in));
}

fn texts(keys: &[Vec<u8>]) -> Option<pg_sys::Datum> {
    let texts: Vec<_> = keys
        .iter()
        .map(|key| String::from_utf8_lossy(key).into_owned())
        .collect();
    texts.into_datum()
}

/// An entry read again, as evidence.
pub struct Evidence {
    /// Its `event_pk`.
    pub key: Option<Vec<u8>>,
    /// Its payload, canonical JSON.
    pub payload: Option<Vec<u8>>,
    /// Its `payload_hash`.
    pub hash: Option<Hash>,
}

/// Reads entries by place.
pub struct EntryFetcher(Fetcher);

impl EntryFetcher {
    /// Opens the table of entries.
    pub fn new() -> EntryFetcher {
        let table = OpenRelation::table(state().audit_chain, pg_sys::AccessShareLock);
        EntryFetcher(Fetcher::new(table))
    }

    /// The entry at a place.
    pub fn fetch(&mut self, place: Place) -> Option<Evidence> {
        self.0.fetch(place, |tuple| {
            tuple.show(|row| Evidence {
                key: row.content(column::EVENT_PK).map(|key| key.to_vec()),
                payload: row.content(column::PAYLOAD).map(|payload| {
                    let mut json = Vec::new();
                    write_jsonb(&payload, Numbers::Exact, &mut json);
                    json
                }),
                hash: row
                    .content(column::PAYLOAD_HASH)
                    .and_then(|hash| Hash::from_slice(&hash)),
            })
        })
    }
}

/// What TRUNCATEs took away; those that cannot be trusted go to `altered`.
pub fn removals(
    truncated: &[(i64, Place)],
    fetcher: &mut EntryFetcher,
    altered: &mut Vec<i64>,
) -> Removals {
    let mut removals = Removals::default();
    for (seq, place) in truncated {
        let entry = fetcher.fetch(*place);
        let hash = entry.as_ref().and_then(|entry| entry.hash);
        let payload = entry.and_then(|entry| entry.payload);
        if hash == Some(Hash::of(b"null")) {
            removals.remove_all(*seq);
            continue;
        }
        let layouts = payload
            .filter(|payload| hash == Some(Hash::of(payload)))
            .and_then(|payload| {
                numbers(
                    serde_json::from_slice::<serde_json::Value>(&payload)
                        .ok()?
                        .get("layouts")?,
                )
            });
        match layouts {
            Some(layouts) => layouts
                .into_iter()
                .for_each(|layout| removals.remove_layout(*seq, layout)),
            None => altered.push(*seq),
        }
    }
    removals
}
