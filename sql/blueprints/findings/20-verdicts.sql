-- Writing scans and verdicts so that each entry says who did it, and reading who changed which verdict.

CREATE FUNCTION @schema@.start_scan(
    project_name    text,
    commit_sha      text DEFAULT NULL,
    source_platform text DEFAULT NULL,
    repo_url        text DEFAULT NULL,
    branch          text DEFAULT NULL,
    reference_id    text DEFAULT NULL
) RETURNS integer
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    started integer;
BEGIN
    IF coalesce(project_name, '') = '' THEN
        RAISE EXCEPTION 'no project was named for the scan'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'name it: runs are held against those of their project';
    END IF;
    INSERT INTO @schema@.scans AS s (project_name, commit_sha, reference_id, status, source_platform, repo_url, branch)
    VALUES (start_scan.project_name, start_scan.commit_sha, coalesce(start_scan.reference_id, gen_random_uuid()::text),
            'processing', start_scan.source_platform, start_scan.repo_url, start_scan.branch)
    RETURNING s.id INTO started;
    RETURN started;
END $$;
COMMENT ON FUNCTION @schema@.start_scan(text, text, text, text, text, text) IS
    'begins a scan, and gives it a reference_id if it has none; answers its id';

CREATE FUNCTION @schema@.finish_scan(
    scan_id                integer,
    build_duration_seconds double precision DEFAULT NULL,
    artifact_size_bytes    bigint           DEFAULT NULL,
    num_changed_files      integer          DEFAULT NULL,
    ai_tokens              bigint           DEFAULT NULL,
    ai_cost_usd            numeric          DEFAULT NULL,
    status                 text             DEFAULT 'completed'
) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    found_total bigint;
BEGIN
    IF (status IN ('completed', 'failed')) IS NOT TRUE THEN
        RAISE EXCEPTION 'a scan does not end as %', coalesce(quote_literal(status), 'null')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'it is completed or failed';
    END IF;
    UPDATE @schema@.scans AS s SET status = finish_scan.status, finished_at = clock_timestamp()
    WHERE s.id = finish_scan.scan_id AND (s.status IN ('pending', 'processing') OR s.status IS NULL);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no running scan %', coalesce(scan_id::text, 'null')
            USING ERRCODE = 'no_data_found', HINT = 'a scan is finished once: see @schema@.scans';
    END IF;
    SELECT count(*) INTO found_total FROM @schema@.findings AS f WHERE f.scan_id = finish_scan.scan_id;
    -- What the pipeline has written of the run before stays, where nothing else is said here.
    UPDATE @schema@.pipeline_metrics AS m
    SET build_duration_seconds = coalesce(finish_scan.build_duration_seconds, m.build_duration_seconds),
        artifact_size_bytes = coalesce(finish_scan.artifact_size_bytes, m.artifact_size_bytes),
        num_changed_files = coalesce(finish_scan.num_changed_files, m.num_changed_files),
        findings_total = found_total,
        ai_tokens = coalesce(finish_scan.ai_tokens, m.ai_tokens),
        ai_cost_usd = coalesce(finish_scan.ai_cost_usd, m.ai_cost_usd)
    WHERE m.id = (SELECT max(l.id) FROM @schema@.pipeline_metrics AS l WHERE l.scan_id = finish_scan.scan_id);
    IF NOT FOUND THEN
        INSERT INTO @schema@.pipeline_metrics
            (scan_id, build_duration_seconds, artifact_size_bytes, num_changed_files, findings_total, ai_tokens, ai_cost_usd)
        VALUES (finish_scan.scan_id, finish_scan.build_duration_seconds, finish_scan.artifact_size_bytes,
                finish_scan.num_changed_files, found_total, finish_scan.ai_tokens, finish_scan.ai_cost_usd);
    END IF;
    RETURN found_total;
END $$;
COMMENT ON FUNCTION @schema@.finish_scan(integer, double precision, bigint, integer, bigint, numeric, text) IS
    'ends a pending or processing scan and writes its metrics; answers how many findings it has';

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

