-- Verification as a routine: each run is recorded, each break raises one alert.

CREATE SEQUENCE auditspine.verification_id_seq AS bigint;
CREATE SEQUENCE auditspine.alert_id_seq AS bigint;

CREATE TABLE auditspine.verification (
    verification_id bigint PRIMARY KEY,
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz NOT NULL,
    took            interval NOT NULL,
    scope           text NOT NULL,
    reason          text,
    from_seq        bigint,
    to_seq          bigint,
    chains          integer NOT NULL,
    entries         bigint NOT NULL,
    tables          integer NOT NULL,
    rows            bigint NOT NULL,
    unverifiable    bigint NOT NULL,
    findings        bigint NOT NULL,
    alerts          bigint NOT NULL,
    ok              boolean NOT NULL,
    version         text NOT NULL,
    db_user         text NOT NULL
);
-- When everything was last found in order.
CREATE INDEX verification_clean_idx ON auditspine.verification (started_at) WHERE ok AND scope OPERATOR(pg_catalog.=) 'full';

COMMENT ON TABLE auditspine.verification IS 'runs of verify_all(), also those that found breaks';
COMMENT ON COLUMN auditspine.verification.scope IS 'full, incremental (from the last clean run), since N, or N to M';
COMMENT ON COLUMN auditspine.verification.reason IS 'why everything was verified although the run was asked to be incremental';
COMMENT ON COLUMN auditspine.verification.from_seq IS 'smallest seq of the entries that were verified';
COMMENT ON COLUMN auditspine.verification.to_seq IS 'largest seq of the entries that were verified';
COMMENT ON COLUMN auditspine.verification.entries IS 'how many entries were verified';
COMMENT ON COLUMN auditspine.verification.rows IS 'how many rows of audited tables were held against their entries';
COMMENT ON COLUMN auditspine.verification.unverifiable IS 'rows whose recorded columns are gone; no findings';
COMMENT ON COLUMN auditspine.verification.alerts IS 'how many of the findings raised an alert, being new';
COMMENT ON COLUMN auditspine.verification.version IS 'version of the extension that verified';
COMMENT ON COLUMN auditspine.verification.db_user IS 'session user';

CREATE TABLE auditspine.alert (
    alert_id        bigint PRIMARY KEY,
    raised_at       timestamptz NOT NULL,
    kind            text NOT NULL,
    severity        text NOT NULL,
    layer           text NOT NULL,
    chain           text,
    table_name      text,
    event_kind      text,
    pk              text,
    seq             bigint,
    finding         text NOT NULL,
    detail          text NOT NULL,
    evidence        jsonb NOT NULL,
    verification_id bigint NOT NULL,
    break_digest    bytea NOT NULL,
    occurrence      integer NOT NULL,
    CONSTRAINT alert_break_key UNIQUE (break_digest, occurrence)
);

COMMENT ON TABLE auditspine.alert IS 'breaks that verify_all() found: one row for each, however often it is found';
COMMENT ON COLUMN auditspine.alert.layer IS 'links, rows, heads, keys or adopted';
COMMENT ON COLUMN auditspine.alert.seq IS 'number of the entry at fault, where there is one';
COMMENT ON COLUMN auditspine.alert.pk IS 'key of the row or event at fault';
COMMENT ON COLUMN auditspine.alert.evidence IS 'expected and found hash, neighbours, place in the chain; nothing of what rows contain';
COMMENT ON COLUMN auditspine.alert.verification_id IS 'the run that found the break first';
COMMENT ON COLUMN auditspine.alert.break_digest IS 'SHA-256 of the canonical JSON of what identifies the break';
COMMENT ON COLUMN auditspine.alert.occurrence IS 'above 1 if a full verification in between did not find it';

CREATE TABLE auditspine.open_break (
    break_digest    bytea PRIMARY KEY,
    verification_id bigint NOT NULL
);
COMMENT ON TABLE auditspine.open_break IS 'breaks that raised an alert and are not over: a full verification closes those that it no longer finds';
COMMENT ON COLUMN auditspine.open_break.break_digest IS 'as the alert has it';
COMMENT ON COLUMN auditspine.open_break.verification_id IS 'the run since which it is open';
SELECT pg_catalog.pg_extension_config_dump('auditspine.open_break', '');

-- Where the next incremental verification goes on: the last entry of each lane that a clean run saw. Per
-- lane, since seq is not the order of commits across lanes.
CREATE TABLE auditspine.verified_head (
    chain_id   integer NOT NULL,
    lane       smallint NOT NULL,
    pos        bigint NOT NULL,
    seq        bigint NOT NULL,
    chain_hash bytea NOT NULL,
    PRIMARY KEY (chain_id, lane)
);
COMMENT ON TABLE auditspine.verified_head IS 'last entry of each lane as of the last clean verification; where verify_all(''last'') goes on';

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.verification
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.alert
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();

CREATE FUNCTION @extschema@.verify_all(since text DEFAULT NULL)
    RETURNS TABLE (layer text, subject text, ok boolean, checked bigint, findings bigint, first_bad_seq bigint, detail text)
    LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
    COST 1000000 ROWS 10
    SET search_path = pg_catalog, pg_temp
    AS 'MODULE_PATHNAME', 'auditspine_verify_all';
-- It writes: the record of the run, and alerts.
REVOKE ALL ON FUNCTION @extschema@.verify_all(text) FROM PUBLIC;
COMMENT ON FUNCTION @extschema@.verify_all(text) IS
    'verifies all chains and audited tables, records the run and raises alerts; ''last'': what was added since the last clean run; a number: entries from that seq on; ''5-9'': from one seq to another';

SELECT pg_catalog.pg_extension_config_dump('auditspine.verification', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.alert', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.verified_head', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.verification_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.alert_id_seq', '');
