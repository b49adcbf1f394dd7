-- Appending: the trigger, the function for events without a table, chains, and the early flush.

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

CREATE FUNCTION @extschema@.create_chain(name text, lanes integer DEFAULT 32) RETURNS integer
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'create_chain_wrapper';
COMMENT ON FUNCTION @extschema@.create_chain(text, integer) IS
    'creates an audit chain with 1 (strict order) to 256 lanes; returns its number';
REVOKE ALL ON FUNCTION @extschema@.create_chain(text, integer) FROM PUBLIC;

CREATE FUNCTION @extschema@.audit_flush() RETURNS bigint
    LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'audit_flush_wrapper';
COMMENT ON FUNCTION @extschema@.audit_flush() IS
    'links this transaction''s pending events now rather than at commit; returns how many';
