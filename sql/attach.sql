-- Attaching tables to the audit: audit_attach() and audit_detach(), the view of what is attached, and the
-- event trigger that follows partitions and columns.

CREATE FUNCTION @extschema@.audit_refuse_change() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'auditspine_refuse_audited_change';
REVOKE ALL ON FUNCTION @extschema@.audit_refuse_change() FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_refuse_change() IS
    'trigger: refuses UPDATE, DELETE and TRUNCATE of a table that is audited as append-only';

CREATE FUNCTION @extschema@.audit_attach(
    target         regclass,
    kind           text    DEFAULT NULL,
    chain          text    DEFAULT 'main',
    chain_by       text[]  DEFAULT NULL,
    pk             text[]  DEFAULT NULL,
    payload        text    DEFAULT 'hash',
    exclude        text[]  DEFAULT '{}',
    append_only    boolean DEFAULT false,
    backfill       boolean DEFAULT false,
    skip_unchanged boolean DEFAULT false
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'audit_attach_table_wrapper';
-- It attaches triggers with the caller's rights; whoever may use it can write entries of any kind that is free.
REVOKE ALL ON FUNCTION @extschema@.audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean, boolean)
    FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_attach(regclass, text, text, text[], text[], text, text[], boolean, boolean, boolean) IS
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

CREATE FUNCTION @extschema@.audit_rebaseline(target regclass) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'audit_rebaseline_wrapper';
REVOKE ALL ON FUNCTION @extschema@.audit_rebaseline(regclass) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.audit_rebaseline(regclass) IS
    'verifies the rows of a table and records each anew, under its present key and columns: verification begins with these entries; answers how many';

-- What the triggers' arguments (pg_trigger.tgargs) declare.
CREATE FUNCTION auditspine.declared(arguments bytea, part text) RETURNS text[]
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'declared_wrapper';
COMMENT ON FUNCTION auditspine.declared(bytea, text) IS
    'one part of what a trigger declares (kind, pk, chain, chain_by, payload, exclude, unchanged); null if it is left out';

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
       coalesce(e.entries, 0) AS entries,
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
-- All kinds at once; not at all where the numbers are not asked for.
LEFT JOIN (
    SELECT a.event_kind, pg_catalog.count(*) AS entries FROM ONLY auditspine.audit_chain AS a GROUP BY a.event_kind
) AS e ON e.event_kind OPERATOR(pg_catalog.=) n.kind
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
COMMENT ON COLUMN auditspine.audited_table.skip_unchanged IS
    'whether an UPDATE that leaves the recorded columns as they were is no event';

-- Whoever may make a partition needs no right to the audit's functions. So this acts for the extension's owner,
-- but only once it has found what the command's names mean: hence no SECURITY DEFINER and no search_path here.
CREATE FUNCTION auditspine.on_ddl() RETURNS event_trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'auditspine_on_ddl';
REVOKE ALL ON FUNCTION auditspine.on_ddl() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.on_ddl() IS
    'event trigger: audits partitions that come, records those that leave, and new column layouts';

-- Whatever its tag: ALTER VIEW … RENAME COLUMN renames a table's column as well. The function looks at the command first.
CREATE EVENT TRIGGER auditspine_ddl ON ddl_command_end
    EXECUTE FUNCTION auditspine.on_ddl();
ALTER EVENT TRIGGER auditspine_ddl ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER auditspine_ddl IS 'keeps partitions and column changes of audited tables in the audit';

-- As above. Anything that is dropped may take columns and partitions with it.
CREATE FUNCTION auditspine.on_dropped() RETURNS event_trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'auditspine_on_dropped';
REVOKE ALL ON FUNCTION auditspine.on_dropped() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.on_dropped() IS
    'event trigger: records partitions that were dropped, and has triggers not name columns that are gone';

CREATE EVENT TRIGGER auditspine_dropped ON sql_drop
    EXECUTE FUNCTION auditspine.on_dropped();
ALTER EVENT TRIGGER auditspine_dropped ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER auditspine_dropped IS 'keeps dropped partitions and columns of audited tables in the audit';
