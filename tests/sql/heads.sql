-- Heads: what they are, publishing them, and published ones held against the database.
SET client_min_messages = warning;
DROP ROLE IF EXISTS regress_auditspine_reader;
RESET client_min_messages;
CREATE ROLE regress_auditspine_reader;
CREATE FUNCTION attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE command;
    RETURN 'allowed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN sqlstate || ': ' || replace(message, coalesce(substring(current_setting('auditspine.publish_file', true), '(.*)/'), ''), '…')
        || CASE WHEN hint = '' THEN '' ELSE ' (' || hint || ')' END;
END $$;
SELECT create_chain('ledger', 1) > 1 AS made, create_chain('empty') > 1 AS made;

-- Nothing is there yet.
SELECT count(*) FROM chain_heads();
SELECT attempt('SELECT chain_heads(''nosuch'')');
SELECT attempt('SELECT publish_head()');
SET auditspine.publish_file = 'heads.jsonl';
SELECT attempt('SELECT publish_head()');
SELECT current_setting('data_directory') AS data \gset
\set file :data '/regress_auditspine_heads.jsonl'
COPY (SELECT WHERE false) TO PROGRAM 'rm -rf regress_auditspine_heads*';
SET auditspine.publish_file = :'file';
SELECT heads, published_at = now() AS at_once, file = :'file' AS file FROM publish_head();
SELECT attempt('SELECT * FROM publish_head(''nosuch'')');
-- No head, no file.
SELECT pg_stat_file('regress_auditspine_heads.jsonl', true) IS NULL AS not_made;

-- Three entries in one chain, two in another.
SELECT seq, pos FROM audit_chain_append('k', '1', '{"a":1}');
SELECT seq, pos FROM audit_chain_append('k', '2', '{"a":2}');
SELECT seq, pos FROM audit_chain_append('k', '3', '{"a":3}', 'ledger');
SELECT seq, pos FROM audit_chain_append('k', '4', '{"a":4}', 'ledger');
SELECT seq, pos FROM audit_chain_append('k', '5', '{"a":5}');
SELECT h.chain, h.lane, h.pos, h.seq, h.chain_hash = a.chain_hash AS hash
FROM chain_heads() h JOIN auditspine.audit_chain a USING (chain_id, lane, pos);
SELECT chain, pos, seq FROM chain_heads('ledger');
SELECT count(*) FROM chain_heads('empty');
-- As plain SQL has it, with many lanes.
SELECT create_chain('wide') > 1 AS made;
SET session_replication_role = replica;
INSERT INTO auditspine.audit_chain
SELECT 1000 + lane * 10 + pos, (SELECT chain_id FROM auditspine.chain WHERE name = 'wide'), lane, pos, 1, 'A', 'k', NULL, '1', now(),
       'u', NULL, NULL, NULL, NULL, '\x', '\x', '\x', sha256(int8send(lane * 10 + pos))
FROM generate_series(0, 31, 3) lane, generate_series(1, 1 + lane % 5) pos;
SELECT count(*) = 11 AS as_plain_sql
FROM chain_heads('wide') h JOIN (
    SELECT DISTINCT ON (chain_id, lane) chain_id, lane, pos, seq, chain_hash FROM auditspine.audit_chain
    ORDER BY chain_id, lane, pos DESC) s USING (chain_id, lane, pos, seq, chain_hash);
DELETE FROM auditspine.audit_chain WHERE seq >= 1000;
RESET session_replication_role;

-- Only what is committed is published, and only where something can be written.
BEGIN;
SELECT seq > 0 AS linked FROM audit_chain_append('k', '6', '{}', 'ledger');
SELECT attempt('SELECT publish_head()');
ROLLBACK;
CREATE TABLE item (id integer PRIMARY KEY);
CREATE TRIGGER audit AFTER INSERT ON item FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item');
BEGIN;
INSERT INTO item VALUES (1);
SELECT attempt('SELECT publish_head()');
ROLLBACK;
BEGIN READ ONLY;
SELECT attempt('SELECT publish_head()');
ROLLBACK;
-- What was rolled back used up a number.
SELECT setval('auditspine.audit_seq', 5);

-- Published, recorded and verified.
SELECT heads, published_at > now() AS later, file = :'file' AS file FROM publish_head();
SELECT string_agg(line, E'\n') AS lines, count(*),
       bool_and(canonical_json(line) = line) AS canonical FROM regexp_split_to_table(rtrim(pg_read_file('regress_auditspine_heads.jsonl'), E'\n'), '\n') line \gset head_
