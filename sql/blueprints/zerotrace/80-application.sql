-- The role that an application connects as, for all companies: it has rights to the tables, and says with
-- set_company_context() whom it works for. It needs no right to the audit, and gets none.

CREATE FUNCTION @schema@.grant_application(application regrole) RETURNS void
    LANGUAGE plpgsql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    name text;
    bypasses boolean;
BEGIN
    SELECT rolsuper OR rolbypassrls INTO bypasses FROM pg_roles WHERE oid = application;
    IF bypasses IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_object',
            MESSAGE = format('there is no role %L', application),
            HINT = 'create it first, with LOGIN and nothing else';
    ELSIF bypasses THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_grant_operation',
            MESSAGE = format('row-level security does not bind role %s, so it would see all companies', application),
            HINT = 'give the application a role that is no superuser and has not BYPASSRLS';
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA @schema@ TO %s', application);
    -- Not the partitions that hold the rows: these go through the tables.
    FOR name IN SELECT c.oid::regclass FROM pg_class AS c
                WHERE c.relnamespace = '@schema@'::regnamespace
                  AND (c.relkind = 'p' OR c.relname = 'agents') LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO %s', name, application);
    END LOOP;
    FOR name IN SELECT c.oid::regclass FROM pg_class AS c
                WHERE c.relnamespace = '@schema@'::regnamespace AND c.relkind = 'v' LOOP
        EXECUTE format('GRANT SELECT ON %s TO %s', name, application);
    END LOOP;
    FOR name IN SELECT p.oid::regprocedure FROM pg_proc AS p
                WHERE p.pronamespace = '@schema@'::regnamespace AND p.prorettype <> 'trigger'::regtype
                  AND p.proname <> 'grant_application' LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', name, application);
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION @schema@.grant_application(regrole) FROM PUBLIC;
COMMENT ON FUNCTION @schema@.grant_application(regrole) IS
    'lets a role read and write findings, of the company that its session works for';
