//! A row change becomes a pending event.

use std::cell::Cell;
use std::mem::{swap, take};

use auditspine_core::canonical::storable;
use auditspine_core::hash::{Hash, HashSink};

use crate::capture::row_spec::{ChainColumns, Spec, write_chain};
use crate::ledger::attribution;
use crate::ledger::buffer::{self, Fields, RowChange, Told};
use crate::pg::row_json::DeformedRow;

/// Rows being recorded, and buffers reused from row to row.
#[derive(Default)]
pub struct Work {
    /// The row before the change.
    pub old: DeformedRow,
    /// The row after the change.
    pub new: DeformedRow,
    /// What is known of when the row was changed.
    pub told: Told,
    old_key: Vec<u8>,
    new_key: Vec<u8>,
    chain: Vec<u8>,
    text: Vec<u8>,
    hash: Vec<u8>,
    /// A value before and after the change.
    values: [Vec<u8>; 2],
}

/// A buffer that grew beyond this is not kept for the next row.
const KEEP_BYTES: usize = 1024 * 1024;

thread_local! {
    static WORK: Cell<Option<Box<Work>>> = const { Cell::new(None) };
}

/// Runs `f` with the backend's work space.
pub fn with_work<R>(f: impl FnOnce(&mut Work) -> R) -> R {
    // Taken, not borrowed: a type's own code runs meanwhile, and may come back here.
    let mut work = WORK.take().unwrap_or_default();
    let answer = f(&mut work);
    work.told = Told::Present;
    let values = work.values.iter().map(Vec::capacity).sum::<usize>();
    if work.text.capacity() + values < KEEP_BYTES {
        WORK.set(Some(work));
    }
    answer
}

/// Records an UPDATE, unless it is no event. A change of the key, or of the chain that it selects, is a row
/// that goes and a row that comes.
pub fn record_update(spec: &Spec, work: &mut Work) -> bool {
    spec.write_key(&work.old, &mut work.old_key);
    spec.write_key(&work.new, &mut work.new_key);
    let mut moved = work.old_key != work.new_key;
    if let ChainColumns::By(columns) = &spec.chain {
        write_chain(&spec.layout, columns, &work.old, &mut work.chain);
        write_chain(&spec.layout, columns, &work.new, &mut work.text);
        moved |= work.chain != work.text;
    }
    if moved {
        let (old, new) = (take(&mut work.old), take(&mut work.new));
        swap(&mut work.old_key, &mut work.new_key);
        push(spec, &old, work, b'D');
        swap(&mut work.old_key, &mut work.new_key);
        push(spec, &new, work, b'I');
        (work.old, work.new) = (old, new);
    } else if !spec.skip_unchanged || spec.layout.differs(&work.old, &work.new, &mut work.values) {
        let new = take(&mut work.new);
        push(spec, &new, work, b'U');
        work.new = new;
    } else {
        return false;
    }
    true
}

/// Records the new row with op `I`, or the old one with `D`.
pub fn record(spec: &Spec, work: &mut Work, op: u8) {
    // Taken out, so that the rest can be borrowed.
    let row = match op {
        b'D' => take(&mut work.old),
        _ => take(&mut work.new),
    };
    record_row(spec, &row, work, op);
    match op {
        b'D' => work.old = row,
        _ => work.new = row,
    }
}

/// Records a row with this op.
pub fn record_row(spec: &Spec, row: &DeformedRow, work: &mut Work, op: u8) {
    spec.write_key(row, &mut work.new_key);
    push(spec, row, work, op);
}

/// Records a row whose key is written in `new_key`.
fn push(spec: &Spec, row: &DeformedRow, work: &mut Work, op: u8) {
    let Work {
        told,
        new_key: key,
        chain: chain_name,
        text,
        hash,
        ..
    } = work;
    let chain = match &spec.chain {
        ChainColumns::Named(chain) => *chain,
        ChainColumns::By(columns) => {
            write_chain(&spec.layout, columns, row, chain_name);
            buffer::intern(chain_name)
        }
    };
    let mut fields = Fields {
        chain,
        creates_chain: matches!(spec.chain, ChainColumns::By(_)),
        kind: spec.kind,
        op,
        attribution: attribution::current(),
        layout: spec.layout_id(),
        payload_hash: Hash::ZERO,
    };
    let told = match told {
        Told::Changed(change) => Told::Changed(RowChange {
            ended: change.ended.filter(|_| op != b'I'),
            began: change.began.filter(|_| op != b'D'),
            ..*change
        }),
        other => *other,
    };
    let mut sink = HashSink::with_buffer(std::mem::take(hash));
    if spec.full_payload {
        text.clear();
        spec.layout.write(row, text);
        if !storable::surely_fits(text) {
            spec.expect_storable(text);
        }
    } else {
        spec.layout.write(row, &mut sink);
    }
    let payload = spec.full_payload.then_some(&text[..]);
    let whole = payload.or(sink.text());
    if let Some(text) = whole.filter(|text| buffer::pays_to_gather(text.len())) {
        buffer::gather(fields, &told, (Some(key), payload), text);
        *hash = sink.into_buffer();
        return;
    }
    (fields.payload_hash, *hash) = match payload {
        Some(text) => (Hash::of(text), sink.into_buffer()),
        None => sink.finish(),
    };
    buffer::with_mut(|buffer| buffer.push_told(fields, &told, (Some(key), payload)));
}
