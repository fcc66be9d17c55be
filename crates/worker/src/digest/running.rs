//! The digest of one part in progress: the frames that came and were not hashed yet, and what the others gave.
//!
//! Apart from the threads that use it, so that the arithmetic of frames, blocks and padding can be tested alone. It
//! hashes by itself what lies across the border of two frames and the end; whole blocks it offers to the lanes.

use std::collections::VecDeque;

use bytes::{Buf, Bytes};
use crc_fast::{CrcAlgorithm, Digest as Crc};
use longbow_core::object::{Checksums, Md5};
use longbow_core::transfer::PartDigest;

use super::Wanted;
use super::kernel::{BLOCK, Block, START, State, compress_one};

/// A digest in progress.
pub(super) struct Running {
    /// MD5 over all blocks so far.
    pub(super) state: State,
    carry: Block,
    /// How many bytes of `carry` wait for the rest of their block.
    carried: usize,
    /// The frame that is being hashed; its checksums are taken.
    front: Bytes,
    frames: VecDeque<Bytes>,
    /// Bytes of `front` and `frames`.
    pending: usize,
    length: u64,
    crc64nvme: Crc,
    crc32c: Option<Crc>,
    crc32: Option<Crc>,
}

impl Running {
    pub(super) fn new(wanted: Wanted) -> Self {
        Self {
            state: START,
            carry: [0; BLOCK],
            carried: 0,
            front: Bytes::new(),
            frames: VecDeque::new(),
            pending: 0,
            length: 0,
            crc64nvme: Crc::new(CrcAlgorithm::Crc64Nvme),
            crc32c: wanted.crc32c.then(|| Crc::new(CrcAlgorithm::Crc32Iscsi)),
            crc32: wanted.crc32.then(|| Crc::new(CrcAlgorithm::Crc32IsoHdlc)),
        }
    }

    /// Takes a frame; hashes nothing yet.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.length += frame.len() as u64;
        self.pending += frame.len();
        self.frames.push_back(frame);
    }

    /// Bytes that came so far, hashed or not.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes that are held in memory.
    pub(super) fn pending(&self) -> usize {
        self.pending
    }

    /// Brings whole blocks to the front, hashing what lies across the border of frames. `false`: fewer bytes than a
    /// block are left, and no frame is held any more.
    pub(super) fn align(&mut self) -> bool {
        while self.carried > 0 || self.front.len() < BLOCK {
            let taken = (BLOCK - self.carried).min(self.front.len());
            self.front.copy_to_slice(&mut self.carry[self.carried..][..taken]);
            self.pending -= taken;
            self.carried += taken;
            if self.carried == BLOCK {
                compress_one(&mut self.state, &[self.carry]);
                self.carried = 0;
            } else {
                let Some(frame) = self.frames.pop_front() else {
                    self.front = Bytes::new();
                    return false;
                };
                self.crc64nvme.update(&frame);
                self.crc32c.iter_mut().chain(&mut self.crc32).for_each(|crc| crc.update(&frame));
                self.front = frame;
            }
        }
        true
    }

    /// The whole blocks at the front: some after [`Running::align`] said `true`.
    pub(super) fn blocks(&self) -> &[Block] {
        self.front.as_chunks().0
    }

    /// Leaves behind blocks that were hashed into `state`.
    pub(super) fn advance(&mut self, blocks: usize) {
        self.front.advance(blocks * BLOCK);
        self.pending -= blocks * BLOCK;
    }

    /// Hashes all that is pending, here and now.
    pub(super) fn absorb(&mut self) {
        while self.align() {
            let mut state = self.state;
            compress_one(&mut state, self.blocks());
            self.state = state;
            self.advance(self.blocks().len());
        }
    }

    /// Hashes the rest, and the end as RFC 1321 has it (sections 3.1 and 3.2).
    pub(super) fn finish(mut self) -> PartDigest {
        self.absorb();
        let mut end = [[0; BLOCK]; 2];
        end[0][..self.carried].copy_from_slice(&self.carry[..self.carried]);
        end[0][self.carried] = 0x80;
        let blocks = if self.carried < BLOCK - 8 { 1 } else { 2 };
        end[blocks - 1][BLOCK - 8..].copy_from_slice(&self.length.wrapping_mul(8).to_le_bytes());
        compress_one(&mut self.state, &end[..blocks]);
        let mut md5 = [0; 16];
        for (bytes, word) in md5.as_chunks_mut().0.iter_mut().zip(self.state) {
            *bytes = word.to_le_bytes();
        }
        let narrow = |crc: Option<Crc>| crc.and_then(|crc| u32::try_from(crc.finalize()).ok());
        PartDigest {
            length: self.length,
            md5: Md5(md5),
            checksums: Checksums {
                crc64nvme: Some(self.crc64nvme.finalize()),
                crc32c: narrow(self.crc32c),
                crc32: narrow(self.crc32),
            },
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::digest::DigestService;
    use md5::Digest as _;
    use proptest::prelude::*;

    /// What other people's code says of the bytes.
    pub(in crate::digest) fn reference(data: &[u8], wanted: Wanted) -> PartDigest {
        let narrow = |algorithm| u32::try_from(crc_fast::checksum(algorithm, data)).unwrap();
        PartDigest {
            length: data.len() as u64,
            md5: Md5(md5::Md5::digest(data).into()),
            checksums: Checksums {
                crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, data)),
                crc32c: wanted.crc32c.then(|| narrow(CrcAlgorithm::Crc32Iscsi)),
                crc32: wanted.crc32.then(|| narrow(CrcAlgorithm::Crc32IsoHdlc)),
            },
        }
    }

    /// Cuts data into frames, the sizes taken in turn.
    pub(in crate::digest) fn cut(data: &[u8], sizes: &[usize]) -> Vec<Bytes> {
        let data = Bytes::copy_from_slice(data);
        let mut frames = Vec::new();
        let mut start = 0;
        for size in sizes.iter().chain(std::iter::repeat(&4096)) {
            if start == data.len() {
                break;
            }
            let end = (start + size).min(data.len());
            frames.push(data.slice(start..end));
            start = end;
        }
        frames
    }

    #[test]
    fn every_length_around_the_padding() {
        let data: Vec<u8> = (0..300u32).map(|i| (i * 7) as u8).collect();
        for length in 0..=data.len() {
            let data = &data[..length];
            let frames = [Bytes::copy_from_slice(data)];
            let wanted = Wanted { crc32c: length % 2 == 0, crc32: length % 3 == 0 };
            assert_eq!(DigestService::digest_now(&frames, wanted), reference(data, wanted), "{length} bytes");
        }
        assert_eq!(DigestService::digest_now(&[], Wanted::default()), reference(b"", Wanted::default()));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            data in proptest::collection::vec(any::<u8>(), 0..3000),
            sizes in proptest::collection::vec(0usize..200, 0..40),
        ) {
            let wanted = Wanted { crc32c: true, crc32: true };
            let mut running = Running::new(wanted);
            for frame in cut(&data, &sizes) {
                running.push(frame);
                if data.len() % 2 == 0 {
                    running.absorb();
                    prop_assert_eq!(running.pending(), 0);
                }
            }
            prop_assert_eq!(running.length(), data.len() as u64);
            prop_assert_eq!(running.finish(), reference(&data, wanted));
        }
    }
}
