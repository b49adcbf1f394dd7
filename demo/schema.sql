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

CREATE TABLE vuln.finding (
    finding_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    advisory_id text NOT NULL,
    component   text NOT NULL,
    status      text NOT NULL DEFAULT 'open',
    seen_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

SELECT audit_attach('vuln.advisory_raw', append_only => true) AS advisory_raw,
       audit_attach('vuln.finding', payload => 'full') AS finding;
SELECT table_name, kind, payload, append_only, enabled FROM auditspine.audited_table ORDER BY kind;
