//! A day in blueprint `stellaops`: real advisories come in from several sides at once, issuers speak and take back,
//! the consensus is computed by everybody, exceptions are approved, policies run; then somebody who owns the database
//! tampers with the evidence, and exactly that is found.

use std::fs;
use std::time::Instant;

use auditspine_load::check::{assert_no_rows, assert_verified};
use auditspine_load::ledger::Ledger;
use auditspine_load::mix::run_clients;
use auditspine_load::rng::Rng;
use auditspine_load::server::{Database, Server, run, scalar, sqlstate, turn};
use postgres::Client;

const ADVISORIES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../../shared/data/osv-advisories.jsonl"
);
const CLIENTS: i64 = 8;
const BRINGERS: i64 = 3;
const EXCEPTIONS: i64 = 50;
const TENANT: &str = "00000000-0000-4000-8000-00000000000a";
const BASE: &str = "00000000-0000-4000-8000-0000000000b1";
const STRICT: &str = "00000000-0000-4000-8000-0000000000b2";
const APPROVERS: [(&str, &str); 4] = [
    ("ann", "approver"),
    ("ben", "approver"),
    ("sue", "security"),
    ("olga", "owner"),
];

/// Runs `work` on a connection of its own for the numbers below `clients`, and adds up what it answers.
fn together(
    database: &Database,
    clients: i64,
    work: impl Fn(i64, &mut Client) -> i64 + Sync,
) -> i64 {
    let ledger = run_clients(clients, |id| Ledger {
        commits: work(id, &mut database.connect()) as u64,
        ..Ledger::default()
    });
    ledger.commits as i64
}

/// Numbers in an order of the client's own.
fn shuffled(id: i64, numbers: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut rng = Rng::new(id as u64 + 1);
    let mut order: Vec<usize> = numbers.collect();
    order.sort_by_cached_key(|_| rng.next_u64());
    order
}

/// What a client brings of `count` things, in an order of its own: each is brought by `BRINGERS`.
fn brought(id: i64, count: usize) -> Vec<usize> {
    shuffled(id, (0..count).filter(|n| brings(id, *n)))
}

fn brings(id: i64, n: usize) -> bool {
    (n as i64 + id) % CLIENTS < BRINGERS
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let answer = work();
    println!("{what}: {:.1} s", start.elapsed().as_secs_f64());
    answer
}

/// Every advisory is brought by several, in an order of their own; then a correction of every fifth, the same from all;
/// then one of every fiftieth, from each another.
fn bring_advisories(database: &Database, admin: &mut Client, lines: &[&str]) {
    let add = |client: &mut Client, document: &str| -> i64 {
        let query = "SELECT added::int::bigint FROM vuln.add_advisory('OSV', $1::text::jsonb, fetched_from => 'https://osv.example')";
        let row = client.query_one(query, &[&document]);
        row.expect("an advisory that is added").get(0)
    };
    let corrected = |line: &str, by: &str| {
        let (first, rest) = line.split_at(1);
        format!("{first}\"corrected\":\"{by}\",{rest}")
    };
    let each = |every: usize, document: &(dyn Fn(i64, &str) -> String + Sync)| {
        together(database, CLIENTS, |id, client| {
            let chosen = brought(id, lines.len())
                .into_iter()
                .filter(|n| n % every == 0);
            chosen.map(|n| add(client, &document(id, lines[n]))).sum()
        })
    };
    let of = |every: usize| lines.len().div_ceil(every) as i64;
    assert_eq!(each(1, &|_, line| line.to_owned()), of(1));
    assert_eq!(each(5, &|_, line| corrected(line, "source")), of(5));
    assert_eq!(
        each(50, &|id, line| corrected(line, &id.to_string())),
        of(50) * BRINGERS
    );
    assert_no_rows(
        admin,
        "an advisory whose revisions have a gap, or too many",
        &format!(
            "SELECT advisory_id FROM vuln.advisory_raw GROUP BY advisory_id
             HAVING max(revision) <> count(*) OR min(revision) <> 1 OR count(*) NOT IN (1, 2, {})",
            BRINGERS + 2
        ),
    );
    assert_no_rows(
        admin,
        "a document that is not the one that came in, or has another hash",
        "SELECT coalesce(a.advisory_id, b.d ->> 'id') FROM brought AS b
         FULL JOIN (SELECT * FROM vuln.advisory_raw WHERE revision = 1) AS a ON a.advisory_id = b.d ->> 'id'
         WHERE a.raw_document IS DISTINCT FROM b.d OR a.source <> 'OSV'
            OR a.published_at IS DISTINCT FROM (b.d ->> 'published')::timestamptz
            OR a.content_hash <> 'sha256:' || encode(sha256(convert_to(canonical_json(b.d), 'UTF8')), 'hex')",
    );
}

