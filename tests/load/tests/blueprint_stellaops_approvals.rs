//! Exceptions of blueprint `stellaops` while approvers approve, reject and take back, requesters change the terms, and
//! everybody tries to put them into effect, at each isolation level: none is ever in effect without the approvals that
//! its level asks for. Judged by a plain query, not by the blueprint's own functions.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use auditspine_load::check::{assert_no_rows, assert_verified};
use auditspine_load::ledger::{Ledger, Outcome};
use auditspine_load::mix::run_clients;
use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, scalar, sqlstate, turn};
use auditspine_load::session::ISOLATION_LEVELS;
use postgres::{Client, Error};

const CLIENTS: i64 = 10;
const TURNS: u64 = 150;
/// So few that all meet on each.
const EXCEPTIONS: u64 = 5;

const PEOPLE: &str = "
    INSERT INTO authority.clients (tenant_id, name, scopes) VALUES ('00000000-0000-4000-8000-00000000000a', 'rita', '{}');
    INSERT INTO authority.clients (tenant_id, name, scopes)
    SELECT '00000000-0000-4000-8000-00000000000a', 'p' || n, '{exception:approver,exception:security,exception:owner}' FROM generate_series(0, 4) AS n;
    INSERT INTO policy.policies (policy_id, tenant_id, name, compiled_ir)
    VALUES ('00000000-0000-4000-8000-0000000000b1', '00000000-0000-4000-8000-00000000000a', 'base', '{}');
    INSERT INTO policy.exceptions (tenant_id, policy_id, vulnerability_id, effect, approval_level, created_by, reason, expires_at)
    SELECT '00000000-0000-4000-8000-00000000000a', '00000000-0000-4000-8000-0000000000b1', n::text, 'suppress', 'G' || n, 'rita', 'reason 0', '2100-01-01'
    FROM generate_series(0, 4) AS n";

/// Exceptions in effect that lack something, under one snapshot. Terms are told apart by the reason alone, the only
/// thing that is changed here, which the comment on a decision repeats.
const UNAPPROVED: &str = "
    SELECT e.vulnerability_id || ' ' || row(s.*)::text FROM policy.exceptions AS e CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE decision = 'approve' AND comment = e.reason) AS approvals,
               count(*) FILTER (WHERE decision = 'approve' AND comment = e.reason AND capacity = 'security') AS security,
               count(*) FILTER (WHERE decision = 'approve' AND comment = e.reason AND capacity = 'owner') AS owner,
               count(*) FILTER (WHERE decision = 'reject') AS rejections
        FROM policy.exception_approval_audit AS a
        WHERE a.exception_id = e.exception_id
          AND NOT EXISTS (SELECT FROM policy.exception_approval_audit AS l
                          WHERE l.exception_id = a.exception_id AND l.approver_id = a.approver_id AND l.decision_no > a.decision_no)) AS s
    WHERE e.exception_state = 'effective'
      AND (rejections > 0
           OR approvals < CASE approval_level WHEN 'G0' THEN 0 WHEN 'G1' THEN 1 WHEN 'G4' THEN 3 ELSE 2 END
           OR approval_level IN ('G3', 'G4') AND security = 0 OR approval_level = 'G4' AND owner = 0)";

/// One transaction: a decision, a change of terms, an attempt to put it into effect, or two of these.
fn act(client: &mut Client, rng: &mut Rng) -> Result<(), Error> {
    let mut transaction = client.transaction()?;
    for _ in 0..if rng.chance(80) { 1 } else { 2 } {
        let exception = rng.below(EXCEPTIONS).to_string();
        let person = format!("p{}", rng.below(5));
        let capacity = ["approver", "security", "owner"][rng.below(3) as usize];
        let decision = match rng.below(100) {
            0..40 => "approve",
            40..48 => "revoke",
            48..52 => "reject",
            52..55 => {
                let reason = format!("reason {}", rng.below(3));
                let change = "UPDATE policy.exceptions SET exception_state = 'proposed', reason = $2 WHERE vulnerability_id = $1";
                transaction.execute(change, &[&exception, &reason])?;
                continue;
            }
            _ => {
                let activate = "UPDATE policy.exceptions SET exception_state = 'effective' WHERE vulnerability_id = $1";
                transaction.execute(activate, &[&exception])?;
                continue;
            }
        };
        // On the terms as seen: if they have changed meanwhile, the decision is refused.
        let decide = "
            INSERT INTO policy.exception_approval_audit (exception_id, approver_id, capacity, decision, comment, terms_hash)
            SELECT exception_id, $2, $3, $4, reason, policy.terms_hash(e) FROM policy.exceptions AS e WHERE vulnerability_id = $1";
        transaction.execute(decide, &[&exception, &person, &capacity, &decision])?;
    }
    transaction.commit()
}

