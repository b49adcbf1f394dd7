//! What the system's own entries say of tables: their layouts, how they were attached, and which
//! partitions left.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use auditspine_core::canonical::Numbers;
use auditspine_core::hash::Hash;
use auditspine_core::rows::{Incarnation, Layout};
use serde_json::Value;

use crate::capture::declaration::{ChainOf, Declaration};
use crate::capture::layouts;
use crate::encoding::jsonb::write_jsonb;
use crate::ledger::{erasure, scan};
use crate::pg::session;

/// Kinds of the system's entries that matter here.
const ATTACH: &str = "auditspine.attach";
const DETACH: &str = "auditspine.detach";
const PARTITION_DETACH: &str = "auditspine.partition_detach";
const PARTITION_DROP: &str = "auditspine.partition_drop";
const BASELINE: &str = "auditspine.baseline";

/// How a table was attached, as its entry says.
pub struct Attachment {
    /// The entry.
    pub seq: i64,
    /// Kind of the table's events.
    pub kind: String,
    /// The table's qualified name then.
    pub table: String,
    /// What its trigger was told.
    pub declaration: Declaration,
    /// Whether UPDATE, DELETE and TRUNCATE are refused.
    pub append_only: bool,
}

/// A kind that entries say is audited, and the table that they name last.
pub struct Tracked {
    /// Kind of the events.
    pub kind: String,
    /// The table's qualified name then.
    pub table: String,
    /// Its number, if it was one of this database cluster.
    pub oid: Option<u32>,
}

/// A kind that ended while its rows were not in order.
pub struct Ended {
    /// The entry.
    pub seq: i64,
    /// Kind of the events.
    pub kind: String,
    /// The table's qualified name then.
    pub table: String,
    /// How many rows were not; `None` if that could not be found out.
    pub findings: Option<u64>,
}

/// Rows that left with a partition, which was detached or dropped.
pub struct PartitionDetached {
    /// The entry.
    pub seq: i64,
    /// Kind of the events.
    pub kind: String,
    /// Layouts of the rows that left.
    pub layouts: Vec<i32>,
}

/// An entry whose payload is not what it was.
pub struct Altered {
    /// The entry.
    pub seq: i64,
    /// Its kind.
    pub event_kind: String,
    /// Its key: a layout's number, or a kind.
    pub event_pk: String,
    /// What is wrong.
    pub what: &'static str,
}

/// Everything that the system's entries say, as of the active snapshot.
#[derive(Default)]
pub struct Recorded {
    /// All layouts, of all kinds.
    pub layouts: Vec<Layout>,
    /// All attachments, oldest first.
    pub attachments: Vec<Attachment>,
    /// Kinds that were detached: entry, kind.
    pub detached: Vec<(i64, String)>,
    /// Kinds that ended while their rows were not in order.
    ended: Vec<Ended>,
    /// Partitions that were detached, or dropped.
    pub partitions: Vec<PartitionDetached>,
    /// Kinds whose rows were recorded anew: entry, kind.
    baselines: Vec<(i64, String)>,
    /// Entries whose payload was erased on record.
    pub erased: Vec<i64>,
    /// Entries that cannot be trusted.
    pub altered: Vec<Altered>,
}

impl Recorded {
    /// Reads the entries.
    pub fn read() -> Recorded {
        let query = c"SELECT seq, event_kind, event_pk, payload, payload_hash FROM ONLY auditspine.audit_chain \
            WHERE event_kind OPERATOR(pg_catalog.=) ANY ('{auditspine.layout,auditspine.attach,auditspine.detach,auditspine.partition_detach,auditspine.partition_drop,auditspine.erasure,auditspine.baseline}') \
            AND op OPERATOR(pg_catalog.=) 'S'";
        let mut recorded = Recorded::default();
        scan::select(query, &[], &[], |row| {
            let text = |at| row.text(at).unwrap_or_default();
            let payload = row.bytes(3).map(|content| {
                let mut json = Vec::new();
                write_jsonb(&content, Numbers::Exact, &mut json);
                json
            });
            let seq = row.int8(0).unwrap_or(0);
            recorded.take_in(seq, text(1), text(2), payload, row.hash(4));
            ControlFlow::Continue(())
        });
        recorded
            .attachments
            .sort_by_key(|attachment| attachment.seq);
        recorded
    }

    fn take_in(
        &mut self,
        seq: i64,
        event_kind: String,
        event_pk: String,
        payload: Option<Vec<u8>>,
        hash: Option<Hash>,
    ) {
        let understood = match payload {
            None => Err("its payload is gone"),
            Some(payload) if hash != Some(Hash::of(&payload)) => {
                Err("its payload is not what its hash says")
            }
            Some(payload) => self
                .understand(seq, &event_kind, &event_pk, &payload)
                .ok_or("its payload is not understood"),
        };
        if let Err(what) = understood {
            self.altered.push(Altered {
                seq,
                event_kind,
                event_pk,
                what,
            });
        }
    }

    fn understand(&mut self, seq: i64, kind: &str, pk: &str, payload: &[u8]) -> Option<()> {
        if kind == layouts::KIND {
            let layout = Layout::read(pk.parse().ok()?, seq, payload).ok()?;
            self.layouts.push(layout);
            return Some(());
        }
        let json: Value = serde_json::from_slice(payload).ok()?;
        match kind {
            ATTACH => self.attachments.push(attachment(seq, &json)?),
            DETACH => {
                self.detached.push((seq, pk.to_owned()));
                if let Some(findings) = json.get("findings") {
                    self.ended.push(Ended {
                        seq,
                        kind: pk.to_owned(),
                        table: json.get("table")?.as_str()?.to_owned(),
                        findings: findings.as_u64(),
                    });
                }
            }
            BASELINE => self
                .baselines
                .push((seq, json.get("kind")?.as_str()?.to_owned())),
            PARTITION_DETACH | PARTITION_DROP => self.partitions.push(PartitionDetached {
                seq,
                kind: json.get("kind")?.as_str()?.to_owned(),
                layouts: numbers(json.get("layouts")?)?,
            }),
            erasure::KIND => {
                let entries = json.get("entries")?.as_array()?.iter();
                let entries = entries.map(|seq| seq.as_str()?.parse().ok());
                self.erased.extend(entries.collect::<Option<Vec<i64>>>()?);
            }
            _ => {}
        }
        Some(())
    }

