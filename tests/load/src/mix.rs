//! The mixed load: every way of changing rows, with every way of taking changes back.

use std::thread;

use postgres::Error;

use crate::ledger::{Ledger, Outcome};
use crate::server::Database;
use crate::session::Session;

const SHARED_ROWS: u64 = 200;

/// Runs `clients` connections with `transactions` each, and returns what they did together.
///
/// # Panics
/// If a client cannot connect, or loses its connection.
pub fn run_mix(database: &Database, clients: i64, transactions: u32, isolation: &str) -> Ledger {
    run_clients(clients, |id| {
        let mut session = Session::open(database, id, isolation).expect("a connection");
        for _ in 0..transactions {
            step(&mut session);
            assert!(
                !session.is_closed(),
                "client {id} lost its connection: {}",
                session.ledger
            );
        }
        session.ledger
    })
}

/// Runs `client` for the numbers below `clients`, each in a thread, and adds up their ledgers.
///
/// # Panics
/// If a client does.
pub fn run_clients(clients: i64, client: impl Fn(i64) -> Ledger + Sync) -> Ledger {
    let mut all = Ledger::default();
    thread::scope(|scope| {
        let client = &client;
        let threads: Vec<_> = (0..clients)
            .map(|id| scope.spawn(move || client(id)))
            .collect();
        for thread in threads {
            all.merge(thread.join().expect("a client that ends in order"));
        }
    });
    all
}

/// One transaction of the mix.
pub fn step(session: &mut Session) -> Outcome {
    match session.rng.below(100) {
        0..25 => session.insert_alone(),
        25..40 => session.transaction(several_statements),
        40..55 => session.transaction(nested_savepoints),
        55..65 => session.transaction(rolled_back),
        65..73 => session.transaction(|s| {
            let count = 5 + s.rng.below(15) as usize;
            s.copy(count)?;
            Ok(Outcome::Committed)
        }),
        73..82 => session.transaction(many_rows),
        82..91 => session.transaction(shared_rows),
        91..96 => session.transaction(errors_caught),
        _ => session.transaction(early_flush),
    }
}

fn several_statements(s: &mut Session) -> Result<Outcome, Error> {
    s.insert()?;
    s.insert()?;
    let keys = s.own_keys(1);
    s.update(&keys)?;
    if let [key] = s.own_keys(1)[..] {
        s.rekey(key)?;
    }
    if s.rng.chance(50) {
        let keys = s.own_keys(1);
        s.delete(&keys)?;
    }
    Ok(Outcome::Committed)
}

/// A savepoint within a savepoint; released or rolled back at either level.
fn nested_savepoints(s: &mut Session) -> Result<Outcome, Error> {
    s.insert()?;
    s.savepoint()?;
    s.insert()?;
    let keys = s.own_keys(2);
    s.update(&keys)?;
    s.savepoint()?;
    let keys = s.own_keys(1);
    s.delete(&keys)?;
    s.insert()?;
    if s.rng.chance(50) {
        s.rollback_to()?;
        s.insert()?;
    }
    s.release()?;
    if s.rng.chance(50) {
        s.rollback_to()?;
        let keys = s.own_keys(1);
        s.update(&keys)?;
    }
    if s.rng.chance(50) {
        s.release()?;
    }
    s.insert()?;
    Ok(Outcome::Committed)
}

fn rolled_back(s: &mut Session) -> Result<Outcome, Error> {
    s.insert_many(3)?;
    s.savepoint()?;
    let keys = s.own_keys(2);
    s.delete(&keys)?;
    s.release()?;
    if s.rng.chance(30) {
        s.flush()?;
    }
    Ok(Outcome::Aborted)
}

fn many_rows(s: &mut Session) -> Result<Outcome, Error> {
    s.insert_many(10)?;
    let keys = s.own_keys(6);
    s.update(&keys)?;
    let keys = s.own_keys(4);
    s.delete(&keys)?;
    Ok(Outcome::Committed)
}

fn shared_rows(s: &mut Session) -> Result<Outcome, Error> {
    let first = 1 + s.rng.below(SHARED_ROWS - 1);
    let second = first + 1 + s.rng.below(SHARED_ROWS - first);
    // In the order of keys, so that two such transactions cannot deadlock.
    s.upsert_shared(first as i64)?;
    s.update_shared(second as i64)?;
    Ok(Outcome::Committed)
}

fn errors_caught(s: &mut Session) -> Result<Outcome, Error> {
    s.insert_in_handler()?;
    s.savepoint()?;
    s.insert()?;
    if let [key] = s.own_keys(1)[..] {
        s.insert_duplicate(key)?;
    }
    s.rollback_to()?;
    s.insert()?;
    Ok(Outcome::Committed)
}

/// Entries written early, kept and taken back. Only rows of its own: who holds a lane must not wait
/// for a row.
fn early_flush(s: &mut Session) -> Result<Outcome, Error> {
    s.insert()?;
    s.savepoint()?;
    s.insert()?;
    s.flush()?;
    if s.rng.chance(60) {
        s.rollback_to()?;
    }
    s.insert()?;
    s.flush()?;
    let keys = s.own_keys(1);
    s.update(&keys)?;
    Ok(Outcome::Committed)
}
