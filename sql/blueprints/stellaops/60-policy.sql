-- Policies, and what came out each time that one ran.

CREATE TABLE @policy@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @policy@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

-- As authority.digest(). A role of this module's has no business in another module's schema.
CREATE FUNCTION @policy@.digest(document jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT 'sha256:' OPERATOR(pg_catalog.||) pg_catalog.encode(@verbs@.canonical_json_hash(document), 'hex') $$;
COMMENT ON FUNCTION @policy@.digest(jsonb) IS
    'sha256: and the SHA-256 of a document''s canonical JSON in hex: the same for the same content, however it is written';

CREATE TABLE @policy@.policies (
    policy_id    uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id    uuid NOT NULL,
    name         varchar(255),
    version      integer DEFAULT 1,
    state        varchar(50) DEFAULT 'DRAFT'
                 CONSTRAINT policies_state_check CHECK (state IN ('DRAFT', 'SHADOW', 'ACTIVE', 'ENFORCING')),
    yaml_content text,
    compiled_ir  jsonb,
    ir_hash      varchar(100),
    created_at   timestamptz DEFAULT now(),
    updated_at   timestamptz DEFAULT now()
);
CREATE INDEX policies_tenant_idx ON @policy@.policies (tenant_id, name);
COMMENT ON TABLE @policy@.policies IS 'policies, as written and as compiled';
COMMENT ON COLUMN @policy@.policies.policy_id IS 'part of the names of its tables of findings';
COMMENT ON COLUMN @policy@.policies.state IS 'DRAFT (may be changed), SHADOW (runs, nobody acts on it), ACTIVE (people do) or ENFORCING (gates do)';
COMMENT ON COLUMN @policy@.policies.yaml_content IS 'the policy as written; outside of DRAFT it changes with the version only';
COMMENT ON COLUMN @policy@.policies.compiled_ir IS 'what it was compiled to (intermediate representation); outside of DRAFT it changes with the version only';
COMMENT ON COLUMN @policy@.policies.ir_hash IS 'as its author gave it; null: filled with the digest of compiled_ir''s canonical JSON, sha256: and 64 hex, and kept so';

CREATE FUNCTION @policy@.policy_content() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.state := coalesce(NEW.state, 'DRAFT');
    IF TG_OP = 'UPDATE' THEN
        -- A hash of ours follows what it was made of. One of another formula is its author's business.
        IF NEW.ir_hash = OLD.ir_hash AND NEW.compiled_ir IS DISTINCT FROM OLD.compiled_ir
           AND OLD.ir_hash = @policy@.digest(OLD.compiled_ir) THEN
            NEW.ir_hash := NULL;
        END IF;
    END IF;
    NEW.ir_hash := coalesce(NEW.ir_hash, @policy@.digest(NEW.compiled_ir));
    -- On INSERT all of OLD is null.
    IF OLD.state <> 'DRAFT' AND NOT coalesce(NEW.version > OLD.version, false)
       AND (OLD.yaml_content IS NOT NULL AND NEW.yaml_content IS DISTINCT FROM OLD.yaml_content
            OR OLD.compiled_ir IS NOT NULL AND NEW.compiled_ir IS DISTINCT FROM OLD.compiled_ir
            OR OLD.ir_hash IS NOT NULL AND NEW.ir_hash IS DISTINCT FROM OLD.ir_hash) THEN
        RAISE EXCEPTION 'policy % is %, so its content is fixed', NEW.policy_id, OLD.state
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'give it a higher version, or set it back to DRAFT first';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @policy@.policy_content() IS
    'trigger: ir_hash is there, and what is not a draft changes with its version only';
CREATE TRIGGER policy_content BEFORE INSERT OR UPDATE ON @policy@.policies
    FOR EACH ROW EXECUTE FUNCTION @policy@.policy_content();

CREATE TABLE @policy@.policy_runs (
    run_id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    policy_id        uuid REFERENCES @policy@.policies,
    tenant_id        uuid NOT NULL,
    cursor           jsonb,
    stats            jsonb,
    determinism_hash varchar(100),
    started_at       timestamptz DEFAULT now(),
    completed_at     timestamptz,
    policy_state     text CONSTRAINT policy_runs_policy_state_check CHECK (policy_state IN ('DRAFT', 'SHADOW', 'ACTIVE', 'ENFORCING')),
    policy_ir_hash   text,
    inputs           jsonb,
    inputs_hash      text GENERATED ALWAYS AS (@policy@.digest(inputs)) STORED,
    outputs          jsonb
);
CREATE INDEX policy_runs_policy_idx ON @policy@.policy_runs (policy_id, started_at);
CREATE INDEX policy_runs_tenant_idx ON @policy@.policy_runs (tenant_id, started_at);
COMMENT ON TABLE @policy@.policy_runs IS 'runs of policies; never deleted, and of a completed one what ran and what came out is fixed';
COMMENT ON COLUMN @policy@.policy_runs.cursor IS 'how far it came, for who takes it up again';
COMMENT ON COLUMN @policy@.policy_runs.determinism_hash IS 'as the engine gave it; null: filled with run_digest(policy_id, policy_ir_hash, inputs, outputs) once these are there, and another one is refused then. Runs of equal policy_ir_hash and inputs_hash must have equal ones';
COMMENT ON COLUMN @policy@.policy_runs.completed_at IS 'null while it runs';
COMMENT ON COLUMN @policy@.policy_runs.policy_state IS 'the policy''s state at the time: DRAFT, SHADOW, ACTIVE or ENFORCING; null: filled';
COMMENT ON COLUMN @policy@.policy_runs.policy_ir_hash IS 'what ran: the policy''s ir_hash at the time; null: filled';
COMMENT ON COLUMN @policy@.policy_runs.inputs IS 'what it ran on, if the engine tells';
COMMENT ON COLUMN @policy@.policy_runs.inputs_hash IS 'digest of the inputs, sha256: and 64 hex';
COMMENT ON COLUMN @policy@.policy_runs.outputs IS 'what came out, if the engine tells';

CREATE FUNCTION @policy@.run_digest(policy_id uuid, ir_hash text, inputs jsonb, outputs jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT @policy@.digest(jsonb_build_array(policy_id::text, ir_hash, inputs, outputs)) $$;
COMMENT ON FUNCTION @policy@.run_digest(uuid, text, jsonb, jsonb) IS 'digest of what ran, on what, and what came out';

CREATE FUNCTION @policy@.run_content() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    ran      @policy@.policies;
    expected text;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.completed_at IS NOT NULL
           AND (NEW.completed_at IS NULL
                OR (NEW.run_id, NEW.policy_id, NEW.tenant_id, NEW.started_at, NEW.policy_state, NEW.policy_ir_hash)
                   IS DISTINCT FROM (OLD.run_id, OLD.policy_id, OLD.tenant_id, OLD.started_at, OLD.policy_state, OLD.policy_ir_hash)
                OR OLD.determinism_hash IS NOT NULL AND NEW.determinism_hash IS DISTINCT FROM OLD.determinism_hash
                OR OLD.inputs IS NOT NULL AND NEW.inputs IS DISTINCT FROM OLD.inputs
                OR OLD.outputs IS NOT NULL AND NEW.outputs IS DISTINCT FROM OLD.outputs) THEN
            RAISE EXCEPTION 'run % is completed, so what ran and what came out is fixed', OLD.run_id
                USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'run the policy anew';
        END IF;
    ELSE
        -- One that is not there is left to the foreign key.
        SELECT * INTO ran FROM @policy@.policies AS p WHERE p.policy_id = NEW.policy_id;
        NEW.policy_ir_hash := coalesce(NEW.policy_ir_hash, ran.ir_hash);
        NEW.policy_state := coalesce(NEW.policy_state, ran.state);
        IF (NEW.policy_ir_hash, NEW.policy_state) <> (ran.ir_hash, ran.state) THEN
            RAISE EXCEPTION 'the run is of policy % as % (%), which is % (%) now', NEW.policy_id, NEW.policy_state, NEW.policy_ir_hash, ran.state, ran.ir_hash
                USING ERRCODE = 'check_violation', HINT = 'the policy has changed since: run it anew';
        END IF;
    END IF;
    expected := @policy@.run_digest(NEW.policy_id, NEW.policy_ir_hash, NEW.inputs, NEW.outputs);
    IF NEW.determinism_hash <> expected THEN
        RAISE EXCEPTION '@policy@.policy_runs.determinism_hash % is not that of the content, which is %', NEW.determinism_hash, expected
            USING ERRCODE = 'check_violation',
                  HINT = 'leave it null to have it filled; without inputs and outputs any hash of yours is taken as it is';
    END IF;
    NEW.determinism_hash := coalesce(NEW.determinism_hash, expected);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @policy@.run_content() IS
    'trigger: a run is of its policy as it is, its determinism_hash is that of inputs and outputs where these are told, and it is fixed once completed';
CREATE TRIGGER run_content BEFORE INSERT OR UPDATE ON @policy@.policy_runs
    FOR EACH ROW EXECUTE FUNCTION @policy@.run_content();

CREATE FUNCTION @policy@.refuse_removal() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: its rows stay', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege', HINT = 'what has happened is a record; what is not to count any more is said by a new row';
END $$;
COMMENT ON FUNCTION @policy@.refuse_removal() IS 'trigger: rows are not deleted';
CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON @policy@.policy_runs
    FOR EACH STATEMENT EXECUTE FUNCTION @policy@.refuse_removal();

CREATE VIEW @policy@.undetermined_runs AS
    SELECT r.policy_id, r.policy_ir_hash, r.inputs_hash, count(*) AS runs, count(DISTINCT r.determinism_hash) AS outcomes,
           array_agg(r.run_id ORDER BY r.started_at, r.run_id) AS run_ids
    FROM @policy@.policy_runs AS r
    WHERE r.inputs_hash IS NOT NULL AND r.determinism_hash IS NOT NULL
    GROUP BY r.policy_id, r.policy_ir_hash, r.inputs_hash HAVING count(DISTINCT r.determinism_hash) > 1;
COMMENT ON VIEW @policy@.undetermined_runs IS 'runs of the same policy on the same inputs that came out differently';

SELECT @verbs@.audit_attach('@policy@.schema_migrations', kind => '@policy@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@policy@.policies', kind => '@policy@.policies', payload => 'full', skip_unchanged => true);
-- With payload: whether a run was completed is read from the chain.
SELECT @verbs@.audit_attach('@policy@.policy_runs', kind => '@policy@.policy_runs', payload => 'full', skip_unchanged => true);
