-- Casts to json that an owner of a type made: they run with nobody else's rights, since they do not run.
CREATE ROLE regress_auditspine_caster;
GRANT CREATE, USAGE ON SCHEMA public TO regress_auditspine_caster;
GRANT EXECUTE ON FUNCTION audit_chain_append() TO regress_auditspine_caster;
CREATE TABLE calls (place text, ran_as text);
GRANT SELECT, INSERT ON calls TO PUBLIC;
SET SESSION AUTHORIZATION regress_auditspine_caster;
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE DOMAIN temper AS mood;
CREATE TYPE pair AS (m mood, n integer);
CREATE TYPE span AS RANGE (subtype = mood);
CREATE TABLE diary (id integer, m mood, t temper, ms mood[], p pair, s span, ps pair[], PRIMARY KEY (id, m)) PARTITION BY RANGE (id);
CREATE TABLE diary1 PARTITION OF diary FOR VALUES FROM (0) TO (10);
CREATE TABLE notes (id integer PRIMARY KEY, m mood, t temper, ms mood[], p pair, s span, ps pair[]);
CREATE FUNCTION mood_json(mood) RETURNS json LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.calls VALUES ('enum', current_user); RETURN '"x"'; END $$;
CREATE FUNCTION span_json(span) RETURNS json LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.calls VALUES ('range', current_user); RETURN '"x"'; END $$;
CREATE FUNCTION pair_json(pair) RETURNS json LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.calls VALUES ('composite', current_user); RETURN '"x"'; END $$;
CREATE CAST (mood AS json) WITH FUNCTION mood_json(mood);
CREATE CAST (span AS json) WITH FUNCTION span_json(span);
CREATE CAST (pair AS json) WITH FUNCTION pair_json(pair);
-- It would be called by whoever asks PostgreSQL itself.
SELECT to_jsonb('sad'::mood);
SELECT * FROM calls;
RESET SESSION AUTHORIZATION;
TRUNCATE calls;

SELECT audit_attach('diary', payload => 'full', skip_unchanged => true, chain_by => '{m}');
INSERT INTO diary VALUES (1, 'sad', 'sad', '{sad}', ('sad', 1), '[sad,happy]', ARRAY[('sad', 1)::pair]);
UPDATE diary SET m = 'happy', t = 'happy';
DELETE FROM diary;
INSERT INTO diary VALUES (2, 'sad', 'sad', '{sad}', ('sad', 1), '[sad,happy]', ARRAY[('sad', 1)::pair]);
SELECT canonical_row_hash(d) = sha256('{"id":2,"m":"sad","ms":["sad"],"p":{"m":"sad","n":1},"ps":[{"m":"sad","n":1}],"s":"[sad,happy]","t":"sad"}') AS as_output FROM diary d;
SELECT ok, rows FROM verify_table('diary');
SELECT * FROM verify_table_findings('diary');
SELECT count(*) FROM audit_history('diary', '2', 'sad');
-- Rows that were there before: by the event trigger, and by audit_attach().
SET SESSION AUTHORIZATION regress_auditspine_caster;
CREATE TABLE diary2 (LIKE diary INCLUDING ALL);
INSERT INTO diary2 VALUES (11, 'sad', 'sad', '{sad}', ('sad', 1), '[sad,happy]', '{}');
ALTER TABLE diary ATTACH PARTITION diary2 FOR VALUES FROM (10) TO (20);
INSERT INTO notes VALUES (1, 'sad', 'sad', '{sad}', ('sad', 1), '[sad,happy]', '{}');
RESET SESSION AUTHORIZATION;
SELECT audit_attach('notes', backfill => true) IS NOT NULL AS attached;
SET client_min_messages = warning;
CALL audit_backfill('notes');
RESET client_min_messages;
SELECT subject, checked, ok FROM verify_all() WHERE layer = 'rows';
SELECT * FROM calls;

-- A cast counts while both the type and the function are a superuser's.
ALTER TYPE mood OWNER TO CURRENT_USER;
SELECT canonical_row_hash(n) = sha256('{"m":"sad"}') AS as_output FROM (SELECT m FROM notes) n;
ALTER FUNCTION mood_json(mood) OWNER TO CURRENT_USER;
SELECT canonical_row_hash(n) = sha256('{"m":"x"}') AS as_cast FROM (SELECT m FROM notes) n;
ALTER TYPE mood OWNER TO regress_auditspine_caster;
SELECT canonical_row_hash(n) = sha256('{"m":"sad"}') AS as_output FROM (SELECT m FROM notes) n;
ALTER ROLE regress_auditspine_caster SUPERUSER;
SELECT canonical_row_hash(n) = sha256('{"m":"x"}') AS as_cast FROM (SELECT m FROM notes) n;
ALTER ROLE regress_auditspine_caster NOSUPERUSER;
SELECT canonical_row_hash(n) = sha256('{"m":"sad"}') AS as_output FROM (SELECT m FROM notes) n;
SELECT * FROM calls;
DROP OWNED BY regress_auditspine_caster CASCADE;
DROP ROLE regress_auditspine_caster;
