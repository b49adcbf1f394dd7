//! Envelopes, keys and signatures: what is accepted, and what is refused for which reason.

mod binding;
mod envelope;
mod foreign;
mod keys;
mod random;
mod vector;
mod verify;
