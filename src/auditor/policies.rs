//! Row-level security on chains and their entries: whom an administrator lets see which.
//!
//! Row-level security is switched on when the first role is kept to one chain; whoever could read all
//! entries until then still can. From then on auditspine.auditor has a row for each role, and the roles
//! have a policy each, on both tables, made of these rows: PostgreSQL dumps the rows of an extension's
//! tables, but no policies on them, so a trigger on auditspine.auditor makes them anew.

use pgrx::pg_sys;

use super::run;
use crate::error::Failure;
use crate::ledger::evidence;
use crate::ledger::text_rows::query;

/// What an auditor is let see.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// All chains.
    Whole,
    /// The chain of that name.
    Chain(&'a str),
    /// The chain of the tenant that a setting names at that moment.
    Setting(&'a str),
}

const TABLES: [&str; 2] = ["auditspine.chain", "auditspine.audit_chain"];

const IS_ON: &str = "
    SELECT 'on' FROM pg_class
    WHERE oid IN ('auditspine.chain'::regclass, 'auditspine.audit_chain'::regclass)
    HAVING bool_and(relrowsecurity)";
/// Roles that were granted SELECT, with PUBLIC as null.
const READERS: &str = "
    SELECT DISTINCT CASE WHEN a.grantee <> 0 THEN a.grantee::regrole::text END
    FROM pg_class AS c, aclexplode(c.relacl) AS a
    WHERE c.oid IN ('auditspine.chain'::regclass, 'auditspine.audit_chain'::regclass)
      AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
    ORDER BY 1";
/// These, let see all chains.
const ENTER_READERS: &str = "
    INSERT INTO auditspine.auditor (role_name, granted_at, granted_by)
    SELECT DISTINCT rolname, now(), session_user::text
    FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
    WHERE c.oid IN ('auditspine.chain'::regclass, 'auditspine.audit_chain'::regclass)
      AND a.privilege_type = 'SELECT' AND a.grantee <> c.relowner
    ON CONFLICT DO NOTHING";
const ENTER: &str = "
    INSERT INTO auditspine.auditor AS a (role_name, chain, chain_setting, granted_at, granted_by)
    SELECT rolname, $2, $3, now(), session_user::text FROM pg_roles WHERE oid = $1::oid
    ON CONFLICT (role_name) DO UPDATE
        SET chain = excluded.chain, chain_setting = excluded.chain_setting,
            granted_at = excluded.granted_at, granted_by = excluded.granted_by";
const ENTERED: &str = "
    SELECT 'entered' FROM ONLY auditspine.auditor JOIN pg_roles ON rolname = role_name WHERE oid = $1::oid";
const FORGET: &str = "
    DELETE FROM ONLY auditspine.auditor USING pg_roles WHERE rolname = role_name AND oid = $1::oid";
/// Roles that lack a policy: name, name as SQL has it or null if there is no such role, table, scope.
const WITHOUT_POLICY: &str = "
    SELECT a.role_name::text, r.oid::regrole::text, t.name, a.chain, a.chain_setting
    FROM ONLY auditspine.auditor AS a
    LEFT JOIN pg_roles AS r ON r.rolname = a.role_name
    LEFT JOIN (VALUES ('auditspine.chain'), ('auditspine.audit_chain')) AS t (name) ON r.oid IS NOT NULL
    WHERE NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = t.name::regclass AND polroles = ARRAY[r.oid])
    ORDER BY a.role_name, t.name DESC";
/// Policies for the role $1 alone.
const OF_ROLE: &str = "
    SELECT quote_ident(polname), polrelid::regclass::text FROM pg_policy
    WHERE polrelid IN ('auditspine.chain'::regclass, 'auditspine.audit_chain'::regclass)
      AND polroles = ARRAY[$1::oid]";
/// Why role $1 sees all chains, whatever its own policy says.
const SEES_ALL: &str = "
    SELECT 'it has BYPASSRLS' FROM pg_roles WHERE oid = $1::oid AND rolbypassrls
    UNION ALL
    SELECT 'it is a member of ' || relowner::regrole || ', who owns auditspine.audit_chain'
    FROM pg_class WHERE oid = 'auditspine.audit_chain'::regclass AND pg_has_role($1::oid, relowner, 'MEMBER')
    UNION ALL
    SELECT 'it is a member of ' || r.oid::regrole || ', who may see all chains'
    FROM pg_policy AS p, unnest(p.polroles) AS r (oid)
    WHERE p.polrelid IN ('auditspine.chain'::regclass, 'auditspine.audit_chain'::regclass)
      AND pg_get_expr(p.polqual, p.polrelid) = 'true' AND r.oid NOT IN (0, $1::oid)
      AND pg_has_role($1::oid, r.oid, 'MEMBER')
    UNION ALL
    SELECT 'PUBLIC may see all chains' FROM pg_policy AS p
    WHERE p.polrelid IN ('auditspine.chain'::regclass, 'auditspine.audit_chain'::regclass)
      AND pg_get_expr(p.polqual, p.polrelid) = 'true' AND 0 = ANY (p.polroles)
    LIMIT 1";

