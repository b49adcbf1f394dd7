-- Who made a change on whose behalf: settings auditspine.actor and auditspine.context, for a session, for a
-- transaction, and on connections that a pooler hands from one client to the next.
CREATE TABLE item (id integer PRIMARY KEY, v text);
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
    FOR EACH ROW EXECUTE FUNCTION audit_chain_append();
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_app, regress_auditspine_other;
RESET client_min_messages;
CREATE ROLE regress_auditspine_app;
CREATE ROLE regress_auditspine_other;
GRANT ALL ON item TO regress_auditspine_app, regress_auditspine_other;
CREATE FUNCTION entries() RETURNS TABLE (pk text, op "char", db_user text, actor text, context jsonb)
    LANGUAGE sql SECURITY DEFINER AS
    'SELECT event_pk, op, CASE WHEN db_user LIKE ''regress%'' THEN db_user ELSE ''me'' END, actor, context
     FROM auditspine.audit_chain WHERE event_kind = ''item'' ORDER BY seq';

-- For the session.
SET SESSION AUTHORIZATION regress_auditspine_app;
INSERT INTO item VALUES (1, 'nobody named');
SET auditspine.actor = 'ada@example.com';
SET auditspine.context = '{"request": 17, "ip": "10.0.0.1"}';
INSERT INTO item VALUES (2, 'by ada');
BEGIN;
INSERT INTO item VALUES (3, 'by ada too');
COMMIT;

-- For the transaction: over the session's, and gone with the transaction, however it ends.
BEGIN;
SET LOCAL auditspine.actor = 'bob@example.com';
SET LOCAL auditspine.context = '{"request": 18}';
INSERT INTO item VALUES (4, 'by bob');
COMMIT;
INSERT INTO item VALUES (5, 'by ada again');
BEGIN;
SET LOCAL auditspine.actor = 'eve@example.com';
INSERT INTO item VALUES (6, 'never was');
ROLLBACK;
INSERT INTO item VALUES (7, 'by ada still');
-- As functions, for frameworks that set it so.
BEGIN;
SELECT set_config('auditspine.actor', 'carl@example.com', true) AS actor, set_config('auditspine.context', 'null', true) AS context;
INSERT INTO item VALUES (8, 'by carl');
COMMIT;

-- Each change has the actor of its moment, not of the commit: several in one transaction, savepoints included.
BEGIN;
SET LOCAL auditspine.actor = 'first';
INSERT INTO item VALUES (10, 'by first');
SAVEPOINT s;
SET LOCAL auditspine.actor = 'second';
INSERT INTO item VALUES (11, 'taken back');
ROLLBACK TO s;
UPDATE item SET v = 'by first again' WHERE id = 10;
SET LOCAL auditspine.actor = '';
DELETE FROM item WHERE id = 10;
COMMIT;

-- Behind a pooler: one connection, transactions of different clients. Who sets nothing is not taken for the last one.
RESET auditspine.actor;
RESET auditspine.context;
BEGIN;
SET LOCAL auditspine.actor = 'client 1';
INSERT INTO item VALUES (20, 'of client 1');
COMMIT;
BEGIN;
INSERT INTO item VALUES (21, 'of client 2, who set nothing');
COMMIT;
BEGIN;
SET LOCAL auditspine.actor = 'client 3';
SET LOCAL auditspine.context = '{"pool": true}';
INSERT INTO item VALUES (22, 'of client 3');
COMMIT;
INSERT INTO item VALUES (23, 'of client 4, without a transaction');
-- A client that set it for the session, and a pooler that cleans up behind it.
SET auditspine.actor = 'client 5';
SET auditspine.context = '{"forgotten": true}';
DISCARD ALL;
SELECT session_user LIKE 'regress%' AS still_the_application;
SET SESSION AUTHORIZATION regress_auditspine_app;
SET auditspine.actor = 'client 6';
RESET ALL;
INSERT INTO item VALUES (24, 'of client 7');
SET auditspine.actor = 'client 8';
RESET auditspine.actor;
INSERT INTO item VALUES (25, 'of client 9');

-- Besides, never instead of, the database user: that is the session user, whatever role and actor are set.
RESET SESSION AUTHORIZATION;
GRANT regress_auditspine_other TO regress_auditspine_app;
SET SESSION AUTHORIZATION regress_auditspine_app;
SET auditspine.actor = 'postgres';
SET ROLE regress_auditspine_other;
INSERT INTO item VALUES (30, 'role other');
RESET ROLE;
RESET SESSION AUTHORIZATION;
RESET auditspine.actor;

-- A context that is not JSON fails the change, not the commit.
BEGIN;
SET LOCAL auditspine.context = 'no json';
INSERT INTO item VALUES (40, 'fails');
ROLLBACK;

SELECT pk, op, db_user, actor, context FROM entries();
SELECT op, db_user = 'regress_auditspine_app' AS by_app, actor, context FROM audit_history('item', '4');

DROP OWNED BY regress_auditspine_app, regress_auditspine_other;
DROP ROLE regress_auditspine_app, regress_auditspine_other;