SELECT :head_count AS lines, :'head_canonical' AS canonical;
SELECT regexp_replace(regexp_replace(:'head_lines', '"[0-9a-f]{64}"', '"…"', 'g'), '"20[^"]*Z"', '"…"', 'g') AS lines;
SELECT (pg_stat_file('regress_auditspine_heads.jsonl')).size = length(:'head_lines') + 1 AS ends_with_line_feed;
SELECT publication_id, file = :'file' AS file, chain, p.lane, p.pos, p.seq, p.db_user = session_user AS by_me,
       a.chain_hash = p.chain_hash AS hash, p.published_at > a.appended_at AS later,
       (SELECT count(*) FROM regexp_split_to_table(:'head_lines', '\n') line
        WHERE line::jsonb ->> 'chain_hash' = encode(p.chain_hash, 'hex')
          AND (line::jsonb ->> 'published_at')::timestamptz = p.published_at) AS lines
FROM auditspine.publication p JOIN auditspine.audit_chain a USING (chain_id, lane, pos) ORDER BY 1, chain_id;
SELECT ok, lines, heads, findings, restored, first_bad_line, first_published_at = last_published_at AS at_once
FROM verify_publication(:'head_lines');
SELECT count(*) AS findings FROM publication_findings(:'head_lines');
SELECT ok, lines, heads FROM verify_publication_file(:'file');

-- The chain goes on; one chain alone is published, and the same head again.
SELECT seq, pos FROM audit_chain_append('k', '6', '{"a":6}', 'ledger');
SELECT heads FROM publish_head('ledger');
SELECT heads FROM publish_head('ledger');
SELECT heads FROM publish_head('empty');
SELECT publication_id, chain, pos FROM auditspine.publication ORDER BY publication_id, chain_id;
SELECT ok, lines, heads, first_published_at < last_published_at AS in_order FROM verify_publication_file(:'file');

-- A line that a crash left unfinished is told, and the next one is not glued to it.
COPY (SELECT WHERE false) TO PROGRAM 'printf ''{"chain":"main","chain_hash":"ab'' >> regress_auditspine_heads.jsonl';
SELECT ok, lines, heads, findings, first_bad_line FROM verify_publication_file(:'file');
SELECT heads FROM publish_head();
SELECT ok, lines, heads, findings, first_bad_line FROM verify_publication_file(:'file');
SELECT line, finding, detail FROM publication_file_findings(:'file');

-- A transaction that is rolled back after publishing leaves lines that are not recorded: no harm.
BEGIN;
SELECT heads FROM publish_head();
ROLLBACK;
SELECT ok, lines, heads, findings FROM verify_publication_file(:'file');
SELECT count(*) FROM auditspine.publication;

