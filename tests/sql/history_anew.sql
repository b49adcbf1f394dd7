-- Publications of a history that is gone: what comes after it is not called an older state of it.
CREATE TABLE t (id integer PRIMARY KEY);
SELECT audit_attach('t');
INSERT INTO t SELECT generate_series(1, 9);
CREATE TABLE outside (lines text);
CREATE FUNCTION lines() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
    RETURN (SELECT string_agg(canonical_json(jsonb_build_object('v', 1, 'chain', chain, 'lane', lane, 'pos', pos::text, 'seq', seq::text,
                       'chain_hash', encode(chain_hash, 'hex'),
                       'published_at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))), E'\n')
            FROM chain_heads());
END $$;
CREATE FUNCTION judged() RETURNS TABLE (ok boolean, restored boolean, finding text, detail text) LANGUAGE plpgsql AS $$ BEGIN
    RETURN QUERY SELECT v.ok, v.restored, f.finding, f.detail
    FROM outside, verify_publication(outside.lines) AS v, publication_findings(outside.lines) AS f;
END $$;
INSERT INTO outside SELECT lines();
SELECT count(*) FROM judged();
-- The file began with a byte order mark.
SELECT v.ok, v.heads FROM outside, verify_publication(E'\ufeff' || lines) AS v;

-- Dropped and created again: with nothing in it, with a few entries, with more than were published.
SET client_min_messages = warning;
DROP EXTENSION auditspine CASCADE;
RESET client_min_messages;
CREATE EXTENSION auditspine;
SELECT * FROM judged();
SELECT audit_attach('t');
SELECT * FROM judged();
INSERT INTO t SELECT generate_series(10, 30);
SELECT ok, restored, finding FROM judged();
-- What is published from here on holds.
UPDATE outside SET lines = lines();
SELECT count(*) FROM judged();

-- All entries removed, and numbers given out again.
SET session_replication_role = replica;
TRUNCATE auditspine.audit_chain;
ALTER SEQUENCE auditspine.audit_seq RESTART;
RESET session_replication_role;
SELECT ok, restored, finding FROM judged();
INSERT INTO t VALUES (31);
SELECT ok, restored, finding FROM judged();
