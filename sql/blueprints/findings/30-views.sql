-- How far the AI agrees with people, and runs that are not like those before.

CREATE VIEW @schema@.finding_consensus AS
SELECT v.finding_id,
       count(*) FILTER (WHERE v.user_verdict = 'TP') AS tp,
       count(*) FILTER (WHERE v.user_verdict = 'FP') AS fp,
       CASE sign(count(*) FILTER (WHERE v.user_verdict = 'TP') - count(*) FILTER (WHERE v.user_verdict = 'FP'))
           WHEN 1 THEN 'TP' WHEN -1 THEN 'FP' END AS user_verdict
FROM (
    -- Nobody knows which of the nameless are one person: each row counts.
    SELECT DISTINCT ON (f.finding_id, f.user_name, CASE WHEN f.user_name IS NULL THEN f.id END) f.finding_id, f.user_verdict
    FROM @schema@.feedbacks AS f
    WHERE f.finding_id IS NOT NULL AND f.user_verdict IS NOT NULL
    ORDER BY f.finding_id, f.user_name, CASE WHEN f.user_name IS NULL THEN f.id END, f.id DESC
) AS v
GROUP BY v.finding_id;
COMMENT ON VIEW @schema@.finding_consensus IS
    'what people say of a finding: the majority, of each person the last word; nobody who is named counts twice, or outvotes others by coming last';
COMMENT ON COLUMN @schema@.finding_consensus.user_verdict IS 'TP or FP; null if as many say the one as the other';

CREATE VIEW @schema@.verdict_agreement AS
SELECT n.tool, n.severity, n.findings, n.tied, n.other,
       n.ai_tp_user_tp, n.ai_tp_user_fp, n.ai_fp_user_tp, n.ai_fp_user_fp,
       round(r.observed, 4) AS agreement,
       round((r.observed - r.expected) / nullif(1 - r.expected, 0), 4) AS kappa
FROM (
    SELECT f.tool, f.severity,
           count(*) FILTER (WHERE f.ai_verdict IN ('TP', 'FP') AND c.user_verdict IS NOT NULL) AS findings,
           count(*) FILTER (WHERE c.user_verdict IS NULL) AS tied,
           count(*) FILTER (WHERE f.ai_verdict NOT IN ('TP', 'FP') AND c.user_verdict IS NOT NULL) AS other,
           count(*) FILTER (WHERE f.ai_verdict = 'TP' AND c.user_verdict = 'TP') AS ai_tp_user_tp,
           count(*) FILTER (WHERE f.ai_verdict = 'TP' AND c.user_verdict = 'FP') AS ai_tp_user_fp,
           count(*) FILTER (WHERE f.ai_verdict = 'FP' AND c.user_verdict = 'TP') AS ai_fp_user_tp,
           count(*) FILTER (WHERE f.ai_verdict = 'FP' AND c.user_verdict = 'FP') AS ai_fp_user_fp
    FROM @schema@.findings AS f
    JOIN @schema@.finding_consensus AS c ON c.finding_id = f.id
    WHERE f.ai_verdict IS NOT NULL
    GROUP BY f.tool, f.severity
) AS n
CROSS JOIN LATERAL (
    SELECT (n.ai_tp_user_tp + n.ai_fp_user_fp)::numeric / nullif(n.findings, 0),
           ((n.ai_tp_user_tp + n.ai_tp_user_fp) * (n.ai_tp_user_tp + n.ai_fp_user_tp)
            + (n.ai_fp_user_tp + n.ai_fp_user_fp) * (n.ai_tp_user_fp + n.ai_fp_user_fp))
           / nullif(n.findings::numeric ^ 2, 0)
) AS r (observed, expected);
COMMENT ON VIEW @schema@.verdict_agreement IS
    'verdicts of the AI against those of people (finding_consensus), by tool and severity, of findings that have both';
COMMENT ON COLUMN @schema@.verdict_agreement.findings IS 'findings with a verdict of either side';
COMMENT ON COLUMN @schema@.verdict_agreement.tied IS 'findings on which people are divided evenly; in none of the other columns';
COMMENT ON COLUMN @schema@.verdict_agreement.other IS 'findings of which the AI said neither TP nor FP; in none of the other columns';
COMMENT ON COLUMN @schema@.verdict_agreement.agreement IS 'part of the findings on which both say the same';
COMMENT ON COLUMN @schema@.verdict_agreement.kappa IS
    'Cohen''s kappa: agreement beyond what chance would bring, 1 at best; null where chance alone brings all of it, that is, both always say the same one thing';

