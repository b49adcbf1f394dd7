-- Canonical JSON and its hashes.

CREATE FUNCTION @extschema@.canonical_json(json jsonb) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'canonical_json_jsonb_wrapper';

CREATE FUNCTION @extschema@.canonical_json(json text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'canonical_json_text_wrapper';

CREATE FUNCTION @extschema@.canonical_json_hash(json jsonb) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'canonical_json_hash_jsonb_wrapper';

CREATE FUNCTION @extschema@.canonical_json_hash(json text) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'canonical_json_hash_text_wrapper';

-- STABLE, not IMMUTABLE: columns and enum labels can be renamed, and other types' output functions promise no more.
CREATE FUNCTION @extschema@.canonical_row_hash("row" record) RETURNS bytea
    LANGUAGE c STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'canonical_row_hash_wrapper';
