-- Writing scans and verdicts so that each entry says who did it, and reading who changed which verdict.

CREATE FUNCTION @schema@.start_scan(project text, revision text DEFAULT NULL) RETURNS bigint
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH scan AS (
        INSERT INTO @schema@.scans (project, revision) VALUES (start_scan.project, start_scan.revision) RETURNING scan_id
    )
    INSERT INTO @schema@.pipeline_metrics (scan_id) SELECT scan_id FROM scan RETURNING scan_id
$$;
COMMENT ON FUNCTION @schema@.start_scan(text, text) IS 'begins a scan, with its row of metrics; answers its id';

CREATE FUNCTION @schema@.finish_scan(
    scan          bigint,
    duration_ms   bigint,
    files_scanned bigint  DEFAULT NULL,
    ai_tokens     bigint  DEFAULT NULL,
    ai_cost_usd   numeric DEFAULT NULL,
    state         text    DEFAULT 'completed'
) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found_total bigint;
BEGIN
    UPDATE @schema@.scans AS s SET state = finish_scan.state, finished_at = greatest(clock_timestamp(), s.started_at)
    WHERE s.scan_id = finish_scan.scan AND s.state = 'running';
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no running scan %', coalesce(scan::text, 'null')
            USING ERRCODE = 'no_data_found', HINT = 'a scan is finished once: see @schema@.scans';
    END IF;
    SELECT count(*) INTO found_total FROM @schema@.findings AS f WHERE f.scan_id = finish_scan.scan;
    UPDATE @schema@.pipeline_metrics AS m
    SET duration_ms = finish_scan.duration_ms, files_scanned = finish_scan.files_scanned, findings_total = found_total,
        ai_tokens = finish_scan.ai_tokens, ai_cost_usd = finish_scan.ai_cost_usd
    WHERE m.scan_id = finish_scan.scan;
    RETURN found_total;
END $$;
COMMENT ON FUNCTION @schema@.finish_scan(bigint, bigint, bigint, bigint, numeric, text) IS
    'ends a running scan and writes its metrics; answers how many findings it has';

-- What an entry says of its author is what the session says when the row is changed. So the settings are changed for
-- the one statement and put back after it: what else the transaction does is not the AI's. An error puts them back too.
CREATE FUNCTION @schema@.act_as(actor text, attribution jsonb) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    before text[] := ARRAY[coalesce(current_setting('auditspine.actor', true), ''),
                           coalesce(current_setting('auditspine.context', true), '')];
    context jsonb := nullif(before[2], '')::jsonb;
BEGIN
    PERFORM set_config('auditspine.actor', act_as.actor, true);
    -- The caller's own context, such as a request's id, stays in it.
    PERFORM set_config('auditspine.context',
        (CASE WHEN jsonb_typeof(context) = 'object' THEN context ELSE '{}' END || attribution)::text, true);
    RETURN before;
END $$;
COMMENT ON FUNCTION @schema@.act_as(text, jsonb) IS
    'sets actor and context for the rest of the transaction; answers those before, for act_again()';

CREATE FUNCTION @schema@.act_again(before text[]) RETURNS void
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT set_config('auditspine.actor', before[1], true), set_config('auditspine.context', before[2], true)
$$;
COMMENT ON FUNCTION @schema@.act_again(text[]) IS 'puts actor and context back';

