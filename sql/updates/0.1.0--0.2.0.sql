-- Updates from 0.1.0 to 0.2.0. Released: tests/releases/SHA256SUMS holds it as it is.

-- 10-rows.sql
-- Layouts: the columns that rows were hashed under. Verification trusts the S entries of kind
-- auditspine.layout; this table is where writers find the number of theirs.

CREATE SEQUENCE auditspine.layout_id_seq AS integer;

CREATE TABLE auditspine.layout (
    layout_id  integer PRIMARY KEY,
    relation   regclass NOT NULL,
    digest     bytea NOT NULL,
    kind       text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL
);
-- Not unique by digest: two first writers at a time may each record a layout, rather than wait for one
-- another; and a layout that comes back after another is recorded anew.
CREATE INDEX layout_relation_idx ON auditspine.layout (relation, kind, layout_id);

COMMENT ON TABLE auditspine.layout IS 'column layouts that rows were hashed under; each is told in full by an entry of kind auditspine.layout';
COMMENT ON COLUMN auditspine.layout.relation IS 'table or partition whose rows were hashed';
COMMENT ON COLUMN auditspine.layout.digest IS 'SHA-256 of the canonical JSON of the layout without the table''s name';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.layout
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

SELECT pg_catalog.pg_extension_config_dump('auditspine.layout', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.layout_id_seq', '');

-- 20-attach.sql
-- Attaching tables to the audit: audit_attach() and audit_detach(), the view of what is attached, and the
-- event trigger that follows partitions and columns.

CREATE FUNCTION @extschema@.audit_refuse_change() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_refuse_audited_change';
REVOKE ALL ON FUNCTION @extschema@.audit_refuse_change() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_refuse_change() IS
    'trigger: refuses UPDATE, DELETE and TRUNCATE of a table that is audited as append-only';

CREATE FUNCTION @extschema@.audit_attach(
    target      regclass,
    kind        text    DEFAULT NULL,
    chain       text    DEFAULT 'main',
    chain_by    text[]  DEFAULT NULL,
    pk          text[]  DEFAULT NULL,
    payload     text    DEFAULT 'hash',
    exclude     text[]  DEFAULT '{}',
    append_only boolean DEFAULT false,
    backfill    boolean DEFAULT false
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'audit_attach_wrapper';
-- It attaches triggers with the caller's rights; whoever may use it can write entries of any kind that is free.
REVOKE ALL ON FUNCTION @extschema@.audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean)
    FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean) IS
    'audits a table and its partitions from here on; answers attached, replaced or unchanged';

CREATE FUNCTION @extschema@.audit_detach(target regclass) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'audit_detach_wrapper';
REVOKE ALL ON FUNCTION @extschema@.audit_detach(regclass) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_detach(regclass) IS
    'ends the audit of a table and its partitions, and records that; false if it was not audited';

