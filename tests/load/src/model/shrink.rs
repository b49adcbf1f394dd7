//! The shortest program that still fails.

use std::time::{Duration, Instant};

use crate::model::expect::{Failure, Stats};
use crate::model::features::Features;
use crate::model::program::{Program, Step};
use crate::model::run::execute;
use crate::server::Server;

/// Leaves out steps, many at first and then one at a time, as long as what is left fails in the same way.
pub fn shrink(
    server: &Server,
    program: &Program,
    failure: &Failure,
    features: &Features,
    limit: Duration,
) -> (Program, Failure) {
    let started = Instant::now();
    let (mut best, mut why) = (program.clone(), failure.clone());
    let mut stats = Stats::default();
    let mut fails = |steps: Vec<Step>| -> Option<(Program, Failure)> {
        let candidate = Program {
            steps,
            ..program.clone()
        };
        let failure = execute(server, &candidate, features, &mut stats).err()?;
        (failure.class == why.class).then_some((candidate, failure))
    };
    let mut size = best.steps.len().div_ceil(2);
    loop {
        let mut shorter = false;
        let mut end = best.steps.len();
        while end > 0 && started.elapsed() < limit {
            let begin = end.saturating_sub(size);
            let mut steps = best.steps.clone();
            steps.drain(begin..end);
            if let Some((program, failure)) = fails(steps) {
                (best, shorter) = (program, true);
                why.detail = failure.detail;
            }
            end = begin;
        }
        if started.elapsed() >= limit || size == 1 && !shorter {
            return (best, why);
        }
        if !shorter || size > 1 {
            size = (size / 2).max(1);
        }
    }
}
