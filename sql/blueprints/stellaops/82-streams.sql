-- The streams that modules tell each other by, read from the chain: what happened is what was recorded, whatever the
-- tables say by now. An entry is one event at most, so its seq is the place in the stream.

CREATE VIEW @scanner@.events AS
    SELECT x.event, e.event_pk AS key, e.appended_at AS "time", e.seq,
           jsonb_strip_nulls(jsonb_build_object(
               'scan_id', e.event_pk, 'tenant_id', e.payload -> 'tenant_id', 'image_digest', e.payload -> 'image_digest',
               'image_reference', e.payload -> 'image_reference', 'state', e.payload -> 'state', 'error', e.payload -> 'error')) AS fields
    FROM ONLY auditspine.audit_chain AS e
    LEFT JOIN LATERAL (
        SELECT p.payload ->> 'state' AS state
        FROM auditspine.places_of(e.event_kind, ARRAY[e.event_pk]) AS l
        JOIN ONLY auditspine.audit_chain AS p ON p.chain_id = l.chain_id AND p.lane = l.lane AND p.pos = l.pos
        WHERE e.op = 'U' AND p.event_kind = e.event_kind AND p.event_pk = e.event_pk AND p.seq < e.seq
        ORDER BY p.seq DESC LIMIT 1) AS before ON true
    CROSS JOIN LATERAL (
        SELECT CASE WHEN e.op = 'U' AND e.payload ->> 'state' IS NOT DISTINCT FROM before.state THEN NULL
                    WHEN e.payload ->> 'state' = 'completed' THEN 'scan.completed'
                    WHEN e.payload ->> 'state' = 'failed' THEN 'scan.failed'
                    WHEN e.op = 'I' THEN 'scan.submitted' END AS event) AS x
    WHERE e.event_kind = '@scanner@.scans' AND e.op IN ('I', 'U') AND x.event IS NOT NULL;
COMMENT ON VIEW @scanner@.events IS 'stream scanner:events: scan.submitted, scan.completed, scan.failed';

