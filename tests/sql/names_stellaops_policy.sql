-- Blueprint stellaops, schemas policy, scheduler, notify and orchestrator: the catalogue against the names of the document.
-- What is missing or differs is told; there is to be nothing.
\pset format unaligned
SELECT install_blueprint('stellaops');

-- Columns by table: name, type, and ! where the document wants a value (NOT NULL, PRIMARY KEY).
CREATE TABLE wanted (tab regclass, columns text[]);
INSERT INTO wanted VALUES
    ('policy.policies', '{policy_id uuid!,tenant_id uuid!,name varchar(255),version integer,state varchar(50),yaml_content text,compiled_ir jsonb,ir_hash varchar(100),created_at timestamptz,updated_at timestamptz}'),
    ('policy.policy_runs', '{run_id uuid!,policy_id uuid,tenant_id uuid!,cursor jsonb,stats jsonb,determinism_hash varchar(100),started_at timestamptz,completed_at timestamptz}'),
    ('policy.exceptions', '{exception_id uuid!,tenant_id uuid!,policy_id uuid,component_purl text,vulnerability_id varchar(100),effect varchar(50),approval_level varchar(10),expires_at timestamptz,created_at timestamptz,created_by varchar(255)}'),
    ('policy.exception_approval_audit', '{audit_id uuid!,exception_id uuid,approval_level varchar(10),approver_id varchar(255),approved_at timestamptz,comment text}'),
    ('policy.schema_migrations', '{version integer!,description text,applied_at timestamptz,checksum varchar(64)}'),
    ('scheduler.schedules', '{schedule_id varchar(100)!,tenant_id uuid!,name varchar(255),enabled boolean,cron_expression varchar(100),timezone varchar(50),mode varchar(50),selection jsonb,notify jsonb,limits jsonb,created_at timestamptz,updated_at timestamptz}'),
    ('scheduler.runs', '{run_id varchar(100)!,tenant_id uuid!,schedule_id varchar(100),trigger varchar(50),state varchar(50),stats jsonb,deltas jsonb,created_at timestamptz,started_at timestamptz,finished_at timestamptz,error text}'),
    ('scheduler.run_summaries', '{summary_id varchar(200)!,tenant_id uuid!,schedule_id varchar(100),last_run jsonb,recent jsonb[],counters jsonb,updated_at timestamptz}'),
    ('scheduler.impact_snapshots', '{}'),
    ('scheduler.schema_migrations', '{version integer!,description text,applied_at timestamptz,checksum varchar(64)}'),
    ('notify.rules', '{rule_id uuid!,tenant_id uuid!,name varchar(255),match jsonb,actions jsonb,enabled boolean,created_at timestamptz,updated_at timestamptz,deleted_at timestamptz}'),
    ('notify.channels', '{channel_id uuid!,tenant_id uuid!,name varchar(255),type varchar(50),config jsonb,created_at timestamptz,updated_at timestamptz,deleted_at timestamptz}'),
    ('notify.templates', '{template_id uuid!,channel_type varchar(50),key varchar(100),locale varchar(10),render_mode varchar(50),body text,created_at timestamptz,updated_at timestamptz}'),
    ('notify.delivery_log', '{delivery_id uuid!,rule_id uuid,channel_id uuid,event_id uuid,status varchar(50),delivered_at timestamptz,error text}'),
    ('notify.schema_migrations', '{version integer!,description text,applied_at timestamptz,checksum varchar(64)}'),
    ('orchestrator.workflows', '{}'),
    ('orchestrator.tasks', '{}'),
    ('orchestrator.task_runs', '{}'),
    ('orchestrator.schema_migrations', '{version integer!,description text,applied_at timestamptz,checksum varchar(64)}');

CREATE VIEW wanted_column AS
    SELECT tab, split_part(c, ' ', 1) AS name,
           replace(replace(rtrim(split_part(c, ' ', 2), '!'), 'varchar', 'character varying'), 'timestamptz', 'timestamp with time zone') AS type,
           c LIKE '%!' AS required
    FROM wanted CROSS JOIN unnest(columns) AS c;
CREATE VIEW there AS
    SELECT a.attrelid::regclass AS tab, a.attname::text AS name, format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS required, a.atthasdef OR a.attidentity <> '' AS has_default
    FROM pg_attribute AS a WHERE a.attrelid IN (SELECT tab FROM wanted) AND a.attnum > 0 AND NOT a.attisdropped;
SELECT w.tab, w.name, w.type AS wanted, t.type AS there, w.required FROM wanted_column AS w LEFT JOIN there AS t USING (tab, name)
WHERE (w.type, w.required) IS DISTINCT FROM (t.type, t.required);
-- Columns beyond the document's that an INSERT of its columns would have to name.
SELECT t.tab, t.name FROM there AS t LEFT JOIN wanted_column AS w USING (tab, name) WHERE w.name IS NULL AND t.required AND NOT t.has_default;
-- Columns beyond the document's that have a name which the document has in another table of the schema: they would make its joins ambiguous.
SELECT t.tab, t.name FROM there AS t JOIN wanted AS n ON n.tab = t.tab AND n.columns <> '{}' LEFT JOIN wanted_column AS w ON w.tab = t.tab AND w.name = t.name
WHERE w.name IS NULL AND t.name IN (SELECT o.name FROM wanted_column AS o WHERE split_part(o.tab::text, '.', 1) = split_part(t.tab::text, '.', 1));
-- Tables beyond the document's in these schemas.
SELECT c.oid::regclass FROM pg_class AS c WHERE relnamespace::regnamespace::text IN ('policy', 'scheduler', 'notify', 'orchestrator') AND relkind IN ('r', 'p') AND c.oid NOT IN (SELECT tab FROM wanted);

