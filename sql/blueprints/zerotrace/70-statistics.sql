-- Statistics over all twelve kinds of findings. They run with the caller's rights: whoever is bound by row-level security
-- gets what is there of the session's company, and nothing of any other, as if it had no findings.

CREATE FUNCTION @schema@.company_findings(company uuid, "from" timestamptz, "to" timestamptz)
    RETURNS TABLE (
        source      text,
        id          uuid,
        agent_id    uuid,
        title       text,
        severity    text,
        category    text,
        status      text,
        risk_score  numeric,
        detected_at timestamptz
    )
    LANGUAGE sql STABLE PARALLEL SAFE
    ROWS 1000
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'vulnerabilities_v2', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.vulnerabilities_v2 AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'system_vulnerabilities', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.system_vulnerabilities AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'network_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.network_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'container_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.container_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'auth_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.auth_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'database_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.database_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'api_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.api_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'ai_ml_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.ai_ml_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'compliance_checks', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.compliance_checks AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'privacy_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.privacy_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'iot_ot_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.iot_ot_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
    UNION ALL
    SELECT 'web3_findings', f.id, f.agent_id, f.title, f.severity, f.category, f.status, f.risk_score, f.detected_at
    FROM @schema@.web3_findings AS f
    WHERE f.company_id = company AND f.detected_at >= "from" AND f.detected_at < "to"
$$;
COMMENT ON FUNCTION @schema@.company_findings(uuid, timestamptz, timestamptz) IS
    'what was found at a company from a time on and before another, in all twelve tables';

-- The error says what is wrong before a query answers nothing.
CREATE FUNCTION @schema@.check_period(company uuid, "from" timestamptz, "to" timestamptz) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF company IS NULL OR "from" IS NULL OR "to" IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'company, from and to must not be null',
            HINT = 'the period begins with from and ends before to';
    ELSIF NOT isfinite("from") OR NOT isfinite("to") OR "from" >= "to" THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('from %s to %s is no period', "from", "to"),
            HINT = 'the period begins with from and ends before to; neither is infinite';
    END IF;
END $$;
COMMENT ON FUNCTION @schema@.check_period(uuid, timestamptz, timestamptz) IS
    'fails if a company or the beginning or end of a period is null, or the end is not after the beginning';

CREATE FUNCTION @schema@.get_security_statistics(company uuid, "from" timestamptz, "to" timestamptz)
    RETURNS TABLE (
        source         text,
        total          bigint,
        critical       bigint,
        high           bigint,
        medium         bigint,
        low            bigint,
        info           bigint,
        open           bigint,
        by_status      jsonb,
        by_category    jsonb,
        mean_risk      numeric,
        max_risk       numeric,
        previous_total bigint,
        change_percent numeric
    )
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    ROWS 13
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    before timestamptz;
BEGIN
    PERFORM @schema@.check_period(company, "from", "to");
    -- In seconds: days would be those of the session's time zone.
    before := "from" - make_interval(secs => extract(epoch FROM "to" - "from")::double precision);
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT f.source, f.severity, f.category, f.status, f.risk_score, f.detected_at >= "from" AS present
        FROM @schema@.company_findings(company, before, "to") AS f
    ),
    -- Each finding counts for its table and for all of them.
    counted AS (
        SELECT coalesce(f.source, 'all') AS source,
               count(*) FILTER (WHERE present) AS total,
               count(*) FILTER (WHERE present AND severity = 'critical') AS critical,
               count(*) FILTER (WHERE present AND severity = 'high') AS high,
               count(*) FILTER (WHERE present AND severity = 'medium') AS medium,
               count(*) FILTER (WHERE present AND severity = 'low') AS low,
               count(*) FILTER (WHERE present AND severity = 'info') AS info,
               count(*) FILTER (WHERE present AND status IN ('open', 'in_progress', 'fail')) AS open,
               round(avg(risk_score) FILTER (WHERE present), 2) AS mean_risk,
               max(risk_score) FILTER (WHERE present) AS max_risk,
               count(*) FILTER (WHERE NOT present) AS previous_total
        FROM found AS f
        GROUP BY GROUPING SETS ((f.source), ())
    ),
    statuses AS (
        SELECT s.source, jsonb_object_agg(s.status, s.n) AS by_status
        FROM (SELECT coalesce(f.source, 'all') AS source, f.status, count(*) AS n FROM found AS f WHERE present
              GROUP BY GROUPING SETS ((f.source, f.status), (f.status))) AS s
        GROUP BY s.source
    ),
    categories AS (
        SELECT s.source, jsonb_object_agg(s.category, s.n) AS by_category
        FROM (SELECT coalesce(f.source, 'all') AS source, f.category, count(*) AS n FROM found AS f WHERE present
              GROUP BY GROUPING SETS ((f.source, f.category), (f.category))) AS s
        GROUP BY s.source
    )
    SELECT c.source, c.total, c.critical, c.high, c.medium, c.low, c.info, c.open,
           coalesce(s.by_status, '{}'), coalesce(k.by_category, '{}'), c.mean_risk, c.max_risk, c.previous_total,
           round(100.0 * (c.total - c.previous_total) / nullif(c.previous_total, 0), 1)
    FROM counted AS c
    LEFT JOIN statuses AS s ON s.source = c.source
    LEFT JOIN categories AS k ON k.source = c.source
    ORDER BY c.source <> 'all', c.source;
END $$;
COMMENT ON FUNCTION @schema@.get_security_statistics(uuid, timestamptz, timestamptz) IS
    'what was found at a company in a period: a row for all tables together, first, and one for each that has findings '
    'in it or in the period of the same length before; open: still to be dealt with; change_percent: total against '
    'previous_total, null if that is 0';

-- Days and weeks are those of UTC, whatever the session's time zone: two people must see the same map.
CREATE FUNCTION @schema@.get_risk_heatmap_data(
    company uuid,
    "from"  timestamptz,
    "to"    timestamptz,
    bucket  text DEFAULT 'day'
)
    RETURNS TABLE (
        source     text,
        severity   text,
        bucket_at  timestamptz,
        findings   bigint,
        open       bigint,
        total_risk numeric,
        mean_risk  numeric,
        max_risk   numeric
    )
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM @schema@.check_period(company, "from", "to");
    IF bucket IS NULL OR bucket NOT IN ('hour', 'day', 'week', 'month') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('bucket is %L', left(bucket, 100)),
            HINT = 'there are hour, day, week and month';
    END IF;
    RETURN QUERY
    SELECT f.source, f.severity, date_trunc(bucket, f.detected_at, 'UTC') AS at,
           count(*), count(*) FILTER (WHERE f.status IN ('open', 'in_progress', 'fail')),
           sum(f.risk_score), round(avg(f.risk_score), 2), max(f.risk_score)
    FROM @schema@.company_findings(company, "from", "to") AS f
    GROUP BY f.source, f.severity, at
    ORDER BY at, f.source, array_position('{critical,high,medium,low,info}', f.severity);
END $$;
COMMENT ON FUNCTION @schema@.get_risk_heatmap_data(uuid, timestamptz, timestamptz, text) IS
    'findings and risk at a company by table, severity and hour, day, week or month (UTC); cells without findings are '
    'left out';
