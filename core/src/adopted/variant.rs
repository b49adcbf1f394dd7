//! How a chain of the older shape is written down.

use std::fmt;

use super::row::Row;
use crate::hash::{Hash, HashSink, Sink};

/// How the hash columns are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// 32 bytes.
    Bytea,
    /// 64 hex digits.
    Text,
}

/// What goes into the hash of the two hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Their bytes.
    Bytes,
    /// Their hex digits, as they are stored (lower-case for bytea).
    Hex,
}

/// What goes into the hash of `seq`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeqForm {
    /// 8 bytes, big-endian.
    Int8,
    /// Decimal digits.
    Decimal,
}

/// What goes into the hash where the first row has no `prev_hash` (null, or empty).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Genesis {
    /// Nothing.
    Nothing,
    /// 32 zero bytes, or their hex digits.
    Zeros,
}

/// How a chain is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variant {
    /// How the hash columns are stored.
    pub storage: Storage,
    /// What goes into the hash of the two hashes.
    pub input: Input,
    /// What goes into the hash of `seq`.
    pub seq: SeqForm,
    /// What goes into the hash before the first row.
    pub genesis: Genesis,
}

const ZERO_DIGITS: [u8; 64] = [b'0'; 64];

impl Variant {
    /// The variant by which the most of these rows, the first of a chain, have the `chain_hash` that
    /// they should; `None` if none of them has by any.
    pub fn detect(storage: Storage, rows: &[Row]) -> Option<Variant> {
        let mut best = None;
        for input in [Input::Bytes, Input::Hex] {
            for seq in [SeqForm::Int8, SeqForm::Decimal] {
                for genesis in [Genesis::Nothing, Genesis::Zeros] {
                    let variant = Variant {
                        storage,
                        input,
                        seq,
                        genesis,
                    };
                    let sound = |row: &&Row| {
                        let chain = variant.decoded(row.chain.as_deref());
                        chain.is_some() && variant.chain_hash(row) == chain
                    };
                    let count = rows.iter().filter(sound).count();
                    if count > 0 && best.is_none_or(|(most, _)| count > most) {
                        best = Some((count, variant));
                    }
                }
            }
        }
        best.map(|(_, variant)| variant)
    }

    /// The hash that a column holds; `None` if it holds none.
    pub fn decoded(&self, value: Option<&[u8]>) -> Option<Hash> {
        match self.storage {
            Storage::Bytea => Hash::from_slice(value?),
            Storage::Text => {
                let mut hash = Hash::ZERO;
                hex::decode_to_slice(value?, &mut hash.0).ok()?;
                Some(hash)
            }
        }
    }

    /// Whether a `prev_hash` says that nothing comes before: null, empty or zeros.
    pub fn is_genesis(&self, prev: Option<&[u8]>) -> bool {
        prev.is_none_or(<[u8]>::is_empty) || self.decoded(prev) == Some(Hash::ZERO)
    }

    /// The `chain_hash` that a row should have; `None` if one of its hashes is none.
    pub fn chain_hash(&self, row: &Row) -> Option<Hash> {
        let mut sink = HashSink::new();
        match row.prev.as_deref().filter(|prev| !prev.is_empty()) {
            Some(prev) => self.put(prev, &mut sink)?,
            None if self.genesis == Genesis::Nothing => {}
            None if self.input == Input::Bytes => sink.put(&Hash::ZERO.0),
            None => sink.put(&ZERO_DIGITS),
        }
        self.put(row.event.as_deref()?, &mut sink)?;
        match self.seq {
            SeqForm::Int8 => sink.put(&row.seq.to_be_bytes()),
            SeqForm::Decimal => sink.put(row.seq.to_string().as_bytes()),
        }
        Some(sink.finish().0)
    }

    fn put(&self, value: &[u8], sink: &mut HashSink) -> Option<()> {
        let hash = self.decoded(Some(value))?;
        match (self.input, self.storage) {
            (Input::Bytes, _) => sink.put(&hash.0),
            (Input::Hex, Storage::Bytea) => sink.put(&hash.to_hex()),
            (Input::Hex, Storage::Text) => sink.put(value),
        }
        Some(())
    }

    /// Reads what is displayed.
    pub fn parse(text: &str) -> Option<Variant> {
        let all = [Storage::Bytea, Storage::Text]
            .into_iter()
            .flat_map(|storage| {
                [Input::Bytes, Input::Hex]
                    .into_iter()
                    .flat_map(move |input| {
                        [SeqForm::Int8, SeqForm::Decimal]
                            .into_iter()
                            .flat_map(move |seq| {
                                [Genesis::Nothing, Genesis::Zeros].map(|genesis| Variant {
                                    storage,
                                    input,
                                    seq,
                                    genesis,
                                })
                            })
                    })
            });
        all.into_iter().find(|variant| variant.to_string() == text)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let storage = match self.storage {
            Storage::Bytea => "bytea",
            Storage::Text => "text",
        };
        let input = match self.input {
            Input::Bytes => "bytes",
            Input::Hex => "hex digits",
        };
        let seq = match self.seq {
            SeqForm::Int8 => "8 bytes",
            SeqForm::Decimal => "decimal",
        };
        let genesis = match self.genesis {
            Genesis::Nothing => "nothing",
            Genesis::Zeros => "zeros",
        };
        write!(
            f,
            "{storage} hashes, hashed as {input}; seq as {seq}; no prev_hash as {genesis}"
        )
    }
}