/// Linksets and observations; then statements, as issuers make them, of which `round` 2 corrects some.
const DERIVE: &str = include_str!("blueprint_stellaops/derive.sql");

/// Every statement of a round is brought by several, who compute the consensus it is part of in the same
/// transaction.
fn speak(database: &Database, admin: &mut Client, round: i32) -> i64 {
    let rows = admin
        .query("SELECT issuer_id, document::text, component_purl, vulnerability_id FROM said WHERE round = $1 ORDER BY component_purl, vulnerability_id, n", &[&round])
        .expect("statements");
    let said: Vec<[String; 4]> = rows
        .iter()
        .map(|row| [0, 1, 2, 3].map(|n| row.get(n)))
        .collect();
    let added = together(database, CLIENTS, |id, client| {
        let one = |client: &mut Client,
                   [issuer, document, component, vulnerability]: &[String; 4]| {
            let mut transaction = client.transaction()?;
            let add = "SELECT added::int::bigint FROM vex.add_statement($1, $2::text::jsonb)";
            let added: i64 = transaction.query_one(add, &[issuer, document])?.get(0);
            if added > 0 {
                let compute = "SELECT vex.recompute_consensus($1, $2)";
                transaction.execute(compute, &[component, vulnerability])?;
            }
            transaction.commit().map(|()| added)
        };
        // In one order, so that those on one pair are brought at the same time.
        (0..said.len())
            .filter(|n| brings(id, *n))
            .map(|n| one(client, &said[n]).expect("a statement that is added"))
            .sum()
    });
    assert_eq!(added, said.len() as i64);
    added
}

/// Every pair that somebody trusted speaks of has the answer that its statements give, and no other pair has one.
fn assert_consensus(admin: &mut Client) {
    assert_no_rows(
        admin,
        "a consensus that is not that of its statements",
        "SELECT row(p.*)::text FROM (SELECT DISTINCT component_purl, vulnerability_id FROM said) AS p
         LEFT JOIN LATERAL vex.consensus_of(p.component_purl, p.vulnerability_id) AS n ON true
         FULL JOIN vex.consensus AS c ON (c.component_purl, c.vulnerability_id) = (p.component_purl, p.vulnerability_id)
         WHERE to_jsonb(c) - 'computed_at' IS DISTINCT FROM to_jsonb(n) - 'computed_at'",
    );
}

fn entries(admin: &mut Client) -> i64 {
    scalar(admin, "SELECT count(*) FROM auditspine.audit_chain")
}

