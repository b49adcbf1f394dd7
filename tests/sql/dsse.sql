-- DSSE envelopes: signed by whom, and why not.
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text; message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN state || ': ' || message || CASE WHEN hint <> '' THEN E'\n  hint: ' || hint ELSE '' END;
END $$;
CREATE TABLE key (name text PRIMARY KEY, pem text);
INSERT INTO key VALUES
    ('ed25519', E'-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAeGVygzLgOmO2RCtC75jusdS+/R6cUDK4PXD2Tl9VGlA=\n-----END PUBLIC KEY-----\n'),
    ('p256', E'-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEdmDA4af603LDsEc0vD8uHSrUHRPR\nj2JKiHVqAW9Bdxd+QRocSnmHyFC5KpKA+3y7kzOPgFKDHEAnLuF6Zu47ow==\n-----END PUBLIC KEY-----\n');
CREATE TABLE envelope (name text PRIMARY KEY, doc jsonb);
INSERT INTO envelope VALUES
    ('ed25519', '{"payload":"aGVsbG8=","payloadType":"text/plain","signatures":[{"keyid":"5b30a97b14a044d2e1c2d0e5653347697fa2cd1cc3e6bf924028548254206725","sig":"yhZTA+7SVoo5fi97ZzmYCQSIG7nb6P13zzFN8k1Xpq4i61orlNfpoL4u8ZOh0DNRNavFB5XFuG9oCDXv5EtxAg=="}]}'),
    ('p256', '{"payload":"aGVsbG8=","payloadType":"text/plain","signatures":[{"keyid":"04caa272871827bc294cab354682806102ea886bd9669afdb42ea4eda4ccd2bc","sig":"+n/3TLGjn6Q2Ui2OUb48s0UYKdEhD0VrblZivVDkgtOIywlpQiNn5OnToa/gXh/XI2rBXCqd3D8j2nISDlXALw=="}]}');
INSERT INTO envelope
SELECT 'both', jsonb_set(a.doc, '{signatures}', (a.doc -> 'signatures') || (b.doc -> 'signatures'))
FROM envelope a, envelope b WHERE a.name = 'ed25519' AND b.name = 'p256';

-- What signatures are over, as protocol.md shows it.
SELECT convert_from(dsse_pae('http://example.com/HelloWorld', 'hello world'), 'UTF8') AS pae;
SELECT dsse_pae('', '') = 'DSSEv1 0  0 ' AS empty, length(dsse_pae('t', decode(repeat('00', 1000), 'hex'))) AS length, dsse_pae(NULL, 'x') IS NULL AS strict;

