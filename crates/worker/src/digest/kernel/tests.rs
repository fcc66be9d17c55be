//! Every kernel against RFC 1321 and against `md-5`.

use super::*;
use md5::{Digest, Md5};
use proptest::prelude::*;

/// The digest of a message by this file alone: whole blocks by `feed`, then RFC 1321's padding.
fn padded_message(message: &[u8]) -> Vec<Block> {
    let mut bytes = message.to_vec();
    bytes.push(0x80);
    while bytes.len() % BLOCK != BLOCK - 8 {
        bytes.push(0);
    }
    bytes.extend((message.len() as u64 * 8).to_le_bytes());
    bytes.as_chunks().0.to_vec()
}
fn bytes_of(state: State) -> [u8; 16] {
    let mut out = [0; 16];
    out.as_chunks_mut().0.iter_mut().zip(state).for_each(|(o, word)| *o = word.to_le_bytes());
    out
}

#[test]
fn the_test_suite_of_rfc_1321() {
    let cases = [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("a", "0cc175b9c0f1b6a831c399e269772661"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
        ("abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"),
        (
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
            "d174ab98d277d9f5a5611c2c9f419d9f",
        ),
        (
            "12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a",
        ),
    ];
    for (message, hex) in cases {
        let mut state = START;
        compress_one(&mut state, &padded_message(message.as_bytes()));
        assert_eq!(longbow_core::object::Md5(bytes_of(state)).to_string(), hex, "{message:?}");
    }
}

#[test]
fn the_table_is_that_of_sines() {
    for (i, sine) in SINES.into_iter().enumerate() {
        assert_eq!(sine, ((i as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32, "step {i}");
    }
}

#[test]
fn nothing_to_hash_changes_nothing() {
    for kernel in Kernel::available() {
        assert_eq!(kernel.compress(&mut [], &[]), 0);
        let mut states = vec![START; kernel.lanes()];
        assert_eq!(kernel.compress(&mut states, &vec![&[][..]; kernel.lanes()]), 0);
        assert!(states.iter().all(|s| *s == START), "{kernel:?}");
    }
}

proptest! {
    /// Every kernel, every number of messages, unequal lengths: each message by itself, as `md-5` has it.
    #[test]
    fn lanes_do_not_touch_each_other(
        count in 1..=MOST_LANES, seed: u64, short in 0usize..200, spread in 1usize..300,
    ) {
        let messages: Vec<Vec<u8>> = (0..count as u64).map(|i| {
            let length = short + (seed.rotate_left(i as u32 * 7) as usize) % spread;
            let mut x = seed ^ i;
            (0..length).map(|_| { x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(i + 1); (x >> 56) as u8 }).collect()
        }).collect();
        for kernel in Kernel::available() {
            for (group, messages) in messages.chunks(kernel.lanes()).enumerate() {
                let padded: Vec<_> = messages.iter().map(|m| padded_message(m)).collect();
                let mut rest: Vec<(usize, &[Block])> = padded.iter().map(|m| &m[..]).enumerate().collect();
                let mut done = vec![START; messages.len()];
                while !rest.is_empty() {
                    let mut states: Vec<_> = rest.iter().map(|(i, _)| done[*i]).collect();
                    let blocks: Vec<_> = rest.iter().map(|(_, m)| *m).collect();
                    let n = kernel.compress(&mut states, &blocks);
                    prop_assert!(n > 0);
                    for ((i, m), state) in rest.iter_mut().zip(states) {
                        done[*i] = state;
                        *m = &m[n..];
                    }
                    rest.retain(|(_, m)| !m.is_empty());
                }
                for (i, message) in messages.iter().enumerate() {
                    let expected: [u8; 16] = Md5::digest(message).into();
                    prop_assert_eq!(bytes_of(done[i]), expected, "{:?} group {} lane {}", kernel, group, i);
                }
            }
        }
    }
}
