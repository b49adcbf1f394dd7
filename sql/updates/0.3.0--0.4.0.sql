-- Updates from 0.3.0 to 0.4.0. Released: tests/releases/SHA256SUMS holds it as it is.

-- 10-scoped-verify.sql
-- The rows of one chain.

DROP FUNCTION @extschema@.verify_table(regclass, bigint);
CREATE FUNCTION @extschema@.verify_table(target regclass, since bigint DEFAULT NULL, chain text DEFAULT NULL)
    RETURNS SETOF auditspine.table_verdict
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_table_of_chain';
COMMENT ON FUNCTION @extschema@.verify_table(regclass, bigint, text) IS
    'holds every row of a table against the entry that recorded it last, or only those rows that entries from a seq on tell of, or those of one chain; one row per kind of its events';

DROP FUNCTION @extschema@.verify_table_findings(regclass, bigint);
CREATE FUNCTION @extschema@.verify_table_findings(target regclass, since bigint DEFAULT NULL, chain text DEFAULT NULL)
    RETURNS SETOF auditspine.table_finding
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_table_of_chain_findings';
COMMENT ON FUNCTION @extschema@.verify_table_findings(regclass, bigint, text) IS
    'as verify_table(), but lists everything that is wrong, with the evidence; in no particular order';

-- 15-scoped-auditor.sql
-- Auditors of one chain.

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
COMMENT ON COLUMN auditspine.auditor.chain_setting IS 'the setting that names the one chain; without both, the role sees all';
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

DROP FUNCTION @extschema@.grant_auditor(regrole);
CREATE FUNCTION @extschema@.grant_auditor(auditor regrole, chain text DEFAULT NULL, chain_setting text DEFAULT NULL)
    RETURNS void
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'grant_chain_auditor_wrapper';
REVOKE ALL ON FUNCTION @extschema@.grant_auditor(regrole, text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.grant_auditor(regrole, text, text) IS
    'lets a role read the audit''s state and the tables audited now, and verify them; or only the chain of that name, or the one that a setting names; call it again after attaching tables';

-- 20-blueprints.sql
-- Blueprints: whole systems that one call installs. What is in them is in sql/blueprints.

CREATE FUNCTION auditspine.blueprints()
    RETURNS TABLE (name text, purpose text, schemas text[], tables text[])
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    ROWS 5
    AS 'MODULE_PATHNAME', 'blueprints_wrapper';
COMMENT ON FUNCTION auditspine.blueprints() IS 'what the view blueprint shows';

CREATE VIEW auditspine.blueprint AS
SELECT b.name, b.purpose, b.schemas, b.tables FROM auditspine.blueprints() AS b;
COMMENT ON VIEW auditspine.blueprint IS 'systems that install_blueprint() can install';
COMMENT ON COLUMN auditspine.blueprint.purpose IS 'what it is for';
COMMENT ON COLUMN auditspine.blueprint.schemas IS 'its usual schemas';
COMMENT ON COLUMN auditspine.blueprint.tables IS 'its tables, in the usual schemas';
GRANT SELECT ON auditspine.blueprint TO PUBLIC;

CREATE FUNCTION @extschema@.install_blueprint(name text, schema text DEFAULT NULL) RETURNS text
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'install_blueprint_wrapper';
-- It audits the tables, as audit_attach() does.
REVOKE ALL ON FUNCTION @extschema@.install_blueprint(text, text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.install_blueprint(text, text) IS
    'installs a blueprint, owned by the caller and audited, in its usual schemas or in those named here; answers installed or unchanged';

-- 30-routine.sql
-- Heads go to several files; entries of a window are verified.

COMMENT ON FUNCTION @extschema@.publish_head(text) IS
    'appends the heads of a chain (NULL: of all) to each file of auditspine.publish_file, as lines of JSON, and records them; one row a file';
COMMENT ON COLUMN auditspine.publication.publication_id IS 'one for all heads written to a file at once';
COMMENT ON COLUMN auditspine.publication.file IS 'where the line was appended: one of the files of auditspine.publish_file at that time';

CREATE FUNCTION @extschema@.publish_files() RETURNS SETOF text
    LANGUAGE c STABLE PARALLEL SAFE
    ROWS 2
    AS 'MODULE_PATHNAME', 'publish_files_wrapper';
COMMENT ON FUNCTION @extschema@.publish_files() IS
    'the files that publish_head() appends to, as auditspine.publish_file lists them';

COMMENT ON FUNCTION @extschema@.verify_all(text) IS
    'verifies all chains and audited tables, records the run and raises alerts; ''last'': what was added since the last clean run; a number: entries from that seq on; ''5-9'': from one seq to another';
COMMENT ON COLUMN auditspine.verification.scope IS 'full, incremental (from the last clean run), since N, or N to M';
