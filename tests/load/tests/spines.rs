//! Builders of spines at the same time: of the same decisions with the same and with other evidence, at each
//! isolation level. Afterwards every decision has one current spine, nothing is lost or counted wrongly, and the
//! audit has all of it; and whoever verifies meanwhile finds nothing. And the schema in a dump: restored, its triggers
//! and its audit go on.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Mutex;

use auditspine_load::check::{assert_no_rows, assert_verified};
use auditspine_load::ledger::{Ledger, Outcome};
use auditspine_load::mix::run_clients;
use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, scalar, sqlstate, turn};
use auditspine_load::session::ISOLATION_LEVELS;
use postgres::Client;

const CLIENTS: i64 = 12;
const BUILDS: u64 = 60;
/// Decisions that all clients build, and pieces of evidence of each.
const HOT: u64 = 4;
const EVIDENCE: u64 = 40;

/// One spine of 1 to 6 segments; evidence decides on the verdict.
const BUILD: &str = "
    CREATE FUNCTION build(artifact text, evidence integer) RETURNS text LANGUAGE sql AS $$
        SELECT create_spine(artifact, 'CVE-1', 'strict',
            (ARRAY['not_affected', 'affected', 'fixed', 'under_investigation'])[1 + evidence % 4], 'run',
            jsonb_agg(jsonb_build_object(
                'segment_type', (ARRAY['SbomSlice', 'Match', 'Reachability', 'GuardAnalysis', 'RuntimeObservation', 'PolicyEval'])[n],
                'input_hash', encode(sha256('in'), 'hex'),
                'result_hash', 'sha256:' || encode(sha256(convert_to(evidence || ' ' || n, 'UTF8')), 'hex'),
                'tool_id', 'tool', 'tool_version', '1',
                'envelope_json', '{\"payloadType\": \"t\", \"payload\": \"\", \"signatures\": [{\"sig\": \"\"}]}'::jsonb) ORDER BY n))
        FROM generate_series(1, 1 + evidence % 6) AS n
    $$";

/// All that must hold of the tables, whoever wrote them.
fn assert_sound(client: &mut Client) {
    assert_no_rows(
        client,
        "a decision without one current spine",
        "SELECT artifact_id FROM scanner.proof_spines GROUP BY artifact_id, vuln_id, policy_profile_id
         HAVING count(*) FILTER (WHERE superseded_by_spine_id IS NULL) <> 1",
    );
    assert_no_rows(
        client,
        "a spine that does not lead to the current one",
        "WITH RECURSIVE older AS (
             SELECT spine_id, artifact_id FROM scanner.proof_spines WHERE superseded_by_spine_id IS NULL
             UNION
             SELECT s.spine_id, s.artifact_id FROM scanner.proof_spines s
             JOIN older o ON s.superseded_by_spine_id = o.spine_id AND s.artifact_id = o.artifact_id)
         SELECT spine_id FROM scanner.proof_spines EXCEPT SELECT spine_id FROM older",
    );
    assert_no_rows(
        client,
        "a spine that is not that of its segments",
        "SELECT s.spine_id FROM scanner.proof_spines s
         LEFT JOIN (SELECT spine_id, count(*) AS segments, max(idx) + 1 AS places, spine_root_hash(result_hash ORDER BY idx) AS root
                    FROM scanner.proof_segments GROUP BY 1) g USING (spine_id)
         WHERE (segment_count, segment_count, root_hash) IS DISTINCT FROM (g.segments, g.places, g.root)
            OR s.spine_id <> spine_id(artifact_id, vuln_id, policy_profile_id, root_hash)",
    );
    assert_no_rows(
        client,
        "a history that is not that of the spines",
        "SELECT spine_id FROM (
             SELECT spine_id, 'created' AS event, NULL AS by FROM scanner.proof_spines
             UNION ALL
             SELECT spine_id, 'superseded', superseded_by_spine_id FROM scanner.proof_spines WHERE superseded_by_spine_id IS NOT NULL) s
         FULL JOIN (SELECT spine_id, action AS event, detail ->> 'superseded_by' AS by FROM scanner.proof_spine_history) h
             USING (spine_id, event)
         WHERE s.by IS DISTINCT FROM h.by OR s.event IS NULL OR h.event IS NULL",
    );
    assert_no_rows(
        client,
        "a finding about the rows",
        "SELECT row(v.*)::text FROM verify_all() v WHERE NOT ok",
    );
    let verified: i64 = scalar(
        client,
        "SELECT count(*) FROM verify_all() WHERE layer = 'rows' AND subject LIKE 'scanner.proof%'",
    );
    assert_eq!(verified, 4);
    assert_verified(client);
}

