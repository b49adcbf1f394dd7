-- Who is told of what, by which way; and what was sent.

CREATE TABLE @notify@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @notify@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @notify@.channels (
    channel_id   text COLLATE "C" PRIMARY KEY CONSTRAINT channels_channel_id_check CHECK (channel_id ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    channel_type text NOT NULL CONSTRAINT channels_channel_type_check CHECK (channel_type IN ('email', 'slack', 'teams', 'webhook')),
    target       text NOT NULL CONSTRAINT channels_target_check CHECK (target <> ''),
    secret_ref   text,
    enabled      boolean NOT NULL DEFAULT true
);
COMMENT ON TABLE @notify@.channels IS 'ways to tell somebody';
COMMENT ON COLUMN @notify@.channels.channel_type IS 'email, slack, teams or webhook';
COMMENT ON COLUMN @notify@.channels.target IS 'address; of a webhook it may hold a secret, so no payload is kept';
COMMENT ON COLUMN @notify@.channels.secret_ref IS 'name of the secret where secrets are kept; never the secret';

CREATE TABLE @notify@.templates (
    template_id  text COLLATE "C" NOT NULL CONSTRAINT templates_template_id_check CHECK (template_id ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    locale       text COLLATE "C" NOT NULL DEFAULT 'en' CONSTRAINT templates_locale_check CHECK (locale ~ '^[a-z]{2}(-[A-Z]{2})?$'),
    channel_type text NOT NULL CONSTRAINT templates_channel_type_check CHECK (channel_type IN ('email', 'slack', 'teams', 'webhook')),
    body         text NOT NULL,
    PRIMARY KEY (template_id, locale)
);
COMMENT ON TABLE @notify@.templates IS 'texts of messages, by language';
COMMENT ON COLUMN @notify@.templates.channel_type IS 'email, slack, teams or webhook';

CREATE TABLE @notify@.rules (
    rule_id      text COLLATE "C" PRIMARY KEY CONSTRAINT rules_rule_id_check CHECK (rule_id ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    channel_id   text COLLATE "C" NOT NULL REFERENCES @notify@.channels,
    template_id  text COLLATE "C" NOT NULL,
    locale       text COLLATE "C" NOT NULL DEFAULT 'en',
    policy_id    text COLLATE "C" REFERENCES @policy@.policies,
    event_kinds  text[] NOT NULL CONSTRAINT rules_event_kinds_check CHECK
                 (event_kinds <@ '{finding,verdict,exception,scan_failed,audit_break}' AND cardinality(event_kinds) > 0),
    min_severity text NOT NULL DEFAULT 'high'
                 CONSTRAINT rules_min_severity_check CHECK (min_severity IN ('critical', 'high', 'medium', 'low', 'none')),
    enabled      boolean NOT NULL DEFAULT true,
    FOREIGN KEY (template_id, locale) REFERENCES @notify@.templates
);
CREATE INDEX rules_channel_idx ON @notify@.rules (channel_id);
COMMENT ON TABLE @notify@.rules IS 'who is told of what';
COMMENT ON COLUMN @notify@.rules.policy_id IS 'of which policy; null: all';
COMMENT ON COLUMN @notify@.rules.event_kinds IS 'any of finding, verdict, exception, scan_failed, audit_break';
COMMENT ON COLUMN @notify@.rules.min_severity IS 'critical, high, medium, low or none: nothing below it';

CREATE TABLE @notify@.delivery_log (
    delivery_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- No foreign keys: what was sent stays known when rules and channels go.
    rule_id      text COLLATE "C" NOT NULL,
    channel_id   text COLLATE "C" NOT NULL,
    event_kind   text NOT NULL
                 CONSTRAINT delivery_log_event_kind_check CHECK (event_kind IN ('finding', 'verdict', 'exception', 'scan_failed', 'audit_break')),
    attempt      integer NOT NULL DEFAULT 1 CONSTRAINT delivery_log_attempt_check CHECK (attempt > 0),
    outcome      text NOT NULL
                 CONSTRAINT delivery_log_outcome_check CHECK (outcome IN ('sent', 'failed', 'throttled', 'digested', 'dropped')),
    body_hash    text NOT NULL CONSTRAINT delivery_log_body_hash_check CHECK (body_hash ~ '^sha256:[0-9a-f]{64}$'),
    error        text,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT delivery_log_error_check CHECK (outcome <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX delivery_log_rule_idx ON @notify@.delivery_log (rule_id, at);
COMMENT ON TABLE @notify@.delivery_log IS 'attempts to deliver, one row each; append-only';
COMMENT ON COLUMN @notify@.delivery_log.event_kind IS 'finding, verdict, exception, scan_failed or audit_break';
COMMENT ON COLUMN @notify@.delivery_log.outcome IS 'sent, failed, throttled, digested (left for a summary) or dropped';
COMMENT ON COLUMN @notify@.delivery_log.body_hash IS 'digest of what was sent: sha256: and 64 hex';

SELECT @verbs@.audit_attach('@notify@.schema_migrations', kind => '@notify@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@notify@.channels', kind => '@notify@.channels');
SELECT @verbs@.audit_attach('@notify@.templates', kind => '@notify@.templates');
SELECT @verbs@.audit_attach('@notify@.rules', kind => '@notify@.rules', payload => 'full');
SELECT @verbs@.audit_attach('@notify@.delivery_log', kind => '@notify@.delivery_log', append_only => true);

SELECT @authority@.record_migration('@notify@', '1', 'tables of blueprint stellaops', @authority@.schema_checksum('@notify@'));
