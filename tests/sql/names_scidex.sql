-- Blueprint scidex under the names of its document: the event tables, the chain and its columns, what the platform calls, the
-- trigger function, the role. What is missing, or is otherwise, is listed: nothing.
SET client_min_messages = warning;
SET intervalstyle = postgres;
SELECT install_blueprint('scidex');
RESET client_min_messages;
CREATE TABLE wanted_column (tab text, col text, type text);
INSERT INTO wanted_column VALUES
    ('scidex.artifact_provenance', 'action_id', 'text'), ('scidex.task_events', NULL, NULL), ('scidex.senate_alerts', 'kind', 'text'),
    ('scidex.senate_alerts', 'severity', 'text'), ('scidex.senate_alerts', 'seq', 'bigint'), ('scidex.senate_alerts', 'event_pk', 'text'),
    ('scidex.comment_classifier_runs', NULL, NULL), ('scidex.sandbox_audit_event', NULL, NULL),
    ('scidex.actor_write_trip_event', NULL, NULL), ('scidex.senate_pause', NULL, NULL), ('scidex.audit_log', NULL, NULL);
INSERT INTO wanted_column
SELECT tab, col, type FROM (VALUES ('auditspine.audit_chain'), ('scidex.audit_chain')) AS t (tab),
    (VALUES ('seq', 'bigint'), ('event_kind', 'text'), ('event_pk', 'text'), ('event_hash', 'bytea'), ('prev_hash', 'bytea'),
            ('chain_hash', 'bytea'), ('appended_at', 'timestamp with time zone')) AS c (col, type);
SELECT w.*, format_type(a.atttypid, a.atttypmod) AS there FROM wanted_column AS w
LEFT JOIN pg_attribute AS a ON a.attrelid = to_regclass(w.tab) AND a.attname = w.col AND NOT a.attisdropped
WHERE to_regclass(w.tab) IS NULL OR w.col IS NOT NULL AND format_type(a.atttypid, a.atttypmod) IS DISTINCT FROM w.type;
-- The view has these columns and no others, in this order.
SELECT string_agg(attname, ' ' ORDER BY attnum) AS audit_chain FROM pg_attribute WHERE attrelid = 'scidex.audit_chain'::regclass AND attnum > 0;
-- Whatever else the tables have may be left out.
SELECT a.attrelid::regclass AS table_name, a.attname FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid AND c.relkind = 'r'
WHERE c.relnamespace = 'scidex'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
  AND (a.attrelid, a.attname) NOT IN (SELECT to_regclass(tab), col FROM wanted_column WHERE col IS NOT NULL);
-- What the chain may not be null in, and what it is looked up by.
SELECT attname FROM pg_attribute WHERE attrelid = 'auditspine.audit_chain'::regclass AND NOT attnotnull
   AND attname IN ('seq', 'event_kind', 'event_hash', 'prev_hash', 'chain_hash', 'appended_at');
SELECT count(*) AS by_kind_and_pk FROM pg_proc WHERE oid = to_regprocedure('auditspine.places_of(text, text[])');

CREATE TABLE wanted_function (name text, arguments text, result text);
INSERT INTO wanted_function VALUES
    ('scidex.append', 'event_kind text, event_pk text, payload jsonb', 'scidex.audit_chain'),
    ('scidex.verify', 'start_seq bigint DEFAULT 1, end_seq bigint DEFAULT NULL::bigint', 'scidex.verify_report'),
    ('scidex.get_head', '', 'TABLE(seq bigint, chain_hash bytea, appended_at timestamp with time zone)'),
    ('scidex.publish_head', '', 'TABLE(heads bigint, published_at timestamp with time zone, file text)'),
    ('scidex.verify_and_alert', '"from" timestamp with time zone DEFAULT (now() - ''1 day''::interval), "to" timestamp with time zone DEFAULT now()',
     'TABLE(layer text, subject text, ok boolean, checked bigint, findings bigint, first_bad_seq bigint, detail text)'),
    ('scidex.backfill_audit_chain', '', NULL),
    ('public.audit_chain_append', '', 'trigger');
SELECT w.* FROM wanted_function AS w
WHERE NOT EXISTS (
    SELECT FROM pg_proc AS p WHERE p.pronamespace || '.' || p.proname = (SELECT n.oid || '.' || split_part(w.name, '.', 2) FROM pg_namespace AS n WHERE n.nspname = split_part(w.name, '.', 1))
      AND pg_get_function_arguments(p.oid) = w.arguments AND pg_get_function_result(p.oid) IS NOT DISTINCT FROM w.result);
SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum) AS verify_report FROM pg_attribute
WHERE attrelid = 'scidex.verify_report'::regclass AND attnum > 0;
SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = 'scidex_audit_ro';

SELECT count(DISTINCT tab) AS tables, count(col) AS columns, (SELECT count(*) FROM wanted_function) AS functions FROM wanted_column;
DROP OWNED BY scidex_audit_ro;
DO $$ BEGIN DROP ROLE scidex_audit_ro; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $$; -- Of another database, too.
