-- The object store: where files lie, what they are, and the envelope that tells of a bill of materials.

CREATE FUNCTION @scanner@.digest_hex(digest text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hex text := regexp_replace(digest, '^sha256:', '');
BEGIN
    IF hex !~ '^[0-9a-f]{64}$' THEN
        RAISE EXCEPTION 'digest "%" is no SHA-256', left(digest, 100)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'pass 64 hexadecimal digits in lower case, with or without sha256: before them';
    END IF;
    RETURN hex;
END $$;
COMMENT ON FUNCTION @scanner@.digest_hex(text) IS 'the 64 hexadecimal digits of a SHA-256, given with sha256: before them or without';

CREATE FUNCTION @scanner@.object_path(folder text, file text, subfolders text[]) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    -- Control characters, and those that are invisible or change the direction of writing: they disguise a name.
    unseen constant text := '[\u0001-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]';
    parts  constant text[] := CASE WHEN file = '' THEN '{""}' ELSE string_to_array(file, '/') END;
BEGIN
    IF file ~ '\\' OR file ~ unseen COLLATE "C" OR octet_length(file) > 255
       OR EXISTS (SELECT FROM unnest(parts) AS part WHERE part IN ('', '.') OR strpos(part, '..') > 0)
       OR cardinality(parts) > 1 AND parts[1] <> ALL (subfolders) THEN
        RAISE EXCEPTION 'file name "%" cannot be part of a path', regexp_replace(left(file, 100), unseen, '?', 'g')
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'pass 1 to 255 bytes without backslash, two dots in a row, control and invisible characters'
                      || CASE WHEN cardinality(subfolders) > 0 THEN '; a slash only below ' || array_to_string(subfolders, ', ') ELSE ', and without slash' END;
    END IF;
    RETURN folder || '/' || file;
END $$;
COMMENT ON FUNCTION @scanner@.object_path(text, text, text[]) IS
    'folder/file; refuses a file that could leave its folder or disguise itself, and one in a folder that is none of the subfolders';

CREATE FUNCTION @scanner@.blob_path(digest text, file text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    hex constant text := @scanner@.digest_hex(digest);
BEGIN
    RETURN @scanner@.object_path('blobs/' || left(hex, 4) || '/' || hex, file, '{}');
END $$;
COMMENT ON FUNCTION @scanner@.blob_path(text, text) IS
    'blobs/first four digits/digest/file: where a file of an artifact lies, such as sbom.json, sbom.meta.json, attestation.dsse';

CREATE FUNCTION @scanner@.image_path(image_digest text, file text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT @scanner@.object_path('images/' || @scanner@.digest_hex(image_digest), file, '{}') $$;
COMMENT ON FUNCTION @scanner@.image_path(text, text) IS
    'images/digest/file: where a file of an image lies, such as inventory.cdx.json, usage.cdx.pb, call-graph.json';

CREATE FUNCTION @scanner@.expect_object_id(id text, what text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF id !~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$' OR strpos(id, '..') > 0 THEN
        RAISE EXCEPTION '% "%" cannot be part of a path', what, left(id, 100)
            USING ERRCODE = 'invalid_parameter_value', HINT = 'pass 1 to 128 letters, digits, dots, dashes, underscores and colons, a letter or digit first, and no two dots in a row';
    END IF;
    RETURN id;
END $$;
COMMENT ON FUNCTION @scanner@.expect_object_id(text, text) IS 'the id of a bundle or kit, if it can be part of a path; else an error (22023)';

CREATE FUNCTION @scanner@.evidence_path(bundle_id text, file text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT @scanner@.object_path('evidence/' || @scanner@.expect_object_id(bundle_id, 'bundle id'), file, '{sboms,attestations,proofs}') $$;
COMMENT ON FUNCTION @scanner@.evidence_path(text, text) IS
    'evidence/bundle/file: where a piece of evidence lies, such as manifest.json, manifest.dsse, or a file below sboms/, attestations/, proofs/';

CREATE FUNCTION @scanner@.offline_kit_path(kit_id text, file text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$ SELECT @scanner@.object_path('offline-kits/' || @scanner@.expect_object_id(kit_id, 'kit id'), file, '{feeds,images,signatures,trust-roots}') $$;
COMMENT ON FUNCTION @scanner@.offline_kit_path(text, text) IS
    'offline-kits/kit/file: where a file of an offline kit lies, such as manifest.json, or one below feeds/, images/, signatures/, trust-roots/';

CREATE FUNCTION @scanner@.content_type(file text) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE
        WHEN file LIKE '%.cdx.json' THEN 'application/vnd.cyclonedx+json'
        WHEN file LIKE '%.cdx.pb' THEN 'application/vnd.cyclonedx+protobuf'
        WHEN file LIKE '%.spdx.json' THEN 'application/spdx+json'
        WHEN file LIKE '%.json' THEN 'application/json'
        WHEN file LIKE '%.dsse' THEN 'application/vnd.dsse+json'
        WHEN file LIKE '%.bundle' THEN 'application/zip'
    END
$$;
COMMENT ON FUNCTION @scanner@.content_type(text) IS 'content type of a file, or path, by its extension; null if it has none of those that are known';

CREATE FUNCTION @scanner@.sbom_envelope_findings(envelope jsonb) RETURNS SETOF text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    WITH member AS (
        SELECT m.name, m.type, jsonb_typeof(envelope -> m.name) AS has
        FROM (VALUES ('id', 'string'), ('imageDigest', 'string'), ('created', 'string'), ('format', 'string'),
                     ('layers', 'array'), ('partial', 'boolean'), ('provenanceId', 'string')) AS m (name, type)
        WHERE jsonb_typeof(envelope) = 'object'
    )
    SELECT 'it is no object' WHERE jsonb_typeof(envelope) IS DISTINCT FROM 'object'
    UNION ALL
    SELECT CASE WHEN has IS NULL THEN format('member %s is missing', name) ELSE format('member %s is no %s', name, type) END
    FROM member WHERE has IS DISTINCT FROM type AND NOT (name = 'provenanceId' AND coalesce(has, 'null') = 'null')
    UNION ALL
    SELECT format('member %s is not known', name)
    FROM jsonb_object_keys(CASE jsonb_typeof(envelope) WHEN 'object' THEN envelope END) AS name WHERE name NOT IN (SELECT m.name FROM member AS m)
    UNION ALL
    SELECT format('member %s is no digest', name)
    FROM member WHERE name IN ('id', 'imageDigest') AND has = 'string' AND envelope ->> name !~ '^sha256:[0-9a-f]{64}$'
    UNION ALL
    SELECT 'member created is no time in UTC' WHERE jsonb_typeof(envelope -> 'created') = 'string'
        AND envelope ->> 'created' !~ '^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,9})?Z$'
    UNION ALL
    SELECT 'member format is none of cdx-json, spdx-json, cdx-pb' WHERE jsonb_typeof(envelope -> 'format') = 'string'
        AND envelope ->> 'format' NOT IN ('cdx-json', 'spdx-json', 'cdx-pb')
    UNION ALL
    SELECT format('layer %s is no digest', n)
    FROM jsonb_array_elements(CASE jsonb_typeof(envelope -> 'layers') WHEN 'array' THEN envelope -> 'layers' END) WITH ORDINALITY AS l (layer, n)
    WHERE jsonb_typeof(layer) <> 'string' OR layer #>> '{}' !~ '^sha256:[0-9a-f]{64}$'
$$;
COMMENT ON FUNCTION @scanner@.sbom_envelope_findings(jsonb) IS
    'what is wrong with the wrapper envelope of a bill of materials, one row each; none if nothing is';

CREATE FUNCTION @scanner@.check_sbom_envelope(envelope jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    finding text := (SELECT string_agg(f, ', ') FROM @scanner@.sbom_envelope_findings(envelope) AS f);
BEGIN
    IF finding IS NOT NULL THEN
        RAISE EXCEPTION 'wrapper envelope of a bill of materials: %', finding
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'it has id, imageDigest, created, format, layers, partial and, if there is one, provenanceId';
    END IF;
    RETURN envelope;
END $$;
COMMENT ON FUNCTION @scanner@.check_sbom_envelope(jsonb) IS
    'a wrapper envelope as it was given, or an error (22023) that says all that is wrong with it';

CREATE FUNCTION @scanner@.sbom_envelope(artifact_id text, image_digest text, format text, layers text[] DEFAULT '{}',
                                        created timestamptz DEFAULT now(), partial boolean DEFAULT false, provenance_id text DEFAULT NULL)
    RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT @scanner@.check_sbom_envelope(jsonb_build_object(
               'id', artifact_id, 'imageDigest', image_digest,
               'created', to_char(created AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
               'format', format, 'layers', to_jsonb(layers), 'partial', partial)
           || CASE WHEN provenance_id IS NULL THEN '{}' ELSE jsonb_build_object('provenanceId', provenance_id) END)
$$;
COMMENT ON FUNCTION @scanner@.sbom_envelope(text, text, text, text[], timestamptz, boolean, text) IS
    'the wrapper envelope of a bill of materials, which lies beside it as sbom.meta.json';
