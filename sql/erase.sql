-- Erasing what rows held, on record.

CREATE FUNCTION @extschema@.audit_erase(kind text, pk text, reason text) RETURNS bigint
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    AS 'MODULE_PATHNAME', 'audit_erase_wrapper';
COMMENT ON FUNCTION @extschema@.audit_erase(text, text, text) IS
    'sets the payloads of all entries of a row to null, and records that; their hashes stay; returns how many there were';
REVOKE ALL ON FUNCTION @extschema@.audit_erase(text, text, text) FROM PUBLIC;
