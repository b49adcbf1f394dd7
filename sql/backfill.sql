-- Chaining the rows that a table had before it was audited, and how far that is.

CREATE SEQUENCE auditspine.progress_id_seq AS bigint;

-- Working state, not a record: rows are changed while a run goes on.
CREATE TABLE auditspine.progress (
    progress_id    bigint PRIMARY KEY,
    what           text NOT NULL,
    target         text NOT NULL,
    started_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    state          text NOT NULL CHECK (
        state OPERATOR(pg_catalog.=) ANY (ARRAY['running', 'finished', 'failed', 'interrupted'])),
    done           bigint NOT NULL,
    recorded       bigint NOT NULL,
    skipped        bigint NOT NULL,
    total_estimate bigint,
    rate           double precision,
    remaining      interval,
    pid            integer NOT NULL,
    last_key       text,
    db_user        text NOT NULL
);
COMMENT ON TABLE auditspine.progress IS 'long runs: how far they are, or were when they ended';
COMMENT ON COLUMN auditspine.progress.state IS
    'running (a pid that is gone: it was killed; the next run says so), finished, failed, or interrupted';
COMMENT ON COLUMN auditspine.progress.done IS 'rows dealt with: recorded and skipped';
COMMENT ON COLUMN auditspine.progress.rate IS 'rows dealt with per second';
COMMENT ON COLUMN auditspine.progress.last_key IS 'key of the last row that was looked at';

SELECT pg_catalog.pg_extension_config_dump('auditspine.progress', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.progress_id_seq', '');

CREATE PROCEDURE @extschema@.audit_backfill(target regclass, batch_size integer DEFAULT 10000)
    LANGUAGE c
    AS 'MODULE_PATHNAME', 'auditspine_backfill';
REVOKE ALL ON PROCEDURE @extschema@.audit_backfill(regclass, integer) FROM PUBLIC;
COMMENT ON PROCEDURE @extschema@.audit_backfill(regclass, integer) IS
    'records, as insertions, the rows of an audited table that its chain does not know yet; commits each batch';
