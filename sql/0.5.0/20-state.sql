-- State that is held against the chain: runs, alerts, publications, auditors.

CREATE TABLE auditspine.open_break (
    break_digest    bytea PRIMARY KEY,
    verification_id bigint NOT NULL
);
COMMENT ON TABLE auditspine.open_break IS 'breaks that raised an alert and are not over: a full verification closes those that it no longer finds';
COMMENT ON COLUMN auditspine.open_break.break_digest IS 'as the alert has it';
COMMENT ON COLUMN auditspine.open_break.verification_id IS 'the run since which it is open';
SELECT pg_catalog.pg_extension_config_dump('auditspine.open_break', '');

COMMENT ON COLUMN auditspine.alert.evidence IS 'expected and found hash, neighbours, place in the chain; nothing of what rows contain';
COMMENT ON COLUMN auditspine.alert.occurrence IS 'above 1 if a full verification in between did not find it';

-- Until now a break was known until everything was found in order.
INSERT INTO auditspine.open_break (break_digest, verification_id)
SELECT a.break_digest, pg_catalog.max(a.verification_id)
FROM ONLY auditspine.alert AS a
WHERE NOT EXISTS (SELECT FROM ONLY auditspine.verification AS v
                  WHERE v.ok AND v.scope OPERATOR(pg_catalog.=) 'full' AND v.started_at OPERATOR(pg_catalog.>) a.raised_at)
GROUP BY a.break_digest;

-- What was written to the tables above, told a second time: neither is believed without the other.
CREATE SEQUENCE auditspine.evidence_id_seq AS bigint;
CREATE TABLE auditspine.evidence (
    evidence_id  bigint PRIMARY KEY,
    kind         text COLLATE "C" NOT NULL,
    about        bigint,
    payload      jsonb NOT NULL,
    payload_hash bytea NOT NULL
);
CREATE INDEX evidence_about_idx ON auditspine.evidence (kind, about);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON auditspine.evidence
    FOR EACH STATEMENT EXECUTE FUNCTION auditspine.refuse_change();
COMMENT ON TABLE auditspine.evidence IS 'what runs, publications and grants to auditors left in their tables: verify_all() holds one against the other';
COMMENT ON COLUMN auditspine.evidence.kind IS 'verification, publication or auditor';
COMMENT ON COLUMN auditspine.evidence.about IS 'number of the run or publication';
COMMENT ON COLUMN auditspine.evidence.payload IS 'of each table how many rows, and SHA-256 of their canonical_row_hash() one behind the other, in order of their keys';
COMMENT ON COLUMN auditspine.evidence.payload_hash IS 'SHA-256 of the payload as canonical JSON';
SELECT pg_catalog.pg_extension_config_dump('auditspine.evidence', '');
SELECT pg_catalog.pg_extension_config_dump('auditspine.evidence_id_seq', '');
