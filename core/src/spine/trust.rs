//! The keys that count, and when.

use crate::dsse::{KeySet, PublicKey};
use crate::hash::Hash;

/// A key, and when it counts. Times are microseconds since 2000-01-01 00:00 UTC.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// It counts from then on, that moment included.
    pub valid_from: Option<i64>,
    /// It counts before then, that moment excluded.
    pub valid_until: Option<i64>,
    /// When it was revoked. A revoked key counts for nothing, whatever the time of a segment: that
    /// time is no part of what was signed, so whoever has the key can claim any.
    pub revoked_at: Option<i64>,
    /// A name that its signer may give as `keyid`, beside the fingerprint.
    pub alias: Option<String>,
}

/// Whether a known key counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// It does.
    Trusted,
    /// It was revoked.
    Revoked,
    /// Not yet, at the time in question.
    NotYetValid,
    /// No longer, at the time in question.
    Expired,
}

impl TrustedKey {
    /// A key that counts at any time.
    pub fn always(key: PublicKey) -> TrustedKey {
        TrustedKey {
            key,
            valid_from: None,
            valid_until: None,
            revoked_at: None,
            alias: None,
        }
    }

    /// Whether it counts for what was signed at `time`.
    pub fn standing(&self, time: i64) -> Standing {
        if self.revoked_at.is_some() {
            Standing::Revoked
        } else if self.valid_from.is_some_and(|from| time < from) {
            Standing::NotYetValid
        } else if self.valid_until.is_some_and(|until| time >= until) {
            Standing::Expired
        } else {
            Standing::Trusted
        }
    }
}

/// All known keys, ready to judge any number of spines. Those that do not count any more belong in
/// it too: only so can their good signatures be told from bad ones.
#[derive(Clone, Debug, Default)]
pub struct TrustStore {
    keys: KeySet,
    /// In the order of the set.
    trust: Vec<TrustedKey>,
}

impl TrustStore {
    /// The keys given. Of one given twice, the later counts, but once revoked it stays so.
    pub fn new(trusted: impl IntoIterator<Item = TrustedKey>) -> TrustStore {
        let mut store = TrustStore::default();
        for trusted in trusted {
            let place = store.keys.insert(trusted.key.clone());
            match store.trust.get_mut(place) {
                Some(known) if known.revoked_at.is_some() => {}
                Some(known) => *known = trusted,
                None => store.trust.push(trusted),
            }
        }
        store
    }

    /// The keys, in the order in which they were given.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.trust
    }

    /// The key with this fingerprint.
    pub fn get(&self, fingerprint: &Hash) -> Option<&TrustedKey> {
        self.keys.place(fingerprint).map(|place| &self.trust[place])
    }

    pub(super) fn key_set(&self) -> &KeySet {
        &self.keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_counts_from_its_first_moment_to_before_its_last() {
        // RFC 8410 section 10.1.
        let key = "-----BEGIN PUBLIC KEY-----\n\
                   MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                   -----END PUBLIC KEY-----";
        let mut key = TrustedKey::always(PublicKey::from_pem(key).unwrap());
        assert_eq!(key.standing(i64::MIN), Standing::Trusted);
        (key.valid_from, key.valid_until) = (Some(10), Some(20));
        for (time, standing) in [
            (9, Standing::NotYetValid),
            (10, Standing::Trusted),
            (19, Standing::Trusted),
            (20, Standing::Expired),
        ] {
            assert_eq!(key.standing(time), standing, "at {time}");
        }
        key.revoked_at = Some(15);
        for time in [9, 12, 16, 30] {
            assert_eq!(key.standing(time), Standing::Revoked, "at {time}");
        }
        let always = TrustedKey::always(key.key.clone());
        for given in [[key.clone(), always.clone()], [always.clone(), key.clone()]] {
            let store = TrustStore::new(given);
            assert_eq!(store.keys().len(), 1);
            let found = store.get(&key.key.fingerprint()).unwrap();
            assert_eq!(found.standing(12), Standing::Revoked);
            assert!(store.get(&Hash::ZERO).is_none());
        }
    }
}