CREATE FUNCTION @schema@.require_finding(finding_id integer, is_there boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF NOT is_there THEN
        RAISE EXCEPTION 'there is no finding %', coalesce(finding_id::text, 'null')
            USING ERRCODE = 'no_data_found', HINT = 'it may have gone with its scan: see audit_history()';
    END IF;
END $$;
COMMENT ON FUNCTION @schema@.require_finding(integer, boolean) IS 'refuses to go on if a finding is not there';

CREATE FUNCTION @schema@.record_ai_verdict(
    finding_id        integer,
    ai_verdict        text,
    ai_confidence     double precision,
    ai_reasoning      text,
    model             text,
    remediation_patch text DEFAULT NULL
) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    before text[];
BEGIN
    IF coalesce(model, '') = '' THEN
        RAISE EXCEPTION 'no model was named for the verdict on finding %', finding_id
            USING ERRCODE = 'null_value_not_allowed', HINT = 'name the model and its version: it is who says so';
    END IF;
    before := @schema@.act_as(model, jsonb_build_object('by', 'ai', 'model', model));
    UPDATE @schema@.findings AS f
    SET ai_verdict = record_ai_verdict.ai_verdict, ai_confidence = record_ai_verdict.ai_confidence,
        ai_reasoning = record_ai_verdict.ai_reasoning,
        remediation_patch = coalesce(record_ai_verdict.remediation_patch, f.remediation_patch)
    WHERE f.id = record_ai_verdict.finding_id;
    PERFORM @schema@.require_finding(finding_id, FOUND), @schema@.act_again(before);
END $$;
COMMENT ON FUNCTION @schema@.record_ai_verdict(integer, text, double precision, text, text, text) IS
    'writes what a model says of a finding (its verdict, how sure it is, why, and perhaps a patch), as that model''s doing';

CREATE FUNCTION @schema@.triage(finding_id integer, triage_decision text, user_name text DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    before text[] := @schema@.act_as(@schema@.person(user_name), '{"by": "person"}');
BEGIN
    UPDATE @schema@.findings AS f SET triage_decision = triage.triage_decision WHERE f.id = triage.finding_id;
    PERFORM @schema@.require_finding(finding_id, FOUND), @schema@.act_again(before);
END $$;
COMMENT ON FUNCTION @schema@.triage(integer, text, text) IS
    'decides on a finding (TP, FP, or null: undecided), as a person''s doing';

CREATE FUNCTION @schema@.record_feedback(
    finding_id   integer,
    user_verdict text,
    comments     text DEFAULT NULL,
    user_name    text DEFAULT NULL
) RETURNS integer
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    who    text := @schema@.person(user_name);
    before text[] := @schema@.act_as(who, '{"by": "person"}');
    given  integer;
BEGIN
    IF user_verdict IS NULL THEN
        RAISE EXCEPTION 'the feedback on finding % has no verdict', coalesce(finding_id::text, 'null')
            USING ERRCODE = 'null_value_not_allowed', HINT = 'say TP or FP; INSERT INTO @schema@.feedbacks takes a comment alone';
    END IF;
    -- Also keeps the finding from going meanwhile.
    PERFORM FROM @schema@.findings AS f WHERE f.id = record_feedback.finding_id FOR KEY SHARE;
    PERFORM @schema@.require_finding(finding_id, FOUND);
    INSERT INTO @schema@.feedbacks AS b (finding_id, user_name, user_verdict, comments)
    VALUES (record_feedback.finding_id, who, record_feedback.user_verdict, record_feedback.comments)
    RETURNING b.id INTO given;
    PERFORM @schema@.act_again(before);
    RETURN given;
END $$;
COMMENT ON FUNCTION @schema@.record_feedback(integer, text, text, text) IS
    'writes what a person says of a finding (TP or FP); answers the feedback''s id';

CREATE FUNCTION @schema@.verdict_history(finding_id integer)
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
        FROM @verbs@.audit_history('@schema@.findings'::regclass, VARIADIC ARRAY[verdict_history.finding_id::text]) AS h
        CROSS JOIN LATERAL (
            -- DELETE and TRUNCATE end a verdict.
            SELECT name, CASE WHEN h.op IN ('I', 'U') THEN h.payload ->> name END
            FROM unnest(ARRAY['ai_verdict', 'triage_decision']) AS name
        ) AS verdict (what, value)
        WHERE h.op IN ('D', 'T') OR h.op IN ('I', 'U') AND h.payload IS NOT NULL
        UNION ALL
        -- Nobody can tell what such a version said: the next one is held against the one before it.
        SELECT h.seq, h.appended_at, h.db_user, h.actor, h.context, 'erased', 'erased', NULL
        FROM @verbs@.audit_history('@schema@.findings'::regclass, VARIADIC ARRAY[verdict_history.finding_id::text]) AS h
        WHERE h.op IN ('I', 'U') AND h.payload IS NULL
        UNION ALL
        -- The keys of feedback are finding/id/verdict.
        SELECT h.seq, h.appended_at, h.db_user, h.actor, h.context, 'user_verdict',
               CASE WHEN h.op = 'I' THEN nullif(split_part(key.event_pk, '/', 3), '') END,
               CASE WHEN h.op <> 'I' THEN nullif(split_part(key.event_pk, '/', 3), '') END
        FROM (SELECT DISTINCT e.event_pk FROM ONLY auditspine.audit_chain AS e
              WHERE e.event_kind = '@schema@.feedbacks'
                -- The character after '/' is '0'.
                AND e.event_pk >= format('%s/', verdict_history.finding_id) COLLATE "C"
                AND e.event_pk < format('%s0', verdict_history.finding_id) COLLATE "C") AS key
        CROSS JOIN LATERAL @verbs@.audit_history('@schema@.feedbacks'::regclass, VARIADIC ARRAY[key.event_pk]) AS h
        WHERE h.op IN ('I', 'D', 'T')
    )
    SELECT c.seq, c.appended_at, c.what, c.before, nullif(c.value, 'erased'), c.context ->> 'by', c.context ->> 'model', c.actor, c.db_user
    FROM change AS c
    WHERE c.before IS DISTINCT FROM c.value
    ORDER BY c.seq, c.what;
END $$;
COMMENT ON FUNCTION @schema@.verdict_history(integer) IS
    'every change of a verdict on a finding (ai_verdict, triage_decision, and user_verdict of its feedbacks), oldest first, also of a finding that is gone: who, when, and whether an AI or a person, as the session said (null: it did not). erased: an entry whose payload is gone, so that nobody knows what it changed';
