-- What is evaluated again when, and how that went.

CREATE TABLE @scheduler@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @scheduler@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @scheduler@.schedules (
    schedule_id text COLLATE "C" PRIMARY KEY CONSTRAINT schedules_schedule_id_check CHECK (schedule_id ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    cron        text NOT NULL CONSTRAINT schedules_cron_check CHECK (cron ~ '^[-0-9*,/A-Z]+( [-0-9*,/A-Z]+){4}$'),
    timezone    text NOT NULL DEFAULT 'UTC',
    mode        text NOT NULL CONSTRAINT schedules_mode_check CHECK (mode IN ('analysis-only', 'content-refresh')),
    policy_id   text COLLATE "C" REFERENCES @policy@.policies,
    selector    jsonb NOT NULL DEFAULT '{}' CONSTRAINT schedules_selector_check CHECK (jsonb_typeof(selector) = 'object'),
    enabled     boolean NOT NULL DEFAULT true,
    owner_id    text COLLATE "C" NOT NULL REFERENCES @authority@.clients,
    next_run_at timestamptz
);
CREATE INDEX schedules_policy_idx ON @scheduler@.schedules (policy_id);
COMMENT ON TABLE @scheduler@.schedules IS 'what is evaluated again, and when';
COMMENT ON COLUMN @scheduler@.schedules.cron IS 'five fields: minute, hour, day of month, month, day of week';
COMMENT ON COLUMN @scheduler@.schedules.mode IS 'analysis-only (what was scanned is judged anew) or content-refresh (scanned anew)';
COMMENT ON COLUMN @scheduler@.schedules.selector IS 'which images';
COMMENT ON COLUMN @scheduler@.schedules.next_run_at IS 'working state, not audited';

CREATE TABLE @scheduler@.runs (
    run_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    schedule_id text COLLATE "C" REFERENCES @scheduler@.schedules,
    trigger     text NOT NULL CONSTRAINT runs_trigger_check CHECK (trigger IN ('cron', 'advisory', 'vex', 'manual')),
    state       text NOT NULL DEFAULT 'planning'
                CONSTRAINT runs_state_check CHECK (state IN ('planning', 'queued', 'running', 'completed', 'error', 'cancelled')),
    policy_run_id uuid REFERENCES @policy@.policy_runs,
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    progress    numeric(3,2) NOT NULL DEFAULT 0 CONSTRAINT runs_progress_check CHECK (progress BETWEEN 0 AND 1),
    error       text,
    CONSTRAINT runs_finished_check CHECK ((state IN ('completed', 'error', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT runs_error_check CHECK ((state = 'error') = (error IS NOT NULL)),
    CONSTRAINT runs_cron_check CHECK (trigger <> 'cron' OR schedule_id IS NOT NULL)
);
CREATE INDEX runs_schedule_idx ON @scheduler@.runs (schedule_id, created_at);
COMMENT ON TABLE @scheduler@.runs IS 'times that something was evaluated again';
COMMENT ON COLUMN @scheduler@.runs.trigger IS 'what set it off: cron, advisory, vex or manual';
COMMENT ON COLUMN @scheduler@.runs.state IS 'planning, queued, running, completed, error or cancelled';
COMMENT ON COLUMN @scheduler@.runs.policy_run_id IS 'what the policy made of it';
COMMENT ON COLUMN @scheduler@.runs.progress IS 'working state, not audited';

CREATE TABLE @scheduler@.run_summaries (
    schedule_id    text COLLATE "C" PRIMARY KEY REFERENCES @scheduler@.schedules ON DELETE CASCADE,
    last_run_id    uuid REFERENCES @scheduler@.runs,
    runs           bigint NOT NULL DEFAULT 0 CONSTRAINT run_summaries_runs_check CHECK (runs >= 0),
    errors         bigint NOT NULL DEFAULT 0 CONSTRAINT run_summaries_errors_check CHECK (errors BETWEEN 0 AND runs),
    findings       bigint NOT NULL DEFAULT 0 CONSTRAINT run_summaries_findings_check CHECK (findings >= 0),
    updated_at     timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE @scheduler@.run_summaries IS 'what the runs of each schedule add up to';
COMMENT ON COLUMN @scheduler@.run_summaries.findings IS 'new findings of the last run';
COMMENT ON COLUMN @scheduler@.run_summaries.updated_at IS 'working state, not audited';

SELECT @verbs@.audit_attach('@scheduler@.schema_migrations', kind => '@scheduler@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@scheduler@.schedules', kind => '@scheduler@.schedules', payload => 'full', exclude => '{next_run_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@scheduler@.runs', kind => '@scheduler@.runs', exclude => '{progress}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@scheduler@.run_summaries', kind => '@scheduler@.run_summaries', exclude => '{updated_at}', skip_unchanged => true);

SELECT @authority@.record_migration('@scheduler@', '1', 'tables of blueprint stellaops', @authority@.schema_checksum('@scheduler@'));
