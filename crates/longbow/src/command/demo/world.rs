//! The demo's data: some hundred objects as they are found in real buckets, the same on every machine.

use std::sync::Arc;

use bytes::Bytes;
use longbow_core::failure::StoreError;
use longbow_core::object::{ObjectAttributes, ObjectKey, Tag};
use longbow_core::port::{CompleteRequest, CreateRequest, MultipartStore as _, PartRequest, PutBody};
use longbow_testkit::fake::{Content, FakeStore, NewObject};
use longbow_testkit::generate;

const MIB: u64 = 1 << 20;
/// Parts of the objects that were uploaded in parts.
pub(super) const PART: u64 = 5 * MIB;
/// Tens of MiB: the first ones are uploaded in parts, the others whole.
const LARGE: [(&str, u64, bool); 5] = [
    ("videos/harbour.mp4", 40 * MIB, true),
    ("videos/lighthouse.mp4", 28 * MIB + 123_457, true),
    ("backups/database-2024-06-01.dump", 24 * MIB, true),
    ("backups/database-2024-06-02.dump", 24 * MIB + 17, false),
    ("archive/letters.tar", 17 * MIB, false),
];
const SMALL: u64 = 280;
const EMPTY: [&str; 4] = ["photos/2024/", ".keep", "logs/2024-06-03.log", "backups/LOCK"];

/// What was made.
pub(super) struct World {
    pub(super) objects: u64,
    pub(super) bytes: u64,
    pub(super) empty: usize,
    pub(super) odd: usize,
    pub(super) large: usize,
}

/// Fills the source bucket.
pub(super) async fn fill(store: &Arc<FakeStore>) -> Result<World, StoreError> {
    let put = |key: &str, seed: u64, size: u64, new: NewObject| {
        store.put_content(key, Content::generated(seed, size), new);
    };
    for key in EMPTY {
        put(key, 0, 0, NewObject::default());
    }
    for n in 0..SMALL {
        // Sizes spread over some orders of magnitude, as those of small files do.
        let size = 120 + (n * n * 7919) % 40_000;
        let (key, kind) = match n % 4 {
            0 => (format!("photos/2024/{:02}/IMG_{n:04}.jpg", n % 12 + 1), "image/jpeg"),
            1 => (format!("logs/2024-05-{:02}/part-{n:05}.gz", n % 30 + 1), "application/gzip"),
            2 => (format!("site/page-{n}.html"), "text/html; charset=utf-8"),
            _ => (format!("mail/{:x}/{n}.eml", n % 16), "message/rfc822"),
        };
        let attributes = ObjectAttributes {
            content_type: Some(kind.to_owned()),
            user: vec![("origin".to_owned(), "demo".to_owned())],
            ..ObjectAttributes::default()
        };
        let tags = (n % 50 == 0).then(|| Tag { key: "project".to_owned(), value: "demo".to_owned() });
        put(
            &key,
            n,
            size,
            NewObject { attributes, tags: tags.into_iter().collect(), ..NewObject::default() },
        );
    }
    // A key of spaces alone is left out: the SDK takes it for none.
    let odd: Vec<_> = generate::ODD_KEYS.iter().filter(|key| !key.trim().is_empty()).collect();
    for (n, key) in odd.iter().enumerate() {
        put(key, 1_000 + n as u64, 40 + n as u64, NewObject::default());
    }
    for (n, (key, size, in_parts)) in LARGE.into_iter().enumerate() {
        let seed = 2_000 + n as u64;
        if in_parts {
            upload(store, key, seed, size).await?
        } else {
            put(key, seed, size, NewObject::default())
        }
    }
    let all = store.contents();
    Ok(World {
        objects: all.len() as u64,
        bytes: all.values().map(|o| o.content.length()).sum(),
        empty: all.values().filter(|o| o.content.length() == 0).count(),
        odd: odd.len(),
        large: LARGE.len(),
    })
}

async fn upload(store: &FakeStore, key: &str, seed: u64, size: u64) -> Result<(), StoreError> {
    let key = ObjectKey::from(key);
    let upload = store
        .create_upload(&key, &CreateRequest { size, crc64nvme: true, ..CreateRequest::default() })
        .await?;
    let mut parts = Vec::new();
    for (number, offset) in (1u32..).zip((0..size).step_by(PART as usize)) {
        let length = PART.min(size - offset);
        let frames: Vec<Bytes> = generate::frames(seed, offset, length).collect();
        let request = PartRequest { number, offset, md5: None };
        let written = store.put_part(&key, &upload, PutBody::Kept(frames), &request).await?;
        parts.extend(written.etag.map(|etag| (number, etag)));
    }
    store
        .complete_upload(&key, &upload, &CompleteRequest { parts, size, ..CompleteRequest::default() })
        .await?;
    Ok(())
}

/// Keys of which the two buckets do not hold the same bytes and attributes: read in the server itself, past longbow.
pub(super) fn differences(source: &FakeStore, copy: &FakeStore) -> Vec<String> {
    let (source, copy) = (source.contents(), copy.contents());
    let mut wrong: Vec<String> = copy.keys().filter(|key| !source.contains_key(*key)).cloned().collect();
    for (key, object) in &source {
        let same = copy.get(key).is_some_and(|other| {
            object.attributes == other.attributes
                && object.tags == other.tags
                && object.content.length() == other.content.length()
                && object.content.to_vec().ok() == other.content.to_vec().ok()
        });
        if !same {
            wrong.push(key.clone());
        }
    }
    wrong
}
