-- Made by scripts/upgrade-script of the numbered files in sql/0.4.0.

-- 20-blueprints.sql
-- Blueprints: whole systems that one call installs. What is in them is in sql/blueprints.

CREATE FUNCTION auditspine.blueprints()
    RETURNS TABLE (name text, purpose text, schemas text[], tables text[])
    LANGUAGE c IMMUTABLE PARALLEL SAFE
    ROWS 5
    AS 'MODULE_PATHNAME', 'blueprints_wrapper';
COMMENT ON FUNCTION auditspine.blueprints() IS 'what the view blueprint shows';

CREATE VIEW auditspine.blueprint AS
SELECT name, purpose, schemas, tables FROM auditspine.blueprints();
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