CREATE FUNCTION @schema@.run_scores(
    for_project   text    DEFAULT NULL,
    min_runs      integer DEFAULT 5,
    previous_runs integer DEFAULT NULL
) RETURNS TABLE (
        scan_id      integer,
        project_name varchar,
        "timestamp"  timestamp,
        metric       text,
        value        double precision,
        previous     bigint,
        median       double precision,
        mad          double precision,
        score        double precision
    )
    LANGUAGE sql STABLE
    ROWS 1000
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH run AS (
        -- Of several rows of metrics the last one that has a value.
        SELECT DISTINCT ON (s.id, m.metric)
               s.id AS scan_id, s.project_name, s."timestamp", coalesce(s."timestamp", '-infinity') AS at, m.metric, m.value
        FROM @schema@.scans AS s
        JOIN @schema@.pipeline_metrics AS p ON p.scan_id = s.id
        CROSS JOIN LATERAL (VALUES ('build_duration_seconds', p.build_duration_seconds),
                                   ('artifact_size_bytes', p.artifact_size_bytes::float8),
                                   ('num_changed_files', p.num_changed_files::float8),
                                   ('findings_total', p.findings_total::float8),
                                   ('ai_tokens', p.ai_tokens::float8),
                                   ('ai_cost_usd', p.ai_cost_usd::float8)
        ) AS m (metric, value)
        WHERE s.status = 'completed' AND m.value IS NOT NULL AND (for_project IS NULL OR s.project_name = for_project)
        ORDER BY s.id, m.metric, p.id DESC
    ), history AS (
        SELECT r.scan_id, r.metric, array_agg(b.value) AS before
        FROM run AS r
        CROSS JOIN LATERAL (
            SELECT e.value FROM run AS e
            WHERE e.project_name = r.project_name AND e.metric = r.metric AND (e.at, e.scan_id) < (r.at, r.scan_id)
            ORDER BY e.at DESC, e.scan_id DESC LIMIT previous_runs
        ) AS b
        GROUP BY r.scan_id, r.metric
    )
    SELECT r.scan_id, r.project_name, r."timestamp", r.metric, r.value, coalesce(cardinality(h.before), 0), c.median, d.mad,
           CASE WHEN d.mad > 0 THEN 0.6745 * (r.value - c.median) / d.mad
                -- More than half of the runs alike: the mean deviation tells how far the others are.
                WHEN d.mean > 0 THEN (r.value - c.median) / (1.253314 * d.mean)
                WHEN r.value = c.median THEN 0
                -- All of them alike, and this one not.
                WHEN d.mean = 0 THEN sign(r.value - c.median) * float8 'infinity' END
    FROM run AS r
    LEFT JOIN history AS h ON h.scan_id = r.scan_id AND h.metric = r.metric
    CROSS JOIN LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY v)
        FROM unnest(h.before) AS v WHERE cardinality(h.before) >= min_runs
    ) AS c (median)
    CROSS JOIN LATERAL (
        SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY abs(v - c.median)), avg(abs(v - c.median))
        FROM unnest(h.before) AS v
    ) AS d (mad, mean)
$$;
COMMENT ON FUNCTION @schema@.run_scores(text, integer, integer) IS
    'how far each completed run is from those of its project before it, metric by metric: robust z-score 0.6745 (value - median) / MAD; null with fewer than min_runs of them. previous_runs: only so many, the last ones; null: all. Where the MAD is 0, the mean absolute deviation takes its place; where that is 0 too, any other value scores infinite';

CREATE VIEW @schema@.deviating_runs AS
SELECT r.scan_id, r.project_name, r."timestamp", r.metric, r.value, r.previous, r.median, r.mad, r.score
FROM @schema@.run_scores() AS r
WHERE abs(r.score) > 3.5;
COMMENT ON VIEW @schema@.deviating_runs IS
    'completed runs of which a metric (duration, size, changed files, findings, tokens, cost) is far from those of the project''s runs before (score beyond 3.5, at least 5 runs before)';
