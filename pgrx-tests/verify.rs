//! What verification does without PostgreSQL: hashing, and reading tuples.

#[pgrx::pg_schema]
mod tests {
    use auditspine_core::hash::{ABREAST, BLOCK, State, in_turns};
    use auditspine_core::verify::EntryView;
    use pgrx::prelude::*;

    use crate::ledger::raw_tuple;
    use crate::ledger::snapshot::CurrentSnapshot;
    use crate::ledger::stored_entry::EntryReader;
    use crate::pg::heap::in_physical_order;
    use crate::pg::relation::OpenRelation;
    use crate::pg::sha256::compress_abreast;
    use crate::tests::{run, value};

    /// Numbers that differ from each other, the same in every run.
    fn noise(seed: u64) -> impl Iterator<Item = u64> {
        (seed..).map(|at| {
            let mixed = at.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 16
        })
    }

    /// However many messages of whatever length go abreast, each comes to what it comes to alone.
    #[pg_test]
    fn hashes_abreast_are_those_of_each_alone() {
        let compress = compress_abreast();
        let mut noise = noise(7);
        let mut next = || noise.next().unwrap_or_default();
        for round in 0..500 {
            let count = 1 + round % ABREAST;
            let blocks = next() as usize % 9;
            let mut states = Vec::<State>::new();
            let mut messages = Vec::new();
            for _ in 0..count {
                states.push(std::array::from_fn(|_| next() as u32));
                let message: Vec<[u8; BLOCK]> = (0..blocks)
                    .map(|_| std::array::from_fn(|_| next() as u8))
                    .collect();
                messages.push(message);
            }
            let messages: Vec<&[[u8; BLOCK]]> = messages.iter().map(Vec::as_slice).collect();
            let mut expected = states.clone();
            for (state, message) in expected.iter_mut().zip(&messages) {
                in_turns(std::slice::from_mut(state), &[message]);
            }
            let mut turns = states.clone();
            in_turns(&mut turns, &messages);
            compress(&mut states, &messages);
            assert_eq!(
                turns, expected,
                "{count} messages of {blocks} blocks, in turns"
            );
            assert_eq!(states, expected, "{count} messages of {blocks} blocks");
        }
    }

    /// Tuples as PostgreSQL takes them apart are what their bytes are read as; only what takes PostgreSQL to read is
    /// left to it.
    #[pg_test]
    fn bytes_of_tuples_are_read_as_postgresql_reads_them() {
        run("CREATE TABLE entries (LIKE auditspine.audit_chain);
             DO $$
             DECLARE name text;
             BEGIN
                 FOR name IN SELECT attname FROM pg_attribute WHERE attrelid = 'entries'::regclass AND attnum > 0 LOOP
                     EXECUTE format('ALTER TABLE entries ALTER %I DROP NOT NULL', name);
                 END LOOP;
             END $$;
             CREATE FUNCTION pg_temp.some(n int, salt int) RETURNS text LANGUAGE sql AS $$
                 SELECT CASE (n * salt) % 11
                     WHEN 0 THEN NULL WHEN 1 THEN '' WHEN 2 THEN repeat('a', 126) WHEN 3 THEN repeat('b', 127)
                     WHEN 4 THEN repeat('\u{e9}', 60 + n % 8) ELSE left(md5(n || '/' || salt), 1 + n % 30) END $$;
             INSERT INTO entries SELECT n * 7919::bigint - 9, n % 100, (n % 32)::smallint, n::bigint << (n % 40), 1::smallint,
                 chr(33 + n % 90)::\"char\", coalesce(pg_temp.some(n, 3), 'k'), pg_temp.some(n, 5), (n * 31)::text::xid8,
                 timestamptz '2020-01-01 00:00+00' + n * interval '1.000001 s', coalesce(pg_temp.some(n, 7), 'u'),
                 pg_temp.some(n, 2), NULL, nullif(n % 5, 0), NULL, decode(md5(n::text) || md5('p'), 'hex'),
                 decode(md5(n::text) || md5('e'), 'hex'), decode(md5(n::text) || md5('v'), 'hex'),
                 CASE WHEN n % 13 = 0 THEN decode(repeat('ab', 31 + n % 200), 'hex')
                      ELSE decode(md5(n::text) || md5('c'), 'hex') END
             FROM generate_series(1, 5000) AS n");
        // What has to be left to PostgreSQL: nulls where none may be, jsonb, compressed and external values.
        run("ALTER TABLE entries ALTER actor SET STORAGE EXTERNAL;
             INSERT INTO entries SELECT (SELECT e FROM entries AS e LIMIT 1).*;
             UPDATE entries SET seq = NULL WHERE seq % 97 = 1;
             UPDATE entries SET event_kind = NULL WHERE seq % 97 = 2;
             UPDATE entries SET chain_hash = NULL WHERE seq % 97 = 3;
             UPDATE entries SET context = '{}' WHERE seq % 97 = 4;
             UPDATE entries SET payload = '[1]' WHERE seq % 97 = 5;
             UPDATE entries SET db_user = repeat('c', 5000) WHERE seq % 97 = 6;
             UPDATE entries SET actor = repeat('d', 5000) WHERE seq % 97 = 7");
        let oid = value::<pg_sys::Oid>("SELECT 'entries'::regclass::oid");
        let table = OpenRelation::table(oid, pg_sys::AccessShareLock);
        let _snapshot = CurrentSnapshot::push();
        let mut reader = EntryReader::new();
        let (mut read, mut left, mut places) = (0, 0i64, Vec::new());
        in_physical_order(&table, None, |tuple| {
            places.push((tuple.place().block, tuple.place().offset));
            let found = raw_tuple::decode(tuple.bytes());
            read += usize::from(found.is_some());
            left += i64::from(found.is_none());
            let show = |entry: &EntryView<'_>| format!("{entry:?}");
            let expected = reader.read(&tuple, show);
            if let Some(found) = found {
                assert_eq!(show(&found), expected);
            }
        });
        let expected_left = value::<i64>(
            "SELECT count(*) FROM entries WHERE seq IS NULL OR event_kind IS NULL OR chain_hash IS NULL
                 OR context IS NOT NULL OR payload IS NOT NULL OR length(db_user) = 5000 OR length(actor) = 5000",
        );
        assert!(read > 4000);
        assert_eq!(left, expected_left);
        // Each row is met once, and in the order of its place.
        assert!(places.is_sorted_by(|one, next| one < next));
        assert_eq!(
            places.len() as i64,
            value::<i64>("SELECT count(*) FROM entries")
        );
        let last = places
            .last()
            .map(|(block, offset)| format!("({block},{offset})"));
        assert_eq!(
            last,
            Some(value::<String>("SELECT max(ctid)::text FROM entries"))
        );
    }
}
