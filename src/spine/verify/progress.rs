//! How far a verification of many spines is: notices, now and then.

use std::time::{Duration, Instant};

use pgrx::prelude::*;

/// Time between two notices.
const INTERVAL: Duration = Duration::from_secs(5);

/// Counts spines and tells how far it is.
pub struct Progress {
    total: usize,
    done: usize,
    started: Instant,
    told: Instant,
}

impl Progress {
    /// Of so many spines.
    pub fn of(total: usize) -> Progress {
        let now = Instant::now();
        Progress {
            total,
            done: 0,
            started: now,
            told: now,
        }
    }

    /// One more is done.
    pub fn one_more(&mut self) {
        self.done += 1;
        if self.told.elapsed() < INTERVAL {
            return;
        }
        self.told = Instant::now();
        let rate = self.done as f64 / self.started.elapsed().as_secs_f64();
        let left = self.total.saturating_sub(self.done) as f64 / rate;
        notice!(
            "verified {} of {} spines, {rate:.0} per second, about {left:.0} s left",
            self.done,
            self.total
        );
    }
}
