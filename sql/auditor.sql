-- The role of an auditor: reads and verifies everything, or one chain, and changes nothing.

CREATE TABLE auditspine.auditor (
    role_name     name PRIMARY KEY,
    chain         text COLLATE "C",
    chain_setting text COLLATE "C",
    granted_at    timestamptz NOT NULL,
    granted_by    text NOT NULL,
    CHECK (pg_catalog.num_nulls(chain, chain_setting) OPERATOR(pg_catalog.>) 0)
);
COMMENT ON TABLE auditspine.auditor IS
    'who may see which chains, once some role is kept to one: what the policies on chain and audit_chain are made of';
COMMENT ON COLUMN auditspine.auditor.chain IS 'the one chain that the role sees';
COMMENT ON COLUMN auditspine.auditor.chain_setting IS
    'the setting that names the one tenant whose chain it sees; without both, the role sees all';
COMMENT ON COLUMN auditspine.auditor.granted_by IS 'session user';

-- A dump has the rows of this table, but not the policies made of them.
CREATE FUNCTION auditspine.auditor_policies() RETURNS trigger
    LANGUAGE c
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_auditor_policies';
REVOKE ALL ON FUNCTION auditspine.auditor_policies() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.auditor_policies() IS
    'trigger: makes the policies that roles in auditspine.auditor lack';
CREATE TRIGGER policies AFTER INSERT OR UPDATE ON auditspine.auditor
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.auditor_policies();
ALTER TABLE auditspine.auditor ENABLE ALWAYS TRIGGER policies;

SELECT pg_catalog.pg_extension_config_dump('auditspine.auditor', '');

CREATE FUNCTION @extschema@.grant_auditor(auditor regrole, chain text DEFAULT NULL, chain_setting text DEFAULT NULL)
    RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'grant_chain_auditor_wrapper';
REVOKE ALL ON FUNCTION @extschema@.grant_auditor(regrole, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.grant_auditor(regrole, text, text) IS
    'lets a role read the audit''s state and the tables audited now, and verify them; or only the chain of that name, or the one that a setting names; call it again after attaching tables';

CREATE FUNCTION @extschema@.revoke_auditor(auditor regrole) RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'revoke_auditor_wrapper';
REVOKE ALL ON FUNCTION @extschema@.revoke_auditor(regrole) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.revoke_auditor(regrole) IS
    'takes from a role what grant_auditor() gives it';
