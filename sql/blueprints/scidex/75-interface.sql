-- scidex: the audit chain as the platform asks for it: append, verify, head, publish, verify and alert. What does the work is
-- the extension's.

-- Kinds are called as their tables are: the schema before them is for the chains of a whole database.
CREATE VIEW @schema@.audit_chain AS
SELECT e.seq, CASE WHEN starts_with(e.event_kind, '@schema@.') THEN substr(e.event_kind, length('@schema@.') + 1) ELSE e.event_kind END AS event_kind,
       e.event_pk, e.event_hash, e.prev_hash, e.chain_hash, e.appended_at
FROM ONLY auditspine.audit_chain AS e
WHERE e.chain_id = (SELECT c.chain_id FROM ONLY auditspine.chain AS c WHERE c.name = '@schema@');
COMMENT ON VIEW @schema@.audit_chain IS 'the entries of this installation''s chain; a change of a row is an entry of its own, beside that of its insertion';
COMMENT ON COLUMN @schema@.audit_chain.seq IS 'number, in the order of linking; gaps are normal';
COMMENT ON COLUMN @schema@.audit_chain.event_kind IS 'the table, or what append() was given; in auditspine.audit_chain with the schema before it';
COMMENT ON COLUMN @schema@.audit_chain.event_pk IS 'key of the row, as text';
COMMENT ON COLUMN @schema@.audit_chain.event_hash IS 'SHA-256 of the canonical JSON of the event';
COMMENT ON COLUMN @schema@.audit_chain.prev_hash IS 'chain_hash of the entry before, in the same lane; 32 zero bytes in the first';
COMMENT ON COLUMN @schema@.audit_chain.chain_hash IS 'SHA-256(prev_hash || event_hash || int8send(seq))';

CREATE FUNCTION @schema@.refuse_entry() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE insufficient_privilege USING
        MESSAGE = format('%s of %I.%I is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
        HINT = 'entries are written by append() and by the triggers of the tables; a correction is a new entry';
END $$;
COMMENT ON FUNCTION @schema@.refuse_entry() IS 'trigger: refuses what would write to the chain past append()';
CREATE TRIGGER refuse_entry INSTEAD OF INSERT OR UPDATE OR DELETE ON @schema@.audit_chain
    FOR EACH ROW EXECUTE FUNCTION @schema@.refuse_entry();

CREATE TYPE @schema@.verify_report AS (
    ok            boolean,
    entries       bigint,
    first_bad_seq bigint,
    event_kind    text,
    event_pk      text,
    finding       text,
    detail        text,
    findings      bigint
);
COMMENT ON TYPE @schema@.verify_report IS 'verdict on a window of the chain, and the first thing that is wrong with it';

-- One entry for each key, whoever asks twice: the second is refused, as by a unique constraint, and waits for the first to
-- commit if it has to.
CREATE FUNCTION @schema@.append(event_kind text, event_pk text, payload jsonb) RETURNS @schema@.audit_chain
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    kind text := '@schema@.' || append.event_kind;
    e auditspine.audit_chain;
BEGIN
    IF append.event_kind = '' OR kind IS NULL OR append.event_pk IS NULL THEN
        RAISE null_value_not_allowed USING
            MESSAGE = 'event_kind or event_pk is null or empty',
            HINT = 'pass what the event is of, and its key';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended(jsonb_build_array(kind, append.event_pk)::text, 0));
    SELECT c.* INTO e FROM auditspine.places_of(kind, ARRAY[append.event_pk]) AS l
    JOIN ONLY auditspine.audit_chain AS c ON c.chain_id = l.chain_id AND c.lane = l.lane AND c.pos = l.pos
    WHERE c.event_kind = kind AND c.event_pk = append.event_pk LIMIT 1;
    IF FOUND THEN
        RAISE unique_violation USING
            MESSAGE = format('event %s of kind %s is on the chain already', append.event_pk, append.event_kind),
            DETAIL = format('It is entry %s.', e.seq),
            HINT = 'a correction is an event with a key of its own';
    END IF;
    e := @verbs@.audit_chain_append(kind, append.event_pk, append.payload, '@schema@'::text);
    RETURN ROW(e.seq, append.event_kind, e.event_pk, e.event_hash, e.prev_hash, e.chain_hash, e.appended_at)::@schema@.audit_chain;
