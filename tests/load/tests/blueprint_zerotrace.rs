//! A day of blueprint `zerotrace`: 1,000 companies, 16 connections, 200,000 findings.

use std::time::Instant;

use auditspine_load::check::{assert_linked, assert_no_rows, assert_verified};
use auditspine_load::server::{Database, run, scalar, turn};
use auditspine_load::zerotrace::{Booked, COMPANIES, company, install, scan, tables};
use postgres::Client;

const CLIENTS: usize = 16;
const FINDINGS: usize = 200_000;

#[test]
fn findings_of_a_thousand_companies() {
    let _turn = turn();
    let (database, mut admin) = install("zerotrace");
    let start = Instant::now();
    let booked = scan(&database, CLIENTS, FINDINGS);
    let sum = |of: fn(&Booked) -> i64| booked.iter().map(of).sum::<i64>();
    let (inserted, updated, deleted) =
        (sum(|b| b.inserted), sum(|b| b.updated), sum(|b| b.deleted));
    println!(
        "{inserted} rows inserted, {updated} changed, {deleted} deleted by {CLIENTS} connections: {:.1} s",
        start.elapsed().as_secs_f64()
    );
    assert_eq!(
        inserted,
        (FINDINGS + COMPANIES) as i64,
        "with an agent each"
    );
    assert!(
        updated > 3_000 && deleted > 500,
        "a day in which things happen"
    );
    run(&mut admin, "ANALYZE");
    timed("entries against what was committed", || {
        assert_events(&mut admin, &booked)
    });
    timed("links, in SQL", || assert_linked(&mut admin));
    timed("links, verified three times", || {
        assert_verified(&mut admin)
    });
    let report = timed("verify_all", || verify_all(&mut admin));
    assert_eq!(report, "", "everything is in order");
    assert_eq!(
        scalar::<i64>(&mut admin, "SELECT rows FROM auditspine.verification"),
        inserted - deleted
    );

    timed("kept apart", || assert_kept_apart(&database, &booked));
    assert_by_index(&database);
    timed("statistics", || assert_statistics(&mut admin));
    timed("tampering", || assert_tampering_is_found(&mut admin));
}

fn timed<T>(what: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    println!("{what}: {:.1} s", start.elapsed().as_secs_f64());
    result
}

/// The parts of `verify_all()` that are not in order.
fn verify_all(admin: &mut Client) -> String {
    scalar(
        admin,
        "SELECT coalesce(string_agg(layer || ' ' || subject || ' ' || findings, ', ' ORDER BY layer, subject), '')
         FROM verify_all() WHERE NOT ok",
    )
}

/// Each company's chain has what was committed for it, and no chain has anything of another.
fn assert_events(admin: &mut Client, booked: &[Booked]) {
    let values: Vec<String> = booked
        .iter()
        .enumerate()
        .map(|(n, b)| {
            format!(
                "('{}', {}, {}, {})",
                company(n),
                b.inserted,
                b.updated,
                b.deleted
            )
        })
        .collect();
    assert_no_rows(
        admin,
        "a company whose entries are not what was committed",
        &format!(
            "SELECT row(b.*, e.*)::text FROM (VALUES {}) b (name, i, u, d) FULL JOIN (
                 SELECT name, count(*) FILTER (WHERE op = 'I') AS i, count(*) FILTER (WHERE op = 'U') AS u,
                        count(*) FILTER (WHERE op = 'D') AS d, count(*) AS n
                 FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id) WHERE op <> 'S' GROUP BY name) e
             USING (name) WHERE (b.i, b.u, b.d, b.i + b.u + b.d) IS DISTINCT FROM (e.i, e.u, e.d, e.n)",
            values.join(", ")
        ),
    );
    assert_no_rows(
        admin,
        "an entry in another company's chain",
        "SELECT seq::text FROM auditspine.audit_chain JOIN auditspine.chain USING (chain_id)
         WHERE op <> 'S' AND event_pk NOT LIKE '[\"' || name || '\",\"%'",
    );
}

