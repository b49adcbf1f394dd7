//! Reading public keys.

use auditspine_core::dsse::{Algorithm, KeyError, KeySet, MAX_PEM, PublicKey};
use auditspine_core::hash::Hash;

use crate::signer::{Signer, pem};

// Made by OpenSSL 3.0, as are the digests: `openssl pkey -pubin -outform DER | sha256sum`.
const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAyxFGRXJtoldqwagrSZ6JQkuk+vM6kNQf5j6so5nQjB4=
-----END PUBLIC KEY-----
";
const ED25519_DIGEST: &str = "11f4bdbb7ce5cbd8ac05e596519c2079cb6d86a2b66903ffc0e4c97a7d6b6ce2";
const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMMIRHInoym1C7z5EI3FcJaviD1Ae
gpZ1iVBTZ6TZccQp1U6XxM4nB0DvoTf4GQ3w8cGW6W/792/e8LARX3W5Ww==
-----END PUBLIC KEY-----
";
const P256_DIGEST: &str = "646bc2767ecec74a645b865cc59b70315ac36289c5b69ad672ca6e19c86f3c05";
const P256_COMPRESSED: &str = "-----BEGIN PUBLIC KEY-----
MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADMMIRHInoym1C7z5EI3FcJaviD1Ae
gpZ1iVBTZ6TZccQ=
-----END PUBLIC KEY-----
";
const P256_EXPLICIT: &str = "-----BEGIN PUBLIC KEY-----
MIIBSzCCAQMGByqGSM49AgEwgfcCAQEwLAYHKoZIzj0BAQIhAP////8AAAABAAAA
AAAAAAAAAAAA////////////////MFsEIP////8AAAABAAAAAAAAAAAAAAAA////
///////////8BCBaxjXYqjqT57PrvVV2mIa8ZR0GsMxTsPY7zjw+J9JgSwMVAMSd
NgiG5wSTamZ44ROdJreBn36QBEEEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5
RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9QIhAP////8AAAAA
//////////+85vqtpxeehPO5ysL8YyVRAgEBA0IABDDCERyJ6MptQu8+RCNxXCWr
4g9QHoKWdYlQU2ek2XHEKdVOl8TOJwdA76E3+BkN8PHBlulv+/dv3vCwEV91uVs=
-----END PUBLIC KEY-----
";
const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEHaL9QxQTXt+Otz7UERQTJrybCGMp3Pqk
eA1tuImOkNwGNWwM4g1k7koNTxgFXViiG2UT/ltXwtw5ae8+1yj0zGvPMUTyqnCd
T01LG/b4bjAxWQwrCAq7MyQm3EYvjXq6
-----END PUBLIC KEY-----
";
const SECP256K1: &str = "-----BEGIN PUBLIC KEY-----
MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEl6r4KNmQ/zNO5mDTOJZfbcHmats1bugm
Gu3K+UbrlwLn7iqAb0Nc7i+Up7f3s3uvyd+zc9myey39Y3X9ReFFsA==
-----END PUBLIC KEY-----
";
const ED448: &str = "-----BEGIN PUBLIC KEY-----
MEMwBQYDK2VxAzoARJ0NhPNs6/W0DApwPPuISqa3oQtFGuQVUfY8Yabm/ya63D7h
AuQ8iLYfgZBZVx4p3N0Pgt504e2A
-----END PUBLIC KEY-----
";
const RSA: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAvceIB6kGmO/jXeoygjSY
NrIL98EDLYtHR7LHPMiS0+XzWlu4h5uE+3hw0Pi4R018MX9uuSiYCneALbmjtA+5
jadfxeUqNQoStlQSHLdJxou2wpzCE5Bic0fIIaQSrOe9+qQYv+iVJgzPFQLTEXLI
4bpiZACtr6z0ci0jXzbQ3lh4MaJ+YxJJR4VTnhwBJGCe+NfIHQCA43DcEeDvG8L+
fkCVl40+xLIsG4AmKLnj/dIVrA0IqtxzviPryYIpkbxorW5wUTLzqE4DvWgHCdno
qM4jGC8K0oAvpeCqkVbnGRIAAIG0JkiTNEUHAVSGiJPONzO1eo++hhtkf/ZK/R4a
RQIDAQAB
-----END PUBLIC KEY-----
";

fn refused(pem: &str) -> KeyError {
    match PublicKey::from_pem(pem) {
        Err(error) => error,
        Ok(key) => panic!("{key:?} of {pem}"),
    }
}

#[test]
fn fingerprints_are_those_that_openssl_gives() {
    for (pem, algorithm, name, digest) in [
        (ED25519, Algorithm::Ed25519, "ed25519", ED25519_DIGEST),
        (P256, Algorithm::EcdsaP256, "ecdsa-p256-sha256", P256_DIGEST),
    ] {
        let key = PublicKey::from_pem(pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.algorithm().name(), name);
        assert_eq!(key.fingerprint().to_string(), digest);
        assert_eq!(key.fingerprint(), Hash::of(key.to_der()));
        assert_eq!(key.to_pem(), pem);
        assert_eq!(PublicKey::from_der(key.to_der()), Ok(key));
    }
}

