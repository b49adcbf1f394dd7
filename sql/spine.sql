-- ProofSpines: roots and ids, the tables' triggers, the tables, and building spines.

CREATE FUNCTION @extschema@.spine_root_hash(hashes text[]) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'spine_root_hash_array_wrapper';

CREATE FUNCTION @extschema@.spine_root_accum(state internal, hash text) RETURNS internal
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'spine_root_accum_wrapper';

CREATE FUNCTION @extschema@.spine_root_final(state internal) RETURNS text
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'spine_root_final_wrapper';

CREATE AGGREGATE @extschema@.spine_root_hash(text) (
    SFUNC = @extschema@.spine_root_accum,
    STYPE = internal,
    FINALFUNC = @extschema@.spine_root_final,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE @extschema@.spine_root_hash(text) IS
    'root of an evidence spine; say ORDER BY inside: spine_root_hash(result_hash ORDER BY idx)';

CREATE FUNCTION @extschema@.spine_id(artifact_id text, vuln_id text, policy_profile_id text, root_hash text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'spine_id_wrapper';
COMMENT ON FUNCTION @extschema@.spine_id(text, text, text, text) IS
    'id of a spine: SHA-256 of the canonical JSON array of the four, in hex';

CREATE FUNCTION @extschema@.segment_id(
    spine_id     text,
    idx          integer,
    segment_type text,
    input_hash   text,
    result_hash  text
) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'segment_id_wrapper';
COMMENT ON FUNCTION @extschema@.segment_id(text, integer, text, text, text) IS
    'id of a segment: SHA-256 of the canonical JSON array of the five, in hex';

-- The triggers act with the rights of their table's owner, on the tables beside it in its schema: so writers of
-- spines need no right to write counts and history, and nobody gains by putting them on a table of their own.
-- Plans are made without sequential scans, since they are kept from a time when the tables were small.
CREATE FUNCTION @extschema@.proof_segment_links() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'auditspine_segment_links';
COMMENT ON FUNCTION @extschema@.proof_segment_links() IS
    'trigger: each new segment of a spine continues the one before';

CREATE FUNCTION @extschema@.proof_spine_count() RETURNS trigger
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'auditspine_spine_count';
COMMENT ON FUNCTION @extschema@.proof_spine_count() IS
    'trigger: a new spine has no segments yet, whatever its row says';

CREATE FUNCTION @extschema@.proof_segment_count() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'auditspine_segment_count';
COMMENT ON FUNCTION @extschema@.proof_segment_count() IS
    'trigger: keeps segment_count of the spines whose segments come or go';

CREATE FUNCTION @extschema@.proof_spine_root() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'auditspine_spine_root';
COMMENT ON FUNCTION @extschema@.proof_spine_root() IS
    'trigger: root_hash is that of the segments, and spine_id that of the decision';

CREATE FUNCTION @extschema@.proof_spine_supersession() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'auditspine_spine_supersession';
COMMENT ON FUNCTION @extschema@.proof_spine_supersession() IS
    'trigger: a spine is superseded once, by one of the same decision, and never in a circle';

CREATE FUNCTION @extschema@.proof_spine_history() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_spine_history';
COMMENT ON FUNCTION @extschema@.proof_spine_history() IS
    'trigger: writes what became of a spine to proof_spine_history';

CREATE FUNCTION @extschema@.create_proof_spine_schema(schema text DEFAULT 'scanner') RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'create_proof_spine_schema_wrapper';
-- It audits the tables, as audit_attach() does.
REVOKE ALL ON FUNCTION @extschema@.create_proof_spine_schema(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.create_proof_spine_schema(text) IS
    'creates the tables of ProofSpines, owned by the caller and audited; answers created or unchanged';

CREATE FUNCTION @extschema@.create_spine(
    artifact_id       text,
    vuln_id           text,
    policy_profile_id text,
    verdict           text,
    scan_run_id       text,
    segments          jsonb,
    verdict_reason    text DEFAULT NULL,
    schema            text DEFAULT 'scanner'
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 10000
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS 'MODULE_PATHNAME', 'create_spine_wrapper';
COMMENT ON FUNCTION @extschema@.create_spine(text, text, text, text, text, jsonb, text, text) IS
    'writes a spine with its segments, with the caller''s rights; supersedes the current one of that decision; answers its id';
