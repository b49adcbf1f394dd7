//! What an auditor may do: read the state and the audited tables, call the verifiers, nothing else.
//!
//! Granted with the caller's rights, object by object, so that whatever is not listed here is not
//! granted. Calling it again brings a role up to date.

mod policies;

use pgrx::prelude::*;
use pgrx::spi;

pub use policies::{Scope, make as make_policies};

use crate::error::{Failure, broken};
use crate::ledger::catalog::verbs_schema;
use crate::ledger::chains;
use crate::ledger::heads;
use crate::ledger::visibility::Sight;

/// Functions of the extension that read, in all their forms: what an auditor calls. Those that are not
/// there are passed over.
const READING: [&str; 27] = [
    "adopted_findings",
    "audit_history",
    "canonical_json",
    "canonical_json_hash",
    "canonical_row_hash",
    "chain_findings",
    "chain_heads",
    "dsse_pae",
    "dsse_verify",
    "key_fingerprint",
    "publication_file_findings",
    "publication_findings",
    "segment_id",
    "spine_findings",
    "spine_id",
    "spine_root_hash",
    "verify_adopted",
    "verify_all",
    "verify_chain",
    "verify_publication",
    "verify_publication_file",
    "verify_spine",
    "verify_spines",
    "verify_table",
    "verify_table_findings",
    // What the view of audited tables calls.
    "declaration_problem",
    "declared",
];

/// Of these, what is not for those who see some chains only: it takes entries of all.
const OF_ALL_CHAINS: [&str; 10] = [
    "adopted_findings",
    "declaration_problem",
    "declared",
    "publication_file_findings",
    "spine_findings",
    "verify_adopted",
    "verify_all",
    "verify_publication_file",
    "verify_spine",
    "verify_spines",
];

/// All functions of the extension.
const FUNCTIONS: &str = "
    SELECT p.oid, p.proname FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.objid
    WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
      AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'auditspine')";

/// The tables that are audited, partitions included, and those whose chain was adopted.
const AUDITED: &str = "
    SELECT tgrelid AS oid FROM pg_trigger WHERE tgfoid = to_regprocedure($2 || '.audit_chain_append()')
    UNION
    SELECT c.oid FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = relnamespace
    WHERE quote_ident(nspname) || '.' || quote_ident(relname) IN (
        SELECT event_pk FROM ONLY auditspine.audit_chain WHERE event_kind = 'auditspine.adopt' AND op = 'S')";

/// What an auditor's rights are, or those that it is to lose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Of one who sees all chains.
    Whole,
    /// Of one who sees some. It is shown no table but these two, which have policies: what rows of audited
    /// tables a tenant may read is for their owner to say.
    Limited,
    /// What of the state either may have. Rights to audited tables are the role's own, and so is the way
    /// to a schema where it has been granted more.
    State,
}

impl Extent {
    fn name(self) -> &'static str {
        match self {
            Extent::Whole => "whole",
            Extent::Limited => "limited",
            Extent::State => "state",
        }
    }
}

/// What is granted to extent $4, or taken: privilege, object, and whether role $1 has it.
fn grants() -> String {
    format!(
        "WITH audited AS ({AUDITED}),
         wanted AS (
             SELECT 'SELECT' AS privilege, 'TABLE ' || oid::regclass AS object, has_table_privilege($1, oid, 'SELECT') AS has
             FROM pg_class
             WHERE CASE WHEN $4 = 'limited' THEN oid IN ('auditspine.chain'::regclass, 'auditspine.audit_chain'::regclass)
                        ELSE $4 = 'whole' AND oid IN (SELECT oid FROM audited)
                          OR relnamespace = 'auditspine'::regnamespace AND relkind IN ('r', 'p', 'v', 'm') END
             UNION ALL
             SELECT 'USAGE', 'SCHEMA ' || oid::regnamespace, has_schema_privilege($1, oid, 'USAGE')
             FROM pg_namespace
             WHERE oid IN ('auditspine'::regnamespace, $2::regnamespace)
                OR oid IN (SELECT relnamespace FROM pg_class JOIN audited USING (oid))
                   AND ($4 <> 'state' OR oid NOT IN (
                       SELECT relnamespace FROM pg_class, aclexplode(relacl) AS a WHERE a.grantee = $1
                       UNION ALL SELECT pronamespace FROM pg_proc, aclexplode(proacl) AS a WHERE a.grantee = $1))
             UNION ALL
             SELECT 'EXECUTE', 'FUNCTION ' || oid::regprocedure, has_function_privilege($1, oid, 'EXECUTE')
             FROM ({FUNCTIONS}) AS f WHERE proname = ANY ($3::text[]))
         SELECT privilege, object, has FROM wanted ORDER BY privilege COLLATE \"C\", object COLLATE \"C\""
    )
}