#[test]
fn one_key_has_one_fingerprint() {
    let lines: Vec<&str> = P256.lines().collect();
    let one_line = [lines[0], "\n", lines[1], lines[2], "\n", lines[3]].concat();
    let short: Vec<String> = P256
        .lines()
        .flat_map(|line| match line.starts_with('-') {
            true => vec![line.to_owned()],
            false => line
                .as_bytes()
                .chunks(7)
                .map(|c| String::from_utf8(c.to_vec()).unwrap())
                .collect(),
        })
        .collect();
    for variant in [
        P256.trim_end().to_owned(),
        P256.replace('\n', "\r\n"),
        P256.replace('\n', "\r"),
        P256.replace('\n', "\n\n   \t"),
        one_line,
        short.join("\n"),
        P256_COMPRESSED.to_owned(),
    ] {
        let key = PublicKey::from_pem(&variant).unwrap_or_else(|e| panic!("{variant}: {e}"));
        assert_eq!(key.fingerprint().to_string(), P256_DIGEST, "{variant}");
        assert_eq!(key.to_pem(), P256);
    }
}

#[test]
fn other_keys_are_refused_by_name() {
    let algorithm = |name: &str| KeyError::Algorithm { name: name.into() };
    let curve = |name: &str| KeyError::Curve { name: name.into() };
    for (pem, error) in [
        (P384, curve("P-384")),
        (SECP256K1, curve("secp256k1")),
        (RSA, algorithm("RSA")),
        (ED448, algorithm("Ed448")),
        (P256_EXPLICIT, KeyError::Parameters { algorithm: "ECDSA" }),
    ] {
        assert_eq!(refused(pem), error);
    }
    // An algorithm without a name.
    let der = hex::decode("300c3006060469000102030200aa").unwrap();
    assert!(matches!(refused(&pem(&der)), KeyError::Algorithm { name } if name.contains('.')));
}

#[test]
fn what_is_not_one_public_key_is_refused() {
    assert_eq!(refused(""), KeyError::NotPem);
    assert_eq!(refused("MCowBQYDK2VwAyEA"), KeyError::NotPem);
    assert_eq!(
        refused(&[ED25519, P256].concat()),
        KeyError::SeveralKeys { keys: 2 }
    );
    assert_eq!(refused(&format!("{P256}x")), KeyError::TextOutside);
    assert_eq!(refused(&format!("x\n{P256}")), KeyError::TextOutside);
    for label in [
        "PRIVATE KEY",
        "CERTIFICATE",
        "EC PUBLIC KEY",
        "public key",
        "",
    ] {
        assert_eq!(
            refused(&P256.replace("PUBLIC KEY", label)),
            KeyError::Label {
                label: label.into()
            }
        );
    }
    let bytes = MAX_PEM + 1;
    assert_eq!(refused(&" ".repeat(bytes)), KeyError::TooLarge { bytes });
    for damaged in [
        P256.replace("-----END", "-----ENDE"),
        P256.replace("-----END PUBLIC KEY-----\n", ""),
        P256.replace("END PUBLIC KEY", "END PRIVATE KEY"),
        P256.replace("BEGIN PUBLIC KEY-----", "BEGIN PUBLIC KEY"),
        P256.replace("MFkw", "MF kw"),
        P256.replace("MFkw", "MF*w"),
        P256.replace("Ww==", "Ww="),
        P256.replace("Ww==", "Wx=="),
        P256.replace("Ww==", ""),
        "-----BEGIN PUBLIC KEY-----".into(),
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----".into(),
        "-----BEGIN PUBLIC KEY-----\nProc-Type: 4,ENCRYPTED\nMCow\n-----END PUBLIC KEY-----".into(),
    ] {
        let error = refused(&damaged);
        assert!(
            matches!(
                error,
                KeyError::Pem(_) | KeyError::Der(_) | KeyError::Label { .. }
            ),
            "{damaged}: {error:?}"
        );
    }
}

#[test]
fn what_a_private_key_holds_is_never_shown() {
    let secret = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC";
    for text in [
        format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----"),
        format!("-----BEGIN PUBLIC KEY-----\n{secret}\n-----END PUBLIC KEY-----"),
        format!("-----BEGIN PUBLIC KEY-----\n{secret}"),
        format!("{secret}\n{P256}"),
        secret.to_owned(),
    ] {
        let shown = format!("{0} {0:?}", refused(&text));
        assert!(
            !shown.contains("MC4C") && !shown.contains("nwoy"),
            "{shown}"
        );
    }
}

