//! How many signatures one thread of this machine can check per second, and what envelopes and spines
//! cost around them. Each line: what, how many per second, microseconds each.
//!
//! ```text
//! cargo run --release -p auditspine-core --example signatures
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use auditspine_core::dsse::{Envelope, IN_TOTO, KeySet, pae, verify};
use auditspine_core::spine::judge;
use p256::ecdsa::signature::Verifier as _;

#[path = "../tests/signer/mod.rs"]
#[allow(dead_code)]
mod signer;

#[path = "../tests/spine/support.rs"]
#[allow(dead_code)]
mod support;

use signer::Signer;
use support::{Naming, Spine, trusting};

/// As long as a typical in-toto Statement.
const PAYLOAD: usize = 1_000;

/// As many as there are types.
const SEGMENTS: usize = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let payload = vec![b'x'; PAYLOAD];
    let message = pae(IN_TOTO, &payload);
    for signer in [Signer::ed25519(7), Signer::ecdsa(7)] {
        let algorithm = signer.public().algorithm();
        let bytes = signer.sign(IN_TOTO, &payload);
        match &signer {
            Signer::Ed25519(key) => {
                let (key, signature) = (key.verifying_key(), bytes.as_slice().try_into()?);
                rate(&format!("{algorithm} signature alone"), || {
                    key.verify_strict(black_box(&message), &signature).is_ok()
                });
            }
            Signer::EcdsaP256(key) => {
                let key = *key.verifying_key();
                let signature = p256::ecdsa::Signature::from_slice(&bytes)?;
                rate(&format!("{algorithm} signature alone"), || {
                    key.verify(black_box(&message), &signature).is_ok()
                });
            }
        }
        let json = signer::envelope(IN_TOTO, &payload, &[(None, &bytes)]);
        let keys = KeySet::new([signer.public()]);
        rate(&format!("{algorithm} envelope, read and verified"), || {
            let envelope = Envelope::parse(black_box(json.as_bytes()));
            let verification = envelope.ok().and_then(|e| verify(&e, &keys, 1).ok());
            verification.is_some_and(|verification| verification.ok())
        });
        let spine = Spine::new(SEGMENTS, &[(&signer, Naming::Fingerprint)]);
        let (row, rows, trust) = (spine.row(), spine.rows(), trusting([&signer]));
        rate(&format!("{algorithm} spine of {SEGMENTS}, judged"), || {
            judge(black_box(&row), black_box(&rows), &trust).ok()
        });
    }
    let json = signer::envelope(IN_TOTO, &payload, &[(None, &[0; 64])]);
    rate("envelope, read", || {
        Envelope::parse(black_box(json.as_bytes())).is_ok()
    });
    Ok(())
}

/// Runs `check`, which must hold, for about two seconds, and prints the best tenth of it: what else
/// the machine does at the time takes the least of that.
fn rate(what: &str, check: impl Fn() -> bool) {
    assert!(check(), "{what}");
    let slice = || {
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < Duration::from_millis(200) {
            for _ in 0..10 {
                assert!(black_box(check()), "{what}");
            }
            count += 10;
        }
        start.elapsed().as_secs_f64() / f64::from(count)
    };
    let each = (0..10).map(|_| slice()).fold(f64::INFINITY, f64::min);
    println!(
        "{what}: {:.0} per second, {:.2} us each",
        1.0 / each,
        each * 1e6
    );
}
