-- The role of an auditor: reads and verifies everything, and changes nothing.

CREATE FUNCTION @extschema@.grant_auditor(auditor regrole) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'grant_auditor_wrapper';
REVOKE ALL ON FUNCTION @extschema@.grant_auditor(regrole) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.grant_auditor(regrole) IS
    'lets a role read the audit''s state and the tables audited now, and verify them; call it again after attaching tables';

CREATE FUNCTION @extschema@.revoke_auditor(auditor regrole) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'revoke_auditor_wrapper';
REVOKE ALL ON FUNCTION @extschema@.revoke_auditor(regrole) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.revoke_auditor(regrole) IS
    'takes from a role what grant_auditor() gives it';
