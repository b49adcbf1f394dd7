-- proofspine: verification as a routine. verify_all() holds rows and keys against the chain, verify_spines() checks ids, roots,
-- links and signatures; what either finds becomes an alert, once.

CREATE VIEW @schema@.proof_spine_audit_breaks AS
SELECT a.*
FROM ONLY auditspine.alert AS a
WHERE CASE a.layer
          WHEN 'links' THEN a.chain IS NULL OR a.chain = 'main'
          WHEN 'heads' THEN a.chain IS NULL OR a.chain = 'main'
          WHEN 'keys' THEN true
          WHEN 'rows' THEN starts_with(a.table_name, '@schema@.proof_s') OR a.event_kind IN (
              SELECT n.nspname || '.' || t.name
              FROM pg_namespace AS n, unnest('{proof_spines,proof_segments,proof_spine_history,proof_spine_verification_cache}'::text[]) AS t (name)
              WHERE n.oid = '@schema@'::regnamespace)
              OR a.event_kind IN ('@schema@.proof_spine_runs', '@schema@.proof_spine_alerts')
          ELSE false
      END;
COMMENT ON VIEW @schema@.proof_spine_audit_breaks IS 'breaks that verify_all() found, as far as they concern these tables, their chain and the trusted keys';

CREATE FUNCTION @schema@.proof_spine_concerns(layer text, subject text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE layer
               WHEN 'links' THEN subject = 'main' OR subject LIKE '(unknown chain_id %'
               WHEN 'rows' THEN starts_with(subject, '@schema@.proof_s')
               ELSE layer IN ('heads', 'keys')
           END
$$;
COMMENT ON FUNCTION @schema@.proof_spine_concerns(text, text) IS 'whether a line of verify_all() is about these tables, their chain or the trusted keys';

-- Of its rows verify_all() tells, and of triggers and keys; some findings are none against the spine.
CREATE FUNCTION @schema@.proof_spine_own_finding(finding text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT finding NOT LIKE ALL ('{row\\_%,trigger\\_%,table\\_%,layout\\_%,kind\\_shared,record\\_altered,key\\_edited,key\\_deleted,key\\_unrecorded,status\\_stale,cache\\_contradicted}'::text[])
$$;
COMMENT ON FUNCTION @schema@.proof_spine_own_finding(text) IS 'whether a finding of spine_findings() is about the spine itself, not about its audit';

-- One alert for each sort of finding of a spine, until it is resolved: a key that is revoked speaks against many segments.
CREATE FUNCTION @schema@.raise_proof_spine_alerts(spine_id text) RETURNS bigint
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH raised AS (
        INSERT INTO @schema@.proof_spine_alerts (kind, severity, subject, spine_id, idx, finding, detail, seq, event_key, evidence,
                                                 break_digest, occurrence)
        SELECT 'proof_spine_break',
               CASE WHEN f.finding IN ('key_unknown', 'key_revoked', 'key_expired', 'key_not_yet_valid') THEN 'warning' ELSE 'critical' END,
               concat_ws(' ', s.artifact_id, s.vuln_id, s.policy_profile_id), raise_proof_spine_alerts.spine_id, f.idx, f.finding,
               f.detail || CASE f.others WHEN 0 THEN '' WHEN 1 THEN '; and 1 more segment' ELSE format('; and %s more segments', f.others) END,
               f.seq, coalesce(f.segment_id, raise_proof_spine_alerts.spine_id),
               jsonb_build_object('expected', f.expected, 'found', f.found, 'segments', f.segments),
               d.digest, 1 + (SELECT count(*) FROM @schema@.proof_spine_alerts AS a WHERE a.break_digest = d.digest)::integer
        FROM (
            SELECT DISTINCT ON (n.finding) n.*, count(*) OVER w - 1 AS others, array_agg(n.idx) OVER w AS segments
            FROM @verbs@.spine_findings(spine_id, (SELECT nspname::text FROM pg_namespace WHERE oid = '@schema@'::regnamespace)) AS n
            WHERE @schema@.proof_spine_own_finding(n.finding)
            WINDOW w AS (PARTITION BY n.finding ORDER BY n.idx ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)
            ORDER BY n.finding, n.idx) AS f
        LEFT JOIN @schema@.proof_spines AS s ON s.spine_id = raise_proof_spine_alerts.spine_id
        CROSS JOIN LATERAL (
            SELECT sha256(convert_to(@verbs@.canonical_json(jsonb_build_object('finding', f.finding, 'layer', 'spines',
                                                                               'spine_id', raise_proof_spine_alerts.spine_id)), 'UTF8'))
        ) AS d (digest)
        WHERE NOT EXISTS (
            SELECT FROM @schema@.proof_spine_alerts AS a WHERE a.break_digest = d.digest AND a.resolved_at IS NULL)
        ON CONFLICT ON CONSTRAINT proof_spine_alerts_break_key DO NOTHING
        RETURNING alert_id)
    SELECT count(*) FROM raised
$$;
COMMENT ON FUNCTION @schema@.raise_proof_spine_alerts(text) IS 'raises alerts for what speaks against a spine, as far as it is not known; answers how many';

CREATE FUNCTION @schema@.verify_proof_spines(since text DEFAULT NULL, "where" text DEFAULT NULL)
    RETURNS TABLE (layer text, subject text, ok boolean, checked bigint, findings bigint, detail text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    began timestamptz := clock_timestamp();
    place text := (SELECT nspname FROM pg_namespace WHERE oid = '@schema@'::regnamespace);
    audit jsonb;
    of_spine auditspine.spine_verdict;
    verified bigint := 0;
    some_good bigint := 0;
    untrusted bigint := 0;
    invalid bigint := 0;
    not_ok bigint := 0;
    raised bigint := 0;
    more bigint;
    unheard boolean := false;
BEGIN
    -- One after the other, so that a break is new to one of them only.
    PERFORM pg_advisory_xact_lock(hashtextextended('@schema@.verify_proof_spines', 0));
    -- Rows first: they are looked at as they are before anything is recorded of them.
    SELECT jsonb_agg(v) INTO audit FROM @verbs@.verify_all(since) AS v WHERE @schema@.proof_spine_concerns(v.layer, v.subject);
    FOR of_spine IN SELECT * FROM @verbs@.verify_spines("where", place, true) LOOP
        CASE of_spine.status
            WHEN 'Verified' THEN verified := verified + 1;
            WHEN 'Partial' THEN some_good := some_good + 1;
            WHEN 'Untrusted' THEN untrusted := untrusted + 1;
            ELSE invalid := invalid + 1;
        END CASE;
        CONTINUE WHEN of_spine.ok;
        not_ok := not_ok + 1;
        raised := raised + @schema@.raise_proof_spine_alerts(of_spine.spine_id);
        -- A row that was changed long ago is no part of an incremental run.
        unheard := unheard OR NOT of_spine.rows_ok AND EXISTS (
            SELECT FROM @verbs@.spine_findings(of_spine.spine_id, place) AS f
            WHERE f.finding LIKE 'row\_%' AND NOT EXISTS (
                SELECT FROM ONLY auditspine.alert AS a
                WHERE a.finding = f.finding AND a.pk = coalesce(f.segment_id, f.spine_id)));
    END LOOP;
    IF unheard AND since IS NOT NULL THEN
        SELECT jsonb_agg(v) INTO audit FROM @verbs@.verify_all(NULL::text) AS v WHERE @schema@.proof_spine_concerns(v.layer, v.subject);
    END IF;
    WITH known AS (
        INSERT INTO @schema@.proof_spine_alerts (kind, severity, subject, spine_id, finding, detail, seq, event_key, evidence,
                                                 break_digest, occurrence)
        SELECT a.kind, a.severity, coalesce(a.table_name, 'chain ' || a.chain, a.layer),
               CASE substr(a.event_kind, length(place) + 2)
                   WHEN 'proof_segments' THEN (SELECT g.spine_id FROM @schema@.proof_segments AS g WHERE g.segment_id = a.pk)
                   WHEN 'proof_spines' THEN a.pk
                   WHEN 'proof_spine_verification_cache' THEN a.pk
               END,
               a.finding, a.detail, a.seq, a.pk,
               a.evidence || jsonb_build_object('alert_id', a.alert_id, 'layer', a.layer), a.break_digest, a.occurrence
        FROM @schema@.proof_spine_audit_breaks AS a
        WHERE NOT EXISTS (
                SELECT FROM @schema@.proof_spine_alerts AS s WHERE s.break_digest = a.break_digest AND s.occurrence = a.occurrence)
          -- A row that came in here while the trigger was off is told by the alert that it repeats.
          AND NOT (a.event_kind = '@schema@.proof_spine_alerts' AND a.finding = 'row_unrecorded' AND EXISTS (
                SELECT FROM @schema@.proof_spine_alerts AS s
                WHERE s.alert_id::text = a.pk AND (s.kind = 'proof_spine_break' OR EXISTS (
                    SELECT FROM ONLY auditspine.alert AS o WHERE o.break_digest = s.break_digest AND o.occurrence = s.occurrence))))
        ORDER BY a.alert_id
        ON CONFLICT ON CONSTRAINT proof_spine_alerts_break_key DO NOTHING
        RETURNING 1)
    SELECT count(*) INTO more FROM known;
    raised := raised + more;
    IF raised > 0 THEN
        PERFORM pg_notify('proof_spine_alert', jsonb_build_object('schema', place, 'alerts', raised)::text);
    END IF;
    RETURN QUERY
    SELECT r.layer, r.subject, r.ok, r.checked, r.findings, r.detail
    FROM jsonb_to_recordset(audit) AS r (layer text, subject text, ok boolean, checked bigint, findings bigint, detail text);
    layer := 'spines';
    subject := '@schema@.proof_spines';
    ok := not_ok = 0;
    checked := verified + some_good + untrusted + invalid;
    findings := not_ok;
    detail := format('%s verified, %s partial, %s untrusted, %s invalid', verified, some_good, untrusted, invalid);
    RETURN NEXT;
    INSERT INTO @schema@.proof_spine_runs (started_at, finished_at, which, spines, verified, partial, untrusted, invalid, not_ok,
                                           audit_findings, alerts, ok, verification_id)
    SELECT began, clock_timestamp(), "where", verify_proof_spines.checked, verified, some_good, untrusted, invalid, not_ok, f.sum, raised,
           not_ok + f.sum = 0, (SELECT max(v.verification_id) FROM ONLY auditspine.verification AS v)
    FROM (SELECT coalesce(sum(r.findings), 0) FROM jsonb_to_recordset(audit) AS r (findings bigint)) AS f (sum);
    layer := 'alerts';
    subject := '@schema@.proof_spine_alerts';
    ok := raised = 0;
    SELECT count(*) INTO checked FROM @schema@.proof_spine_alerts AS a WHERE a.resolved_at IS NULL;
    findings := raised;
    detail := CASE WHEN raised > 0 THEN 'things that were not known before' END;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION @schema@.verify_proof_spines(text, text) IS
    'verify_all(since) and verify_spines("where", record => true): raises an alert for each thing that is wrong, once, and records the run';

CREATE FUNCTION @schema@.schedule_proof_spines() RETURNS TABLE (job text, schedule text, command text)
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
        ('@schema@-spines-hourly', '17 * * * *',
         $c$SELECT @schema@.verify_proof_spines('last', $w$created_at_utc >= now() - interval '1 day'$w$)$c$),
        ('@schema@-spines-nightly', '47 3 * * *', 'SELECT @schema@.verify_proof_spines()')
    LOOP
        IF there THEN
            EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING job, schedule, command;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION @schema@.schedule_proof_spines() IS
    'schedules verification by pg_cron, where it is installed: new spines hourly, all of them nightly; answers what is, or is to be, scheduled';

-- These write. Auditors have verify_spines(), spine_findings(), verify_all() and the views.
REVOKE ALL ON FUNCTION @schema@.raise_proof_spine_alerts(text), @schema@.verify_proof_spines(text, text), @schema@.schedule_proof_spines()
    FROM PUBLIC;
