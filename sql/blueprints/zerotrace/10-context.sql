-- The company that a session works for: setting app.current_company_id, which row-level security of every table and
-- the summaries go by.

-- A setting that is not written as PostgreSQL writes a uuid is no company, rather than an error in whatever query
-- comes next; and the company's audit chain, which has the uuid's text for a name, goes by the same setting.
-- Without SET, so that the planner can put its body in its place: hence all names are qualified.
CREATE FUNCTION @schema@.current_company_id() RETURNS uuid
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$
    SELECT CASE WHEN pg_catalog.current_setting('app.current_company_id', true)
                     OPERATOR(pg_catalog.~) '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                THEN pg_catalog.current_setting('app.current_company_id', true)::pg_catalog.uuid END
$$;
COMMENT ON FUNCTION @schema@.current_company_id() IS
    'the company that this session works for; null if none is set, or what is set is no uuid in lower case with hyphens';

CREATE FUNCTION @schema@.set_company_context(company uuid, local boolean DEFAULT false) RETURNS void
    LANGUAGE sql VOLATILE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT set_config('app.current_company_id', coalesce(company::text, ''), coalesce(local, false))
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
            HINT = 'call @schema@.set_company_context(company) first';
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
    seen timestamptz := NEW.last_seen_at;
BEGIN
    NEW.last_seen_at := OLD.last_seen_at;
    NEW.updated_at := OLD.updated_at;
    IF NEW IS DISTINCT FROM OLD THEN
        NEW.updated_at := now();
    END IF;
    NEW.last_seen_at := seen;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @schema@.keep_agent_updated_at() IS
    'trigger: updated_at is the time of the last change of an agent, for which a sign of life does not count';