/// The application sees in every table what is there of the company that it works for.
fn assert_kept_apart(database: &Database, booked: &[Booked]) {
    let mut app = database.connect();
    run(&mut app, "SET SESSION AUTHORIZATION zerotrace_app");
    let all: String = tables()
        .chain(["agents"])
        .map(|table| format!("SELECT company_id FROM zerotrace.{table}"))
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    let count = format!("SELECT count(*) FROM ({all}) r");
    assert_eq!(scalar::<i64>(&mut app, &count), 0, "without a company");
    for (n, of_company) in booked.iter().enumerate().step_by(37) {
        let id = company(n);
        run(
            &mut app,
            &format!("SELECT zerotrace.set_company_context('{id}')"),
        );
        let rows = of_company.inserted - of_company.deleted;
        assert_eq!(scalar::<i64>(&mut app, &count), rows, "rows of company {n}");
        assert_no_rows(
            &mut app,
            "a row of another company",
            &format!("SELECT company_id::text FROM ({all}) r WHERE company_id <> '{id}'"),
        );
    }
}

/// Queries of the application read one partition, by an index that begins with the company.
fn assert_by_index(database: &Database) {
    let mut app = database.connect();
    run(&mut app, "SET SESSION AUTHORIZATION zerotrace_app");
    run(
        &mut app,
        &format!("SELECT zerotrace.set_company_context('{}')", company(7)),
    );
    for (query, index) in [
        (
            "SELECT * FROM zerotrace.network_findings WHERE severity = 'critical'",
            "company_id_severity_idx",
        ),
        (
            "SELECT * FROM zerotrace.network_findings WHERE created_at < '2026-01-03Z'",
            "company_id_created_at_idx",
        ),
        (
            "SELECT * FROM zerotrace.network_findings_partitioned WHERE status = 'resolved'",
            "company_id_status_idx",
        ),
        (
            "SELECT * FROM zerotrace.network_findings WHERE search @@ to_tsquery('english', 'scanner')",
            "company_id",
        ),
        (
            "UPDATE zerotrace.network_findings SET status = 'open' WHERE severity = 'critical'",
            "company_id_severity_idx",
        ),
        (
            "SELECT * FROM zerotrace.network_security_summary",
            "company_id",
        ),
    ] {
        let plan: Vec<String> = app
            .query(
                &format!("EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) {query}"),
                &[],
            )
            .unwrap_or_else(|e| panic!("{query}\nfailed: {e:?}"))
            .iter()
            .map(|row| row.get::<_, String>(0))
            .filter(|line| {
                line.contains(" on network_findings_partition_") && !line.contains("Update on")
            })
            .collect();
        let shown = plan.join("\n");
        let read: Vec<&String> = plan
            .iter()
            .filter(|l| !l.contains("never executed"))
            .collect();
        assert!(
            plan.len() >= 4,
            "four partitions, by index each: {query}\n{shown}"
        );
        assert!(
            read.len() <= 2,
            "one partition and its index: {query}\n{shown}"
        );
        assert!(
            shown.contains(index) && !shown.contains("Seq Scan"),
            "{query} does not go by {index}:\n{shown}"
        );
    }
}

