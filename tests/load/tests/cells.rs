//! Random programs of DDL, changes and attacks on cells: what `verify_table()` says is what must be said.
//!
//! Beside the audited table stands a twin, which goes along with everything but the attacks: a cell that differs from the
//! twin's was attacked. What of that can be proved, and which cells nothing vouches for, a small model works out from
//! when columns came, went, changed and were left out, and when rows were written; it knows nothing of layouts.

mod model;
mod program;

use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, turn};

use program::Program;

/// How many programs are run, and from which seed on, unless AUDITSPINE_PROGRAMS and AUDITSPINE_SEED say otherwise.
const PROGRAMS: u64 = 20;
const SEED: u64 = 1;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(otherwise)
}

#[test]
fn columns_hide_nothing() {
    let _turn = turn();
    let server = Server::from_env();
    let database = server.fresh_database("cells");
    let first = number("AUDITSPINE_SEED", SEED);
    let mut totals = program::Totals::default();
    for seed in first..first + number("AUDITSPINE_PROGRAMS", PROGRAMS) {
        let mut client = database.connect();
        let mut program = Program::new(seed, Rng::new(seed), &mut client);
        program.run(30);
        totals.add(&program.totals);
        let table = program.table().to_owned();
        run(&mut client, &format!("DROP TABLE {table}, {table}_twin"));
    }
    println!("{totals:?}");
    assert!(totals.proved > 0 && totals.unverifiable > 0 && totals.unwatched > 0);
}
