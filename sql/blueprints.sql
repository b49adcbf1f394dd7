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
