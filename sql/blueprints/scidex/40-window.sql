-- scidex: windows of time. Which entries are in one, what is wrong in it.

-- Entries are found by place, not by time: there is no index on appended_at, and seq, which has one, grows with it but for
-- the moments that commits take. In a lane both grow, so each lane is searched like a dictionary, by its primary key: some
-- twenty probes, however long the chain. Whoever sets back appended_at, to slip out of the window, has to do so in every
-- lane; changes it in a way that verify_chain() finds; and is held against how far earlier runs of verify_all() had come.
CREATE FUNCTION @schema@.window_start(at timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    head record;
    entry record;
    lowest bigint;
    beyond bigint := 1;
    low bigint;
    high bigint;
    first_seq bigint;
BEGIN
    IF at IS NULL THEN
        RETURN 1;
    END IF;
    FOR head IN
        SELECT h.chain_id, h.lane, h.pos, h.seq FROM @verbs@.chain_heads('@schema@'::text) AS h
        UNION ALL
        -- Where tables are attached, and their columns told.
        SELECT h.chain_id, h.lane, h.pos, h.seq FROM @verbs@.chain_heads('main'::text) AS h
    LOOP
        beyond := greatest(beyond, head.seq + 1);
        -- The first position whose entry is not before the window is within low and high.
        low := 1;
        high := head.pos + 1;
        first_seq := NULL;
        WHILE low < high LOOP
            -- Entries may be missing: the next one there is speaks for them.
            SELECT e.pos, e.seq, e.appended_at INTO entry
            FROM ONLY auditspine.audit_chain AS e
            WHERE e.chain_id = head.chain_id AND e.lane = head.lane AND e.pos >= (low + high) / 2
            ORDER BY e.pos LIMIT 1;
            IF entry.appended_at < at THEN
                low := entry.pos + 1;
            ELSE
                first_seq := entry.seq;
                high := (low + high) / 2;
            END IF;
        END LOOP;
        lowest := least(lowest, first_seq);
    END LOOP;
    RETURN least(lowest, beyond, (SELECT 1 + max(v.to_seq) FROM ONLY auditspine.verification AS v WHERE v.started_at <= at));
END $$;
COMMENT ON FUNCTION @schema@.window_start(timestamptz) IS
    'seq from which on entries of the chain were linked at that time or later; rather too low than too high';

CREATE FUNCTION @schema@.recorded_tables() RETURNS TABLE (name text, key text)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE ROWS 8
    SET search_path = pg_catalog, pg_temp
    AS $$
    VALUES ('artifact_provenance', 'action_id'), ('task_events', 'event_id'), ('comment_classifier_runs', 'run_id'),
           ('sandbox_audit_event', 'event_id'), ('actor_write_trip_event', 'event_id'), ('audit_log', 'log_id'),
           ('senate_pause', 'pause_id'), ('senate_alerts', 'alert_id')
$$;
COMMENT ON FUNCTION @schema@.recorded_tables() IS 'the tables that are recorded, and their keys';

-- A window of entries shows rows that have entries; what was written past the trigger has none. recorded_at is the row's own
-- word, and may be forged: the nightly run does not ask for it.
CREATE FUNCTION @schema@.unrecorded_since(since timestamptz) RETURNS TABLE (event_kind text, event_pk text)
    LANGUAGE plpgsql STABLE ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT r.name, r.key, '@schema@.' || r.name AS kind FROM @schema@.recorded_tables() AS r LOOP
        CONTINUE WHEN to_regclass(t.kind) IS NULL;
        RETURN QUERY EXECUTE format(
            'WITH recent AS MATERIALIZED (
                 SELECT r.%1$I::text AS key FROM %2$s AS r WHERE r.recorded_at >= $2
             ), known AS MATERIALIZED (
                 SELECT e.event_pk FROM auditspine.places_of($1, (SELECT array_agg(r.key) FROM recent AS r)) AS l
                 JOIN ONLY auditspine.audit_chain AS e ON e.chain_id = l.chain_id AND e.lane = l.lane AND e.pos = l.pos
                 WHERE e.event_kind = $1 AND e.op IN (''I'', ''U''))
             SELECT $1, r.key FROM recent AS r WHERE NOT EXISTS (SELECT FROM known AS k WHERE k.event_pk = r.key)', t.key, t.kind)
        USING t.kind, since;
    END LOOP;
END $$;
COMMENT ON FUNCTION @schema@.unrecorded_since(timestamptz) IS
    'rows written since then, by their own word, that no entry tells of';

-- For auditors: it writes nothing.
CREATE FUNCTION @schema@.window_findings("from" timestamptz DEFAULT now() - interval '1 day', "to" timestamptz DEFAULT now())
    RETURNS TABLE (layer text, subject text, finding text, seq bigint, event_kind text, event_pk text, detail text)
    LANGUAGE plpgsql ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    first_seq bigint := @schema@.window_start("from");
    last_seq bigint := CASE WHEN "to" < now() THEN @schema@.window_start("to") - 1 END;
BEGIN
    RETURN QUERY
    SELECT 'links', f.chain, f.finding, f.seq, f.event_kind, f.event_pk, f.detail
    FROM @verbs@.chain_findings('@schema@'::text, first_seq, last_seq) AS f;
    RETURN QUERY
    WITH recorded AS (SELECT '@schema@.' || r.name AS kind, to_regclass('@schema@.' || r.name) AS found FROM @schema@.recorded_tables() AS r)
    SELECT 'rows', f.table_name, f.finding, f.seq, r.kind, f.key, f.detail
    FROM recorded AS r CROSS JOIN LATERAL @verbs@.verify_table_findings(r.found, first_seq, NULL::text) AS f
    WHERE r.found IS NOT NULL AND f.finding <> 'row_unverifiable'
    UNION
    SELECT 'rows', u.event_kind, 'row_unrecorded', NULL, u.event_kind, u.event_pk, 'no entry tells of this row'
    FROM @schema@.unrecorded_since("from") AS u
    UNION
    SELECT 'rows', r.kind, 'table_missing', NULL, r.kind, NULL, 'the table does not exist'
    FROM recorded AS r WHERE r.found IS NULL;
END $$;
COMMENT ON FUNCTION @schema@.window_findings(timestamptz, timestamptz) IS
    'what is wrong with the entries linked in a window, and with the rows that they, or later ones, tell of; writes nothing';
