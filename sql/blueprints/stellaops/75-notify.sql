-- Who is told of what, by which way; and what was sent.

CREATE TABLE @notify@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @notify@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @notify@.rules (
    rule_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id  uuid NOT NULL,
    name       varchar(255),
    match      jsonb,
    actions    jsonb,
    enabled    boolean DEFAULT true,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX rules_tenant_idx ON @notify@.rules (tenant_id) WHERE deleted_at IS NULL;
COMMENT ON TABLE @notify@.rules IS 'who is told of what';
COMMENT ON COLUMN @notify@.rules.match IS 'which events, such as their kinds, policies and least severity';
COMMENT ON COLUMN @notify@.rules.actions IS 'what is done about one, such as which channel is told by which template';
COMMENT ON COLUMN @notify@.rules.deleted_at IS 'when it was put out of use; the row stays, since deliveries name it';

CREATE TABLE @notify@.channels (
    channel_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id  uuid NOT NULL,
    name       varchar(255),
    type       varchar(50) CONSTRAINT channels_type_check CHECK (type IN ('slack', 'teams', 'email', 'webhook')),
    config     jsonb,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    deleted_at timestamptz
);
CREATE INDEX channels_tenant_idx ON @notify@.channels (tenant_id) WHERE deleted_at IS NULL;
COMMENT ON TABLE @notify@.channels IS 'ways to tell somebody';
COMMENT ON COLUMN @notify@.channels.type IS 'slack, teams, email or webhook';
COMMENT ON COLUMN @notify@.channels.config IS 'addresses and the like; it may hold a secret, so no payload is kept';
COMMENT ON COLUMN @notify@.channels.deleted_at IS 'when it was put out of use; the row stays, since deliveries name it';

CREATE TABLE @notify@.templates (
    template_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    channel_type varchar(50),
    key          varchar(100),
    locale       varchar(10) DEFAULT 'en',
    render_mode  varchar(50),
    body         text,
    created_at   timestamptz DEFAULT now(),
    updated_at   timestamptz DEFAULT now()
);
CREATE INDEX templates_key_idx ON @notify@.templates (key, channel_type, locale);
COMMENT ON TABLE @notify@.templates IS 'texts of messages, by channel, key and language';
COMMENT ON COLUMN @notify@.templates.key IS 'what it is a text for';
COMMENT ON COLUMN @notify@.templates.render_mode IS 'such as markdown, html or json';

CREATE TABLE @notify@.delivery_log (
    delivery_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    rule_id      uuid REFERENCES @notify@.rules,
    channel_id   uuid REFERENCES @notify@.channels,
    event_id     uuid,
    status       varchar(50),
    delivered_at timestamptz,
    error        text,
    attempt      integer DEFAULT 1 CONSTRAINT delivery_log_attempt_check CHECK (attempt > 0),
    body_hash    text CONSTRAINT delivery_log_body_hash_check CHECK (body_hash ~ '^sha256:[0-9a-f]{64}$')
);
CREATE INDEX delivery_log_rule_idx ON @notify@.delivery_log (rule_id, delivered_at);
CREATE INDEX delivery_log_channel_idx ON @notify@.delivery_log (channel_id);
CREATE INDEX delivery_log_event_idx ON @notify@.delivery_log (event_id);
COMMENT ON TABLE @notify@.delivery_log IS 'deliveries; never deleted, and what was to be delivered to whom is fixed';
COMMENT ON COLUMN @notify@.delivery_log.event_id IS 'what it tells of';
COMMENT ON COLUMN @notify@.delivery_log.status IS 'such as pending, sent, failed, throttled, digested (left for a summary) or dropped';
COMMENT ON COLUMN @notify@.delivery_log.attempt IS 'how often it was tried';
COMMENT ON COLUMN @notify@.delivery_log.body_hash IS 'digest of what was sent: sha256: and 64 hex';

CREATE FUNCTION @notify@.delivery_fixed() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'delivery % is of rule %, channel % and event %, for good', OLD.delivery_id, OLD.rule_id, OLD.channel_id, OLD.event_id
        USING ERRCODE = 'check_violation', HINT = 'log another delivery';
END $$;
COMMENT ON FUNCTION @notify@.delivery_fixed() IS 'trigger: a delivery stays the one that it is';
CREATE TRIGGER delivery_fixed BEFORE UPDATE ON @notify@.delivery_log
    FOR EACH ROW WHEN (OLD.delivery_id <> NEW.delivery_id OR OLD.rule_id <> NEW.rule_id OR OLD.channel_id <> NEW.channel_id
                       OR OLD.event_id <> NEW.event_id)
    EXECUTE FUNCTION @notify@.delivery_fixed();
CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON @notify@.delivery_log
    FOR EACH STATEMENT EXECUTE FUNCTION @policy@.refuse_removal();

SELECT @verbs@.audit_attach('@notify@.schema_migrations', kind => '@notify@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@notify@.rules', kind => '@notify@.rules', payload => 'full', skip_unchanged => true);
SELECT @verbs@.audit_attach('@notify@.channels', kind => '@notify@.channels', skip_unchanged => true);
SELECT @verbs@.audit_attach('@notify@.templates', kind => '@notify@.templates', skip_unchanged => true);
-- With payload: what became of a delivery is read from the chain.
SELECT @verbs@.audit_attach('@notify@.delivery_log', kind => '@notify@.delivery_log', payload => 'full', skip_unchanged => true);

SELECT @authority@.record_migration('@notify@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@notify@'));
