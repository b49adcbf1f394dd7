-- Keys whose signatures count, and DSSE envelopes.

CREATE TABLE auditspine.trusted_key (
    fingerprint   text COLLATE "C" PRIMARY KEY,
    algorithm     text NOT NULL,
    pem           text NOT NULL,
    valid_from    timestamptz,
    valid_until   timestamptz,
    revoked_at    timestamptz,
    revoke_reason text,
    comment       text,
    added_at      timestamptz NOT NULL,
    added_by      text NOT NULL
);
COMMENT ON TABLE auditspine.trusted_key IS
    'keys whose signatures count; what each row says is told by the last entry of kind auditspine.key, and a row that differs counts for nothing';
COMMENT ON COLUMN auditspine.trusted_key.fingerprint IS 'SHA-256 of the key''s SubjectPublicKeyInfo (DER), in hex';
COMMENT ON COLUMN auditspine.trusted_key.algorithm IS 'ed25519 or ecdsa-p256-sha256';
COMMENT ON COLUMN auditspine.trusted_key.pem IS 'the SubjectPublicKeyInfo as PEM, in one form whatever form it was given in';
COMMENT ON COLUMN auditspine.trusted_key.valid_from IS 'what was signed before does not count; null: no limit';
COMMENT ON COLUMN auditspine.trusted_key.valid_until IS 'what was signed then or later does not count; null: no limit';
COMMENT ON COLUMN auditspine.trusted_key.revoked_at IS 'once set, nothing counts that the key signed, at whatever time';
COMMENT ON COLUMN auditspine.trusted_key.added_by IS 'session user';

CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON auditspine.trusted_key
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

CREATE FUNCTION @extschema@.trust_key(
    pem         text,
    comment     text        DEFAULT NULL,
    valid_from  timestamptz DEFAULT NULL,
    valid_until timestamptz DEFAULT NULL
) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'trust_key_wrapper';
-- It acts for the extension's owner: whoever may use it says what counts as evidence.
REVOKE ALL ON FUNCTION @extschema@.trust_key(text, text, timestamptz, timestamptz) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.trust_key(text, text, timestamptz, timestamptz) IS
    'makes signatures by a public key (PEM; Ed25519 or ECDSA P-256) count, and records that; answers its fingerprint';

CREATE FUNCTION @extschema@.revoke_key(fingerprint text, reason text) RETURNS boolean
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'revoke_key_wrapper';
REVOKE ALL ON FUNCTION @extschema@.revoke_key(text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.revoke_key(text, text) IS
    'ends for good that signatures by a key count, whenever they were made, and records that; false if it was revoked already';

CREATE FUNCTION @extschema@.key_fingerprint(pem text) RETURNS text
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'key_fingerprint_wrapper';
COMMENT ON FUNCTION @extschema@.key_fingerprint(text) IS
    'SHA-256 of a public key''s SubjectPublicKeyInfo (DER), in hex';

CREATE FUNCTION @extschema@.dsse_pae(type text, payload bytea) RETURNS bytea
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'dsse_pae_wrapper';
COMMENT ON FUNCTION @extschema@.dsse_pae(text, bytea) IS
    'what DSSE signatures are over: the pre-authentication encoding DSSEv1 of a payload and its type';

CREATE FUNCTION @extschema@.dsse_verify(envelope jsonb, keys text[], threshold integer DEFAULT 1)
    RETURNS TABLE (
        ok             boolean,
        reason         text,
        payload_type   text,
        payload        bytea,
        payload_sha256 text,
        verified_by    text[],
        signatures     jsonb
    )
    LANGUAGE c IMMUTABLE PARALLEL SAFE CALLED ON NULL INPUT
    COST 1000 ROWS 1
    AS 'MODULE_PATHNAME', 'dsse_verify_wrapper';
COMMENT ON FUNCTION @extschema@.dsse_verify(jsonb, text[], integer) IS
    'verifies the signatures of a DSSE envelope: by how many distinct keys of those given, and by which; the payload is shown only if they are enough';

SELECT pg_catalog.pg_extension_config_dump('auditspine.trusted_key', '');
