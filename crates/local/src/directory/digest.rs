//! Digests of bytes on their way to a file, and the comparison with what was promised.

use bytes::Bytes;
use crc_fast::CrcAlgorithm;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, Md5, ObjectKey};
use md5::Digest as _;

/// The digests that a write was asked to prove.
pub(super) struct Digests {
    md5: Option<(md5::Md5, Md5)>,
    checks: Vec<(CrcAlgorithm, crc_fast::Digest, u64)>,
}

impl Digests {
    /// Only what is promised is computed.
    pub(super) fn promised(md5: Option<Md5>, sums: &Checksums) -> Self {
        let checks = [
            (CrcAlgorithm::Crc64Nvme, sums.crc64nvme),
            (CrcAlgorithm::Crc32Iscsi, sums.crc32c.map(u64::from)),
            (CrcAlgorithm::Crc32IsoHdlc, sums.crc32.map(u64::from)),
        ];
        Self {
            md5: md5.map(|promised| (md5::Md5::new(), promised)),
            checks: checks
                .into_iter()
                .filter_map(|(algorithm, sum)| Some((algorithm, crc_fast::Digest::new(algorithm), sum?)))
                .collect(),
        }
    }

    /// Takes the next bytes.
    pub(super) fn update(&mut self, frames: &[Bytes]) {
        for frame in frames {
            if let Some((hasher, _)) = &mut self.md5 {
                hasher.update(frame);
            }
            for (_, digest, _) in &mut self.checks {
                digest.update(frame);
            }
        }
    }

    /// Whether the bytes were the promised ones.
    pub(super) fn check(self, key: &ObjectKey) -> Result<(), StoreError> {
        let md5_holds = self.md5.is_none_or(|(hasher, promised)| Md5(hasher.finalize().into()) == promised);
        if !md5_holds {
            return Err(other_bytes(key, "MD5"));
        }
        for (algorithm, digest, promised) in self.checks {
            if digest.finalize() != promised {
                let name = match algorithm {
                    CrcAlgorithm::Crc64Nvme => "CRC-64/NVME",
                    CrcAlgorithm::Crc32Iscsi => "CRC-32C",
                    _ => "CRC-32",
                };
                return Err(other_bytes(key, name));
            }
        }
        Ok(())
    }
}

/// The MD5 and the CRC-64 of a part: its tag, and what proves the whole from its parts.
pub(super) struct PartDigests {
    md5: md5::Md5,
    crc64: crc_fast::Digest,
}

impl PartDigests {
    pub(super) fn new() -> Self {
        Self { md5: md5::Md5::new(), crc64: crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme) }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.crc64.update(bytes);
    }

    pub(super) fn finish(self) -> (Md5, u64) {
        (Md5(self.md5.finalize().into()), self.crc64.finalize())
    }
}

/// The bytes are not the promised ones.
pub(super) fn other_bytes(key: &ObjectKey, digest: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Corrupt,
        format!("the bytes of {key} do not have the {digest} that they should"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_promise_is_kept_or_refused() {
        // Check values of the CRC catalogue for "123456789"; its MD5 by md5sum.
        let md5 = Md5::from_hex("25f9e794323b453885f5181f1b624d0b").unwrap();
        let right = Checksums {
            crc64nvme: Some(0xae8b_1486_0a79_9888),
            crc32c: Some(0xe306_9283),
            crc32: Some(0xcbf4_3926),
        };
        let check = |md5, sums: &Checksums| {
            let mut digests = Digests::promised(md5, sums);
            digests.update(&[Bytes::from_static(b"1234"), Bytes::from_static(b"56789")]);
            digests.check(&ObjectKey::from("k")).map_err(|e| e.kind)
        };
        assert_eq!(check(Some(md5), &right), Ok(()));
        assert_eq!(check(None, &Checksums::default()), Ok(()));
        assert_eq!(check(Some(Md5([0; 16])), &right), Err(StoreErrorKind::Corrupt));
        for wrong in [
            Checksums { crc64nvme: Some(1), ..right },
            Checksums { crc32c: Some(1), ..right },
            Checksums { crc32: Some(1), ..right },
        ] {
            assert_eq!(check(Some(md5), &wrong), Err(StoreErrorKind::Corrupt), "{wrong}");
        }
    }
}
