-- Bills of materials, as scans make them.

CREATE FUNCTION @scanner@.add_sbom(scan_id uuid, sbom text, format text DEFAULT 'cdx-json', layers text[] DEFAULT NULL,
                                   partial boolean DEFAULT false, provenance_id text DEFAULT NULL, view text DEFAULT 'inventory')
    RETURNS TABLE (artifact_id text, added boolean, blob_path text, envelope jsonb)
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    scan    @scanner@.scans;
    content jsonb := sbom::jsonb;
BEGIN
    SELECT s.* INTO scan FROM @scanner@.scans AS s WHERE s.scan_id = add_sbom.scan_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no scan %', add_sbom.scan_id USING ERRCODE = 'foreign_key_violation', HINT = 'insert it into @scanner@.scans first';
    END IF;
    IF (CASE add_sbom.format
            WHEN 'cdx-json' THEN content ->> 'bomFormat' = 'CycloneDX' AND content ->> 'specVersion' ~ '^1\.\d+$'
            WHEN 'spdx-json' THEN content ->> 'spdxVersion' ~ '^SPDX-2\.\d+$' OR content ? '@graph' END) IS NOT TRUE THEN
        RAISE EXCEPTION 'this is no bill of materials in format %', coalesce(add_sbom.format, 'null')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'cdx-json has bomFormat "CycloneDX" and specVersion 1.x, spdx-json has spdxVersion or @graph; one that is not JSON goes into @scanner@.artifacts under its digest';
    END IF;
    -- Of the bytes as they came: that is what the object store has.
    artifact_id := 'sha256:' || encode(sha256(convert_to(sbom, 'UTF8')), 'hex');
    blob_path := @scanner@.blob_path(artifact_id, 'sbom.json');
    envelope := @scanner@.sbom_envelope(artifact_id, scan.image_digest, add_sbom.format,
        coalesce(layers, ARRAY(SELECT l.layer_digest::text FROM @scanner@.image_layers AS l WHERE l.image_digest = scan.image_digest ORDER BY l.idx)),
        now(), partial, provenance_id);
    INSERT INTO @scanner@.artifacts (artifact_id, scan_id, format, size_bytes, envelope)
    VALUES (add_sbom.artifact_id, add_sbom.scan_id, add_sbom.format, octet_length(convert_to(sbom, 'UTF8')), add_sbom.envelope)
    ON CONFLICT (artifact_id) DO NOTHING;
    added := FOUND;
    IF NOT added THEN
        -- What is stored once has the envelope that it came with first.
        envelope := coalesce((SELECT a.envelope FROM @scanner@.artifacts AS a WHERE a.artifact_id = add_sbom.artifact_id), envelope);
    END IF;
    INSERT INTO @scanner@.scan_artifacts (scan_id, artifact_id, view)
    VALUES (add_sbom.scan_id, add_sbom.artifact_id, add_sbom.view) ON CONFLICT DO NOTHING;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION @scanner@.add_sbom(uuid, text, text, text[], boolean, text, text) IS
    'records a bill of materials that a scan has made: artifact, link to the scan, wrapper envelope. added is false if its bytes are there already. The layers are those of the image unless they are given';
