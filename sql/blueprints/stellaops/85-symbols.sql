-- Debug information of binaries, and the symbols in it: what tells whether a function is there and called.

CREATE TABLE @symbols@.schema_migrations (LIKE @authority@.schema_migrations INCLUDING ALL);
COMMENT ON TABLE @symbols@.schema_migrations IS 'migrations of this schema, each as it was applied; append-only';

CREATE TABLE @symbols@.debug_info (
    debug_id     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    debug_digest text COLLATE "C" CONSTRAINT debug_info_debug_digest_key UNIQUE
                 CONSTRAINT debug_info_debug_digest_check CHECK (debug_digest ~ '^sha256:[0-9a-f]{64}$'),
    build_id     text CONSTRAINT debug_info_build_id_check CHECK (build_id ~ '^[0-9a-f]{8,64}$'),
    format       text CONSTRAINT debug_info_format_check CHECK (format IN ('dwarf', 'pdb', 'dsym', 'breakpad', 'wasm')),
    image_digest varchar(100) COLLATE "C" REFERENCES @scanner@.images,
    file         text NOT NULL DEFAULT 'debug.bin',
    blob_path    text GENERATED ALWAYS AS (@scanner@.blob_path(debug_digest, file)) STORED,
    size_bytes   bigint CONSTRAINT debug_info_size_bytes_check CHECK (size_bytes >= 0),
    created_at   timestamptz DEFAULT now()
);
CREATE INDEX debug_info_build_idx ON @symbols@.debug_info (build_id);
COMMENT ON TABLE @symbols@.debug_info IS 'files of debug information';
COMMENT ON COLUMN @symbols@.debug_info.debug_digest IS 'digest of the file: sha256: and 64 hex';
COMMENT ON COLUMN @symbols@.debug_info.build_id IS 'id that the linker gave the binary, in hex';
COMMENT ON COLUMN @symbols@.debug_info.format IS 'dwarf, pdb, dsym, breakpad or wasm';
COMMENT ON COLUMN @symbols@.debug_info.image_digest IS 'image that the binary came in';
COMMENT ON COLUMN @symbols@.debug_info.blob_path IS 'where it lies in the object store';

CREATE TABLE @symbols@.symbols (
    symbol_id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    debug_id    uuid REFERENCES @symbols@.debug_info ON DELETE CASCADE,
    address     bigint CONSTRAINT symbols_address_check CHECK (address >= 0),
    name        text CONSTRAINT symbols_name_check CHECK (name <> ''),
    demangled   text,
    size_bytes  bigint NOT NULL DEFAULT 0 CONSTRAINT symbols_size_bytes_check CHECK (size_bytes >= 0),
    source_file text,
    source_line integer CONSTRAINT symbols_source_line_check CHECK (source_line > 0),
    CONSTRAINT symbols_debug_id_address_key UNIQUE (debug_id, address)
);
CREATE INDEX symbols_name_idx ON @symbols@.symbols (name);
COMMENT ON TABLE @symbols@.symbols IS 'functions and variables, by address';
COMMENT ON COLUMN @symbols@.symbols.address IS 'relative to the beginning of the binary';
COMMENT ON COLUMN @symbols@.symbols.name IS 'as the linker has it; demangled is as its language has it';

SELECT @verbs@.audit_attach('@symbols@.schema_migrations', kind => '@symbols@.schema_migrations', payload => 'full', append_only => true);
SELECT @verbs@.audit_attach('@symbols@.debug_info', kind => '@symbols@.debug_info');
SELECT @verbs@.audit_attach('@symbols@.symbols', kind => '@symbols@.symbols');

SELECT @authority@.record_migration('@symbols@', 0, 'tables of blueprint stellaops', @authority@.schema_checksum('@symbols@'));