/// Whether role $1 was granted what only those have who see all chains.
const WAS_WHOLE: &str = "
    SELECT EXISTS (SELECT FROM pg_class, aclexplode(relacl) AS a
                   WHERE oid = 'auditspine.alert'::regclass AND a.grantee = $1 AND a.privilege_type = 'SELECT')";

/// What role $1 could change nevertheless, one object a row. An application ($4), whose connections a setting
/// keeps to one chain, writes audited tables, and its writing is recorded.
fn writable() -> String {
    format!(
        "WITH audited AS ({AUDITED})
         SELECT what FROM (
             SELECT CASE WHEN pg_has_role($1, c.relowner, 'MEMBER') THEN 'ownership' END AS owns,
                    (SELECT string_agg(p, ', ') FROM unnest('{{INSERT,UPDATE,DELETE,TRUNCATE,TRIGGER}}'::text[]) AS p
                     WHERE (has_table_privilege($1, c.oid, p)
                            OR p IN ('INSERT', 'UPDATE') AND has_any_column_privilege($1, c.oid, p))
                       AND NOT ($4 = 'application' AND p IN ('INSERT', 'UPDATE', 'DELETE')
                                AND c.relnamespace <> 'auditspine'::regnamespace)) AS rights,
                    c.oid::regclass::text AS object
             FROM pg_class AS c
             WHERE c.oid IN (SELECT oid FROM audited)
                OR c.relnamespace = 'auditspine'::regnamespace AND c.relkind IN ('r', 'p')) AS t,
             LATERAL (SELECT format('table %s (%s)', object, coalesce(owns, rights)) AS what) AS w
         WHERE coalesce(owns, rights) IS NOT NULL
         UNION ALL
         SELECT 'sequence ' || oid::regclass FROM pg_class
         WHERE relnamespace = 'auditspine'::regnamespace AND relkind = 'S'
           AND CASE WHEN relkind = 'S' THEN has_sequence_privilege($1, oid, 'USAGE, UPDATE') END
         UNION ALL
         SELECT 'function ' || oid::regprocedure FROM ({FUNCTIONS}) AS f
         -- Those that write are revoked from PUBLIC.
         WHERE NOT has_function_privilege('public', oid, 'EXECUTE') AND has_function_privilege($1, oid, 'EXECUTE')
           AND proname <> ALL ($3::text[])
         UNION ALL
         SELECT 'schema auditspine (CREATE)' WHERE has_schema_privilege($1, 'auditspine', 'CREATE')
         UNION ALL
         SELECT 'role attribute ' || attribute FROM pg_roles,
             LATERAL (VALUES ('CREATEROLE', rolcreaterole), ('REPLICATION', rolreplication)) AS a (attribute, has)
         WHERE oid = $1 AND has
         UNION ALL
         SELECT 'the server, as member of ' || rolname FROM pg_roles
         WHERE rolname IN ('pg_write_server_files', 'pg_execute_server_program') AND pg_has_role($1, oid, 'MEMBER')
         ORDER BY 1"
    )
}

/// One object, as GRANT names it.
struct Grant {
    privilege: String,
    object: String,
    has: bool,
}

/// Gives role `auditor` what an auditor needs, for the chains that `scope` says. A role that had another
/// scope loses it.
pub fn grant(auditor: pg_sys::Oid, scope: Scope<'_>) {
    let role = name_of(auditor);
    let chain;
    if is_superuser(auditor) {
        Failure::NotAnAuditor.raise(
            format!("role {role} is a superuser, who can change anything"),
            "make a role of its own for the auditor: CREATE ROLE … LOGIN",
        );
    }
    let (limited, scope) = match scope {
        Scope::Whole => (false, scope),
        Scope::Chain(name) => {
            chain = expect_chain(name);
            (true, Scope::Chain(&chain))
        }
        Scope::Setting(name) => {
            expect_setting(name);
            (true, scope)
        }
    };
    let extent = if limited {
        take(auditor, &role);
        Extent::Limited
    } else {
        Extent::Whole
    };
    policies::set(auditor, &role, scope);
    for grant in list(auditor, extent) {
        let Grant {
            privilege, object, ..
        } = grant;
        run(&format!("GRANT {privilege} ON {object} TO {role}"));
    }
    // Who may not grant only gets a warning from GRANT.
    let missing: Vec<String> = list(auditor, extent)
        .into_iter()
        .filter(|grant| !grant.has)
        .map(|grant| format!("{} on {}", grant.privilege, grant.object.to_lowercase()))
        .collect();
    if !missing.is_empty() {
        Failure::CannotGrant.raise(
            format!("role {role} still lacks {}", missing.join(", ")),
            "grant_auditor() grants with its caller's rights: call it as a superuser, or as the owner of all of these",
        );
    }
    warn_of_writable(auditor, &role, matches!(scope, Scope::Setting(_)));
}