#[test]
fn der_is_read_strictly() {
    for signer in [Signer::ed25519(1), Signer::ecdsa(1)] {
        let der = signer.der();
        assert!(PublicKey::from_der(&der).is_ok());
        // Behind the end, cut, and a length with a needless byte.
        for damaged in [
            [&der[..], b"\x00"].concat(),
            der[..der.len() - 1].to_vec(),
            [b"\x30\x81", &der[1..]].concat(),
            Vec::new(),
        ] {
            assert!(
                matches!(PublicKey::from_der(&damaged), Err(KeyError::Der(_))),
                "{damaged:?}"
            );
        }
    }
    // Unused bits in the last byte of the key.
    let mut der = Signer::ed25519(1).der();
    der[11] = 1;
    *der.last_mut().unwrap() &= 0xfe;
    assert!(matches!(PublicKey::from_der(&der), Err(KeyError::Der(_))));
    // RFC 8410 section 3: no parameters, not even null.
    let der = [
        hex::decode("302c300706032b65700500032100").unwrap(),
        der[12..].to_vec(),
    ]
    .concat();
    assert_eq!(
        PublicKey::from_der(&der),
        Err(KeyError::Parameters {
            algorithm: "Ed25519"
        })
    );
}

fn ed25519(bytes: &[u8]) -> Result<PublicKey, KeyError> {
    let mut der = hex::decode("302a300506032b6570032100").unwrap();
    der[1] = 10 + bytes.len() as u8;
    der[10] = 1 + bytes.len() as u8;
    PublicKey::from_der(&[&der, bytes].concat())
}

#[test]
fn ed25519_keys_that_sign_anything_are_refused() {
    let order_8 = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let other_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let order_2 = "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f";
    for small in [
        &"0".repeat(64),
        &format!("01{}", "0".repeat(62)),
        order_8,
        other_8,
        order_2,
    ] {
        assert_eq!(
            ed25519(&hex::decode(small).unwrap()),
            Err(KeyError::Weak),
            "{small}"
        );
    }
}

#[test]
fn points_that_are_none_and_other_forms_of_one_are_refused() {
    let invalid = |algorithm| Err(KeyError::Point { algorithm });
    let good = Signer::ed25519(1).der()[12..].to_vec();
    assert!(ed25519(&good).is_ok());
    assert_eq!(ed25519(&good[..31]), invalid("Ed25519"));
    assert_eq!(ed25519(&[&good[..], b"\x00"].concat()), invalid("Ed25519"));
    // y is at least the prime: other bytes for a small y, which the curve's crate takes.
    let mut other_forms = 0;
    for low in 0xed..=0xff_u8 {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (low, 0x7f);
        let is_point = ed25519_dalek::VerifyingKey::from_bytes(&bytes);
        other_forms += usize::from(is_point.is_ok_and(|key| !key.is_weak()));
        assert!(
            matches!(
                ed25519(&bytes),
                Err(KeyError::Point { .. } | KeyError::Weak)
            ),
            "{low}"
        );
    }
    assert!(other_forms > 0);

    let uncompressed = Signer::ecdsa(1).der();
    let head = &uncompressed[..26];
    let ecdsa = |bytes: &[u8]| {
        let mut der = head.to_vec();
        der[1] = (24 + bytes.len()) as u8;
        der[24] = 1 + bytes.len() as u8;
        PublicKey::from_der(&[&der, bytes].concat())
    };
    let point = &uncompressed[26..];
    assert!(ecdsa(point).is_ok());
    let with = |tag: u8, bytes: &[u8]| ecdsa(&[&[tag], bytes].concat());
    assert_eq!(with(4, &[1; 64]), invalid("ECDSA"));
    assert_eq!(with(2, &[0xff; 32]), invalid("ECDSA"));
    assert_eq!(with(4, &point[1..64]), invalid("ECDSA"));
    // Infinity, the hybrid form, and that of x alone.
    assert_eq!(ecdsa(&[0]), invalid("ECDSA"));
    assert_eq!(ecdsa(&[]), invalid("ECDSA"));
    for tag in [6, 7] {
        assert_eq!(with(tag, &point[1..]), invalid("ECDSA"));
    }
    assert_eq!(with(5, &point[1..33]), invalid("ECDSA"));
    // Compressed, of either sign, it is a key.
    let parity = 2 + (point[64] & 1);
    assert_eq!(with(parity, &point[1..33]), ecdsa(point));
    assert_ne!(with(5 - parity, &point[1..33]), ecdsa(point));
}

#[test]
fn a_set_has_each_key_once_and_knows_it_by_fingerprint() {
    let keys = [P256, ED25519, P256_COMPRESSED].map(|pem| PublicKey::from_pem(pem).unwrap());
    let set = KeySet::new(keys.clone());
    assert_eq!(set.keys(), &keys[..2]);
    for keyid in [
        ED25519_DIGEST.to_owned(),
        format!("sha256:{ED25519_DIGEST}"),
        format!("SHA256:{}", ED25519_DIGEST.to_uppercase()),
    ] {
        assert_eq!(set.named(&keyid), Some(1), "{keyid}");
    }
    for keyid in [
        "",
        "sha256:",
        "a",
        "\u{e9}\u{e9}\u{e9}\u{e9}",
        &ED25519_DIGEST[1..],
        &"0".repeat(64),
    ] {
        assert_eq!(set.named(keyid), None, "{keyid}");
    }
}
