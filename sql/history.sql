-- The history of a row.

-- A TRUNCATE entry has the table's name for a key. So it is looked for, by index, among the keys that begin with the name
-- of a schema, and under the names that the kind's table had when it was attached.
CREATE FUNCTION auditspine.removals(kind text) RETURNS SETOF auditspine.audit_chain
    LANGUAGE sql STABLE PARALLEL SAFE STRICT
    SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off
    AS $$
    WITH name(first, beyond) AS (
        SELECT pg_catalog.quote_ident(nspname) OPERATOR(pg_catalog.||) '.',
               pg_catalog.quote_ident(nspname) OPERATOR(pg_catalog.||) '/' FROM pg_catalog.pg_namespace
        UNION
        SELECT s.payload OPERATOR(pg_catalog.->>) 'table'::text,
               (s.payload OPERATOR(pg_catalog.->>) 'table'::text) OPERATOR(pg_catalog.||) pg_catalog.chr(1)
        FROM ONLY auditspine.audit_chain s
        WHERE s.event_kind OPERATOR(pg_catalog.=) 'auditspine.attach' AND s.event_pk OPERATOR(pg_catalog.=) removals.kind
          AND s.op OPERATOR(pg_catalog.=) 'S'
    )
    SELECT t.* FROM name n CROSS JOIN LATERAL (
        SELECT a.* FROM ONLY auditspine.audit_chain a
        WHERE a.event_kind OPERATOR(pg_catalog.=) removals.kind AND a.op OPERATOR(pg_catalog.=) 'T'
          AND a.event_pk OPERATOR(pg_catalog.>=) (n.first COLLATE "C") AND a.event_pk OPERATOR(pg_catalog.<) (n.beyond COLLATE "C")
        -- A few short ranges of the index, however many the planner takes them to be.
        OFFSET 0) t
    UNION
    SELECT a.* FROM ONLY auditspine.audit_chain a
    WHERE a.event_kind OPERATOR(pg_catalog.=) ANY ('{auditspine.partition_detach,auditspine.partition_drop}'::text[])
      AND a.event_pk OPERATOR(pg_catalog.=) removals.kind
      AND a.op OPERATOR(pg_catalog.=) 'S'
$$;
COMMENT ON FUNCTION auditspine.removals(text) IS
    'entries that removed rows of a kind without naming them: TRUNCATE, and partitions that were detached or dropped';

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
    SET search_path = pg_catalog, pg_temp SET jit = off
    AS 'MODULE_PATHNAME', 'auditspine_history';
COMMENT ON FUNCTION @extschema@.audit_history(regclass, text[]) IS
    'the versions of one row of an audited table, oldest first; key: the key columns'' texts, in order';
