-- The history of a row; chaining the rows that a table had before it was audited, and how far that is.

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
    WHERE a.event_kind OPERATOR(pg_catalog.=) 'auditspine.partition_detach' AND a.event_pk OPERATOR(pg_catalog.=) removals.kind
      AND a.op OPERATOR(pg_catalog.=) 'S'
$$;
COMMENT ON FUNCTION auditspine.removals(text) IS
    'entries that removed rows of a kind without naming them: TRUNCATE, and the detaching of partitions';

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

CREATE SEQUENCE auditspine.progress_id_seq AS bigint;

-- Working state, not a record: rows are changed while a run goes on.
CREATE TABLE auditspine.progress (
    progress_id    bigint PRIMARY KEY,
    what           text NOT NULL,
    target         text NOT NULL,
    started_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    state          text NOT NULL CHECK (
        state OPERATOR(pg_catalog.=) ANY (ARRAY['running', 'finished', 'failed', 'interrupted'])),
    done           bigint NOT NULL,
    recorded       bigint NOT NULL,
    skipped        bigint NOT NULL,
    total_estimate bigint,
    rate           double precision,
    remaining      interval,
    pid            integer NOT NULL,
    last_key       text,
    db_user        text NOT NULL
);
COMMENT ON TABLE auditspine.progress IS 'long runs: how far they are, or were when they ended';
COMMENT ON COLUMN auditspine.progress.state IS
    'running (a pid that is gone: it was killed; the next run says so), finished, failed, or interrupted';
COMMENT ON COLUMN auditspine.progress.done IS 'rows dealt with: recorded and skipped';
COMMENT ON COLUMN auditspine.progress.rate IS 'rows dealt with per second';
COMMENT ON COLUMN auditspine.progress.last_key IS 'key of the last row that was looked at';

SELECT pg_catalog.pg_extension_config_dump('auditspine.progress', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.progress_id_seq', '');

CREATE PROCEDURE @extschema@.audit_backfill(target regclass, batch_size integer DEFAULT 10000)
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'auditspine_backfill';
REVOKE ALL ON PROCEDURE @extschema@.audit_backfill(regclass, integer) FROM PUBLIC;
COMMENT ON PROCEDURE @extschema@.audit_backfill(regclass, integer) IS
    'records, as insertions, the rows of an audited table that its chain does not know yet; commits each batch';
