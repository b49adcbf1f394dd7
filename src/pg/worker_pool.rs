//! Helper threads: they compute while the backend reads on.
//!
//! PostgreSQL is not for threads: helpers touch nothing of it. They get copies of what was read, work on them in
//! plain Rust, and send the results back; what takes PostgreSQL to read comes back unfinished. All signals are
//! blocked in them, so that PostgreSQL's handlers run in the backend's own thread. They end before the statement
//! does, however it ends: an ERROR unwinds through the scope that they live in.

use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;

use pgrx::pg_sys;

const STACK_BYTES: usize = 256 * 1024;

/// How many helpers a scan of so many pages gets: as many as PostgreSQL would give a query.
pub fn count(pages: u32) -> usize {
    // SAFETY: a plain global behind a setting.
    let from_pages = unsafe { pg_sys::min_parallel_table_scan_size };
    if i64::from(pages) < i64::from(from_pages) {
        return 0;
    }
    most()
}

/// How many helpers a statement may have: as many as PostgreSQL would give a query.
pub fn most() -> usize {
    // SAFETY: a plain global behind a setting.
    let workers = unsafe { pg_sys::max_parallel_workers_per_gather };
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    usize::try_from(workers).unwrap_or(0).min(processors)
}

/// Helper threads at work: each takes jobs `J` and sends back what it made of them, `D`.
pub struct Helpers<J, D> {
    jobs: Option<SyncSender<J>>,
    results: Receiver<D>,
}

impl<J: Send, D: Send> Helpers<J, D> {
    /// Starts a helper for each worker; fewer, or none, if the system refuses more threads.
    pub fn start<'scope, W>(
        scope: &'scope Scope<'scope, '_>,
        workers: impl Iterator<Item = W>,
    ) -> Helpers<J, D>
    where
        W: FnMut(J) -> D + Send + 'scope,
        J: 'scope,
        D: 'scope,
    {
        let workers: Vec<W> = workers.collect();
        let (jobs, inbox) = sync_channel::<J>(workers.len() * 2);
        let (outbox, results) = channel();
        let inbox = Arc::new(Mutex::new(inbox));
        let mask = SignalMask::block_all();
        for worker in workers {
            let (inbox, outbox) = (Arc::clone(&inbox), outbox.clone());
            let started = std::thread::Builder::new()
                .name("auditspine".to_owned())
                .stack_size(STACK_BYTES)
                .spawn_scoped(scope, move || help(&inbox, &outbox, worker));
            if started.is_err() {
                break;
            }
        }
        drop(mask);
        Helpers {
            jobs: Some(jobs),
            results,
        }
    }

    /// Hands a job over; gives it back if all helpers have enough to do.
    pub fn hand_over(&mut self, job: J) -> Result<(), J> {
        match &self.jobs {
            Some(jobs) => jobs.try_send(job).map_err(|refused| match refused {
                TrySendError::Full(job) | TrySendError::Disconnected(job) => job,
            }),
            None => Err(job),
        }
    }

    /// A finished job, if there is one by now.
    pub fn finished(&self) -> Option<D> {
        self.results.try_recv().ok()
    }

    /// After the last job: the next that finishes, until all have.
    pub fn last(&mut self) -> Option<D> {
        self.jobs = None;
        self.results.recv().ok()
    }
}

fn help<J, D>(inbox: &Mutex<Receiver<J>>, outbox: &Sender<D>, mut work: impl FnMut(J) -> D) {
    loop {
        let next = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        if outbox.send(work(job)).is_err() {
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
