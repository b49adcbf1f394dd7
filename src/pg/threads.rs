//! Helper threads for a verification: they recompute hashes while the backend reads on.
//!
//! PostgreSQL is not for threads: helpers touch nothing of it. They get copies of tuples, decode them
//! in plain Rust, hash, and send the results back; what takes PostgreSQL to read comes back
//! unfinished. All signals are blocked in them, so that PostgreSQL's handlers run in the backend's own
//! thread. They end before the verification does, however it ends: an ERROR unwinds through the
//! scope that they live in.

use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use auditspine_core::verify::{Checked, Checker};
use pgrx::pg_sys;

use super::tuple;

/// Bytes of tuples that make a batch.
const BATCH_BYTES: usize = 256 * 1024;
const STACK_BYTES: usize = 256 * 1024;

/// Copies of tuples, each aligned to 8 bytes.
#[derive(Default)]
pub struct Batch {
    words: Vec<u64>,
    /// First word and length in bytes.
    tuples: Vec<(usize, usize)>,
}

impl Batch {
    /// Adds a copy of a tuple's bytes.
    pub fn push(&mut self, tuple: &[u8]) {
        let first = self.words.len();
        self.words.resize(first + tuple.len().div_ceil(8), 0);
        // SAFETY: the words just added have room for the bytes; u64 has no invalid bit patterns.
        unsafe {
            let target = self.words.as_mut_ptr().add(first).cast::<u8>();
            target.copy_from_nonoverlapping(tuple.as_ptr(), tuple.len());
        }
        self.tuples.push((first, tuple.len()));
    }

    /// Whether it is large enough to be handed over.
    pub fn is_full(&self) -> bool {
        self.words.len() * 8 >= BATCH_BYTES
    }

    /// Bytes of a tuple, aligned to 8.
    pub fn tuple(&self, at: usize) -> &[u8] {
        let (first, length) = self.tuples[at];
        // SAFETY: `push` laid that many bytes there.
        unsafe { std::slice::from_raw_parts(self.words.as_ptr().add(first).cast(), length) }
    }

    fn clear(&mut self) {
        self.words.clear();
        self.tuples.clear();
    }
}

/// A batch that has been worked on.
pub struct Done {
    /// What could be checked.
    pub checked: Vec<Checked>,
    /// The tuples that could not, by their number in the batch.
    pub left: Vec<usize>,
    /// The tuples.
    pub batch: Batch,
}

/// Checks the tuples of a batch.
pub fn work(batch: Batch, checker: &mut Checker) -> Done {
    let mut done = Done {
        checked: Vec::with_capacity(batch.tuples.len()),
        left: Vec::new(),
        batch,
    };
    let Done {
        checked,
        left,
        batch,
    } = &mut done;
    for at in 0..batch.tuples.len() {
        match tuple::decode(batch.tuple(at)) {
            Some(entry) => checked.push(checker.check(&entry)),
            None => left.push(at),
        }
    }
    done
}

/// How many helpers a scan of so many pages gets: as many as PostgreSQL would give a query.
pub fn count(pages: u32) -> usize {
    // SAFETY: plain globals behind settings.
    let (workers, from_pages) = unsafe {
        (
            pg_sys::max_parallel_workers_per_gather,
            pg_sys::min_parallel_table_scan_size,
        )
    };
    if i64::from(pages) < i64::from(from_pages) {
        return 0;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    usize::try_from(workers).unwrap_or(0).min(processors)
}

/// Helper threads at work.
pub struct Helpers {
    batches: Option<SyncSender<Batch>>,
    results: Receiver<Done>,
    spare: Vec<Batch>,
}

impl Helpers {
    /// Starts helpers, each with a checker; fewer, or none, if the system refuses more threads.
    pub fn start<'scope>(
        scope: &'scope Scope<'scope, '_>,
        checkers: impl Iterator<Item = Checker>,
    ) -> Helpers {
        let checkers: Vec<Checker> = checkers.collect();
        let (batches, inbox) = sync_channel::<Batch>(checkers.len() * 2);
        let (outbox, results) = channel();
        let inbox = Arc::new(Mutex::new(inbox));
        let mask = SignalMask::block_all();
        for checker in checkers {
            let (inbox, outbox) = (Arc::clone(&inbox), outbox.clone());
            let started = std::thread::Builder::new()
                .name("auditspine".to_owned())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, move || help(&inbox, &outbox, checker));
            if started.is_err() {
                break;
            }
        }
        drop(mask);
        Helpers {
            batches: Some(batches),
            results,
            spare: Vec::new(),
        }
    }

    /// An empty batch.
    pub fn empty(&mut self) -> Batch {
        self.spare.pop().unwrap_or_default()
    }

    /// Hands a batch over; gives it back if all helpers have enough to do.
    pub fn hand_over(&mut self, batch: Batch) -> Result<(), Batch> {
        match &self.batches {
            Some(batches) => batches.try_send(batch).map_err(|refused| match refused {
                TrySendError::Full(batch) | TrySendError::Disconnected(batch) => batch,
            }),
            None => Err(batch),
        }
    }

    /// A finished batch, if there is one by now.
    pub fn finished(&self) -> Option<Done> {
        self.results.try_recv().ok()
    }

    /// After the last batch: the next that finishes, until all have.
    pub fn last(&mut self) -> Option<Done> {
        self.batches = None;
        self.results.recv().ok()
    }

    /// Keeps a batch for reuse.
    pub fn reuse(&mut self, mut batch: Batch) {
        batch.clear();
        self.spare.push(batch);
    }
}

fn help(inbox: &Mutex<Receiver<Batch>>, outbox: &Sender<Done>, mut checker: Checker) {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(batch) = next else { return };
        if outbox.send(work(batch, &mut checker)).is_err() {
            return;
        }
    }
}

/// Restores the thread's signal mask on drop.
struct SignalMask(libc::sigset_t);

impl SignalMask {
    /// Blocks all signals in this thread, and so in those that it starts meanwhile.
    fn block_all() -> SignalMask {
        // SAFETY: both sets are initialised before they are read.
        unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
            SignalMask(before)
        }
    }
}

impl Drop for SignalMask {
    fn drop(&mut self) {
        // SAFETY: the mask that was in force before.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &self.0, std::ptr::null_mut());
        }
    }
}
