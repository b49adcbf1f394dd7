-- scidex: the schedule, and the role of those who look.

CREATE FUNCTION @schema@.schedule() RETURNS TABLE (job text, schedule text, command text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    there boolean := EXISTS (SELECT FROM pg_extension WHERE extname = 'pg_cron');
BEGIN
    IF NOT there THEN
        RAISE NOTICE USING
            MESSAGE = 'pg_cron is not installed in this database: nothing is scheduled',
            HINT = 'have these commands run at these times by other means';
    END IF;
    FOR job, schedule, command IN VALUES
        ('@schema@-publish', '*/5 * * * *', 'SELECT @verbs@.publish_head(NULL::text)'),
        ('@schema@-verify-hourly', '7 * * * *', 'SELECT @schema@.verify_window()'),
        ('@schema@-verify-nightly', '37 3 * * *', 'SELECT @schema@.verify_everything()')
    LOOP
        IF there THEN
            EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING job, schedule, command;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION @schema@.schedule() IS
    'schedules publication and verification by pg_cron, where it is installed; answers what is, or is to be, scheduled';

-- These write, or tell which files are read. Auditors have verify(), get_head(), window_findings() and the extension's verifiers.
REVOKE ALL ON FUNCTION @schema@.raise_breaks(), @schema@.published_lines(text, timestamptz), @schema@.file_findings(text, timestamptz),
    @schema@.raise_file_breaks(text, auditspine.publication_finding[]), @schema@.verify_files(timestamptz),
    @schema@.conclude(jsonb, timestamptz), @schema@.verify_window(timestamptz, timestamptz), @schema@.verify_everything(),
    @schema@.schedule(), @schema@.append(text, text, jsonb), @schema@.publish_head(),
    @schema@.verify_and_alert(timestamptz, timestamptz) FROM PUBLIC;
REVOKE ALL ON PROCEDURE @schema@.backfill_audit_chain() FROM PUBLIC;

-- One role for all installations: who audits one, audits the chain of each.
DO $$
BEGIN
    BEGIN
        IF to_regrole('scidex_audit_ro') IS NULL THEN
            CREATE ROLE scidex_audit_ro NOLOGIN;
            COMMENT ON ROLE scidex_audit_ro IS 'reads and verifies what scidex records; to be granted to those who log in';
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- Made meanwhile, for another database.
    END;
    PERFORM @verbs@.grant_auditor('scidex_audit_ro'::regrole, NULL::text, NULL::text);
    GRANT SELECT ON @schema@.audit_chain TO scidex_audit_ro;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE USING
        MESSAGE = format('role scidex_audit_ro was not set up: %s', SQLERRM),
        HINT = 'a superuser has to run: CREATE ROLE scidex_audit_ro; SELECT @verbs@.grant_auditor(''scidex_audit_ro'')';
END $$;
