-- Blueprint proofspine under the names of its document: each table, column, type, default, key, reference, index, function and
-- trigger that an application may rely on. What is missing, or is otherwise, is listed: nothing.
SELECT install_blueprint('proofspine');
CREATE TABLE wanted_column (tab text, col text, type text, nullable boolean, dflt text, place bigint);
INSERT INTO wanted_column
SELECT split_part(l, ' ', 1), split_part(l, ' ', 2), replace(split_part(l, ' ', 3), '_', ' '), split_part(l, ' ', 4) = 'null', NULLIF(split_part(l, ' ', 5), ''), row_number() OVER (PARTITION BY split_part(l, ' ', 1) ORDER BY line)
FROM regexp_split_to_table($$proof_spines spine_id text notnull
proof_spines artifact_id text notnull
proof_spines vuln_id text notnull
proof_spines policy_profile_id text notnull
proof_spines verdict text notnull
proof_spines verdict_reason text null
proof_spines root_hash text notnull
proof_spines scan_run_id text notnull
proof_spines segment_count integer notnull 0
proof_spines created_at_utc timestamp_with_time_zone notnull now()
proof_spines superseded_by_spine_id text null
proof_segments segment_id text notnull
proof_segments spine_id text notnull
proof_segments idx integer notnull
proof_segments segment_type text notnull
proof_segments input_hash text notnull
proof_segments result_hash text notnull
proof_segments prev_segment_hash text null
proof_segments envelope_json text notnull
proof_segments tool_id text notnull
proof_segments tool_version text notnull
proof_segments status text notnull 'Pending'::text
proof_segments created_at_utc timestamp_with_time_zone notnull now()
proof_spine_history history_id uuid notnull gen_random_uuid()
proof_spine_history spine_id text notnull
proof_spine_history action text notnull
proof_spine_history actor text null
proof_spine_history reason text null
proof_spine_history occurred_at_utc timestamp_with_time_zone notnull now()
proof_spine_verification_cache spine_id text notnull
proof_spine_verification_cache verified_at_utc timestamp_with_time_zone notnull now()
proof_spine_verification_cache verifier_version text notnull
proof_spine_verification_cache all_segments_valid boolean notnull
proof_spine_verification_cache invalid_segment_ids text[] null
proof_spine_verification_cache signature_algorithm text notnull
proof_spine_verification_cache key_fingerprint text notnull$$, '\n') WITH ORDINALITY AS w (l, line);
CREATE VIEW there_column AS
SELECT c.relname::text AS tab, a.attname::text AS col, format_type(a.atttypid, a.atttypmod) AS type, NOT a.attnotnull AS nullable,
       pg_get_expr(d.adbin, d.adrelid) AS dflt, a.attnum
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef AS d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relnamespace = 'scanner'::regnamespace AND c.relname IN (SELECT tab FROM wanted_column);
SELECT w.tab, w.col, t.type AS type_there, t.nullable AS nullable_there, t.dflt AS default_there
FROM wanted_column AS w LEFT JOIN there_column AS t USING (tab, col)
WHERE (t.type, t.nullable, t.dflt) IS DISTINCT FROM (w.type, w.nullable, w.dflt);
-- The first columns, in their order: an INSERT without a list of columns.
SELECT tab, col FROM wanted_column JOIN there_column USING (tab, col) WHERE attnum <> place;
-- What is beside them need not be written.
SELECT t.tab, t.col, t.nullable OR t.dflt IS NOT NULL AS may_be_left_out FROM there_column AS t
WHERE NOT EXISTS (SELECT FROM wanted_column AS w WHERE (w.tab, w.col) = (t.tab, t.col)) ORDER BY 1, 2;

