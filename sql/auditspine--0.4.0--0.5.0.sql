-- Made by scripts/upgrade-script of the numbered files in sql/0.5.0.

-- 10-names.sql
-- Names in views and function bodies are qualified, operators included. Whatever could have been chosen from among
-- objects that others had put into the schema of the extension is made anew.

CREATE OR REPLACE VIEW auditspine.audited_table AS
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
       p.problem,
       auditspine.declared(t.tgargs, 'unchanged') IS NOT NULL AS skip_unchanged
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

CREATE OR REPLACE VIEW auditspine.blueprint AS
SELECT b.name, b.purpose, b.schemas, b.tables FROM auditspine.blueprints() AS b;

CREATE OR REPLACE FUNCTION auditspine.removals(kind text) RETURNS SETOF auditspine.audit_chain
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

-- For functions that take any types, one that takes these was a better match.
ALTER TABLE auditspine.auditor
    DROP CONSTRAINT auditor_check,
    ADD CONSTRAINT auditor_check CHECK (pg_catalog.num_nulls(chain, chain_setting) OPERATOR(pg_catalog.>) 0);

-- 20-state.sql
-- State that is held against the chain: runs, alerts, publications, auditors.

CREATE TABLE auditspine.open_break (
    break_digest    bytea PRIMARY KEY,
    verification_id bigint NOT NULL
);
COMMENT ON TABLE auditspine.open_break IS 'breaks that raised an alert and are not over: a full verification closes those that it no longer finds';
COMMENT ON COLUMN auditspine.open_break.break_digest IS 'as the alert has it';
COMMENT ON COLUMN auditspine.open_break.verification_id IS 'the run since which it is open';
SELECT pg_catalog.pg_extension_config_dump('auditspine.open_break', '');

COMMENT ON COLUMN auditspine.alert.evidence IS 'expected and found hash, neighbours, place in the chain; nothing of what rows contain';
COMMENT ON COLUMN auditspine.alert.occurrence IS 'above 1 if a full verification in between did not find it';

-- Until now a break was known until everything was found in order.
INSERT INTO auditspine.open_break (break_digest, verification_id)
SELECT a.break_digest, pg_catalog.max(a.verification_id)
FROM ONLY auditspine.alert AS a
WHERE NOT EXISTS (SELECT FROM ONLY auditspine.verification AS v
                  WHERE v.ok AND v.scope OPERATOR(pg_catalog.=) 'full' AND v.started_at OPERATOR(pg_catalog.>) a.raised_at)
GROUP BY a.break_digest;

-- 30-tenants.sql
-- Tenants' chains and operators' chains; who holds the audit's locks.

-- Whoever holds a lane keeps this from going on: what is locked for a chain depends on whose it is.
LOCK TABLE auditspine.audit_chain, auditspine.chain IN ACCESS EXCLUSIVE MODE;

-- A dump of an earlier version has rows without these columns.
ALTER TABLE auditspine.chain
    ADD COLUMN tenant text COLLATE "C" CONSTRAINT chain_tenant_key UNIQUE,
    ADD COLUMN origin text COLLATE "C" NOT NULL DEFAULT 'unknown',
    ADD CONSTRAINT chain_origin_check CHECK (
        origin OPERATOR(pg_catalog.=) ANY ('{operator,tenant,unknown}'::text[])
        AND (origin OPERATOR(pg_catalog.=) 'tenant') OPERATOR(pg_catalog.=) (tenant IS NOT NULL));
COMMENT ON COLUMN auditspine.chain.tenant IS 'whose chain it is: the value of the columns that chain_by names';
COMMENT ON COLUMN auditspine.chain.origin IS
    'operator: chain main, or made by create_chain(); tenant: made at a tenant''s first event; unknown: by an earlier version, see settle_chains()';

