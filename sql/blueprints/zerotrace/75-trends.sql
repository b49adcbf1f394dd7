-- Statistics beyond what applications know: all twelve tables side by side, against the time before, and over time.

CREATE FUNCTION @schema@.get_table_statistics(
    p_company_id uuid,
    p_date_from  timestamptz DEFAULT NULL,
    p_date_to    timestamptz DEFAULT NULL
)
    RETURNS TABLE (
        table_name     text,
        total          bigint,
        critical       bigint,
        high           bigint,
        medium         bigint,
        low            bigint,
        info           bigint,
        open           bigint,
        by_status      jsonb,
        by_type        jsonb,
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
    before timestamptz := p_date_from;
    bounded constant boolean := coalesce(isfinite(p_date_from) AND isfinite(p_date_to), false);
BEGIN
    PERFORM @schema@.check_period(p_company_id, p_date_from, p_date_to);
    IF bounded THEN
        -- In seconds: days would be those of the session's time zone.
        before := p_date_from - make_interval(secs => extract(epoch FROM p_date_to - p_date_from)::double precision);
    END IF;
    RETURN QUERY
    -- Severities and statuses are free text in most tables, and may be missing.
    WITH found AS MATERIALIZED (
        SELECT f.table_name, lower(f.severity) AS severity, coalesce(f.status, 'none') AS status, f.finding_type,
               f.risk_score, NOT bounded OR f.found_at >= p_date_from AS present
        FROM @schema@.company_findings(p_company_id, before, p_date_to) AS f
    ),
    -- Each finding counts for its table and for all of them.
    counted AS (
        SELECT coalesce(f.table_name, 'all') AS table_name,
               count(*) FILTER (WHERE present) AS total,
               count(*) FILTER (WHERE present AND severity = 'critical') AS critical,
               count(*) FILTER (WHERE present AND severity = 'high') AS high,
               count(*) FILTER (WHERE present AND severity = 'medium') AS medium,
               count(*) FILTER (WHERE present AND severity = 'low') AS low,
               count(*) FILTER (WHERE present AND severity = 'info') AS info,
               count(*) FILTER (WHERE present AND status IN ('open', 'in_progress', 'fail')) AS open,
               round(avg(risk_score) FILTER (WHERE present), 2) AS mean_risk,
               max(risk_score) FILTER (WHERE present) AS max_risk,
               CASE WHEN bounded THEN count(*) FILTER (WHERE NOT present) END AS previous_total
        FROM found AS f
        GROUP BY GROUPING SETS ((f.table_name), ())
    ),
    statuses AS (
        SELECT s.table_name, jsonb_object_agg(s.status, s.n) AS by_status
        FROM (SELECT coalesce(f.table_name, 'all') AS table_name, f.status, count(*) AS n FROM found AS f WHERE present
              GROUP BY GROUPING SETS ((f.table_name, f.status), (f.status))) AS s
        GROUP BY s.table_name
    ),
    types AS (
        SELECT s.table_name, jsonb_object_agg(s.finding_type, s.n) AS by_type
        FROM (SELECT coalesce(f.table_name, 'all') AS table_name, f.finding_type, count(*) AS n FROM found AS f
              WHERE present
              GROUP BY GROUPING SETS ((f.table_name, f.finding_type), (f.finding_type))) AS s
        GROUP BY s.table_name
    )
    SELECT c.table_name, c.total, c.critical, c.high, c.medium, c.low, c.info, c.open,
           coalesce(s.by_status, '{}'), coalesce(k.by_type, '{}'), c.mean_risk, c.max_risk, c.previous_total,
           round(100.0 * (c.total - c.previous_total) / nullif(c.previous_total, 0), 1)
    FROM counted AS c
    LEFT JOIN statuses AS s ON s.table_name = c.table_name
    LEFT JOIN types AS k ON k.table_name = c.table_name
    ORDER BY c.table_name <> 'all', c.table_name COLLATE "C";
END $$;
COMMENT ON FUNCTION @schema@.get_table_statistics(uuid, timestamptz, timestamptz) IS
    'what was found at a company in a period: a row for all tables together, first, and one for each that has findings '
    'in it or in the period of the same length before; open: still to be dealt with; change_percent: total against '
    'previous_total, null if that is 0, or the period is open';

-- Days and weeks are those of UTC, whatever the session's time zone: two people must see the same.
CREATE FUNCTION @schema@.get_risk_trend_data(
    p_company_id uuid,
    p_date_from  timestamptz DEFAULT NULL,
    p_date_to    timestamptz DEFAULT NULL,
    p_bucket     text DEFAULT 'day'
)
    RETURNS TABLE (
        table_name text,
        severity   text,
        bucket_at  timestamptz,
        count      bigint,
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
    PERFORM @schema@.check_period(p_company_id, p_date_from, p_date_to);
    IF p_bucket IS NULL OR p_bucket NOT IN ('hour', 'day', 'week', 'month') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('p_bucket is %L', left(p_bucket, 100)),
            HINT = 'there are hour, day, week and month';
    END IF;
    RETURN QUERY
    SELECT f.table_name, lower(f.severity) AS severity, date_trunc(p_bucket, f.found_at, 'UTC') AS at,
           pg_catalog.count(*), pg_catalog.count(*) FILTER (WHERE f.status IN ('open', 'in_progress', 'fail')),
           sum(f.risk_score), round(avg(f.risk_score), 2), max(f.risk_score)
    FROM @schema@.company_findings(p_company_id, p_date_from, p_date_to) AS f
    GROUP BY 1, 2, 3
    ORDER BY 3, 1, array_position('{critical,high,medium,low,info}', lower(f.severity));
END $$;
COMMENT ON FUNCTION @schema@.get_risk_trend_data(uuid, timestamptz, timestamptz, text) IS
    'findings and risk at a company by table, severity and hour, day, week or month (UTC); what has none is left out';
