-- What values refer to is called otherwise, and read otherwise by whoever asks PostgreSQL; no row changes.
ALTER TYPE kinds.mood RENAME VALUE 'sad' TO 'glum';
ALTER TYPE kinds.mood RENAME VALUE 'ok' TO 'sad';
ALTER TYPE kinds.mood ADD VALUE 'first' BEFORE 'glum';
ALTER TYPE kinds.twin RENAME VALUE 'ok' TO 'fine';
ALTER TYPE kinds.small_pair RENAME ATTRIBUTE m TO mood;
ALTER TYPE kinds.small_pair RENAME ATTRIBUTE n TO m;
ALTER TYPE kinds.small_pair ADD ATTRIBUTE later text;
ALTER TYPE kinds.pair RENAME ATTRIBUTE "B c" TO b;
ALTER TYPE kinds.pair RENAME TO couple;
ALTER TYPE kinds.mood RENAME TO temper_of_mind;
ALTER DOMAIN kinds.price RENAME TO cost;
ALTER TYPE kinds.moods RENAME TO from_mood_to_mood;
ALTER TABLE kinds.row_type RENAME COLUMN y TO why;
ALTER TABLE kinds.row_type ADD COLUMN later integer;
ALTER TABLE kinds.row_type RENAME TO row_kind;
ALTER TABLE kinds.target RENAME TO goal;
ALTER SCHEMA kinds RENAME TO sorts;
CREATE FUNCTION sorts.as_json(sorts.temper_of_mind) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT '{"other": 1}'::json $$;
CREATE CAST (sorts.temper_of_mind AS json) WITH FUNCTION sorts.as_json(sorts.temper_of_mind);
CREATE FUNCTION sorts.blob_json(sorts.blob) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT '1'::json $$;
CREATE CAST (sorts.blob AS json) WITH FUNCTION sorts.blob_json(sorts.blob);
-- As an update of its extension may do it.
ALTER FUNCTION sorts.moment_out(sorts.moment) IMMUTABLE;
ALTER FUNCTION sorts.blob_out(sorts.blob) STABLE;
