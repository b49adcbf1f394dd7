-- The history of a row.

-- Entries by kind and key, in sorted runs that are filled now and then, so that no commit has to keep them up
-- (src/ledger/key_index). Nothing of it is dumped: without runs, histories are read from the entries.
CREATE TABLE auditspine.history_run (
    run     integer PRIMARY KEY,
    entries bigint NOT NULL,
    pages   integer NOT NULL,
    digest  bytea NOT NULL
);
COMMENT ON TABLE auditspine.history_run IS 'sorted runs of entries by kind and key, through which audit_history() finds them; filled by verify_all() and index_history()';
COMMENT ON COLUMN auditspine.history_run.entries IS 'how many entries are in it';
COMMENT ON COLUMN auditspine.history_run.digest IS 'SHA-256 of its pages';

CREATE TABLE auditspine.history_page (
    run      integer NOT NULL,
    last_key bigint NOT NULL,
    page     integer NOT NULL,
    items    bytea NOT NULL,
    CONSTRAINT history_page_pkey PRIMARY KEY (run, last_key, page)
);
-- A page is read whole, and digests do not compress.
ALTER TABLE auditspine.history_page ALTER COLUMN items SET STORAGE PLAIN;
COMMENT ON TABLE auditspine.history_page IS 'pages of the runs';
COMMENT ON COLUMN auditspine.history_page.last_key IS 'largest key on it: the first 8 bytes of SHA-256 over kind, a zero byte and key';
COMMENT ON COLUMN auditspine.history_page.items IS 'key, chain_id, lane and pos of each entry, in 22 bytes, in order';

CREATE TABLE auditspine.history_head (
    chain_id integer NOT NULL,
    lane     smallint NOT NULL,
    pos      bigint NOT NULL,
    CONSTRAINT history_head_pkey PRIMARY KEY (chain_id, lane)
);
COMMENT ON TABLE auditspine.history_head IS 'the last entry of each lane that is in a run';

CREATE TABLE auditspine.history_fill (
    fill_id    bigint PRIMARY KEY,
    filled_at  timestamptz NOT NULL,
    entries    bigint NOT NULL,
    drawn      bigint NOT NULL,
    next_xid   xid8 NOT NULL,
    pages      bigint NOT NULL,
    file       bigint NOT NULL,
    since_seq  bigint NOT NULL,
    since_page bigint NOT NULL
);
COMMENT ON TABLE auditspine.history_fill IS 'how things stood when runs were filled: the last time, and earlier ones that are of use as yet';
COMMENT ON COLUMN auditspine.history_fill.entries IS 'how many entries were added';
COMMENT ON COLUMN auditspine.history_fill.drawn IS 'the last number that was drawn before it';
COMMENT ON COLUMN auditspine.history_fill.next_xid IS 'whoever had this transaction id, or a later one, drew larger numbers';
COMMENT ON COLUMN auditspine.history_fill.pages IS 'how many pages auditspine.audit_chain had before it';
COMMENT ON COLUMN auditspine.history_fill.file IS 'the file that held them';
COMMENT ON COLUMN auditspine.history_fill.since_seq IS 'entries above this number may be in no run';
COMMENT ON COLUMN auditspine.history_fill.since_page IS 'and so may those from about this page on';

CREATE FUNCTION auditspine.places_of(kind text, keys text[])
    RETURNS TABLE (chain_id integer, lane smallint, pos bigint)
    LANGUAGE c STABLE PARALLEL RESTRICTED STRICT
    COST 1000 ROWS 10
    AS 'MODULE_PATHNAME', 'auditspine_places_of';
COMMENT ON FUNCTION auditspine.places_of(text, text[]) IS
    'where the entries of a kind with these keys are, and perhaps a few others: to be joined with auditspine.audit_chain, and compared';

CREATE FUNCTION @extschema@.index_history(rebuild boolean DEFAULT false) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
    COST 1000000
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_index_history';
REVOKE ALL ON FUNCTION @extschema@.index_history(boolean) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.index_history(boolean) IS
    'enters what has come since the last time into the runs by which histories are read, as verify_all() does; returns how many entries; rebuild: all of them anew';

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
