//! Digests of parts, and what follows from them for the whole.

use crc_fast::CrcAlgorithm;
use md5::{Digest, Md5 as Md5Hasher};
use serde::{Deserialize, Serialize};

use crate::object::{Checksums, ETag, Md5};

/// What was computed over the bytes of one part as they passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartDigest {
    /// How many bytes passed.
    pub length: u64,
    /// Their MD5.
    pub md5: Md5,
    /// Their cyclic redundancy checks: CRC-64/NVME always, the others where the source publishes them.
    pub checksums: Checksums,
}

/// A part that has arrived whole: what resume trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartProof {
    /// From 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// MD5 of the bytes read from the source, as 32 hexadecimal digits.
    pub md5: String,
    /// The tag that the destination gave the part.
    pub etag: ETag,
    /// Their checksums.
    pub checksums: Checksums,
}

impl PartProof {
    /// The proof's MD5; `None` if the record was damaged.
    pub fn digest(&self) -> Option<Md5> {
        Md5::from_hex(&self.md5)
    }
}

/// The ETag that S3 gives to an object of these parts: the MD5 of the parts' MD5s, a dash and their number.
pub fn composite_etag(parts: impl IntoIterator<Item = Md5>) -> ETag {
    let mut hasher = Md5Hasher::new();
    let mut count = 0u32;
    for md5 in parts {
        hasher.update(md5.0);
        count += 1;
    }
    ETag::new(&format!("{}-{count}", Md5(hasher.finalize().into())))
}

/// The checksums of consecutive pieces as one: those that every piece has.
pub fn combine_checksums(pieces: impl IntoIterator<Item = (Checksums, u64)>) -> Checksums {
    let mut pieces = pieces.into_iter();
    let Some((mut all, _)) = pieces.next() else { return Checksums::default() };
    let combine = |algorithm, a: u64, b: u64, length| crc_fast::checksum_combine(algorithm, a, b, length);
    for (piece, length) in pieces {
        let narrow = |algorithm, a: Option<u32>, b: Option<u32>| {
            u32::try_from(combine(algorithm, a?.into(), b?.into(), length)).ok()
        };
        all = Checksums {
            crc64nvme: match (all.crc64nvme, piece.crc64nvme) {
                (Some(a), Some(b)) => Some(combine(CrcAlgorithm::Crc64Nvme, a, b, length)),
                _ => None,
            },
            crc32c: narrow(CrcAlgorithm::Crc32Iscsi, all.crc32c, piece.crc32c),
            crc32: narrow(CrcAlgorithm::Crc32IsoHdlc, all.crc32, piece.crc32),
        };
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sums(data: &[u8]) -> Checksums {
        Checksums {
            crc64nvme: Some(crc_fast::checksum(CrcAlgorithm::Crc64Nvme, data)),
            crc32c: u32::try_from(crc_fast::checksum(CrcAlgorithm::Crc32Iscsi, data)).ok(),
            crc32: u32::try_from(crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, data)).ok(),
        }
    }

    #[test]
    fn known_values() {
        // Check values of the catalogue of parametrised CRC algorithms for "123456789".
        let s = sums(b"123456789");
        assert_eq!(s.crc64nvme, Some(0xae8b_1486_0a79_9888));
        assert_eq!((s.crc32c, s.crc32), (Some(0xe306_9283), Some(0xcbf4_3926)));
        // The composite of one empty part, as S3 documents the form.
        let empty = Md5::from_hex("d41d8cd98f00b204e9800998ecf8427e").unwrap();
        assert_eq!(composite_etag([empty]).as_str(), "59adb24ef3cdbe0297f05b395827453f-1");
    }

    proptest! {
        #[test]
        fn pieces_combine_to_the_whole(data in proptest::collection::vec(any::<u8>(), 0..4000), cut in 0usize..4000) {
            let cut = cut.min(data.len());
            let (a, b) = data.split_at(cut);
            let whole = combine_checksums([(sums(a), a.len() as u64), (sums(b), b.len() as u64)]);
            prop_assert_eq!(whole, sums(&data));
        }
    }
}
