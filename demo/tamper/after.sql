-- The triggers are on again, as if nothing had been; then the verifiers are asked.
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER USER;
\echo
\echo verify_chain():
SELECT chain, ok, entries, lanes, first_bad_seq, findings FROM verify_chain();
\echo chain_findings():
\pset format wrapped
\pset columns 120
SELECT lane, pos, seq, finding, detail FROM chain_findings() ORDER BY lane, pos;

-- Each damage must be found where it is, for what it is, and nothing may be found elsewhere.
DO $$
DECLARE
    missed text;
    alarms bigint;
BEGIN
    IF (SELECT bool_or(ok) FROM verify_chain('main')) THEN
        RAISE EXCEPTION 'verify_chain says that all is well';
    END IF;
    SELECT string_agg(format('%s at pos %s', damage.finding, damage_pos), ', ') INTO missed
    FROM damage, generate_series(first_pos, last_pos) AS damage_pos
    WHERE NOT EXISTS (SELECT FROM chain_findings('main') AS f
                      WHERE f.lane = 0 AND f.pos = damage_pos AND f.finding = damage.finding);
    IF missed IS NOT NULL THEN
        RAISE EXCEPTION 'not found: %', missed;
    END IF;
    SELECT count(*) INTO alarms FROM chain_findings('main') AS f
    WHERE NOT EXISTS (SELECT FROM damage WHERE f.lane = 0 AND f.pos BETWEEN first_pos AND last_pos);
    IF alarms > 0 THEN
        RAISE EXCEPTION '% false findings', alarms;
    END IF;
END $$;
