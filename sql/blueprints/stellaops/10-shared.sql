-- What all modules use: digests of documents, and the record of migrations. They are in the authority's schema, which
-- the other modules look up to anyway.

CREATE FUNCTION @authority@.digest(document jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT 'sha256:' OPERATOR(pg_catalog.||) pg_catalog.encode(@verbs@.canonical_json_hash(document), 'hex') $$;
COMMENT ON FUNCTION @authority@.digest(jsonb) IS
    'sha256: and the SHA-256 of a document''s canonical JSON in hex: the same for the same content, however it is written';

CREATE FUNCTION @authority@.expect_digest(given text, document jsonb, what text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    expected text := @authority@.digest(document);
BEGIN
    IF given <> expected THEN
        RAISE EXCEPTION '% % is not that of the content, which is %', what, given, expected
            USING ERRCODE = 'check_violation',
                  HINT = 'leave it null to have it filled; if it was given by somebody else, the content is not what they sent';
    END IF;
    RETURN expected;
END $$;
COMMENT ON FUNCTION @authority@.expect_digest(text, jsonb, text) IS
    'the digest of a document; an error (23514) if another one is given';

-- One such table for each module; the others are made like this one.
CREATE TABLE @authority@.schema_migrations (
    version     integer PRIMARY KEY,
    description text,
    applied_at  timestamptz DEFAULT now(),
    checksum    varchar(64)
);
COMMENT ON TABLE @authority@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';
COMMENT ON COLUMN @authority@.schema_migrations.version IS 'number of the migration; 0 is the blueprint''s own, so 1 is the first of yours';
COMMENT ON COLUMN @authority@.schema_migrations.applied_at IS 'start of the transaction that applied it';
COMMENT ON COLUMN @authority@.schema_migrations.checksum IS 'SHA-256 of the migration''s text, 64 hex; of version 0, schema_checksum() as it was then';

SELECT @verbs@.audit_attach('@authority@.schema_migrations', kind => '@authority@.schema_migrations', payload => 'full', append_only => true);

CREATE FUNCTION @authority@.record_migration(schema text, version integer, description text, checksum text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    modules  constant text[] := '{@authority@,@registry@,@scanner@,@vuln@,@vex@,@policy@,@scheduler@,@notify@,@orchestrator@,@symbols@,@unknowns@}';
    -- One checksum has one spelling.
    plain    constant text := regexp_replace(checksum, '^sha256:', '');
    written  bigint;
    recorded text;
BEGIN
    IF schema IS NULL OR schema <> ALL (modules) THEN
        RAISE EXCEPTION 'schema "%" has no migrations here', schema
            USING ERRCODE = 'invalid_schema_name', HINT = 'name the schema of a module: ' || array_to_string(modules, ', ');
    END IF;
    IF plain IS NULL OR plain !~ '^[0-9a-f]{64}$' THEN
        RAISE EXCEPTION 'checksum "%" is no SHA-256', left(checksum, 100)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'pass 64 hexadecimal digits in lower case, with or without sha256: before them';
    END IF;
    -- Of two who come at the same time, one waits here for the other to commit.
    EXECUTE format('INSERT INTO %I.schema_migrations (version, description, checksum) VALUES ($1, $2, $3)
                    ON CONFLICT (version) DO NOTHING', schema)
        USING version, description, plain;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written = 1 THEN
        RETURN true;
    END IF;
    EXECUTE format('SELECT m.checksum FROM %I.schema_migrations AS m WHERE m.version = $1', schema)
        INTO recorded USING version;
    IF recorded IS DISTINCT FROM plain THEN
        RAISE EXCEPTION 'migration % of schema % was applied with checksum %, and is %', version, schema, coalesce(recorded, 'null'), plain
            USING ERRCODE = 'integrity_constraint_violation',
                  HINT = 'a migration that was applied must stay as it was; put the change into a new version';
    END IF;
    RETURN false;
END $$;
COMMENT ON FUNCTION @authority@.record_migration(text, integer, text, text) IS
    'records a migration that a tool applies; false if it was recorded before with this checksum, an error (23000) if with another';

CREATE FUNCTION @authority@.apply_migration(schema text, version integer, description text, body text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT @authority@.record_migration(schema, version, description,
                                        encode(sha256(convert_to(body, 'UTF8')), 'hex')) THEN
        RETURN false;
    END IF;
    EXECUTE body;
    RETURN true;
END $$;
COMMENT ON FUNCTION @authority@.apply_migration(text, integer, text, text) IS
    'runs a migration''s statements and records it, in one transaction; false if it was applied before with the same text, an error (23000) if with another. Names in it need their schema';

CREATE FUNCTION @authority@.schema_checksum(schema text) RETURNS text
    LANGUAGE sql STABLE STRICT
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT encode(@verbs@.canonical_json_hash(coalesce(jsonb_agg(jsonb_build_array(c.relname, col.list, con.list) ORDER BY c.relname COLLATE "C"), '[]'::jsonb)), 'hex')
    FROM pg_class AS c
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                                           pg_get_expr(d.adbin, d.adrelid)) ORDER BY a.attnum) AS list
        FROM pg_attribute AS a LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS col
    CROSS JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_array(k.conname, pg_get_constraintdef(k.oid)) ORDER BY k.conname COLLATE "C") AS list
        FROM pg_constraint AS k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')
    ) AS con
    WHERE c.relnamespace = (SELECT n.oid FROM pg_namespace AS n WHERE n.nspname = schema) AND c.relkind IN ('r', 'p')
      -- Made by functions of their own, not by migrations.
      AND c.relname NOT LIKE 'proof\_%' AND c.relname NOT LIKE 'effective\_finding\_%'
$$;
COMMENT ON FUNCTION @authority@.schema_checksum(text) IS
    'SHA-256, in 64 hex, of the tables, columns and constraints that a schema has now, ProofSpines and effective findings left out';
