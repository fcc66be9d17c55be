//! Where things lie in the table: partition key and sort key of records, parts, notes of runs, locks and checkpoints.
//!
//! Records of a route are spread over [`SHARDS`] partition keys by a digest of their subject, since one partition key
//! takes a thousand writes a second, and lie in order within each, so that all of them are read by queries, page by
//! page, with nobody else's in between. The subject itself is the sort key: a key of S3 has at most 1,024 bytes, and so has a
//! sort key. Two subjects are no sort keys, and lie apart: the empty one, and those of stores that take longer keys.

use longbow_core::job::TransferId;
use longbow_core::object::{Location, MAX_KEY_BYTES, ObjectKey};
use longbow_core::port::UploadId;
use longbow_core::route::Route;
use longbow_core::routes::RouteName;
use md5::{Digest as _, Md5};

/// Partition keys of the records of one route: 64,000 writes a second at least. Part of the schema: another number
/// would look for records elsewhere.
pub(super) const SHARDS: u8 = 64;

/// Partition key and sort key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) pk: String,
    pub(super) sk: String,
}

/// What stands for a route in partition keys: routes can be longer than a key may be. Both sides are in it, so that an
/// object copied to two destinations has two records.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct RouteId(String);

impl RouteId {
    /// `endpoints` are those of stores that are not Amazon's: bucket names are unique within one store only.
    pub(super) fn of(route: &Route, endpoints: [Option<&str>; 2]) -> Self {
        let mut digest = Md5::new();
        for (side, endpoint) in [&route.source, &route.destination].into_iter().zip(endpoints) {
            let (kind, container, prefix) = match side {
                Location::S3 { bucket, prefix } => ("s3", bucket.clone(), prefix.as_str().to_owned()),
                Location::Folder(folder) => ("folder", folder.to_string_lossy().into_owned(), String::new()),
            };
            // With their lengths, so that no two routes are written the same.
            digest.update(format!("{kind} {} {container} {} {prefix};", container.len(), prefix.len()));
            if let Some(endpoint) = endpoint {
                digest.update(format!("at {} {endpoint};", endpoint.len()));
            }
        }
        Self(hex(&digest.finalize()))
    }

    /// The partition key of one shard.
    pub(super) fn shard(&self, shard: u8) -> String {
        format!("o#{}#{shard:02x}", self.0)
    }

    /// The partition key of the subjects that are no sort keys.
    pub(super) fn odd(&self) -> String {
        format!("o#{}#odd", self.0)
    }

    /// Every partition key of the route's records.
    pub(super) fn shards(&self) -> impl Iterator<Item = String> + '_ {
        (0..SHARDS).map(|shard| self.shard(shard)).chain([self.odd()])
    }

    /// Where the record of a subject lies.
    pub(super) fn record(&self, subject: &ObjectKey) -> Place {
        let text = subject.as_str();
        let digest = Md5::digest(text.as_bytes());
        if is_odd(subject) {
            return Place { pk: self.odd(), sk: hex(&digest) };
        }
        Place { pk: self.shard(digest[0] % SHARDS), sk: text.to_owned() }
    }

    /// The partition key of the proofs of an upload's parts.
    pub(super) fn parts(&self, subject: &ObjectKey, upload: &UploadId) -> String {
        let mut digest = Md5::new();
        digest.update(format!("{} ", subject.as_str().len()));
        digest.update(subject.as_str());
        digest.update(&upload.0);
        format!("p#{}#{}", self.0, hex(&digest.finalize()))
    }
}

/// Whether a subject is no sort key.
pub(super) fn is_odd(subject: &ObjectKey) -> bool {
    subject.as_str().is_empty() || subject.as_str().len() > MAX_KEY_BYTES
}

/// The partition key of the notes of runs.
pub(super) const RUNS: &str = "t#runs";

/// Where the note of a run lies. Route names have no blanks.
pub(super) fn run(transfer: &TransferId, route: &str) -> Place {
    Place { pk: RUNS.to_owned(), sk: format!("{}{route}", runs_of(transfer)) }
}

/// What the sort keys of all notes of a transfer begin with.
pub(super) fn runs_of(transfer: &TransferId) -> String {
    format!("{transfer} ")
}

/// Where a lock lies.
pub(super) fn lock(name: &str) -> Place {
    Place { pk: format!("l#{name}"), sk: "lock".to_owned() }
}

/// Where the checkpoint of a route lies. A scope is a queue's address, which is far below what a key may have.
pub(super) fn checkpoint(scope: &str, route: &RouteName) -> Place {
    Place { pk: format!("c#{scope}"), sk: route.as_str().to_owned() }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn route(source: &str, destination: &str) -> RouteId {
        let parse = |text| Location::parse(text, false).unwrap();
        RouteId::of(&Route { source: parse(source), destination: parse(destination) }, [None, None])
    }

    #[test]
    fn every_subject_fits_the_limits_of_keys() {
        let id = route("s3://source", "s3://destination");
        for subject in
            [String::new(), "k".into(), "k".repeat(1024), "\u{1f3f9}".repeat(256), "k".repeat(9000)]
        {
            let place = id.record(&ObjectKey::from(subject.as_str()));
            assert!((1..=2048).contains(&place.pk.len()), "{}", place.pk);
            assert!((1..=1024).contains(&place.sk.len()), "{}", place.sk.len());
        }
        let long = "k".repeat(1025);
        assert_ne!(id.record(&long.as_str().into()), id.record(&format!("{long}k").as_str().into()));
        assert!(id.parts(&long.as_str().into(), &UploadId("u".repeat(5000))).len() < 100);
    }

    /// LBB-16: an object copied to two destinations has two records.
    #[test]
    fn lbb_16_routes_are_kept_apart_by_both_their_sides() {
        let all = [
            route("s3://bucket-s", "s3://bucket-d"),
            route("s3://bucket-s", "s3://bucket-d/p"),
            route("s3://bucket-s", "s3://bucket-e"),
            route("s3://bucket-s/p", "s3://bucket-d"),
            route("s3://bucket-d", "s3://bucket-s"),
        ];
        for (at, one) in all.iter().enumerate() {
            assert!(all[at + 1..].iter().all(|other| other != one));
        }
        assert_eq!(route("s3://bucket-s/p", "s3://bucket-d"), route("s3://bucket-s/p/", "s3://bucket-d"));
    }

    /// LB-59 had all versions of a bucket under one partition key.
    #[test]
    fn lb_59_no_partition_key_is_hot() {
        let id = route("s3://bucket-s", "s3://bucket-d");
        let mut counts: HashMap<String, u32> = HashMap::new();
        for n in 0..64_000 {
            *counts.entry(id.record(&format!("folder/{n:08}").as_str().into()).pk).or_default() += 1;
        }
        assert_eq!(counts.len(), usize::from(SHARDS));
        assert!(counts.values().all(|n| (800..1200).contains(n)), "{counts:?}");
        assert_eq!(id.shards().count(), usize::from(SHARDS) + 1);
    }
}
