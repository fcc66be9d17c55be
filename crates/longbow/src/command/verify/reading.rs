//! Reading both sides of one object and comparing byte by byte, in the memory of a few frames.
//!
//! Each side is pinned to the version that was listed. A body that breaks is taken up again where it broke.

use std::time::Duration;

use bytes::{Buf as _, Bytes};
use futures_util::StreamExt as _;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectMeta;
use longbow_core::port::{BodyStream, ByteRange, GetRequest, MultipartStore, ReadPin};

/// How often a side is asked anew.
const ATTEMPTS: u32 = 5;

/// What reading showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    /// The first byte that differs.
    DiffersAt(u64),
}

/// Reads both sides whole, as far as they are equal.
pub(super) async fn compare(
    source: &dyn MultipartStore,
    source_object: &ObjectMeta,
    destination: &dyn MultipartStore,
    destination_object: &ObjectMeta,
) -> Result<Comparison, String> {
    let mut ours = Side::new(source, source_object);
    let mut theirs = Side::new(destination, destination_object);
    let (mut left, mut right) = (Bytes::new(), Bytes::new());
    let mut offset = 0u64;
    loop {
        if left.is_empty() {
            left = ours.next().await.map_err(|e| format!("the source could not be read: {e}"))?;
        }
        if right.is_empty() {
            right = theirs.next().await.map_err(|e| format!("the destination could not be read: {e}"))?;
        }
        let both = left.len().min(right.len());
        if both == 0 {
            return Ok(match left.len() == right.len() {
                true => Comparison::Equal,
                false => Comparison::DiffersAt(offset),
            });
        }
        if left[..both] != right[..both] {
            let same = left.iter().zip(&right).take_while(|(a, b)| a == b).count();
            return Ok(Comparison::DiffersAt(offset + same as u64));
        }
        offset += both as u64;
        left.advance(both);
        right.advance(both);
    }
}

/// One side's bytes, from the start.
struct Side<'a> {
    store: &'a dyn MultipartStore,
    object: &'a ObjectMeta,
    stream: Option<BodyStream>,
    read: u64,
    attempt: u32,
}

impl<'a> Side<'a> {
    fn new(store: &'a dyn MultipartStore, object: &'a ObjectMeta) -> Self {
        Self { store, object, stream: None, read: 0, attempt: 1 }
    }

    /// The next frame; an empty one at the end.
    async fn next(&mut self) -> Result<Bytes, StoreError> {
        while self.read < self.object.size {
            match self.step().await {
                Ok(Some(frame)) if frame.is_empty() => {}
                Ok(Some(frame)) => {
                    self.read += frame.len() as u64;
                    return Ok(frame);
                }
                // Never a short read: see the port. Said here so that a broken adapter cannot pass for equal bytes.
                Ok(None) => return Err(StoreError::new(StoreErrorKind::Corrupt, "the body ended early")),
                Err(error) if self.attempt < ATTEMPTS && may_pass(&error) => {
                    self.stream = None;
                    pause(self.attempt).await;
                    self.attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Bytes::new())
    }

    async fn step(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.stream.is_none() {
            let range = (self.read > 0)
                .then_some(ByteRange { start: self.read, length: self.object.size - self.read });
            let pin = ReadPin { etag: self.object.etag.clone(), version: None };
            let body = self.store.get(&self.object.key, &GetRequest { pin, range, checksums: false }).await?;
            self.stream = Some(body.stream);
        }
        match &mut self.stream {
            Some(stream) => stream.next().await.transpose(),
            None => Ok(None),
        }
    }
}

/// Whether it is worth asking again.
pub(super) fn may_pass(error: &StoreError) -> bool {
    matches!(error.kind, StoreErrorKind::Transient | StoreErrorKind::Throttled)
}

/// The wait before asking again.
pub(super) async fn pause(attempt: u32) {
    tokio::time::sleep(Duration::from_millis(100) * (1 << attempt.min(6))).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use longbow_testkit::fake::{FakeS3, FakeStore};

    use super::*;

    fn meta(store: &FakeStore, key: &str) -> ObjectMeta {
        let object = store.object(key).unwrap();
        ObjectMeta {
            key: key.into(),
            size: store.get_bytes(key).unwrap().len() as u64,
            etag: Some(object.etag.clone()),
            modified: None,
            storage_class: None,
            version: None,
        }
    }

    async fn compared(ours: &[u8], theirs: &[u8]) -> Result<Comparison, String> {
        let fake = FakeS3::new();
        let (a, b): (Arc<FakeStore>, Arc<FakeStore>) = (fake.create_bucket("aaa"), fake.create_bucket("bbb"));
        a.put_bytes("k", ours);
        b.put_bytes("k", theirs);
        compare(&*a, &meta(&a, "k"), &*b, &meta(&b, "k")).await
    }

    #[tokio::test]
    async fn the_first_different_byte_is_found() {
        let ours: Vec<u8> = (0..300_000u32).map(|n| (n % 251) as u8).collect();
        let mut theirs = ours.clone();
        assert_eq!(compared(&ours, &theirs).await, Ok(Comparison::Equal));
        theirs[299_999] ^= 1;
        assert_eq!(compared(&ours, &theirs).await, Ok(Comparison::DiffersAt(299_999)));
        assert_eq!(compared(&ours, &ours[..100_000]).await, Ok(Comparison::DiffersAt(100_000)));
        assert_eq!(compared(b"", b"").await, Ok(Comparison::Equal));
    }

    #[tokio::test]
    async fn an_object_that_was_replaced_is_not_taken_for_the_listed_one() {
        let fake = FakeS3::new();
        let (a, b) = (fake.create_bucket("aaa"), fake.create_bucket("bbb"));
        a.put_bytes("k", b"one");
        b.put_bytes("k", b"one");
        let (listed, theirs) = (meta(&a, "k"), meta(&b, "k"));
        a.put_bytes("k", b"two");
        assert!(compare(&*a, &listed, &*b, &theirs).await.is_err());
    }
}
