//! Whatever PostgreSQL takes, it takes for an audited table as well. Tables of random definitions are made twice, one of the
//! two is audited, and both get the same statements: each has the same outcome on both, to the SQLSTATE, and what was
//! written through the audit is in order.

mod table;
mod values;

use auditspine_load::rng::Rng;
use auditspine_load::server::{Server, run, scalar, turn};

use table::Twin;
use values::TYPES;

#[test]
fn twins() {
    let _turn = turn();
    let server = Server::from_env();
    let number = |name: &str, otherwise| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(otherwise)
    };
    let (first, tables, steps) = (number("TWIN_FIRST", 0), number("TWIN_TABLES", 60), 25);
    let mut client = server.fresh_database("twins").connect();
    run(&mut client, TYPES);
    let (mut taken, mut refused) = (0, 0);
    for seed in first..first + tables {
        let mut rng = Rng::new(seed);
        let twin = Twin::make(&mut client, &mut rng, "t");
        for _ in 0..steps {
            let statement = twin.statement(&mut rng);
            *if twin.same(&mut client, &statement) {
                &mut taken
            } else {
                &mut refused
            } += 1;
        }
        let findings: Option<String> = scalar(
            &mut client,
            "SELECT string_agg(left(concat_ws(' ', key, finding, detail, current), 500), E'\\n') FROM public.verify_table_findings('audited.t')",
        );
        // The histories of two rows of one key are one, as audit_attach() warns.
        if twin.unique {
            assert_eq!(findings, None, "seed {seed}: {}", twin.definition);
        }
        let counts: bool = scalar(
            &mut client,
            "SELECT (SELECT count(*) FROM plain.t) = (SELECT count(*) FROM audited.t)",
        );
        assert!(counts, "seed {seed}: {}", twin.definition);
        run(
            &mut client,
            "SELECT public.audit_detach('audited.t'); DROP TABLE plain.t, audited.t",
        );
    }
    let ok: bool = scalar(
        &mut client,
        "SELECT bool_and(ok) FROM public.verify_chain()",
    );
    assert!(ok, "links");
    println!("{tables} tables, {taken} statements taken by both, {refused} by neither");
}