-- A document is too large for a payload, so the entry tells of the row and the row has the revision.
CREATE FUNCTION @vuln@.drift_fields(raw_id text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF raw_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' AND has_table_privilege('@vuln@.advisory_raw', 'SELECT') THEN
        RETURN (SELECT jsonb_build_object('advisory_id', a.advisory_id, 'source', a.source, 'revision', a.revision,
                                          'published_at', a.published_at)
                FROM @vuln@.advisory_raw AS a WHERE a.raw_id = drift_fields.raw_id::uuid);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION @vuln@.drift_fields(text) IS 'which advisory a row of advisory_raw is, for those who may read it';

CREATE VIEW @vuln@.drift AS
    SELECT CASE WHEN x.document ->> 'revision' = '1' THEN 'advisory.new' ELSE 'advisory.updated' END AS event,
           e.event_pk AS key, e.appended_at AS "time", e.seq,
           jsonb_strip_nulls(jsonb_build_object(
               'raw_id', e.event_pk, 'advisory_id', x.document -> 'advisory_id', 'source', x.document -> 'source',
               'revision', x.document -> 'revision', 'published_at', x.document -> 'published_at')) AS fields
    FROM ONLY auditspine.audit_chain AS e
    CROSS JOIN LATERAL (SELECT coalesce(e.payload, @vuln@.drift_fields(e.event_pk)) AS document OFFSET 0) AS x
    WHERE e.event_kind = '@vuln@.advisory_raw' AND e.op = 'I';
COMMENT ON VIEW @vuln@.drift IS
    'stream concelier:drift: advisory.new (revision 1), advisory.updated (any other, or not told to a reader who may not read advisory_raw)';

CREATE VIEW @policy@.evaluated AS
    SELECT x.event, e.event_pk AS key, e.appended_at AS "time", e.seq, x.fields
    FROM ONLY auditspine.audit_chain AS e
    LEFT JOIN LATERAL (
        SELECT p.op, p.payload
        FROM auditspine.places_of(e.event_kind, ARRAY[e.event_pk]) AS l
        JOIN ONLY auditspine.audit_chain AS p ON p.chain_id = l.chain_id AND p.lane = l.lane AND p.pos = l.pos
        WHERE e.op IN ('U', 'D') AND p.event_kind = e.event_kind AND p.event_pk = e.event_pk AND p.seq < e.seq
        ORDER BY p.seq DESC LIMIT 1) AS before ON true
    CROSS JOIN LATERAL (
        SELECT 'evaluation.completed' AS event,
               jsonb_build_object('run_id', e.event_pk, 'policy_id', e.payload -> 'policy_id', 'tenant_id', e.payload -> 'tenant_id',
                                  'determinism_hash', e.payload -> 'determinism_hash', 'stats', e.payload -> 'stats') AS fields
        WHERE e.event_kind = '@policy@.policy_runs' AND e.op IN ('I', 'U')
          AND e.payload ->> 'completed_at' IS NOT NULL AND before.payload ->> 'completed_at' IS NULL
        UNION ALL
        SELECT 'verdict.changed',
               jsonb_strip_nulls(jsonb_build_object(
                   'policy_id', substring(e.event_kind FROM length('@policy@.effective_finding_') + 1),
                   'component_purl', e.payload -> 'component_purl', 'vulnerability_id', e.payload -> 'vulnerability_id',
                   'run_id', e.payload -> 'run_id',
                   'before', CASE WHEN e.op IN ('U', 'D') THEN jsonb_build_object('status', before.payload -> 'status',
                       'severity', before.payload -> 'severity', 'action', before.payload -> 'action') END,
                   'after', CASE WHEN e.op IN ('I', 'U') THEN jsonb_build_object('status', e.payload -> 'status',
                       'severity', e.payload -> 'severity', 'action', e.payload -> 'action') END,
                   'truncated', CASE WHEN e.op = 'T' THEN true END))
        WHERE starts_with(e.event_kind, '@policy@.effective_finding_')
          AND length(e.event_kind) = length('@policy@.effective_finding_') + 36
          AND (e.op IN ('I', 'D', 'T')
               OR e.op = 'U' AND (e.payload -> 'status', e.payload -> 'severity', e.payload -> 'action')
                  IS DISTINCT FROM (before.payload -> 'status', before.payload -> 'severity', before.payload -> 'action'))) AS x
    -- Said here too, so that of other tables' entries no earlier ones are looked up.
    WHERE e.event_kind = '@policy@.policy_runs' OR starts_with(e.event_kind, '@policy@.effective_finding_');
COMMENT ON VIEW @policy@.evaluated IS
    'stream policy:evaluated: evaluation.completed (a run is), verdict.changed (a finding came, went, or has another status, severity or action)';

CREATE VIEW @scheduler@.jobs AS
    SELECT CASE WHEN x.started THEN 'run.started' ELSE 'rescan.triggered' END AS event, e.event_pk AS key, e.appended_at AS "time", e.seq,
           jsonb_strip_nulls(jsonb_build_object(
               'run_id', e.event_pk, 'tenant_id', e.payload -> 'tenant_id', 'schedule_id', e.payload -> 'schedule_id',
               'trigger', e.payload -> 'trigger', 'state', e.payload -> 'state', 'policy_run_id', e.payload -> 'policy_run_id')) AS fields
    FROM ONLY auditspine.audit_chain AS e
    LEFT JOIN LATERAL (
        SELECT p.payload
        FROM auditspine.places_of(e.event_kind, ARRAY[e.event_pk]) AS l
        JOIN ONLY auditspine.audit_chain AS p ON p.chain_id = l.chain_id AND p.lane = l.lane AND p.pos = l.pos
        WHERE e.op = 'U' AND p.event_kind = e.event_kind AND p.event_pk = e.event_pk AND p.seq < e.seq
        ORDER BY p.seq DESC LIMIT 1) AS before ON true
    CROSS JOIN LATERAL (
        SELECT e.payload ->> 'started_at' IS NOT NULL OR coalesce(e.payload ->> 'state' = 'running', false) AS started,
               before.payload ->> 'started_at' IS NOT NULL OR coalesce(before.payload ->> 'state' = 'running', false) AS was_started) AS x
    WHERE e.event_kind = '@scheduler@.runs' AND (e.op = 'I' OR e.op = 'U' AND x.started AND NOT x.was_started);
COMMENT ON VIEW @scheduler@.jobs IS 'stream scheduler:jobs: rescan.triggered (a run is planned), run.started';

CREATE FUNCTION @notify@.outcome(delivery jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE WHEN lower(delivery ->> 'status') IN ('failed', 'error', 'rejected', 'bounced', 'dropped') THEN 'notification.failed'
                WHEN lower(delivery ->> 'status') IN ('sent', 'delivered', 'succeeded', 'success', 'ok') THEN 'notification.sent' END
$$;
COMMENT ON FUNCTION @notify@.outcome(jsonb) IS
    'the event that a delivery''s status stands for: notification.sent, notification.failed, or null while it is neither';

CREATE VIEW @notify@.delivery AS
    SELECT x.event, e.event_pk AS key, e.appended_at AS "time", e.seq,
           jsonb_strip_nulls(jsonb_build_object(
               'delivery_id', e.event_pk, 'rule_id', e.payload -> 'rule_id', 'channel_id', e.payload -> 'channel_id',
               'event_id', e.payload -> 'event_id', 'status', e.payload -> 'status', 'attempt', e.payload -> 'attempt',
               'error', e.payload -> 'error')) AS fields
    FROM ONLY auditspine.audit_chain AS e
    LEFT JOIN LATERAL (
        SELECT p.payload
        FROM auditspine.places_of(e.event_kind, ARRAY[e.event_pk]) AS l
        JOIN ONLY auditspine.audit_chain AS p ON p.chain_id = l.chain_id AND p.lane = l.lane AND p.pos = l.pos
        WHERE e.op = 'U' AND p.event_kind = e.event_kind AND p.event_pk = e.event_pk AND p.seq < e.seq
        ORDER BY p.seq DESC LIMIT 1) AS before ON true
    CROSS JOIN LATERAL (SELECT @notify@.outcome(e.payload) AS event OFFSET 0) AS x
    -- The same outcome of a further attempt is told again.
    WHERE e.event_kind = '@notify@.delivery_log' AND e.op IN ('I', 'U') AND x.event IS NOT NULL
      AND (e.op = 'I' OR (x.event, e.payload -> 'attempt') IS DISTINCT FROM (@notify@.outcome(before.payload), before.payload -> 'attempt'));
COMMENT ON VIEW @notify@.delivery IS 'stream notify:delivery: notification.sent, notification.failed';

-- With the reader's own rights, so that nobody reads by them what they may not read in the chain. PostgreSQL 14 has no
-- such views; there a GRANT on one opens what it shows.
DO $$
DECLARE
    name text;
BEGIN
    IF current_setting('server_version_num')::integer >= 150000 THEN
        FOREACH name IN ARRAY '{@scanner@.events,@vuln@.drift,@policy@.evaluated,@scheduler@.jobs,@notify@.delivery}'::text[] LOOP
            EXECUTE format('ALTER VIEW %s SET (security_invoker = true)', name);
        END LOOP;
    END IF;
END $$;

CREATE FUNCTION @orchestrator@.read_stream(stream text, after bigint DEFAULT 0, max_events integer DEFAULT 1000)
    RETURNS TABLE (event text, key text, "time" timestamptz, seq bigint, fields jsonb)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    source   constant text := CASE stream WHEN 'scanner:events' THEN '@scanner@.events' WHEN 'concelier:drift' THEN '@vuln@.drift'
                                          WHEN 'policy:evaluated' THEN '@policy@.evaluated' WHEN 'scheduler:jobs' THEN '@scheduler@.jobs'
                                          WHEN 'notify:delivery' THEN '@notify@.delivery' END;
    patience constant timestamptz := clock_timestamp() + interval '1 second';
    wanted   bigint := max_events;
    low      bigint := coalesce(after, 0);
    high     bigint;
    width    bigint := 16384;
    top      bigint;
    got      bigint;
    reached  bigint;
    last     bigint;
    writers  text[];
    settled  bigint;
    pause    float8 := 0.001;
BEGIN
    IF source IS NULL THEN
        RAISE EXCEPTION 'there is no stream "%"', left(stream, 100)
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'there are scanner:events, concelier:drift, policy:evaluated, scheduler:jobs and notify:delivery';
    ELSIF max_events IS NULL OR max_events < 1 THEN
        RAISE EXCEPTION 'max_events is %', coalesce(max_events::text, 'null')
            USING ERRCODE = 'invalid_parameter_value', HINT = 'pass 1 or more';
    ELSIF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a standby cannot tell which writers are still on their way'
            USING ERRCODE = 'feature_not_supported', HINT = 'read the stream on the primary; the views can be read here';
    ELSIF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'under an old snapshot, events that were on their way would be passed over'
            USING ERRCODE = 'invalid_transaction_state', HINT = 'read the stream in a transaction of isolation level READ COMMITTED';
    END IF;
    SELECT max(h.seq) INTO top
    FROM auditspine.chain AS c CROSS JOIN LATERAL generate_series(0, c.lanes - 1) AS l (lane)
    CROSS JOIN LATERAL (SELECT e.seq FROM ONLY auditspine.audit_chain AS e
                        WHERE e.chain_id = c.chain_id AND e.lane = l.lane::smallint ORDER BY e.pos DESC LIMIT 1) AS h
    WHERE c.name = 'main';
    -- Numbers as literals, and few at a time: so the plan is that of a short piece of the chain, which lies together.
    WHILE low < top AND wanted > 0 LOOP
        high := least(low + width, top);
        EXECUTE format('SELECT count(*), max(w.seq) FROM (SELECT s.seq FROM %s AS s WHERE s.seq > %s AND s.seq <= %s ORDER BY s.seq LIMIT %s) AS w',
                       source, low, high, wanted) INTO got, reached;
        last := coalesce(reached, last);
        wanted := wanted - got;
        low := high;
        width := width * 2;
    END LOOP;
    IF last IS NULL THEN
        RETURN;
    END IF;
    -- Who has drawn a smaller number, and has not committed yet, holds a lane of chain main (class 3, group 1 + 1024) until
    -- its entries are to be seen. Those who come later draw larger ones.
    SELECT array_agg(l.virtualtransaction) INTO writers FROM pg_locks AS l
    WHERE l.locktype = 'advisory' AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
      AND l.classid IN (1, 1025) AND l.objsubid = 3 AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid();
    WHILE writers IS NOT NULL LOOP
        -- What such a writer adds to a lane comes after what the lane has.
        SELECT array_agg(l.virtualtransaction), min(coalesce(h.seq, 0)) INTO writers, settled
        FROM pg_locks AS l
        LEFT JOIN LATERAL (SELECT e.seq FROM ONLY auditspine.audit_chain AS e
                           WHERE e.chain_id = 1 AND e.lane = l.objid::bigint::smallint ORDER BY e.pos DESC LIMIT 1) AS h ON true
        WHERE l.locktype = 'advisory' AND l.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
          AND l.classid IN (1, 1025) AND l.objsubid = 3 AND l.granted AND l.virtualtransaction = ANY (writers);
        EXIT WHEN writers IS NULL OR settled >= last OR clock_timestamp() > patience;
        PERFORM pg_sleep(pause);
        pause := least(2 * pause, 0.05);
    END LOOP;
    IF writers IS NOT NULL THEN
        last := least(last, settled);
    END IF;
    RETURN QUERY EXECUTE format('SELECT s.event, s.key, s."time", s.seq, s.fields FROM %s AS s WHERE s.seq > %s AND s.seq <= %s ORDER BY s.seq LIMIT %s',
                                source, coalesce(after, 0), last, max_events);
END $$;
COMMENT ON FUNCTION @orchestrator@.read_stream(text, bigint, integer) IS
    'events of a stream behind a seq, in order: scanner:events, concelier:drift, policy:evaluated, scheduler:jobs or notify:delivery. None is given before all with smaller numbers are there, so the last seq is where to go on';
