//! Blueprint `zerotrace` under load: companies, their application's role, batches of findings.

use std::thread;

use postgres::{Client, Error, Statement};

use crate::rng::Rng;
use crate::server::{Database, Server, run};

/// How many companies there are.
pub const COMPANIES: usize = 1_000;

/// Findings in a batch, which is what a scanner reports in one transaction.
pub const BATCH: usize = 50;

/// Tables of findings, two of the categories that they know, and what only they have: columns, and a value for row `g`.
const TABLES: [(&str, [&str; 2], &str, &str); 12] = [
    (
        "vulnerabilities_v2",
        ["injection", "memory_safety"],
        "vulnerability_type, cve_id, cvss, package_name, exploit_available, \"references\"",
        "'dependency', 'CVE-2026-' || 10000 + g % 5000, g % 101 / 10.0, 'library-' || g % 300, g % 9 = 0,
         jsonb_build_array('https://example.com/advisories/' || g)",
    ),
    (
        "system_vulnerabilities",
        ["missing_patch", "weak_permissions"],
        "hostname, os_type, component, patch_available",
        "'host-' || g % 40, 'linux', 'package-' || g % 200, g % 3 = 0",
    ),
    (
        "network_findings",
        ["exposure", "firewall"],
        "finding_type, host, port, protocol, service, internet_facing",
        "'open_port', '10.0.0.' || g % 255, 1 + g % 65535, 'tcp', 'service-' || g % 20, g % 5 = 0",
    ),
    (
        "container_findings",
        ["secret", "privileges"],
        "image, image_digest, runtime_type, privileged",
        "'registry/app-' || g % 50, 'sha256:' || encode(sha256(int8send(g)), 'hex'), 'containerd', g % 7 = 0",
    ),
    (
        "auth_findings",
        ["missing_mfa", "stale_account"],
        "auth_type, account, mfa_enabled",
        "'oidc', 'user-' || g % 500, g % 2 = 0",
    ),
    (
        "database_findings",
        ["exposure", "backup"],
        "database_type, host, port, \"user\"",
        "'postgresql', 'db-' || g % 9, 5432, 'app'",
    ),
    (
        "api_findings",
        ["authentication", "ssrf"],
        "api_type, endpoint, method, response_status",
        "'rest', '/v1/resource/' || g % 77, 'POST', 200 + g % 300",
    ),
    (
        "ai_ml_findings",
        ["prompt_injection", "evasion"],
        "model_name, model_type, framework, success_rate",
        "'model-' || g % 5, 'llm', 'pytorch', g % 100 / 100.0",
    ),
    (
        "compliance_checks",
        ["logging", "network"],
        "status, framework, control_id, check_type, evidence",
        "CASE g % 3 WHEN 0 THEN 'fail' ELSE 'pass' END, (ARRAY['CIS', 'PCI-DSS', 'SOC2'])[1 + g % 3], 'c' || g % 30,
         'automated', jsonb_build_object('seen', g)",
    ),
    (
        "privacy_findings",
        ["data_breach", "missing_consent"],
        "framework, data_type, data_location, data_subjects",
        "'GDPR', 'pii', 'bucket-' || g % 12, g % 10000",
    ),
    (
        "iot_ot_findings",
        ["physical", "exposure"],
        "device_type, protocol, vendor, purdue_level",
        "'plc', 'modbus', 'vendor-' || g % 6, 1",
    ),
    (
        "web3_findings",
        ["logic", "reentrancy"],
        "chain_type, contract_type, contract_address, value_at_risk_usd",
        "'ethereum', 'dex', '0x' || left(md5(g::text) || md5(g::text), 40), g * 1.5",
    ),
];

/// Names of the twelve tables of findings.
pub fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|(name, ..)| *name)
}

/// The id of company number `n`, which is also its chain's name.
pub fn company(n: usize) -> String {
    format!("{n:08x}-c0de-4000-8000-{n:012x}")
}

/// Makes database `name` anew with the blueprint in it, and the role that its application has.
///
/// # Panics
/// If a statement fails.
pub fn install(name: &str) -> (Database, Client) {
    let database = Server::from_env().fresh_database(name);
    let mut admin = database.connect();
    run(&mut admin, "SELECT install_blueprint('zerotrace')");
    // Roles belong to the whole server: one may be there from a run before.
    run(
        &mut admin,
        "DO $$ BEGIN CREATE ROLE zerotrace_app; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
         SELECT zerotrace.grant_application('zerotrace_app')",
    );
    (database, admin)
}

/// What was committed for one company.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Booked {
    /// Rows inserted, of findings and agents.
    pub inserted: i64,
    /// Rows changed, by updates that change something.
    pub updated: i64,
    /// Rows deleted.
    pub deleted: i64,
}

