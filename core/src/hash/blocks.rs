//! The blocks of SHA-256, also of several messages at once. One message is a chain of dependent steps that leaves the
//! processor waiting; compressing a block of one and a block of the other in turns lets it work on
//! both. And what many messages begin with can be compressed once.

use sha2::block_api::compress256;

use super::Sink;

/// Bytes in a block.
pub const BLOCK: usize = 64;

/// The state of SHA-256 between blocks.
pub type State = [u32; 8];

/// The most messages that a [`Compress`] is given.
pub const ABREAST: usize = 16;

/// Compresses the blocks of several messages, each into the state of the same index: at least one message and
/// at most [`ABREAST`], as many states, and as many blocks of each. A processor may have better ways than
/// [`in_turns`], which take unsafe code.
pub type Compress = fn(&mut [State], &[&[[u8; BLOCK]]]);

/// As [`Compress`] says, with SHA-256 by the crate `sha2`.
pub fn in_turns(states: &mut [State], messages: &[&[[u8; BLOCK]]]) {
    for (states, messages) in states.chunks_mut(2).zip(messages.chunks(2)) {
        match (states, messages) {
            ([a, b], [x, y]) => compress_two((a, x), (b, y)),
            ([a], [x, ..]) | ([a, ..], [x]) => compress(a, x),
            _ => {}
        }
    }
}

/// The state before the first block (FIPS 180-4 section 5.3.3).
pub(crate) const INITIAL: State = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// The state that a digest is the bytes of.
#[inline]
pub(crate) fn state_of(digest: &[u8; 32]) -> State {
    let (words, _) = digest.as_chunks::<4>();
    std::array::from_fn(|at| u32::from_be_bytes(words[at]))
}

/// Pads a message that ends with `text` and is `total` bytes long (FIPS 180-4 section 5.1.1); what
/// comes before `text` is whole blocks.
#[inline]
pub(crate) fn pad(text: &mut Vec<u8>, total: usize) {
    const PADDING: [u8; BLOCK] = {
        let mut padding = [0; BLOCK];
        padding[0] = 0x80;
        padding
    };
    text.put_first(&PADDING, BLOCK - (text.len() + 8) % BLOCK);
    text.put_first(&(8 * total as u64).to_be_bytes(), 8);
}

/// Compresses the blocks of two messages in turns, each into its own state.
pub(crate) fn compress_two(
    (a, a_blocks): (&mut State, &[[u8; BLOCK]]),
    (b, b_blocks): (&mut State, &[[u8; BLOCK]]),
) {
    let both = a_blocks.len().min(b_blocks.len());
    for (a_block, b_block) in a_blocks.iter().zip(b_blocks) {
        compress256(a, std::slice::from_ref(a_block));
        compress256(b, std::slice::from_ref(b_block));
    }
    compress(a, &a_blocks[both..]);
    compress(b, &b_blocks[both..]);
}

/// Compresses blocks.
pub(crate) fn compress(state: &mut State, blocks: &[[u8; BLOCK]]) {
    if !blocks.is_empty() {
        compress256(state, blocks);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;

    #[test]
    fn two_at_once_are_the_digests_of_each() {
        for len in 0..200 {
            let a: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let b: Vec<u8> = (0..199 - len).map(|at| at as u8 ^ 0x5a).collect();
            let mut states = [INITIAL; 2];
            let mut padded = [a.clone(), b.clone()];
            padded.iter_mut().for_each(|text| pad(text, text.len()));
            let [x, y] = &mut states;
            compress_two((x, padded[0].as_chunks().0), (y, padded[1].as_chunks().0));
            assert_eq!(
                states,
                [state_of(&Hash::of(&a).0), state_of(&Hash::of(&b).0)],
                "{len}"
            );
        }
    }

    #[test]
    fn blocks_in_front_count() {
        let text: Vec<u8> = (0..150).collect();
        let mut state = INITIAL;
        compress(&mut state, text[..128].as_chunks().0);
        let mut rest = text[128..].to_vec();
        pad(&mut rest, text.len());
        compress(&mut state, rest.as_chunks().0);
        assert_eq!(state, state_of(&Hash::of(&text).0));
    }
}
