-- Chains of the older shape, one table each: taken over by an entry that commits to them.

CREATE FUNCTION @extschema@.adopt_chain(target regclass, again boolean DEFAULT false)
    RETURNS TABLE (
        outcome    text,
        table_name text,
        variant    text,
        entries    bigint,
        first_seq  bigint,
        last_seq   bigint,
        head       bytea,
        digest     bytea,
        breaks     bigint
    )
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_adopt_chain';
REVOKE ALL ON FUNCTION @extschema@.adopt_chain(regclass, boolean) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.adopt_chain(regclass, boolean) IS
    'verifies a chain of the older shape (seq, event_hash, prev_hash, chain_hash in one table) and anchors it, breaks and all, in chain main';

CREATE FUNCTION @extschema@.verify_adopted(target regclass)
    RETURNS TABLE (
        table_name text,
        ok         boolean,
        anchor_seq bigint,
        anchored   bigint,
        entries    bigint,
        appended   bigint,
        breaks     bigint,
        new_breaks bigint,
        changes    bigint
    )
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_adopted';
COMMENT ON FUNCTION @extschema@.verify_adopted(regclass) IS
    'holds an adopted chain against the entry that anchors it';

CREATE FUNCTION @extschema@.adopted_findings(target regclass)
    RETURNS TABLE (
        seq      bigint,
        finding  text,
        detail   text,
        expected bytea,
        found    bytea,
        anchored boolean
    )
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_adopted_findings';
COMMENT ON FUNCTION @extschema@.adopted_findings(regclass) IS
    'every break of a chain of the older shape, those that were there when it was adopted marked, and what changed since';
