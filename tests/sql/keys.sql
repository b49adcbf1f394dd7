-- Keys whose signatures count: trusted, revoked, and tampered with.
CREATE FUNCTION ed25519() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT E'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAeGVygzLgOmO2RCtC75jusdS+/R6cUDK4PXD2Tl9VGlA=\n-----END PUBLIC KEY-----\n' $$;
CREATE FUNCTION p256() RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT E'-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdmDA4af603LDsEc0vD8uHSrUHRPR\nj2JKiHVqAW9Bdxd+QRocSnmHyFC5KpKA+3y7kzOPgFKDHEAnLuF6Zu47ow==\n-----END PUBLIC KEY-----\n' $$;
SET timezone = 'UTC';
SET client_min_messages = notice;
CREATE VIEW told AS
SELECT op, left(event_pk, 8) AS key, payload - '{fingerprint,pem,revoked_at,added_at,added_by}'::text[] AS payload, payload ->> 'revoked_at' IS NOT NULL AS revoked
FROM auditspine.audit_chain WHERE event_kind = 'auditspine.key' ORDER BY seq;
CREATE VIEW shown AS
SELECT left(fingerprint, 8) AS key, algorithm, valid_from, valid_until, revoked_at IS NOT NULL AS revoked, revoke_reason, comment, added_by = session_user AS by_me
FROM auditspine.trusted_key ORDER BY fingerprint;
CREATE VIEW layer AS
SELECT layer, subject, ok, checked, findings, detail FROM verify_all() WHERE layer = 'keys';

-- Nothing is trusted, nothing is said.
TABLE layer;
SELECT trust_key(ed25519(), 'build 7', '2026-01-01 00:00+00', '2027-01-01 00:00+00') AS fingerprint;
SELECT trust_key(p256()) = key_fingerprint(p256()) AS same;
-- Again: nothing; otherwise: changed, and told.
SELECT trust_key(p256()) = key_fingerprint(p256()) AS same;
SELECT trust_key(replace(p256(), E'\n', E'\r\n'), 'release') = key_fingerprint(p256()) AS same;
TABLE shown;
TABLE told;
TABLE layer;

-- Revoked for good.
SELECT revoke_key(key_fingerprint(p256()), 'lost');
SELECT revoke_key(key_fingerprint(p256()), 'lost again');
SELECT trust_key(p256());
TABLE shown;
TABLE told;
TABLE layer;

-- Bad input.
SELECT trust_key(NULL);
SELECT trust_key('-----BEGIN PUBLIC KEY-----');
SELECT trust_key(ed25519(), valid_from => 'infinity');
SELECT trust_key(ed25519(), valid_from => '2026-01-02', valid_until => '2026-01-02');
SELECT revoke_key('none', 'gone');
SELECT revoke_key(key_fingerprint(ed25519()), NULL);
SELECT revoke_key(key_fingerprint(ed25519()), ' ');
SELECT revoke_key(NULL, 'x');
DELETE FROM auditspine.trusted_key;
TRUNCATE auditspine.trusted_key;

-- What is rolled back was never trusted.
BEGIN;
SELECT revoke_key(key_fingerprint(ed25519()), 'not so');
ROLLBACK;
TABLE layer;

-- Behind the chain's back: a revocation undone, a key slipped in, one taken away.
UPDATE auditspine.trusted_key SET revoked_at = NULL, revoke_reason = NULL WHERE fingerprint = key_fingerprint(p256());
TABLE layer;
UPDATE auditspine.trusted_key SET added_by = 'me' WHERE fingerprint = key_fingerprint(ed25519());
TABLE layer;
INSERT INTO auditspine.trusted_key SELECT repeat('0', 64), algorithm, pem, NULL, NULL, NULL, NULL, 'mine', added_at, added_by FROM auditspine.trusted_key LIMIT 1;
ALTER TABLE auditspine.trusted_key DISABLE TRIGGER append_only;
DELETE FROM auditspine.trusted_key WHERE fingerprint = key_fingerprint(ed25519());
ALTER TABLE auditspine.trusted_key ENABLE TRIGGER append_only;
TABLE layer;
SELECT finding, left(pk, 8) AS key, seq, detail FROM auditspine.alert WHERE layer = 'keys' ORDER BY finding;

-- Who may: nobody, unless told.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_keys;
CREATE ROLE regress_auditspine_keys;
SET ROLE regress_auditspine_keys;
SELECT trust_key('x');
SELECT revoke_key('x', 'y');
SELECT key_fingerprint(ed25519());
RESET ROLE;
DROP ROLE regress_auditspine_keys;