CREATE FUNCTION @schema@.person(user_name text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(nullif(user_name, ''), nullif(current_setting('auditspine.actor', true), ''), session_user)
$$;
COMMENT ON FUNCTION @schema@.person(text) IS 'who acts: the one named, or else the session''s actor, or its user';

CREATE FUNCTION @schema@.require_finding(finding bigint, is_there boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT is_there THEN
        RAISE EXCEPTION 'there is no finding %', coalesce(finding::text, 'null')
            USING ERRCODE = 'no_data_found', HINT = 'it may have gone with its scan: see audit_history()';
    END IF;
END $$;
COMMENT ON FUNCTION @schema@.require_finding(bigint, boolean) IS 'refuses to go on if a finding is not there';

CREATE FUNCTION @schema@.record_ai_verdict(
    finding    bigint,
    verdict    text,
    confidence numeric,
    reasoning  text,
    model      text,
    patch      text DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    before text[];
BEGIN
    IF coalesce(model, '') = '' THEN
        RAISE EXCEPTION 'no model was named for the verdict on finding %', finding
            USING ERRCODE = 'null_value_not_allowed', HINT = 'name the model and its version: it is who says so';
    END IF;
    before := @schema@.act_as(model, jsonb_build_object('by', 'ai', 'model', model));
    UPDATE @schema@.findings AS f
    SET ai_verdict = verdict, ai_confidence = confidence, ai_reasoning = reasoning,
        remediation_patch = coalesce(patch, f.remediation_patch)
    WHERE f.finding_id = finding;
    PERFORM @schema@.require_finding(finding, FOUND), @schema@.act_again(before);
END $$;
COMMENT ON FUNCTION @schema@.record_ai_verdict(bigint, text, numeric, text, text, text) IS
    'writes what a model says of a finding (TP or FP, how sure it is, why, and perhaps a patch), as that model''s doing';

CREATE FUNCTION @schema@.triage(finding bigint, decision text, user_name text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    before text[] := @schema@.act_as(@schema@.person(user_name), '{"by": "person"}');
BEGIN
    UPDATE @schema@.findings AS f SET triage_decision = decision WHERE f.finding_id = finding;
    PERFORM @schema@.require_finding(finding, FOUND), @schema@.act_again(before);
END $$;
COMMENT ON FUNCTION @schema@.triage(bigint, text, text) IS
    'decides on a finding (TP, FP, or null: undecided), as a person''s doing';

CREATE FUNCTION @schema@.record_feedback(
    finding   bigint,
    verdict   text,
    comments  text DEFAULT NULL,
    user_name text DEFAULT NULL
) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    who    text := @schema@.person(user_name);
    before text[] := @schema@.act_as(who, '{"by": "person"}');
    id     bigint;
BEGIN
    -- Also keeps the finding from going meanwhile.
    PERFORM FROM @schema@.findings AS f WHERE f.finding_id = finding FOR KEY SHARE;
    PERFORM @schema@.require_finding(finding, FOUND);
    INSERT INTO @schema@.feedbacks (finding_id, user_name, user_verdict, comments)
    VALUES (finding, who, verdict, record_feedback.comments) RETURNING feedback_id INTO id;
    PERFORM @schema@.act_again(before);
    RETURN id;
END $$;
COMMENT ON FUNCTION @schema@.record_feedback(bigint, text, text, text) IS
    'writes what a person says of a finding (TP or FP); answers the feedback''s id';

CREATE FUNCTION @schema@.verdict_history(finding bigint)
    RETURNS TABLE (
        seq        bigint,
        changed_at timestamptz,
        what       text,
        old        text,
        new        text,
        by         text,
        model      text,
        actor      text,
        db_user    text
    )
    LANGUAGE plpgsql
    ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- What this transaction has changed itself is part of it; entries are found by a statement that begins after this.
    PERFORM @verbs@.audit_flush();
    RETURN QUERY
    WITH change AS (
        SELECT h.seq, h.appended_at, h.db_user, h.actor, h.context, verdict.what, verdict.value,
               lag(verdict.value) OVER (PARTITION BY verdict.what ORDER BY h.seq) AS before
        FROM @verbs@.audit_history('@schema@.findings'::regclass, VARIADIC ARRAY[finding::text]) AS h
        CROSS JOIN LATERAL (
            -- DELETE and TRUNCATE end a verdict.
            SELECT name, CASE WHEN h.op IN ('I', 'U') THEN h.payload ->> name END
            FROM unnest(ARRAY['ai_verdict', 'triage_decision']) AS name
        ) AS verdict (what, value)
        WHERE h.op IN ('D', 'T') OR h.op IN ('I', 'U') AND h.payload IS NOT NULL
        UNION ALL
        -- Nobody can tell what such a version said: the next one is held against the one before it.
        SELECT h.seq, h.appended_at, h.db_user, h.actor, h.context, 'erased', 'erased', NULL
        FROM @verbs@.audit_history('@schema@.findings'::regclass, VARIADIC ARRAY[finding::text]) AS h
        WHERE h.op IN ('I', 'U') AND h.payload IS NULL
        UNION ALL
        -- The keys of feedback begin with their finding, and end with the verdict.
        SELECT h.seq, h.appended_at, h.db_user, h.actor, h.context, 'user_verdict',
               CASE WHEN h.op = 'I' THEN key.event_pk::jsonb ->> 2 END,
               CASE WHEN h.op <> 'I' THEN key.event_pk::jsonb ->> 2 END
        FROM (SELECT DISTINCT e.event_pk FROM ONLY auditspine.audit_chain AS e
              WHERE e.event_kind = '@schema@.feedbacks'
                AND e.event_pk >= format('["%s",', finding) COLLATE "C"
                AND e.event_pk < format('["%s"-', finding) COLLATE "C") AS key
        CROSS JOIN LATERAL @verbs@.audit_history('@schema@.feedbacks'::regclass, VARIADIC ARRAY[key.event_pk]) AS h
        WHERE h.op IN ('I', 'D', 'T')
    )
    SELECT c.seq, c.appended_at, c.what, c.before, nullif(c.value, 'erased'), c.context ->> 'by', c.context ->> 'model', c.actor, c.db_user
    FROM change AS c
    WHERE c.before IS DISTINCT FROM c.value
    ORDER BY c.seq, c.what;
END $$;
COMMENT ON FUNCTION @schema@.verdict_history(bigint) IS
    'every change of a verdict on a finding (ai_verdict, triage_decision, and user_verdict of its feedbacks), oldest first, also of a finding that is gone: who, when, and whether an AI or a person, as the session said (null: it did not). erased: an entry whose payload is gone, so that nobody knows what it changed';
