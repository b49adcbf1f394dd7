-- scidex: the files that heads are published to, held against the chain. The record that verify_all() goes by is in the
-- database, where an insider can delete from it; the files are not.

-- Read from the end, twice as much each time, until a line was published before.
CREATE FUNCTION @schema@.published_lines(file text, since timestamptz) RETURNS text
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    size bigint := (pg_stat_file(file)).size;
    piece bigint := 1024 * 1024;
    bytes bytea;
    lines text;
    before text := to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
BEGIN
    LOOP
        piece := least(piece, size);
        bytes := pg_read_binary_file(file, size - piece, piece);
        IF piece = size THEN
            RETURN convert_from(bytes, 'UTF8');
        END IF;
        -- Not from within a line, nor a character.
        lines := convert_from(substr(bytes, position('\x0a'::bytea IN bytes) + 1), 'UTF8');
        IF substring(lines FROM '"published_at":"([^"]*)"') < before COLLATE "C" THEN
            RETURN lines;
        END IF;
        piece := piece * 2;
    END LOOP;
END $$;
COMMENT ON FUNCTION @schema@.published_lines(text, timestamptz) IS
    'the lines of a file of heads that were published since then, and some before; null: all';

-- In pieces where all of it is read.
CREATE FUNCTION @schema@.file_findings(file text, since timestamptz DEFAULT NULL)
    RETURNS TABLE (lines bigint, findings auditspine.publication_finding[])
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    text_of_lines text;
BEGIN
    IF since IS NULL THEN
        SELECT v.lines INTO lines FROM @verbs@.verify_publication_file(file) AS v;
        findings := ARRAY(SELECT f FROM @verbs@.publication_file_findings(file) AS f ORDER BY f.line);
    ELSE
        text_of_lines := @schema@.published_lines(file, since);
        SELECT v.lines INTO lines FROM @verbs@.verify_publication(text_of_lines) AS v;
        findings := ARRAY(SELECT f FROM @verbs@.publication_findings(text_of_lines) AS f ORDER BY f.line);
    END IF;
    findings := ARRAY(
        SELECT f FROM unnest(findings) AS f
        WHERE f.finding NOT IN ('line_cut_short', 'ahead_of_standby') AND (f.chain IS NULL OR f.chain IN ('@schema@', 'main')));
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION @schema@.file_findings(text, timestamptz) IS
    'lines of a file of heads, and those that speak against this installation''s chain: published since then, or all';

-- One row for each lane that lost heads, as raise_breaks() has it, with the digest that verify_all() gives that break; one for
-- each other thing that is wrong with a file.
CREATE FUNCTION @schema@.raise_file_breaks(file text, findings auditspine.publication_finding[]) RETURNS void
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
    AS $$
    INSERT INTO @schema@.senate_alerts (kind, severity, subject, detail, layer, finding, chain, lane, seq, evidence,
                                        break_digest, occurrence)
    SELECT 'audit_chain_break', 'critical', coalesce('chain ' || b.chain || ', lane ' || b.lane, file), b.detail,
           CASE WHEN b.lane IS NULL THEN 'files' ELSE 'heads' END, b.finding, b.chain, b.lane, b.seq,
           jsonb_build_object('file', file, 'lane', b.lane, 'pos', b.pos, 'published_at', b.published_at, 'expected', encode(b.expected, 'hex'),
                              'found', encode(b.found, 'hex')),
           d.digest, 1 + (SELECT count(*) FROM @schema@.senate_alerts AS s WHERE s.break_digest = d.digest)::integer
    FROM (
        SELECT DISTINCT ON (f.chain, f.lane, CASE WHEN f.lane IS NULL THEN f.finding END) f.*
        FROM unnest(findings) AS f
        WHERE CASE WHEN f.lane IS NULL THEN NOT EXISTS (
                       SELECT FROM @schema@.senate_alerts AS s
                       WHERE s.layer = 'files' AND s.subject = file AND s.finding = f.finding)
                   ELSE NOT @schema@.knows_end(f.chain, f.lane, f.published_at) END
        ORDER BY f.chain, f.lane, CASE WHEN f.lane IS NULL THEN f.finding END, f.line) AS b
    CROSS JOIN LATERAL (
        SELECT sha256(convert_to(@verbs@.canonical_json(
            CASE WHEN b.lane IS NULL THEN jsonb_build_object('file', file, 'finding', b.finding, 'layer', 'files')
                 ELSE jsonb_build_object('chain', b.chain, 'finding', b.finding, 'lane', b.lane, 'layer', 'heads') END), 'UTF8'))
    ) AS d (digest)
    ON CONFLICT ON CONSTRAINT senate_alerts_break_key DO NOTHING
$$;
COMMENT ON FUNCTION @schema@.raise_file_breaks(text, auditspine.publication_finding[]) IS
    'brings what a file of heads says to senate_alerts, as far as it is not known';

CREATE FUNCTION @schema@.verify_files(since timestamptz DEFAULT NULL)
    RETURNS TABLE (layer text, subject text, ok boolean, checked bigint, findings bigint, first_bad_seq bigint, detail text)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    listed text[];
    found auditspine.publication_finding[];
BEGIN
    layer := 'files';
    subject := 'auditspine.publish_file';
    BEGIN
        listed := ARRAY(SELECT f FROM @verbs@.publish_files() AS f);
        IF listed = '{}' THEN
            detail := 'not set: heads are not published to any file';
            RETURN NEXT;
        END IF;
    EXCEPTION WHEN invalid_parameter_value THEN
        ok := false;
        detail := SQLERRM;
        RETURN NEXT;
    END;
    -- Whatever the setting says now: files that were written lately count, too.
    FOR subject IN
        SELECT f FROM unnest(listed) AS f
        UNION
        SELECT p.file FROM ONLY auditspine.publication AS p
        WHERE p.publication_id > (SELECT max(l.publication_id) - 100 FROM ONLY auditspine.publication AS l)
        ORDER BY 1
    LOOP
        first_bad_seq := NULL;
        detail := NULL;
        checked := 0;
        BEGIN
            SELECT f.lines, f.findings INTO checked, found FROM @schema@.file_findings(subject, since) AS f;
        EXCEPTION
            WHEN insufficient_privilege THEN
                found := NULL;
                detail := 'not verified: ' || SQLERRM;
            WHEN undefined_file OR io_error OR character_not_in_repertoire THEN
                -- What is not listed any more may have been carried off; what was never written is not there yet.
                found := CASE
                    WHEN subject = ANY (listed) AND EXISTS (SELECT FROM ONLY auditspine.publication AS p WHERE p.file = subject) THEN
                        ARRAY[ROW(0, NULL, NULL, NULL, NULL, NULL, 'file_unreadable', SQLERRM, NULL, NULL)::auditspine.publication_finding]
                END;
                detail := SQLERRM;
        END;
        findings := cardinality(found);
        ok := findings = 0;
        IF findings > 0 THEN
            PERFORM @schema@.raise_file_breaks(subject, found);
            SELECT min(f.seq), (array_agg(f.finding || coalesce(' at seq ' || f.seq, '') || ': ' || f.detail))[1]
            INTO first_bad_seq, detail FROM unnest(found) AS f;
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION @schema@.verify_files(timestamptz) IS
    'holds the files of auditspine.publish_file, and those written lately, against the chain: what was published since then, or all; ok is null where nothing could be said';
