-- Spines of six segments, of the envelopes in table envelope.
SET client_min_messages = warning;
\o /dev/null
SELECT create_proof_spine_schema('bench_spines');
SELECT trust_key(:'pem');
SELECT create_spine('pkg:bench/' || number / 6, 'CVE-2026-' || number / 6, 'strict', 'not_affected', 'run', jsonb_agg(jsonb_build_object(
    'segment_type', ('{SbomSlice,Match,Reachability,GuardAnalysis,RuntimeObservation,PolicyEval}'::text[])[number % 6 + 1],
    'input_hash', encode(sha256(convert_to(number::text, 'UTF8')), 'hex'),
    'result_hash', encode(sha256(decode(doc ->> 'payload', 'base64')), 'hex'),
    'envelope_json', doc, 'tool_id', 'scan', 'tool_version', '1') ORDER BY number), schema => 'bench_spines')
FROM envelope GROUP BY number / 6;
\o
VACUUM (ANALYZE) bench_spines.proof_spines, bench_spines.proof_segments;
VACUUM (ANALYZE) auditspine.audit_chain;
CHECKPOINT;
