-- A chain that is a small part of all is read by index; otherwise in the pass over everything. Both say the same.
CREATE TABLE event (id integer PRIMARY KEY, tenant text NOT NULL, note text);
SELECT audit_attach('event', chain_by => '{tenant}', payload => 'full');
INSERT INTO event SELECT g, 't' || g % 5, 'note ' || g FROM generate_series(1, 500) g;
UPDATE event SET note = 'changed' WHERE id % 7 = 0;
DELETE FROM event WHERE id % 11 = 0;
SELECT chain, ok, entries FROM verify_chain() ORDER BY chain;

-- Damage of many kinds: edited, rewritten, removed, moved to another chain, lane or place, given other numbers.
ALTER TABLE auditspine.audit_chain DISABLE TRIGGER append_only;
CREATE FUNCTION at(name text, pos bigint) RETURNS tid LANGUAGE sql AS $$
    SELECT e.ctid FROM auditspine.audit_chain e JOIN auditspine.chain c USING (chain_id) WHERE c.name = $1 AND e.pos = $2 $$;
UPDATE auditspine.audit_chain SET actor = 'mallory' WHERE ctid = at('t0', 10);
UPDATE auditspine.audit_chain SET payload = '{"note": "other"}' WHERE ctid = at('t0', 20);
DELETE FROM auditspine.audit_chain WHERE ctid IN (at('t0', 30), at('t0', 31), at('t0', 1));
UPDATE auditspine.audit_chain SET chain_hash = sha256('x') WHERE ctid = at('t1', 40);
UPDATE auditspine.audit_chain SET pos = 10000 WHERE ctid = at('t1', 50);
UPDATE auditspine.audit_chain SET pos = -5 WHERE ctid = at('t1', 55);
UPDATE auditspine.audit_chain SET lane = 7 WHERE ctid = at('t1', 60);
UPDATE auditspine.audit_chain SET lane = -32768 WHERE ctid = at('t1', 61);
UPDATE auditspine.audit_chain SET seq = -seq WHERE ctid = at('t1', 65);
UPDATE auditspine.audit_chain SET chain_id = (SELECT chain_id FROM auditspine.chain WHERE name = 't3'), pos = 5000 WHERE ctid = at('t2', 70);
UPDATE auditspine.audit_chain SET chain_id = 999 WHERE ctid = at('t2', 80);
UPDATE auditspine.audit_chain SET version = 9 WHERE ctid = at('t4', 12);
ALTER TABLE auditspine.audit_chain ENABLE TRIGGER append_only;

-- A role that is kept to one chain is always served by index.
CREATE ROLE regress_auditspine_one;
SELECT grant_auditor('regress_auditspine_one', chain_setting => 'app.chain');
CREATE TABLE windows AS SELECT * FROM (VALUES (1, NULL), (100, 400), (300, NULL)) w (start_seq, end_seq);
CREATE TABLE chains AS SELECT name FROM auditspine.chain;
CREATE TABLE told_by_index AS SELECT c.name, w.*, f.* FROM chains c, windows w, chain_findings('main', 1, 0) f LIMIT 0;
CREATE TABLE verdicts_by_index AS SELECT c.name, w.*, v.* FROM chains c, windows w, verify_chain('main', 1, 0) v LIMIT 0;
GRANT INSERT ON told_by_index, verdicts_by_index TO regress_auditspine_one;
GRANT SELECT ON windows, chains TO regress_auditspine_one;
SET ROLE regress_auditspine_one;
DO $$
DECLARE c text;
BEGIN
    FOR c IN SELECT name FROM chains WHERE name NOT IN ('main', 'auditspine.evidence') LOOP
        PERFORM set_config('app.chain', c, false);
        INSERT INTO told_by_index SELECT c, w.*, f.* FROM windows w, chain_findings(c, w.start_seq, w.end_seq) f;
        INSERT INTO verdicts_by_index SELECT c, w.*, v.* FROM windows w, verify_chain(c, w.start_seq, w.end_seq) v;
    END LOOP;
END $$;
RESET ROLE;
SELECT name, finding, count(*) FROM told_by_index WHERE start_seq = 1 GROUP BY name, finding ORDER BY name, finding;

-- Without the primary key there is no other way than the pass.
ALTER TABLE auditspine.audit_chain DROP CONSTRAINT audit_chain_pkey;
CREATE TABLE told_by_pass AS SELECT c.name, w.*, f.* FROM chains c, windows w, chain_findings(c.name, w.start_seq, w.end_seq) f WHERE c.name NOT IN ('main', 'auditspine.evidence');
CREATE TABLE verdicts_by_pass AS SELECT c.name, w.*, v.* FROM chains c, windows w, verify_chain(c.name, w.start_seq, w.end_seq) v WHERE c.name NOT IN ('main', 'auditspine.evidence');
SELECT count(*) > 10 AS some FROM told_by_pass;
(TABLE told_by_index EXCEPT TABLE told_by_pass) UNION ALL (TABLE told_by_pass EXCEPT TABLE told_by_index);
(TABLE verdicts_by_index EXCEPT TABLE verdicts_by_pass) UNION ALL (TABLE verdicts_by_pass EXCEPT TABLE verdicts_by_index);
-- A role that is kept to one chain is served all the same.
SET ROLE regress_auditspine_one;
SET app.chain = 't3';
SELECT chain, ok, findings FROM verify_chain();
RESET ROLE;
-- All at once says the same of each chain.
SELECT chain, v.findings AS alone, a.findings AS among_all
FROM verify_chain() a JOIN verdicts_by_pass v USING (chain) WHERE start_seq = 1 ORDER BY chain;

SELECT revoke_auditor('regress_auditspine_one');
REVOKE ALL ON told_by_index, verdicts_by_index, windows, chains FROM regress_auditspine_one;
DROP ROLE regress_auditspine_one;