-- Each key verifies what it has signed, and nothing else.
SELECT e.name AS envelope, k.name AS key, v.ok, v.payload_type, convert_from(v.payload, 'UTF8') AS payload, v.verified_by = ARRAY[key_fingerprint(k.pem)] AS by_key
FROM envelope e, key k, LATERAL dsse_verify(e.doc, ARRAY[k.pem]) v ORDER BY 1, 2;
SELECT key_fingerprint(pem) = encode(sha256(decode(regexp_replace(pem, '-----[A-Z ]+-----|\s', '', 'g'), 'base64')), 'hex') AS of_the_der FROM key;
-- So many distinct keys.
SELECT threshold, v.ok, cardinality(v.verified_by) AS keys, v.reason
FROM generate_series(1, 2) threshold, LATERAL dsse_verify((SELECT doc FROM envelope WHERE name = 'both'), (SELECT array_agg(pem) FROM key), threshold) v;
SELECT v.ok, cardinality(v.verified_by) AS keys, v.reason
FROM envelope e, LATERAL dsse_verify(jsonb_set(doc, '{signatures,1}', doc #> '{signatures,0}'), (SELECT array_agg(pem ORDER BY name) FROM key), 2) v
WHERE name = 'ed25519';
-- The keyid decides nothing.
SELECT v.ok, s ->> 'keyid' AS keyid, s ->> 'outcome' AS outcome
FROM envelope e, LATERAL dsse_verify(jsonb_set(doc, '{signatures,0,keyid}', '"somebody else"'), (SELECT array_agg(pem) FROM key)) v, jsonb_array_elements(v.signatures) s
WHERE name = 'ed25519';

-- Changed in one place.
SELECT what, v.ok, v.payload IS NULL AS no_payload, v.reason
FROM (SELECT doc FROM envelope WHERE name = 'ed25519') e,
     LATERAL (VALUES
        (1, 'payload', jsonb_set(doc, '{payload}', '"aGVsbG4="')),
        (2, 'type', jsonb_set(doc, '{payloadType}', '"text/plaim"')),
        (3, 'signature', jsonb_set(doc, '{signatures,0,sig}', to_jsonb('zh' || substr(doc #>> '{signatures,0,sig}', 3)))),
        (4, 'signature, short', jsonb_set(doc, '{signatures,0,sig}', '"yhZT"')),
        (5, 'no base64', jsonb_set(doc, '{payload}', '"aGVsbG8*"')),
        (6, 'url-safe base64', jsonb_set(doc, '{signatures,0,sig}', to_jsonb(translate(doc #>> '{signatures,0,sig}', '+/=', '-_')))),
        (7, 'no signatures', jsonb_set(doc, '{signatures}', '[]')),
        (8, 'no payload', doc - 'payload'),
        (9, 'payload a number', jsonb_set(doc, '{payload}', '1')),
        (10, 'an array', jsonb_build_array(doc)),
        (11, 'further members', doc || '{"more": [1]}'),
        (12, 'too many signatures', jsonb_set(doc, '{signatures}', format('[%s]', concat_ws(',', VARIADIC array_fill(doc #> '{signatures,0}', '{65}')))::jsonb)),
        (13, 'a long signature', jsonb_set(doc, '{signatures,0,sig}', to_jsonb(repeat('A', 200000)))),
        (14, 'deep', jsonb_set(doc, '{more}', (repeat('[', 100) || repeat(']', 100))::jsonb))
     ) AS c (number, what, doc2),
     LATERAL dsse_verify(doc2, (SELECT array_agg(pem) FROM key)) v
ORDER BY number;

-- Keys and thresholds that are none.
SELECT arguments, attempt(format('SELECT v.* FROM envelope e, LATERAL dsse_verify(doc, %s) v', arguments))
FROM (VALUES ('NULL'), ('''{}'''), ('''{NULL}'''), ('ARRAY[''no key'']'), ('(SELECT array_agg(pem) FROM key), 0'), ('(SELECT array_agg(pem) FROM key), -1'),
             ('(SELECT array_agg(pem) FROM key), 3'), ('(SELECT array_agg(pem) FROM key), NULL'), ('(SELECT array_agg(pem) || array_agg(pem) FROM key WHERE name = ''p256''), 2')) AS v (arguments);
SELECT attempt('SELECT * FROM dsse_verify(NULL, (SELECT array_agg(pem) FROM key))');
SELECT what, attempt(format('SELECT key_fingerprint(%L)', pem)) FROM (VALUES
    ('private', (SELECT replace(pem, 'PUBLIC', 'PRIVATE') FROM key WHERE name = 'ed25519')),
    ('two', (SELECT string_agg(pem, '') FROM key)),
    ('damaged', (SELECT replace(pem, 'AeGV', 'Ae*V') FROM key WHERE name = 'ed25519')),
    ('P-384', E'-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEIvjFI4hNjVpuZgCFLgeOkG3HCsVnoA53\nbVhp8Qp5T1uqH6Yz5GJuBRsYn3XuVBuLYYRQE6N8Y1MdNfrZaU1hNuzXWdUoQYEB\nLHUrGmQCyqdvoQ2Fg7L9GmyKzK6v8o3r\n-----END PUBLIC KEY-----\n')
) AS v (what, pem);
