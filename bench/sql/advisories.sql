-- The lines, repeated to run long enough.
CREATE TABLE advisory AS
SELECT doc ->> 'id' AS id, now() AS fetched_at, doc FROM line, generate_series(1, :copies);
VACUUM (ANALYZE) advisory;
