-- Whether a type's values hold what a dump does not bring back as it was.
CREATE FUNCTION is_lost_in_dump(of oid) RETURNS boolean LANGUAGE sql AS $$
    WITH RECURSIVE part AS (
        SELECT of AS oid
        UNION
        SELECT inner_type.oid FROM part JOIN pg_type t USING (oid) CROSS JOIN LATERAL (
            SELECT t.typbasetype UNION ALL SELECT t.typelem
            UNION ALL SELECT atttypid FROM pg_attribute WHERE attrelid = t.typrelid AND attnum > 0 AND NOT attisdropped
            UNION ALL SELECT rngsubtype FROM pg_range WHERE rngtypid = t.oid OR rngmultitypid = t.oid) inner_type (oid)
        WHERE inner_type.oid <> 0)
    SELECT EXISTS (SELECT FROM part JOIN pg_type t USING (oid) WHERE t.typname IN ('aclitem', 'tsquery') OR t.typname ~ '^reg' AND t.typcategory = 'N' AND t.typnamespace = 'pg_catalog'::regnamespace)
$$;

-- For each type with samples: a table whose rows are hashed without their number, and two whose key is the value.
CREATE TABLE subject AS SELECT row_number() OVER (ORDER BY type)::int AS n, type, count(*) AS samples, is_lost_in_dump(type) AS lost FROM sample GROUP BY type;

CREATE FUNCTION attach_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE s subject;
BEGIN
    FOR s IN SELECT * FROM subject ORDER BY n LOOP
        EXECUTE format('CREATE TABLE rows_%s (id integer PRIMARY KEY, v %s)', s.n, named(s.type));
        EXECUTE format('CREATE TABLE keys_%s (v %s NOT NULL)', s.n, named(s.type));
        EXECUTE format('CREATE TABLE again_%s (v %s NOT NULL)', s.n, named(s.type));
        PERFORM audit_attach(format('rows_%s', s.n)::regclass, payload => 'full', exclude => '{id}'),
                audit_attach(format('keys_%s', s.n)::regclass, pk => '{v}'), audit_attach(format('again_%s', s.n)::regclass, pk => '{v}');
    END LOOP;
END $$;

-- Records every sample as a row, and as a key.
CREATE FUNCTION record_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE s subject;
BEGIN
    FOR s IN SELECT * FROM subject ORDER BY n LOOP
        EXECUTE format('INSERT INTO rows_%s SELECT id, value::%s FROM sample WHERE type = $1', s.n, named(s.type)) USING s.type;
        EXECUTE format('INSERT INTO keys_%s SELECT v FROM rows_%1$s', s.n);
    END LOOP;
END $$;

-- Records them again, as they were read then: under whatever settings this is called.
CREATE FUNCTION record_again() RETURNS void LANGUAGE plpgsql AS $$
DECLARE s public.subject;
BEGIN
    FOR s IN SELECT * FROM public.subject ORDER BY n LOOP
        EXECUTE format('INSERT INTO public.rows_%s SELECT id + 1000000, v FROM public.rows_%1$s', s.n);
        EXECUTE format('INSERT INTO public.again_%s SELECT v FROM public.keys_%1$s', s.n);
    END LOOP;
END $$;

-- What is wrong with what was recorded.
CREATE FUNCTION faults() RETURNS TABLE (what text, type regtype, of text) LANGUAGE plpgsql AS $$
BEGIN
    CREATE TEMP TABLE entry AS SELECT event_kind AS kind, event_pk AS pk, payload_hash, payload FROM auditspine.audit_chain WHERE op = 'I';
    -- The sample, and which time it was recorded.
    CREATE TEMP TABLE recorded AS
    SELECT substr(kind, 6)::integer AS n, pk::integer % 1000000 AS id, pk::integer / 1000000 AS at, payload_hash, payload FROM entry WHERE kind ~ '^rows_';
    ANALYZE entry, recorded, sample;
    RETURN QUERY
    SELECT 'two values share a hash', s.type::regtype, string_agg(value, ' and ') FROM recorded r JOIN sample s USING (id)
    WHERE r.at = 0 GROUP BY s.type, r.payload_hash HAVING count(*) > 1
    UNION ALL
    SELECT 'a hash depends on a setting', s.type::regtype, value || ': ' || a.payload::text FROM recorded r JOIN recorded a USING (id) JOIN sample s USING (id)
    WHERE r.at = 0 AND a.at = 1 AND r.payload_hash <> a.payload_hash
    UNION ALL
    SELECT 'the payload is not what was hashed', s.type::regtype, value FROM recorded r JOIN sample s USING (id) WHERE canonical_json_hash(payload) <> payload_hash
    UNION ALL
    SELECT 'a sample was not recorded twice', s.type::regtype, value FROM sample s LEFT JOIN recorded r USING (id) GROUP BY s.id HAVING count(r.id) <> 2
    UNION ALL
    SELECT 'two values share a key text', s.type::regtype, count(DISTINCT pk) || ' of ' || samples FROM subject s LEFT JOIN entry ON kind = 'keys_' || n
    GROUP BY n, s.type, samples HAVING count(DISTINCT pk) <> samples
    UNION ALL
    SELECT 'a key text depends on a setting', NULL, substr(k.kind, 6) || ': ' || k.pk
    FROM (SELECT substr(kind, 6), pk FROM entry WHERE kind ~ '^keys' EXCEPT SELECT substr(kind, 7), pk FROM entry WHERE kind ~ '^again') k (kind, pk);
END $$;

-- What verification finds, of tables that are called so.
CREATE FUNCTION found(like_this text) RETURNS TABLE (name text, type text, lost boolean, edited bigint, deleted bigint, unrecorded bigint, unverifiable bigint) LANGUAGE plpgsql AS $$
DECLARE r regclass;
BEGIN
    FOR r IN SELECT c.oid FROM pg_class c JOIN pg_trigger t ON tgrelid = c.oid AND tgname = 'auditspine_audit' WHERE relname ~ like_this ORDER BY 1 LOOP
        RETURN QUERY SELECT r::text, (SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = r AND attname = 'v'),
                            (SELECT s.lost FROM subject s WHERE r::text ~ ('_' || n || '$')), v.edited, v.deleted, v.unrecorded, v.unverifiable
                     FROM verify_table(r) v WHERE NOT v.ok OR v.unverifiable > 0;
    END LOOP;
END $$;

-- Puts the value of another row in the place of each, behind the back of the audit; answers in how many rows.
CREATE FUNCTION tamper(n integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE changed bigint;
BEGIN
    EXECUTE format('ALTER TABLE rows_%s DISABLE TRIGGER auditspine_audit', n);
    EXECUTE format('UPDATE rows_%s r SET v = other.v FROM (SELECT id, lead(id, 1, (SELECT min(id) FROM rows_%1$s)) OVER (ORDER BY id) AS next FROM rows_%1$s WHERE id < 1000000) o
                    JOIN rows_%1$s other ON other.id = next WHERE r.id %% 1000000 = o.id', n);
    GET DIAGNOSTICS changed = ROW_COUNT;
    EXECUTE format('ALTER TABLE rows_%s ENABLE ALWAYS TRIGGER auditspine_audit', n);
    RETURN changed;
END $$;

