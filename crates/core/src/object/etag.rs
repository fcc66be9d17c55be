//! Entity tags and the MD5 digests that many of them are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An MD5 digest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Md5(pub [u8; 16]);

impl Md5 {
    /// Reads 32 hexadecimal digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let bytes = hex.as_bytes();
        if bytes.len() != 32 {
            return None;
        }
        let mut out = [0u8; 16];
        for (i, pair) in bytes.chunks_exact(2).enumerate() {
            let high = (pair[0] as char).to_digit(16)?;
            let low = (pair[1] as char).to_digit(16)?;
            out[i] = u8::try_from(high * 16 + low).ok()?;
        }
        Some(Self(out))
    }

    /// The digest in base64, as the header `Content-MD5` wants it (RFC 1864).
    pub fn to_base64(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(self.0)
    }
}

impl fmt::Display for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Md5({self})")
    }
}

/// What the form of an ETag says about the bytes. Only the form: under SSE-KMS, SSE-C and DSSE an ETag of the
/// form of an MD5 is none (S3 API reference, "Object", `ETag`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ETagKind {
    /// 32 hexadecimal digits: the MD5 of the whole object.
    Md5(Md5),
    /// The MD5 of the concatenated MD5s of `parts` parts.
    Composite {
        /// The digest before the dash.
        md5: Md5,
        /// The number after the dash; at least 1.
        parts: u32,
    },
    /// The identity of a local file (size, modification time, inode): changes when the file changes, and says
    /// nothing about its bytes.
    File,
    /// Something else; equal tags mean equal objects within one store, and nothing more is known.
    Opaque,
}

/// An entity tag without its quotation marks: changes whenever the object's bytes do.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ETag(Box<str>);

const FILE_PREFIX: &str = "file:";

impl ETag {
    /// Takes a tag as a server sends it, with or without quotation marks.
    pub fn new(text: &str) -> Self {
        let text = text.trim();
        Self(text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text).into())
    }

    /// The identity of a local file.
    pub fn of_file(size: u64, modified_nanoseconds: i128, inode: u64) -> Self {
        Self(format!("{FILE_PREFIX}{size:x}-{modified_nanoseconds:x}-{inode:x}").into())
    }

    /// The tag that S3 gives to an object put in one piece without KMS.
    pub fn of_md5(md5: Md5) -> Self {
        Self(md5.to_string().into())
    }

    /// The tag without quotation marks.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tag in quotation marks, as conditional headers want it (RFC 9110, section 8.8.3).
    pub fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// What the form of the tag says.
    pub fn kind(&self) -> ETagKind {
        if self.0.starts_with(FILE_PREFIX) {
            return ETagKind::File;
        }
        if let Some(md5) = Md5::from_hex(&self.0) {
            return ETagKind::Md5(md5);
        }
        if let Some((digest, parts)) = self.0.split_once('-')
            && let (Some(md5), Ok(parts @ 1..)) = (Md5::from_hex(digest), parts.parse::<u32>())
        {
            return ETagKind::Composite { md5, parts };
        }
        ETagKind::Opaque
    }
}

impl fmt::Display for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ETag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ETag({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn the_form_of_a_tag_is_read() {
        let md5 = Md5::from_hex(HEX).unwrap();
        assert_eq!(ETag::new(&format!("\"{HEX}\"")).kind(), ETagKind::Md5(md5));
        assert_eq!(ETag::new(&format!("{HEX}-12")).kind(), ETagKind::Composite { md5, parts: 12 });
        assert_eq!(ETag::new(&format!("{HEX}-0")).kind(), ETagKind::Opaque);
        assert_eq!(ETag::new("whatever").kind(), ETagKind::Opaque);
        assert_eq!(ETag::of_file(3, -5, 7).kind(), ETagKind::File);
        assert_eq!(ETag::of_md5(md5).as_str(), HEX);
        assert_eq!(ETag::new("x").quoted(), "\"x\"");
    }

    #[test]
    fn content_md5_is_base64() {
        assert_eq!(Md5::from_hex(HEX).unwrap().to_base64(), "1B2M2Y8AsgTpgAmY7PhCfg==");
        assert_eq!(Md5::from_hex("zz"), None);
        assert_eq!(Md5::from_hex(&"é".repeat(16)), None);
    }
}
