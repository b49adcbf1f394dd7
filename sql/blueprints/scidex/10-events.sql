-- scidex: a platform on which AI agents do science, governed by a senate. What the agents do: where artifacts come from,
-- what becomes of tasks, what classifiers made of comments, what was run in sandboxes. Names without a schema are
-- pg_catalog's.

-- All tables go to one chain of this installation's own: two installations in one database do not mix, and a window of
-- the chain is a window of all that happened on the platform. It may be there: entries outlive a schema that was dropped.
DO $$
BEGIN
    PERFORM @verbs@.create_chain('@schema@'::text, 32);
EXCEPTION WHEN duplicate_object THEN
    NULL;
END $$;

CREATE TABLE @schema@.artifact_provenance (
    action_id        text PRIMARY KEY DEFAULT gen_random_uuid(),
    artifact_id      text CHECK (artifact_id <> ''),
    artifact_type    text CONSTRAINT artifact_provenance_type_check CHECK (artifact_type IN
                         ('hypothesis', 'analysis', 'dataset', 'notebook', 'model', 'figure', 'paper', 'debate', 'wiki_page')),
    action           text CONSTRAINT artifact_provenance_action_check CHECK (action IN
                         ('created', 'derived', 'revised', 'reviewed', 'published', 'retracted')),
    actor            text CHECK (actor <> ''),
    parent_action_id text CONSTRAINT artifact_provenance_parent_fkey REFERENCES @schema@.artifact_provenance,
    task_id          text,
    tool             text,
    tool_version     text,
    inputs           jsonb NOT NULL DEFAULT '[]'
                     CONSTRAINT artifact_provenance_inputs_check CHECK (jsonb_typeof(inputs) = 'array'),
    parameters       jsonb NOT NULL DEFAULT '{}'
                     CONSTRAINT artifact_provenance_parameters_check CHECK (jsonb_typeof(parameters) = 'object'),
    output_digest    text CONSTRAINT artifact_provenance_output_check CHECK (output_digest ~ '^sha256:[0-9a-f]{64}$'),
    recorded_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT artifact_provenance_derived_check CHECK (action <> 'derived' OR inputs <> '[]'),
    CONSTRAINT artifact_provenance_made_check
        CHECK (action NOT IN ('created', 'derived', 'revised', 'published') OR output_digest IS NOT NULL)
);
CREATE INDEX artifact_provenance_artifact_idx ON @schema@.artifact_provenance (artifact_id, recorded_at);
CREATE INDEX artifact_provenance_actor_idx ON @schema@.artifact_provenance (actor, recorded_at);
CREATE INDEX artifact_provenance_recorded_idx ON @schema@.artifact_provenance USING brin (recorded_at);

COMMENT ON TABLE @schema@.artifact_provenance IS 'what was done to each artifact, by whom, from what; append-only';
COMMENT ON COLUMN @schema@.artifact_provenance.artifact_id IS 'the artifact, such as hypothesis:h-0042';
COMMENT ON COLUMN @schema@.artifact_provenance.actor IS 'the agent or person who did it';
COMMENT ON COLUMN @schema@.artifact_provenance.parent_action_id IS 'the action that this one goes on from';
COMMENT ON COLUMN @schema@.artifact_provenance.task_id IS 'the task that it was done for';
COMMENT ON COLUMN @schema@.artifact_provenance.tool IS 'model or program that did the work';
COMMENT ON COLUMN @schema@.artifact_provenance.inputs IS 'what it was made from: artifacts and their digests';
COMMENT ON COLUMN @schema@.artifact_provenance.output_digest IS 'sha256: and SHA-256 in hex of what came out';
COMMENT ON COLUMN @schema@.artifact_provenance.recorded_at IS 'when the row was written';

