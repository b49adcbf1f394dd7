-- The triggers are on again, as if nothing had been; then the verifiers are asked.
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER USER;
\echo
\echo verify_chain():
SELECT chain, ok, entries, lanes, first_bad_seq, findings FROM verify_chain();
\echo chain_findings():
SELECT lane, pos, seq, finding, detail FROM chain_findings();

-- Each damage must be found where it is (or right behind it, where the next entry no longer fits), and nothing
-- may be found elsewhere.
DO $$
DECLARE
    missed text;
    alarms bigint;
BEGIN
    IF (SELECT bool_or(ok) FROM verify_chain('main')) THEN
        RAISE EXCEPTION 'verify_chain says that all is well';
    END IF;
    SELECT string_agg(what, ', ') INTO missed FROM damage
    WHERE NOT EXISTS (SELECT FROM chain_findings('main') WHERE lane = 0 AND pos BETWEEN first_pos AND last_pos + 1);
    IF missed IS NOT NULL THEN
        RAISE EXCEPTION 'not found: %', missed;
    END IF;
    SELECT count(*) INTO alarms FROM chain_findings('main')
    WHERE NOT EXISTS (SELECT FROM damage WHERE lane = 0 AND pos BETWEEN first_pos AND last_pos + 1);
    IF alarms > 0 THEN
        RAISE EXCEPTION '% false findings', alarms;
    END IF;
END $$;
