-- The root of an evidence spine: SHA-256 of the concatenated result hashes, in order.

CREATE TABLE segment (spine integer, idx integer, result_hash text);
INSERT INTO segment
SELECT spine, idx,
       CASE WHEN spine = 1 THEN 'sha256:' ELSE '' END
           || encode(sha256(convert_to('segment ' || idx, 'UTF8')), 'hex')
FROM generate_series(1, 2) spine, generate_series(1, 5) idx;

-- The same as plain SQL says, prefixed or bare, from an array or aggregated.
SELECT spine,
       spine_root_hash(array_agg(result_hash ORDER BY idx))
           = encode(sha256(string_agg(result_hash, '' ORDER BY idx)::bytea), 'hex') AS array_agrees,
       spine_root_hash(result_hash ORDER BY idx)
           = encode(sha256(string_agg(result_hash, '' ORDER BY idx)::bytea), 'hex') AS aggregate_agrees
FROM segment GROUP BY spine ORDER BY spine;

-- Known values: one bare segment, and of none at all.
SELECT spine_root_hash(ARRAY['e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855']);
SELECT spine_root_hash('{}'::text[]);
SELECT spine_root_hash(result_hash ORDER BY idx) AS of_no_rows FROM segment WHERE false;
SELECT spine_root_hash(NULL::text[]) IS NULL AS null_array;

-- The order counts.
SELECT spine_root_hash(result_hash ORDER BY idx) <> spine_root_hash(result_hash ORDER BY idx DESC) AS ordered
FROM segment WHERE spine = 1;

-- Over groups, windows and parallel plans.
SELECT spine, length(spine_root_hash(result_hash ORDER BY idx)) FROM segment GROUP BY ROLLUP (spine) ORDER BY spine;
SELECT count(DISTINCT root) FROM (
    SELECT spine_root_hash(result_hash) OVER (PARTITION BY spine ORDER BY idx) AS root FROM segment) w;

-- Anything but 64 lower-case hex digits, with or without the prefix, is refused by its place.
\set SHOW_CONTEXT never
\set good '\'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\''
SELECT spine_root_hash(ARRAY[:good, 'nonsense']);
SELECT spine_root_hash(ARRAY[:good, upper(:good)]);
SELECT spine_root_hash(ARRAY[:good, :good || '0']);
SELECT spine_root_hash(ARRAY[:good, 'SHA256:' || substr(:good, 8)]);
SELECT spine_root_hash(ARRAY[:good, 'sha512:' || substr(:good, 8)]);
SELECT spine_root_hash(ARRAY[:good, ' ' || :good]);
SELECT spine_root_hash(ARRAY['', :good]);
SELECT spine_root_hash(ARRAY[:good, NULL, :good]);
SELECT spine_root_hash(h ORDER BY i) FROM (VALUES (1, :good), (2, 'g' || substr(:good, 9))) v(i, h);
SELECT spine_root_hash(h ORDER BY i) FROM (VALUES (1, :good), (2, NULL)) v(i, h);
\set VERBOSITY sqlstate
SELECT spine_root_hash(ARRAY[:good, 'nonsense']);
SELECT spine_root_hash(ARRAY[:good, NULL]);
