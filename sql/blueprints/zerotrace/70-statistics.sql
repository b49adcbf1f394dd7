-- Statistics of a company. They run with the caller's rights: whoever is bound by row-level security gets what is there
-- of the session's company, and nothing of any other, as if it had no findings.
--
-- A period begins with its first moment and ends before its last, so that periods can follow one another and no finding
-- counts twice; either end may be open. A finding belongs to the time at which it was created, a vulnerability to that at
-- which it was discovered; what has none is in no period, but in all of time.

CREATE FUNCTION @schema@.company_findings(
    p_company_id uuid,
    p_date_from  timestamptz DEFAULT NULL,
    p_date_to    timestamptz DEFAULT NULL
)
    RETURNS TABLE (
        table_name   text,
        id           uuid,
        agent_id     uuid,
        title        text,
        severity     text,
        category     text,
        finding_type text,
        status       text,
        risk_score   numeric,
        found_at     timestamptz
    )
    LANGUAGE sql STABLE PARALLEL SAFE
    ROWS 1000
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'vulnerabilities_v2', f.id, f.agent_id, f.title, f.severity,
           f.category, f.category, f.status, f.risk_score, f.discovered_at
    FROM @schema@.vulnerabilities_v2 AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.discovered_at >= p_date_from) AND (p_date_to IS NULL OR f.discovered_at < p_date_to)
    UNION ALL
    SELECT 'system_vulnerabilities', f.id, f.agent_id, f.title, f.severity,
           'system', f.vulnerability_type, f.status, f.risk_score, f.created_at
    FROM @schema@.system_vulnerabilities AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'network_findings', f.id, f.agent_id, f.host || ':' || f.port, f.severity,
           'network', f.protocol, f.status, f.risk_score, f.created_at
    FROM @schema@.network_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'container_findings', f.id, f.agent_id, f.title, f.severity,
           'container', f.finding_type, f.status, f.risk_score, f.created_at
    FROM @schema@.container_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'auth_findings', f.id, f.agent_id, f.title, f.severity,
           'auth', f.finding_type, f.status, f.risk_score, f.created_at
    FROM @schema@.auth_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'database_findings', f.id, f.agent_id, f.title, f.severity,
           'database', f.finding_type, f.status, f.risk_score, f.created_at
    FROM @schema@.database_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'api_findings', f.id, f.agent_id, f.title, f.severity,
           'api', f.finding_type, f.status, f.risk_score, f.created_at
    FROM @schema@.api_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'ai_ml_findings', f.id, f.agent_id, f.title, f.severity,
           'ai', f.finding_type, f.status, f.risk_score, f.created_at
    FROM @schema@.ai_ml_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'compliance_checks', f.id, f.agent_id, f.requirement, f.severity,
           'configuration', f.category, f.status, f.risk_score, f.created_at
    FROM @schema@.compliance_checks AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'privacy_findings', f.id, f.agent_id, f.title, f.severity,
           'privacy', f.finding_type, f.status, f.risk_score, f.created_at
    FROM @schema@.privacy_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'iot_ot_findings', f.id, f.agent_id, f.title, f.severity,
           'iot', f.finding_type, f.status, f.risk_score, f.created_at
    FROM @schema@.iot_ot_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
    UNION ALL
    SELECT 'web3_findings', f.id, f.agent_id, f.title, f.severity,
           'web3', f.finding_type, f.status, f.risk_score, f.created_at
    FROM @schema@.web3_findings AS f
    WHERE f.company_id = p_company_id
      AND (p_date_from IS NULL OR f.created_at >= p_date_from) AND (p_date_to IS NULL OR f.created_at < p_date_to)
$$;
COMMENT ON FUNCTION @schema@.company_findings(uuid, timestamptz, timestamptz) IS
    'what was found at a company in a period, in all twelve tables; category: the one that vulnerabilities_v2 has for it';

-- The error says what is wrong before a query answers nothing.
CREATE FUNCTION @schema@.check_period(p_company_id uuid, p_date_from timestamptz, p_date_to timestamptz) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF p_company_id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'p_company_id must not be null',
            HINT = 'statistics are those of one company';
    ELSIF p_date_from >= p_date_to THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('%s to %s is no period', p_date_from, p_date_to),
            HINT = 'the period begins with p_date_from and ends before p_date_to; null: it is open';
    END IF;
END $$;
COMMENT ON FUNCTION @schema@.check_period(uuid, timestamptz, timestamptz) IS
    'fails if a company is null, or the end of a period is not after its beginning';

