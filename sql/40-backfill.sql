-- The history of a row; chaining the rows that a table had before it was audited, and how far that is.

CREATE FUNCTION @extschema@.audit_history(target regclass, VARIADIC key text[])
    RETURNS TABLE (
        seq          bigint,
        op           "char",
        appended_at  timestamptz,
        db_user      text,
        actor        text,
        context      jsonb,
        xid          xid8,
        chain        text,
        layout       integer,
        payload_hash bytea,
        payload      jsonb,
        changed      jsonb
    )
    LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
    ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_history';
COMMENT ON FUNCTION @extschema@.audit_history(regclass, text[]) IS
    'the versions of one row of an audited table, oldest first; key: the key columns'' texts, in order';