/// Lets a role, whose name is quoted where SQL needs it, see what `scope` says, and nothing else.
pub fn set(auditor: pg_sys::Oid, role: &str, scope: Scope<'_>) {
    let is_limited = !matches!(scope, Scope::Whole);
    if is_limited {
        expect_no_other_sight(auditor, role);
    }
    if query(IS_ON, &[]).is_empty() {
        if !is_limited {
            return;
        }
        switch_on();
    }
    take_policies(auditor);
    let (chain, setting) = match scope {
        Scope::Whole => (None, None),
        Scope::Chain(name) => (Some(name), None),
        Scope::Setting(name) => (None, Some(name)),
    };
    let oid = auditor.to_u32().to_string();
    query(ENTER, &[Some(&oid), chain, setting]);
    if is_limited {
        expect_no_other_sight(auditor, role);
    }
    let scope = match (chain, setting) {
        (Some(name), _) => format!("chain {name}"),
        (_, Some(name)) => format!("setting {name}"),
        _ => "all chains".to_owned(),
    };
    evidence::record_auditors(role, &scope);
}

/// Forgets a role, and takes its policies.
pub fn forget(auditor: pg_sys::Oid, role: &str) {
    if query(IS_ON, &[]).is_empty() {
        return;
    }
    let oid = auditor.to_u32().to_string();
    if !query(ENTERED, &[Some(&oid)]).is_empty() {
        query(FORGET, &[Some(&oid)]);
        evidence::record_auditors(role, "none");
    }
    take_policies(auditor);
}

fn take_policies(auditor: pg_sys::Oid) {
    let oid = auditor.to_u32().to_string();
    for policy in query(OF_ROLE, &[Some(&oid)]) {
        if let [Some(name), Some(table)] = &policy[..] {
            run(&format!("DROP POLICY {name} ON {table}"));
        }
    }
}

/// Gives each role in auditspine.auditor the policies that it lacks. Roles that are not there are passed
/// over, with a notice.
pub fn make() {
    let rows = query(WITHOUT_POLICY, &[]);
    if rows.is_empty() {
        return;
    }
    for table in TABLES {
        run(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"));
    }
    for row in rows {
        let [Some(name), role, table, chain, setting] = &row[..] else {
            continue;
        };
        let Some(role) = role else {
            pgrx::notice!(
                "auditor {name} is no role here, so it is let see no audit chain: create it, and call grant_auditor()"
            );
            continue;
        };
        let scope = match (chain, setting) {
            (Some(chain), _) => Scope::Chain(chain),
            (None, Some(setting)) => Scope::Setting(setting),
            (None, None) => Scope::Whole,
        };
        if let Some(table) = table {
            // It has the name of its role, which is no longer than a name may be.
            run(&format!(
                "CREATE POLICY {role} ON {table} FOR SELECT TO {role} USING ({})",
                condition(table, scope)
            ));
        }
    }
}

/// Which rows of one of the tables are seen.
fn condition(table: &str, scope: Scope<'_>) -> String {
    match scope {
        Scope::Whole => "true".to_owned(),
        // An array, so that entries are found by index; the policy on chains goes for the inner query too.
        _ if table != TABLES[0] => {
            "chain_id = ANY (ARRAY(SELECT c.chain_id FROM ONLY auditspine.chain AS c))".to_owned()
        }
        // Granted when names were all that was known of chains: it is nobody's.
        Scope::Chain("main") => "false".to_owned(),
        Scope::Chain(name) => format!("name = {}", pgrx::spi::quote_literal(name)),
        // A setting that was set in an earlier transaction alone is empty.
        Scope::Setting(name) => format!(
            "tenant = nullif(current_setting({}, true), '')",
            pgrx::spi::quote_literal(name)
        ),
    }
}

/// Raises 0LP01 for a role that sees all chains, whatever its own policy says.
fn expect_no_other_sight(auditor: pg_sys::Oid, role: &str) {
    let oid = auditor.to_u32().to_string();
    if let Some(Some(why)) = query(SEES_ALL, &[Some(&oid)]).into_iter().flatten().next() {
        Failure::NotAnAuditor.raise(
            format!("role {role} cannot be kept to one chain: {why}"),
            "take that away first, or use another role",
        );
    }
}

fn switch_on() {
    let readers: Vec<Option<String>> = query(READERS, &[]).into_iter().flatten().collect();
    if readers.contains(&None) {
        Failure::NotAnAuditor.raise(
            "no role can be kept to one chain while PUBLIC may read auditspine.chain or auditspine.audit_chain",
            "REVOKE SELECT ON auditspine.chain, auditspine.audit_chain FROM PUBLIC",
        );
    }
    query(ENTER_READERS, &[]);
    let readers: Vec<String> = readers.into_iter().flatten().collect();
    let kept = match &readers[..] {
        [] => String::new(),
        some => format!("; {} may see all chains as before", some.join(", ")),
    };
    pgrx::notice!(
        "auditspine.chain and auditspine.audit_chain have row-level security from here on: who may see which chains is for grant_auditor() to say{kept}"
    );
}
