-- The textbook hash-chain trigger: lock the last row, read its hash, insert the next row.
-- It forks: under READ COMMITTED whoever waited for the lock gets the row that was last when its
-- statement began, not the one that was added meanwhile, and links to the same predecessor again.
-- Kept as the baseline that shows why auditspine links at commit under a lane lock.
--
-- Arguments of the trigger: kind, key column. Uses no extension.

CREATE TABLE textbook_chain (
    seq          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    op           "char" NOT NULL,
    event_kind   text NOT NULL,
    event_pk     text NOT NULL,
    payload_hash bytea NOT NULL,
    prev_hash    bytea NOT NULL,
    chain_hash   bytea NOT NULL
);

-- A first row, so that there always is a last row to lock.
INSERT INTO textbook_chain (op, event_kind, event_pk, payload_hash, prev_hash, chain_hash)
VALUES ('S', 'genesis', '', sha256(''), decode(repeat('00', 32), 'hex'), sha256('genesis'));

CREATE FUNCTION textbook_append() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed jsonb := to_jsonb(CASE WHEN tg_op = 'DELETE' THEN old ELSE new END);
    content bytea := sha256(convert_to(changed::text, 'UTF8'));
    last    bytea;
BEGIN
    SELECT chain_hash INTO STRICT last FROM textbook_chain ORDER BY seq DESC LIMIT 1 FOR UPDATE;
    INSERT INTO textbook_chain (op, event_kind, event_pk, payload_hash, prev_hash, chain_hash)
    VALUES (left(tg_op, 1)::"char", tg_argv[0], changed ->> tg_argv[1], content, last,
            sha256(last || content));
    RETURN NULL;
END $$;