END $$;
COMMENT ON FUNCTION @schema@.append(text, text, jsonb) IS
    'appends an event that no row of an audited table stands for, once for each key; answers its entry';

CREATE FUNCTION @schema@.verify(start_seq bigint DEFAULT 1, end_seq bigint DEFAULT NULL) RETURNS @schema@.verify_report
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v auditspine.chain_verdict;
    f auditspine.chain_finding;
BEGIN
    SELECT * INTO v FROM @verbs@.verify_chain('@schema@'::text, start_seq, end_seq);
    IF NOT v.ok THEN
        SELECT * INTO f FROM @verbs@.chain_findings('@schema@'::text, start_seq, end_seq) AS n ORDER BY n.seq NULLS LAST LIMIT 1;
    END IF;
    RETURN ROW(v.ok, v.entries, f.seq, CASE WHEN starts_with(f.event_kind, '@schema@.') THEN substr(f.event_kind, length('@schema@.') + 1) ELSE f.event_kind END,
               f.event_pk, f.finding, f.detail, v.findings)::@schema@.verify_report;
END $$;
COMMENT ON FUNCTION @schema@.verify(bigint, bigint) IS
    'recomputes every hash and link of the chain between two numbers; tells the first that is wrong. Writes nothing';

CREATE FUNCTION @schema@.get_head() RETURNS TABLE (seq bigint, chain_hash bytea, appended_at timestamptz)
    LANGUAGE sql ROWS 1
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT h.seq, h.chain_hash, e.appended_at
    FROM @verbs@.chain_heads('@schema@'::text) AS h
    JOIN ONLY auditspine.audit_chain AS e ON e.chain_id = h.chain_id AND e.lane = h.lane AND e.pos = h.pos
    ORDER BY h.seq DESC LIMIT 1
$$;
COMMENT ON FUNCTION @schema@.get_head() IS 'the newest entry of the chain; of each lane: chain_heads()';

CREATE FUNCTION @schema@.publish_head() RETURNS TABLE (heads bigint, published_at timestamptz, file text)
    LANGUAGE sql ROWS 2
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT p.heads, p.published_at, p.file FROM @verbs@.publish_head(NULL::text) AS p
$$;
COMMENT ON FUNCTION @schema@.publish_head() IS 'appends the heads of all lanes to the files of auditspine.publish_file';

CREATE FUNCTION @schema@.verify_and_alert("from" timestamptz DEFAULT now() - interval '1 day', "to" timestamptz DEFAULT now())
    RETURNS TABLE (layer text, subject text, ok boolean, checked bigint, findings bigint, first_bad_seq bigint, detail text)
    LANGUAGE sql
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT v.layer, v.subject, v.ok, v.checked, v.findings, v.first_bad_seq, v.detail FROM @schema@.verify_window("from", "to") AS v
$$;
COMMENT ON FUNCTION @schema@.verify_and_alert(timestamptz, timestamptz) IS
    'verify_window(): verifies what came in that time, a day if not told otherwise, and brings each break to senate_alerts, once';

-- Committed in batches, so it may be interrupted and called again: what is on the chain already is skipped.
CREATE PROCEDURE @schema@.backfill_audit_chain()
    LANGUAGE plpgsql
    AS $$
DECLARE
    target pg_catalog.regclass;
BEGIN
    FOR target IN SELECT pg_catalog.to_regclass('@schema@.' OPERATOR(pg_catalog.||) r.name) FROM @schema@.recorded_tables() AS r LOOP
        CONTINUE WHEN target IS NULL;
        CALL @verbs@.audit_backfill(target);
    END LOOP;
END $$;
COMMENT ON PROCEDURE @schema@.backfill_audit_chain() IS
    'records the rows of all tables that no entry tells of, in committed batches: audit_backfill() of each';
