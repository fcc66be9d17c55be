//! Writing an object in parts.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{ByteRange, CopyRequest, ObjectStore, PutBody, WriteCondition, Written};
use crate::failure::StoreError;
use crate::object::{Checksums, ETag, Md5, ObjectAttributes, ObjectKey, Prefix, Tag, Timestamp};
use crate::transfer::PartPlan;

/// Names one multipart upload of one key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UploadId(pub String);

/// Multipart uploads: parts arrive in any order, side by side, and become one object at once.
#[async_trait]
pub trait MultipartStore: ObjectStore {
    /// Begins an upload.
    async fn create_upload(&self, key: &ObjectKey, request: &CreateRequest) -> Result<UploadId, StoreError>;

    /// Sends a part. A part sent again replaces the one before.
    async fn put_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: PutBody,
        request: &PartRequest,
    ) -> Result<Written, StoreError>;

    /// Fills a part from a range of an object of the same store. The answer's tag is the part's.
    async fn copy_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        range: ByteRange,
        source: &CopyRequest,
    ) -> Result<Written, StoreError>;

    /// All parts that the store holds, by number, each once (the last one sent). A folder reads its bytes anew.
    async fn list_parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        plan: &PartPlan,
    ) -> Result<Vec<ListedPart>, StoreError>;

    /// One page of the unfinished uploads of keys under `prefix`, from the start or from where a page ended.
    async fn uploads_page(
        &self,
        prefix: &Prefix,
        page: Option<&UploadsMarker>,
    ) -> Result<UploadsPage, StoreError>;

    /// All unfinished uploads of keys under `prefix`, in memory: for a prefix that has few.
    async fn list_uploads(&self, prefix: &Prefix) -> Result<Vec<ListedUpload>, StoreError> {
        let mut all = Vec::new();
        let mut marker = None;
        loop {
            let page = self.uploads_page(prefix, marker.as_ref()).await?;
            all.extend(page.uploads);
            marker = page.next;
            if marker.is_none() {
                return Ok(all);
            }
        }
    }

    /// Makes the parts one object. An error inside a 200 reply is an error.
    async fn complete_upload(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        request: &CompleteRequest,
    ) -> Result<Written, StoreError>;

    /// Gives the upload up and frees its parts. One that is gone already is no error.
    async fn abort_upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError>;
}

/// Everything about a new upload.
#[derive(Debug, Clone, Default)]
pub struct CreateRequest {
    /// Metadata to store.
    pub attributes: ObjectAttributes,
    /// Tags to store.
    pub tags: Vec<Tag>,
    /// Ask the store to keep a full-object CRC-64/NVME, which [`CompleteRequest::checksums`] then proves.
    pub crc64nvme: bool,
    /// Bytes of the whole object, known before.
    pub size: u64,
}

/// Everything about a part but its bytes.
#[derive(Debug, Clone)]
pub struct PartRequest {
    /// From 1 to 10,000.
    pub number: u32,
    /// Where the part's bytes lie in the object.
    pub offset: u64,
    /// The bytes' MD5, when known before: the server refuses other bytes.
    pub md5: Option<Md5>,
}

/// A part as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPart {
    /// From 1.
    pub number: u32,
    /// Bytes.
    pub size: u64,
    /// The part's tag: its MD5, save under KMS.
    pub etag: ETag,
}

/// An unfinished upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedUpload {
    /// Of which key.
    pub key: ObjectKey,
    /// Its name.
    pub upload: UploadId,
    /// When it began.
    pub initiated: Option<Timestamp>,
}

/// One page of unfinished uploads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UploadsPage {
    /// The uploads.
    pub uploads: Vec<ListedUpload>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<UploadsMarker>,
}

/// Where a page of uploads ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadsMarker {
    /// The last key.
    pub key: ObjectKey,
    /// The last upload of it; `None`: all of them.
    pub upload: Option<UploadId>,
}

/// What makes the parts one object.
#[derive(Debug, Clone, Default)]
pub struct CompleteRequest {
    /// Number and tag of each part, in order.
    pub parts: Vec<(u32, ETag)>,
    /// When to write.
    pub condition: WriteCondition,
    /// The full-object checksum, when the upload was created with it: the server refuses other bytes.
    pub checksums: Checksums,
    /// Bytes of the whole object: a folder refuses a file of another size.
    pub size: u64,
    /// The modification time that a folder gives the file.
    pub modified: Option<Timestamp>,
}
