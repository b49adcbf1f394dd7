//! Blueprint proofspine: the routine runs while builders write and supersede decisions, and finds
//! nothing; then what was tampered with, whenever it was written, is told once.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use auditspine_load::check::assert_no_rows;
use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, scalar, sqlstate, turn};
use postgres::Client;

const BUILDERS: u64 = 6;
const LOAD: Duration = Duration::from_secs(4);
const RUNS: usize = 4;
const HOT: u64 = 5;

/// Four pieces of evidence, signed by one key: result, and the payload and its signature.
const EVIDENCE: [(&str, &str, &str); 4] = [
    (
        "c673456e647856533c449fa3e2c031327d5308ec7cdb4b762967aa7950960da8",
        "eyJzZWdtZW50IjoiU2JvbVNsaWNlIiwidG9vbCI6InNjYW4ifQ==",
        "rfUlVscDnK0IzL2GCiDHRi81P30AlKu+XRXX66jeFIowHrj7+S0JqbJCV7kT5fsLySr5HVoJ2QWBxHzh94+2CQ==",
    ),
    (
        "b52a6fb411f17107171867698b857031b57d97a0ff3032f59224237741022fff",
        "eyJzZWdtZW50IjoiTWF0Y2giLCJ0b29sIjoic2NhbiJ9",
        "nKv2u+4d9B4FBnWkoN+CZbTTXsilDia8w08ZPB7mDfmRR5sckNR2NMNcz8hKhQCblEG3HAPdi9Oc/05kOD4fAQ==",
    ),
    (
        "b85fca3603d2bf2a85c2f701231e73808b0fa78d605c35d60d0c499492dce909",
        "eyJzZWdtZW50IjoiR3VhcmRBbmFseXNpcyIsInRvb2wiOiJzY2FuIn0=",
        "oaVm81oCvq6sZvwx8B/FQpFeUMFGUmPzxgXmzXSJsOFw+M8WWqc/G1bhnwkU//zWaJEiJPb5Ac/rkN3Tb2pxBw==",
    ),
    (
        "6a0fab8b94e69d1bfe35733edb0f95f83c62bb64f1357913618e4e3d27f11684",
        "eyJzZWdtZW50IjoiUnVudGltZU9ic2VydmF0aW9uIiwidG9vbCI6InNjYW4ifQ==",
        "E53HykyVV4jfVHKddQq7MDBT4CLQcI7KjA+0QXbiPMIvlnTcZEpZKWVMZYRH7BmmW2n+X5vUwJwHdxUaGtc5Cw==",
    ),
];

/// Segments of a decision that rests on those pieces of evidence whose bits are set.
fn segments(of: u64) -> String {
    let types = ["SbomSlice", "Match", "GuardAnalysis", "RuntimeObservation"];
    let segments: Vec<String> = (0..4)
        .filter(|at| of >> at & 1 == 1)
        .map(|at| {
            let (result, payload, sig) = EVIDENCE[at];
            format!(
                r#"{{"segment_type": "{}", "input_hash": "{}", "result_hash": "{result}", "tool_id": "scan", "tool_version": "1",
                    "envelope_json": {{"payload": "{payload}", "payloadType": "application/vnd.example+json",
                                  "signatures": [{{"keyid": "5b30a97b14a044d2e1c2d0e5653347697fa2cd1cc3e6bf924028548254206725", "sig": "{sig}"}}]}}}}"#,
                types[at],
                "0".repeat(64)
            )
        })
        .collect();
    format!("[{}]", segments.join(","))
}

/// Lines of a run that are not in order, spines that it verified, and alerts that it raised.
fn verify(client: &mut Client, arguments: &str) -> (Vec<String>, i64, i64) {
    let query = format!(
        "SELECT layer, subject, ok, checked, findings, detail FROM scanner.verify_proof_spines({arguments})"
    );
    let rows = client
        .query(&query, &[])
        .unwrap_or_else(|e| panic!("{query}: {e:?}"));
    let (mut wrong, mut spines, mut alerts) = (Vec::new(), 0, 0);
    for row in &rows {
        let layer: String = row.get(0);
        match &layer[..] {
            "spines" => spines = row.get(3),
            "alerts" => alerts = row.get(4),
            _ => {}
        }
        if !row.get::<_, bool>(2) && layer != "alerts" {
            wrong.push(format!("{layer} {}", row.get::<_, String>(1)));
        }
    }
    (wrong, spines, alerts)
}

const NEW: &str = "'last', $$created_at_utc >= now() - interval '1 day'$$";

