-- Whose chains are, after a dump of an earlier version; who holds the audit's locks.

CREATE FUNCTION auditspine.settle_chains() RETURNS TABLE (chain text, tenant text)
    LANGUAGE sql VOLATILE PARALLEL UNSAFE
    SET search_path = pg_catalog, pg_temp
    AS $settle$
    LOCK TABLE auditspine.audit_chain, auditspine.chain IN ACCESS EXCLUSIVE MODE;
    ALTER TABLE auditspine.chain DISABLE TRIGGER append_only;
    -- A tenant's chain was made at its first entry, and entries of tables with chain_by are all that is in it.
    WITH declared (kind, chain, by_column) AS (
        SELECT e.payload OPERATOR(pg_catalog.->>) 'kind', e.payload OPERATOR(pg_catalog.->>) 'chain',
               (e.payload OPERATOR(pg_catalog.->>) 'chain_by') IS NOT NULL
        FROM ONLY auditspine.audit_chain AS e
        WHERE e.event_kind OPERATOR(pg_catalog.=) 'auditspine.attach' AND e.op OPERATOR(pg_catalog.=) 'S'
        UNION
        SELECT a.kind, a.chain, a.chain_by IS NOT NULL FROM auditspine.audited_table AS a
    ), first_entry AS (
        SELECT c.chain_id, e.event_kind, e.op, e.appended_at OPERATOR(pg_catalog.-) c.created_at AS after
        FROM ONLY auditspine.chain AS c
        CROSS JOIN LATERAL (SELECT e.event_kind, e.op, e.appended_at FROM ONLY auditspine.audit_chain AS e
                            WHERE e.chain_id OPERATOR(pg_catalog.=) c.chain_id ORDER BY e.seq LIMIT 1) AS e
        WHERE c.origin OPERATOR(pg_catalog.=) 'unknown'
    ), theirs AS (
        SELECT c.chain_id
        FROM ONLY auditspine.chain AS c JOIN first_entry AS f ON f.chain_id OPERATOR(pg_catalog.=) c.chain_id
        WHERE c.chain_id OPERATOR(pg_catalog.<>) 1
          AND f.op OPERATOR(pg_catalog.=) ANY ('{I,U,D}'::"char"[])
          AND f.event_kind OPERATOR(pg_catalog.=) ANY (SELECT d.kind FROM declared AS d WHERE d.by_column)
          AND NOT EXISTS (SELECT FROM declared AS d WHERE d.chain OPERATOR(pg_catalog.=) c.name)
          AND (f.after OPERATOR(pg_catalog.<) '1 minute'::interval
               OR NOT EXISTS (SELECT FROM ONLY auditspine.audit_chain AS e
                              WHERE e.chain_id OPERATOR(pg_catalog.=) c.chain_id
                                AND NOT (e.op OPERATOR(pg_catalog.=) ANY ('{I,U,D}'::"char"[])
                                         AND e.event_kind OPERATOR(pg_catalog.=) ANY (SELECT d.kind FROM declared AS d WHERE d.by_column))))
    )
    UPDATE auditspine.chain AS c
    SET origin = CASE WHEN t.is_theirs THEN 'tenant' ELSE 'operator' END,
        tenant = CASE WHEN t.is_theirs THEN c.name END
    FROM (SELECT k.chain_id,
                 k.chain_id OPERATOR(pg_catalog.=) ANY (SELECT t.chain_id FROM theirs AS t) AS is_theirs
          FROM ONLY auditspine.chain AS k WHERE k.origin OPERATOR(pg_catalog.=) 'unknown') AS t
    WHERE c.chain_id OPERATOR(pg_catalog.=) t.chain_id
      -- Whose chain has been made meanwhile keeps that.
      AND NOT EXISTS (SELECT FROM ONLY auditspine.chain AS o WHERE t.is_theirs AND o.tenant OPERATOR(pg_catalog.=) c.name);
    -- Other sessions are told by this that chains are to be looked up again.
    ALTER TABLE auditspine.chain ENABLE TRIGGER append_only;
    SELECT c.name, c.tenant FROM ONLY auditspine.chain AS c ORDER BY c.chain_id;
$settle$;
REVOKE ALL ON FUNCTION auditspine.settle_chains() FROM PUBLIC;
COMMENT ON FUNCTION auditspine.settle_chains() IS
    'says of chains from a dump of an earlier version whose they are, by their entries and by the triggers that there are; lists all chains';

-- Not for everybody: it tells what others are at.
CREATE VIEW auditspine.lock AS
SELECT k.what, k.granted, k.pid, k.gid, k.usename, k.since, k.chains, k.lane
FROM (
    SELECT CASE WHEN l.objsubid OPERATOR(pg_catalog.=) 3 THEN 'lane'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 4 THEN 'making a chain'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 5 THEN 'attaching a table'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 6 THEN 'backfill'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 7 THEN 'making spine tables'
                WHEN l.objsubid OPERATOR(pg_catalog.=) 8 THEN 'installing a blueprint'
                ELSE 'verification' END AS what,
           l.granted, l.pid, x.gid,
           coalesce(a.usename, x.owner) AS usename,
           coalesce(a.xact_start, x.prepared) AS since,
           CASE WHEN l.objsubid OPERATOR(pg_catalog.=) 3 THEN
               (SELECT pg_catalog.array_agg(c.name ORDER BY c.name)
                FROM ONLY auditspine.chain AS c
                WHERE CASE WHEN c.origin OPERATOR(pg_catalog.=) 'operator'
                           THEN c.chain_id::bigint OPERATOR(pg_catalog.+) 1024::bigint
                           ELSE (c.chain_id OPERATOR(pg_catalog.%) 1024)::bigint END
                      OPERATOR(pg_catalog.=) l.classid::bigint) END AS chains,
           CASE WHEN l.objsubid OPERATOR(pg_catalog.=) 3 THEN l.objid::bigint::integer END AS lane
    FROM pg_catalog.pg_locks AS l
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid
    -- The lock that a prepared transaction has on itself tells which it is.
    LEFT JOIN pg_catalog.pg_locks AS own
           ON l.pid IS NULL AND own.pid IS NULL AND own.locktype OPERATOR(pg_catalog.=) 'transactionid'
          AND own.virtualtransaction OPERATOR(pg_catalog.=) l.virtualtransaction
    LEFT JOIN pg_catalog.pg_prepared_xacts AS x ON x.transaction OPERATOR(pg_catalog.=) own.transactionid
    WHERE l.locktype OPERATOR(pg_catalog.=) 'advisory'
      AND l.objsubid OPERATOR(pg_catalog.>=) 3 AND l.objsubid OPERATOR(pg_catalog.<=) 9
      AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d
                                              WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())
) AS k;
COMMENT ON VIEW auditspine.lock IS 'who holds, or waits for, locks of the audit in this database';
COMMENT ON COLUMN auditspine.lock.what IS 'what the lock is for';
COMMENT ON COLUMN auditspine.lock.granted IS 'whether it is held, or waited for';
COMMENT ON COLUMN auditspine.lock.pid IS 'the server process; null for a prepared transaction';
COMMENT ON COLUMN auditspine.lock.gid IS 'the prepared transaction';
COMMENT ON COLUMN auditspine.lock.usename IS 'whose session it is, or who prepared the transaction';
COMMENT ON COLUMN auditspine.lock.since IS 'when the transaction began, or was prepared';
COMMENT ON COLUMN auditspine.lock.chains IS 'the chains that share the lock of a lane';
COMMENT ON COLUMN auditspine.lock.lane IS 'number of the lane';