CREATE FUNCTION auditspine.settle_chains() RETURNS TABLE (chain text, tenant text)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $settle$
    LOCK TABLE auditspine.audit_chain, auditspine.chain IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE auditspine.chain DISABLE TRIGGER append_only;
    -- A tenant's chain was made at its first entry, and entries of tables with chain_by are all that is in it.
    WITH declared (kind, chain, by_column) AS (
        SELECT e.payload OPERATOR(pg_catalog.->>) 'kind', e.payload OPERATOR(pg_catalog.->>) 'chain',
               (e.payload OPERATOR(pg_catalog.->>) 'chain_by') IS NOT NULL
        FROM ONLY auditspine.audit_chain AS e
        WHERE e.event_kind OPERATOR(pg_catalog.=) 'auditspine.attach' AND e.op OPERATOR(pg_catalog.=) 'S'
        UNION
        SELECT a.kind, a.chain, a.chain_by IS NOT NULL FROM auditspine.audited_table AS a
    ), first_entry AS (
        SELECT c.chain_id, e.event_kind, e.op, e.appended_at OPERATOR(pg_catalog.-) c.created_at AS after
        FROM ONLY auditspine.chain AS c
        CROSS JOIN LATERAL (SELECT e.event_kind, e.op, e.appended_at FROM ONLY auditspine.audit_chain AS e
                            WHERE e.chain_id OPERATOR(pg_catalog.=) c.chain_id ORDER BY e.seq LIMIT 1) AS e
        WHERE c.origin OPERATOR(pg_catalog.=) 'unknown'
    ), theirs AS (
        SELECT c.chain_id
        FROM ONLY auditspine.chain AS c JOIN first_entry AS f ON f.chain_id OPERATOR(pg_catalog.=) c.chain_id
        WHERE c.chain_id OPERATOR(pg_catalog.<>) 1
          AND f.op OPERATOR(pg_catalog.=) ANY ('{I,U,D}'::"char"[])
          AND f.event_kind OPERATOR(pg_catalog.=) ANY (SELECT d.kind FROM declared AS d WHERE d.by_column)
          AND NOT EXISTS (SELECT FROM declared AS d WHERE d.chain OPERATOR(pg_catalog.=) c.name)
          AND (f.after OPERATOR(pg_catalog.<) '1 minute'::interval
               OR NOT EXISTS (SELECT FROM ONLY auditspine.audit_chain AS e
                              WHERE e.chain_id OPERATOR(pg_catalog.=) c.chain_id
                                AND NOT (e.op OPERATOR(pg_catalog.=) ANY ('{I,U,D}'::"char"[])
                                         AND e.event_kind OPERATOR(pg_catalog.=) ANY (SELECT d.kind FROM declared AS d WHERE d.by_column))))
    )
    UPDATE auditspine.chain AS c
    SET origin = CASE WHEN t.is_theirs THEN 'tenant' ELSE 'operator' END,
        tenant = CASE WHEN t.is_theirs THEN c.name END
    FROM (SELECT k.chain_id,
                 k.chain_id OPERATOR(pg_catalog.=) ANY (SELECT t.chain_id FROM theirs AS t) AS is_theirs
          FROM ONLY auditspine.chain AS k WHERE k.origin OPERATOR(pg_catalog.=) 'unknown') AS t
    WHERE c.chain_id OPERATOR(pg_catalog.=) t.chain_id
      -- Whose chain has been made meanwhile keeps that.
      AND NOT EXISTS (SELECT FROM ONLY auditspine.chain AS o WHERE t.is_theirs AND o.tenant OPERATOR(pg_catalog.=) c.name);
    -- Other sessions are told by this that chains are to be looked up again.
    ALTER TABLE auditspine.chain ENABLE TRIGGER append_only;
    SELECT c.name, c.tenant FROM ONLY auditspine.chain AS c ORDER BY c.chain_id;
$settle$;
REVOKE ALL ON FUNCTION auditspine.settle_chains() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.settle_chains() IS
    'says of chains from a dump of an earlier version whose they are, by their entries and by the triggers that there are; lists all chains';
SELECT pg_catalog.count(*) FROM auditspine.settle_chains();

-- What a setting lets be seen was told by the name of the chain; and chain main could be granted.
DO $policies$
DECLARE
    of_role record;