CREATE FUNCTION @extschema@.audit_detach_kind(kind text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE STRICT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'audit_detach_kind_wrapper';
REVOKE ALL ON FUNCTION @extschema@.audit_detach_kind(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_detach_kind(text) IS
    'records that the table of a kind is gone, and its audit with it; false if the kind was not audited';

-- What the triggers' arguments (pg_trigger.tgargs) declare.
CREATE FUNCTION auditspine.declared(arguments bytea, part text) RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'declared_wrapper';
COMMENT ON FUNCTION auditspine.declared(bytea, text) IS
    'one part of what a trigger declares (kind, pk, chain, chain_by, payload, exclude); null if it is left out';

CREATE FUNCTION auditspine.declaration_problem(arguments bytea) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'declaration_problem_wrapper';
COMMENT ON FUNCTION auditspine.declaration_problem(bytea) IS
    'what is not understood of a trigger''s arguments; null if nothing is';

-- The registry is pg_trigger. Each column costs only when it is selected.
CREATE VIEW auditspine.audited_table AS
SELECT t.tgrelid::regclass AS table_name,
       n.kind,
       CASE WHEN p.problem IS NULL THEN
           coalesce(auditspine.declared(t.tgargs, 'pk'),
                    (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
                     FROM pg_catalog.pg_index AS i
                     CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, place)
                     JOIN pg_catalog.pg_attribute AS a
                       ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) k.attnum
                     WHERE i.indrelid OPERATOR(pg_catalog.=) t.tgrelid AND i.indisprimary
                       AND k.place OPERATOR(pg_catalog.<=) i.indnkeyatts))
       END AS pk,
       (auditspine.declared(t.tgargs, 'chain'))[1] AS chain,
       auditspine.declared(t.tgargs, 'chain_by') AS chain_by,
       (auditspine.declared(t.tgargs, 'payload'))[1] AS payload,
       auditspine.declared(t.tgargs, 'exclude') AS exclude,
       EXISTS (SELECT FROM pg_catalog.pg_trigger AS r
               WHERE r.tgrelid OPERATOR(pg_catalog.=) t.tgrelid
                 AND r.tgfoid OPERATOR(pg_catalog.=) '@extschema@.audit_refuse_change()'::regprocedure
                 AND (r.tgtype OPERATOR(pg_catalog.&) 1::smallint) OPERATOR(pg_catalog.=) 1
                 AND r.tgenabled OPERATOR(pg_catalog.=) ANY ('{A,O}'::"char"[])) AS append_only,
       t.tgenabled OPERATOR(pg_catalog.=) ANY ('{A,O}'::"char"[]) AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_partition_tree(t.tgrelid) AS m
           JOIN pg_catalog.pg_trigger AS c ON c.tgrelid OPERATOR(pg_catalog.=) m.relid
           WHERE c.tgfoid OPERATOR(pg_catalog.=) t.tgfoid AND c.tgname OPERATOR(pg_catalog.=) t.tgname
             AND c.tgtype OPERATOR(pg_catalog.=) t.tgtype
             AND c.tgenabled OPERATOR(pg_catalog.<>) ALL ('{A,O}'::"char"[])) AS enabled,
       CASE WHEN t.tgenabled OPERATOR(pg_catalog.=) 'A'::"char" THEN 'always'
            WHEN t.tgenabled OPERATOR(pg_catalog.=) 'O'::"char" THEN 'origin'
            WHEN t.tgenabled OPERATOR(pg_catalog.=) 'R'::"char" THEN 'replica'
            ELSE 'disabled' END AS trigger_state,
       NOT EXISTS (
           SELECT FROM (SELECT t.tgrelid::regclass UNION SELECT relid FROM pg_catalog.pg_partition_tree(t.tgrelid))
                       AS m (relid)
           WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_trigger AS c
                             WHERE c.tgrelid OPERATOR(pg_catalog.=) m.relid AND c.tgfoid OPERATOR(pg_catalog.=) t.tgfoid
                               AND (c.tgtype OPERATOR(pg_catalog.&) 1::smallint) OPERATOR(pg_catalog.=) 0
                               AND (c.tgtype OPERATOR(pg_catalog.&) 32::smallint) OPERATOR(pg_catalog.=) 32
                               AND c.tgenabled OPERATOR(pg_catalog.=) ANY ('{A,O}'::"char"[]))) AS truncate_covered,
       (SELECT pg_catalog.count(*)::integer FROM pg_catalog.pg_partition_tree(t.tgrelid) AS m
        WHERE m.isleaf AND m.level OPERATOR(pg_catalog.>) 0) AS partitions,
       (SELECT pg_catalog.count(*) FROM ONLY auditspine.audit_chain AS e
        WHERE e.event_kind OPERATOR(pg_catalog.=) n.kind) AS entries,
       p.problem
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.tgrelid
CROSS JOIN LATERAL (
    SELECT coalesce((auditspine.declared(t.tgargs, 'kind'))[1],
                    (SELECT r.relname::text FROM pg_catalog.pg_class AS r
                     WHERE r.oid OPERATOR(pg_catalog.=) coalesce(pg_catalog.pg_partition_root(t.tgrelid)::oid, t.tgrelid)))
           AS kind
) AS n
CROSS JOIN LATERAL (
    SELECT coalesce(
        auditspine.declaration_problem(t.tgargs),
        (SELECT pg_catalog.format('the table has no column %I', x.name)
         FROM pg_catalog.unnest(auditspine.declared(t.tgargs, 'pk')
                                OPERATOR(pg_catalog.||) auditspine.declared(t.tgargs, 'chain_by')
                                OPERATOR(pg_catalog.||) auditspine.declared(t.tgargs, 'exclude')) AS x (name)
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                           WHERE a.attrelid OPERATOR(pg_catalog.=) t.tgrelid AND a.attname OPERATOR(pg_catalog.=) x.name
                             AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped)
         LIMIT 1),
        CASE WHEN auditspine.declared(t.tgargs, 'pk') IS NULL
              AND NOT EXISTS (SELECT FROM pg_catalog.pg_index AS i
                              WHERE i.indrelid OPERATOR(pg_catalog.=) t.tgrelid AND i.indisprimary)
             THEN 'the table has no primary key, and the trigger names no key' END,
        (SELECT pg_catalog.format('there is no audit chain %L', x.name)
         FROM pg_catalog.unnest(auditspine.declared(t.tgargs, 'chain')) AS x (name)
         WHERE NOT EXISTS (SELECT FROM ONLY auditspine.chain AS k WHERE k.name OPERATOR(pg_catalog.=) x.name))
    ) AS problem
) AS p
WHERE t.tgfoid OPERATOR(pg_catalog.=) '@extschema@.audit_chain_append()'::regprocedure
  AND t.tgparentid OPERATOR(pg_catalog.=) 0::oid
  AND (t.tgtype OPERATOR(pg_catalog.&) 1::smallint) OPERATOR(pg_catalog.=) 1;
