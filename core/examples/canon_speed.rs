//! How fast JSON text becomes canonical, on this machine: rates of `canonicalize` on the documents
//! of a JSON-lines file, and of `write_decimal`, `write_base10000` and `write_f64`.
//!
//! ```text
//! cargo run --release -p auditspine-core --example canon_speed -- FILE.jsonl
//! ```

use std::hint::black_box;
use std::time::Instant;

use auditspine_core::canonical::{
    Numbers, canonical_text, canonicalize, write_base10000, write_decimal, write_f64,
};
use auditspine_core::hash::HashSink;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let file = std::env::args()
        .nth(1)
        .ok_or("usage: canon_speed FILE.jsonl")?;
    let text = std::fs::read(file)?;
    let lines: Vec<&[u8]> = text
        .split(|byte| *byte == b'\n')
        .filter(|l| !l.is_empty())
        .collect();
    let sorted: Vec<Vec<u8>> = lines
        .iter()
        .map(|line| canonical_text(line, Numbers::Interchange))
        .collect::<Result<_, _>>()?;
    let mut array = b"[".to_vec();
    array.extend_from_slice(&lines.join(&b','));
    array.push(b']');
    let object = [b"{\"documents\":", array.as_slice(), b"}"].concat();

    let mut out = Vec::new();
    rate("documents, into a buffer", text.len(), || {
        for line in &lines {
            out.clear();
            let _ = canonicalize(black_box(line), Numbers::Interchange, &mut out);
        }
    });
    rate("the same, names already in order", text.len(), || {
        for line in &sorted {
            out.clear();
            let _ = canonicalize(black_box(line), Numbers::Interchange, &mut out);
        }
    });
    let mut scratch = Vec::new();
    rate("documents, into SHA-256", text.len(), || {
        for line in &lines {
            let mut sink = HashSink::with_buffer(std::mem::take(&mut scratch));
            let _ = canonicalize(black_box(line), Numbers::Interchange, &mut sink);
            scratch = black_box(sink.finish()).1;
        }
    });
    for (what, document) in [("one array of all", &array), ("one object of all", &object)] {
        rate(what, document.len(), || {
            out.clear();
            let _ = canonicalize(black_box(document), Numbers::Interchange, &mut out);
        });
    }

    let large = |piece: &[u8], close: &[u8]| {
        let mut text = b"[0".to_vec();
        while text.len() < 20_000_000 {
            text.extend_from_slice(piece);
        }
        text.extend_from_slice(close);
        text
    };
    for (what, document) in [
        (
            "20 MB, numbers",
            large(b",12,-3.25,1e5,1234567.891,0.1", b"]"),
        ),
        (
            "20 MB, 17-digit numbers",
            large(b",0.12345678901234567", b"]"),
        ),
        (
            "20 MB, objects out of order",
            large(b",{\"b\":1,\"a\":2}", b"]"),
        ),
        (
            "20 MB, plain text",
            large(b",\"The quick brown fox jumps over the lazy dog\"", b"]"),
        ),
        ("20 MB, escapes", large(b",\"\\n\\u20ac\\/\\u001f\"", b"]")),
    ] {
        rate(what, document.len(), || {
            out.clear();
            let _ = canonicalize(black_box(&document), Numbers::Exact, &mut out);
        });
    }

    const CALLS: usize = 10_000;
    for (what, digits, exponent) in [
        ("write_decimal 42", "42", 0),
        ("write_decimal 1234567.89", "123456789", -2),
        (
            "write_decimal 0.30000000000000004",
            "30000000000000004",
            -17,
        ),
        ("write_decimal 20 digits", "12345678901234567891", -10),
    ] {
        calls(what, CALLS, || {
            out.clear();
            write_decimal(
                false,
                black_box(digits.as_bytes()),
                exponent,
                Numbers::Exact,
                &mut out,
            );
        });
    }
    for (what, weight, digits) in [
        ("write_base10000 42", 0, [42].as_slice()),
        ("write_base10000 1234567.89", 1, &[123, 4567, 8900]),
    ] {
        calls(what, CALLS, || {
            out.clear();
            write_base10000(false, weight, black_box(digits), Numbers::Exact, &mut out);
        });
    }
    calls("write_f64 1234567.89", CALLS, || {
        out.clear();
        write_f64(black_box(1_234_567.89), &mut out);
    });
    Ok(())
}

/// Prints the rate of the best run.
fn rate(what: &str, bytes: usize, run: impl FnMut()) {
    println!("{what:36} {:8.0} MB/s", bytes as f64 / 1e6 / best(run));
}

/// Prints the time of a call in the best run.
fn calls(what: &str, count: usize, mut call: impl FnMut()) {
    let seconds = best(|| (0..count).for_each(|_| call()));
    println!("{what:36} {:8.1} ns", seconds * 1e9 / count as f64);
}

/// Seconds of the best of at least five runs within about a second: what else runs on the machine
/// only ever adds to a run.
fn best(mut run: impl FnMut()) -> f64 {
    let started = Instant::now();
    let (mut best, mut runs) = (f64::INFINITY, 0);
    while runs < 5 || started.elapsed().as_secs_f64() < 1.0 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    best
}