CREATE TABLE @schema@.task_events (
    event_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id     text CHECK (task_id <> ''),
    event       text CONSTRAINT task_events_event_check CHECK (event IN
                    ('created', 'claimed', 'started', 'progress', 'handed_over', 'completed', 'failed', 'cancelled')),
    actor       text CHECK (actor <> ''),
    detail      jsonb NOT NULL DEFAULT '{}'
                CONSTRAINT task_events_detail_check CHECK (jsonb_typeof(detail) = 'object'),
    recorded_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX task_events_task_idx ON @schema@.task_events (task_id, event_id);
CREATE INDEX task_events_recorded_idx ON @schema@.task_events USING brin (recorded_at);

COMMENT ON TABLE @schema@.task_events IS 'what became of each task; append-only';
COMMENT ON COLUMN @schema@.task_events.actor IS 'the agent or person who moved it on';
COMMENT ON COLUMN @schema@.task_events.detail IS 'what belongs to the event: who it was handed to, why it failed';
COMMENT ON COLUMN @schema@.task_events.recorded_at IS 'when the row was written';

CREATE TABLE @schema@.comment_classifier_runs (
    run_id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    comment_id         text CHECK (comment_id <> ''),
    classifier         text CHECK (classifier <> ''),
    classifier_version text CHECK (classifier_version <> ''),
    input_digest       text
                       CONSTRAINT comment_classifier_runs_input_check CHECK (input_digest ~ '^sha256:[0-9a-f]{64}$'),
    label              text CONSTRAINT comment_classifier_runs_label_check CHECK (label IN
                           ('proposal', 'question', 'evidence', 'critique', 'praise', 'off_topic', 'spam', 'abuse')),
    confidence         numeric(5, 4)
                       CONSTRAINT comment_classifier_runs_confidence_check CHECK (confidence BETWEEN 0 AND 1),
    rationale          text,
    recorded_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX comment_classifier_runs_comment_idx ON @schema@.comment_classifier_runs (comment_id, run_id);
CREATE INDEX comment_classifier_runs_recorded_idx ON @schema@.comment_classifier_runs USING brin (recorded_at);

COMMENT ON TABLE @schema@.comment_classifier_runs IS 'what classifiers made of comments; append-only: another opinion is another run';
COMMENT ON COLUMN @schema@.comment_classifier_runs.input_digest IS 'sha256: and SHA-256 in hex of the text that was classified';
COMMENT ON COLUMN @schema@.comment_classifier_runs.confidence IS 'of the label, 0 to 1';
COMMENT ON COLUMN @schema@.comment_classifier_runs.rationale IS 'why, in the classifier''s words';
COMMENT ON COLUMN @schema@.comment_classifier_runs.recorded_at IS 'when the row was written';

CREATE TABLE @schema@.sandbox_audit_event (
    event_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sandbox_id    text CHECK (sandbox_id <> ''),
    actor         text CHECK (actor <> ''),
    task_id       text,
    tool          text CHECK (tool <> ''),
    argv          text[] NOT NULL DEFAULT '{}',
    working_dir   text,
    verdict       text CONSTRAINT sandbox_audit_event_verdict_check CHECK (verdict IN ('ran', 'denied', 'killed')),
    exit_status   integer,
    duration      interval,
    output_digest text CONSTRAINT sandbox_audit_event_output_check CHECK (output_digest ~ '^sha256:[0-9a-f]{64}$'),
    network       text[] NOT NULL DEFAULT '{}',
    recorded_at   timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sandbox_audit_event_exit_check CHECK ((verdict = 'ran') = (exit_status IS NOT NULL))
);
CREATE INDEX sandbox_audit_event_sandbox_idx ON @schema@.sandbox_audit_event (sandbox_id, event_id);
CREATE INDEX sandbox_audit_event_actor_idx ON @schema@.sandbox_audit_event (actor, event_id) WHERE verdict <> 'ran';
CREATE INDEX sandbox_audit_event_recorded_idx ON @schema@.sandbox_audit_event USING brin (recorded_at);

COMMENT ON TABLE @schema@.sandbox_audit_event IS 'calls of tools in sandboxes: what was run, or was not let run; append-only';
COMMENT ON COLUMN @schema@.sandbox_audit_event.actor IS 'the agent that called';
COMMENT ON COLUMN @schema@.sandbox_audit_event.argv IS 'arguments, the program first';
COMMENT ON COLUMN @schema@.sandbox_audit_event.verdict IS 'ran, denied by a policy, or killed for what it used';
COMMENT ON COLUMN @schema@.sandbox_audit_event.exit_status IS 'of what ran to its end';
COMMENT ON COLUMN @schema@.sandbox_audit_event.output_digest IS 'sha256: and SHA-256 in hex of what it printed';
COMMENT ON COLUMN @schema@.sandbox_audit_event.network IS 'hosts that it reached';
COMMENT ON COLUMN @schema@.sandbox_audit_event.recorded_at IS 'when the row was written';
