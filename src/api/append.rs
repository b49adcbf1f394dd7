//! Appending: the trigger, the function for events without a table, chains, and the early flush.

use pgrx::prelude::*;

use crate::ledger::{chains, flush};

extension_sql!(
    r#"
CREATE FUNCTION @extschema@.audit_chain_append() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_append_trigger';
-- Whoever may attach it to a table of their own can write entries of any kind to any chain. Needed at
-- CREATE TRIGGER only.
REVOKE ALL ON FUNCTION @extschema@.audit_chain_append() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_chain_append() IS
    'trigger: records each row change (AFTER … FOR EACH ROW) and TRUNCATE (FOR EACH STATEMENT) in an audit chain';

CREATE FUNCTION @extschema@.audit_chain_append(kind text, pk text, payload jsonb, chain text DEFAULT 'main')
    RETURNS auditspine.audit_chain
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    AS 'MODULE_PATHNAME', 'auditspine_append_by_hand';
COMMENT ON FUNCTION @extschema@.audit_chain_append(text, text, jsonb, text) IS
    'appends an event that no table row stands for, and returns its entry';
REVOKE ALL ON FUNCTION @extschema@.audit_chain_append(text, text, jsonb, text) FROM PUBLIC;
"#,
    name = "append",
    requires = ["schema"],
);

/// Creates an audit chain with 1 to 256 lanes and returns its number.
///
/// Errors: 42710 if the name is taken, 22023 for a name or number of lanes that is not allowed.
#[pg_extern(volatile, parallel_unsafe, strict, requires = ["schema"])]
fn create_chain(name: &str, lanes: default!(i32, 32)) -> i32 {
    chains::create(name.as_bytes(), lanes)
}

/// Links this transaction's pending events now rather than at its commit, and returns how many. The
/// lanes they went to are held until the transaction ends.
#[pg_extern(volatile, parallel_unsafe, requires = ["schema"])]
fn audit_flush() -> i64 {
    flush::flush().0 as i64
}

extension_sql!(
    r#"
COMMENT ON FUNCTION @extschema@.create_chain(text, integer) IS
    'creates an audit chain with 1 (strict order) to 256 lanes; returns its number';
REVOKE ALL ON FUNCTION @extschema@.create_chain(text, integer) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_flush() IS
    'links this transaction''s pending events now rather than at commit; returns how many';
"#,
    name = "append_comments",
    requires = [create_chain, audit_flush],
);
