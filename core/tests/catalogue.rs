//! The catalogue of findings: well formed, named by the documents, and every kind produced by a test.

use std::fs;
use std::path::{Path, PathBuf};

use auditspine_core::finding::{Definition, Layer, catalogue};

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below a folder whose name ends so.
fn below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(below(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            files.push(path);
        }
    }
    files
}

#[test]
fn every_kind_is_well_formed_and_there_once() {
    let mut seen = Vec::new();
    for kind in catalogue() {
        let Definition {
            label,
            meaning,
            action,
            ..
        } = kind;
        assert!(
            label.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()),
            "{label} is not in snake case"
        );
        for sentence in [meaning, action] {
            assert!(
                sentence.starts_with(|c: char| c.is_uppercase()) && sentence.ends_with('.'),
                "{label}: {sentence:?} is not a sentence"
            );
        }
        seen.push((kind.layer, *label));
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "a layer has two kinds of one label");
    for layer in Layer::ALL {
        assert!(seen.iter().any(|(its, _)| *its == layer), "{layer:?}");
    }
}

/// The document that says what findings mean.
fn document() -> String {
    let path = ["docs/INCIDENTS.md", "docs/FINDINGS.md"]
        .map(file)
        .into_iter()
        .find(|path| path.exists());
    read(&path.expect("a document of findings"))
}

#[test]
fn every_kind_is_documented() {
    let document = document();
    let missing: Vec<&str> = catalogue()
        .map(|kind| kind.label)
        .filter(|label| !document.contains(&format!("`{label}`")))
        .collect();
    assert!(missing.is_empty(), "no document names {missing:?}");
}

/// Where a layer's findings are produced: expected results by the beginning of the file's name, and the
/// tests of core. A label can belong to several layers, so the place says which one is meant.
fn places(layer: Layer) -> (&'static [&'static str], &'static [&'static str]) {
    match layer {
        Layer::Links => (
            &[
                "verify",
                "erase",
                "heads",
                "planted",
                "seq_order",
                "routine",
                "columns",
                "rare_findings",
                "erase",
            ],
            &["core/tests/verify"],
        ),
        Layer::Rows => (&[""], &[]),
        Layer::Heads => (&["heads", "history_anew"], &["core/tests/publication.rs"]),
        Layer::Spines => (
            &["spine", "blueprint_proofspine", "statements_proofspine"],
            &["core/tests/spine"],
        ),
        Layer::Keys => (&["keys"], &[]),
        Layer::Adopted => (
            &["adopt", "routine", "foreign_code", "rare_findings"],
            &["core/tests/adopted.rs"],
        ),
        Layer::State => (&[""], &[]),
    }
}

/// Whether a cell of a result is the label, or a sentence that begins with it.
fn is_of(cell: &str, label: &str) -> bool {
    cell.trim()
        .strip_prefix(label)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', ',', ' ']))
}

/// The rows of results, aligned or not.
fn rows(result: &str) -> impl Iterator<Item = &str> {
    result
        .lines()
        .filter(|line| line.starts_with(' ') || line.contains('|'))
}

/// Whether a result shows the label.
fn shows(result: &str, label: &str) -> bool {
    rows(result).any(|row| row.split('|').any(|cell| is_of(cell, label)))
}

/// Whether a result shows that something of the layer could not be verified.
fn shows_not_verified(result: &str, layer: Layer) -> bool {
    rows(result).any(|row| {
        let has = |label| row.split('|').any(|cell| is_of(cell, label));
        has(layer.label()) && has("not_verified")
    })
}

/// Whether the code has the word.
fn says(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let part = |c: char| c == '_' || c.is_alphanumeric();
        !code[..at].ends_with(part) && !code[at + word.len()..].starts_with(part)
    })
}

/// `entry_edited` as Rust names it, `EntryEdited`.
fn variant(label: &str) -> String {
    let upper = |word: &str| word[..1].to_uppercase() + &word[1..];
    label.split('_').map(upper).collect()
}

#[test]
fn every_kind_is_produced_by_a_test() {
    let expected = below(&file("tests/expected"), ".out");
    let result = |beginnings: &[&str]| -> String {
        let of_layer = expected.iter().filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy();
            name != "finding_kinds.out" && beginnings.iter().any(|it| name.starts_with(it))
        });
        of_layer.map(|path| read(path)).collect()
    };
    let load: String = below(&file("tests/load/tests"), ".rs")
        .iter()
        .map(|path| read(path))
        .collect();
    let everything = result(&[""]);
    let mut missing = Vec::new();
    for layer in Layer::ALL {
        let (beginnings, core) = places(layer);
        let result = result(beginnings);
        let core: String = core
            .iter()
            .map(|path| file(path))
            .flat_map(|path| {
                if path.is_dir() {
                    below(&path, ".rs")
                } else {
                    vec![path]
                }
            })
            .map(|path| read(&path))
            .collect();
        missing.extend(
            catalogue()
                .filter(|kind| kind.layer == layer)
                .map(|kind| kind.label)
                .filter(|label| {
                    if *label == "not_verified" {
                        return !shows_not_verified(&everything, layer);
                    }
                    !shows(&result, label)
                        && !says(&core, &variant(label))
                        && !load.contains(&format!("\"{label}"))
                })
                .map(|label| (layer.label(), label)),
        );
    }
    assert!(missing.is_empty(), "no test produces {missing:?}");
}