COMMENT ON VIEW auditspine.audited_table IS
    'audited tables, as their triggers declare them; partitions are part of their table';
COMMENT ON COLUMN auditspine.audited_table.enabled IS 'whether changes are recorded, in all partitions';
COMMENT ON COLUMN auditspine.audited_table.trigger_state IS
    'always (as audit_attach leaves it), origin (not under session_replication_role = replica), replica or disabled';
COMMENT ON COLUMN auditspine.audited_table.truncate_covered IS 'whether TRUNCATE is recorded, in all partitions';
COMMENT ON COLUMN auditspine.audited_table.partitions IS 'partitions that hold rows';
COMMENT ON COLUMN auditspine.audited_table.entries IS 'entries of this kind so far';
COMMENT ON COLUMN auditspine.audited_table.problem IS 'why changes fail, if the trigger does not fit the table';

-- Whoever may make a partition needs no right to the audit's functions. So this acts for the extension's owner,
-- but only once it has found what the command's names mean: hence no SECURITY DEFINER and no search_path here.
CREATE FUNCTION auditspine.on_ddl() RETURNS event_trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'auditspine_on_ddl';
REVOKE ALL ON FUNCTION auditspine.on_ddl() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.on_ddl() IS
    'event trigger: audits partitions that come, records those that leave, and new column layouts';

CREATE EVENT TRIGGER auditspine_ddl ON ddl_command_end
    WHEN TAG IN ('CREATE TABLE', 'CREATE FOREIGN TABLE', 'CREATE SCHEMA', 'ALTER TABLE')
    EXECUTE FUNCTION auditspine.on_ddl();
ALTER EVENT TRIGGER auditspine_ddl ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER auditspine_ddl IS 'keeps partitions and column changes of audited tables in the audit';

-- 30-verify.sql
-- The rows of audited tables against their entries.