CREATE TABLE wanted_constraint (name text, definition text);
INSERT INTO wanted_constraint VALUES
    ('proof_spines_pkey', 'PRIMARY KEY (spine_id)'),
    ('proof_spines_unique_decision', 'UNIQUE (artifact_id, vuln_id, policy_profile_id, root_hash)'),
    ('proof_spines_superseded_by_spine_id_fkey', 'FOREIGN KEY (superseded_by_spine_id) REFERENCES scanner.proof_spines(spine_id)'),
    ('proof_spines_verdict_check', $$CHECK ((verdict = ANY (ARRAY['not_affected'::text, 'affected'::text, 'fixed'::text, 'under_investigation'::text])))$$),
    ('proof_segments_pkey', 'PRIMARY KEY (segment_id)'),
    ('proof_segments_unique_idx', 'UNIQUE (spine_id, idx)'),
    ('proof_segments_spine_id_fkey', 'FOREIGN KEY (spine_id) REFERENCES scanner.proof_spines(spine_id) ON DELETE CASCADE'),
    ('proof_segments_segment_type_check', $$CHECK ((segment_type = ANY (ARRAY['SbomSlice'::text, 'Match'::text, 'Reachability'::text, 'GuardAnalysis'::text, 'RuntimeObservation'::text, 'PolicyEval'::text])))$$),
    ('proof_segments_status_check', $$CHECK ((status = ANY (ARRAY['Pending'::text, 'Verified'::text, 'Partial'::text, 'Invalid'::text, 'Untrusted'::text])))$$),
    ('proof_spine_history_pkey', 'PRIMARY KEY (history_id)'),
    ('proof_spine_history_spine_id_fkey', 'FOREIGN KEY (spine_id) REFERENCES scanner.proof_spines(spine_id)'),
    ('proof_spine_history_action_check', $$CHECK ((action = ANY (ARRAY['created'::text, 'superseded'::text, 'verified'::text, 'invalidated'::text])))$$),
    ('proof_spine_verification_cache_pkey', 'PRIMARY KEY (spine_id)'),
    ('proof_spine_verification_cache_spine_id_fkey', 'FOREIGN KEY (spine_id) REFERENCES scanner.proof_spines(spine_id) ON DELETE CASCADE');
SELECT w.*, pg_get_constraintdef(c.oid) AS there FROM wanted_constraint AS w
LEFT JOIN pg_constraint AS c ON c.connamespace = 'scanner'::regnamespace AND c.conname = w.name
-- When a reference is looked at is no name.
WHERE replace(pg_get_constraintdef(c.oid), ' DEFERRABLE INITIALLY DEFERRED', '') IS DISTINCT FROM w.definition;
-- No other constraint refuses what these take.
SELECT c.conrelid::regclass AS table_name, c.conname, pg_get_constraintdef(c.oid) AS definition FROM pg_constraint AS c
WHERE c.conrelid::regclass::text IN (SELECT 'scanner.' || tab FROM wanted_column) AND c.contype NOT IN ('t', 'n')
  AND c.conname NOT IN (SELECT name FROM wanted_constraint);

CREATE TABLE wanted_index (name text, on_columns text);
INSERT INTO wanted_index VALUES
    ('idx_proof_spines_lookup', 'proof_spines (artifact_id, vuln_id, policy_profile_id)'),
    ('idx_proof_spines_scan_run', 'proof_spines (scan_run_id)'),
    ('idx_proof_spines_created', 'proof_spines (created_at_utc DESC)'),
    ('idx_proof_spines_verdict', 'proof_spines (verdict)'),
    ('idx_proof_segments_spine', 'proof_segments (spine_id)'),
    ('idx_proof_segments_type', 'proof_segments (segment_type)'),
    ('idx_proof_segments_status', 'proof_segments (status)'),
    ('idx_proof_spine_history_spine', 'proof_spine_history (spine_id)'),
    ('idx_proof_spine_history_action', 'proof_spine_history (action)'),
    ('idx_proof_spine_history_occurred', 'proof_spine_history (occurred_at_utc DESC)'),
    ('idx_verification_cache_verified', 'proof_spine_verification_cache (verified_at_utc DESC)');
SELECT w.*, pg_get_indexdef(i.indexrelid) AS there FROM wanted_index AS w LEFT JOIN pg_index AS i ON i.indexrelid = to_regclass('scanner.' || w.name)
WHERE pg_get_indexdef(i.indexrelid)
      IS DISTINCT FROM format('CREATE INDEX %s ON scanner.%s', w.name, replace(w.on_columns, ' (', ' USING btree ('));

CREATE TABLE wanted_function (name text);
INSERT INTO wanted_function VALUES ('update_spine_segment_count'), ('record_spine_history');
SELECT w.name FROM wanted_function AS w LEFT JOIN pg_proc AS p ON p.oid = to_regprocedure(format('scanner.%s()', w.name))
WHERE p.prorettype IS DISTINCT FROM 'trigger'::regtype;
CREATE TABLE wanted_trigger (name text, tab text);
INSERT INTO wanted_trigger VALUES ('trg_update_segment_count', 'proof_segments'), ('trg_record_spine_history', 'proof_spines');
SELECT w.* FROM wanted_trigger AS w
WHERE NOT EXISTS (SELECT FROM pg_trigger AS t WHERE t.tgname = w.name AND t.tgrelid = to_regclass('scanner.' || w.tab) AND t.tgenabled = 'O');

SELECT (SELECT count(DISTINCT tab) FROM wanted_column) AS tables, (SELECT count(*) FROM wanted_column) AS columns,
       (SELECT count(*) FROM wanted_constraint) AS constraints, (SELECT count(*) FROM wanted_index) AS indexes,
       (SELECT count(*) FROM wanted_function) AS functions, (SELECT count(*) FROM wanted_trigger) AS triggers;
