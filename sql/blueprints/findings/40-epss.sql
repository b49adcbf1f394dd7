-- EPSS: how likely each CVE is to be exploited within 30 days. Published daily, as one file of all CVEs.

CREATE TABLE @schema@.epss_data (
    -- Compared by bytes: the ids are ASCII, and joins of whole files are what the table is for.
    cve_id      varchar COLLATE "C" PRIMARY KEY
                CONSTRAINT epss_data_cve_check CHECK (cve_id ~ '^CVE-[0-9]{4}-[0-9]{4,19}$'),
    probability double precision CONSTRAINT epss_data_probability_check CHECK (probability BETWEEN 0 AND 1),
    -- Applications that fill the table themselves may rank by per cent.
    percentile  double precision CONSTRAINT epss_data_percentile_check CHECK (percentile BETWEEN 0 AND 100)
);
COMMENT ON TABLE @schema@.epss_data IS
    'EPSS scores of the file that was loaded last. Its date stands in epss_loads and not in each row: there it would change every row every day, and each change would be an entry';
COMMENT ON COLUMN @schema@.epss_data.probability IS 'that the CVE is exploited within 30 days, 0 to 1';
COMMENT ON COLUMN @schema@.epss_data.percentile IS 'part of all CVEs with that probability or less: 0 to 1 as EPSS files have it';