CREATE TYPE auditspine.table_verdict AS (
    table_name    text,
    kind          text,
    ok            boolean,
    rows          bigint,
    entries       bigint,
    edited        bigint,
    deleted       bigint,
    unrecorded    bigint,
    unverifiable  bigint,
    findings      bigint,
    first_bad_seq bigint
);
COMMENT ON TYPE auditspine.table_verdict IS 'verdict on the rows of one table';

CREATE TYPE auditspine.table_finding AS (
    table_name     text,
    key            text,
    finding        text,
    seq            bigint,
    expected       bytea,
    found          bytea,
    detail         text,
    recorded       jsonb,
    current        jsonb,
    layout         integer,
    current_layout integer
);
COMMENT ON TYPE auditspine.table_finding IS 'one thing that is wrong with the rows of a table, or with how it is audited';

CREATE FUNCTION @extschema@.verify_table(target regclass, since bigint DEFAULT NULL) RETURNS SETOF auditspine.table_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_table';
COMMENT ON FUNCTION @extschema@.verify_table(regclass, bigint) IS
    'holds every row of a table against the entry that recorded it last, or only those rows that entries from a seq on tell of; one row per kind of its events';

CREATE FUNCTION @extschema@.verify_table_findings(target regclass, since bigint DEFAULT NULL) RETURNS SETOF auditspine.table_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_table_findings';
COMMENT ON FUNCTION @extschema@.verify_table_findings(regclass, bigint) IS
    'as verify_table(), but lists everything that is wrong, with the evidence; in no particular order';

-- 40-backfill.sql
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

-- 50-routine.sql
-- Verification as a routine: each run is recorded, each break raises one alert.

CREATE SEQUENCE auditspine.verification_id_seq AS bigint;
CREATE SEQUENCE auditspine.alert_id_seq AS bigint;

CREATE TABLE auditspine.verification (
    verification_id bigint PRIMARY KEY,
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz NOT NULL,
    took            interval NOT NULL,
    scope           text NOT NULL,
    reason          text,
    from_seq        bigint,
    to_seq          bigint,
    chains          integer NOT NULL,
    entries         bigint NOT NULL,
    tables          integer NOT NULL,
    rows            bigint NOT NULL,
    unverifiable    bigint NOT NULL,
    findings        bigint NOT NULL,
    alerts          bigint NOT NULL,
    ok              boolean NOT NULL,
    version         text NOT NULL,
    db_user         text NOT NULL
);
-- When everything was last found in order.
CREATE INDEX verification_clean_idx ON auditspine.verification (started_at) WHERE ok AND scope OPERATOR(pg_catalog.=) 'full';

COMMENT ON TABLE auditspine.verification IS 'runs of verify_all(), also those that found breaks';
COMMENT ON COLUMN auditspine.verification.scope IS 'full, incremental (from the last clean run), or since N';
COMMENT ON COLUMN auditspine.verification.reason IS 'why everything was verified although the run was asked to be incremental';
COMMENT ON COLUMN auditspine.verification.from_seq IS 'smallest seq of the entries that were verified';
COMMENT ON COLUMN auditspine.verification.to_seq IS 'largest seq of the entries that were verified';
COMMENT ON COLUMN auditspine.verification.entries IS 'how many entries were verified';
COMMENT ON COLUMN auditspine.verification.rows IS 'how many rows of audited tables were held against their entries';
COMMENT ON COLUMN auditspine.verification.unverifiable IS 'rows whose recorded columns are gone; no findings';
COMMENT ON COLUMN auditspine.verification.alerts IS 'how many of the findings raised an alert, being new';
COMMENT ON COLUMN auditspine.verification.version IS 'version of the extension that verified';
COMMENT ON COLUMN auditspine.verification.db_user IS 'session user';

CREATE TABLE auditspine.alert (
    alert_id        bigint PRIMARY KEY,
    raised_at       timestamptz NOT NULL,
    kind            text NOT NULL,
    severity        text NOT NULL,
    layer           text NOT NULL,
    chain           text,
    table_name      text,
    event_kind      text,
    pk              text,
    seq             bigint,
    finding         text NOT NULL,
    detail          text NOT NULL,
    evidence        jsonb NOT NULL,
    verification_id bigint NOT NULL,
    break_digest    bytea NOT NULL,
    occurrence      integer NOT NULL,
    CONSTRAINT alert_break_key UNIQUE (break_digest, occurrence)
);

