-- Numbers of entries in different lanes: the sequence set ahead, or back, by somebody who may.

CREATE FUNCTION found() RETURNS TABLE (seq bigint, lane integer, finding text) LANGUAGE sql
    AS $$ SELECT seq, lane, finding FROM chain_findings() ORDER BY seq, lane, finding $$;
-- Another session would do as well: lane 0 is busy for a moment, so that an entry goes to lane 1.
CREATE TABLE account (id integer PRIMARY KEY, balance integer);
SELECT audit_attach('account');
CREATE FUNCTION row_findings() RETURNS TABLE (finding text, seq bigint, key text) LANGUAGE sql
    AS $$ SELECT finding, seq, key FROM verify_table_findings('account') ORDER BY finding, seq, key $$;
CREATE VIEW layers AS
    SELECT layer, subject, ok FROM verify_all() WHERE layer IN ('links', 'rows') ORDER BY layer, subject;

INSERT INTO account VALUES (1, 100), (2, 5);
SELECT * FROM layers;

-- Ahead, and back again.
SELECT last_value AS before FROM auditspine.audit_seq \gset
BEGIN;
INSERT INTO account VALUES (3, 1);
PREPARE TRANSACTION 'busy';
SELECT setval('auditspine.audit_seq', :before + 1000) > 0 AS set_ahead;
UPDATE account SET balance = 101 WHERE id = 1;
SELECT setval('auditspine.audit_seq', :before + 1) > 0 AS set_back;
ROLLBACK PREPARED 'busy';
\c
SET client_min_messages = warning;
UPDATE account SET balance = 20 WHERE id = 1;
UPDATE account SET balance = 6 WHERE id = 2;
SELECT seq - :before AS number, lane, finding FROM found();
SELECT finding, seq - :before AS number, key FROM row_findings();
SELECT * FROM layers;
-- What was recorded last counts: putting back what the numbers call last is told.
ALTER TABLE account DISABLE TRIGGER auditspine_audit;
UPDATE account SET balance = 101 WHERE id = 1;
ALTER TABLE account ENABLE ALWAYS TRIGGER auditspine_audit;
SELECT finding, seq - :before AS number, key FROM row_findings();

-- The sequence is set beyond all of them.
SELECT setval('auditspine.audit_seq', :before + 1990) > 0 AS set_ahead;
UPDATE account SET balance = 7 WHERE id = 2;
SELECT seq - :before AS number, lane, finding FROM found();
-- Rows are locked until their entries are committed: so it is known which of them came later.
SELECT finding, seq - :before AS number, key FROM row_findings();
SELECT ok FROM verify_table('account');
SELECT count(*) > 0 AS told FROM verify_all() WHERE NOT ok;

-- Between rows it takes some time.
SELECT 1 AS later FROM pg_sleep(2.5);
BEGIN;
INSERT INTO account VALUES (3, 1);
PREPARE TRANSACTION 'busy';
BEGIN;
INSERT INTO account VALUES (4, 1);
PREPARE TRANSACTION 'busy too';
SELECT setval('auditspine.audit_seq', :before + 500) > 0 AS set_back;
INSERT INTO account VALUES (5, 1);
ROLLBACK PREPARED 'busy';
ROLLBACK PREPARED 'busy too';
SELECT setval('auditspine.audit_seq', :before + 3000) > 0 AS set_ahead;
SELECT seq - :before AS number, lane, finding FROM found();
SELECT finding, seq - :before AS number, key FROM row_findings();

-- A number that was given twice.
UPDATE account SET balance = 9 WHERE id = 1;
SELECT last_value AS later FROM auditspine.audit_seq \gset
BEGIN;
UPDATE account SET balance = 10 WHERE id = 1;
PREPARE TRANSACTION 'busy';
SELECT setval('auditspine.audit_seq', :later - 1) > 0 AS set_back;
UPDATE account SET balance = 8 WHERE id = 2;
COMMIT PREPARED 'busy';
SELECT seq - :later AS number, finding FROM found() WHERE seq > :later - 2;

-- A writer never goes below the lane that it takes.
SELECT max(seq) AS highest FROM auditspine.audit_chain \gset
SELECT setval('auditspine.audit_seq', 1) > 0 AS set_back;
INSERT INTO account VALUES (10, 1);
INSERT INTO account VALUES (11, 1);
SELECT bool_and(e.seq > (SELECT seq FROM auditspine.audit_chain p
                         WHERE (p.chain_id, p.lane, p.pos) = (e.chain_id, e.lane, e.pos - 1))) AS grows
FROM auditspine.audit_chain e WHERE pos > 1;

DROP FUNCTION found(), row_findings();
DROP VIEW layers;
DROP TABLE account;
