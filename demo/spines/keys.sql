-- Whose signatures count.
CREATE TABLE key AS SELECT 'ed25519' AS name, trust_key(:'ed25519', 'tools') AS fingerprint UNION ALL SELECT 'p256', trust_key(:'p256', 'policy engine');
SELECT name, left(fingerprint, 16) AS fingerprint, algorithm, comment FROM key JOIN auditspine.trusted_key USING (fingerprint);