fn decide_at(isolation: &str) {
    let name = format!("approvals_{}", isolation.replace(' ', "_"));
    let database = Server::from_env().fresh_database(&name);
    let mut admin = database.connect();
    run(&mut admin, "SELECT install_blueprint('stellaops')");
    run(&mut admin, PEOPLE);
    let done = AtomicBool::new(false);
    let (ledger, looks) = thread::scope(|scope| {
        let observer = scope.spawn(|| {
            let mut client = database.connect();
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) {
                assert_no_rows(
                    &mut client,
                    "an exception in effect without its approvals",
                    UNAPPROVED,
                );
                looks += 1;
                thread::sleep(Duration::from_millis(5));
            }
            looks
        });
        let ledger = run_clients(CLIENTS, |id| {
            let mut client = database.connect();
            run(
                &mut client,
                &format!("SET default_transaction_isolation = '{isolation}'"),
            );
            let mut ledger = Ledger::default();
            let mut rng = Rng::new(id as u64);
            for _ in 0..TURNS {
                match act(&mut client, &mut rng) {
                    Ok(()) => ledger.end(Outcome::Committed, vec![]),
                    Err(error) => ledger.fail(sqlstate(&error), Outcome::Aborted, vec![]),
                }
            }
            ledger
        });
        done.store(true, Ordering::Relaxed);
        (
            ledger,
            observer.join().expect("an observer that finds nothing"),
        )
    });
    println!("{isolation}: {ledger}; looked {looks} times");
    // Refused (23514), or told to come again.
    let allowed: &[&str] = if isolation == "read committed" {
        &["23514", "40P01"]
    } else {
        &["23514", "40P01", "40001"]
    };
    assert_eq!(
        ledger.failed_with(allowed),
        ledger.failures.values().sum::<u64>(),
        "{ledger}"
    );
    assert!(
        looks > 5 && ledger.commits > 50 && ledger.failures.contains_key("23514"),
        "{ledger}"
    );
    assert_no_rows(
        &mut admin,
        "an exception in effect without its approvals",
        UNAPPROVED,
    );
    assert_no_rows(
        &mut admin,
        "decisions that are not numbered in a row",
        "SELECT e.vulnerability_id FROM policy.exceptions AS e LEFT JOIN policy.exception_approval_audit AS a USING (exception_id)
         GROUP BY e.exception_id HAVING (count(a.decision_no), coalesce(max(a.decision_no), 0)) <> (e.decisions, e.decisions)",
    );
    // Not all were refused: each level was in effect at some time, and was taken out of it.
    let events: i64 = scalar(
        &mut admin,
        "SELECT count(DISTINCT e.exception_id) FROM policy.exceptions AS e
         CROSS JOIN LATERAL audit_history('policy.exceptions', e.exception_id::text) AS h WHERE h.changed #>> '{exception_state,old}' = 'effective'",
    );
    assert!(
        events >= 3,
        "{events} exceptions were in effect and no more"
    );
    assert_no_rows(
        &mut admin,
        "a finding",
        "SELECT row(v.*)::text FROM verify_all() AS v WHERE NOT ok",
    );
    assert_verified(&mut admin);
}

#[test]
fn exceptions_take_effect_with_their_approvals_only() {
    let _turn = turn();
    for isolation in ISOLATION_LEVELS {
        decide_at(isolation);
    }
}
