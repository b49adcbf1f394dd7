-- scidex: breaks become alerts. They are found and told apart by verify_all(), which keeps them in auditspine.alert; what
-- concerns this installation comes to senate_alerts from there, each break once.

-- Entries about attaching and columns are in chain main, so a break there concerns everybody.
CREATE VIEW @schema@.audit_break AS
SELECT a.alert_id, a.raised_at, a.layer, a.finding, a.detail, a.chain, (a.evidence ->> 'lane')::integer AS lane, a.seq,
       a.table_name, a.event_kind, a.pk AS event_pk, a.evidence, a.verification_id, a.break_digest, a.occurrence,
       CASE
           WHEN a.layer = 'heads' THEN (a.evidence ->> 'published_at')::timestamptz
           WHEN a.finding IN ('head_missing', 'head_changed') THEN
               coalesce((SELECT max(v.started_at) FROM ONLY auditspine.verification AS v WHERE v.ok AND v.started_at < a.raised_at),
                        '-infinity')
       END AS end_seen_at
FROM ONLY auditspine.alert AS a
WHERE CASE a.layer
          WHEN 'links' THEN a.chain IS NULL OR a.chain IN ('@schema@', 'main')
          WHEN 'heads' THEN a.chain IS NULL OR a.chain IN ('@schema@', 'main')
          WHEN 'rows' THEN starts_with(a.event_kind, '@schema@.') OR starts_with(a.table_name, '@schema@.')
          ELSE false
      END;
COMMENT ON VIEW @schema@.audit_break IS 'breaks that verify_all() found, as far as they concern these tables and their chain';
COMMENT ON COLUMN @schema@.audit_break.end_seen_at IS
    'where the end of a lane is not as it was: when it was seen, published or by the last clean run';

-- The end of a lane that was cut off is found by what was published and by what a clean run has seen, and is called otherwise
-- once the lane goes on. All of that is one break as long as the end that is missed was seen before the alert was raised.
CREATE FUNCTION @schema@.knows_end(chain text, lane integer, seen_at timestamptz) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (
        SELECT FROM @schema@.senate_alerts AS s
        WHERE s.chain = knows_end.chain AND s.lane = knows_end.lane AND s.recorded_at >= seen_at
          AND (s.layer = 'heads' OR s.finding IN ('head_missing', 'head_changed')))
$$;
COMMENT ON FUNCTION @schema@.knows_end(text, integer, timestamptz) IS
    'whether senate_alerts tells that the end of a lane which was seen then is not as it was';

-- A row of senate_alerts that came in while the trigger of that table was off is told by the alert that it repeats; else
-- there would be more of them every time.
CREATE FUNCTION @schema@.raise_breaks() RETURNS bigint
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    b @schema@.audit_break;
    raised bigint := 0;
BEGIN
    FOR b IN
        SELECT * FROM @schema@.audit_break AS n
        WHERE NOT EXISTS (
                SELECT FROM @schema@.senate_alerts AS s
                WHERE s.break_digest = n.break_digest AND s.occurrence = n.occurrence)
          AND NOT (n.event_kind = '@schema@.senate_alerts' AND n.finding = 'row_unrecorded' AND EXISTS (
                SELECT FROM @schema@.senate_alerts AS s
                JOIN ONLY auditspine.alert AS o ON o.break_digest = s.break_digest AND o.occurrence = s.occurrence
                WHERE s.alert_id::text = n.event_pk))
        -- What was published says more of the end of a lane than what a run has seen.
        ORDER BY n.end_seen_at IS NOT NULL AND n.layer = 'links', n.alert_id
    LOOP
        CONTINUE WHEN b.end_seen_at IS NOT NULL AND @schema@.knows_end(b.chain, b.lane, b.end_seen_at);
        INSERT INTO @schema@.senate_alerts (kind, severity, subject, detail, layer, finding, chain, lane, seq, event_kind,
                                            event_pk, evidence, break_digest, occurrence)
        VALUES ('audit_chain_break', 'critical',
                CASE WHEN b.layer = 'rows' THEN b.table_name
                     WHEN b.chain IS NULL THEN coalesce(b.table_name, 'auditspine.audit_chain')
                     ELSE concat('chain ', b.chain, ', lane ' || b.lane) END,
                b.detail, b.layer, b.finding, b.chain, b.lane, b.seq, b.event_kind, b.event_pk,
                b.evidence || jsonb_build_object('alert_id', b.alert_id), b.break_digest, b.occurrence)
        ON CONFLICT ON CONSTRAINT senate_alerts_break_key DO NOTHING;
        raised := raised + 1;
    END LOOP;
    RETURN raised;
END $$;
COMMENT ON FUNCTION @schema@.raise_breaks() IS 'brings breaks that are not in senate_alerts yet there; answers how many';