/// The name of the tenant's chain that is meant, or else of the one of that name; an ERROR if there is none,
/// or if it is the one that records the whole database.
fn expect_chain(name: &str) -> String {
    let tenants = chains::find(&chains::key_of_tenant(name.as_bytes()));
    let chain = tenants.unwrap_or_else(|| {
        heads::expect_chain(name.as_bytes(), &Sight::Whole);
        chains::expect(name.as_bytes())
    });
    if *chain.name == *chains::MAIN {
        Failure::NotAnAuditor.raise(
            "chain main is no tenant's: it has the entries of all tables without a chain of their own, and the extension's",
            "grant_auditor(role) lets a role see all chains",
        );
    }
    String::from_utf8_lossy(&chain.name).into_owned()
}

/// Takes it away.
pub fn revoke(auditor: pg_sys::Oid) {
    let role = name_of(auditor);
    policies::forget(auditor, &role);
    take(auditor, &role);
}

fn take(auditor: pg_sys::Oid, role: &str) {
    let was_whole = Spi::get_one_with_args::<bool>(WAS_WHOLE, &[auditor.into()]);
    let extent = match was_whole {
        Ok(Some(true)) => Extent::Whole,
        _ => Extent::State,
    };
    for grant in list(auditor, extent) {
        let Grant {
            privilege, object, ..
        } = grant;
        run(&format!("REVOKE {privilege} ON {object} FROM {role}"));
    }
}

fn warn_of_writable(auditor: pg_sys::Oid, role: &str, is_application: bool) {
    let who = if is_application {
        "application"
    } else {
        "auditor"
    };
    let what: Vec<String> = query(&writable(), auditor, &READING, who, |row| row.get(1));
    if !what.is_empty() {
        pgrx::pg_sys::panic::ErrorReport::new(
            PgSqlErrorCode::ERRCODE_WARNING,
            format!(
                "role {role} can verify, but could also change: {}",
                what.join("; ")
            ),
            "auditspine",
        )
        .set_hint("an auditor should be able to change nothing: revoke this, or use another role")
        .report(PgLogLevel::WARNING);
    }
}

fn list(auditor: pg_sys::Oid, extent: Extent) -> Vec<Grant> {
    let mut functions = READING.to_vec();
    functions.retain(|name| extent != Extent::Limited || !OF_ALL_CHAINS.contains(name));
    query(&grants(), auditor, &functions, extent.name(), |row| {
        Ok(row
            .get(1)?
            .zip(row.get(2)?)
            .map(|(privilege, object)| Grant {
                privilege,
                object,
                has: row.get(3).ok().flatten().unwrap_or(false),
            }))
    })
}

/// Rows of one of the two queries above that take these functions and a fourth argument.
fn query<R>(
    query: &str,
    auditor: pg_sys::Oid,
    functions: &[&str],
    last: &str,
    read: impl Fn(spi::SpiHeapTupleData<'_>) -> spi::Result<Option<R>>,
) -> Vec<R> {
    let arguments = [
        auditor.into(),
        verbs_schema().into(),
        functions.to_vec().into(),
        last.into(),
    ];
    let rows = Spi::connect_mut(|client| {
        client
            .update(query, None, &arguments)?
            .filter_map(|row| read(row).transpose())
            .collect::<spi::Result<Vec<R>>>()
    });
    rows.unwrap_or_else(|error| broken(format!("could not list privileges: {error}")))
}

fn run(statement: &str) {
    if let Err(error) = Spi::run(statement) {
        broken(format!("{statement}: {error}"));
    }
}

/// The role's name, quoted where SQL needs it.
fn name_of(role: pg_sys::Oid) -> String {
    let name = Spi::get_one_with_args::<String>(
        "SELECT quote_ident(rolname) FROM pg_roles WHERE oid = $1",
        &[role.into()],
    );
    match name {
        Ok(Some(name)) => name,
        _ => Failure::UnknownRole.raise(
            format!("there is no role with oid {role:?}"),
            "pass the role's name: 'auditor'",
        ),
    }
}

fn is_superuser(role: pg_sys::Oid) -> bool {
    matches!(
        Spi::get_one_with_args::<bool>(
            "SELECT rolsuper FROM pg_roles WHERE oid = $1",
            &[role.into()],
        ),
        Ok(Some(true))
    )
}

/// Raises 22023 unless this can be the name of a setting of an application's own.
fn expect_setting(name: &str) {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'$')
    };
    if !name.contains('.') || !name.split('.').all(is_word) {
        Failure::InvalidValue.raise(
            format!("\"{name:.100}\" cannot be the name of a setting that names a chain"),
            "name a setting of your application's, such as app.current_company_id",
        );
    }
}
