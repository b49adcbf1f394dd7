//! Random transactions of several sessions, with an administrator's chores between them.

use auditspine_load::rng::Rng;
use auditspine_load::scratch::Scratch;
use auditspine_load::server::{run, turn};
use postgres::Client;

use super::{TABLES, assert_sound};

/// What a session does next. It may have a transaction open.
fn step(rng: &mut Rng, client: &mut Client, open: &mut Option<Open>, number: usize) -> String {
    let write = |rng: &mut Rng| match rng.below(6) {
        0 => "CALL add(3)".to_owned(),
        1 => "INSERT INTO other VALUES (nextval('key'), 1)".to_owned(),
        2 => "UPDATE item SET n = n + 1 WHERE k = (SELECT min(k) FROM item)".to_owned(),
        3 => "DELETE FROM item WHERE k = (SELECT max(k) - 2 FROM item)".to_owned(),
        4 => "CALL add(1500)".to_owned(),
        _ => "CALL add(1)".to_owned(),
    };
    let what = match open {
        None => match rng.below(3) {
            0 => {
                *open = Some(Open::default());
                "BEGIN".to_owned()
            }
            _ => write(rng),
        },
        Some(Open { savepoints }) => match rng.below(12) {
            0 => {
                *savepoints += 1;
                format!("SAVEPOINT s{savepoints}")
            }
            1 if *savepoints > 0 => format!("ROLLBACK TO s{savepoints}"),
            2 if *savepoints > 0 => {
                *savepoints -= 1;
                format!("RELEASE s{}", *savepoints + 1)
            }
            3 | 4 => "SELECT audit_flush()".to_owned(),
            // It fails behind what it has linked.
            5 => {
                *open = None;
                "SELECT audit_flush(); SELECT 1 / 0".to_owned()
            }
            6 => {
                *open = None;
                "ROLLBACK".to_owned()
            }
            7 => {
                *open = None;
                format!("PREPARE TRANSACTION 'p{number}'")
            }
            8 | 9 => {
                *open = None;
                "COMMIT".to_owned()
            }
            _ => write(rng),
        },
    };
    // A lane that stays taken, or a row that another one has locked, is no fault.
    if client.batch_execute(&what).is_err() {
        *open = None;
        let _ = client.batch_execute("ROLLBACK");
    }
    what
}

#[derive(Default)]
struct Open {
    savepoints: usize,
}

/// What an administrator may do at any time.
const CHORES: [&str; 9] = [
    "VACUUM FULL auditspine.audit_chain",
    "CLUSTER auditspine.audit_chain USING audit_chain_pkey",
    "VACUUM auditspine.audit_chain",
    "REINDEX INDEX auditspine.audit_chain_pkey",
    "ALTER TABLE auditspine.audit_chain SET (fillfactor = 90)",
    "COMMIT PREPARED",
    "COMMIT PREPARED",
    "ROLLBACK PREPARED",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'auditspine-load' AND pid <> pg_backend_pid() LIMIT 1",
];

fn chore(rng: &mut Rng, admin: &mut Client) {
    let chore = CHORES[rng.below(CHORES.len() as u64) as usize];
    if !chore.ends_with("PREPARED") {
        // Whoever is in a transaction may hold the table.
        let _ = admin.batch_execute(chore);
        return;
    }
    let prepared = admin
        .query_opt(
            "SELECT gid FROM pg_prepared_xacts ORDER BY prepared LIMIT 1",
            &[],
        )
        .expect("a query");
    if let Some(row) = prepared {
        let gid: String = row.get(0);
        run(admin, &format!("{chore} '{gid}'"));
    }
}

#[test]
fn programs_of_random_transactions() {
    const PROGRAMS: u64 = 12;
    const STEPS: usize = 120;
    let _turn = turn();
    let scratch = Scratch::new("heads-model", &["max_prepared_transactions=50"]);
    for seed in 0..PROGRAMS {
        let mut rng = Rng::new(seed);
        let database = scratch.server().fresh_database("heads_model");
        let mut admin = database.connect();
        run(&mut admin, TABLES);
        run(&mut admin, "SET lock_timeout = '300ms'");
        let connect = || {
            let mut client = database.connect();
            run(
                &mut client,
                "SET lock_timeout = '300ms'; SET auditspine.buffer_size = '64kB'",
            );
            (client, None)
        };
        let mut sessions: Vec<(Client, Option<Open>)> = (0..4).map(|_| connect()).collect();
        let mut done = Vec::new();
        for number in 0..STEPS {
            if rng.chance(8) {
                chore(&mut rng, &mut admin);
            }
            let at = rng.below(4) as usize;
            if sessions[at].0.is_closed() || rng.chance(3) {
                sessions[at] = connect();
            }
            let (client, open) = &mut sessions[at];
            done.push(format!("{at}: {}", step(&mut rng, client, open, number)));
        }
        drop(sessions);
        let prepared = admin
            .query("SELECT gid FROM pg_prepared_xacts", &[])
            .expect("a query");
        for row in prepared {
            let gid: String = row.get(0);
            run(&mut admin, &format!("COMMIT PREPARED '{gid}'"));
        }
        println!("seed {seed}: {}", done.join("; "));
        run(&mut admin, "SET lock_timeout = 0; CALL add(1)");
        assert_sound(&mut admin);
    }
}
