//! A file as an object: written whole when it is small, in parts when it is not.
//!
//! Each request is repeated while its fault may pass. An upload that fails is aborted, so nothing of it is kept.

use std::fs::File;
use std::io::{self, Read as _};

use bytes::Bytes;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ObjectAttributes, ObjectKey};
use longbow_core::port::{
    CompleteRequest, CreateRequest, MultipartStore, PartRequest, PutBody, PutRequest, UploadId,
};
use longbow_core::transfer::PartPlan;
use tokio_util::sync::CancellationToken;

use super::ListError;
use super::file::blocking;
use crate::patience::persist_store;

/// Written whole up to so many bytes, and else in parts of so many or more: what memory holds of it.
pub(super) const PART: u64 = 16 << 20;

/// Why a file did not become an object.
pub(super) enum UploadError {
    Disk(io::Error),
    Store(StoreError),
}

impl UploadError {
    pub(super) fn at(self, place: &str) -> ListError {
        let place = place.to_owned();
        match self {
            Self::Disk(source) => ListError::File { place, source },
            Self::Store(source) => ListError::Object { place, source },
        }
    }
}

impl From<StoreError> for UploadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<io::Error> for UploadError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

fn attributes() -> ObjectAttributes {
    ObjectAttributes { content_type: Some("application/x-ndjson".to_owned()), ..ObjectAttributes::default() }
}

/// Stores the file, which is read from where it stands and has `size` bytes.
pub(super) async fn upload(
    store: &dyn MultipartStore,
    key: &ObjectKey,
    file: File,
    size: u64,
) -> Result<(), UploadError> {
    // The run has ended; what is left is bounded by the tries.
    let never = CancellationToken::new();
    if size <= PART {
        let (_, bytes) = next(file, size).await?;
        let request = PutRequest { attributes: attributes(), ..PutRequest::default() };
        persist_store(&never, || store.put(key, PutBody::Kept(vec![bytes.clone()]), &request)).await?;
        return Ok(());
    }
    let plan = PartPlan::for_size(size, PART)
        .map_err(|error| StoreError::new(StoreErrorKind::Permanent, error.to_string()))?;
    let request = CreateRequest { attributes: attributes(), size, ..CreateRequest::default() };
    let upload = persist_store(&never, || store.create_upload(key, &request)).await?;
    let end = in_parts(store, key, &upload, file, &plan, &never).await;
    if end.is_err()
        && let Err(error) = persist_store(&never, || store.abort_upload(key, &upload)).await
    {
        tracing::warn!(%key, %error, "the upload of a list could not be aborted");
    }
    end
}

async fn in_parts(
    store: &dyn MultipartStore,
    key: &ObjectKey,
    upload: &UploadId,
    mut file: File,
    plan: &PartPlan,
    never: &CancellationToken,
) -> Result<(), UploadError> {
    let mut parts = Vec::new();
    for part in plan.parts() {
        let (rest, bytes) = next(file, part.length).await?;
        file = rest;
        let request = PartRequest { number: part.number, offset: part.offset, md5: None };
        let sent = persist_store(never, || {
            store.put_part(key, upload, PutBody::Kept(vec![bytes.clone()]), &request)
        })
        .await?;
        let untagged = || StoreError::new(StoreErrorKind::Permanent, "the store gave no tag for a part");
        parts.push((part.number, sent.etag.ok_or_else(untagged)?));
    }
    let request = CompleteRequest { parts, size: plan.size, ..CompleteRequest::default() };
    let mut tried = false;
    persist_store(never, || {
        let again = std::mem::replace(&mut tried, true);
        let request = &request;
        async move {
            match store.complete_upload(key, upload, request).await {
                // The answer of the try before was lost: the upload is gone since the object is there.
                Err(error) if again && error.kind == StoreErrorKind::NoSuchUpload => {
                    let head = store.head(key, &Default::default()).await?;
                    if head.size == request.size { Ok(()) } else { Err(error) }
                }
                end => end.map(drop),
            }
        }
    })
    .await?;
    Ok(())
}

/// The next `length` bytes. A file that has become shorter is an error.
async fn next(mut file: File, length: u64) -> io::Result<(File, Bytes)> {
    blocking(move || {
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_exact(&mut bytes)?;
        Ok((file, bytes.into()))
    })
    .await
}