/// Everybody computes everything again: the same answers, and no event. Then the same statements in the opposite order,
/// by one session, in another installation: the same answers.
fn recompute(database: &Database, admin: &mut Client) {
    let before = entries(admin);
    let pairs: i64 = scalar(admin, "SELECT count(*) FROM vex.consensus");
    let conflicts: i64 = scalar(
        admin,
        "SELECT count(*) FROM vex.consensus WHERE conflict_detected",
    );
    assert!(conflicts > 50 && conflicts < pairs, "{conflicts} {pairs}");
    together(database, 4, |id, client| {
        let list = "SELECT component_purl, vulnerability_id, inputs_hash FROM vex.consensus ORDER BY sha256(convert_to(component_purl || $1::bigint, 'UTF8'))";
        let rows = client.query(list, &[&id]);
        for row in rows.expect("pairs") {
            let (component, vulnerability, hash): (String, String, String) =
                (row.get(0), row.get(1), row.get(2));
            let again = client.query_one(
                "SELECT (vex.recompute_consensus($1, $2)).inputs_hash",
                &[&component, &vulnerability],
            );
            assert_eq!(again.expect("a consensus").get::<_, String>(0), hash);
        }
        0
    });
    assert_eq!(entries(admin), before);
    run(
        admin,
        "SELECT install_blueprint('stellaops', 'again');
         INSERT INTO again_vex.issuer_trust SELECT * FROM vex.issuer_trust;
         SELECT count(s.added) FROM (SELECT * FROM said ORDER BY round, n DESC) AS o CROSS JOIN LATERAL again_vex.add_statement(issuer_id, document) AS s;
         SELECT again_vex.recompute_consensus(component_purl, vulnerability_id) FROM (SELECT DISTINCT component_purl, vulnerability_id FROM said) AS p",
    );
    assert_no_rows(
        admin,
        "an answer that depends on the order",
        // Rows of statements have ids of their own in each installation; how many contributed is the same.
        "SELECT component_purl FROM vex.consensus AS a FULL JOIN again_vex.consensus AS b USING (component_purl, vulnerability_id)
         WHERE to_jsonb(a) - '{computed_at,contributing_vex_ids}'::text[] IS DISTINCT FROM to_jsonb(b) - '{computed_at,contributing_vex_ids}'::text[]
            OR cardinality(a.contributing_vex_ids) <> cardinality(b.contributing_vex_ids)",
    );
}

/// Exceptions of every level for components that are affected; four approvers decide at the same time, then each tries
/// to put them into effect.
fn approve_exceptions(database: &Database, admin: &mut Client) {
    run(
        admin,
        &format!(
            "INSERT INTO authority.clients (tenant_id, name, scopes) SELECT '{TENANT}', v.* FROM (VALUES ('rita', '{{}}'::text[]),
                 ('ann', '{{exception:approver}}'), ('ben', '{{exception:approver}}'), ('sue', '{{exception:security}}'), ('olga', '{{exception:owner}}')) AS v;
             INSERT INTO policy.policies (policy_id, tenant_id, name, compiled_ir) VALUES
                 ('{BASE}', '{TENANT}', 'Base', '{{\"affected\": \"warn\"}}'),
                 ('{STRICT}', '{TENANT}', 'Strict', '{{\"affected\": \"block\", \"under_investigation\": \"warn\"}}');
             UPDATE policy.policies SET state = 'SHADOW'; UPDATE policy.policies SET state = 'ACTIVE';
             INSERT INTO policy.exceptions (tenant_id, policy_id, vulnerability_id, component_purl, effect, approval_level, created_by, reason, expires_at)
             SELECT '{TENANT}', '{STRICT}', vulnerability_id, component_purl, 'suppress', 'G' || n % 5, 'rita', 'not reachable', '2100-01-01'
             FROM (SELECT *, row_number() OVER (ORDER BY component_purl, vulnerability_id) AS n FROM vex.consensus WHERE resolved_status = 'affected') AS c WHERE n <= {EXCEPTIONS}"
        ),
    );
    let refused = together(database, APPROVERS.len() as i64, |id, client| {
        let (name, capacity) = APPROVERS[id as usize];
        let rows = client.query(
            "SELECT exception_id::text FROM policy.exceptions ORDER BY 1",
            &[],
        );
        let ids: Vec<String> = rows
            .expect("exceptions")
            .iter()
            .map(|row| row.get(0))
            .collect();
        let mut refused = 0;
        for n in shuffled(id, 0..ids.len()) {
            let approve = "INSERT INTO policy.exception_approval_audit (exception_id, approver_id, capacity, decision) VALUES ($1::text::uuid, $2, $3, 'approve')";
            client
                .execute(approve, &[&ids[n], &name, &capacity])
                .expect("an approval");
            let activate = "UPDATE policy.exceptions SET exception_state = 'effective' WHERE exception_id = $1::text::uuid";
            match client.execute(activate, &[&ids[n]]) {
                Ok(count) => assert_eq!(count, 1),
                Err(error) => {
                    assert_eq!(sqlstate(&error), "23514", "{error:?}");
                    refused += 1;
                }
            }
        }
        refused
    });
    println!("{EXCEPTIONS} exceptions, {refused} times refused");
    assert!(refused > 0);
    // Whoever decides last on an exception finds all that it takes.
    assert_no_rows(
        admin,
        "an exception that is not in effect on four decisions",
        "SELECT e.exception_id::text FROM policy.exceptions AS e LEFT JOIN policy.exception_approval_audit AS a USING (exception_id)
         GROUP BY e.exception_id HAVING e.exception_state <> 'effective' OR e.decisions <> 4 OR array_agg(a.decision_no ORDER BY a.decision_no) <> '{1,2,3,4}'",
    );
}