BEGIN
    FOR of_role IN
        SELECT p.polname FROM pg_catalog.pg_policy AS p
        JOIN pg_catalog.pg_roles AS r ON p.polroles OPERATOR(pg_catalog.=) ARRAY[r.oid]
        JOIN auditspine.auditor AS a ON a.role_name OPERATOR(pg_catalog.=) r.rolname
        WHERE p.polrelid OPERATOR(pg_catalog.=) 'auditspine.chain'::regclass
          AND (a.chain_setting IS NOT NULL OR a.chain OPERATOR(pg_catalog.=) 'main')
    LOOP
        EXECUTE pg_catalog.format('DROP POLICY %I ON auditspine.chain', of_role.polname);
    END LOOP;
    -- Its trigger makes those that are missing.
    UPDATE auditspine.auditor SET role_name = role_name WHERE false;
END
$policies$;

COMMENT ON COLUMN auditspine.auditor.chain_setting IS
    'the setting that names the one tenant whose chain it sees; without both, the role sees all';

-- Not for everybody: it tells what others are at.
CREATE VIEW auditspine.lock AS
SELECT k.what, k.granted, k.pid, k.gid, k.usename, k.since, k.chains, k.lane
FROM (
    SELECT CASE WHEN l.objsubid OPERATOR(pg_catalog.=) 3 THEN 'lane'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 4 THEN 'making a chain'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 5 THEN 'attaching a table'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 6 THEN 'backfill'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 7 THEN 'making spine tables'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 8 THEN 'installing a blueprint'
                ELSE 'verification' END AS what,
           l.granted, l.pid, x.gid,
           coalesce(a.usename, x.owner) AS usename,
           coalesce(a.xact_start, x.prepared) AS since,
           CASE WHEN l.objsubid OPERATOR(pg_catalog.=) 3 THEN
               (SELECT pg_catalog.array_agg(c.name ORDER BY c.name)
                FROM ONLY auditspine.chain AS c
                WHERE CASE WHEN c.origin OPERATOR(pg_catalog.=) 'operator'
                           THEN c.chain_id::bigint OPERATOR(pg_catalog.+) 1024::bigint
                           ELSE (c.chain_id OPERATOR(pg_catalog.%) 1024)::bigint END
                      OPERATOR(pg_catalog.=) l.classid::bigint) END AS chains,
           CASE WHEN l.objsubid OPERATOR(pg_catalog.=) 3 THEN l.objid::bigint::integer END AS lane
    FROM pg_catalog.pg_locks AS l
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid
    -- The lock that a prepared transaction has on itself tells which it is.
    LEFT JOIN pg_catalog.pg_locks AS own
           ON l.pid IS NULL AND own.pid IS NULL AND own.locktype OPERATOR(pg_catalog.=) 'transactionid'
          AND own.virtualtransaction OPERATOR(pg_catalog.=) l.virtualtransaction
    LEFT JOIN pg_catalog.pg_prepared_xacts AS x ON x.transaction OPERATOR(pg_catalog.=) own.transactionid
    WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory'
      AND l.objsubid OPERATOR(pg_catalog.>=) 3 AND l.objsubid OPERATOR(pg_catalog.<=) 9
      AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
                                              WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
) AS k;
COMMENT ON VIEW auditspine.lock IS 'who holds, or waits for, locks of the audit in this database';
COMMENT ON COLUMN auditspine.lock.what IS 'what the lock is for';
COMMENT ON COLUMN auditspine.lock.granted IS 'whether it is held, or waited for';
COMMENT ON COLUMN auditspine.lock.pid IS 'the server process; null for a prepared transaction';
COMMENT ON COLUMN auditspine.lock.gid IS 'the prepared transaction';
COMMENT ON COLUMN auditspine.lock.usename IS 'whose session it is, or who prepared the transaction';
COMMENT ON COLUMN auditspine.lock.since IS 'when the transaction began, or was prepared';
COMMENT ON COLUMN auditspine.lock.chains IS 'the chains that share the lock of a lane';
COMMENT ON COLUMN auditspine.lock.lane IS 'number of the lane';

-- 40-guards.sql
-- Guards of the extension's own tables.

