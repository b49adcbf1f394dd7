-- Six pieces of evidence for each advisory that concerns a component of the image, and what is to be signed of each.
CREATE TABLE sbom (bom jsonb);
INSERT INTO sbom VALUES (:'sbom');
CREATE FUNCTION version(text) RETURNS integer[] LANGUAGE sql IMMUTABLE AS $$
    SELECT string_to_array(substring($1 FROM '^[0-9]+(?:\.[0-9]+)*'), '.')::integer[] $$;
CREATE TABLE hit AS
SELECT row_number() OVER (ORDER BY doc ->> 'id', c ->> 'name') AS hit, doc ->> 'id' AS advisory, canonical_json_hash(doc) AS advisory_hash, c AS component,
       a #> '{ranges,0,events}' AS events, coalesce(a #> '{ecosystem_specific,imports,0,symbols}', '[]') AS symbols,
       version(c ->> 'version') >= version(jsonb_path_query_first(a, '$.ranges[*].events[*].fixed') #>> '{}') AS is_fixed
FROM vuln.advisory_raw, jsonb_array_elements(doc -> 'affected') a, sbom, jsonb_array_elements(bom -> 'components') c
WHERE a #>> '{package,name}' = c ->> 'name';
CREATE TABLE decision AS
SELECT *, CASE WHEN is_fixed THEN 'fixed' WHEN jsonb_array_length(symbols) > 3 THEN 'not_affected' WHEN is_fixed IS NULL THEN 'under_investigation' ELSE 'affected' END AS verdict
FROM hit;
CREATE TABLE evidence AS
SELECT hit, idx, segment_type, tool, convert_to(canonical_json(content), 'UTF8') AS payload,
       CASE idx WHEN 5 THEN 'p256' ELSE 'ed25519' END AS key
FROM decision, LATERAL (VALUES
    (0, 'SbomSlice', 'sbom', jsonb_build_object('component', component)),
    (1, 'Match', 'matcher', jsonb_build_object('advisory', advisory, 'advisory_sha256', encode(advisory_hash, 'hex'), 'events', events)),
    (2, 'Reachability', 'callgraph', jsonb_build_object('symbols', symbols, 'reached', verdict = 'affected')),
    (3, 'GuardAnalysis', 'callgraph', jsonb_build_object('guards', '[]'::jsonb)),
    (4, 'RuntimeObservation', 'probe', jsonb_build_object('loaded', verdict = 'affected', 'hours', 72)),
    (5, 'PolicyEval', 'policy', jsonb_build_object('profile', 'strict', 'verdict', verdict))
) AS s (idx, segment_type, tool, content);
