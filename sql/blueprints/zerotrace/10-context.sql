-- The company that a session works for: setting app.current_company_id, which row-level security of all tables goes by.

-- What is no uuid is no company, rather than an error in whatever query comes next. Any way of writing a uuid that
-- PostgreSQL takes will do. Without SET, so that the planner can put its body in its place: hence all names are
-- qualified.
CREATE FUNCTION @schema@.current_company_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN pg_catalog.current_setting('app.current_company_id', true) OPERATOR(pg_catalog.~)
                     '^(([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}|\{([0-9a-fA-F]{4}-?){7}[0-9a-fA-F]{4}\})$'
                THEN pg_catalog.current_setting('app.current_company_id', true)::pg_catalog.uuid END
$$;
COMMENT ON FUNCTION @schema@.current_company_id() IS
    'the company that this session works for; null if none is set, or what is set is no uuid';

-- Two functions rather than a default, so that the first has the one argument that applications know.
CREATE FUNCTION @schema@.set_company_context(company_id uuid) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT set_config('app.current_company_id', coalesce(company_id::text, ''), false)
$$;
COMMENT ON FUNCTION @schema@.set_company_context(uuid) IS 'makes the session work for a company; null: for none';

CREATE FUNCTION @schema@.set_company_context(company_id uuid, local boolean) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT set_config('app.current_company_id', coalesce(company_id::text, ''), coalesce(local, false))
$$;
COMMENT ON FUNCTION @schema@.set_company_context(uuid, boolean) IS
    'makes the session, or with local => true the rest of the transaction, work for a company; null: for none';

-- At a statement, not at its rows: a query without a company finds nothing and is no error, but an INSERT without one
-- would be refused row by row as a violation of a policy, which tells nobody what to do.
CREATE FUNCTION @schema@.require_company() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    setting text := coalesce(current_setting('app.current_company_id', true), '');
BEGIN
    IF @schema@.current_company_id() IS NULL AND row_security_active(TG_RELID) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = CASE setting
                WHEN '' THEN format('no company is set, so nothing can be written to %s', TG_RELID::regclass)
                ELSE format('app.current_company_id is %L, which is no company', left(setting, 100)) END,
            HINT = 'call @schema@.set_company_context(company_id) first';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION @schema@.require_company() IS
    'trigger: an INSERT of a session without a company fails with an error that says so';

-- What a generated column has in NEW is not worked out yet.
CREATE FUNCTION @schema@.keep_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.search := OLD.search;
    NEW.updated_at := OLD.updated_at;
    IF NEW IS DISTINCT FROM OLD THEN
        NEW.updated_at := now();
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @schema@.keep_updated_at() IS
    'trigger: updated_at is the time of the last change of a finding; an UPDATE that changes nothing leaves it';

CREATE FUNCTION @schema@.keep_agent_updated_at() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    seen timestamptz := NEW.last_seen;
BEGIN
    NEW.last_seen := OLD.last_seen;
    NEW.updated_at := OLD.updated_at;
    IF NEW IS DISTINCT FROM OLD THEN
        NEW.updated_at := now();
    END IF;
    NEW.last_seen := seen;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @schema@.keep_agent_updated_at() IS
    'trigger: updated_at is the time of the last change of an agent, for which a sign of life does not count';
