-- One call for each decision, with the signatures that the signer gave.
CREATE TABLE signed (number bigint GENERATED ALWAYS AS IDENTITY, sig text);
\copy signed (sig) FROM PSTDIN
SELECT verdict, count(*) AS spines, sum(segments) AS segments FROM (
    SELECT d.verdict, count(*) AS segments,
           create_spine('oci://registry.example/shop/api@3.2.0', advisory, 'strict', d.verdict, 'run 1', jsonb_agg(jsonb_build_object(
               'segment_type', segment_type, 'tool_id', tool, 'tool_version', '1',
               'input_hash', encode(sha256(convert_to(component::text || idx, 'UTF8')), 'hex'), 'result_hash', encode(sha256(payload), 'hex'),
               'envelope_json', jsonb_build_object('payloadType', 'application/json', 'payload', translate(encode(payload, 'base64'), E'\n', ''),
                   'signatures', jsonb_build_array(jsonb_build_object('keyid', (SELECT fingerprint FROM key k WHERE k.name = e.key), 'sig', sig)))) ORDER BY idx)) AS spine
    FROM decision d JOIN (SELECT *, row_number() OVER (ORDER BY hit, idx) AS number FROM evidence) e USING (hit) JOIN signed USING (number)
    GROUP BY hit, advisory, d.verdict) AS built
GROUP BY verdict ORDER BY verdict;