#[test]
fn routine_and_builders_get_along_and_tampering_is_told_once() {
    let _turn = turn();
    let database = Server::from_env().fresh_database("proofspine");
    let mut admin = database.connect();
    run(
        &mut admin,
        "SELECT install_blueprint('proofspine');
         SELECT trust_key(E'-----BEGIN PUBLIC KEY-----\\nMCowBQYDK2VwAyEAeGVygzLgOmO2RCtC75jusdS+/R6cUDK4PXD2Tl9VGlA=\\n-----END PUBLIC KEY-----', 'scanner')",
    );
    let (over, built) = (AtomicBool::new(false), AtomicI64::new(0));
    let runs = thread::scope(|scope| {
        for id in 0..BUILDERS {
            let (database, over, built) = (&database, &over, &built);
            scope.spawn(move || {
                let mut client = database.connect();
                run(&mut client, "SET client_min_messages = warning");
                let mut rng = Rng::new(id);
                while !over.load(Ordering::Relaxed) {
                    let artifact = if rng.chance(10) {
                        format!("own {id} {}", rng.next_u64())
                    } else {
                        format!("hot {}", rng.below(HOT))
                    };
                    let evidence = segments(1 + rng.below(15));
                    let done = client.query(
                        "SELECT create_spine($1, 'CVE-1', 'strict', 'affected', 'run', $2::text::jsonb)",
                        &[&artifact, &evidence],
                    );
                    match done {
                        Ok(_) => drop(built.fetch_add(1, Ordering::Relaxed)),
                        // Builders of one decision at the same time: some lose, and may try again.
                        Err(error) => assert_eq!(sqlstate(&error), "40001", "{error:?}"),
                    }
                }
            });
        }
        let until = Instant::now() + LOAD;
        let mut runs = Vec::new();
        while Instant::now() < until || runs.len() < RUNS {
            runs.push(verify(
                &mut admin,
                if runs.len() % 2 == 0 { NEW } else { "" },
            ));
        }
        over.store(true, Ordering::Relaxed);
        runs
    });
    let (wrong, spines, alerts) = verify(&mut admin, "");
    assert_eq!((wrong, alerts), (Vec::new(), 0));
    println!(
        "{} decisions built, {spines} spines, {} runs of the routine meanwhile",
        built.load(Ordering::Relaxed),
        runs.len()
    );
    assert!(spines > 50, "{runs:?}");
    for (wrong, _, alerts) in &runs {
        assert_eq!((wrong.len(), *alerts), (0, 0), "{runs:?}");
    }
    assert!(runs.iter().any(|(_, seen, _)| (1..spines).contains(seen)));
    assert_no_rows(
        &mut admin,
        "a decision that is not verified",
        "SELECT artifact_id FROM scanner.proof_spine_decisions WHERE status <> 'Verified' OR open_alerts > 0",
    );
    let recorded: String = scalar(
        &mut admin,
        "SELECT count(*) || ' ' || bool_and(ok) || ' ' || max(spines) FROM scanner.proof_spine_runs",
    );
    assert_eq!(recorded, format!("{} true {spines}", runs.len() + 1));

    // Old spines, and one that is gone: the first is in no window of the audit, but its spine is verified.
    run(
        &mut admin,
        "CREATE TEMP TABLE victim AS SELECT spine_id, row_number() OVER (ORDER BY created_at_utc) AS n FROM scanner.proof_spine_decisions
             WHERE artifact_id LIKE 'own %' ORDER BY created_at_utc LIMIT 3;
         ALTER TABLE scanner.proof_spines DISABLE TRIGGER USER; ALTER TABLE scanner.proof_segments DISABLE TRIGGER USER;
         UPDATE scanner.proof_spines SET verdict = 'not_affected' WHERE spine_id = (SELECT spine_id FROM victim WHERE n = 1);
         UPDATE scanner.proof_segments SET envelope_json = jsonb_set(envelope_json::jsonb, '{payload}', '\"e30=\"')::text
             WHERE idx = 0 AND spine_id = (SELECT spine_id FROM victim WHERE n = 2)",
    );
    run(
        &mut admin,
        "SET session_replication_role = replica;
         DELETE FROM scanner.proof_spines WHERE spine_id = (SELECT spine_id FROM victim WHERE n = 3);
         RESET session_replication_role;
         ALTER TABLE scanner.proof_spines ENABLE TRIGGER USER; ALTER TABLE scanner.proof_segments ENABLE TRIGGER USER;
         ALTER TABLE scanner.proof_spines ENABLE ALWAYS TRIGGER auditspine_audit, ENABLE ALWAYS TRIGGER auditspine_truncate;
         ALTER TABLE scanner.proof_segments ENABLE ALWAYS TRIGGER auditspine_audit, ENABLE ALWAYS TRIGGER auditspine_truncate",
    );
    let (wrong, seen, alerts) = verify(&mut admin, NEW);
    assert_eq!(
        wrong,
        [
            "rows scanner.proof_segments",
            "rows scanner.proof_spines",
            "spines scanner.proof_spines"
        ]
    );
    assert_eq!(seen, spines - 1);
    let told: Vec<String> = admin
        .query(
            "SELECT concat_ws(' ', n, kind, severity, finding, idx, seq IS NOT NULL) FROM scanner.proof_spine_alerts
             LEFT JOIN victim USING (spine_id) ORDER BY n, kind, finding",
            &[],
        )
        .expect("the alerts")
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert_eq!(
        told,
        [
            "1 audit_chain_break critical row_edited t",
            "2 audit_chain_break critical row_edited t",
            "2 proof_spine_break critical result_not_bound 0 f",
            "2 proof_spine_break critical signature_invalid 0 f",
            "3 audit_chain_break critical row_deleted t",
        ]
    );
    assert_eq!(alerts, told.len() as i64);
    for arguments in [NEW, ""] {
        assert_eq!(verify(&mut admin, arguments).2, 0, "{arguments}");
    }
}
