-- scidex: the verification cycles. Hourly a window of the last day, nightly everything.

-- What both end with.
CREATE FUNCTION @schema@.conclude(run jsonb, since timestamptz)
    RETURNS TABLE (layer text, subject text, ok boolean, checked bigint, findings bigint, first_bad_seq bigint, detail text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RETURN QUERY
    SELECT r.layer, r.subject, r.ok, r.checked, r.findings, r.first_bad_seq, r.detail
    FROM jsonb_to_recordset(run) AS r (layer text, subject text, ok boolean, checked bigint, findings bigint,
                                       first_bad_seq bigint, detail text)
    WHERE r.layer = 'heads' OR r.layer = 'rows' AND starts_with(r.subject, '@schema@.')
       OR r.layer = 'links' AND (r.subject IN ('@schema@', 'main') OR r.subject LIKE '(unknown chain_id %');
    layer := 'alerts';
    subject := '@schema@.senate_alerts';
    BEGIN
        SELECT max(s.alert_id) INTO checked FROM @schema@.senate_alerts AS s;
        PERFORM @schema@.raise_breaks();
        RETURN QUERY SELECT * FROM @schema@.verify_files(since);
        SELECT count(*) FILTER (WHERE s.alert_id > coalesce(conclude.checked, 0)), count(*)
        INTO findings, checked
        FROM @schema@.senate_alerts AS s WHERE s.kind = 'audit_chain_break';
        ok := findings = 0;
        detail := CASE WHEN findings > 0 THEN 'breaks that were not known before' END;
    EXCEPTION WHEN OTHERS THEN
        -- Nothing is lost: they are in auditspine.alert, and come here as soon as they can.
        RAISE WARNING 'breaks of the audit could not be brought to @schema@.senate_alerts: %', SQLERRM;
        ok := false;
        detail := 'could not be written: ' || SQLERRM || '; see auditspine.alert';
    END;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION @schema@.conclude(jsonb, timestamptz) IS
    'brings breaks to senate_alerts, verifies files, and answers all lines of a run: part of verify_window() and verify_everything()';

-- Who is in doubt looks at everything: where a window shows something new, what it says is taken back, and the whole is
-- verified in its place. So one cycle names all that was done, also to rows and entries of long ago; and it is named in the same
-- words whenever it is found, since a break at the edge of a window looks otherwise than one in its middle.
CREATE FUNCTION @schema@.verify_window("from" timestamptz DEFAULT now() - interval '1 day', "to" timestamptz DEFAULT now())
    RETURNS TABLE (layer text, subject text, ok boolean, checked bigint, findings bigint, first_bad_seq bigint, detail text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    first_seq bigint;
    last_seq bigint;
    last_alert bigint;
    run jsonb;
BEGIN
    IF "from" IS NULL OR "to" IS NULL OR "from" > "to" THEN
        RAISE invalid_parameter_value USING
            MESSAGE = format('there is no window from %s to %s', coalesce("from"::text, 'null'), coalesce("to"::text, 'null')),
            HINT = 'verify_everything() verifies all there is';
    END IF;
    -- One after the other, so that a break is new to one of them only.
    PERFORM pg_advisory_xact_lock(hashtextextended('@schema@.verify_window', 0));
    BEGIN
        first_seq := @schema@.window_start("from");
        last_seq := CASE WHEN "to" < now() THEN greatest(@schema@.window_start("to") - 1, first_seq) END;
        SELECT coalesce(max(a.alert_id), 0) INTO last_alert FROM ONLY auditspine.alert AS a;
        SELECT jsonb_agg(v) INTO run FROM @verbs@.verify_all(concat_ws('-', first_seq, last_seq)) AS v;
        IF EXISTS (SELECT FROM ONLY auditspine.alert AS a WHERE a.alert_id > last_alert)
           OR EXISTS (
               SELECT FROM @schema@.unrecorded_since("from") AS u
               WHERE NOT EXISTS (
                   SELECT FROM ONLY auditspine.alert AS a
                   WHERE a.event_kind = u.event_kind AND a.pk = u.event_pk AND a.finding = 'row_unrecorded')) THEN
            run := NULL;
            RAISE EXCEPTION 'something is new';
        END IF;
    EXCEPTION WHEN OTHERS THEN
        -- Also where no window can be told: the chain is gone, or one of the tables.
        run := NULL;
    END;
    IF run IS NULL THEN
        RETURN QUERY SELECT * FROM @schema@.verify_everything();
    ELSE
        RETURN QUERY SELECT * FROM @schema@.conclude(run, "from");
    END IF;
END $$;
COMMENT ON FUNCTION @schema@.verify_window(timestamptz, timestamptz) IS
    'verifies the entries linked in a window of time, the rows they tell of, triggers and published heads; everything, where something new is found. Breaks come to senate_alerts, each once';

CREATE FUNCTION @schema@.verify_everything()
    RETURNS TABLE (layer text, subject text, ok boolean, checked bigint, findings bigint, first_bad_seq bigint, detail text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    run jsonb;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('@schema@.verify_window', 0));
    SELECT jsonb_agg(v) INTO run FROM @verbs@.verify_all(NULL::text) AS v;
    RETURN QUERY SELECT * FROM @schema@.conclude(run, NULL);
END $$;
COMMENT ON FUNCTION @schema@.verify_everything() IS
    'verifies all entries, rows, triggers, published heads and files; breaks come to senate_alerts, each once';
