-- What an entry is, and what plain SQL can say of it.
\echo
\echo Three entries, of more columns than fit here:
SELECT seq, lane, pos, op, event_kind AS kind, event_pk AS pk, db_user,
       left(encode(prev_hash, 'hex'), 12) || '…' AS prev_hash, left(encode(chain_hash, 'hex'), 12) || '…' AS chain_hash
FROM auditspine.audit_chain WHERE lane = 0 ORDER BY pos DESC LIMIT 3;

\echo The formula of a link is plain SQL, so nobody needs auditspine to check one:
SELECT count(*) AS entries,
       count(*) FILTER (WHERE sha256(prev_hash || event_hash || int8send(seq)) = chain_hash) AS links_that_hold
FROM auditspine.audit_chain;

\echo Every change of a finding that was committed has its entry, and none that was taken back:
SELECT count(*) FILTER (WHERE op = 'I') - count(*) FILTER (WHERE op = 'D') AS by_the_chain,
       (SELECT count(*) FROM vuln.finding) AS in_the_table,
       count(*) FILTER (WHERE payload ->> 'advisory_id' = 'never') AS of_what_was_taken_back
FROM auditspine.audit_chain WHERE event_kind = 'finding' \gset
SELECT :by_the_chain AS inserted_less_deleted, :in_the_table AS rows_in_the_table, :of_what_was_taken_back AS taken_back;
SELECT :by_the_chain = :in_the_table AND :of_what_was_taken_back = 0 AS complete \gset
\if :complete
\else
    DO $$ BEGIN RAISE EXCEPTION 'the chain does not tell what the table holds'; END $$;
\endif
