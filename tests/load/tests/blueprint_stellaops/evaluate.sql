-- What a policy makes of the consensus, exceptions applied; and its findings, in parts.
CREATE FUNCTION evaluate(policy uuid) RETURNS uuid LANGUAGE sql AS $$
    WITH input AS (
        SELECT coalesce(jsonb_agg(jsonb_build_array(component_purl, vulnerability_id, resolved_status, e.exception_id) ORDER BY component_purl, vulnerability_id), '[]') AS inputs
        FROM vex.consensus AS c LEFT JOIN policy.exceptions_in_force AS e USING (component_purl, vulnerability_id)
    ), output AS (
        SELECT jsonb_agg(jsonb_build_object('component', i -> 0, 'vulnerability', i -> 1, 'status', i -> 2, 'exception', x,
            'action', CASE WHEN jsonb_typeof(x) <> 'null' THEN 'pass' ELSE coalesce(p.compiled_ir ->> (i ->> 2), 'pass') END) ORDER BY n) AS outputs
        FROM input CROSS JOIN jsonb_array_elements(inputs) WITH ORDINALITY AS e (i, n)
        CROSS JOIN policy.policies AS p
        CROSS JOIN LATERAL (SELECT CASE WHEN p.name = 'Strict' THEN i -> 3 ELSE 'null' END AS x) AS y WHERE p.policy_id = policy)
    INSERT INTO policy.policy_runs (policy_id, tenant_id, inputs, outputs, completed_at)
    SELECT policy, p.tenant_id, inputs, outputs, now() FROM input, output, policy.policies AS p WHERE p.policy_id = policy RETURNING run_id
$$;
CREATE FUNCTION publish(policy uuid, run uuid, part integer, parts integer) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE written bigint; BEGIN
    EXECUTE format('INSERT INTO %s AS f (component_purl, vulnerability_id, status, severity, action, exception_id, run_id)
        SELECT o ->> ''component'', o ->> ''vulnerability'', o ->> ''status'', ''unknown'', o ->> ''action'', (o ->> ''exception'')::uuid, run_id
        FROM policy.policy_runs CROSS JOIN jsonb_array_elements(outputs) WITH ORDINALITY AS e (o, n) WHERE run_id = $1 AND n %% $3 = $2
        ON CONFLICT (component_purl, vulnerability_id) DO UPDATE SET status = excluded.status, action = excluded.action,
            exception_id = excluded.exception_id, run_id = excluded.run_id
        WHERE (f.status, f.action, f.exception_id) IS DISTINCT FROM (excluded.status, excluded.action, excluded.exception_id)',
        format('policy.%I', 'effective_finding_' || policy)) USING run, part, parts;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;
