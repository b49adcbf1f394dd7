//! The vectors of RFC 8785's author: documents, and the first 10,000 numbers of his number file.
//! They are looked for in `../shared/vectors/jcs` beside the repository.

use std::path::PathBuf;

use auditspine_core::canonical::{Numbers, canonical_text, write_decimal, write_f64};

const BOTH: [Numbers; 2] = [Numbers::Exact, Numbers::Interchange];

/// The vectors' folder; says so where it is absent.
fn vectors() -> Option<PathBuf> {
    let folder = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../shared/vectors/jcs"
    ));
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no test vectors at {}", folder.display());
    None
}

#[test]
fn documents() {
    let Some(folder) = vectors() else { return };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder.join("input")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let input = std::fs::read(&path).unwrap();
        let output = std::fs::read(folder.join("output").join(format!("{name}.json"))).unwrap();
        let hex = std::fs::read_to_string(folder.join("outhex").join(format!("{name}.txt")));
        let hex: String = hex.unwrap().split_whitespace().collect();
        assert_eq!(
            hex::decode(hex).unwrap(),
            output,
            "{name}: the vectors agree"
        );

        let interchange = canonical_text(&input, Numbers::Interchange).unwrap();
        assert_eq!(text(&interchange), text(&output), "{name}");
        let exact = canonical_text(&input, Numbers::Exact).unwrap();
        let mut expected = text(&output);
        if name == "values" {
            // The one number that is not its double's shortest digits.
            expected = expected.replace("[333333333.3333333,", "[333333333.33333329,");
            assert_ne!(expected, text(&output));
        }
        assert_eq!(text(&exact), expected, "{name}");
        for numbers in BOTH {
            assert_eq!(
                canonical_text(&output, numbers).unwrap(),
                output,
                "{name}, idempotent"
            );
        }
        names.push(name);
    }
    names.sort();
    assert_eq!(
        names,
        [
            "arrays",
            "french",
            "structures",
            "unicode",
            "values",
            "weird"
        ]
    );
}

#[test]
fn ten_thousand_numbers() {
    let Some(folder) = vectors() else { return };
    let file = std::fs::read_to_string(folder.join("es6testfile10000.txt")).unwrap();
    let mut count = 0;
    for line in file.lines() {
        let (bits, expected) = line.split_once(',').unwrap();
        let bits = u64::from_str_radix(bits, 16).unwrap();
        let mut out = Vec::new();
        write_f64(f64::from_bits(bits), &mut out);
        assert_eq!(text(&out), expected, "{bits:x} as a double");
        let (negative, digits, exponent) = decimal(expected);
        for numbers in BOTH {
            let out = canonical_text(expected.as_bytes(), numbers).unwrap();
            assert_eq!(text(&out), expected, "{bits:x} as text, {numbers:?}");
            let mut out = Vec::new();
            write_decimal(negative, digits.as_bytes(), exponent, numbers, &mut out);
            assert_eq!(text(&out), expected, "{bits:x} as a decimal, {numbers:?}");
        }
        count += 1;
    }
    assert_eq!(count, 10_000);
}

/// Appendix B of RFC 8785.
#[test]
fn numbers_of_the_rfc() {
    for (bits, expected) in [
        (0x0000000000000000, "0"),
        (0x8000000000000000, "0"),
        (0x0000000000000001, "5e-324"),
        (0x8000000000000001, "-5e-324"),
        (0x7fefffffffffffff, "1.7976931348623157e+308"),
        (0xffefffffffffffff, "-1.7976931348623157e+308"),
        (0x4340000000000000, "9007199254740992"),
        (0xc340000000000000, "-9007199254740992"),
        (0x4430000000000000, "295147905179352830000"),
        (0x44b52d02c7e14af5, "9.999999999999997e+22"),
        (0x44b52d02c7e14af6, "1e+23"),
        (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
        (0x444b1ae4d6e2ef4e, "999999999999999700000"),
        (0x444b1ae4d6e2ef4f, "999999999999999900000"),
        (0x444b1ae4d6e2ef50, "1e+21"),
        (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
        (0x3eb0c6f7a0b5ed8d, "0.000001"),
        (0x41b3de4355555553, "333333333.3333332"),
        (0x41b3de4355555554, "333333333.33333325"),
        (0x41b3de4355555555, "333333333.3333333"),
        (0x41b3de4355555556, "333333333.3333334"),
        (0x41b3de4355555557, "333333333.33333343"),
        (0xbecbf647612f3696, "-0.0000033333333333333333"),
        (0x43143ff3c1cb0959, "1424953923781206.2"),
    ] {
        let mut out = Vec::new();
        write_f64(f64::from_bits(bits), &mut out);
        assert_eq!(text(&out), expected, "{bits:x}");
        for numbers in BOTH {
            assert_eq!(
                text(&canonical_text(expected.as_bytes(), numbers).unwrap()),
                expected
            );
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Sign, digits and exponent of a number's text.
fn decimal(text: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = whole.trim_start_matches('-').to_owned() + fraction;
    let exponent = exponent.parse::<i64>().unwrap() - fraction.len() as i64;
    (text.starts_with('-'), digits, exponent)
}
