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
