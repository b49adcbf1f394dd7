-- A correct hash-chain trigger in PL/pgSQL with pgcrypto: a global lock held to the commit, so that nobody links to
-- a head that is not the last. It stores and hashes what auditspine does (row, event, link) and has as many B-trees.
-- Right under READ COMMITTED only: at higher isolation levels the head that it reads may be stale, and the primary
-- key turns that into an error.
--
-- Arguments of the trigger: kind, key column. Needs pgcrypto.

CREATE TABLE plpgsql_chain (
    seq          bigint PRIMARY KEY,
    op           "char" NOT NULL,
    event_kind   text COLLATE "C" NOT NULL,
    event_pk     text COLLATE "C" NOT NULL,
    xid          xid8 NOT NULL,
    appended_at  timestamptz NOT NULL,
    db_user      text NOT NULL,
    actor        text,
    context      jsonb,
    payload_hash bytea NOT NULL,
    event_hash   bytea NOT NULL,
    prev_hash    bytea NOT NULL,
    chain_hash   bytea NOT NULL
);
CREATE INDEX ON plpgsql_chain (event_kind, event_pk);

CREATE FUNCTION plpgsql_append() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(CASE WHEN tg_op = 'DELETE' THEN old ELSE new END);
    payload bytea := digest(changed::text, 'sha256');
    entry   plpgsql_chain;
    event   bytea;
BEGIN
    PERFORM pg_advisory_xact_lock(7203);
    SELECT * INTO entry FROM plpgsql_chain ORDER BY seq DESC LIMIT 1;
    entry.prev_hash := coalesce(entry.chain_hash, decode(repeat('00', 32), 'hex'));
    entry.seq := coalesce(entry.seq, 0) + 1;
    event := digest(
        jsonb_build_array(left(tg_op, 1), tg_argv[0], changed ->> tg_argv[1], pg_current_xact_id()::text,
                          now(), session_user, encode(payload, 'hex'))::text, 'sha256');
    INSERT INTO plpgsql_chain
    VALUES (entry.seq, left(tg_op, 1)::"char", tg_argv[0], changed ->> tg_argv[1], pg_current_xact_id(), now(),
            session_user, NULL, NULL, payload, event, entry.prev_hash,
            digest(entry.prev_hash || event || int8send(entry.seq), 'sha256'));
    RETURN NULL;
END $$;