fn build_at(isolation: &str) {
    let name = format!("spines_{}", isolation.replace(' ', "_"));
    let database = Server::from_env().fresh_database(&name);
    let mut admin = database.connect();
    run(&mut admin, "SELECT create_proof_spine_schema()");
    run(&mut admin, BUILD);
    let built: Mutex<HashSet<String>> = Mutex::default();
    let ledger = run_clients(CLIENTS, |id| {
        let mut client = database.connect();
        run(
            &mut client,
            &format!(
                "SET default_transaction_isolation = '{isolation}'; SET client_min_messages = warning"
            ),
        );
        let mut auditor = (id == 1).then(|| database.connect());
        let mut ledger = Ledger::default();
        let mut rng = Rng::new(id as u64);
        for turn in 0..BUILDS {
            // One snapshot for spines, segments and entries, so none is ever seen half written.
            if let Some(auditor) = auditor.as_mut().filter(|_| turn % 5 == 0) {
                assert_no_rows(
                    auditor,
                    "a spine that is half there, or not as recorded",
                    "SELECT row(v.*)::text FROM verify_spines() v WHERE NOT (root_ok AND ids_ok AND links_ok AND rows_ok)",
                );
            }
            // One decision, or several in an order of their own, so that deadlocks come about.
            let count = if rng.chance(80) { 1 } else { 2 + rng.below(2) };
            let rolled_back = rng.chance(10);
            let outcome = (|| {
                let mut ids = Vec::new();
                let mut transaction = client.transaction()?;
                for _ in 0..count {
                    let own = rng.chance(20);
                    let artifact = if own {
                        format!("own {id} {turn}")
                    } else {
                        format!("hot {}", rng.below(HOT))
                    };
                    let evidence = rng.below(EVIDENCE) as i32;
                    let row =
                        transaction.query_one("SELECT build($1, $2)", &[&artifact, &evidence])?;
                    ids.push(row.get::<_, String>(0));
                }
                if rolled_back {
                    transaction.rollback()?;
                    ids.clear();
                } else {
                    transaction.commit()?;
                }
                Ok::<_, postgres::Error>(ids)
            })();
            match outcome {
                Ok(ids) => {
                    built.lock().expect("no client panics").extend(ids);
                    let outcome = if rolled_back {
                        Outcome::Aborted
                    } else {
                        Outcome::Committed
                    };
                    ledger.end(outcome, vec![]);
                }
                Err(error) => ledger.fail(sqlstate(&error), Outcome::Aborted, vec![]),
            }
        }
        ledger
    });
    println!("{isolation}: {ledger}");
    let allowed: &[&str] = if isolation == "read committed" {
        &["40P01"]
    } else {
        &["40P01", "40001"]
    };
    assert_eq!(
        ledger.failed_with(allowed),
        ledger.failures.values().sum::<u64>(),
        "{ledger}"
    );
    if isolation == "read committed" {
        // Those who build one decision a transaction wait, and nothing else.
        assert!(ledger.commits > CLIENTS as u64 * BUILDS / 2, "{ledger}");
    }
    let built = built.into_inner().expect("no client panics");
    let spines: i64 = scalar(&mut admin, "SELECT count(*) FROM scanner.proof_spines");
    assert_eq!(spines as usize, built.len());
    let superseded: i64 = scalar(
        &mut admin,
        "SELECT count(superseded_by_spine_id) FROM scanner.proof_spines",
    );
    println!("{spines} spines, {superseded} superseded");
    assert!(superseded > 0);
    assert_sound(&mut admin);
}

#[test]
fn builders_at_the_same_time() {
    let _turn = turn();
    for isolation in ISOLATION_LEVELS {
        build_at(isolation);
    }
}

/// More spines in one transaction than PostgreSQL's lock table has room for.
#[test]
fn many_spines_in_one_transaction() {
    let _turn = turn();
    let mut client = Server::from_env().fresh_database("spines_many").connect();
    run(&mut client, "SELECT create_proof_spine_schema()");
    run(&mut client, BUILD);
    let start = std::time::Instant::now();
    run(
        &mut client,
        "SELECT count(build('artifact ' || n, n)) FROM generate_series(1, 10000) AS n",
    );
    println!("10,000 spines: {:.1} s", start.elapsed().as_secs_f64());
    assert_sound(&mut client);
}

const SOURCE: &str = "spines_source";
const TARGET: &str = "spines_target";