CREATE FUNCTION @schema@.get_security_statistics(
    p_company_id uuid,
    p_date_from  timestamptz DEFAULT NULL,
    p_date_to    timestamptz DEFAULT NULL
)
    RETURNS TABLE (
        total_vulnerabilities        bigint,
        vulnerabilities_by_category  jsonb,
        vulnerabilities_by_severity  jsonb,
        compliance_scores            jsonb,
        network_findings_count       bigint,
        system_vulnerabilities_count bigint,
        auth_findings_count          bigint,
        database_findings_count      bigint,
        api_findings_count           bigint,
        container_findings_count     bigint,
        ai_ml_findings_count         bigint,
        iot_ot_findings_count        bigint,
        privacy_findings_count       bigint,
        web3_findings_count          bigint
    )
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    PERFORM @schema@.check_period(p_company_id, p_date_from, p_date_to);
    RETURN QUERY
    WITH found AS MATERIALIZED (
        SELECT v.category, v.severity, count(*) AS n
        FROM @schema@.vulnerabilities_v2 AS v
        WHERE v.company_id = p_company_id
          AND (p_date_from IS NULL OR v.discovered_at >= p_date_from)
          AND (p_date_to IS NULL OR v.discovered_at < p_date_to)
        GROUP BY v.category, v.severity
    ),
    scores AS (
        SELECT c.framework,
               round(100.0 * count(*) FILTER (WHERE c.status = 'pass')
                     / nullif(count(*) FILTER (WHERE c.status IN ('pass', 'fail')), 0), 2) AS score
        FROM @schema@.compliance_checks AS c
        WHERE c.company_id = p_company_id
          AND (p_date_from IS NULL OR c.created_at >= p_date_from)
          AND (p_date_to IS NULL OR c.created_at < p_date_to)
        GROUP BY c.framework
    )
    SELECT (SELECT coalesce(sum(f.n), 0)::bigint FROM found AS f),
           (SELECT coalesce(jsonb_object_agg(k.category, k.n), '{}')
            FROM (SELECT f.category, sum(f.n) AS n FROM found AS f GROUP BY f.category) AS k),
           (SELECT coalesce(jsonb_object_agg(k.severity, k.n), '{}')
            FROM (SELECT f.severity, sum(f.n) AS n FROM found AS f GROUP BY f.severity) AS k),
           (SELECT coalesce(jsonb_object_agg(s.framework, s.score), '{}') FROM scores AS s),
           (SELECT count(*) FROM @schema@.network_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.system_vulnerabilities AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.auth_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.database_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.api_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.container_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.ai_ml_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.iot_ot_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.privacy_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to)),
           (SELECT count(*) FROM @schema@.web3_findings AS f WHERE f.company_id = p_company_id
               AND (p_date_from IS NULL OR f.created_at >= p_date_from)
               AND (p_date_to IS NULL OR f.created_at < p_date_to));
END $$;
COMMENT ON FUNCTION @schema@.get_security_statistics(uuid, timestamptz, timestamptz) IS
    'what was found at a company in a period, in one row; compliance_scores: percent by framework, null where no check '
    'passed or failed';

CREATE FUNCTION @schema@.get_risk_heatmap_data(
    p_company_id uuid,
    p_date_from  timestamptz DEFAULT NULL,
    p_date_to    timestamptz DEFAULT NULL
)
    RETURNS TABLE (
        category   varchar(50),
        severity   varchar(20),
        count      bigint,
        risk_score numeric
    )
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    ROWS 60
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    PERFORM @schema@.check_period(p_company_id, p_date_from, p_date_to);
    RETURN QUERY
    SELECT v.category, v.severity, pg_catalog.count(*), round(avg(v.risk_score), 2)
    FROM @schema@.vulnerabilities_v2 AS v
    WHERE v.company_id = p_company_id
      AND (p_date_from IS NULL OR v.discovered_at >= p_date_from)
      AND (p_date_to IS NULL OR v.discovered_at < p_date_to)
    GROUP BY v.category, v.severity
    ORDER BY v.category COLLATE "C", array_position('{critical,high,medium,low,info}', v.severity::text);
END $$;
COMMENT ON FUNCTION @schema@.get_risk_heatmap_data(uuid, timestamptz, timestamptz) IS
    'vulnerabilities of a company in a period by category and severity, and their mean risk; cells without any are left '
    'out';