COMMENT ON TABLE auditspine.alert IS 'breaks that verify_all() found: one row for each, however often it is found';
COMMENT ON COLUMN auditspine.alert.layer IS 'links, rows, heads or adopted';
COMMENT ON COLUMN auditspine.alert.seq IS 'number of the entry at fault, where there is one';
COMMENT ON COLUMN auditspine.alert.pk IS 'key of the row or event at fault';
COMMENT ON COLUMN auditspine.alert.evidence IS 'expected and found hash, neighbours, place in the chain';
COMMENT ON COLUMN auditspine.alert.verification_id IS 'the run that found the break first';
COMMENT ON COLUMN auditspine.alert.break_digest IS 'SHA-256 of the canonical JSON of what identifies the break';
COMMENT ON COLUMN auditspine.alert.occurrence IS 'above 1 if a full verification in between found everything in order';

-- Where the next incremental verification goes on: the last entry of each lane that a clean run saw. Per
-- lane, since seq is not the order of commits across lanes.
CREATE TABLE auditspine.verified_head (
    chain_id   integer NOT NULL,
    lane       smallint NOT NULL,
    pos        bigint NOT NULL,
    seq        bigint NOT NULL,
    chain_hash bytea NOT NULL,
    PRIMARY KEY (chain_id, lane)
);
COMMENT ON TABLE auditspine.verified_head IS 'last entry of each lane as of the last clean verification; where verify_all(''last'') goes on';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.verification
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.alert
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