CREATE TABLE @schema@.epss_loads (
    load_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    score_date    date NOT NULL,
    model_version text,
    rows          integer NOT NULL,
    inserted      integer NOT NULL,
    changed       integer NOT NULL,
    deleted       integer NOT NULL,
    loaded_by     text NOT NULL DEFAULT session_user,
    loaded_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX epss_loads_date_idx ON @schema@.epss_loads (score_date);
COMMENT ON TABLE @schema@.epss_loads IS 'files that load_epss() has loaded; append-only';
COMMENT ON COLUMN @schema@.epss_loads.score_date IS 'the day that the scores are of';
COMMENT ON COLUMN @schema@.epss_loads.model_version IS 'the EPSS model, as the file''s first line names it';
COMMENT ON COLUMN @schema@.epss_loads.rows IS 'rows of the file, and of epss_data after it';
COMMENT ON COLUMN @schema@.epss_loads.inserted IS 'CVEs that were new';
COMMENT ON COLUMN @schema@.epss_loads.changed IS 'CVEs whose scores were others before';
COMMENT ON COLUMN @schema@.epss_loads.deleted IS 'CVEs that are not in the file any more';
COMMENT ON COLUMN @schema@.epss_loads.loaded_by IS 'session user';

CREATE TYPE @schema@.epss_row AS (cve_id varchar, probability double precision, percentile double precision);
COMMENT ON TYPE @schema@.epss_row IS 'a line of an EPSS file';

-- Whoever overwrites rows with what they say already (an ORM, a COPY and upsert) makes no entries by it.
SELECT @verbs@.audit_attach('@schema@.epss_data', kind => '@schema@.epss_data', skip_unchanged => true);
SELECT @verbs@.audit_attach('@schema@.epss_loads', kind => '@schema@.epss_loads', payload => 'full', append_only => true);

-- Only rows that differ are written: the others cost neither a new version nor a call of the trigger. The rows are
-- joined once, and an array that is known when the plan is made: else the planner would take it for a short one.
CREATE FUNCTION @schema@.load_epss(date date, rows @schema@.epss_row[], model_version text DEFAULT NULL)
    RETURNS @schema@.epss_loads
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO, YMD'
    SET plan_cache_mode = force_custom_plan
    AS $$
DECLARE
    latest   date;
    bad      bigint;
    problem  text;
    inserted bigint;
    changed  bigint;
    deleted  bigint;
    total    bigint;
    twice    record;
    done     @schema@.epss_loads;
BEGIN
    IF date IS NULL OR rows IS NULL THEN
        RAISE EXCEPTION 'an EPSS file has a date and rows; % is null', CASE WHEN date IS NULL THEN 'the date' ELSE 'rows' END
            USING ERRCODE = 'null_value_not_allowed', HINT = 'load_epss(date, rows): the day of the scores, and the file''s lines';
    END IF;
    IF cardinality(rows) = 0 THEN
        RAISE EXCEPTION 'the EPSS file of % has no rows', date
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'it would delete all scores; if that is meant, DELETE FROM @schema@.epss_data';
    END IF;
    -- Days are UTC's, and clocks differ. A date far off would have the true files refused after it.
    IF date > (now() AT TIME ZONE 'UTC')::date + 1 THEN
        RAISE EXCEPTION 'the EPSS file is of %, a day that is yet to come', date
            USING ERRCODE = 'invalid_parameter_value', HINT = 'give the day that the scores are of';
    END IF;
    -- Under an older snapshot, what a load before this one did would not be seen, and stay.
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'an EPSS file cannot be loaded at isolation level %', current_setting('transaction_isolation')
            USING ERRCODE = 'invalid_transaction_state', HINT = 'load it in a transaction that is READ COMMITTED';
    END IF;
    -- One load at a time, and nobody else writes; readers go on.
    LOCK TABLE @schema@.epss_data IN SHARE ROW EXCLUSIVE MODE;
    SELECT max(l.score_date) INTO latest FROM @schema@.epss_loads AS l;
    IF date < latest THEN
        RAISE EXCEPTION 'the EPSS file of % is older than the one of %, which is loaded', date, latest
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'load files in the order of their dates';
    END IF;

    WITH differing AS MATERIALIZED (
        SELECT f.cve_id, f.probability, f.percentile, f.at, d.cve_id AS present
        FROM unnest(load_epss.rows) WITH ORDINALITY AS f (cve_id, probability, percentile, at)
        FULL JOIN @schema@.epss_data AS d ON d.cve_id = f.cve_id
        WHERE d.probability IS DISTINCT FROM f.probability OR d.percentile IS DISTINCT FROM f.percentile
           -- Gone from the file, or a value that the table takes and no file has.
           OR f.probability IS NULL OR f.percentile IS NULL OR f.percentile > 1
    ), wrong AS (
        SELECT min(n.at) AS at FROM differing AS n
        -- A CVE that is there has its form from the table.
        WHERE n.at IS NOT NULL
          AND (n.probability BETWEEN 0 AND 1 AND n.percentile BETWEEN 0 AND 1
               AND (n.present IS NOT NULL OR n.cve_id ~ '^CVE-[0-9]{4}-[0-9]{4,19}$')) IS NOT TRUE
    ), gone AS (
        DELETE FROM @schema@.epss_data AS d USING differing AS n
        WHERE d.cve_id = n.present AND n.at IS NULL AND (SELECT w.at IS NULL FROM wrong AS w)
        RETURNING 1
    ), rescored AS (
        UPDATE @schema@.epss_data AS d SET probability = n.probability, percentile = n.percentile
        FROM differing AS n
        WHERE d.cve_id = n.present AND n.at IS NOT NULL AND (SELECT w.at IS NULL FROM wrong AS w)
        RETURNING 1
    ), new AS (
        INSERT INTO @schema@.epss_data (cve_id, probability, percentile)
        SELECT n.cve_id, n.probability, n.percentile FROM differing AS n
        WHERE n.present IS NULL AND (SELECT w.at IS NULL FROM wrong AS w)
        -- Which is there already is in the file twice: told below.
        ON CONFLICT DO NOTHING
        RETURNING 1
    )
    SELECT w.at, (SELECT count(*) FROM new), (SELECT count(*) FROM rescored), (SELECT count(*) FROM gone)
    INTO bad, inserted, changed, deleted FROM wrong AS w;
    IF bad IS NOT NULL THEN
        SELECT CASE WHEN f.cve_id IS NULL THEN 'it names no CVE'
                    WHEN f.cve_id !~ '^CVE-[0-9]{4}-[0-9]{4,19}$' THEN format('%L is not a CVE id', left(f.cve_id, 50))
                    WHEN f.probability IS NULL OR f.percentile IS NULL THEN f.cve_id || ' has no probability, or no percentile'
                    WHEN f.probability NOT BETWEEN 0 AND 1
                    THEN format('probability %s of %s is not between 0 and 1', f.probability, f.cve_id)
                    ELSE format('percentile %s of %s is not between 0 and 1', f.percentile, f.cve_id) END
        INTO problem FROM unnest(load_epss.rows) WITH ORDINALITY AS f (cve_id, probability, percentile, at) WHERE f.at = bad;
        RAISE EXCEPTION 'row % of the EPSS file of % is wrong: %', bad, date, problem
            USING ERRCODE = 'check_violation', HINT = 'nothing was loaded; mend the row, or leave it out';
    END IF;
    -- The table now has each CVE of the file once, and no other.
    SELECT count(*) INTO total FROM @schema@.epss_data;
    IF total <> cardinality(rows) THEN
        SELECT f.cve_id, min(f.at) AS at, max(f.at) AS again INTO twice
        FROM unnest(load_epss.rows) WITH ORDINALITY AS f (cve_id, probability, percentile, at)
        GROUP BY f.cve_id HAVING count(*) > 1 ORDER BY min(f.at) LIMIT 1;
        RAISE EXCEPTION 'rows % and % of the EPSS file of % are both of %', twice.at, twice.again, date, twice.cve_id
            USING ERRCODE = 'unique_violation', HINT = 'nothing was loaded; leave one of them out';
    END IF;
    INSERT INTO @schema@.epss_loads (score_date, model_version, rows, inserted, changed, deleted)
    VALUES (load_epss.date, load_epss.model_version, total, inserted, changed, deleted)
    RETURNING * INTO done;
    RETURN done;
END $$;
COMMENT ON FUNCTION @schema@.load_epss(date, @schema@.epss_row[], text) IS
    'makes epss_data what the EPSS file of a day says: rows new, changed and gone are written, others are left alone; answers its row in epss_loads';

-- As the file is published: a comment that names model and day, a header, and a line for each CVE.
CREATE FUNCTION @schema@.load_epss_csv(date date, csv text) RETURNS @schema@.epss_loads
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    SET datestyle = 'ISO, YMD'
    AS $$
DECLARE
    lines   text[] := string_to_array(rtrim(replace(load_epss_csv.csv, E'\r', ''), E'\n'), E'\n');
    remark  text := CASE WHEN lines[1] LIKE '#%' THEN lines[1] END;
    header  integer := CASE WHEN remark IS NULL THEN 1 ELSE 2 END;
    file_of date := substring(remark FROM 'score_date:([0-9]{4}-[0-9]{2}-[0-9]{2})');
    rows    @schema@.epss_row[];
    bad     record;
BEGIN
    IF lines[header] IS DISTINCT FROM 'cve,epss,percentile' THEN
        RAISE EXCEPTION 'line % of the EPSS file should be cve,epss,percentile: %', header, coalesce(left(lines[header], 50), 'it is missing')
            USING ERRCODE = 'bad_copy_file_format', HINT = 'give the whole file as it is published, unpacked';
    END IF;
    IF date <> file_of THEN
        RAISE EXCEPTION 'the EPSS file is of %, not of %', file_of, date
            USING ERRCODE = 'invalid_parameter_value', HINT = 'with null for a date, the file''s own is taken';
    END IF;
    BEGIN
        SELECT array_agg(ROW(part[1], part[2], part[3])::@schema@.epss_row ORDER BY number) FILTER (WHERE cardinality(part) = 3)
        INTO rows
        FROM (SELECT string_to_array(line, ',') AS part, number
              FROM unnest(lines[header + 1:]) WITH ORDINALITY AS l (line, number) OFFSET 0) AS parts;
    EXCEPTION WHEN invalid_text_representation OR numeric_value_out_of_range THEN
        rows := NULL;
    END;
    -- Each line was understood, or else the first that was not is looked for.
    IF coalesce(cardinality(rows), 0) <> cardinality(lines) - header THEN
        SELECT l.line, l.number INTO bad
        FROM unnest(lines[header + 1:]) WITH ORDINALITY AS l (line, number)
        WHERE l.line !~ '^[^,]*,[-+]?[0-9]*[.]?[0-9]+([eE][-+]?[0-9]{1,2})?,[-+]?[0-9]*[.]?[0-9]+([eE][-+]?[0-9]{1,2})?$'
        ORDER BY l.number LIMIT 1;
        RAISE EXCEPTION 'line % of the EPSS file is no CVE and two numbers: %', header + bad.number, left(bad.line, 50)
            USING ERRCODE = 'bad_copy_file_format', HINT = 'nothing was loaded; give the file as it is published';
    END IF;
    RETURN @schema@.load_epss(coalesce(date, file_of), coalesce(rows, '{}'), substring(remark FROM 'model_version:([^,]+)'));
END $$;
COMMENT ON FUNCTION @schema@.load_epss_csv(date, text) IS
    'load_epss() of a file as it is published: #model_version:…,score_date:…, then cve,epss,percentile, then the lines; date: null takes the file''s own';
