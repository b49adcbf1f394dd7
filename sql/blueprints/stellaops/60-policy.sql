-- Policies, what they found each time, and the findings that count now.

CREATE TABLE @policy@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @policy@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @policy@.policies (
    policy_id  text COLLATE "C" PRIMARY KEY
               CONSTRAINT policies_policy_id_check CHECK (policy_id ~ '^[a-z][a-z0-9_]{0,31}$' AND policy_id NOT LIKE '%\_history'),
    name       text NOT NULL CONSTRAINT policies_name_check CHECK (name <> ''),
    state      text NOT NULL DEFAULT 'DRAFT'
               CONSTRAINT policies_state_check CHECK (state IN ('DRAFT', 'SHADOW', 'ACTIVE', 'ENFORCING')),
    ir         jsonb NOT NULL,
    ir_hash    text NOT NULL CONSTRAINT policies_ir_hash_check CHECK (ir_hash ~ '^sha256:[0-9a-f]{64}$'),
    owner_id   text COLLATE "C" NOT NULL REFERENCES @authority@.clients,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX policies_owner_idx ON @policy@.policies (owner_id);
COMMENT ON TABLE @policy@.policies IS 'policies, compiled';
COMMENT ON COLUMN @policy@.policies.policy_id IS 'lower-case letters, digits and underscores, at most 32, not ending in _history: part of the names of its tables of findings';
COMMENT ON COLUMN @policy@.policies.state IS 'DRAFT (may be changed), SHADOW (runs, nobody acts on it), ACTIVE (people do), ENFORCING (gates do); forward one step at a time, back any number';
COMMENT ON COLUMN @policy@.policies.ir IS 'what the policy was compiled to (intermediate representation); fixed outside of DRAFT';
COMMENT ON COLUMN @policy@.policies.ir_hash IS 'digest of ir''s canonical JSON, sha256: and 64 hex; null: filled';

CREATE FUNCTION @policy@.policy_content() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    states constant text[] := '{DRAFT,SHADOW,ACTIVE,ENFORCING}';
BEGIN
    NEW.ir_hash := @authority@.expect_digest(NEW.ir_hash, NEW.ir, '@policy@.policies.ir_hash');
    -- Of a new policy there is no old state.
    IF array_position(states, NEW.state) > coalesce(array_position(states, OLD.state), 0) + 1 THEN
        RAISE EXCEPTION 'policy % cannot go from % to %', NEW.policy_id, coalesce(OLD.state, 'nothing'), NEW.state
            USING ERRCODE = 'check_violation', HINT = 'a policy goes from DRAFT to SHADOW, ACTIVE and ENFORCING, one step at a time';
    END IF;
    IF NEW.ir_hash <> OLD.ir_hash AND OLD.state <> 'DRAFT' THEN
        RAISE EXCEPTION 'policy % is %, so its content is fixed', NEW.policy_id, OLD.state
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'set it back to DRAFT, then change it';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @policy@.policy_content() IS 'trigger: ir_hash is that of ir, states come in order, and only a draft is changed';
CREATE TRIGGER policy_content BEFORE INSERT OR UPDATE ON @policy@.policies
    FOR EACH ROW EXECUTE FUNCTION @policy@.policy_content();

CREATE TABLE @policy@.policy_runs (
    run_id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    policy_id        text COLLATE "C" NOT NULL REFERENCES @policy@.policies,
    policy_state     text NOT NULL
                     CONSTRAINT policy_runs_policy_state_check CHECK (policy_state IN ('DRAFT', 'SHADOW', 'ACTIVE', 'ENFORCING')),
    ir_hash          text NOT NULL CONSTRAINT policy_runs_ir_hash_check CHECK (ir_hash ~ '^sha256:[0-9a-f]{64}$'),
    inputs           jsonb NOT NULL,
    inputs_hash      text GENERATED ALWAYS AS (@authority@.digest(inputs)) STORED,
    outputs          jsonb NOT NULL,
    determinism_hash text NOT NULL CONSTRAINT policy_runs_determinism_hash_check CHECK (determinism_hash ~ '^sha256:[0-9a-f]{64}$'),
    started_at       timestamptz NOT NULL DEFAULT now(),
    finished_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT policy_runs_finished_check CHECK (finished_at >= started_at)
);
CREATE INDEX policy_runs_policy_idx ON @policy@.policy_runs (policy_id, started_at);
COMMENT ON TABLE @policy@.policy_runs IS 'runs of policies, each written when it is done; append-only';
COMMENT ON COLUMN @policy@.policy_runs.policy_state IS 'the policy''s state at the time: DRAFT, SHADOW, ACTIVE or ENFORCING; null: filled';
COMMENT ON COLUMN @policy@.policy_runs.ir_hash IS 'what ran: the policy''s ir_hash at the time; null: filled';
COMMENT ON COLUMN @policy@.policy_runs.inputs_hash IS 'digest of the inputs, sha256: and 64 hex';
COMMENT ON COLUMN @policy@.policy_runs.determinism_hash IS 'run_digest(policy_id, ir_hash, inputs, outputs), sha256: and 64 hex; null: filled. Runs of equal ir_hash and inputs_hash must have equal ones';

CREATE FUNCTION @policy@.run_digest(policy_id text, ir_hash text, inputs jsonb, outputs jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT @authority@.digest(jsonb_build_array(policy_id, ir_hash, inputs, outputs)) $$;
COMMENT ON FUNCTION @policy@.run_digest(text, text, jsonb, jsonb) IS 'digest of what ran, on what, and what came out';

CREATE FUNCTION @policy@.run_content() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    ran @policy@.policies;
BEGIN
    -- Shared: no other content, and no other state, while the run is being written.
    SELECT * INTO ran FROM @policy@.policies AS p WHERE p.policy_id = NEW.policy_id FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no policy "%"', NEW.policy_id
            USING ERRCODE = 'foreign_key_violation', HINT = 'insert it into @policy@.policies first';
    END IF;
    NEW.ir_hash := coalesce(NEW.ir_hash, ran.ir_hash);
    NEW.policy_state := coalesce(NEW.policy_state, ran.state);
    IF (NEW.ir_hash, NEW.policy_state) <> (ran.ir_hash, ran.state) THEN
        RAISE EXCEPTION 'the run is of policy % as % (%), which is % (%) now', NEW.policy_id, NEW.policy_state, NEW.ir_hash, ran.state, ran.ir_hash
            USING ERRCODE = 'check_violation', HINT = 'the policy has changed since: run it anew';
    END IF;
    NEW.determinism_hash := @authority@.expect_digest(NEW.determinism_hash,
        jsonb_build_array(NEW.policy_id, NEW.ir_hash, NEW.inputs, NEW.outputs), '@policy@.policy_runs.determinism_hash');
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @policy@.run_content() IS 'trigger: a run is of its policy as it is, and its determinism_hash is that of what ran and came out';
CREATE TRIGGER run_content BEFORE INSERT ON @policy@.policy_runs
    FOR EACH ROW EXECUTE FUNCTION @policy@.run_content();

CREATE VIEW @policy@.undetermined_runs AS
    SELECT r.policy_id, r.ir_hash, r.inputs_hash, count(*) AS runs, count(DISTINCT r.determinism_hash) AS outcomes,
           array_agg(r.run_id ORDER BY r.started_at, r.run_id) AS run_ids
    FROM @policy@.policy_runs AS r
    GROUP BY r.policy_id, r.ir_hash, r.inputs_hash HAVING count(DISTINCT r.determinism_hash) > 1;
COMMENT ON VIEW @policy@.undetermined_runs IS 'runs of the same policy on the same inputs that came out differently';

SELECT @verbs@.audit_attach('@policy@.schema_migrations', kind => '@policy@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@policy@.policies', kind => '@policy@.policies', payload => 'full');
SELECT @verbs@.audit_attach('@policy@.policy_runs', kind => '@policy@.policy_runs', append_only => true);