CREATE FUNCTION @extschema@.verify_all(since text DEFAULT NULL)
    RETURNS TABLE (layer text, subject text, ok boolean, checked bigint, findings bigint, first_bad_seq bigint, detail text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_all';
-- It writes: the record of the run, and alerts.
REVOKE ALL ON FUNCTION @extschema@.verify_all(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.verify_all(text) IS
    'verifies all chains and audited tables, records the run and raises alerts; ''last'': what was added since the last clean run; a number: entries from that seq on';

SELECT pg_catalog.pg_extension_config_dump('auditspine.verification', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.alert', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.verified_head', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.verification_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.alert_id_seq', '');

-- 60-heads.sql
-- Heads: the ends of lanes, published outside of the database and held against it.

CREATE SEQUENCE auditspine.publication_id_seq AS bigint;

CREATE TABLE auditspine.publication (
    publication_id bigint NOT NULL,
    published_at   timestamptz NOT NULL,
    file           text NOT NULL,
    chain          text COLLATE "C" NOT NULL,
    chain_id       integer NOT NULL,
    lane           smallint NOT NULL,
    pos            bigint NOT NULL,
    seq            bigint NOT NULL,
    chain_hash     bytea NOT NULL,
    db_user        text NOT NULL,
    CONSTRAINT publication_pkey PRIMARY KEY (publication_id, chain_id, lane)
);
-- Whether a published head is recorded.
CREATE INDEX publication_head_idx ON auditspine.publication (chain, lane, pos, published_at);

COMMENT ON TABLE auditspine.publication IS 'heads that publish_head() wrote to a file, one row a line; written by it alone';
COMMENT ON COLUMN auditspine.publication.publication_id IS 'one for all heads published at once';
COMMENT ON COLUMN auditspine.publication.file IS 'where the line was appended: auditspine.publish_file at that time';
COMMENT ON COLUMN auditspine.publication.pos IS 'position of the last entry that the lane had';
COMMENT ON COLUMN auditspine.publication.seq IS 'seq of that entry';
COMMENT ON COLUMN auditspine.publication.chain_hash IS 'chain_hash of that entry, which commits to all before it in the lane';
COMMENT ON COLUMN auditspine.publication.db_user IS 'session user';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.publication
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

SELECT pg_catalog.pg_extension_config_dump('auditspine.publication', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.publication_id_seq', '');

CREATE TYPE auditspine.chain_head AS (
    chain      text,
    chain_id   integer,
    lane       integer,
    pos        bigint,
    seq        bigint,
    chain_hash bytea
);
COMMENT ON TYPE auditspine.chain_head IS 'the last entry of a lane';

CREATE TYPE auditspine.publication_verdict AS (
    ok                 boolean,
    lines              bigint,
    heads              bigint,
    findings           bigint,
    restored           boolean,
    first_bad_line     bigint,
    first_published_at timestamptz,
    last_published_at  timestamptz
);
COMMENT ON TYPE auditspine.publication_verdict IS 'what published lines, held against the database, say';

CREATE TYPE auditspine.publication_finding AS (
    line         bigint,
    chain        text,
    lane         integer,
    pos          bigint,
    seq          bigint,
    published_at timestamptz,
    finding      text,
    detail       text,
    expected     bytea,
    found        bytea
);
COMMENT ON TYPE auditspine.publication_finding IS 'one published line that the database does not bear out, and the evidence';

CREATE FUNCTION @extschema@.chain_heads(chain text DEFAULT NULL) RETURNS SETOF auditspine.chain_head
    LANGUAGE c VOLATILE PARALLEL RESTRICTED CALLED ON NULL INPUT
    COST 1000 ROWS 32
    AS 'MODULE_PATHNAME', 'auditspine_chain_heads';
COMMENT ON FUNCTION @extschema@.chain_heads(text) IS
    'the last entry of each lane of a chain (NULL: of all), as it is at this moment';

CREATE FUNCTION @extschema@.publish_head(chain text DEFAULT NULL)
    RETURNS TABLE (heads bigint, published_at timestamptz, file text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_publish_head';
REVOKE ALL ON FUNCTION @extschema@.publish_head(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.publish_head(text) IS
    'appends the heads of a chain (NULL: of all) to the file auditspine.publish_file, as lines of JSON, and records them';

CREATE FUNCTION @extschema@.verify_publication(lines text) RETURNS SETOF auditspine.publication_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_publication';
COMMENT ON FUNCTION @extschema@.verify_publication(text) IS
    'holds published lines against the database; one row';

CREATE FUNCTION @extschema@.publication_findings(lines text) RETURNS SETOF auditspine.publication_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_publication_findings';
COMMENT ON FUNCTION @extschema@.publication_findings(text) IS
    'as verify_publication(), but lists every line that the database does not bear out, with the evidence';

CREATE FUNCTION @extschema@.verify_publication_file(path text) RETURNS SETOF auditspine.publication_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_publication_file';
COMMENT ON FUNCTION @extschema@.verify_publication_file(text) IS
    'as verify_publication(), of a file on the server; who may read it is up to pg_read_binary_file()';

CREATE FUNCTION @extschema@.publication_file_findings(path text) RETURNS SETOF auditspine.publication_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_publication_file_findings';
COMMENT ON FUNCTION @extschema@.publication_file_findings(text) IS
    'as publication_findings(), of a file on the server; who may read it is up to pg_read_binary_file()';

-- 70-auditor.sql
-- The role of an auditor: reads and verifies everything, and changes nothing.

CREATE FUNCTION @extschema@.grant_auditor(auditor regrole) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'grant_auditor_wrapper';
REVOKE ALL ON FUNCTION @extschema@.grant_auditor(regrole) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.grant_auditor(regrole) IS
    'lets a role read the audit''s state and the tables audited now, and verify them; call it again after attaching tables';

CREATE FUNCTION @extschema@.revoke_auditor(auditor regrole) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'revoke_auditor_wrapper';
REVOKE ALL ON FUNCTION @extschema@.revoke_auditor(regrole) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.revoke_auditor(regrole) IS
    'takes from a role what grant_auditor() gives it';

-- 80-adopt.sql
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
