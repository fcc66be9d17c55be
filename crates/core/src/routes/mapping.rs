//! How a source key becomes a destination key: two ways, and both end as one kind of [`Route`].

use crate::object::{Location, Prefix};
use crate::route::Route;

/// How the destination key is made.
///
/// | mapping | source | destination | key | becomes |
/// |---|---|---|---|---|
/// | relative | `s3://a/p` | `s3://b/q` | `p/x` | `q/x` |
/// | relative | `s3://a` | `s3://b/q` | `p/x` | `q/p/x` |
/// | full key | `s3://a/p` | `s3://b/q` | `p/x` | `q/p/x` |
/// | full key | `s3://a` | `s3://b` | `p/x` | `p/x` |
///
/// A key outside the source prefix becomes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyMapping {
    /// The source prefix is replaced by the destination prefix: the modern default.
    #[default]
    Relative,
    /// The full source key stands below the destination prefix, as Longbow does it (LB-24): the default of
    /// configurations of Longbow 0.98. Unlike there, every byte of the key stays (LBB-18).
    FullKey,
}

impl KeyMapping {
    /// The route that does to keys what this mapping says, written with the source prefix replaced.
    ///
    /// To put full keys below `q/` is to replace the prefix `p/` by `q/p/`. So nobody behind this function needs to know
    /// of mappings: listings, comparison, jobs and checks see a [`Route`].
    pub fn resolve(self, route: Route) -> Route {
        match self {
            Self::Relative => route,
            Self::FullKey => {
                let source = route.source_prefix();
                let destination = match route.destination {
                    Location::S3 { bucket, prefix } => {
                        let below = Prefix::raw(prefix.join(source.as_str()).as_str());
                        Location::S3 { bucket, prefix: below }
                    }
                    // A folder has no prefix to work with, and a table refuses it.
                    folder @ Location::Folder(_) => folder,
                };
                Route { source: route.source, destination }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::ObjectKey;
    use proptest::prelude::*;

    fn map(mapping: KeyMapping, source: &str, destination: &str, key: &str) -> Option<String> {
        let at = |prefix: &str| Location::S3 { bucket: "bkt".into(), prefix: Prefix::folder(prefix) };
        let route = mapping.resolve(Route { source: at(source), destination: at(destination) });
        route.map(&ObjectKey::from(key)).map(|k| k.as_str().to_owned())
    }

    #[test]
    fn every_row_of_the_table() {
        use KeyMapping::{FullKey, Relative};
        let rows = [
            (Relative, "p", "q", "p/x", Some("q/x")),
            (Relative, "", "q", "p/x", Some("q/p/x")),
            (Relative, "p", "", "p/x", Some("x")),
            (Relative, "", "", "p/x", Some("p/x")),
            (Relative, "p", "q", "pp/x", None),
            (FullKey, "p", "q", "p/x", Some("q/p/x")),
            (FullKey, "", "q", "p/x", Some("q/p/x")),
            (FullKey, "p", "", "p/x", Some("p/x")),
            (FullKey, "", "", "p/x", Some("p/x")),
            (FullKey, "p", "q", "pp/x", None),
        ];
        for (mapping, source, destination, key, expected) in rows {
            let found = map(mapping, source, destination, key);
            assert_eq!(found.as_deref(), expected, "{mapping:?} {source} {destination} {key}");
        }
    }

    /// LB-24: the examples of Longbow's own mapping.
    #[test]
    fn lb_24_full_keys_below_the_destination_prefix() {
        assert_eq!(map(KeyMapping::FullKey, "", "pre", "a/b").as_deref(), Some("pre/a/b"));
        assert_eq!(map(KeyMapping::FullKey, "", "pre", "dir/").as_deref(), Some("pre/dir/"));
    }

    /// LBB-18: Longbow joined keys as paths and so lost bytes of them.
    #[test]
    fn lbb_18_no_byte_of_a_key_is_lost() {
        let rows = [("/a", "pre//a"), ("a//b", "pre/a//b"), ("a/./c", "pre/a/./c"), ("a//", "pre/a//")];
        for (key, expected) in rows {
            assert_eq!(map(KeyMapping::FullKey, "", "pre", key).as_deref(), Some(expected));
        }
        assert_eq!(map(KeyMapping::FullKey, "", "", "x").as_deref(), Some("x"));
    }

    /// LBB-24: a slash at the end of the destination prefix made every key look absent.
    #[test]
    fn lbb_24_a_slash_at_the_end_of_a_prefix_changes_nothing() {
        for mapping in [KeyMapping::Relative, KeyMapping::FullKey] {
            assert_eq!(map(mapping, "s/", "p/", "s/x"), map(mapping, "s", "p", "s/x"));
        }
    }

    /// LBB-64: the successor in Go cut prefixes in the middle of names and dropped slashes.
    #[test]
    fn lbb_64_prefixes_end_at_a_slash_and_slashes_stay() {
        assert_eq!(map(KeyMapping::Relative, "pre", "q", "prefix2/x"), None);
        assert_eq!(map(KeyMapping::Relative, "pre", "q", "pre/d//").as_deref(), Some("q/d//"));
    }

    #[test]
    fn a_bare_prefix_is_taken_as_it_is_when_asked() {
        let route = Route {
            source: Location::S3 { bucket: "src".into(), prefix: Prefix::raw("p") },
            destination: Location::S3 { bucket: "dst".into(), prefix: Prefix::folder("q") },
        };
        let full = KeyMapping::FullKey.resolve(route.clone());
        assert_eq!(full.map(&"pp/x".into()), Some("q/pp/x".into()));
        assert_eq!(KeyMapping::Relative.resolve(route).map(&"pp/x".into()), Some("q/p/x".into()));
    }

    proptest! {
        #[test]
        fn different_keys_never_meet(
            source in "[a-b/]{0,4}", destination in "[a-b/]{0,4}", a in "[a-b/.+%]{1,8}", b in "[a-b/.+%]{1,8}",
        ) {
            for mapping in [KeyMapping::Relative, KeyMapping::FullKey] {
                let (x, y) = (map(mapping, &source, &destination, &a), map(mapping, &source, &destination, &b));
                prop_assert!(x.is_none() || a == b || x != y, "{:?} {:?}", x, y);
            }
        }
    }
}
