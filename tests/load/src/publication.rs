//! A database that publishes its heads, and what published files say of it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::scratch::Scratch;
use crate::server::{Database, run, scalar};
use postgres::Client;

/// A file that the server can write, in the folder of its socket.
pub fn file_of(scratch: &Scratch, name: &str) -> PathBuf {
    Path::new(&scratch.server().host).join(name)
}

/// A fresh database with an audited table, that publishes to `file`.
pub fn prepare(scratch: &Scratch, name: &str, file: &Path) -> Database {
    let database = scratch.server().fresh_database(name);
    database.run(&format!(
        "ALTER DATABASE \"{name}\" SET auditspine.publish_file = '{}';
         SELECT create_chain('ledger', 4);
         CREATE TABLE item (k bigserial PRIMARY KEY, v integer);
         CREATE TRIGGER audit AFTER INSERT ON item
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append('item', 'chain=ledger')",
        file.display()
    ));
    database
}

/// Publishes the chain of the table; chain `main`, which has its layout, stands still meanwhile.
pub fn publish(client: &mut Client) -> i64 {
    scalar(client, "SELECT heads FROM publish_head('ledger')")
}

/// Inserts rows, a transaction each.
pub fn insert(client: &mut Client, rows: u32) {
    for _ in 0..rows {
        run(client, "INSERT INTO item (v) VALUES (1)");
    }
}

/// What the database says of the lines: ok, restored, lines, lines that it bears out, and each kind
/// of finding with how often.
pub fn verdict(client: &mut Client, file: &Path) -> (bool, bool, i64, i64, Vec<String>) {
    let lines = fs::read_to_string(file).expect("the file of heads");
    let row = client
        .query_one(
            "SELECT ok, restored, lines, heads, findings FROM verify_publication($1)",
            &[&lines],
        )
        .expect("verify_publication");
    let kinds = client
        .query(
            "SELECT finding || ' ' || count(*) FROM publication_findings($1) GROUP BY finding ORDER BY finding",
            &[&lines],
        )
        .expect("publication_findings");
    let kinds: Vec<String> = kinds.iter().map(|row| row.get(0)).collect();
    assert_eq!(row.get::<_, i64>(4) == 0, kinds.is_empty(), "{kinds:?}");
    (row.get(0), row.get(1), row.get(2), row.get(3), kinds)
}

/// Asserts that the file has that many lines, and that the database bears all of them out.
///
/// # Panics
/// If not.
#[track_caller]
pub fn assert_all_borne_out(client: &mut Client, file: &Path, lines: i64) {
    assert_eq!(
        verdict(client, file),
        (true, false, lines, lines, Vec::new())
    );
}
