//! The calls that the checks make again and again, in short.

use bytes::Bytes;
use futures_util::StreamExt as _;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, Md5, ObjectHead, ObjectKey, ObjectMeta, Prefix};
use longbow_core::port::{
    BodyStream, ByteRange, CompleteRequest, GetRequest, HeadRequest, MultipartStore, ObjectStore,
    PartRequest, PutBody, PutRequest, ReadPin, UploadId, WriteCondition, Written,
};
use md5::Digest as _;

use super::verdict::{Violation, demand};

/// A body of frames at hand, streamed.
pub(super) fn streamed(bytes: &Bytes, frame: usize) -> PutBody {
    let frames: Vec<Result<Bytes, StoreError>> =
        bytes.chunks(frame).map(|c| Ok(bytes.slice_ref(c))).collect();
    PutBody::Streamed { length: bytes.len() as u64, stream: Box::pin(futures_util::stream::iter(frames)) }
}

/// A streamed body that promises all of `bytes`, yields the first half and then `end`.
pub(super) fn broken(bytes: &Bytes, end: Option<StoreError>) -> PutBody {
    let half = bytes.slice(..bytes.len() / 2);
    let frames = std::iter::once(Ok(half)).chain(end.map(Err));
    let stream: BodyStream = Box::pin(futures_util::stream::iter(frames.collect::<Vec<_>>()));
    PutBody::Streamed { length: bytes.len() as u64, stream }
}

pub(super) fn kept(bytes: &Bytes) -> PutBody {
    PutBody::Kept(vec![bytes.clone()])
}

pub(super) fn md5_of(bytes: &[u8]) -> Md5 {
    Md5(md5::Md5::digest(bytes).into())
}

pub(super) async fn put<S: ObjectStore + ?Sized>(
    store: &S,
    key: &ObjectKey,
    bytes: &Bytes,
) -> Result<Written, StoreError> {
    store.put(key, kept(bytes), &PutRequest::default()).await
}

pub(super) async fn put_if<S: ObjectStore + ?Sized>(
    store: &S,
    key: &ObjectKey,
    bytes: &Bytes,
    condition: WriteCondition,
) -> Result<Written, StoreError> {
    store.put(key, streamed(bytes, 1000), &PutRequest { condition, ..PutRequest::default() }).await
}

/// Reads a whole body; it must have exactly the length that it announced.
pub(super) async fn read<S: ObjectStore + ?Sized>(
    store: &S,
    key: &ObjectKey,
    request: &GetRequest,
) -> Result<(ObjectHead, Vec<u8>), StoreError> {
    let mut body = store.get(key, request).await?;
    let mut out = Vec::new();
    while let Some(frame) = body.stream.next().await {
        out.extend_from_slice(&frame?);
    }
    if out.len() as u64 != body.length {
        let message = format!("the body announced {} bytes and had {}", body.length, out.len());
        return Err(StoreError::new(StoreErrorKind::Corrupt, message));
    }
    Ok((body.head, out))
}

pub(super) async fn get<S: ObjectStore + ?Sized>(store: &S, key: &ObjectKey) -> Result<Vec<u8>, StoreError> {
    Ok(read(store, key, &GetRequest::default()).await?.1)
}

pub(super) async fn get_range<S: ObjectStore + ?Sized>(
    store: &S,
    key: &ObjectKey,
    start: u64,
    length: u64,
) -> Result<Vec<u8>, StoreError> {
    let range = Some(ByteRange { start, length });
    Ok(read(store, key, &GetRequest { range, ..GetRequest::default() }).await?.1)
}

pub(super) async fn head<S: ObjectStore + ?Sized>(
    store: &S,
    key: &ObjectKey,
) -> Result<ObjectHead, StoreError> {
    store.head(key, &HeadRequest::default()).await
}

pub(super) fn pin(etag: &ETag) -> ReadPin {
    ReadPin { etag: Some(etag.clone()), version: None }
}

/// The tag of a write, which every store of longbow's states.
pub(super) fn tag(written: Written) -> Result<ETag, Violation> {
    written.etag.ok_or_else(|| Violation("the answer to a write has no tag".to_owned()))
}

/// All pages of a listing.
pub(super) async fn list<S: ObjectStore + ?Sized>(
    store: &S,
    prefix: &str,
) -> Result<Vec<ObjectMeta>, Violation> {
    let prefix = Prefix::raw(prefix);
    let mut objects = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let found = store.list(&prefix, page.as_deref()).await?;
        objects.extend(found.objects);
        match found.next {
            None => return Ok(objects),
            Some(next) => {
                demand!(page.as_ref() != Some(&next), "the listing goes round in a circle at {next:?}");
                page = Some(next);
            }
        }
    }
}

pub(super) async fn keys<S: ObjectStore + ?Sized>(store: &S, prefix: &str) -> Result<Vec<String>, Violation> {
    Ok(list(store, prefix).await?.into_iter().map(|object| object.key.as_str().to_owned()).collect())
}

pub(super) async fn put_part<S: MultipartStore + ?Sized>(
    store: &S,
    key: &ObjectKey,
    upload: &UploadId,
    (number, offset): (u32, u64),
    bytes: &Bytes,
) -> Result<ETag, Violation> {
    let request = PartRequest { number, offset, md5: None };
    tag(store.put_part(key, upload, streamed(bytes, 60_000), &request).await?)
}

pub(super) fn completion(parts: Vec<(u32, ETag)>, size: u64) -> CompleteRequest {
    CompleteRequest { parts, size, ..CompleteRequest::default() }
}

/// Demands that a call failed with this kind.
pub(super) fn refused<T>(
    result: Result<T, StoreError>,
    kind: StoreErrorKind,
    what: &str,
) -> Result<(), Violation> {
    match result {
        Ok(_) => Err(Violation(format!("{what} was accepted"))),
        Err(error) if error.kind == kind => Ok(()),
        Err(error) => {
            Err(Violation(format!("{what} failed with {:?}, not {kind:?}: {}", error.kind, error.message)))
        }
    }
}
