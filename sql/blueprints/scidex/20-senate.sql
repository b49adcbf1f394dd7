-- scidex: how the senate governs. Who is paused, who wrote more than they may, what the senate is alarmed by, and the log of
-- everything else.

-- A row of these two tables says something that ends: a pause is lifted, an alert is dealt with. That is written into the
-- row, once; nothing else of it changes, and no row goes.
CREATE FUNCTION @schema@.settle_once() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    old_row jsonb;
    new_row jsonb;
    changed text;
BEGIN
    IF TG_OP <> 'UPDATE' THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('%s of %I.%I is refused: rows of it stay', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME),
            HINT = format('what ends is told in %s', array_to_string(TG_ARGV, ', '));
    END IF;
    old_row := to_jsonb(OLD);
    new_row := to_jsonb(NEW);
    SELECT string_agg(o.key, ', ' ORDER BY o.key) INTO changed
    FROM jsonb_each(old_row) AS o
    WHERE o.value IS DISTINCT FROM new_row -> o.key AND (o.key <> ALL (TG_ARGV) OR o.value <> 'null');
    IF changed IS NOT NULL THEN
        RAISE insufficient_privilege USING
            MESSAGE = format('%I.%I: %s cannot be changed', TG_TABLE_SCHEMA, TG_TABLE_NAME, changed),
            HINT = format('what ends is told in %s, each once', array_to_string(TG_ARGV, ', '));
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @schema@.settle_once() IS
    'trigger: of a row only the columns that are its arguments may be written, each once; rows are not deleted';

CREATE TABLE @schema@.senate_pause (
    pause_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor       text CHECK (actor <> ''),
    reason      text CHECK (reason <> ''),
    ordered_by  text CHECK (ordered_by <> ''),
    recorded_at timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    lifted_at   timestamptz,
    lifted_by   text,
    lift_reason text,
    CONSTRAINT senate_pause_expires_check CHECK (expires_at > recorded_at),
    CONSTRAINT senate_pause_lifted_check CHECK ((lifted_at IS NULL) = (lifted_by IS NULL) AND lifted_at >= recorded_at)
);
CREATE INDEX senate_pause_current_idx ON @schema@.senate_pause (actor) WHERE lifted_at IS NULL;
CREATE TRIGGER settle_once BEFORE UPDATE OR DELETE ON @schema@.senate_pause
    FOR EACH ROW EXECUTE FUNCTION @schema@.settle_once('lifted_at', 'lifted_by', 'lift_reason');
CREATE TRIGGER keep BEFORE TRUNCATE ON @schema@.senate_pause
    FOR EACH STATEMENT EXECUTE FUNCTION @schema@.settle_once('lifted_at', 'lifted_by', 'lift_reason');

COMMENT ON TABLE @schema@.senate_pause IS 'orders of the senate that an actor, or everybody, writes nothing for now; lifted once, never deleted';
COMMENT ON COLUMN @schema@.senate_pause.actor IS 'who is paused; null: everybody';
COMMENT ON COLUMN @schema@.senate_pause.recorded_at IS 'since when';
COMMENT ON COLUMN @schema@.senate_pause.expires_at IS 'until when, if it is not lifted before; null: until it is lifted';

CREATE FUNCTION @schema@.is_paused(actor text) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT EXISTS (
        SELECT FROM @schema@.senate_pause AS p
        WHERE (p.actor = is_paused.actor OR p.actor IS NULL) AND p.lifted_at IS NULL
          AND (p.expires_at IS NULL OR p.expires_at > now()))
$$;
COMMENT ON FUNCTION @schema@.is_paused(text) IS 'whether the senate has paused this actor, or everybody; to be asked before an agent writes';

CREATE TABLE @schema@.actor_write_trip_event (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor       text CHECK (actor <> ''),
    resource    text CHECK (resource <> ''),
    write_limit bigint CHECK (write_limit >= 0),
    period      interval CHECK (period > '0'),
    writes      bigint,
    response    text CONSTRAINT actor_write_trip_event_response_check CHECK (response IN ('warned', 'throttled', 'paused')),
    pause_id    bigint CONSTRAINT actor_write_trip_event_pause_fkey REFERENCES @schema@.senate_pause,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT actor_write_trip_event_writes_check CHECK (writes > write_limit),
    CONSTRAINT actor_write_trip_event_paused_check CHECK ((response = 'paused') = (pause_id IS NOT NULL))
);
CREATE INDEX actor_write_trip_event_actor_idx ON @schema@.actor_write_trip_event (actor, event_id);
CREATE INDEX actor_write_trip_event_recorded_idx ON @schema@.actor_write_trip_event USING brin (recorded_at);

