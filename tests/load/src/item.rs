//! The audited table of most tests: an upsert key, a version that grows with every change of the row,
//! a note that names the statement, and a timestamp whose canonical text no session setting may change.

use postgres::Client;

use crate::server::run;

const CREATE_ITEM: &str = "
    CREATE TABLE item (
        k bigint PRIMARY KEY,
        v integer NOT NULL,
        note text NOT NULL,
        at timestamptz NOT NULL DEFAULT '2026-01-02 03:04:05.678901+00'
    )";

/// SQL for the canonical JSON of a row of `item` with columns `k`, `note` and `v`, built without
/// any function of the extension.
pub const ITEM_JSON: &str = "format(
    '{\"at\":\"2026-01-02T03:04:05.678901+00:00\",\"k\":%s,\"note\":%s,\"v\":%s}', k, to_json(note), v)";

/// Makes table `item`; `audit` holds the arguments of its trigger, if it is to have one.
pub fn create_item(client: &mut Client, audit: Option<&str>) {
    run(client, CREATE_ITEM);
    if let Some(arguments) = audit {
        audit_item(client, arguments);
    }
}

/// Gives table `item` its trigger, with these arguments.
pub fn audit_item(client: &mut Client, arguments: &str) {
    run(
        client,
        &format!(
            "CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON item
             FOR EACH ROW EXECUTE FUNCTION audit_chain_append({arguments})"
        ),
    );
}
