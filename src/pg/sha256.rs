//! SHA-256 of sixteen messages abreast, on processors that have AVX-512: one word of each message is a lane of a
//! register, and every step of the compression function (FIPS 180-4 section 6.2.2) is taken for all of them at
//! once. That takes about half as long as the instructions for SHA-256 do for one message after the other.

use auditspine_core::hash::{ABREAST, BLOCK, Compress, State, in_turns};

/// The quickest way of this processor to compress several messages.
pub fn compress_abreast() -> Compress {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
        return wide::compress_if_many;
    }
    in_turns
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use core::arch::x86_64::*;

    use super::{ABREAST, BLOCK, State, in_turns};

    /// Up to so many messages are quicker one after the other.
    const FEW: usize = 8;

    /// The constants of the 64 rounds (FIPS 180-4 section 4.2.2).
    const K: [u32; 64] = [
        0x428a_2f98,
        0x7137_4491,
        0xb5c0_fbcf,
        0xe9b5_dba5,
        0x3956_c25b,
        0x59f1_11f1,
        0x923f_82a4,
        0xab1c_5ed5,
        0xd807_aa98,
        0x1283_5b01,
        0x2431_85be,
        0x550c_7dc3,
        0x72be_5d74,
        0x80de_b1fe,
        0x9bdc_06a7,
        0xc19b_f174,
        0xe49b_69c1,
        0xefbe_4786,
        0x0fc1_9dc6,
        0x240c_a1cc,
        0x2de9_2c6f,
        0x4a74_84aa,
        0x5cb0_a9dc,
        0x76f9_88da,
        0x983e_5152,
        0xa831_c66d,
        0xb003_27c8,
        0xbf59_7fc7,
        0xc6e0_0bf3,
        0xd5a7_9147,
        0x06ca_6351,
        0x1429_2967,
        0x27b7_0a85,
        0x2e1b_2138,
        0x4d2c_6dfc,
        0x5338_0d13,
        0x650a_7354,
        0x766a_0abb,
        0x81c2_c92e,
        0x9272_2c85,
        0xa2bf_e8a1,
        0xa81a_664b,
        0xc24b_8b70,
        0xc76c_51a3,
        0xd192_e819,
        0xd699_0624,
        0xf40e_3585,
        0x106a_a070,
        0x19a4_c116,
        0x1e37_6c08,
        0x2748_774c,
        0x34b0_bcb5,
        0x391c_0cb3,
        0x4ed8_aa4a,
        0x5b9c_ca4f,
        0x682e_6ff3,
        0x748f_82ee,
        0x78a5_636f,
        0x84c8_7814,
        0x8cc7_0208,
        0x90be_fffa,
        0xa450_6ceb,
        0xbef9_a3f7,
        0xc671_78f2,
    ];

    /// Is to be called only where there is AVX-512, so only `compress_abreast` hands it out.
    pub(super) fn compress_if_many(states: &mut [State], messages: &[&[[u8; BLOCK]]]) {
        if messages.len() <= FEW || messages.len() > ABREAST || states.len() != messages.len() {
            return in_turns(states, messages);
        }
        let blocks = messages
            .iter()
            .map(|message| message.len())
            .min()
            .unwrap_or_default();
        // Lanes that nobody needs compress the first message again.
        let (mut of_all, mut all) = ([states[0]; ABREAST], [messages[0]; ABREAST]);
        of_all[..states.len()].copy_from_slice(states);
        all[..messages.len()].copy_from_slice(messages);
        // SAFETY: this function is called only where the processor was found to have both features.
        unsafe { compress(&mut of_all, &all, blocks) };
        states.copy_from_slice(&of_all[..states.len()]);
    }

    /// Compresses so many blocks of each message.
    #[target_feature(enable = "avx512f,avx512bw")]
    fn compress(
        states: &mut [State; ABREAST],
        messages: &[&[[u8; BLOCK]]; ABREAST],
        blocks: usize,
    ) {
        let rows = std::array::from_fn(|at| load_state(&states[at]));
        let [a, b, c, d, e, f, g, h, zeros @ ..] = transpose(rows);
        let mut state = [a, b, c, d, e, f, g, h];
        for at in 0..blocks {
            let schedule = transpose(messages.map(|message| load_swapped(&message[at])));
            state = rounds(state, schedule);
        }
        let [a, b, c, d, e, f, g, h] = state;
        let [i, j, k, l, m, n, o, p] = zeros;
        let rows = transpose([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]);
        for (state, row) in states.iter_mut().zip(rows) {
            store_state(row, state);
        }
    }

    /// A state, followed by zeros.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load_state(state: &State) -> __m512i {
        // SAFETY: 32 bytes are read, which is what a state has; no alignment is asked for.
        _mm512_zextsi256_si512(unsafe { _mm256_loadu_si256(state.as_ptr().cast()) })
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn store_state(row: __m512i, state: &mut State) {
        // SAFETY: 32 bytes are written, which is what a state has; no alignment is asked for.
        unsafe { _mm256_storeu_si256(state.as_mut_ptr().cast(), _mm512_castsi512_si256(row)) };
    }

    /// The words of a block, which are big-endian.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn load_swapped(block: &[u8; BLOCK]) -> __m512i {
        let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
        // SAFETY: 64 bytes are read, which is what a block has; no alignment is asked for.
        let block = unsafe { _mm512_loadu_si512(block.as_ptr().cast()) };
        _mm512_shuffle_epi8(block, _mm512_broadcast_i32x4(order))
    }

    /// The words of sixteen messages, by message, become those of all messages, by word.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn transpose(mut rows: [__m512i; 16]) -> [__m512i; 16] {
        let mut other = rows;
        for at in 0..8 {
            other[2 * at] = _mm512_unpacklo_epi32(rows[2 * at], rows[2 * at + 1]);
            other[2 * at + 1] = _mm512_unpackhi_epi32(rows[2 * at], rows[2 * at + 1]);
        }
        for at in [0, 4, 8, 12] {
            rows[at] = _mm512_unpacklo_epi64(other[at], other[at + 2]);
            rows[at + 1] = _mm512_unpackhi_epi64(other[at], other[at + 2]);
            rows[at + 2] = _mm512_unpacklo_epi64(other[at + 1], other[at + 3]);
            rows[at + 3] = _mm512_unpackhi_epi64(other[at + 1], other[at + 3]);
        }
        for at in 0..4 {
            other[at] = _mm512_shuffle_i32x4::<0x88>(rows[at], rows[at + 4]);
            other[at + 4] = _mm512_shuffle_i32x4::<0xdd>(rows[at], rows[at + 4]);
            other[at + 8] = _mm512_shuffle_i32x4::<0x88>(rows[at + 8], rows[at + 12]);
            other[at + 12] = _mm512_shuffle_i32x4::<0xdd>(rows[at + 8], rows[at + 12]);
        }
        for at in 0..4 {
            rows[at] = _mm512_shuffle_i32x4::<0x88>(other[at], other[at + 8]);
            rows[at + 4] = _mm512_shuffle_i32x4::<0x88>(other[at + 4], other[at + 12]);
            rows[at + 8] = _mm512_shuffle_i32x4::<0xdd>(other[at], other[at + 8]);
            rows[at + 12] = _mm512_shuffle_i32x4::<0xdd>(other[at + 4], other[at + 12]);
        }
        rows
    }

    /// The three-way operations, as tables of what they give for each three bits.
    const XOR: i32 = 0x96;
    const CHOOSE: i32 = 0xca;
    const MAJORITY: i32 = 0xe8;

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn xor(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
        _mm512_ternarylogic_epi32::<XOR>(a, b, c)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn add(a: __m512i, b: __m512i) -> __m512i {
        _mm512_add_epi32(a, b)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn rotated<const A: i32, const B: i32, const C: i32>(word: __m512i) -> __m512i {
        let by = (
            _mm512_ror_epi32::<A>(word),
            _mm512_ror_epi32::<B>(word),
            _mm512_ror_epi32::<C>(word),
        );
        xor(by.0, by.1, by.2)
    }

    /// Compresses a block of each message, given the words of the blocks.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn rounds(state: [__m512i; 8], mut w: [__m512i; 16]) -> [__m512i; 8] {
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = state;
        for first in [0, 16, 32, 48] {
            // All indices are known once this is unrolled.
            for at in 0..16 {
                if first > 0 {
                    let (early, late) = (w[(at + 1) % 16], w[(at + 14) % 16]);
                    let s0 = xor(
                        _mm512_ror_epi32::<7>(early),
                        _mm512_ror_epi32::<18>(early),
                        _mm512_srli_epi32::<3>(early),
                    );
                    let s1 = xor(
                        _mm512_ror_epi32::<17>(late),
                        _mm512_ror_epi32::<19>(late),
                        _mm512_srli_epi32::<10>(late),
                    );
                    w[at] = add(add(w[at], s0), add(w[(at + 9) % 16], s1));
                }
                let k = _mm512_set1_epi32(K[first + at].cast_signed());
                let choice = _mm512_ternarylogic_epi32::<CHOOSE>(e, f, g);
                let majority = _mm512_ternarylogic_epi32::<MAJORITY>(a, b, c);
                let one = add(add(add(h, add(w[at], k)), choice), rotated::<6, 11, 25>(e));
                let two = add(rotated::<2, 13, 22>(a), majority);
                (h, g, f, e, d, c, b, a) = (g, f, e, add(d, one), c, b, a, add(one, two));
            }
        }
        let [a0, b0, c0, d0, e0, f0, g0, h0] = state;
        [
            add(a, a0),
            add(b, b0),
            add(c, c0),
            add(d, d0),
            add(e, e0),
            add(f, f0),
            add(g, g0),
            add(h, h0),
        ]
    }
}