COMMENT ON TABLE @schema@.actor_write_trip_event IS 'actors that wrote more than their limit allows, and what was done about it; append-only';
COMMENT ON COLUMN @schema@.actor_write_trip_event.resource IS 'what was written: a table, a sort of artifact';
COMMENT ON COLUMN @schema@.actor_write_trip_event.write_limit IS 'how many writes are allowed in a period';
COMMENT ON COLUMN @schema@.actor_write_trip_event.writes IS 'how many there were';
COMMENT ON COLUMN @schema@.actor_write_trip_event.pause_id IS 'the pause that it led to';
COMMENT ON COLUMN @schema@.actor_write_trip_event.recorded_at IS 'when the row was written';

CREATE TABLE @schema@.senate_alerts (
    alert_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL,
    severity        text NOT NULL,
    subject         text,
    detail          text,
    layer           text,
    finding         text,
    chain           text,
    lane            integer,
    seq             bigint,
    event_kind      text,
    event_pk       text,
    evidence        jsonb NOT NULL DEFAULT '{}',
    break_digest    bytea,
    occurrence      integer NOT NULL DEFAULT 1,
    recorded_at     timestamptz NOT NULL DEFAULT now(),
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at     timestamptz,
    resolved_by     text,
    resolution      text,
    CONSTRAINT senate_alerts_break_key UNIQUE (break_digest, occurrence),
    CONSTRAINT senate_alerts_acknowledged_check CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
    CONSTRAINT senate_alerts_resolved_check CHECK ((resolved_at IS NULL) = (resolved_by IS NULL))
);
CREATE INDEX senate_alerts_open_idx ON @schema@.senate_alerts (severity, alert_id) WHERE resolved_at IS NULL;
CREATE INDEX senate_alerts_lane_idx ON @schema@.senate_alerts (chain, lane) WHERE lane IS NOT NULL;
CREATE TRIGGER settle_once BEFORE UPDATE OR DELETE ON @schema@.senate_alerts
    FOR EACH ROW EXECUTE FUNCTION
    @schema@.settle_once('acknowledged_at', 'acknowledged_by', 'resolved_at', 'resolved_by', 'resolution');
CREATE TRIGGER keep BEFORE TRUNCATE ON @schema@.senate_alerts
    FOR EACH STATEMENT EXECUTE FUNCTION
    @schema@.settle_once('acknowledged_at', 'acknowledged_by', 'resolved_at', 'resolved_by', 'resolution');

COMMENT ON TABLE @schema@.senate_alerts IS 'what the senate has to know; breaks of the audit come here by verify_window() and verify_everything(), each once. Acknowledged and resolved, never changed or deleted';
COMMENT ON COLUMN @schema@.senate_alerts.kind IS 'audit_chain_break, or what the platform itself raises';
COMMENT ON COLUMN @schema@.senate_alerts.severity IS 'critical for a break of the audit; else what the platform calls it';
COMMENT ON COLUMN @schema@.senate_alerts.subject IS 'what it is about: a table, a chain, an actor';
COMMENT ON COLUMN @schema@.senate_alerts.layer IS 'of a break: links, rows, heads or files';
COMMENT ON COLUMN @schema@.senate_alerts.finding IS 'of a break: what was found, as the verifiers call it';
COMMENT ON COLUMN @schema@.senate_alerts.seq IS 'number of the entry at fault, or of the last one that recorded the row; null where no entry tells of it';
COMMENT ON COLUMN @schema@.senate_alerts.event_kind IS 'kind of the event at fault';
COMMENT ON COLUMN @schema@.senate_alerts.event_pk IS 'key of the row or event at fault';
COMMENT ON COLUMN @schema@.senate_alerts.break_digest IS 'tells the break from every other, whenever it is found';
COMMENT ON COLUMN @schema@.senate_alerts.occurrence IS 'above 1 if the break was gone in between';
COMMENT ON COLUMN @schema@.senate_alerts.recorded_at IS 'when the alert was raised';

CREATE TABLE @schema@.audit_log (
    log_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    actor       text CHECK (actor <> ''),
    action      text CHECK (action <> ''),
    object_type text CHECK (object_type <> ''),
    object_id   text,
    outcome     text NOT NULL DEFAULT 'done' CONSTRAINT audit_log_outcome_check CHECK (outcome IN ('done', 'refused', 'failed')),
    request_id  text,
    client_addr inet,
    detail      jsonb NOT NULL DEFAULT '{}' CONSTRAINT audit_log_detail_check CHECK (jsonb_typeof(detail) = 'object'),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX audit_log_object_idx ON @schema@.audit_log (object_type, object_id, log_id);
CREATE INDEX audit_log_actor_idx ON @schema@.audit_log (actor, log_id);
CREATE INDEX audit_log_recorded_idx ON @schema@.audit_log USING brin (recorded_at);

COMMENT ON TABLE @schema@.audit_log IS 'everything else that somebody did, or tried to; append-only';
COMMENT ON COLUMN @schema@.audit_log.action IS 'what was done, such as role.granted or settings.changed';
COMMENT ON COLUMN @schema@.audit_log.request_id IS 'the request that it was part of';
COMMENT ON COLUMN @schema@.audit_log.recorded_at IS 'when the row was written';
