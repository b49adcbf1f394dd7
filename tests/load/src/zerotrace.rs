//! Blueprint `zerotrace` under load: companies, their application's role, batches of findings.

use std::thread;

use postgres::{Client, Error, Statement};

use crate::rng::Rng;
use crate::server::{Database, Server, run};

/// How many companies there are.
pub const COMPANIES: usize = 1_000;

/// Findings in a batch, which is what a scanner reports in one transaction.
pub const BATCH: usize = 50;

/// Tables of findings, and what only they have: columns, and a value for row `g` of batch `$1`.
const TABLES: [(&str, &str, &str); 12] = [
    (
        "vulnerabilities_v2",
        "title, description, severity, category, discovered_at, attack_vector, compliance_frameworks, \"references\"",
        "TITLE, TEXT, SEVERITY, (ARRAY['application', 'network', 'system'])[1 + g % 3], SEEN, 'network', '[\"CIS\"]',
         jsonb_build_array('https://example.com/advisories/' || g)",
    ),
    (
        "system_vulnerabilities",
        "title, description, severity, vulnerability_type, os_name, component_name, cve_id, patch_available",
        "TITLE, TEXT, SEVERITY, 'os_patch', 'Debian', 'package-' || g % 200, 'CVE-2026-' || 10000 + g % 5000, g % 3 = 0",
    ),
    (
        "network_findings",
        "severity, banner, host, port, protocol, service_name, ssl_enabled, vulnerability_count",
        "SEVERITY, TEXT, '10.0.0.' || g % 255, 1 + g % 65535, 'tcp', 'service-' || g % 20, g % 5 = 0, g % 4",
    ),
    (
        "container_findings",
        "title, description, severity, finding_type, container_id, image_name, image_tag",
        "TITLE, TEXT, SEVERITY, 'secret', encode(sha256(int8send(g)), 'hex'), 'registry/app-' || g % 50, '1.' || g % 9",
    ),
    (
        "auth_findings",
        "title, description, severity, finding_type, user_account",
        "TITLE, TEXT, SEVERITY, (ARRAY['password_policy', 'auth_bypass'])[1 + g % 2], 'user-' || g % 500",
    ),
    (
        "database_findings",
        "title, description, severity, finding_type, database_type, host, port",
        "TITLE, TEXT, SEVERITY, 'exposure', 'postgresql', 'db-' || g % 9, 5432",
    ),
    (
        "api_findings",
        "title, description, severity, finding_type, api_type, endpoint, method",
        "TITLE, TEXT, SEVERITY, 'ssrf', 'REST', '/v1/resource/' || g % 77, 'POST'",
    ),
    (
        "ai_ml_findings",
        "title, description, severity, finding_type, model_name, framework",
        "TITLE, TEXT, SEVERITY, (ARRAY['llm_security', 'training_data'])[1 + g % 2], 'model-' || g % 5, 'pytorch'",
    ),
    (
        "compliance_checks",
        "requirement, description, severity, category, status, framework, evidence",
        "'c' || g % 30, TEXT, SEVERITY, 'logging', CASE g % 3 WHEN 0 THEN 'fail' ELSE 'pass' END,
         (ARRAY['CIS', 'PCI-DSS', 'SOC2'])[1 + g % 3], jsonb_build_object('seen', g)",
    ),
    (
        "privacy_findings",
        "title, description, severity, finding_type, data_type, location",
        "TITLE, TEXT, SEVERITY, 'pii_detection', 'email', 'bucket-' || g % 12",
    ),
    (
        "iot_ot_findings",
        "title, description, severity, finding_type, device_type, device_id, protocol",
        "TITLE, TEXT, SEVERITY, 'exposure', 'plc', 'device-' || g % 60, 'modbus'",
    ),
    (
        "web3_findings",
        "title, description, severity, finding_type, network, contract_address",
        "TITLE, TEXT, SEVERITY, 'smart_contract', 'ethereum', '0x' || left(md5(g::text) || md5(g::text), 40)",
    ),
];

/// What stands for these words in `TABLES`.
const VALUES: [(&str, &str); 4] = [
    ("TITLE", "'Finding ' || g || ' of batch ' || $1"),
    (
        "TEXT",
        "'Seen by scanner on asset ' || g % 17 || ': what is wrong and what follows from it'",
    ),
    (
        "SEVERITY",
        "(ARRAY['critical', 'high', 'medium', 'low', 'info'])[1 + g % 5]",
    ),
    (
        "SEEN",
        "timestamptz '2026-01-01Z' + ($1 + g) % 40000 * interval '1 min'",
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
        "DO $$ BEGIN CREATE ROLE zerotrace_app; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
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
            "INSERT INTO zerotrace.agents (id, hostname, os, os_version)
             VALUES (zerotrace.current_company_id(), 'scanner', 'Debian', '12') ON CONFLICT DO NOTHING",
        );
        let alive = prepare("UPDATE zerotrace.agents SET last_seen = clock_timestamp()");
        let report = TABLES
            .iter()
            .map(|(table, columns, values)| {
                let values = VALUES
                    .iter()
                    .fold((*values).to_owned(), |text, (word, value)| text.replace(word, value));
                let ids = "SELECT md5($1::bigint || ' ' || g)::uuid FROM generate_series(1, $2::bigint) g";
                [
                    prepare(&format!(
                        "INSERT INTO zerotrace.{table} (id, agent_id, created_at, risk_score, {columns})
                         SELECT md5($1::bigint || ' ' || g)::uuid, zerotrace.current_company_id(), {seen}, g % 101 / 10.0, {values}
                         FROM generate_series(1, $2::bigint) g
                         ON CONFLICT (company_id, id) DO UPDATE SET severity = excluded.severity, risk_score = excluded.risk_score",
                        seen = VALUES[3].1
                    )),
                    prepare(&format!(
                        "UPDATE zerotrace.{table} SET risk_score = 0.05, metadata = '{{\"fixed_in\": \"2.0\"}}' WHERE id IN ({ids})"
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
