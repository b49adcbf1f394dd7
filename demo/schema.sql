-- An append-only table of raw advisories, and a table of findings that services write, both audited.
CREATE SCHEMA vuln;

CREATE TABLE vuln.advisory_raw (
    advisory_id text NOT NULL,
    source      text NOT NULL,
    revision    integer NOT NULL,
    doc         jsonb NOT NULL,
    fetched_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (advisory_id, source, revision)
);

CREATE TRIGGER advisory_raw_audit AFTER INSERT OR UPDATE OR DELETE ON vuln.advisory_raw
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('advisory_raw', 'payload=hash');
CREATE TRIGGER advisory_raw_audit_truncate AFTER TRUNCATE ON vuln.advisory_raw
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('advisory_raw', 'payload=hash');
ALTER TABLE vuln.advisory_raw ENABLE ALWAYS TRIGGER advisory_raw_audit;
ALTER TABLE vuln.advisory_raw ENABLE ALWAYS TRIGGER advisory_raw_audit_truncate;

CREATE FUNCTION vuln.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% of % is refused: the table is append-only', TG_OP, TG_RELID::regclass
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER advisory_raw_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON vuln.advisory_raw
    FOR EACH STATEMENT EXECUTE FUNCTION vuln.refuse();

CREATE TABLE vuln.finding (
    finding_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    advisory_id text NOT NULL,
    component   text NOT NULL,
    status      text NOT NULL DEFAULT 'open',
    seen_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TRIGGER finding_audit AFTER INSERT OR UPDATE OR DELETE ON vuln.finding
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append('finding', 'payload=full');
CREATE TRIGGER finding_audit_truncate AFTER TRUNCATE ON vuln.finding
    FOR EACH STATEMENT EXECUTE FUNCTION audit_chain_append('finding', 'payload=full');
ALTER TABLE vuln.finding ENABLE ALWAYS TRIGGER finding_audit;
ALTER TABLE vuln.finding ENABLE ALWAYS TRIGGER finding_audit_truncate;
