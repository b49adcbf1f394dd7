-- What is evaluated again when, and how that went.

CREATE TABLE @scheduler@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @scheduler@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @scheduler@.schedules (
    schedule_id     varchar(100) COLLATE "C" PRIMARY KEY DEFAULT gen_random_uuid()::text,
    tenant_id       uuid NOT NULL,
    name            varchar(255),
    enabled         boolean DEFAULT true,
    cron_expression varchar(100),
    timezone        varchar(50) DEFAULT 'UTC',
    mode            varchar(50),
    selection       jsonb,
    notify          jsonb,
    limits          jsonb,
    created_at      timestamptz DEFAULT now(),
    updated_at      timestamptz DEFAULT now(),
    target_policy_id uuid REFERENCES @policy@.policies,
    next_run_at     timestamptz
);
CREATE INDEX schedules_tenant_idx ON @scheduler@.schedules (tenant_id);
CREATE INDEX schedules_policy_idx ON @scheduler@.schedules (target_policy_id);
COMMENT ON TABLE @scheduler@.schedules IS 'what is evaluated again, and when';
COMMENT ON COLUMN @scheduler@.schedules.mode IS 'such as analysis-only (what was scanned is judged anew) or content-refresh (scanned anew)';
COMMENT ON COLUMN @scheduler@.schedules.selection IS 'which images';
COMMENT ON COLUMN @scheduler@.schedules.notify IS 'who is told how a run went';
COMMENT ON COLUMN @scheduler@.schedules.limits IS 'such as how many jobs at once';
COMMENT ON COLUMN @scheduler@.schedules.target_policy_id IS 'the policy that judges; null: all of the tenant''s';
COMMENT ON COLUMN @scheduler@.schedules.next_run_at IS 'working state, not audited';

CREATE TABLE @scheduler@.runs (
    run_id        varchar(100) COLLATE "C" PRIMARY KEY DEFAULT gen_random_uuid()::text,
    tenant_id     uuid NOT NULL,
    schedule_id   varchar(100) COLLATE "C" REFERENCES @scheduler@.schedules,
    trigger       varchar(50),
    state         varchar(50) DEFAULT 'planning',
    stats         jsonb,
    deltas        jsonb,
    created_at    timestamptz DEFAULT now(),
    started_at    timestamptz,
    finished_at   timestamptz,
    error         text,
    policy_run_id uuid REFERENCES @policy@.policy_runs,
    progress      numeric(3,2) DEFAULT 0 CONSTRAINT runs_progress_check CHECK (progress BETWEEN 0 AND 1)
);
CREATE INDEX runs_schedule_idx ON @scheduler@.runs (schedule_id, created_at);
CREATE INDEX runs_tenant_idx ON @scheduler@.runs (tenant_id, created_at);
CREATE INDEX runs_policy_run_idx ON @scheduler@.runs (policy_run_id);
COMMENT ON TABLE @scheduler@.runs IS 'times that something was evaluated again';
COMMENT ON COLUMN @scheduler@.runs.trigger IS 'what set it off, such as cron, advisory, vex or manual';
COMMENT ON COLUMN @scheduler@.runs.state IS 'such as planning, queued, running, completed, error or cancelled';
COMMENT ON COLUMN @scheduler@.runs.deltas IS 'what came out otherwise than last time';
COMMENT ON COLUMN @scheduler@.runs.policy_run_id IS 'what the policy made of it';
COMMENT ON COLUMN @scheduler@.runs.progress IS 'working state, not audited';

CREATE TABLE @scheduler@.run_summaries (
    summary_id  varchar(200) COLLATE "C" PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    schedule_id varchar(100) COLLATE "C",
    last_run    jsonb,
    recent      jsonb[],
    counters    jsonb,
    updated_at  timestamptz DEFAULT now()
);
CREATE INDEX run_summaries_schedule_idx ON @scheduler@.run_summaries (schedule_id);
COMMENT ON TABLE @scheduler@.run_summaries IS 'what the runs of each schedule add up to';
COMMENT ON COLUMN @scheduler@.run_summaries.summary_id IS 'tenant_id:schedule_id; null when inserted: filled so';
COMMENT ON COLUMN @scheduler@.run_summaries.last_run IS 'the last run, as it ended';
COMMENT ON COLUMN @scheduler@.run_summaries.recent IS 'the runs before, newest first';
COMMENT ON COLUMN @scheduler@.run_summaries.updated_at IS 'working state, not audited';

CREATE FUNCTION @scheduler@.summary_name() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.summary_id := NEW.tenant_id::text || ':' || NEW.schedule_id;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @scheduler@.summary_name() IS 'trigger: a summary is known by its tenant and schedule';
CREATE TRIGGER summary_name BEFORE INSERT ON @scheduler@.run_summaries
    FOR EACH ROW WHEN (NEW.summary_id IS NULL) EXECUTE FUNCTION @scheduler@.summary_name();

-- The document names this table and none of its columns.
CREATE TABLE @scheduler@.impact_snapshots (
    snapshot_id   varchar(100) COLLATE "C" PRIMARY KEY DEFAULT gen_random_uuid()::text,
    tenant_id     uuid,
    run_id        varchar(100) COLLATE "C" REFERENCES @scheduler@.runs,
    selection     jsonb,
    image_digests text[],
    created_at    timestamptz DEFAULT now()
);
CREATE INDEX impact_snapshots_run_idx ON @scheduler@.impact_snapshots (run_id);
COMMENT ON TABLE @scheduler@.impact_snapshots IS 'which images a run was found to matter to when it was planned; append-only';
COMMENT ON COLUMN @scheduler@.impact_snapshots.selection IS 'what was asked for, as in schedules';
COMMENT ON COLUMN @scheduler@.impact_snapshots.image_digests IS 'what that came to';

SELECT @verbs@.audit_attach('@scheduler@.schema_migrations', kind => '@scheduler@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@scheduler@.schedules', kind => '@scheduler@.schedules', payload => 'full', exclude => '{next_run_at}', skip_unchanged => true);
-- With payload: when a run began is read from the chain.
SELECT @verbs@.audit_attach('@scheduler@.runs', kind => '@scheduler@.runs', payload => 'full', exclude => '{progress}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@scheduler@.run_summaries', kind => '@scheduler@.run_summaries', exclude => '{updated_at}', skip_unchanged => true);
SELECT @verbs@.audit_attach('@scheduler@.impact_snapshots', kind => '@scheduler@.impact_snapshots', append_only => true);

SELECT @authority@.record_migration('@scheduler@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@scheduler@'));
