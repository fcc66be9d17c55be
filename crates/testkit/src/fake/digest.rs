//! Digests of bytes as they arrive, and the comparison with what the sender claimed of them.

use crc_fast::CrcAlgorithm;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, Md5};
use md5::Digest as _;

use super::refusal::refuse;

/// What was computed over the bytes of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// How many bytes.
    pub length: u64,
    /// Their MD5.
    pub md5: Md5,
    /// CRC-64/NVME always, the others when they were asked for.
    pub checksums: Checksums,
}

/// Which digests the sender states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Claims {
    /// `Content-MD5`.
    pub md5: Option<Md5>,
    /// `x-amz-checksum-…`.
    pub checksums: Checksums,
}

/// A running digest.
pub struct Digester {
    length: u64,
    md5: md5::Md5,
    crc64nvme: crc_fast::Digest,
    crc32c: Option<crc_fast::Digest>,
    crc32: Option<crc_fast::Digest>,
}

impl Digester {
    /// A digest of nothing yet. MD5 and CRC-64/NVME are always computed, the others as told.
    pub fn new(crc32c: bool, crc32: bool) -> Self {
        Self {
            length: 0,
            md5: md5::Md5::new(),
            crc64nvme: crc_fast::Digest::new(CrcAlgorithm::Crc64Nvme),
            crc32c: crc32c.then(|| crc_fast::Digest::new(CrcAlgorithm::Crc32Iscsi)),
            crc32: crc32.then(|| crc_fast::Digest::new(CrcAlgorithm::Crc32IsoHdlc)),
        }
    }

    /// The digests that `claims` can be compared with.
    pub fn for_claims(claims: &Claims) -> Self {
        Self::new(claims.checksums.crc32c.is_some(), claims.checksums.crc32.is_some())
    }

    /// More bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.length += bytes.len() as u64;
        self.md5.update(bytes);
        self.crc64nvme.update(bytes);
        for digest in [&mut self.crc32c, &mut self.crc32].into_iter().flatten() {
            digest.update(bytes);
        }
    }

    /// The digests of all bytes so far.
    pub fn finish(self) -> Digests {
        let narrow = |digest: Option<crc_fast::Digest>| digest.map(|d| (d.finalize() & 0xffff_ffff) as u32);
        Digests {
            length: self.length,
            md5: Md5(self.md5.finalize().into()),
            checksums: Checksums {
                crc64nvme: Some(self.crc64nvme.finalize()),
                crc32c: narrow(self.crc32c),
                crc32: narrow(self.crc32),
            },
        }
    }
}

impl Digests {
    /// Refuses bytes that are not what their sender claims.
    pub fn check(&self, claims: &Claims) -> Result<(), StoreError> {
        if claims.md5.is_some_and(|md5| md5 != self.md5) {
            let message = "the Content-MD5 sent is not that of the bytes received";
            return Err(refuse(StoreErrorKind::Corrupt, "BadDigest", message));
        }
        if self.checksums.agrees(&claims.checksums) == Some(false) {
            let message = format!(
                "the checksum sent ({}) is not that of the bytes received ({})",
                claims.checksums, self.checksums
            );
            return Err(refuse(StoreErrorKind::Corrupt, "BadDigest", message));
        }
        Ok(())
    }
}
