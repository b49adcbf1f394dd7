//! The interface itself: threads, and a store that fails.

use std::ops::ControlFlow;

use auditspine_core::verify::{Checked, Checker, EntryView, Limits, Store, Verifier, Window};

use super::support::{Row, Table, chains, history, verify_with};

/// Entries that were checked on other threads link as if they had been pushed.
#[test]
fn checking_on_threads() {
    let mut rows = history(9, 400, 3);
    rows[100].pk = Some(b"tampered".to_vec());
    rows.remove(200);
    let expected = verify_with(&rows, Window::ALL, Limits::default());
    let mut verifier = Verifier::new(chains(), Window::ALL, Limits::default());
    let checkers: Vec<Checker> = (0..4).map(|_| verifier.checker()).collect();
    let checked: Vec<Checked> = std::thread::scope(|scope| {
        let threads = checkers
            .into_iter()
            .zip(rows.chunks(100))
            .map(|(mut checker, rows)| {
                scope.spawn(move || {
                    let check = |row: &Row| row.view(|view| checker.check(view));
                    rows.iter().map(check).collect::<Vec<_>>()
                })
            });
        let threads: Vec<_> = threads.collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    checked.iter().for_each(|entry| verifier.link(entry));
    let mut findings = Vec::new();
    let Ok(reports) = verifier.finish(&mut Table::new(rows), &mut |finding| findings.push(finding));
    assert_eq!(reports, expected.reports);
    assert_eq!(findings.len(), 2);
    assert!(
        findings
            .iter()
            .all(|finding| expected.findings.contains(finding))
    );
}

/// A store that fails ends the verification with its error, and nothing is taken for clean.
#[test]
fn errors_of_the_store_come_through() {
    struct Broken;
    impl Store for Broken {
        type Error = &'static str;

        fn entries_at(
            &mut self,
            _: i32,
            _: i16,
            _: i64,
            _: &mut dyn FnMut(&EntryView<'_>),
        ) -> Result<(), &'static str> {
            Err("broken")
        }

        fn entries_from(
            &mut self,
            _: i32,
            _: i16,
            _: i64,
            _: &mut dyn FnMut(&EntryView<'_>) -> ControlFlow<()>,
        ) -> Result<(), &'static str> {
            Err("broken")
        }
    }
    let mut rows = history(9, 40, 1);
    let mut finish = |window| {
        rows.remove(5);
        let mut verifier = Verifier::new(chains(), window, Limits::default());
        rows.iter()
            .for_each(|row| row.view(|view| verifier.push(view)));
        verifier.finish(&mut Broken, &mut |_| ()).err()
    };
    assert_eq!(finish(Window::ALL), Some("broken"));
    assert_eq!(finish(Window::new(20, None)), Some("broken"));
}
