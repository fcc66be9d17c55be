//! Which objects a manifest has named before, in bounded memory.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use md5::{Digest as _, Md5};

use crate::object::{ObjectKey, VersionId};

/// The digests are as good as random: any part of one is a hash.
#[derive(Default)]
struct Folded(u64);

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }
}

type Digests = HashSet<u128, BuildHasherDefault<Folded>>;

/// Remembers at least the last half of `most` objects, at about 30 bytes each.
///
/// Beyond that an object that comes again is not noticed. That costs one job that finds its work done, never a wrong
/// copy; so the bound is worth more than the last duplicate. The digest has 128 bits: two different objects would have
/// to be made to collide.
pub(super) struct Seen {
    most: usize,
    newer: Digests,
    older: Digests,
}

impl Seen {
    pub(super) fn new(most: usize) -> Self {
        Self { most, newer: Digests::default(), older: Digests::default() }
    }

    /// Whether the object is new; it is not new the next time.
    pub(super) fn is_new(&mut self, key: &ObjectKey, version: Option<&VersionId>) -> bool {
        if self.most == 0 {
            return true;
        }
        let mut digest = Md5::new();
        // The version first and its length with it, so that no key runs into it.
        let version = version.map_or("", |v| v.0.as_str());
        digest.update(version.len().to_be_bytes());
        digest.update(version);
        digest.update(key.as_str());
        let digest = u128::from_be_bytes(digest.finalize().into());
        if self.newer.contains(&digest) || self.older.contains(&digest) {
            return false;
        }
        if self.newer.len() >= self.most.div_ceil(2) {
            self.older = std::mem::take(&mut self.newer);
        }
        self.newer.insert(digest);
        true
    }
}

impl std::fmt::Debug for Seen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seen({} of {})", self.newer.len() + self.older.len(), self.most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_new_once_within_the_bound() {
        let mut seen = Seen::new(6);
        let (a, v) = (ObjectKey::from("a"), VersionId("v".into()));
        assert!(seen.is_new(&a, None));
        assert!(!seen.is_new(&a, None));
        assert!(seen.is_new(&a, Some(&v)));
        assert!(!seen.is_new(&a, Some(&v)));
        assert!(seen.is_new(&a, Some(&VersionId("w".into()))));
        for n in 0..100 {
            assert!(seen.is_new(&ObjectKey::from(n.to_string()), None));
            assert!(!seen.is_new(&ObjectKey::from(n.to_string()), None));
            assert!(seen.newer.len() + seen.older.len() <= 6);
        }
        assert!(seen.is_new(&a, None), "forgotten by now");
        let mut none = Seen::new(0);
        assert!(none.is_new(&a, None) && none.is_new(&a, None));
    }
}