const EVALUATE: &str = include_str!("blueprint_stellaops/evaluate.sql");

/// Everybody runs both policies and writes a share of the findings; again after an exception was taken back.
fn run_policies(database: &Database, admin: &mut Client) {
    run(admin, EVALUATE);
    let made = together(database, CLIENTS, |_, client| {
        scalar(
            client,
            &format!(
                "SELECT count(DISTINCT t) FROM (VALUES (policy.create_effective_finding('{BASE}')), (policy.create_effective_finding('{STRICT}'))) AS v (t)"
            ),
        )
    });
    assert_eq!(made, 2 * CLIENTS);
    let everybody = || {
        together(database, 4, |id, client| {
            [BASE, STRICT]
                .map(|policy| {
                    let query = "SELECT publish($1::text::uuid, evaluate($1::text::uuid), $2, 4)";
                    let row = client.query_one(query, &[&policy, &(id as i32)]);
                    row.expect("findings").get::<_, i64>(0)
                })
                .iter()
                .sum()
        })
    };
    let pairs: i64 = scalar(admin, "SELECT count(*) FROM vex.consensus");
    assert_eq!(everybody(), 2 * pairs);
    let passed: i64 = scalar(
        admin,
        &format!(
            "SELECT count(*) FROM policy.\"effective_finding_{STRICT}\" WHERE status = 'affected' AND action = 'pass' AND exception_id IS NOT NULL"
        ),
    );
    assert_eq!(passed, EXCEPTIONS);
    run(
        admin,
        "INSERT INTO policy.exception_approval_audit (exception_id, approver_id, capacity, decision)
         SELECT exception_id, 'sue', 'security', 'reject' FROM policy.exceptions ORDER BY component_purl, vulnerability_id LIMIT 1",
    );
    assert_eq!(everybody(), 1);
    let told: String = scalar(
        admin,
        "SELECT count(*) || ' runs, ' || count(DISTINCT determinism_hash) || ' outcomes, ' || (SELECT count(*) FROM policy.undetermined_runs) FROM policy.policy_runs",
    );
    // The inputs of both policies are the same, and change once.
    assert_eq!(told, "16 runs, 4 outcomes, 0");
    for table in [BASE, STRICT].map(|policy| format!("effective_finding_{policy}")) {
        assert_no_rows(
            admin,
            "a history that does not end with the finding as it is, or has another number of versions than there were events",
            &format!(
                "SELECT component_purl FROM policy.\"{table}\" AS f
                 FULL JOIN (SELECT DISTINCT ON (component_purl, vulnerability_id) * FROM policy.\"{table}_history\"
                            ORDER BY component_purl, vulnerability_id, version_id DESC) AS h USING (component_purl, vulnerability_id)
                 WHERE (f.action, f.exception_id, f.run_id) IS DISTINCT FROM (h.action, h.exception_id, h.run_id)
                 UNION ALL SELECT event_kind FROM auditspine.audit_chain WHERE event_kind = 'policy.{table}' GROUP BY 1
                 HAVING count(*) <> (SELECT count(*) FROM policy.\"{table}_history\")"
            ),
        );
    }
}

const TAMPER: &str = include_str!("blueprint_stellaops/tamper.sql");

fn tamper(admin: &mut Client, table: &str, change: &str) {
    let command = format!("SELECT tamper('{table}', $change${change}$change$)");
    run(admin, &command);
}

#[test]
fn a_day_in_stellaops() {
    let Ok(advisories) = fs::read_to_string(ADVISORIES) else {
        println!("skipped: ../shared/data/osv-advisories.jsonl is not there");
        return;
    };
    let lines: Vec<&str> = advisories.lines().collect();
    let _turn = turn();
    let database = Server::from_env().fresh_database("blueprint_stellaops");
    let mut admin = database.connect();
    run(&mut admin, TAMPER);
    run(&mut admin, "SELECT install_blueprint('stellaops')");
    run(&mut admin, "CREATE TABLE brought (d jsonb)");
    let bring = "INSERT INTO brought SELECT unnest($1::text[])::jsonb";
    admin.execute(bring, &[&lines]).expect("lines");
    let applied = together(&database, CLIENTS, |_, client| {
        scalar(
            client,
            "SELECT authority.apply_migration('vuln', 1, 'by time', 'CREATE INDEX advisory_raw_created_idx ON vuln.advisory_raw (created_at)')::int::bigint",
        )
    });
    assert_eq!(applied, 1);
    timed("advisories", || {
        bring_advisories(&database, &mut admin, &lines)
    });
    timed("linksets and observations", || run(&mut admin, DERIVE));
    let said = timed("statements", || {
        speak(&database, &mut admin, 1) + speak(&database, &mut admin, 2)
    });
    assert_consensus(&mut admin);
    timed("consensus again", || recompute(&database, &mut admin));
    timed("exceptions", || approve_exceptions(&database, &mut admin));
    timed("policies", || run_policies(&database, &mut admin));
    let rows: i64 = timed("verify_all", || {
        assert_no_rows(
            &mut admin,
            "a finding",
            "SELECT row(v.*)::text FROM verify_all() AS v WHERE NOT ok",
        );
        scalar(&mut admin, "SELECT max(rows) FROM auditspine.verification")
    });
    println!(
        "{said} statements, {rows} rows verified, {} entries",
        entries(&mut admin)
    );

    tamper(
        &mut admin,
        "vuln.advisory_raw",
        "UPDATE vuln.advisory_raw SET raw_document = raw_document || '{\"summary\": \"harmless\"}' WHERE advisory_id = 'GO-2020-0001' AND revision = 1",
    );
    tamper(
        &mut admin,
        "vex.vex_raw",
        "DELETE FROM vex.vex_raw WHERE raw_id = (SELECT raw_id FROM vex.vex_raw WHERE issuer_id = 'vendor' ORDER BY statement_id, statement_revision LIMIT 1)",
    );
    tamper(&mut admin, "policy.exception_approval_audit", "INSERT INTO policy.exception_approval_audit (audit_id, exception_id, decision_no, approver_id, capacity, decision, terms_hash)
        SELECT '00000000-0000-4000-8000-000000000009', exception_id, 9, 'sue', 'security', 'approve', policy.terms_hash(e) FROM policy.exceptions AS e ORDER BY component_purl, vulnerability_id LIMIT 1");
    tamper(
        &mut admin,
        "vuln.schema_migrations",
        "UPDATE vuln.schema_migrations SET checksum = repeat('0', 64) WHERE version = 1",
    );
    run(&mut admin, "SELECT verify_all(); SELECT verify_all()");
    let found: String = scalar(
        &mut admin,
        "SELECT string_agg(layer || ' ' || event_kind || ' ' || finding, ', ' ORDER BY event_kind) FROM auditspine.alert",
    );
    assert_eq!(
        found,
        "rows policy.exception_approval_audit row_unrecorded, rows vex.vex_raw row_deleted, \
         rows vuln.advisory_raw row_edited, rows vuln.schema_migrations row_edited"
    );
    assert_no_rows(
        &mut admin,
        "an alert about another row",
        "SELECT pk FROM auditspine.alert WHERE NOT CASE event_kind
             WHEN 'vuln.schema_migrations' THEN pk = '1'
             WHEN 'policy.exception_approval_audit' THEN pk = '00000000-0000-4000-8000-000000000009'
             WHEN 'vuln.advisory_raw' THEN EXISTS (SELECT FROM vuln.advisory_raw WHERE raw_id::text = pk AND advisory_id = 'GO-2020-0001' AND revision = 1)
             WHEN 'vex.vex_raw' THEN EXISTS (SELECT FROM auditspine.audit_chain AS e WHERE e.event_kind = 'vex.vex_raw' AND e.event_pk = pk AND e.payload ->> 'issuer_id' = 'vendor') END",
    );
    assert_verified(&mut admin);
}