-- Keys: primary ones of one column each, the first; references; and no unique constraint that the document has not.
SELECT w.tab, k.conkey FROM wanted AS w LEFT JOIN pg_constraint AS k ON k.conrelid = w.tab AND k.contype = 'p'
WHERE k.conkey IS DISTINCT FROM ARRAY[1::int2];
CREATE TABLE reference (tab regclass, name text, target regclass);
INSERT INTO reference VALUES
    ('policy.policy_runs', 'policy_id', 'policy.policies'), ('policy.exception_approval_audit', 'exception_id', 'policy.exceptions'),
    ('scheduler.runs', 'schedule_id', 'scheduler.schedules'), ('notify.delivery_log', 'rule_id', 'notify.rules'), ('notify.delivery_log', 'channel_id', 'notify.channels');
CREATE VIEW reference_there AS
    SELECT k.conrelid::regclass AS tab, a.attname::text AS name, k.confrelid::regclass AS target
    FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum] WHERE k.contype = 'f';
SELECT * FROM reference EXCEPT SELECT * FROM reference_there;
-- Of the document's columns, none refers to anything else.
SELECT t.* FROM reference_there AS t JOIN wanted_column USING (tab, name) EXCEPT SELECT * FROM reference;
SELECT k.conrelid::regclass AS tab, k.conname FROM pg_constraint AS k
WHERE k.contype IN ('u', 'x') AND k.conrelid IN (SELECT tab FROM wanted WHERE columns <> '{}')
  AND NOT EXISTS (SELECT FROM pg_attribute AS a LEFT JOIN wanted_column AS w ON w.tab = a.attrelid AND w.name = a.attname WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND w.name IS NULL);

-- Allowed values: those of the document, and of its other columns any.
CREATE TABLE value_list (tab regclass, name text, allowed text[]);
INSERT INTO value_list VALUES
    ('policy.policies', 'state', '{DRAFT,SHADOW,ACTIVE,ENFORCING}'), ('policy.exceptions', 'effect', '{suppress,defer,downgrade,require_control}'),
    ('policy.exceptions', 'approval_level', '{G0,G1,G2,G3,G4}'), ('policy.exception_approval_audit', 'approval_level', '{G0,G1,G2,G3,G4}'),
    ('notify.channels', 'type', '{slack,teams,email,webhook}');
CREATE VIEW value_there AS
    SELECT k.conrelid::regclass AS tab, a.attname::text AS name,
           (SELECT array_agg(m[1]) FROM regexp_matches(pg_get_constraintdef(k.oid), '''([^'']*)''', 'g') AS m) AS allowed
    FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
    JOIN wanted_column AS w ON w.tab = k.conrelid AND w.name = a.attname WHERE k.contype = 'c';
SELECT * FROM value_list AS w FULL JOIN value_there AS t USING (tab, name) WHERE w.allowed IS DISTINCT FROM t.allowed;
-- Rules on several columns concern ours alone, or the effect beside ours.
SELECT k.conrelid::regclass AS tab, k.conname FROM pg_constraint AS k
WHERE k.contype = 'c' AND cardinality(k.conkey) > 1 AND k.conrelid IN (SELECT tab FROM wanted WHERE columns <> '{}') ORDER BY 2;

-- Tables of a policy's findings, and what is read from the chain: views and functions, by argument and column.
INSERT INTO policy.policies (policy_id, tenant_id) VALUES ('0b5f4cc0-93b5-4a0a-9d5a-6d4d0e0d4a11', '00000000-0000-4000-8000-00000000000a');
SELECT policy.create_effective_finding('0b5f4cc0-93b5-4a0a-9d5a-6d4d0e0d4a11');
SELECT to_regclass('policy."effective_finding_0b5f4cc0-93b5-4a0a-9d5a-6d4d0e0d4a11"') IS NOT NULL AS findings,
       to_regclass('policy."effective_finding_0b5f4cc0-93b5-4a0a-9d5a-6d4d0e0d4a11_history"') IS NOT NULL AS history;
SELECT attrelid::regclass AS view, string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS columns
FROM pg_attribute WHERE attrelid IN ('scanner.events'::regclass, 'vuln.drift'::regclass, 'policy.evaluated'::regclass, 'scheduler.jobs'::regclass, 'notify.delivery'::regclass,
    'policy.undetermined_runs'::regclass, 'policy.exceptions_in_force'::regclass) GROUP BY 1 ORDER BY attrelid::regclass::text COLLATE "C";
SELECT p.oid::regproc AS function, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result FROM pg_proc AS p
WHERE pronamespace::regnamespace::text IN ('policy', 'scheduler', 'notify', 'orchestrator') ORDER BY p.oid::regproc::text COLLATE "C";

SELECT count(*) AS tables, sum(cardinality(columns)) AS columns, count(*) + sum(cardinality(columns)) AS names,
       (SELECT count(*) FROM wanted_column AS w JOIN there AS t USING (tab, name, type, required)) + count(*) AS held FROM wanted;
