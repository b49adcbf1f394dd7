//! What stands around the audited tables: other triggers, row security.

use crate::model::picture::Picture;
use crate::model::types::pick;
use crate::rng::Rng;

/// Triggers that write to audited tables while others do.
pub fn nested_triggers(picture: &Picture, rng: &mut Rng) -> Vec<String> {
    let mut script = Vec::new();
    for tab in &picture.tables {
        let (id, name) = (tab.id, &tab.name);
        let other = &pick(&picture.tables, rng).name;
        let prefix = ["aaa", "zzz"][rng.below(2) as usize];
        let when = ["BEFORE", "AFTER"][rng.below(2) as usize];
        let (event, row, body) = match rng.below(5) {
            0 => (
                "INSERT OR UPDATE",
                "NEW",
                format!("UPDATE {name} SET note = coalesce(note, '') || '+' WHERE rid = NEW.rid"),
            ),
            1 => (
                "INSERT OR UPDATE",
                "NEW",
                format!(
                    "UPDATE {other} SET note = coalesce(note, '') || '-' WHERE rid < NEW.rid AND rid > NEW.rid - 4"
                ),
            ),
            2 => (
                "UPDATE",
                "NEW",
                format!("DELETE FROM {other} WHERE rid = NEW.rid - 2"),
            ),
            3 => (
                "INSERT",
                "NEW",
                format!("DELETE FROM {name} WHERE rid = NEW.rid AND rid % 3 = 0"),
            ),
            _ => (
                "DELETE",
                "OLD",
                format!("UPDATE {name} SET note = 'orphan' WHERE rid = OLD.rid + 1"),
            ),
        };
        script.push(format!(
            "CREATE FUNCTION app.nested{id}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                 IF pg_trigger_depth() < 3 THEN {body}; END IF; RETURN {row}; END $f$"
        ));
        script.push(format!(
            "CREATE TRIGGER {prefix}_nested {when} {event} ON {name} FOR EACH ROW EXECUTE FUNCTION app.nested{id}()"
        ));
        if rng.chance(30) {
            script.push(format!(
                "CREATE FUNCTION app.soft{id}() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN
                     IF OLD.note IS NULL OR OLD.note !~ '^gone' THEN UPDATE {name} SET note = 'gone' WHERE rid = OLD.rid; RETURN NULL; END IF;
                     RETURN OLD; END $f$"
            ));
            script.push(format!(
                "CREATE TRIGGER soft BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION app.soft{id}()"
            ));
        }
    }
    script
}

/// Row security, and a role to which it applies.
pub fn policies(picture: &Picture, rng: &mut Rng) -> Vec<String> {
    let mut script = vec!["GRANT ALL ON SEQUENCE app.rid TO model_writer".to_owned()];
    for tab in &picture.tables {
        let name = &tab.name;
        script.push(format!("GRANT ALL ON {name} TO model_writer"));
        script.push(format!("ALTER TABLE {name} ENABLE ROW LEVEL SECURITY"));
        if rng.chance(50) {
            script.push(format!("ALTER TABLE {name} FORCE ROW LEVEL SECURITY"));
        }
        script.push(format!(
            "CREATE POLICY some ON {name} USING (rid % 5 <> {}) WITH CHECK (true)",
            rng.below(5)
        ));
    }
    script
}
