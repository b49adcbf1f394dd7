//! Row-level security on chains and their entries: whom an administrator lets see which.
//!
//! The policies are the registry: one for each role, on both tables, which a dump carries. Row-level
//! security is switched on when the first role is let see some chains only; whoever could read all
//! entries until then still can.

use pgrx::pg_sys;

use super::run;
use crate::error::Failure;
use crate::pg::text_rows::query;

/// What an auditor is let see.
#[derive(Clone, Copy)]
pub enum Scope<'a> {
    /// All chains.
    Whole,
    /// The chain of that name.
    Chain(&'a str),
    /// The chain whose name a setting has at that moment.
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
    drop_of(auditor);
    let [of_chain, of_entry] = conditions(scope);
    create(role, TABLES[0], &of_chain);
    create(role, TABLES[1], &of_entry);
    if is_limited {
        expect_no_other_sight(auditor, role);
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

/// Takes its policies from a role.
pub fn drop_of(auditor: pg_sys::Oid) {
    let oid = auditor.to_u32().to_string();
    for policy in query(OF_ROLE, &[Some(&oid)]) {
        if let [Some(name), Some(table)] = &policy[..] {
            run(&format!("DROP POLICY {name} ON {table}"));
        }
    }
}

/// Which rows of auditspine.chain and of auditspine.audit_chain are seen.
fn conditions(scope: Scope<'_>) -> [String; 2] {
    let of_chain = match scope {
        Scope::Whole => return ["true".to_owned(), "true".to_owned()],
        Scope::Chain(name) => format!("name = {}", pgrx::spi::quote_literal(name)),
        Scope::Setting(name) => format!(
            "name = current_setting({}, true)",
            pgrx::spi::quote_literal(name)
        ),
    };
    // An array, so that entries are found by index; the policy on chains goes for the inner query too.
    let of_entry = "chain_id = ANY (ARRAY(SELECT c.chain_id FROM auditspine.chain AS c))";
    [of_chain, of_entry.to_owned()]
}

/// A policy has the name of its role, which is no longer than a name may be.
fn create(role: &str, table: &str, condition: &str) {
    run(&format!(
        "CREATE POLICY {role} ON {table} FOR SELECT TO {role} USING ({condition})"
    ));
}

fn switch_on() {
    let readers: Vec<Option<String>> = query(READERS, &[]).into_iter().flatten().collect();
    if readers.contains(&None) {
        Failure::NotAnAuditor.raise(
            "no role can be kept to one chain while PUBLIC may read auditspine.chain or auditspine.audit_chain",
            "REVOKE SELECT ON auditspine.chain, auditspine.audit_chain FROM PUBLIC",
        );
    }
    for table in TABLES {
        run(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"));
    }
    let readers: Vec<String> = readers.into_iter().flatten().collect();
    for reader in &readers {
        for table in TABLES {
            create(reader, table, "true");
        }
    }
    let kept = match &readers[..] {
        [] => String::new(),
        some => format!("; {} may see all chains as before", some.join(", ")),
    };
    pgrx::notice!(
        "auditspine.chain and auditspine.audit_chain have row-level security from here on: who may see which chains is for grant_auditor() to say{kept}"
    );
}
