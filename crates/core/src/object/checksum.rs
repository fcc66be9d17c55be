//! The checksums that a store keeps with an object.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Whether a stored checksum covers the object's bytes or the checksums of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChecksumKind {
    /// Over all the bytes: comparable whatever the part sizes.
    FullObject,
    /// Over the parts' checksums: comparable between equal part sizes only.
    Composite,
}

/// The cyclic redundancy checks of all bytes of an object, as far as they are known. The three that S3 can keep
/// as full-object checksums of multipart objects; SHA checksums are not read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Checksums {
    /// CRC-64/NVME, S3's default since December 2024.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc64nvme: Option<u64>,
    /// CRC-32C (Castagnoli).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32c: Option<u32>,
    /// CRC-32 (ISO-HDLC), the default of the SDKs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crc32: Option<u32>,
}

impl Checksums {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Compares by the checksums that both sides know: `None` when they share none.
    pub fn agrees(&self, other: &Self) -> Option<bool> {
        fn both<T: PartialEq>(a: Option<T>, b: Option<T>) -> Option<bool> {
            Some(a? == b?)
        }
        let shared = [
            both(self.crc64nvme, other.crc64nvme),
            both(self.crc32c, other.crc32c),
            both(self.crc32, other.crc32),
        ];
        shared.into_iter().flatten().reduce(|a, b| a && b)
    }

    /// Base64 of the big-endian bytes, as S3's headers state them.
    pub fn to_base64(bytes: &[u8]) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(bytes)
    }

    /// Reads S3's base64 form; `None` for composite forms (`…-3`) and anything unreadable.
    pub fn from_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).ok()?.try_into().ok()
    }
}

impl fmt::Debug for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksums({self})")
    }
}

impl fmt::Display for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(c) = self.crc64nvme {
            write!(f, "crc64nvme:{c:016x}")?;
            separator = " ";
        }
        if let Some(c) = self.crc32c {
            write!(f, "{separator}crc32c:{c:08x}")?;
            separator = " ";
        }
        if let Some(c) = self.crc32 {
            write!(f, "{separator}crc32:{c:08x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_shared_checksums_decide() {
        let a = Checksums { crc64nvme: Some(1), crc32: Some(2), ..Default::default() };
        let b = Checksums { crc32: Some(2), ..Default::default() };
        let c = Checksums { crc32c: Some(2), ..Default::default() };
        assert_eq!(a.agrees(&b), Some(true));
        assert_eq!(a.agrees(&c), None);
        assert_eq!(
            a.agrees(&Checksums { crc64nvme: Some(1), crc32: Some(3), ..Default::default() }),
            Some(false)
        );
        assert_eq!(a.to_string(), "crc64nvme:0000000000000001 crc32:00000002");
    }

    #[test]
    fn composite_forms_are_not_read() {
        assert_eq!(Checksums::from_base64::<4>("AAAAAQ=="), Some([0, 0, 0, 1]));
        assert_eq!(Checksums::from_base64::<4>("AAAAAQ==-3"), None);
    }
}
