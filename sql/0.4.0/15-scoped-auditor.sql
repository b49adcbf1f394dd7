-- Auditors of one chain.

DROP FUNCTION @extschema@.grant_auditor(regrole);
CREATE FUNCTION @extschema@.grant_auditor(auditor regrole, chain text DEFAULT NULL, chain_setting text DEFAULT NULL)
    RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'grant_chain_auditor_wrapper';
REVOKE ALL ON FUNCTION @extschema@.grant_auditor(regrole, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.grant_auditor(regrole, text, text) IS
    'lets a role read the audit''s state and the tables audited now, and verify them; or only the chain of that name, or the one that a setting names; call it again after attaching tables';
