-- Workflows, their tasks, and each time that a task ran. The document names these tables and none of their columns.

CREATE TABLE @orchestrator@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @orchestrator@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @orchestrator@.workflows (
    workflow_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id   uuid,
    name        varchar(255),
    version     integer DEFAULT 1 CONSTRAINT workflows_version_check CHECK (version > 0),
    state       varchar(50) DEFAULT 'draft' CONSTRAINT workflows_state_check CHECK (state IN ('draft', 'active', 'retired')),
    created_by  varchar(255),
    created_at  timestamptz DEFAULT now(),
    updated_at  timestamptz DEFAULT now(),
    CONSTRAINT workflows_version_key UNIQUE (tenant_id, name, version)
);
COMMENT ON TABLE @orchestrator@.workflows IS 'workflows, by version';
COMMENT ON COLUMN @orchestrator@.workflows.state IS 'draft, active or retired';

CREATE TABLE @orchestrator@.tasks (
    task_id      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    workflow_id  uuid REFERENCES @orchestrator@.workflows ON DELETE CASCADE,
    name         varchar(255),
    task_type    varchar(50) CONSTRAINT tasks_task_type_check CHECK (task_type IN ('fetch', 'scan', 'match', 'policy', 'export', 'notify')),
    depends_on   text[] NOT NULL DEFAULT '{}' CONSTRAINT tasks_depends_on_check CHECK (name <> ALL (depends_on)),
    max_attempts integer NOT NULL DEFAULT 3 CONSTRAINT tasks_max_attempts_check CHECK (max_attempts > 0),
    created_at   timestamptz DEFAULT now(),
    CONSTRAINT tasks_name_key UNIQUE (workflow_id, name)
);
COMMENT ON TABLE @orchestrator@.tasks IS 'tasks of workflows';
COMMENT ON COLUMN @orchestrator@.tasks.task_type IS 'fetch, scan, match, policy, export or notify';
COMMENT ON COLUMN @orchestrator@.tasks.depends_on IS 'names of tasks of the same workflow that must have succeeded before';

CREATE TABLE @orchestrator@.task_runs (
    task_run_id  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    task_id      uuid REFERENCES @orchestrator@.tasks,
    attempt      integer NOT NULL DEFAULT 1 CONSTRAINT task_runs_attempt_check CHECK (attempt > 0),
    state        varchar(50) NOT NULL DEFAULT 'pending'
                 CONSTRAINT task_runs_state_check CHECK (state IN ('pending', 'leased', 'running', 'succeeded', 'failed', 'cancelled')),
    scan_id      uuid REFERENCES @scanner@.scans,
    worker       text,
    created_at   timestamptz DEFAULT now(),
    finished_at  timestamptz,
    heartbeat_at timestamptz,
    lease_until  timestamptz,
    result_hash  text CONSTRAINT task_runs_result_hash_check CHECK (result_hash ~ '^sha256:[0-9a-f]{64}$'),
    CONSTRAINT task_runs_finished_check CHECK ((state IN ('succeeded', 'failed', 'cancelled')) = (finished_at IS NOT NULL)),
    CONSTRAINT task_runs_worker_check CHECK (state NOT IN ('leased', 'running', 'succeeded') OR worker IS NOT NULL)
);
CREATE INDEX task_runs_task_idx ON @orchestrator@.task_runs (task_id);
CREATE INDEX task_runs_scan_idx ON @orchestrator@.task_runs (scan_id);
CREATE INDEX task_runs_open_idx ON @orchestrator@.task_runs (created_at) WHERE state IN ('pending', 'leased', 'running');
COMMENT ON TABLE @orchestrator@.task_runs IS 'times that a task ran';
COMMENT ON COLUMN @orchestrator@.task_runs.state IS 'pending, leased (a worker has it), running, succeeded, failed or cancelled';
COMMENT ON COLUMN @orchestrator@.task_runs.scan_id IS 'the scan it worked on, if it did';
COMMENT ON COLUMN @orchestrator@.task_runs.heartbeat_at IS 'working state, not audited';
COMMENT ON COLUMN @orchestrator@.task_runs.lease_until IS 'working state, not audited';
COMMENT ON COLUMN @orchestrator@.task_runs.result_hash IS 'digest of what came out: sha256: and 64 hex';

-- A heartbeat every few seconds is no event.
SELECT @verbs@.audit_attach('@orchestrator@.schema_migrations', kind => '@orchestrator@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@orchestrator@.workflows', kind => '@orchestrator@.workflows', payload => 'full', skip_unchanged => true);
SELECT @verbs@.audit_attach('@orchestrator@.tasks', kind => '@orchestrator@.tasks', payload => 'full', skip_unchanged => true);
SELECT @verbs@.audit_attach('@orchestrator@.task_runs', kind => '@orchestrator@.task_runs', exclude => '{heartbeat_at,lease_until}', skip_unchanged => true);

SELECT @authority@.record_migration('@orchestrator@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@orchestrator@'));