/// Statistics and heat map of some companies are what plain queries say.
fn assert_statistics(admin: &mut Client) {
    let plain: String = tables()
        .map(|table| {
            let (category, at) = match table {
                "vulnerabilities_v2" => ("category", "discovered_at"),
                _ => ("NULL", "created_at"),
            };
            format!("SELECT '{table}' AS t, company_id, severity, {category} AS category, {at} AS at, risk_score FROM zerotrace.{table}")
        })
        .collect::<Vec<_>>()
        .join(" UNION ALL ");
    let companies: String = (0..COMPANIES)
        .step_by(199)
        .map(|n| format!("('{}'::uuid)", company(n)))
        .collect::<Vec<_>>()
        .join(", ");
    let period = "'2026-01-05Z', '2026-01-15Z'";
    let within = "company_id = id AND at >= '2026-01-05Z' AND at < '2026-01-15Z'";
    run(admin, "SET jit = off");
    let mut nothing_differs = |what: &str, condition: &str| {
        assert_no_rows(
            admin,
            &format!("a company whose {what} is wrong"),
            &format!(
                "WITH f AS MATERIALIZED ({plain}) SELECT id::text FROM (VALUES {companies}) c (id) WHERE {condition}"
            ),
        );
    };
    nothing_differs(
        "row of statistics",
        &format!(
            "(SELECT row(total_vulnerabilities, network_findings_count, web3_findings_count, vulnerabilities_by_severity)::text
              FROM zerotrace.get_security_statistics(id, {period})) IS DISTINCT FROM (
             SELECT row(count(*) FILTER (WHERE t = 'vulnerabilities_v2'), count(*) FILTER (WHERE t = 'network_findings'),
                        count(*) FILTER (WHERE t = 'web3_findings'),
                        (SELECT coalesce(jsonb_object_agg(severity, n), '{{}}') FROM (
                             SELECT severity, count(*) AS n FROM f WHERE t = 'vulnerabilities_v2' AND {within} GROUP BY 1) s))::text
             FROM f WHERE {within})"
        ),
    );
    nothing_differs(
        "heat map",
        &format!(
            "(SELECT jsonb_object_agg(category || severity, count || ' ' || risk_score)
              FROM zerotrace.get_risk_heatmap_data(id, {period})) IS DISTINCT FROM (
             SELECT jsonb_object_agg(category || severity, n || ' ' || risk) FROM (
                 SELECT category, severity, count(*) AS n, round(avg(risk_score), 2) AS risk
                 FROM f WHERE t = 'vulnerabilities_v2' AND {within} GROUP BY 1, 2) p)"
        ),
    );
    nothing_differs(
        "statistics by table",
        &format!(
            "(SELECT row(total, critical, mean_risk, previous_total)::text
              FROM zerotrace.get_table_statistics(id, {period}) WHERE table_name = 'all') IS DISTINCT FROM (
             SELECT row(count(*) FILTER (WHERE at >= '2026-01-05Z'),
                        count(*) FILTER (WHERE at >= '2026-01-05Z' AND severity = 'critical'),
                        round(avg(risk_score) FILTER (WHERE at >= '2026-01-05Z'), 2),
                        count(*) FILTER (WHERE at < '2026-01-05Z'))::text
             FROM f WHERE company_id = id AND at >= '2025-12-26Z' AND at < '2026-01-15Z')"
        ),
    );
    nothing_differs(
        "trend",
        &format!(
            "(SELECT jsonb_object_agg(day || severity, n) FROM (
                  SELECT bucket_at::date AS day, severity, sum(count) AS n
                  FROM zerotrace.get_risk_trend_data(id, {period}) GROUP BY 1, 2) h) IS DISTINCT FROM (
             SELECT jsonb_object_agg(day || severity, n) FROM (
                  SELECT (at AT TIME ZONE 'UTC')::date AS day, severity, count(*) AS n FROM f WHERE {within} GROUP BY 1, 2) p)"
        ),
    );
}

/// One finding is changed behind the trigger's back, and one entry of another company: both are named, nothing else.
fn assert_tampering_is_found(admin: &mut Client) {
    let (row_of, entry_of) = (company(123), company(456));
    run(
        admin,
        &format!(
            "ALTER TABLE zerotrace.agents DISABLE TRIGGER auditspine_audit;
             UPDATE zerotrace.agents SET status = 'retired' WHERE company_id = '{row_of}';
             ALTER TABLE zerotrace.agents ENABLE ALWAYS TRIGGER auditspine_audit;
             ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
             UPDATE auditspine.audit_chain SET actor = 'nobody' WHERE event_pk = '[\"{entry_of}\",\"{entry_of}\"]';
             ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only"
        ),
    );
    assert_eq!(
        verify_all(admin),
        format!("links {entry_of} 1, rows zerotrace.agents 1")
    );
    let alerts: String = scalar(
        admin,
        "SELECT string_agg(concat_ws(' ', finding, chain, pk), '; ' ORDER BY layer) FROM auditspine.alert",
    );
    assert!(
        alerts.contains(&format!(
            "entry_edited {entry_of} [\"{entry_of}\",\"{entry_of}\"]"
        )) && alerts.contains("row_edited")
            && alerts.contains(&format!("[\"{row_of}\",\"{row_of}\"]"))
            && alerts.matches(';').count() == 1,
        "{alerts}"
    );
    assert_eq!(
        scalar::<String>(
            admin,
            "SELECT string_agg(chain, ',') FROM verify_chain() WHERE NOT ok"
        ),
        entry_of
    );
}
