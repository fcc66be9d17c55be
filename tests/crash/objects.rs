//! The objects that are copied: made once, with digests and tags, and put wherever they are wanted.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use longbow_core::object::{ObjectAttributes, Tag};
use longbow_testkit::fake::{Content, FakeS3, FakeStore, NewObject, Object};

use crate::world::noise;

/// 5 MiB, the smallest part that S3 takes but for the last.
pub(super) const PART: usize = 5 << 20;

/// Bytes of a small object, and of the last part of a big one.
pub(super) const SMALL: usize = 3000;

/// How an object was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Made {
    /// In one piece of so many bytes.
    Whole(usize),
    /// In parts of 5 MiB, with so many bytes in all. Up to 5 MiB it is an upload of one part.
    Parts(usize),
}

impl Made {
    fn size(self) -> usize {
        match self {
            Self::Whole(size) | Self::Parts(size) => size,
        }
    }
}

static MADE: Mutex<BTreeMap<(Made, u64), Object>> = Mutex::new(BTreeMap::new());

/// The object with everything that is said of it; other seeds give other bytes.
pub(super) fn object(made: Made, seed: u64) -> Object {
    let mut all = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    all.entry((made, seed)).or_insert_with(|| make(made, seed)).clone()
}

/// Puts it there as another program would.
pub(super) fn put(store: &FakeStore, key: &str, made: Made, seed: u64) {
    let object = object(made, seed);
    store.put_bytes(key, b"");
    store.alter(key, |there| {
        let (version, modified) = (there.version.take(), there.modified);
        *there = Object { version, modified, ..object };
    });
}

fn make(made: Made, seed: u64) -> Object {
    let store = FakeS3::new().create_bucket("made");
    let bytes = noise(made.size(), seed);
    let attributes = ObjectAttributes {
        content_type: Some("text/x-crash".into()),
        user: vec![("owner".into(), format!("seed {seed}"))],
        ..ObjectAttributes::default()
    };
    let new = NewObject {
        attributes,
        tags: vec![Tag { key: "kept".into(), value: "with the object".into() }],
        ..NewObject::default()
    };
    match made {
        Made::Whole(_) => {
            store.put_content("k", Content::of_frames(vec![bytes.into()]), new);
        }
        Made::Parts(_) => in_parts(&store, &bytes, new),
    }
    Object::clone(&store.object("k").expect("it was just made"))
}

fn in_parts(store: &FakeStore, bytes: &[u8], new: NewObject) {
    let made = store.change(|bucket, now| {
        let key = "k".into();
        let upload = bucket.create_upload(&key, new, true, now)?;
        let mut parts = Vec::new();
        for (number, piece) in (1..).zip(bytes.chunks(PART)) {
            let content = Content::of_frames(vec![piece.to_vec().into()]);
            let arrived = longbow_testkit::fake::Arrived::at_hand(content)?;
            let written = bucket.put_part(&key, &upload, number, arrived, now)?;
            parts.push((number, written.etag.expect("parts have tags")));
        }
        let completion = longbow_testkit::fake::Completion { parts, ..Default::default() };
        bucket.complete_upload(&key, &upload, &completion, now)
    });
    made.expect("an object in parts");
}
