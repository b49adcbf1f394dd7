-- Decisions on exceptions: who may decide, on which terms, and what comes of it.

CREATE FUNCTION @policy@.client_of(tenant_id uuid, who text) RETURNS uuid
    LANGUAGE plpgsql STABLE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    -- Two conditions, since the name of a table means nothing to those who may not use its schema.
    IF NOT has_schema_privilege('@authority@', 'USAGE') THEN
        RETURN NULL;
    ELSIF NOT has_table_privilege('@authority@.clients', 'SELECT') THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT CASE WHEN count(*) = 1 THEN (array_agg(c.client_id))[1] END
            FROM @authority@.clients AS c
            WHERE c.tenant_id = client_of.tenant_id
              AND (c.client_id = CASE WHEN who ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN who::uuid END OR c.name = who));
END $$;
COMMENT ON FUNCTION @policy@.client_of(uuid, text) IS
    'the client of a tenant that goes by this client_id or name; null if none does, or several do, or the caller may not read clients';

CREATE FUNCTION @policy@.approval_decided() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    e      @policy@.exceptions;
    terms  text;
    scopes text[];
    client uuid;
BEGIN
    NEW.decision_no := NULL;
    NEW.approver_client_id := NULL;
    -- On no exception, it decides nothing.
    IF NEW.exception_id IS NULL THEN
        RETURN NEW;
    END IF;
    -- Counted, not only locked: so a transaction with an older snapshot cannot let the exception take effect on
    -- decisions that it does not see.
    UPDATE @policy@.exceptions AS x SET decisions = x.decisions + 1
    WHERE x.exception_id = NEW.exception_id AND x.exception_state IN ('proposed', 'effective')
    RETURNING x.* INTO e;
    IF NOT FOUND THEN
        SELECT * INTO e FROM @policy@.exceptions AS x WHERE x.exception_id = NEW.exception_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no exception %', NEW.exception_id
                USING ERRCODE = 'foreign_key_violation', HINT = 'insert it into @policy@.exceptions first';
        END IF;
        RAISE EXCEPTION 'exception % is %', e.exception_id, CASE e.exception_state WHEN 'expired' THEN 'expired' ELSE e.exception_state || ', for good' END
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = CASE e.exception_state WHEN 'expired' THEN 'with a later expires_at it is proposed anew' ELSE 'request a new exception' END;
    END IF;
    client := @policy@.client_of(e.tenant_id, NEW.approver_id);
    IF NEW.approver_id = e.created_by OR client = @policy@.client_of(e.tenant_id, e.created_by) THEN
        RAISE EXCEPTION '% has requested exception %, and cannot decide on it', NEW.approver_id, e.exception_id
            USING ERRCODE = 'check_violation', HINT = 'somebody else has to decide';
    END IF;
    IF NEW.decision = 'revoke' THEN
        -- Whoever has lost the scope can still take back what they decided.
        IF client IS NULL OR NOT EXISTS (SELECT FROM @policy@.exception_approval_audit AS a
                                         WHERE a.exception_id = NEW.exception_id AND a.approver_client_id = client) THEN
            RAISE EXCEPTION '% has not decided on exception %, so there is nothing to revoke', NEW.approver_id, e.exception_id
                USING ERRCODE = 'check_violation', HINT = 'reject it instead';
        END IF;
    ELSE
        IF client IS NOT NULL THEN
            SELECT c.scopes INTO scopes FROM @authority@.clients AS c WHERE c.client_id = client AND c.enabled;
        END IF;
        IF NEW.capacity IS NULL THEN
            NEW.capacity := (SELECT w.capacity FROM unnest('{security,owner,executive,approver}'::text[]) WITH ORDINALITY AS w (capacity, place)
                             WHERE scopes @> ARRAY['exception:' || w.capacity] ORDER BY w.place LIMIT 1);
        END IF;
        IF NOT coalesce(scopes @> ARRAY['exception:' || NEW.capacity], false) THEN
            -- Whoever asks for no standing may say what they like: it is on record, and does not count.
            client := NULL;
            IF NEW.capacity IS NOT NULL OR NEW.decision <> 'approve' THEN
                RAISE EXCEPTION '% cannot decide on exceptions%', NEW.approver_id, coalesce(' as ' || NEW.capacity, '')
                    USING ERRCODE = 'insufficient_privilege',
                          HINT = format('it takes a client of the tenant that is enabled and has scope exception:%s', coalesce(NEW.capacity, 'approver, or the like'));
            END IF;
        END IF;
    END IF;
    terms := @policy@.terms_hash(e);
    IF NEW.terms_hash <> terms THEN
        RAISE EXCEPTION 'the decision is on other terms of exception % (%) than it has now (%)', e.exception_id, NEW.terms_hash, terms
            USING ERRCODE = 'check_violation', HINT = 'look at the exception again: it has changed';
    END IF;
    NEW.terms_hash := terms;
    NEW.approval_level := coalesce(NEW.approval_level, e.approval_level);
    NEW.approver_client_id := client;
    NEW.decision_no := e.decisions;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION @policy@.approval_decided() IS
    'trigger: who may decide on an exception, and on which terms; decisions on one exception come one after the other';
CREATE TRIGGER approval_decided BEFORE INSERT ON @policy@.exception_approval_audit
    FOR EACH ROW EXECUTE FUNCTION @policy@.approval_decided();

CREATE FUNCTION @policy@.approval_counted() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE @policy@.exceptions AS x SET exception_state = CASE x.exception_state WHEN 'effective' THEN 'proposed' ELSE 'effective' END
    WHERE x.exception_id = NEW.exception_id
      AND CASE x.exception_state WHEN 'effective' THEN cardinality(@policy@.missing_approvals(x)) > 0
                       WHEN 'proposed' THEN coalesce(x.expires_at > now(), true) AND cardinality(@policy@.missing_approvals(x)) = 0 END;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION @policy@.approval_counted() IS
    'trigger: an exception takes effect with the last approval that it needs, and is proposed again when they do not suffice any more';
CREATE TRIGGER approval_counted AFTER INSERT ON @policy@.exception_approval_audit
    FOR EACH ROW EXECUTE FUNCTION @policy@.approval_counted();
