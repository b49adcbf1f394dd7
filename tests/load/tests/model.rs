//! Random programs: the verdict of the verifiers, the histories of rows and a model of what was done must agree.
//!
//! `tests/README.md` lists the variables that they listen to.

use std::collections::BTreeMap;
use std::env;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use auditspine_load::model::expect::Stats;
use auditspine_load::model::features::Features;
use auditspine_load::model::program::generate;
use auditspine_load::model::run::{clean_up, execute, prepare};
use auditspine_load::model::shrink::shrink;
use auditspine_load::server::{Server, turn};

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text:?}"))
    })
}

/// Programs of these seeds, until the time is over if there is a limit.
fn programs(seeds: impl Iterator<Item = u64>, time: Option<Duration>) {
    // Both tests use the same databases and the same role.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = turn();
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let server = Server::from_env();
    let features = Features::from_env();
    prepare(&server);
    let (started, mut stats) = (Instant::now(), Stats::default());
    let shrinking = Duration::from_secs(number("MODEL_SHRINK_SECONDS").unwrap_or(120));
    let keep_going = env::var("MODEL_KEEP_GOING").is_ok();
    let mut failed: BTreeMap<String, u64> = BTreeMap::new();
    for seed in seeds {
        if time.is_some_and(|time| started.elapsed() > time) {
            break;
        }
        let program = generate(seed, &features);
        if env::var("MODEL_TRACE").is_ok() {
            println!("{}", program.script());
        }
        let Err(failure) = execute(&server, &program, &features, &mut stats) else {
            continue;
        };
        let before = *failed
            .entry(failure.class.clone())
            .and_modify(|count| *count += 1)
            .or_insert(1);
        if keep_going && before > 1 {
            continue;
        }
        println!("seed {seed}: {}: {}", failure.class, failure.detail);
        let (shortest, failure) = shrink(&server, &program, &failure, &features, shrinking);
        println!(
            "-- {}\n-- {}\n{}",
            failure.class,
            failure.detail,
            shortest.script()
        );
        assert!(
            keep_going,
            "seed {seed}: {}: {}",
            failure.class, failure.detail
        );
    }
    clean_up(&server);
    println!("{stats:?}");
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Programs that are in order. New ones find faults that are open still, so they run when they are asked for.
const KNOWN: u64 = 15;

#[test]
fn programs_of_known_seeds() {
    let time = number("MODEL_SECONDS").map(Duration::from_secs);
    match number("MODEL_SEED") {
        Some(seed) => programs(seed..=seed, time),
        None => programs(0..KNOWN, time),
    }
}

#[test]
fn programs_of_new_seeds() {
    let Some(seconds) = number("MODEL_SECONDS") else {
        println!("skipped: programs of new seeds run where MODEL_SECONDS says how long");
        return;
    };
    if number("MODEL_SEED").is_some() {
        return;
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a clock after 1970");
    let first = now.as_secs() * 1_000_000;
    programs(first.., Some(Duration::from_secs(seconds)));
}