-- A publication FOR ALL TABLES brings the publisher's state, which is none of ours.
CREATE FUNCTION auditspine.keep_replicated_out() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_keep_replicated_out';
REVOKE ALL ON FUNCTION auditspine.keep_replicated_out() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.keep_replicated_out() IS
    'trigger: passes over rows that logical replication brings, and refuses its TRUNCATE';

-- Fired by what runs as a replica alone, such as workers of a subscription.
DO $guards$
DECLARE
    state pg_catalog.regclass;
BEGIN
    FOR state IN
        SELECT c.oid FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_depend AS d
          ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
         AND d.objid OPERATOR(pg_catalog.=) c.oid AND d.deptype OPERATOR(pg_catalog.=) 'e'::"char"
        JOIN pg_catalog.pg_extension AS e
          ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
         AND d.refobjid OPERATOR(pg_catalog.=) e.oid AND e.extname OPERATOR(pg_catalog.=) 'auditspine'
        WHERE c.relkind OPERATOR(pg_catalog.=) 'r'::"char"
          AND c.relnamespace OPERATOR(pg_catalog.=) 'auditspine'::pg_catalog.regnamespace
        ORDER BY c.relname COLLATE "C"
    LOOP
        EXECUTE pg_catalog.format('CREATE TRIGGER replicated BEFORE INSERT OR UPDATE OR DELETE ON %s
            FOR EACH ROW EXECUTE FUNCTION auditspine.keep_replicated_out()', state);
        EXECUTE pg_catalog.format('CREATE TRIGGER replicated_truncate BEFORE TRUNCATE ON %s
            FOR EACH STATEMENT EXECUTE FUNCTION auditspine.keep_replicated_out()', state);
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE REPLICA TRIGGER replicated', state);
        EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE REPLICA TRIGGER replicated_truncate', state);
    END LOOP;
END
$guards$;

-- The owner of the schema that CREATE EXTENSION chose may drop it, and all that is in it, whoever owns that; or rename it, and
-- put another in its place, which those who name it would find. A backend that has loaded the library refuses the first
-- (src/pg/dropping.rs); this loads it, and refuses the second.
CREATE FUNCTION auditspine.on_drop() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_on_drop';
REVOKE ALL ON FUNCTION auditspine.on_drop() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.on_drop() IS
    'event trigger: has only the owner of the extension drop it, also with a schema, and rename its schema';

CREATE EVENT TRIGGER auditspine_drop ON ddl_command_start
    WHEN TAG IN ('DROP SCHEMA', 'DROP OWNED', 'ALTER SCHEMA')
    EXECUTE FUNCTION auditspine.on_drop();
ALTER EVENT TRIGGER auditspine_drop ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER auditspine_drop IS 'keeps the extension from being dropped with its schema, and its schema from being renamed, by who does not own it';

-- 50-findings.sql
-- The catalogue of findings: what each means, and what to do.

CREATE FUNCTION auditspine.finding_kinds()
    RETURNS TABLE (layer text, finding text, severity text, meaning text, action text)
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    ROWS 90
    AS 'MODULE_PATHNAME', 'finding_kinds_wrapper';
COMMENT ON FUNCTION auditspine.finding_kinds() IS 'what the view finding_kind shows';

CREATE VIEW auditspine.finding_kind AS
SELECT k.layer, k.finding, k.severity, k.meaning, k.action FROM auditspine.finding_kinds() AS k;
COMMENT ON VIEW auditspine.finding_kind IS 'every kind of finding: what it means, and what to do';
COMMENT ON COLUMN auditspine.finding_kind.layer IS 'what is verified where it can be found; links, rows, heads, keys, adopted and state as in alerts, spines of spine_findings()';
COMMENT ON COLUMN auditspine.finding_kind.finding IS 'its stable name; several layers can have kinds of one name';
COMMENT ON COLUMN auditspine.finding_kind.severity IS 'critical, or notice: a notice leaves the verdict ok, and raises no alert';
COMMENT ON COLUMN auditspine.finding_kind.meaning IS 'what was found';
COMMENT ON COLUMN auditspine.finding_kind.action IS 'what to do';
GRANT SELECT ON auditspine.finding_kind TO PUBLIC;
