-- Findings from SARIF 2.1.0, the format in which scanners hand on what they found.

-- A path, where SARIF has a URI: without file:// and without percent-encoding.
CREATE FUNCTION @schema@.sarif_path(uri text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    path text := regexp_replace(uri, '^file://(localhost(?=/))?', '');
BEGIN
    IF path IS NULL OR strpos(path, '%') = 0 THEN
        RETURN path;
    END IF;
    RETURN convert_from(
        (SELECT string_agg(CASE WHEN piece[1] ~ '^%[0-9A-Fa-f]{2}$' THEN decode(substr(piece[1], 2), 'hex')
                                ELSE convert_to(piece[1], 'UTF8') END, ''::bytea ORDER BY number)
         FROM regexp_matches(path, '%[0-9A-Fa-f]{2}|[^%]+|%', 'g') WITH ORDINALITY AS p (piece, number)), 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    -- Not UTF-8: nobody knows what it stands for.
    RETURN path;
END $$;
COMMENT ON FUNCTION @schema@.sarif_path(text) IS 'the path that a URI in a SARIF file names';

CREATE FUNCTION @schema@.sarif_severity(score text, level text) RETURNS text
    LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN s.value >= 9 THEN 'Critical' WHEN s.value >= 7 THEN 'High' WHEN s.value >= 4 THEN 'Medium' WHEN s.value > 0 THEN 'Low'
        WHEN level = 'error' THEN 'High' WHEN level = 'warning' THEN 'Medium' WHEN level = 'note' THEN 'Low' END
    FROM (SELECT CASE WHEN score ~ '^[0-9]{1,4}([.][0-9]{1,20})?$' THEN score::numeric END AS value) AS s
$$;
COMMENT ON FUNCTION @schema@.sarif_severity(text, text) IS
    'severity by the rule''s security-severity (a CVSS score: 9 Critical, 7 High, 4 Medium), or else by the level (error High, warning Medium, note Low); null where neither tells';

CREATE FUNCTION @schema@.load_sarif(scan_id integer, sarif jsonb)
    RETURNS TABLE (tool varchar, findings bigint, skipped bigint)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    run   jsonb;
    total bigint;
BEGIN
    IF scan_id IS NULL OR NOT EXISTS (SELECT FROM @schema@.scans AS s WHERE s.id = load_sarif.scan_id) THEN
        RAISE EXCEPTION 'there is no scan %', coalesce(scan_id::text, 'null')
            USING ERRCODE = 'no_data_found', HINT = 'start_scan(), or INSERT INTO @schema@.scans, gives an id';
    END IF;
    IF (sarif ->> 'version' = '2.1.0' AND jsonb_typeof(sarif -> 'runs') = 'array') IS NOT TRUE THEN
        RAISE EXCEPTION 'this is not a SARIF 2.1.0 file'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'give the whole file: an object with version 2.1.0 and runs';
    END IF;
    FOR run IN SELECT r.value FROM jsonb_array_elements(sarif -> 'runs') AS r (value) LOOP
        load_sarif.tool := run #>> '{tool,driver,name}';
        WITH component (number, part) AS (
            -- Rules are the driver's, or those of an extension, such as a pack of queries.
            SELECT -1, run #> '{tool,driver}'
            UNION ALL
            SELECT e.number::integer - 1, e.value FROM jsonb_path_query(run, '$.tool.extensions[*]') WITH ORDINALITY AS e (value, number)
        ), rule AS MATERIALIZED (
            SELECT c.number AS component, r.number::integer - 1 AS number, r.value ->> 'id' AS id,
                   r.value #>> '{defaultConfiguration,level}' AS level, r.value #>> '{properties,security-severity}' AS score
            FROM component AS c
            CROSS JOIN LATERAL jsonb_path_query(c.part, '$.rules[*]') WITH ORDINALITY AS r (value, number)
        ), named AS MATERIALIZED (
            SELECT DISTINCT ON (r.id) r.id, r.level, r.score FROM rule AS r ORDER BY r.id, r.component, r.number
        ), artifact AS MATERIALIZED (
            SELECT a.number::integer - 1 AS number, a.value #>> '{location,uri}' AS uri
            FROM jsonb_path_query(run, '$.artifacts[*]') WITH ORDINALITY AS a (value, number)
        ), result AS MATERIALIZED (
            SELECT r.number, r.value,
                   coalesce(r.value ->> 'ruleId', r.value #>> '{rule,id}') AS rule_id,
                   substring(coalesce(r.value ->> 'ruleIndex', r.value #>> '{rule,index}') FROM '^[0-9]{1,9}$')::integer AS rule_number,
                   coalesce(substring(r.value #>> '{rule,toolComponent,index}' FROM '^[0-9]{1,9}$')::integer, -1) AS component,
                   r.value #> '{locations,0,physicalLocation}' AS place
            FROM jsonb_path_query(run, '$.results[*]') WITH ORDINALITY AS r (value, number)
            WHERE jsonb_typeof(r.value) = 'object'
        ), fails AS (
            SELECT r.number, coalesce(r.rule_id, i.id) AS rule_id,
                   coalesce(r.place #>> '{artifactLocation,uri}', a.uri) AS uri,
                   (r.place #>> '{region,startLine}')::numeric::integer AS line,
                   @schema@.sarif_severity(
                       coalesce(r.value #>> '{properties,security-severity}', i.score, e.score, g.score),
                       coalesce(r.value ->> 'level', CASE WHEN coalesce(r.value ->> 'kind', 'fail') <> 'fail' THEN 'none' END,
                                i.level, e.level, g.level, 'warning')) AS severity
            FROM result AS r
            LEFT JOIN rule AS i ON i.component = r.component AND i.number = r.rule_number
            LEFT JOIN named AS e ON i.number IS NULL AND e.id = r.rule_id
            -- A rule may have parts, which only the result names: CA1000/1 is of rule CA1000.
            LEFT JOIN named AS g ON i.number IS NULL AND e.id IS NULL AND g.id = regexp_replace(r.rule_id, '/[^/]*$', '')
            LEFT JOIN artifact AS a ON a.number = substring(r.place #>> '{artifactLocation,index}' FROM '^[0-9]{1,9}$')::integer
            WHERE coalesce(r.value ->> 'kind', 'fail') NOT IN ('pass', 'notApplicable', 'informational')
              AND r.value ->> 'baselineState' IS DISTINCT FROM 'absent'
              AND (NOT jsonb_path_exists(r.value, '$.suppressions[0]')
                   OR jsonb_path_exists(r.value, '$.suppressions[*] ? (@.status == "underReview" || @.status == "rejected")'))
        )
        INSERT INTO @schema@.findings (scan_id, tool, rule_id, file, line, severity, cve_id)
        SELECT load_sarif.scan_id, load_sarif.tool, f.rule_id, @schema@.sarif_path(f.uri), f.line, f.severity,
               substring(f.rule_id FROM 'CVE-[0-9]{4}-[0-9]{4,19}')
        FROM fails AS f ORDER BY f.number;
        GET DIAGNOSTICS findings = ROW_COUNT;
        SELECT count(*) INTO total FROM jsonb_path_query(run, '$.results[*]') AS r (value) WHERE jsonb_typeof(r.value) = 'object';
        load_sarif.skipped := total - load_sarif.findings;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION @schema@.load_sarif(integer, jsonb) IS
    'writes the results of a SARIF 2.1.0 file as findings of a scan: tool, rule_id, file, line, severity and cve_id; answers for each of its runs how many. Skipped: what passed, is informational, is suppressed, or is gone since the baseline';