const SCHEMA: &str = "
    SELECT string_agg(definition, E'\\n' ORDER BY definition) FROM (
        SELECT format('%s %s %s', tgrelid::regclass, tgenabled, pg_get_triggerdef(oid)) AS definition
        FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'scanner.%'
        UNION ALL
        SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'scanner'::regnamespace
        UNION ALL
        SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid::regclass::text LIKE 'scanner.%'
        UNION ALL
        SELECT format('%s %s %s', objoid::regclass, objsubid, description) FROM pg_description
        WHERE classoid = 'pg_class'::regclass AND objoid::regclass::text LIKE 'scanner.%') AS d";
const SPINES: &str = "
    SELECT md5(string_agg(row(s.*)::text, '' ORDER BY spine_id)) || ' '
           || (SELECT md5(string_agg(row(g.*)::text, '' ORDER BY segment_id)) FROM scanner.proof_segments g) || ' '
           || (SELECT md5(string_agg(row(h.*)::text, '' ORDER BY history_id)) FROM scanner.proof_spine_history h)
    FROM scanner.proof_spines s";

fn expect_success(output: &Output) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && errors.is_empty(), "{errors}");
}

fn check_target(server: &Server, how: &str, schema: &str, spines: &str) {
    println!("{how}");
    let mut target = server.database(TARGET).connect();
    assert_eq!(scalar::<String>(&mut target, SCHEMA), schema, "{how}");
    assert_eq!(scalar::<String>(&mut target, SPINES), spines, "{how}");
    assert_sound(&mut target);
    let answer: String = scalar(&mut target, "SELECT create_proof_spine_schema()");
    assert_eq!(answer, "unchanged");
    run(
        &mut target,
        "SELECT build('artifact ' || n, n + 1) FROM generate_series(1, 20) AS n;
         SELECT build('artifact 30', 30)",
    );
    // A spine that has a history stays.
    let gone =
        target.batch_execute("DELETE FROM scanner.proof_spines WHERE artifact_id = 'artifact 30'");
    let error = gone.expect_err("a spine that is gone");
    assert_eq!(sqlstate(&error), "23503", "{how}");
    assert_no_rows(
        &mut target,
        "a spine that was not superseded",
        "SELECT artifact_id FROM scanner.proof_spines WHERE artifact_id IN ('artifact 1', 'artifact 20')
         GROUP BY 1 HAVING count(*) <> 2",
    );
    let created: i64 = scalar(
        &mut target,
        "SELECT count(*) FROM scanner.proof_spine_history WHERE detail ->> 'artifact_id' = 'artifact 30'",
    );
    assert_eq!(created, 1, "{how}");
    let broken = target.batch_execute(
        "UPDATE scanner.proof_segments SET result_hash = repeat('0', 64) WHERE idx = 0",
    );
    let error = broken.expect_err("a root that is not that of the segments");
    assert_eq!(sqlstate(&error), "23514", "{how}");
    assert_no_rows(
        &mut target,
        "a finding",
        "SELECT row(v.*)::text FROM verify_all() v WHERE NOT ok",
    );
}

#[test]
fn the_schema_is_restored() {
    let _turn = turn();
    let server = Server::from_env();
    let mut source = server.fresh_database(SOURCE).connect();
    run(
        &mut source,
        "SELECT create_proof_spine_schema(); SELECT scanner.enforce_spine_rules()",
    );
    run(&mut source, BUILD);
    run(
        &mut source,
        "SELECT build('artifact ' || n, n) FROM generate_series(1, 50) AS n;
         SELECT build('artifact ' || n, n + 2) FROM generate_series(40, 50) AS n",
    );
    let (schema, spines): (String, String) =
        (scalar(&mut source, SCHEMA), scalar(&mut source, SPINES));
    let pg_dump = |arguments: &[&str]| {
        let output = server
            .program("pg_dump")
            .args(arguments)
            .arg(SOURCE)
            .output()
            .expect("pg_dump");
        expect_success(&output);
        output.stdout
    };

    let plain = pg_dump(&[]);
    server.empty_database(TARGET);
    let mut psql = server
        .program("psql")
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", TARGET])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("psql");
    let mut input = psql.stdin.take().expect("a pipe");
    input.write_all(&plain).expect("psql reads the dump");
    drop(input);
    expect_success(&psql.wait_with_output().expect("psql"));
    check_target(&server, "plain", &schema, &spines);

    let custom = Path::new(env!("CARGO_TARGET_TMPDIR")).join("spines.dump");
    let custom = custom.to_str().expect("a path in UTF-8");
    pg_dump(&["--format=custom", "--file", custom]);
    server.empty_database(TARGET);
    let output = server
        .program("pg_restore")
        .args(["--exit-on-error", "--jobs=2", "--dbname", TARGET, custom])
        .output()
        .expect("pg_restore");
    expect_success(&output);
    check_target(&server, "custom, two jobs", &schema, &spines);
}
