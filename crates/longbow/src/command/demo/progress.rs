//! What has arrived at the demo's destination bucket, read from the server's journal.

use std::collections::{HashMap, HashSet};

use longbow_core::object::ObjectKey;
use longbow_testkit::fake::{Call, FakeStore};

/// What the server has seen.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    /// Objects that are there whole.
    pub(super) objects: u64,
    /// Bytes of bodies that arrived, those of unfinished objects included.
    pub(super) bytes: u64,
    /// Parts of objects that are not there yet.
    pub(super) open_parts: u64,
    /// Bodies of an object or a part that arrived more than once.
    pub(super) twice: u64,
}

/// Reads the journal.
pub(super) fn arrived(bucket: &FakeStore) -> Arrived {
    let mut bodies: HashMap<(ObjectKey, u32), u64> = HashMap::new();
    let mut parts: HashMap<ObjectKey, u64> = HashMap::new();
    let mut done = HashSet::new();
    let mut all = Arrived::default();
    for entry in bucket.journal().into_iter().filter(|entry| entry.reply.is_ok()) {
        let number = match entry.call {
            Call::Put { size, .. } => {
                all.bytes += size;
                done.insert(entry.key.clone());
                0
            }
            Call::PutPart { number, size, .. } => {
                all.bytes += size;
                *parts.entry(entry.key.clone()).or_default() += 1;
                number
            }
            Call::Complete { .. } => {
                done.insert(entry.key);
                continue;
            }
            _ => continue,
        };
        *bodies.entry((entry.key, number)).or_default() += 1;
    }
    all.objects = done.len() as u64;
    all.open_parts = parts.iter().filter(|(key, _)| !done.contains(*key)).map(|(_, n)| n).sum();
    all.twice = bodies.values().map(|n| n - 1).sum();
    all
}
