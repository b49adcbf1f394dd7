-- Blueprint findings: the names of the system that it is, held against the catalog. Applications are written against
-- these; what is missing, or is of another type, is printed.
SELECT install_blueprint('findings');

-- Tables and columns in their order, SQLAlchemy's types, what is required, defaults.
CREATE TABLE named_column (table_name text, number integer, column_name text, type text, required boolean, standard text);
INSERT INTO named_column VALUES
    ('scans', 1, 'id', 'integer', true, 'identity'),
    ('scans', 2, 'project_name', 'character varying', false, NULL),
    ('scans', 3, 'commit_sha', 'character varying', false, NULL),
    ('scans', 4, 'timestamp', 'timestamp without time zone', false, '(now() AT TIME ZONE ''UTC''::text)'),
    ('scans', 5, 'reference_id', 'character varying', false, NULL),
    ('scans', 6, 'status', 'character varying', false, '''pending''::character varying'),
    ('scans', 7, 'source_platform', 'character varying', false, NULL),
    ('scans', 8, 'repo_url', 'character varying', false, NULL),
    ('scans', 9, 'branch', 'character varying', false, NULL),
    ('findings', 1, 'id', 'integer', true, 'identity'),
    ('findings', 2, 'scan_id', 'integer', false, NULL),
    ('findings', 3, 'tool', 'character varying', false, NULL),
    ('findings', 4, 'rule_id', 'character varying', false, NULL),
    ('findings', 5, 'file', 'character varying', false, NULL),
    ('findings', 6, 'line', 'integer', false, NULL),
    ('findings', 7, 'severity', 'character varying', false, NULL),
    ('findings', 8, 'triage_decision', 'character varying', false, NULL),
    ('findings', 9, 'ai_verdict', 'character varying', false, NULL),
    ('findings', 10, 'ai_confidence', 'double precision', false, NULL),
    ('findings', 11, 'ai_reasoning', 'text', false, NULL),
    ('findings', 12, 'remediation_patch', 'text', false, NULL),
    ('findings', 13, 'red_team_success', 'boolean', false, NULL),
    ('feedbacks', 1, 'id', 'integer', true, 'identity'),
    ('feedbacks', 2, 'finding_id', 'integer', false, NULL),
    ('feedbacks', 3, 'user_verdict', 'character varying', false, NULL),
    ('feedbacks', 4, 'comments', 'text', false, NULL),
    ('feedbacks', 5, 'timestamp', 'timestamp without time zone', false, '(now() AT TIME ZONE ''UTC''::text)'),
    ('pipeline_metrics', 1, 'id', 'integer', true, 'identity'),
    ('pipeline_metrics', 2, 'scan_id', 'integer', false, NULL),
    ('pipeline_metrics', 3, 'build_duration_seconds', 'double precision', false, NULL),
    -- Wider than the model's Integer, which ends at 2 GB.
    ('pipeline_metrics', 4, 'artifact_size_bytes', 'bigint', false, NULL),
    ('pipeline_metrics', 5, 'num_changed_files', 'integer', false, NULL),
    ('epss_data', 1, 'cve_id', 'character varying', true, NULL),
    ('epss_data', 2, 'probability', 'double precision', false, NULL),
    ('epss_data', 3, 'percentile', 'double precision', false, NULL);
CREATE VIEW there AS
SELECT c.relname::text AS table_name, a.attnum::integer AS number, a.attname::text AS column_name, format_type(a.atttypid, a.atttypmod) AS type,
       a.attnotnull AS required,
       -- An identity that takes the number that an INSERT gives, too.
       CASE WHEN a.attidentity = 'd' THEN 'identity' ELSE pg_get_expr(d.adbin, d.adrelid) END AS standard, a.attidentity, a.attgenerated
FROM pg_class AS c
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'findings'::regnamespace AND c.relkind = 'r';
SELECT n.* FROM named_column AS n LEFT JOIN there AS t USING (table_name, column_name)
WHERE (n.number, n.type, n.required, n.standard) IS DISTINCT FROM (t.number, t.type, t.required, t.standard);
-- Columns beyond these may be left out of an INSERT: they have a value of their own, or none.
SELECT t.table_name, t.column_name FROM there AS t
WHERE t.table_name IN (SELECT table_name FROM named_column)
  AND (t.table_name, t.column_name) NOT IN (SELECT table_name, column_name FROM named_column)
  AND t.required AND t.standard IS NULL AND t.attidentity = '' AND t.attgenerated = '';

-- Keys and references. A scan may have several rows of metrics, or none: no other key but ours of feedbacks.
CREATE TABLE named_key (table_name text, definition text);
INSERT INTO named_key VALUES
    ('scans', 'PRIMARY KEY (id)'), ('findings', 'PRIMARY KEY (id)'), ('feedbacks', 'PRIMARY KEY (id)'),
    ('pipeline_metrics', 'PRIMARY KEY (id)'), ('epss_data', 'PRIMARY KEY (cve_id)'),
    ('findings', 'FOREIGN KEY (scan_id) REFERENCES findings.scans(id) ON DELETE CASCADE'),
    ('feedbacks', 'FOREIGN KEY (finding_id) REFERENCES findings.findings(id) ON DELETE CASCADE'),
    ('pipeline_metrics', 'FOREIGN KEY (scan_id) REFERENCES findings.scans(id) ON DELETE CASCADE'),
    ('feedbacks', 'UNIQUE (audit_key)');
CREATE VIEW key_there AS
SELECT c.relname::text AS table_name, pg_get_constraintdef(k.oid) AS definition
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
WHERE k.connamespace = 'findings'::regnamespace AND k.contype IN ('p', 'u', 'f') AND c.relname <> 'epss_loads';
SELECT coalesce(n.table_name, t.table_name) AS table_name, coalesce(n.definition, t.definition) AS definition, t.table_name IS NULL AS is_missing
FROM named_key AS n FULL JOIN key_there AS t USING (table_name, definition) WHERE n.table_name IS NULL OR t.table_name IS NULL;

-- Values that a column takes, where they are listed.
CREATE TABLE named_value (constraint_name text, values_taken text[]);
INSERT INTO named_value VALUES
    ('scans_status_check', '{completed,failed,pending,processing}'),
    ('findings_severity_check', '{Critical,High,Low,Medium}'),
    ('findings_triage_check', '{FP,TP}'),
    ('feedbacks_verdict_check', '{FP,TP}');
CREATE VIEW value_there AS
SELECT k.conname::text AS constraint_name, array_agg(v[1] ORDER BY v[1] COLLATE "C") AS values_taken
FROM pg_constraint AS k CROSS JOIN LATERAL regexp_matches(pg_get_constraintdef(k.oid), '''([A-Za-z]+)''::character varying', 'g') AS v
WHERE k.connamespace = 'findings'::regnamespace AND k.contype = 'c' GROUP BY k.conname;
SELECT coalesce(n.constraint_name, t.constraint_name) AS constraint_name, n.values_taken AS named, t.values_taken AS there
FROM named_value AS n FULL JOIN value_there AS t USING (constraint_name) WHERE n.values_taken IS DISTINCT FROM t.values_taken;

-- Indexes of what is looked up: a scan by its project or its UUID, what belongs to a scan or a finding.
CREATE TABLE named_index (definition text);
INSERT INTO named_index VALUES
    ('scans (project_name, "timestamp", id)'), ('scans (reference_id)'), ('findings (scan_id)'),
    ('findings (cve_id) WHERE (cve_id IS NOT NULL)'), ('feedbacks (finding_id)'), ('pipeline_metrics (scan_id)');
CREATE VIEW index_there AS
SELECT regexp_replace(indexdef, '^.* ON findings\.(.*) USING btree ', '\1 ') AS definition FROM pg_indexes
WHERE schemaname = 'findings' AND indexdef NOT LIKE 'CREATE UNIQUE %' AND tablename <> 'epss_loads';
SELECT coalesce(n.definition, t.definition) AS definition, t.definition IS NULL AS is_missing
FROM named_index AS n FULL JOIN index_there AS t USING (definition) WHERE n.definition IS NULL OR t.definition IS NULL;

-- Views and functions are ours; they take and return the tables' names.
CREATE TABLE named_view (view_name text, columns text);
INSERT INTO named_view VALUES
    ('finding_consensus', 'finding_id, tp, fp, user_verdict'),
    ('verdict_agreement', 'tool, severity, findings, tied, other, ai_tp_user_tp, ai_tp_user_fp, ai_fp_user_tp, ai_fp_user_fp, agreement, kappa'),
    ('deviating_runs', 'scan_id, project_name, timestamp, metric, value, previous, median, mad, score');
SELECT coalesce(n.view_name, t.view_name) AS view_name, t.columns FROM named_view AS n FULL JOIN (
    SELECT c.relname::text AS view_name, string_agg(a.attname, ', ' ORDER BY a.attnum) AS columns
    FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
    WHERE c.relnamespace = 'findings'::regnamespace AND c.relkind = 'v' GROUP BY c.relname) AS t USING (view_name)
WHERE n.columns IS DISTINCT FROM t.columns;
CREATE TABLE named_function (function_name text, arguments text, result text);
INSERT INTO named_function VALUES
    ('start_scan', 'project_name, commit_sha, source_platform, repo_url, branch, reference_id', 'integer'),
    ('finish_scan', 'scan_id, build_duration_seconds, artifact_size_bytes, num_changed_files, ai_tokens, ai_cost_usd, status', 'bigint'),
    ('load_sarif', 'scan_id, sarif', 'TABLE(tool character varying, findings bigint, skipped bigint)'),
    ('record_ai_verdict', 'finding_id, ai_verdict, ai_confidence, ai_reasoning, model, remediation_patch', 'void'),
    ('triage', 'finding_id, triage_decision, user_name', 'void'),
    ('record_feedback', 'finding_id, user_verdict, comments, user_name', 'integer'),
    ('verdict_history', 'finding_id', 'TABLE(seq bigint, changed_at timestamp with time zone, what text, old text, new text, by text, model text, actor text, db_user text)'),
    ('run_scores', 'for_project, min_runs, previous_runs',
     'TABLE(scan_id integer, project_name character varying, "timestamp" timestamp without time zone, metric text, value double precision, previous bigint, median double precision, mad double precision, score double precision)'),
    ('load_epss', 'date, rows, model_version', 'findings.epss_loads'),
    ('load_epss_csv', 'date, csv', 'findings.epss_loads');
SELECT n.* FROM named_function AS n LEFT JOIN pg_proc AS p ON p.pronamespace = 'findings'::regnamespace AND p.proname = n.function_name
WHERE n.arguments IS DISTINCT FROM array_to_string(p.proargnames[1:p.pronargs], ', ') OR n.result IS DISTINCT FROM pg_get_function_result(p.oid);

-- How many names are held, and how many of them are there.
SELECT 'tables' AS what, count(DISTINCT n.table_name) AS named, count(DISTINCT t.table_name) AS there
FROM named_column AS n LEFT JOIN there AS t USING (table_name)
UNION ALL SELECT 'columns', count(*), count(t.column_name) FROM named_column AS n LEFT JOIN there AS t USING (table_name, column_name, type)
UNION ALL SELECT 'keys and references', count(*), count(t.definition) FROM named_key AS n LEFT JOIN key_there AS t USING (table_name, definition)
UNION ALL SELECT 'lists of values', count(*), count(t.values_taken) FROM named_value AS n LEFT JOIN value_there AS t USING (constraint_name, values_taken)
UNION ALL SELECT 'indexes', count(*), count(t.definition) FROM named_index AS n LEFT JOIN index_there AS t USING (definition)
UNION ALL SELECT 'views', count(*), count(to_regclass('findings.' || view_name)) FROM named_view
UNION ALL SELECT 'functions', count(*), count(to_regproc('findings.' || function_name)) FROM named_function;
