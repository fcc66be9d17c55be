//! A small world that looks like somebody's bucket, for the demo and for trips.

use longbow_core::failure::StoreError;
use longbow_core::object::{ObjectAttributes, ObjectKey, Tag};
use longbow_core::port::WriteCondition;

use super::bytes::slice;
use super::keys::odd_keys;
use crate::fake::{Arrived, Completion, Content, FakeStore, NewObject};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// The part size of the world's objects in parts: another than longbow's own, so that boundaries have to be kept.
const PART: u64 = 8 * MIB;

/// One object to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorldObject {
    /// The key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// The seed of its bytes.
    pub seed: u64,
    /// Metadata.
    pub attributes: ObjectAttributes,
    /// Tags.
    pub tags: Vec<Tag>,
    /// The size of its parts; `None` for an object written whole.
    pub part_size: Option<u64>,
}

impl WorldObject {
    fn new(seed: u64, key: impl Into<String>, size: u64, content_type: &str) -> Self {
        let key = key.into();
        let attributes =
            ObjectAttributes { content_type: Some(content_type.to_owned()), ..ObjectAttributes::default() };
        // The bytes depend on the name, so that no two objects are the same by chance of their place.
        let seed = key.bytes().fold(seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        Self { key, size, seed, attributes, tags: Vec::new(), part_size: None }
    }

    fn in_parts(mut self) -> Self {
        self.part_size = Some(PART);
        self
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.attributes.user.push((name.to_owned(), value.to_owned()));
        self
    }

    fn tagged(mut self, key: &str, value: &str) -> Self {
        self.tags.push(Tag { key: key.to_owned(), value: value.to_owned() });
        self
    }

    /// The bytes, made when they are read.
    pub fn content(&self) -> Content {
        Content::generated(self.seed, self.size)
    }
}

/// Some four hundred objects of about 170 MiB together: logs, photos, reports, backups whole and in parts, empty
/// ones, and every odd key under `odd/`. The same for the same seed, and sorted by no order.
pub fn small_world(seed: u64) -> Vec<WorldObject> {
    let mut world = Vec::new();
    let chance = |index: u64, below: u64| {
        let word = slice(seed, index * 8, 8);
        word.iter().fold(0u64, |sum, byte| (sum << 8) | u64::from(*byte)) % below
    };
    for day in 1..=31 {
        let folder = format!("logs/2026/03/{day:02}");
        for part in 1..=6 {
            let size = 4 * KIB + chance(day * 10 + part, 60 * KIB);
            let mut log =
                WorldObject::new(seed, format!("{folder}/part-{part:04}.json.gz"), size, "application/json");
            log.attributes.content_encoding = Some("gzip".to_owned());
            world.push(log);
        }
        world.push(WorldObject::new(seed, format!("{folder}/_SUCCESS"), 0, "application/octet-stream"));
    }
    for (album, place) in
        ["2025/Lake Constance", "2025/Zürich", "2026/東京", "2026/Home & garden"].iter().enumerate()
    {
        let album = album as u64;
        world.push(WorldObject::new(seed, format!("photos/{place}/"), 0, "application/x-directory"));
        for photo in 1..=15 {
            let index = 1000 + album * 100 + photo;
            let key = format!("photos/{place}/IMG_{:04}.jpg", 2100 + index);
            let size = 40 * KIB + chance(index, 300 * KIB);
            world.push(WorldObject::new(seed, key, size, "image/jpeg").with("camera", "X100"));
        }
    }
    for quarter in 1..=4 {
        for (index, name) in ["annual summary", "balance", "forecast (draft)", "risk"].iter().enumerate() {
            let size = 20 * KIB + chance(2000 + quarter * 10 + index as u64, 200 * KIB);
            let mut report = WorldObject::new(
                seed,
                format!("reports/2025-Q{quarter}/{name}.pdf"),
                size,
                "application/pdf",
            );
            report.attributes.cache_control = Some("max-age=3600".to_owned());
            world.push(report.tagged("class", "internal").tagged("owner", "finance team"));
        }
    }
    let binary = "application/octet-stream";
    world.extend([
        WorldObject::new(seed, "backups/shop-2026-03-30.dump", 40 * MIB + 12_345, binary).in_parts(),
        WorldObject::new(seed, "backups/shop-2026-03-31.dump", 48 * MIB, binary)
            .in_parts()
            .tagged("keep", "1y"),
        WorldObject::new(seed, "video/keynote.mp4", 24 * MIB + 1, "video/mp4").in_parts(),
        WorldObject::new(seed, "models/weights.bin", 32 * MIB, binary),
        WorldObject::new(seed, "exports/orders.parquet", 12 * MIB + 77, binary),
        WorldObject::new(seed, "exports/empty.csv", 0, "text/csv"),
    ]);
    for (index, key) in odd_keys("odd/".len()).into_iter().enumerate() {
        let size = chance(3000 + index as u64, 3 * KIB);
        world.push(WorldObject::new(seed, format!("odd/{key}"), size, "text/plain"));
    }
    world
}

/// Puts the objects into a bucket, as somebody else's program would have: in parts where they have parts.
pub fn fill(store: &FakeStore, objects: &[WorldObject]) -> Result<(), StoreError> {
    objects.iter().try_for_each(|object| put(store, object))
}

fn put(store: &FakeStore, object: &WorldObject) -> Result<(), StoreError> {
    let key = ObjectKey::new(object.key.as_str());
    let new = NewObject {
        attributes: object.attributes.clone(),
        tags: object.tags.clone(),
        ..NewObject::default()
    };
    let content = object.content();
    let Some(part_size) = object.part_size else {
        let body = Arrived::at_hand(content)?;
        return store
            .change(|bucket, now| bucket.put(&key, body, new, &WriteCondition::Always, now).map(|_| ()));
    };
    let mut parts = Vec::new();
    let mut at = 0;
    while at < object.size {
        let part = content.slice(at, part_size);
        at += part.length();
        parts.push(Arrived::at_hand(part)?);
    }
    store.change(|bucket, now| {
        let upload = bucket.create_upload(&key, new, false, now)?;
        let mut named = Vec::new();
        for (number, part) in (1..).zip(parts) {
            let etag = bucket.put_part(&key, &upload, number, part, now)?.etag;
            named.extend(etag.map(|etag| (number, etag)));
        }
        let completion = Completion { parts: named, ..Completion::default() };
        bucket.complete_upload(&key, &upload, &completion, now).map(|_| ())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeS3;
    use longbow_core::object::ETagKind;

    #[test]
    fn the_world_is_as_it_is_described() {
        let world = small_world(7);
        assert_eq!(world, small_world(7));
        assert!((350..500).contains(&world.len()), "{} objects", world.len());
        let total: u64 = world.iter().map(|object| object.size).sum();
        assert!((150 * MIB..200 * MIB).contains(&total), "{total} bytes");

        let store = FakeS3::new().create_bucket("world");
        fill(&store, &world).unwrap();
        assert_eq!(store.keys().len(), world.len(), "every key is there once");
        assert!(store.journal().is_empty());
        let dump = store.object("backups/shop-2026-03-31.dump").unwrap();
        assert!(matches!(dump.etag.kind(), ETagKind::Composite { parts: 6, .. }));
        assert_eq!(dump.tags.len(), 1);
        let whole = store.object("models/weights.bin").unwrap();
        assert!(matches!(whole.etag.kind(), ETagKind::Md5(_)));
        assert!(whole.checksums.crc64nvme.is_some());
    }
}
