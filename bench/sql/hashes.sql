-- Small rows, and the same as jsonb documents; lines of advisories to be filled in.
SELECT audit_detach('finding') \g /dev/null
INSERT INTO finding SELECT * FROM ready_rows LIMIT :rows;
CREATE TABLE small_doc AS SELECT to_jsonb(finding) AS doc FROM finding;
CREATE TABLE line (doc jsonb);
VACUUM (ANALYZE) finding, small_doc;
