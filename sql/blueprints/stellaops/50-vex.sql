-- Who says of a component that a vulnerability matters to it. What to make of it when they disagree: 55-consensus.sql.

CREATE TABLE @vex@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @vex@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

-- Members of an OpenVEX statement.
CREATE FUNCTION @vex@.vulnerability_of(raw_statement jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    -- The CVE if there is one: under that name issuers meet who each have their own.
    SELECT CASE jsonb_typeof(vulnerability)
        WHEN 'object' THEN coalesce(CASE WHEN vulnerability ->> 'name' LIKE 'CVE-%' THEN vulnerability ->> 'name' END,
            (SELECT min(alias COLLATE "C") FROM jsonb_array_elements_text(CASE jsonb_typeof(vulnerability -> 'aliases') WHEN 'array' THEN vulnerability -> 'aliases' END) AS alias
             WHERE alias LIKE 'CVE-%'), vulnerability ->> 'name', vulnerability ->> '@id')
        WHEN 'string' THEN vulnerability #>> '{}' END
    FROM (SELECT raw_statement -> 'vulnerability' AS vulnerability) AS v
$$;
COMMENT ON FUNCTION @vex@.vulnerability_of(jsonb) IS
    'the vulnerability that an OpenVEX statement is about: the CVE among name and aliases, else the name, else the @id';

CREATE FUNCTION @vex@.products_of(raw_statement jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT array_agg(DISTINCT p.id COLLATE "C" ORDER BY p.id COLLATE "C")
    FROM jsonb_array_elements(CASE jsonb_typeof(raw_statement -> 'products') WHEN 'array' THEN raw_statement -> 'products' END) AS product
    CROSS JOIN LATERAL (SELECT CASE jsonb_typeof(product) WHEN 'object' THEN coalesce(product #>> '{identifiers,purl}', product ->> '@id')
                                                          WHEN 'string' THEN product #>> '{}' END AS id) AS own
    -- A product without a package URL, such as one that a tool could not name, is known by its parts.
    CROSS JOIN LATERAL (
        SELECT own.id WHERE own.id LIKE 'pkg:%' OR jsonb_typeof(product -> 'subcomponents') IS DISTINCT FROM 'array' OR product -> 'subcomponents' = '[]'
        UNION ALL
        SELECT coalesce(part #>> '{identifiers,purl}', part ->> '@id')
        FROM jsonb_array_elements(CASE jsonb_typeof(product -> 'subcomponents') WHEN 'array' THEN product -> 'subcomponents' END) AS part
        WHERE (own.id LIKE 'pkg:%') IS NOT TRUE) AS p (id)
$$;
COMMENT ON FUNCTION @vex@.products_of(jsonb) IS 'the products that an OpenVEX statement is about, each once, in order: the package URL, or those of its subcomponents, or else the @id';

CREATE TABLE @vex@.vex_raw (
    raw_id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    issuer_id          varchar(255) COLLATE "C",
    component_purl     text COLLATE "C",
    vulnerability_id   varchar(100) COLLATE "C",
    status             varchar(50) COLLATE "C"
                       CONSTRAINT vex_raw_status_check CHECK (status IN ('not_affected', 'affected', 'fixed', 'under_investigation')),
    justification      varchar(100),
    raw_statement      jsonb NOT NULL,
    published_at       timestamptz,
    signature          jsonb,
    created_at         timestamptz DEFAULT now(),
    statement_id       text COLLATE "C",
    statement_revision integer,
    product_no         integer,
    content_hash       text CONSTRAINT vex_raw_content_hash_check CHECK (content_hash ~ '^sha256:[0-9a-f]{64}$'),
    withdrawn          boolean GENERATED ALWAYS AS (raw_statement ->> 'withdrawn' IS NOT NULL) STORED,
    CONSTRAINT vex_raw_statement_key UNIQUE (issuer_id, statement_id, statement_revision, product_no)
);
CREATE INDEX vex_raw_vulnerability_idx ON @vex@.vex_raw (vulnerability_id, component_purl);
COMMENT ON TABLE @vex@.vex_raw IS 'VEX statements, word for word, one row for each component that they are about; evidence, so append-only: a correction is a new revision';
COMMENT ON COLUMN @vex@.vex_raw.status IS 'not_affected, affected, fixed or under_investigation. Null when inserted: the statement''s, if that is OpenVEX; as are component, vulnerability and justification';
COMMENT ON COLUMN @vex@.vex_raw.signature IS 'DSSE envelope, if it is signed';
COMMENT ON COLUMN @vex@.vex_raw.created_at IS 'when it came here';
COMMENT ON COLUMN @vex@.vex_raw.statement_id IS 'the issuer''s own id. Null when inserted: the @id, or else a digest of component and vulnerability';
COMMENT ON COLUMN @vex@.vex_raw.statement_revision IS '1, 2, 3 … of a statement of an issuer; the largest counts, with all its rows. Null when inserted: the next, or the latest if this is the same statement about one more component';
COMMENT ON COLUMN @vex@.vex_raw.product_no IS '1, 2, 3 … of the components that this revision is about; null when inserted: filled';
COMMENT ON COLUMN @vex@.vex_raw.content_hash IS 'digest of the statement''s canonical JSON, sha256: and 64 hex; null when inserted: filled';
COMMENT ON COLUMN @vex@.vex_raw.withdrawn IS 'whether the statement says that it was withdrawn; then it is not heard any more';

CREATE FUNCTION @vex@.statement_id_of(raw_statement jsonb, vulnerability_id text, components text[]) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(raw_statement ->> '@id',
                    'sha256:' || encode(@verbs@.canonical_json_hash(jsonb_build_array(vulnerability_id, components)), 'hex'))
$$;
COMMENT ON FUNCTION @vex@.statement_id_of(jsonb, text, text[]) IS 'by what a statement is known: its @id, or a digest of what it is about';

CREATE FUNCTION @vex@.statement_revision() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Worked out here: an importer of statements has no business in another module's schema.
    expected constant text := 'sha256:' || encode(@verbs@.canonical_json_hash(NEW.raw_statement), 'hex');
    products constant text[] := @vex@.products_of(NEW.raw_statement);
    told     constant text := CASE jsonb_typeof(NEW.raw_statement -> 'status') WHEN 'string' THEN NEW.raw_statement ->> 'status' END;
    latest   @vex@.vex_raw;
BEGIN
    IF NEW.content_hash <> expected THEN
        RAISE EXCEPTION '@vex@.vex_raw.content_hash % is not that of the content, which is %', NEW.content_hash, expected
            USING ERRCODE = 'check_violation',
                  HINT = 'leave it null to have it filled; if it was given by somebody else, the content is not what they sent';
    END IF;
    NEW.content_hash := expected;
    -- Nobody is to be quoted with what they did not say.
    IF NEW.status <> told THEN
        RAISE EXCEPTION 'status % is not what the statement says, which is %', NEW.status, told
            USING ERRCODE = 'check_violation', HINT = 'leave it null to have it read from the statement';
    END IF;
    NEW.status := coalesce(NEW.status, told);
    NEW.justification := coalesce(NEW.justification, NEW.raw_statement ->> 'justification');
    NEW.vulnerability_id := coalesce(NEW.vulnerability_id, @vex@.vulnerability_of(NEW.raw_statement));
    IF cardinality(products) = 1 THEN
        NEW.component_purl := coalesce(NEW.component_purl, products[1]);
    END IF;
    IF NEW.issuer_id IS NULL OR NEW.component_purl IS NULL THEN
        RETURN NEW;
    END IF;
    NEW.statement_id := coalesce(NEW.statement_id,
        @vex@.statement_id_of(NEW.raw_statement, NEW.vulnerability_id, ARRAY[NEW.component_purl]));
    IF NEW.statement_revision IS NULL THEN
        SELECT r.* INTO latest FROM @vex@.vex_raw AS r
        WHERE r.issuer_id = NEW.issuer_id AND r.statement_id = NEW.statement_id ORDER BY r.statement_revision DESC LIMIT 1;
        NEW.statement_revision := CASE
            WHEN latest.statement_revision IS NULL THEN 1
            WHEN latest.content_hash <> expected OR EXISTS (
                SELECT FROM @vex@.vex_raw AS r WHERE r.issuer_id = NEW.issuer_id AND r.statement_id = NEW.statement_id
                                                 AND r.statement_revision = latest.statement_revision AND r.component_purl = NEW.component_purl) THEN latest.statement_revision + 1
            ELSE latest.statement_revision END;
    END IF;
    NEW.product_no := coalesce(NEW.product_no, 1 + (SELECT max(r.product_no) FROM @vex@.vex_raw AS r
        WHERE r.issuer_id = NEW.issuer_id AND r.statement_id = NEW.statement_id AND r.statement_revision = NEW.statement_revision), 1);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @vex@.statement_revision() IS
    'trigger: what a row leaves out is read from an OpenVEX statement, its hash is that of its content, and it gets the next revision';
CREATE TRIGGER statement_revision BEFORE INSERT ON @vex@.vex_raw
    FOR EACH ROW EXECUTE FUNCTION @vex@.statement_revision();

CREATE FUNCTION @vex@.statement_findings(raw_statement jsonb) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT 'it is no object' WHERE jsonb_typeof(raw_statement) IS DISTINCT FROM 'object'
    UNION ALL
    SELECT finding FROM (VALUES
        (raw_statement ->> '@id' = '', 'its @id is empty'),
        (coalesce(@vex@.vulnerability_of(raw_statement), '') = '', 'it names no vulnerability'),
        (coalesce(cardinality(@vex@.products_of(raw_statement)), 0) = 0
         OR array_position(@vex@.products_of(raw_statement), NULL) IS NOT NULL, 'it names no product, or one without @id'),
        (coalesce(raw_statement ->> 'status' IN ('not_affected', 'affected', 'fixed', 'under_investigation'), false) IS FALSE,
         'its status is none of not_affected, affected, fixed, under_investigation'),
        (raw_statement ->> 'justification' NOT IN
             ('component_not_present', 'vulnerable_code_not_present', 'vulnerable_code_not_in_execute_path',
              'vulnerable_code_cannot_be_controlled_by_adversary', 'inline_mitigations_already_exist'), 'its justification is none of OpenVEX'),
        (raw_statement ->> 'status' = 'not_affected' AND coalesce(raw_statement ->> 'justification', raw_statement ->> 'impact_statement') IS NULL,
         'it does not say why the product is not affected')) AS f (wrong, finding)
    WHERE wrong AND jsonb_typeof(raw_statement) = 'object'
$$;
COMMENT ON FUNCTION @vex@.statement_findings(jsonb) IS 'what keeps a document from being an OpenVEX statement, one row each; none if nothing does';

CREATE FUNCTION @vex@.add_statement(issuer_id text, raw_statement jsonb, statement_id text DEFAULT NULL, published_at timestamptz DEFAULT NULL,
                                    signature jsonb DEFAULT NULL)
    RETURNS TABLE (id text, revision integer, added boolean)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    hash     constant text := 'sha256:' || encode(@verbs@.canonical_json_hash(add_statement.raw_statement), 'hex');
    products constant text[] := @vex@.products_of(add_statement.raw_statement);
    finding  constant text := (SELECT string_agg(f, ', ') FROM @vex@.statement_findings(add_statement.raw_statement) AS f);
    latest   @vex@.vex_raw;
BEGIN
    IF finding IS NOT NULL THEN
        RAISE EXCEPTION 'this is no OpenVEX statement: %', finding
            USING ERRCODE = 'check_violation', HINT = 'a statement in another form goes into @vex@.vex_raw, with component, vulnerability and status beside it';
    ELSIF coalesce(add_statement.issuer_id, '') = '' OR add_statement.statement_id = '' THEN
        RAISE EXCEPTION 'the statement has no issuer, or an empty id'
            USING ERRCODE = 'check_violation', HINT = 'pass who says so as issuer_id; leave statement_id null to have it read from the statement';
    END IF;
    id := coalesce(add_statement.statement_id,
                   @vex@.statement_id_of(add_statement.raw_statement, @vex@.vulnerability_of(add_statement.raw_statement), products));
    LOOP
        SELECT r.* INTO latest FROM @vex@.vex_raw AS r
        WHERE r.issuer_id = add_statement.issuer_id AND r.statement_id = id ORDER BY r.statement_revision DESC LIMIT 1;
        IF latest.content_hash = hash THEN
            RETURN QUERY SELECT latest.statement_id, latest.statement_revision, false;
            RETURN;
        END IF;
        -- Whose row of the first product is in has the revision. Of two who come at the same time, one waits here for the
        -- other, and then looks again.
        revision := coalesce(latest.statement_revision, 0) + 1;
        INSERT INTO @vex@.vex_raw AS r (issuer_id, component_purl, raw_statement, published_at, signature, statement_id, statement_revision, product_no, content_hash)
        VALUES (add_statement.issuer_id, products[1], add_statement.raw_statement, add_statement.published_at, add_statement.signature, id,
                add_statement.revision, 1, hash)
        ON CONFLICT ON CONSTRAINT vex_raw_statement_key DO NOTHING;
        IF FOUND THEN
            INSERT INTO @vex@.vex_raw AS r (issuer_id, component_purl, raw_statement, published_at, signature, statement_id, statement_revision, product_no, content_hash)
            SELECT add_statement.issuer_id, p, add_statement.raw_statement, add_statement.published_at, add_statement.signature, id,
                   add_statement.revision, n, hash
            FROM unnest(products) WITH ORDINALITY AS u (p, n) WHERE n > 1 ORDER BY n;
            added := true;
            RETURN NEXT;
            RETURN;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION @vex@.add_statement(text, jsonb, text, timestamptz, jsonb) IS
    'adds an OpenVEX statement, or its next revision, a row for each of its products; none (added is false) if the content is that of the latest revision. The id is the one given, or the statement''s @id, or a digest of what it is about';

CREATE FUNCTION @vex@.add_openvex(document jsonb, issuer_id text DEFAULT NULL, signature jsonb DEFAULT NULL)
    RETURNS TABLE (component_purl text, vulnerability_id text, status text, statement_id text, revision integer, added boolean)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    issuer    constant text := coalesce(add_openvex.issuer_id, document ->> 'author');
    statement jsonb;
    answer    record;
BEGIN
    IF jsonb_typeof(document -> 'statements') IS DISTINCT FROM 'array' THEN
        RAISE EXCEPTION 'this is no OpenVEX document: it has no statements'
            USING ERRCODE = 'check_violation', HINT = 'pass a document with @context, author and statements; a single statement goes to add_statement()';
    END IF;
    FOR statement IN SELECT s FROM jsonb_array_elements(document -> 'statements') WITH ORDINALITY AS e (s, n) ORDER BY n LOOP
        -- A statement without a time is of its document's.
        SELECT a.* INTO answer FROM @vex@.add_statement(issuer, statement, NULL,
            coalesce(statement ->> 'timestamp', document ->> 'last_updated', document ->> 'timestamp')::timestamptz, add_openvex.signature) AS a;
        RETURN QUERY SELECT p, @vex@.vulnerability_of(statement), statement ->> 'status', answer.id, answer.revision, answer.added
                     FROM unnest(@vex@.products_of(statement)) AS p;
    END LOOP;
END $$;
COMMENT ON FUNCTION @vex@.add_openvex(jsonb, text, jsonb) IS
    'adds all statements of an OpenVEX document, and answers what each is about; the issuer is the document''s author unless it is given';
