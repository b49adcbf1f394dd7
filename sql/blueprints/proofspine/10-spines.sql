-- proofspine: decisions with the signed evidence that they rest on. The tables of spines are the extension's; what is here
-- besides is what it takes to live with them: runs of verification, alerts, views. Names without a schema are pg_catalog's.

-- They may be there, made by hand or by another blueprint that has them: then they are used as they are.
SELECT @verbs@.create_proof_spine_schema(nspname::text) FROM pg_namespace WHERE oid = '@schema@'::regnamespace;

CREATE TABLE @schema@.proof_spine_runs (
    run_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz NOT NULL,
    by_user         text NOT NULL DEFAULT session_user,
    which           text,
    spines          bigint NOT NULL,
    verified        bigint NOT NULL,
    partial         bigint NOT NULL,
    untrusted       bigint NOT NULL,
    invalid         bigint NOT NULL,
    not_ok          bigint NOT NULL,
    audit_findings  bigint NOT NULL,
    alerts          bigint NOT NULL,
    ok              boolean NOT NULL,
    verification_id bigint NOT NULL,
    CONSTRAINT proof_spine_runs_sum_check CHECK (spines = verified + partial + untrusted + invalid AND not_ok <= spines)
);
CREATE INDEX proof_spine_runs_finished_idx ON @schema@.proof_spine_runs (finished_at);

COMMENT ON TABLE @schema@.proof_spine_runs IS 'runs of verify_proof_spines(), also those that found nothing; append-only';
COMMENT ON COLUMN @schema@.proof_spine_runs.which IS 'condition on the spines that were verified; null: all';
COMMENT ON COLUMN @schema@.proof_spine_runs.spines IS 'how many spines were verified; the next four: by status';
COMMENT ON COLUMN @schema@.proof_spine_runs.not_ok IS 'how many something speaks against, be it their audit only';
COMMENT ON COLUMN @schema@.proof_spine_runs.audit_findings IS 'what verify_all() found of these tables, their chain and the trusted keys';
COMMENT ON COLUMN @schema@.proof_spine_runs.alerts IS 'how many alerts were raised, being new';
COMMENT ON COLUMN @schema@.proof_spine_runs.verification_id IS 'the run of verify_all() that was part of it';

CREATE TABLE @schema@.proof_spine_alerts (
    alert_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    raised_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind            text NOT NULL CONSTRAINT proof_spine_alerts_kind_check CHECK (kind IN ('proof_spine_break', 'audit_chain_break')),
    severity        text NOT NULL CONSTRAINT proof_spine_alerts_severity_check CHECK (severity IN ('warning', 'critical')),
    subject         text NOT NULL,
    -- No foreign key: an alert outlives its spine.
    spine_id        text,
    idx             integer,
    finding         text NOT NULL,
    detail          text NOT NULL,
    seq             bigint,
    event_key       text,
    evidence        jsonb NOT NULL DEFAULT '{}',
    break_digest    bytea NOT NULL,
    occurrence      integer NOT NULL,
    acknowledged_at timestamptz,
    acknowledged_by text,
    resolved_at     timestamptz,
    resolved_by     text,
    CONSTRAINT proof_spine_alerts_break_key UNIQUE (break_digest, occurrence),
    CONSTRAINT proof_spine_alerts_spine_check CHECK (kind <> 'proof_spine_break' OR spine_id IS NOT NULL),
    CONSTRAINT proof_spine_alerts_acknowledged_check CHECK ((acknowledged_at IS NULL) = (acknowledged_by IS NULL)),
    CONSTRAINT proof_spine_alerts_resolved_check CHECK ((resolved_at IS NULL) = (resolved_by IS NULL))
);
CREATE INDEX proof_spine_alerts_open_idx ON @schema@.proof_spine_alerts (severity, alert_id) WHERE resolved_at IS NULL;
CREATE INDEX proof_spine_alerts_spine_idx ON @schema@.proof_spine_alerts (spine_id);

COMMENT ON TABLE @schema@.proof_spine_alerts IS 'what verify_proof_spines() found, each thing once';
COMMENT ON COLUMN @schema@.proof_spine_alerts.kind IS 'proof_spine_break: a spine does not hold; audit_chain_break: what verify_all() found of these tables and the keys';
COMMENT ON COLUMN @schema@.proof_spine_alerts.severity IS 'warning: the spine is whole, but its keys do not count; else critical';
COMMENT ON COLUMN @schema@.proof_spine_alerts.subject IS 'the decision, table, chain or key that it is about';
COMMENT ON COLUMN @schema@.proof_spine_alerts.spine_id IS 'the spine, which may be gone; of a row, the one that it is part of';
COMMENT ON COLUMN @schema@.proof_spine_alerts.idx IS 'the first segment with this finding; null: the spine itself';
COMMENT ON COLUMN @schema@.proof_spine_alerts.finding IS 'what was found, as spine_findings() and verify_all() call it';
COMMENT ON COLUMN @schema@.proof_spine_alerts.seq IS 'number of the entry at fault, or of the last one that recorded the row';
COMMENT ON COLUMN @schema@.proof_spine_alerts.event_key IS 'key of the row or event at fault';
COMMENT ON COLUMN @schema@.proof_spine_alerts.break_digest IS 'tells the break from every other, whenever it is found';
COMMENT ON COLUMN @schema@.proof_spine_alerts.occurrence IS 'above 1 if it is found again after it was resolved, or was gone in between';

SELECT @verbs@.audit_attach('@schema@.proof_spine_runs', kind => '@schema@.proof_spine_runs', append_only => true);
SELECT @verbs@.audit_attach('@schema@.proof_spine_alerts', kind => '@schema@.proof_spine_alerts', payload => 'full');