-- What cannot be written to.
COPY (SELECT WHERE false) TO PROGRAM 'mkdir regress_auditspine_heads.d && chmod 500 regress_auditspine_heads.d && ln -s nowhere regress_auditspine_heads.s && mkfifo regress_auditspine_heads.p';
CREATE FUNCTION publish_to(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('auditspine.publish_file', current_setting('data_directory') || '/' || name, true);
    RETURN attempt('SELECT publish_head()');
END $$;
SELECT name, publish_to(name) FROM unnest(ARRAY['nosuch/heads.jsonl', 'PG_VERSION/heads.jsonl', 'regress_auditspine_heads.d',
    'regress_auditspine_heads.d/heads.jsonl', 'regress_auditspine_heads.s', 'regress_auditspine_heads.p', '../../../../../../../../../../dev/full']) name;
SELECT count(*) FROM auditspine.publication;

-- Several files: the same lines in each, a record for each, the heads told once.
CREATE FUNCTION publish_list(names text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('auditspine.publish_file', replace(names, '~', current_setting('data_directory') || '/regress_auditspine_heads.'), true);
    RETURN (SELECT string_agg(heads || ' to ' || replace(file, current_setting('data_directory') || '/regress_auditspine_heads', '…'), ', ' ORDER BY at)
            FROM publish_head() WITH ORDINALITY AS p (heads, published_at, file, at));
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate || ': ' || replace(replace(sqlerrm, current_setting('data_directory') || '/regress_auditspine_heads', '…'),
                                       current_setting('data_directory'), '…');
END $$;
SELECT max(publication_id) AS before FROM auditspine.publication \gset
SELECT publish_list('~one, "~two, and more" ,~three');
SELECT publish_list('~one,"~two, and more",~three');
SELECT dense_rank() OVER (ORDER BY publication_id) AS id, replace(file, :'data', '…') AS file, chain, lane, pos, seq,
       count(*) OVER (PARTITION BY published_at) AS at_once
FROM auditspine.publication WHERE publication_id > :before ORDER BY 1, chain_id;
SELECT count(DISTINCT pg_read_file(file)) AS contents, count(*) AS files
FROM unnest(ARRAY['regress_auditspine_heads.one', 'regress_auditspine_heads.two, and more', 'regress_auditspine_heads.three']) AS file;
SELECT ok, lines, heads FROM verify_publication_file('regress_auditspine_heads.two, and more');
-- A byte order mark, in a file and before a later line; a pipe, a folder and a device, which are no files.
COPY (SELECT WHERE false) TO PROGRAM 'for n in 1,3 4,$; do printf "\357\273\277"; sed -n "${n}p" "regress_auditspine_heads.two, and more"; done > regress_auditspine_heads.bom';
SELECT ok, lines, heads FROM verify_publication_file('regress_auditspine_heads.bom');
SELECT attempt(format('SELECT publication_file_findings(%L)', 'regress_auditspine_heads.' || name)) FROM unnest('{p,d}'::text[]) AS name;
SELECT attempt('SELECT verify_publication_file(''/dev/zero'')');
SELECT layer, ok, checked, findings FROM verify_all() WHERE layer = 'heads';
SELECT count(*), count(DISTINCT (chain, lane, pos, published_at)) AS heads FROM auditspine.publication;
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM auditspine.audit_chain WHERE seq = 7;
SELECT line, finding FROM publication_file_findings('regress_auditspine_heads.one');
SELECT line, finding FROM publication_file_findings('regress_auditspine_heads.three');
SELECT count(*) FROM verify_all() WHERE layer = 'heads' AND NOT ok;
SELECT layer, finding, chain, seq FROM auditspine.alert WHERE layer = 'heads';
ROLLBACK;
SELECT max(publication_id) AS last FROM auditspine.publication \gset
COPY (SELECT WHERE false) TO PROGRAM 'ln regress_auditspine_heads.one regress_auditspine_heads.link';
-- What is no list of files. The files before the one at fault got nothing, where that was known before.
SELECT list, publish_list(list) FROM unnest(ARRAY['~one,', '~one,~two, ,~three', '~one,~one', '~one,"~one"', '~one,"~tw', '~one,"~two"three',
    '~one,two', ' ', '~one,~nosuch/two', '~one,~d', '~one,~link', '~one,~s']) AS list;
SELECT file, (SELECT count(*) FROM regexp_matches(pg_read_file(file), '\n', 'g')) AS lines
FROM unnest(ARRAY['regress_auditspine_heads.one', 'regress_auditspine_heads.three']) AS file;
SELECT count(*) FROM auditspine.publication WHERE publication_id > :last;
SET auditspine.publish_file = '/a, "/b, c"';
SELECT * FROM publish_files();
SET auditspine.publish_file = '';
SELECT count(*) FROM publish_files();
SET auditspine.publish_file = :'file';

-- Tampering, each time undone again.
CREATE FUNCTION told() RETURNS TABLE (line bigint, chain text, pos bigint, seq bigint, finding text, detail text, expected text, found text)
LANGUAGE sql AS $$
    SELECT line, chain, pos, seq, finding, regexp_replace(detail, '[0-9a-f]{64}', '…', 'g'), left(expected::text, 2), left(found::text, 2)
    FROM publication_file_findings(current_setting('auditspine.publish_file')) WHERE finding <> 'line_cut_short' $$;
CREATE VIEW verdict AS SELECT ok, lines, heads, findings, restored, first_bad_line FROM verify_publication_file(current_setting('auditspine.publish_file'));
-- The tail is cut off.
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM auditspine.audit_chain WHERE seq = 7;
SELECT * FROM told();
SELECT * FROM verdict;
SELECT bool_and(ok) AS links_say_nothing FROM verify_chain();
-- The record of the publication is removed as well.
DELETE FROM auditspine.publication;
SELECT line, finding, detail FROM told();
-- Then the lane goes on, but does not reach what was published.
DELETE FROM auditspine.audit_chain WHERE seq = 4;
SELECT pos FROM audit_chain_append('k', '7', '{}', 'ledger');
SELECT line, pos, finding, detail FROM told();
ROLLBACK;
-- A lane, a chain are gone.
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM auditspine.audit_chain WHERE chain_id <> 1;
SELECT line, chain, finding, detail, found FROM told();
DELETE FROM auditspine.chain WHERE name = 'ledger';
SELECT line, chain, finding, detail, found FROM told();
SELECT * FROM verdict;
ROLLBACK;
-- The published entry is edited, its hash left; then its hash is made to fit; then everything after it as well.
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE auditspine.audit_chain SET event_hash = sha256('x') WHERE seq = 4;
SELECT line, pos, finding, detail FROM told();
UPDATE auditspine.audit_chain SET chain_hash = sha256(prev_hash || event_hash || int8send(seq)) WHERE seq = 4;
SELECT line, pos, finding, detail, expected IS NOT NULL AS expected, found IS NOT NULL AS found FROM told();
UPDATE auditspine.audit_chain a SET prev_hash = b.chain_hash, chain_hash = sha256(b.chain_hash || a.event_hash || int8send(7))
FROM auditspine.audit_chain b WHERE a.seq = 7 AND b.seq = 4;
SELECT line, pos, finding, detail FROM told();
UPDATE auditspine.audit_chain SET chain_hash = '\x00' WHERE seq = 7;
SELECT line, pos, finding, detail, found FROM told() WHERE pos = 3;
ROLLBACK;
-- The published entry is taken out; the entry has another number.
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM auditspine.audit_chain WHERE seq = 4;
SELECT line, pos, finding, detail FROM told();
UPDATE auditspine.audit_chain SET seq = 60, chain_hash = sha256(prev_hash || event_hash || int8send(60)) WHERE seq = 7;
SELECT line, pos, finding, detail FROM told() WHERE pos = 3;
ROLLBACK;
-- The whole database is older than the publications.
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM auditspine.audit_chain WHERE seq > 2;
DELETE FROM auditspine.publication;
SELECT setval('auditspine.audit_seq', 2);
SELECT line, chain, pos, seq, finding, detail FROM told();
SELECT * FROM verdict;
-- It went on: in the same place with the same numbers, then in another chain beyond the old numbers.
SELECT seq, pos FROM audit_chain_append('k', '3', '{"b":3}', 'ledger');
SELECT seq, pos FROM audit_chain_append('k', '4', '{"b":4}', 'ledger');
SELECT line, chain, pos, seq, finding, detail FROM told();
SELECT count(audit_chain_append('k', '5', '{}', 'empty')) FROM generate_series(1, 5);
SELECT line, chain, pos, seq, finding, detail FROM told();
SELECT * FROM verdict;
ROLLBACK;
-- The numbers alone are set back: nothing is missing.
BEGIN;
SELECT setval('auditspine.audit_seq', 1);
SELECT ok, findings FROM verdict;
ROLLBACK;
-- The sequence is not transactional.
SELECT setval('auditspine.audit_seq', (SELECT max(seq) FROM auditspine.audit_chain)) > 7 AS set_back;
SELECT ok, heads FROM verdict;

-- Lines that are none, or contradict one another.
CREATE FUNCTION line(chain text, pos bigint, seq bigint, hash bytea DEFAULT NULL, lane integer DEFAULT 0) RETURNS text LANGUAGE sql AS $$
    SELECT canonical_json(jsonb_build_object('chain', line.chain, 'chain_hash',
        encode(coalesce(hash, (SELECT chain_hash FROM auditspine.audit_chain a WHERE a.seq = line.seq), sha256('')), 'hex'),
        'lane', line.lane, 'pos', line.pos::text, 'seq', line.seq::text, 'published_at', '2026-11-20T23:57:42.123456Z', 'v', 1)) $$;
SELECT line, finding, pos, regexp_replace(detail, '[0-9a-f]{64}', '…', 'g') AS detail FROM publication_findings(concat_ws(E'\n',
    line('main', 2, 2),
    '', ' ',
    jsonb_pretty(jsonb_build_object('not', 'one line')),
    'main 2 2',
    'null',
    '{"chain":"main"}',
    replace(line('main', 2, 2), '"v":1', '"v":2'),
    replace(line('main', 2, 2), '"pos"', '"Pos"'),
    replace(line('main', 2, 2), '"2"', '2'),
    upper(line('main', 2, 2, sha256('x'))),
    line('main', 3, 5),
    line('main', 1, 1),
    line('main', 3, 5),
    line('main', 3, 5, sha256('x')),
    line('main', 3, 5),
    line('ledger', 1, 4),
    line('ledger', 2, 3),
    line('main', 1, 1, lane => 7),
    repeat('x', 70000),
    left(line('main', 2, 2), 100)));
SELECT ok, lines, heads, findings, first_bad_line FROM verify_publication('');
SELECT ok, lines, heads, findings, first_bad_line FROM verify_publication(E'\n\n' || line('main', 2, 2) || E'\r\n');
SELECT ok, lines, findings, first_bad_line FROM verify_publication(E'\n\n' || line('main', 2, 2) || E'\nx');
SELECT attempt('SELECT verify_publication(NULL)'), attempt('SELECT publication_file_findings(NULL)');
SELECT attempt('SELECT verify_publication_file(''nosuch'')');
-- Many lines, in several pieces of a file.
SELECT ok, lines, heads, findings FROM verify_publication((SELECT string_agg(line('main', 2, 2), E'\n') FROM generate_series(1, 5000)));
COPY (SELECT line('main', 2, 2) FROM generate_series(1, 30000)) TO PROGRAM 'cat > regress_auditspine_heads.long';
SELECT ok, lines, heads, findings, (pg_stat_file('regress_auditspine_heads.long')).size > 4 * 1024 * 1024 AS long
FROM verify_publication_file('regress_auditspine_heads.long');

-- Verifying works read-only, in any isolation level, and sees what was published since.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SELECT ok, findings FROM verdict;
COMMIT;

-- Privileges.
SET ROLE regress_auditspine_reader;
SELECT attempt('SELECT chain_heads()');
SELECT attempt('SELECT publish_head()');
SELECT attempt('SELECT verify_publication('''')');
SELECT attempt('SET auditspine.publish_file = ''/tmp/x''');
RESET ROLE;
GRANT USAGE ON SCHEMA auditspine TO regress_auditspine_reader;
GRANT SELECT ON auditspine.chain, auditspine.audit_chain TO regress_auditspine_reader;
SET ROLE regress_auditspine_reader;
SELECT count(*) FROM chain_heads();
SELECT attempt('SELECT verify_publication('''')');
RESET ROLE;
GRANT SELECT ON auditspine.publication TO regress_auditspine_reader;
SET ROLE regress_auditspine_reader;
SELECT ok FROM verify_publication(:'head_lines');
SELECT attempt('SELECT verify_publication_file(''regress_auditspine_heads.jsonl'')');
RESET ROLE;
-- Who may read is up to PostgreSQL: inside of the data folder, or anywhere for those who may read files.
GRANT EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint) TO regress_auditspine_reader;
SET ROLE regress_auditspine_reader;
SELECT lines > 0 AS read FROM verify_publication_file('regress_auditspine_heads.jsonl');
SELECT lines > 0 AS read FROM verify_publication_file('base/../regress_auditspine_heads.jsonl');
SELECT attempt('SELECT verify_publication_file(''/dev/zero'')');
SELECT attempt('SELECT verify_publication_file(''../../nosuch'')');
RESET ROLE;
GRANT pg_read_server_files TO regress_auditspine_reader;
SET ROLE regress_auditspine_reader;
SELECT attempt('SELECT verify_publication_file(''/dev/zero'')');
RESET ROLE;
REVOKE pg_read_server_files FROM regress_auditspine_reader;
REVOKE EXECUTE ON FUNCTION pg_read_binary_file(text, bigint, bigint) FROM regress_auditspine_reader;
-- EXECUTE is enough to publish, and nothing else on the state; the record is the extension's.
GRANT EXECUTE ON FUNCTION publish_head(text) TO regress_auditspine_reader;
REVOKE SELECT ON auditspine.chain, auditspine.audit_chain, auditspine.publication FROM regress_auditspine_reader;
SET SESSION AUTHORIZATION regress_auditspine_reader;
SELECT heads FROM publish_head();
RESET SESSION AUTHORIZATION;
SELECT db_user, count(*) FROM auditspine.publication WHERE db_user <> session_user GROUP BY 1;
SELECT attempt('UPDATE auditspine.publication SET pos = 1'), attempt('DELETE FROM auditspine.publication'),
       attempt('TRUNCATE auditspine.publication');
SELECT ok FROM verdict;

COPY (SELECT WHERE false) TO PROGRAM 'chmod 700 regress_auditspine_heads.d && rm -rf regress_auditspine_heads*';
DROP OWNED BY regress_auditspine_reader;
DROP ROLE regress_auditspine_reader;
