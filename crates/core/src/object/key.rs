//! Object keys, key prefixes and the orders in which stores list keys.
//!
//! A key is a sequence of bytes that happens to be UTF-8. It is never normalised, joined, split or decoded here:
//! `a//b`, `/a`, `a/../b`, `%41` and a trailing `/` are names like any other.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The longest key that Amazon S3 takes, in bytes of UTF-8 (S3 User Guide, "Naming Amazon S3 objects").
pub const MAX_KEY_BYTES: usize = 1024;

/// Why a string is no object key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// S3 has no object without a name.
    #[error("an object key must not be empty")]
    Empty,
    /// Longer than [`MAX_KEY_BYTES`].
    #[error("the key has {0} bytes; Amazon S3 takes at most {MAX_KEY_BYTES}")]
    TooLong(usize),
}

/// The full name of an object inside its bucket, or of a file inside its folder. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ObjectKey(Arc<str>);

impl ObjectKey {
    /// Takes the key as it is. Stores with other limits than S3 exist, so only the store refuses long keys;
    /// see [`ObjectKey::check`].
    pub fn new(key: impl Into<Arc<str>>) -> Self {
        Self(key.into())
    }

    /// Whether Amazon S3 would take this key.
    pub fn check(&self) -> Result<(), KeyError> {
        match self.0.len() {
            0 => Err(KeyError::Empty),
            n if n > MAX_KEY_BYTES => Err(KeyError::TooLong(n)),
            _ => Ok(()),
        }
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part of the key after `prefix`, or `None` when the key lies elsewhere.
    pub fn strip(&self, prefix: &Prefix) -> Option<&str> {
        self.0.strip_prefix(prefix.as_str())
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Keys may hold control characters; a log line or a terminal must not obey them.
        for c in self.0.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { fmt::Write::write_char(f, c)? }
        }
        Ok(())
    }
}

impl fmt::Debug for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl From<&str> for ObjectKey {
    fn from(key: &str) -> Self {
        Self::new(key)
    }
}

impl From<String> for ObjectKey {
    fn from(key: String) -> Self {
        Self::new(key)
    }
}

impl Borrow<str> for ObjectKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// A folder of keys: empty (everything) or ending in `/`, unless taken raw.
///
/// `s3://b/p` and `s3://b/p/` both mean what lies under `p/`, never `pp/…`. [`Prefix::raw`] is S3's bare prefix.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prefix(String);

impl Prefix {
    /// The prefix of a folder of keys: `p` becomes `p/`; the empty one stays empty.
    pub fn folder(text: &str) -> Self {
        if text.is_empty() || text.ends_with('/') { Self(text.to_owned()) } else { Self(format!("{text}/")) }
    }

    /// The prefix exactly as written, as S3's own `prefix` parameter takes it.
    pub fn raw(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The prefix as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `other` lies inside this prefix, or is it.
    pub fn contains(&self, other: &Prefix) -> bool {
        other.0.starts_with(&self.0)
    }

    /// The full key of what is called `rest` under this prefix.
    pub fn join(&self, rest: &str) -> ObjectKey {
        if self.0.is_empty() {
            return ObjectKey::new(rest);
        }
        let mut key = String::with_capacity(self.0.len() + rest.len());
        key.push_str(&self.0);
        key.push_str(rest);
        ObjectKey::new(key)
    }
}

/// The order in which a store lists keys.
///
/// Amazon S3's general-purpose buckets list in byte order. Stores built on a tree of folders (SeaweedFS, some
/// gateways) list each folder's entries in order of their names, so that `a/b` comes before `a-b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOrder {
    /// By the bytes of the whole key, as Amazon S3 documents.
    Bytes,
    /// By path segments: as byte order would be if `/` sorted before every other byte.
    Folders,
}

impl KeyOrder {
    /// Compares two keys in this order.
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        match self {
            Self::Bytes => a.as_bytes().cmp(b.as_bytes()),
            Self::Folders => {
                // A key that ends, or goes on with `/`, comes before a key that goes on with anything else.
                let rank = |byte: &u8| if *byte == b'/' { 0u16 } else { u16::from(*byte) + 1 };
                a.as_bytes().iter().map(rank).cmp(b.as_bytes().iter().map(rank))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_folder_of_keys_and_never_its_siblings() {
        assert_eq!(Prefix::folder("p"), Prefix::folder("p/"));
        let p = Prefix::folder("p");
        assert_eq!(ObjectKey::from("p/x").strip(&p), Some("x"));
        assert_eq!(ObjectKey::from("pp/x").strip(&p), None);
        assert_eq!(Prefix::folder("").as_str(), "");
        assert_eq!(ObjectKey::from("pp/x").strip(&Prefix::raw("p")), Some("p/x"));
    }

    #[test]
    fn join_and_strip_keep_every_byte() {
        for rest in ["a//b", "/a", "a/./b", "a/../b", "+", "%41", " x ", "é", "dir/", "\u{1}"] {
            for prefix in [Prefix::folder(""), Prefix::folder("p"), Prefix::raw("q")] {
                assert_eq!(prefix.join(rest).strip(&prefix), Some(rest));
            }
        }
    }

    #[test]
    fn folder_order_puts_a_folder_before_its_longer_siblings() {
        let mut keys = ["a0", "a/b", "a.b", "a-b", "a", "a/"];
        keys.sort_by(|a, b| KeyOrder::Folders.compare(a, b));
        assert_eq!(keys, ["a", "a/", "a/b", "a-b", "a.b", "a0"]);
        keys.sort_by(|a, b| KeyOrder::Bytes.compare(a, b));
        assert_eq!(keys, ["a", "a-b", "a.b", "a/", "a/b", "a0"]);
    }

    #[test]
    fn display_shows_control_characters_harmlessly() {
        assert_eq!(ObjectKey::from("a\u{1b}[2Jb\n").to_string(), "a\\u{1b}[2Jb\\n");
    }

    #[test]
    fn the_limit_is_in_bytes() {
        assert_eq!(ObjectKey::from("").check(), Err(KeyError::Empty));
        assert!(ObjectKey::new("x".repeat(1024)).check().is_ok());
        assert_eq!(ObjectKey::new("é".repeat(513)).check(), Err(KeyError::TooLong(1026)));
    }
}