/// Has `clients` connections report `findings` of all companies, and answers what was committed for each.
///
/// # Panics
/// If a statement fails.
pub fn scan(database: &Database, clients: usize, findings: usize) -> Vec<Booked> {
    let batches = findings / BATCH / clients;
    let mut all = vec![Booked::default(); COMPANIES];
    thread::scope(|scope| {
        let threads: Vec<_> = (0..clients)
            .map(|id| {
                scope.spawn(move || {
                    let mut scanner = Scanner::connect(database, id);
                    // Each company is visited by several clients, and as often as the others.
                    for n in id * batches..(id + 1) * batches {
                        scanner.visit(n * 7_919 % COMPANIES, n);
                    }
                    scanner.booked
                })
            })
            .collect();
        for thread in threads {
            let booked = thread.join().expect("a client that ends in order");
            for (sum, of_client) in all.iter_mut().zip(booked) {
                sum.inserted += of_client.inserted;
                sum.updated += of_client.updated;
                sum.deleted += of_client.deleted;
            }
        }
    });
    all
}

struct Scanner {
    conn: Client,
    rng: Rng,
    context: Statement,
    agent: Statement,
    alive: Statement,
    /// By table: a batch is reported; some of it is resolved; some of it is withdrawn.
    report: Vec<[Statement; 3]>,
    booked: Vec<Booked>,
}

impl Scanner {
    fn connect(database: &Database, id: usize) -> Scanner {
        let mut conn = database.connect();
        run(&mut conn, "SET SESSION AUTHORIZATION zerotrace_app");
        let mut prepare = |text: &str| {
            conn.prepare(text)
                .unwrap_or_else(|e| panic!("{text}\nfailed: {e:?}"))
        };
        let context =
            prepare("SELECT zerotrace.set_company_context($1::text::uuid, local => true)");
        let agent = prepare(
            "INSERT INTO zerotrace.agents (id, name, agent_type, version)
             VALUES (zerotrace.current_company_id(), 'scanner', 'host', '1.0') ON CONFLICT DO NOTHING",
        );
        let alive = prepare("UPDATE zerotrace.agents SET last_seen_at = clock_timestamp()");
        let report = TABLES
            .iter()
            .map(|(table, [one, other], columns, values)| {
                let ids = "SELECT md5($1::bigint || ' ' || g)::uuid FROM generate_series(1, $2::bigint) g";
                [
                    prepare(&format!(
                        "INSERT INTO zerotrace.{table} (id, agent_id, title, description, severity, category, risk_score,
                                                        detected_at, {columns})
                         SELECT md5($1::bigint || ' ' || g)::uuid, zerotrace.current_company_id(), 'Finding ' || g || ' of batch ' || $1,
                                'Seen by scanner on asset ' || g % 17 || ': {one} and what follows from it',
                                (ARRAY['critical', 'high', 'medium', 'low', 'info'])[1 + g % 5],
                                CASE g % 2 WHEN 0 THEN '{one}' ELSE '{other}' END, g % 101 / 10.0,
                                timestamptz '2026-01-01Z' + ($1 + g) % 40000 * interval '1 min', {values}
                         FROM generate_series(1, $2::bigint) g
                         ON CONFLICT (company_id, id) DO UPDATE SET title = excluded.title, severity = excluded.severity,
                                                                    risk_score = excluded.risk_score"
                    )),
                    prepare(&format!(
                        "UPDATE zerotrace.{table} SET risk_score = 0.5, resolved_at = detected_at + interval '1 day' WHERE id IN ({ids})"
                    )),
                    prepare(&format!("DELETE FROM zerotrace.{table} WHERE id IN ({ids})")),
                ]
            })
            .collect();
        Scanner {
            rng: Rng::new(id as u64),
            context,
            agent,
            alive,
            report,
            booked: vec![Booked::default(); COMPANIES],
            conn,
        }
    }

    /// One transaction for one company; one in twelve is rolled back and begun again.
    fn visit(&mut self, company_number: usize, batch: usize) {
        while !self
            .try_visit(company_number, batch)
            .unwrap_or_else(|e| panic!("batch {batch} failed: {e:?}"))
        {}
    }

    fn try_visit(&mut self, company_number: usize, batch: usize) -> Result<bool, Error> {
        let mut now = Booked::default();
        let (rng, batch, all) = (&mut self.rng, batch as i64, BATCH as i64);
        let [report, resolve, withdraw] = &self.report[rng.below(TABLES.len() as u64) as usize];
        let mut tx = self.conn.transaction()?;
        tx.execute(&self.context, &[&company(company_number)])?;
        now.inserted += tx.execute(&self.agent, &[])? as i64;
        // A sign of life of the one agent that the company has; no event.
        tx.execute(&self.alive, &[])?;
        now.inserted += tx.execute(report, &[&batch, &all])? as i64;
        if rng.chance(30) {
            now.updated += tx.execute(resolve, &[&batch, &5_i64])? as i64;
        } else if rng.chance(30) {
            // Reported once more, as it was: no event.
            tx.execute(report, &[&batch, &all])?;
        }
        if rng.chance(15) {
            now.deleted += tx.execute(withdraw, &[&batch, &2_i64])? as i64;
        }
        if rng.below(12) == 0 {
            tx.rollback()?;
            return Ok(false);
        }
        tx.commit()?;
        let sum = &mut self.booked[company_number];
        sum.inserted += now.inserted;
        sum.updated += now.updated;
        sum.deleted += now.deleted;
        Ok(true)
    }
}
