-- Blueprint stellaops: files as tools write them (tests/data/stellaops), loaded by the calls that its page tells:
-- advisories of OSV, twice; OpenVEX documents; bills of materials in CycloneDX and SPDX.
\set SHOW_CONTEXT never
\set VERBOSITY terse
\pset format unaligned
SET client_min_messages = warning;
SELECT install_blueprint('stellaops');
RESET client_min_messages;

-- Advisories, one a line. No character of JSON quotes or delimits.
CREATE TABLE line (document jsonb);
\copy line FROM PROGRAM 'cat "$PG_ABS_SRCDIR/data/stellaops/osv.jsonl"' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
SELECT count(*), count(*) FILTER (WHERE added) AS added FROM line, vuln.add_advisory('OSV', document);
SELECT count(*), count(*) FILTER (WHERE added) AS added FROM line, vuln.add_advisory('OSV', document);
TRUNCATE line;
\copy line FROM PROGRAM 'cat "$PG_ABS_SRCDIR/data/stellaops/osv-later.jsonl"' WITH (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02')
SELECT count(*), count(*) FILTER (WHERE added) AS added FROM line, vuln.add_advisory('OSV', document);
SELECT advisory_id, source, revision, withdrawn, published_at AT TIME ZONE 'UTC' AS published_at, raw_document ->> 'summary' AS summary, raw_document #>> '{affected,0,ranges,0,events,1,fixed}' AS fixed
FROM vuln.advisory_raw ORDER BY advisory_id, revision;
-- What they say of components, by the latest revision.
INSERT INTO vuln.linksets (advisory_id, purl, version_range, advisory_raw_id, canonical_id, aliases)
SELECT a.advisory_id, 'pkg:golang/' || (f #>> '{package,name}'), f -> 'ranges', a.raw_id, a.raw_document #>> '{aliases,0}', ARRAY[a.advisory_id]
FROM vuln.advisory AS a CROSS JOIN jsonb_array_elements(a.raw_document -> 'affected') AS f WHERE NOT a.withdrawn;
INSERT INTO vuln.observations (advisory_id, severity_cvss3, description, "references", advisory_raw_id)
SELECT a.advisory_id, jsonb_path_query_first(a.raw_document, '$.severity[*] ? (@.type == "CVSS_V3")'), a.raw_document ->> 'details', a.raw_document -> 'references', a.raw_id
FROM vuln.advisory AS a WHERE NOT a.withdrawn;
SELECT l.advisory_id, purl, version_range #> '{0,events}' AS events, canonical_id, severity_cvss3 ->> 'score' AS cvss3, "references" #>> '{0,url}' AS reference
FROM vuln.linksets AS l JOIN vuln.observations AS o USING (advisory_raw_id) ORDER BY 1;

-- OpenVEX documents, of the maker and of a tool; the tool's author is nobody, so it is told who it is.
\set vendor `cat "$PG_ABS_SRCDIR/data/stellaops/vendor.openvex.json"`
\set tool `cat "$PG_ABS_SRCDIR/data/stellaops/govulncheck.openvex.json"`
INSERT INTO vex.issuer_trust (issuer_id, trust_score, priority, issuer_type) VALUES ('Example Shop Security', 0.90, 1, 'vendor'), ('govulncheck', 0.70, 1, 'community');
SELECT component_purl, vulnerability_id, status, left(statement_id, 7) AS statement, revision, added FROM vex.add_openvex(:'vendor');
SELECT component_purl, vulnerability_id, status, left(statement_id, 7) AS statement, revision, added FROM vex.add_openvex(:'tool', issuer_id => 'govulncheck');
SELECT count(*), count(*) FILTER (WHERE added) AS added FROM vex.add_openvex(:'vendor');
-- The vendor changes their mind.
SELECT component_purl, vulnerability_id, revision, added
FROM vex.add_openvex(jsonb_set(jsonb_set(:'vendor', '{statements,1,status}', '"fixed"'), '{version}', '2'));
SELECT issuer_id, component_purl, vulnerability_id, statement_revision, status, justification, published_at AT TIME ZONE 'UTC' AS published_at FROM vex.vex_raw ORDER BY issuer_id COLLATE "C", vulnerability_id, component_purl, statement_revision;
SELECT c.component_purl, c.vulnerability_id, c.resolved_status, c.conflict_detected FROM (SELECT DISTINCT component_purl, vulnerability_id FROM vex.vex_raw) AS p,
    LATERAL vex.recompute_consensus(p.component_purl, p.vulnerability_id) AS c ORDER BY 2, 1;

-- Bills of materials of a scan: recorded by the digest of their bytes, the layers are the image's.
\set cdx `cat "$PG_ABS_SRCDIR/data/stellaops/shop.cdx.json"`
\set spdx `cat "$PG_ABS_SRCDIR/data/stellaops/shop.spdx.json"`
INSERT INTO scanner.images (image_digest, repository, tag, architecture, os) VALUES ('sha256:' || repeat('e2b9', 16), 'shop', '1.0', 'amd64', 'linux');
INSERT INTO scanner.layers (layer_digest, media_type, size) SELECT 'sha256:' || repeat(d, 16), 'application/vnd.oci.image.layer.v1.tar+gzip', 1024 FROM unnest('{d38b,af45}'::text[]) AS d;
INSERT INTO scanner.image_layers SELECT 'sha256:' || repeat('e2b9', 16), n - 1, 'sha256:' || repeat(d, 16) FROM unnest('{d38b,af45}'::text[]) WITH ORDINALITY AS u (d, n);
INSERT INTO scanner.scans (scan_id, tenant_id, image_digest) SELECT ('00000000-0000-0000-0000-00000000000' || n)::uuid, '00000000-0000-4000-8000-000000000aaa', 'sha256:' || repeat('e2b9', 16) FROM generate_series(1, 2) AS n;
SELECT artifact_id = 'sha256:' || encode(sha256(convert_to(:'cdx', 'UTF8')), 'hex') AS by_its_bytes, added, blob_path = scanner.blob_path(artifact_id, 'sbom.json') AS path, envelope - 'id' - 'created' AS envelope
FROM scanner.add_sbom('00000000-0000-0000-0000-000000000001', :'cdx', provenance_id => 'prov_0291');
SELECT added, envelope ->> 'provenanceId' AS provenance FROM scanner.add_sbom('00000000-0000-0000-0000-000000000002', :'cdx', provenance_id => 'prov_0292');
SELECT added, envelope ->> 'format' AS format, envelope -> 'partial' AS partial FROM scanner.add_sbom('00000000-0000-0000-0000-000000000002', :'spdx', format => 'spdx-json', layers => '{}', partial => true, view => 'usage');
SELECT right(s.scan_id::text, 1) AS scan, a.format, s.view, right(a.scan_id::text, 1) AS first_by, a.size_bytes = octet_length(CASE a.format WHEN 'cdx-json' THEN :'cdx' ELSE :'spdx' END) AS size,
       (SELECT count(*) FROM scanner.sbom_envelope_findings(a.envelope)) AS findings
FROM scanner.scan_artifacts AS s JOIN scanner.artifacts AS a USING (artifact_id) ORDER BY s.scan_id, a.format;
SELECT scanner.add_sbom('00000000-0000-0000-0000-000000000001', :'spdx');
SELECT scanner.add_sbom('00000000-0000-0000-0000-000000000001', :'cdx', format => 'cdx-pb');
SELECT scanner.add_sbom('00000000-0000-0000-0000-000000000001', 'no JSON');
SELECT scanner.add_sbom('00000000-0000-0000-0000-000000000009', :'cdx');

SELECT count(*) AS not_ok FROM verify_all() WHERE NOT ok;