    /// The kind under which a table is audited that has no trigger of ours: of the latest entry that
    /// names it, unless it was detached since.
    pub fn kind_of_table(&self, table: &str, incarnation: &Incarnation) -> Option<String> {
        let of_layouts = self.layouts.iter().filter_map(|layout| {
            let named = layout.table == table || layout.incarnation == *incarnation;
            named.then_some((layout.seq, &layout.kind))
        });
        let of_attachments = self.attachments.iter().filter_map(|attachment| {
            (attachment.table == table).then_some((attachment.seq, &attachment.kind))
        });
        let (seq, kind) = of_layouts.chain(of_attachments).max()?;
        self.is_attached_since(seq, kind).then(|| kind.clone())
    }

    /// How a kind was attached last, unless it was detached since.
    pub fn attachment(&self, kind: &str) -> Option<&Attachment> {
        let last = self
            .attachments
            .iter()
            .rfind(|attachment| attachment.kind == kind)?;
        self.is_attached_since(last.seq, kind).then_some(last)
    }

    /// Every kind that was attached, or that rows were recorded under, and not detached since; in order of
    /// kind. Of a partitioned table a partition may be named.
    pub fn attached(&self) -> Vec<Tracked> {
        let system = session::system_identifier().to_string();
        let mut latest: BTreeMap<String, (i64, Tracked)> = BTreeMap::new();
        let mut take = |seq: i64, tracked: Tracked| {
            let known = latest.get(&tracked.kind).map(|(seq, _)| *seq);
            if known.is_none_or(|known| known < seq) {
                latest.insert(tracked.kind.clone(), (seq, tracked));
            }
        };
        for layout in &self.layouts {
            let here = layout.incarnation.system == system;
            let tracked = Tracked {
                kind: layout.kind.clone(),
                table: layout.table.clone(),
                oid: here.then(|| layout.incarnation.oid.parse().ok()).flatten(),
            };
            take(layout.seq, tracked);
        }
        for attachment in &self.attachments {
            let tracked = Tracked {
                kind: attachment.kind.clone(),
                table: attachment.table.clone(),
                oid: None,
            };
            take(attachment.seq, tracked);
        }
        latest
            .into_values()
            .filter(|(seq, tracked)| self.is_attached_since(*seq, &tracked.kind))
            .map(|(_, tracked)| tracked)
            .collect()
    }

    /// Kinds that ended while their rows were not in order, which no later entry says was meant, and that were
    /// not attached again: then their rows are verified as ever.
    pub fn ended_not_in_order(&self) -> impl Iterator<Item = &Ended> {
        self.ended.iter().filter(|ended| {
            let attached = self.attachments.iter();
            self.is_attached_since(ended.seq, &ended.kind)
                && !attached
                    .filter(|attachment| attachment.kind == ended.kind)
                    .any(|attachment| attachment.seq > ended.seq)
        })
    }

    /// The last entry that says that all rows of a kind were recorded anew.
    pub fn baseline(&self, kind: &str) -> Option<i64> {
        let of_kind = self.baselines.iter().filter(|(_, of)| of == kind);
        of_kind.map(|(seq, _)| *seq).max()
    }

    /// The names of the key's columns, as entries of audit_attach() have them, each with the entry.
    pub fn declared_keys(&self, kind: &str) -> Vec<(i64, Vec<String>)> {
        let of_kind = self
            .attachments
            .iter()
            .filter(|attachment| attachment.kind == kind);
        let key =
            |attachment: &Attachment| Some((attachment.seq, attachment.declaration.pk.clone()?));
        of_kind.filter_map(key).collect()
    }

    fn is_attached_since(&self, seq: i64, kind: &str) -> bool {
        !self
            .detached
            .iter()
            .any(|(detached, of)| of == kind && *detached > seq)
    }
}

/// Numbers in an array.
pub fn numbers(json: &Value) -> Option<Vec<i32>> {
    let numbers = json.as_array()?.iter();
    numbers
        .map(|number| number.as_i64()?.try_into().ok())
        .collect()
}

fn attachment(seq: i64, json: &Value) -> Option<Attachment> {
    let text = |name| json.get(name).and_then(Value::as_str).map(str::to_owned);
    let names = |name| -> Option<Vec<String>> {
        let all = json.get(name)?.as_array()?.iter();
        all.map(|name| name.as_str().map(str::to_owned)).collect()
    };
    let kind = text("kind")?;
    let chain = match names("chain_by") {
        Some(columns) => ChainOf::By(columns),
        None => ChainOf::Named(text("chain").unwrap_or_else(|| "main".to_owned())),
    };
    Some(Attachment {
        seq,
        table: text("table")?,
        append_only: json.get("append_only") == Some(&Value::Bool(true)),
        declaration: Declaration {
            kind: Some(kind.clone()),
            pk: names("pk"),
            chain,
            full_payload: text("payload").as_deref() == Some("full"),
            exclude: names("exclude").unwrap_or_default(),
            skip_unchanged: text("unchanged").as_deref() == Some("skip"),
        },
        kind,
    })
}
