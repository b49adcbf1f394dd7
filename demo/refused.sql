-- Who does not go out of their way gets an error, a superuser included.
\set VERBOSITY terse
\set ECHO queries
\set ON_ERROR_STOP off
UPDATE vuln.advisory_raw SET doc = '{}';
\set first :ERROR
DELETE FROM auditspine.audit_chain WHERE seq = 100;
\set second :ERROR
\set ECHO none
\set ON_ERROR_STOP on
SELECT NOT (:'first'::boolean AND :'second'::boolean) AS allowed \gset
\if :allowed
    DO $$ BEGIN RAISE EXCEPTION 'a write to an append-only table was not refused'; END $$;
\endif
