//! A route: from where to where, and how keys are mapped.

use crate::object::{Location, ObjectKey, Prefix};

/// One source, one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where objects come from.
    pub source: Location,
    /// Where they go.
    pub destination: Location,
}

/// Source and destination hold each other, so that a copy would feed itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "source {source_text} and destination {destination} overlap: the copy would read what it writes. Choose prefixes or folders of which neither holds the other"
)]
pub struct OverlapError {
    source_text: String,
    destination: String,
}

impl Route {
    /// The prefix of the source's keys.
    pub fn source_prefix(&self) -> Prefix {
        self.source.prefix()
    }

    /// The prefix of the destination's keys.
    pub fn destination_prefix(&self) -> Prefix {
        self.destination.prefix()
    }

    /// Where a source key goes: its name under the source prefix, under the destination prefix. `None` for a key
    /// outside the source prefix.
    pub fn map(&self, source: &ObjectKey) -> Option<ObjectKey> {
        Some(self.destination_prefix().join(source.strip(&self.source_prefix())?))
    }

    /// Refuses a route whose sides hold each other. `same_store` says whether equal bucket names are one bucket.
    /// Folders must be absolute and free of links, which the caller sees to.
    pub fn check_overlap(&self, same_store: bool) -> Result<(), OverlapError> {
        let overlaps = match (&self.source, &self.destination) {
            (Location::S3 { bucket: a, prefix: p }, Location::S3 { bucket: b, prefix: q }) => {
                same_store && a == b && (p.contains(q) || q.contains(p))
            }
            (Location::Folder(a), Location::Folder(b)) => a.starts_with(b) || b.starts_with(a),
            _ => false,
        };
        if overlaps {
            return Err(OverlapError {
                source_text: self.source.to_string(),
                destination: self.destination.to_string(),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(a: &str, b: &str) -> Route {
        Route { source: Location::parse(a, false).unwrap(), destination: Location::parse(b, false).unwrap() }
    }

    #[test]
    fn keys_move_from_prefix_to_prefix_unchanged() {
        let r = route("s3://src/p", "s3://dst/q/r");
        assert_eq!(r.map(&"p/a//b".into()), Some("q/r/a//b".into()));
        assert_eq!(r.map(&"p//x".into()), Some("q/r//x".into()));
        assert_eq!(r.map(&"pp/x".into()), None);
    }

    #[test]
    fn overlaps_are_refused_in_one_store_only() {
        for (a, b) in
            [("s3://bkt/p", "s3://bkt/p"), ("s3://bkt", "s3://bkt/p"), ("s3://bkt/p/q", "s3://bkt/p")]
        {
            assert!(route(a, b).check_overlap(true).is_err(), "{a} {b}");
            assert!(route(a, b).check_overlap(false).is_ok(), "{a} {b}");
        }
        assert!(route("s3://bkt/p", "s3://bkt/pp").check_overlap(true).is_ok());
        assert!(route("/a/b", "/a/b/c").check_overlap(false).is_err());
        assert!(route("/a/b", "/a/bc").check_overlap(false).is_ok());
    }
}
