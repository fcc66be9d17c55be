//! Reading, listing and writing whole objects.

use std::fmt;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::failure::{Feature, StoreError, StoreErrorKind};
use crate::object::{
    Checksums, ETag, Encryption, KeyOrder, Md5, ObjectAttributes, ObjectHead, ObjectKey, ObjectMeta, Prefix,
    Tag, Timestamp, VersionId,
};

/// A stream of frames. Frames are reference counted: passing them on copies nothing.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, StoreError>> + Send>>;

/// One bucket or folder. Cheap to share; every call may run beside every other.
#[async_trait]
pub trait ObjectStore: Send + Sync + 'static {
    /// What is fixed about this store.
    fn traits(&self) -> StoreTraits;

    /// One page of the keys under `prefix` in the store's own order, from the start or from where a page ended.
    /// Keys come decoded, each exactly as the object is called. A page that cannot be read whole is an error; where a `page`
    /// is no place of this store (any more), it is `NoSuchPage`, and the listing may begin again.
    async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError>;

    /// The same, beginning with the first key after `after`, which need not exist; for stores in byte order only.
    /// With a `page`, `after` is what the first page of this listing was asked with.
    ///
    /// # Errors
    /// `Unsupported` where a listing can only begin at its start.
    async fn list_from(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        match after {
            None => self.list(prefix, page).await,
            Some(_) => {
                let text = format!("{} lists from the first key only", self.traits().name);
                Err(StoreError::new(StoreErrorKind::Unsupported(Feature::Other), text))
            }
        }
    }

    /// One page of the keys under `prefix` as [`list_from`](Self::list_from) gives it, in byte order and with the version
    /// of each object. Only what a key has now: older versions and keys whose newest version is a delete marker are left
    /// out, so a page may be empty and not the last. What was written without versioning has no version.
    ///
    /// # Errors
    /// `Unsupported` by a store without versions.
    async fn list_versions(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        let _ = (prefix, after, page);
        let text = format!("{} keeps no versions: compare in another way", self.traits().name);
        Err(StoreError::new(StoreErrorKind::Unsupported(Feature::Other), text))
    }

    /// The headers of an object. A missing one is `NotFound`.
    async fn head(&self, key: &ObjectKey, request: &HeadRequest) -> Result<ObjectHead, StoreError>;

    /// The bytes of an object or of a range of it. Exactly `ObjectBody::length` bytes follow, or an error: a body
    /// that ends early is an error of the stream, never a short read. If the pin does not hold, the call fails
    /// with `PreconditionFailed` (or `NotFound`), also on stores that ignore conditions.
    async fn get(&self, key: &ObjectKey, request: &GetRequest) -> Result<ObjectBody, StoreError>;

    /// Writes an object whole. Nobody ever sees less than all of it under this key.
    async fn put(&self, key: &ObjectKey, body: PutBody, request: &PutRequest) -> Result<Written, StoreError>;

    /// Copies inside the store, from another bucket of it, at most 5 GiB.
    async fn copy(&self, key: &ObjectKey, request: &CopyRequest) -> Result<Written, StoreError>;

    /// Removes an object, if `if_match` (when given) is still its tag.
    async fn delete(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError>;

    /// The tags of an object.
    async fn tags(&self, key: &ObjectKey, version: Option<&VersionId>) -> Result<Vec<Tag>, StoreError>;
}

/// What is fixed about a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreTraits {
    /// How to name the store to a user: `s3://bucket at https://host` or a path.
    pub name: String,
    /// The order of its listings as far as the adapter can promise one; `None` has to be found out.
    pub order: Option<KeyOrder>,
    /// A folder: attributes, tags and ETags that are digests do not exist there.
    pub folder: bool,
    /// Amazon's own service: every feature of the API can be expected.
    pub amazon: bool,
    /// The encryption that writes ask for.
    pub encryption: Option<Encryption>,
    /// Two stores with equal, present values can copy objects to each other server-side.
    pub copy_domain: Option<String>,
    /// The bucket's name, or the folder.
    pub container: String,
}

/// One page of a listing.
#[derive(Debug, Clone, Default)]
pub struct ListPage {
    /// The entries in the store's order.
    pub objects: Vec<ObjectMeta>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<String>,
    /// Things that are no objects and were passed over, each with a reason fit to print (names that are not
    /// UTF-8, sockets, links out of the folder).
    pub skipped: Vec<String>,
}

/// What a read insists on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadPin {
    /// The tag that the object must still have.
    pub etag: Option<ETag>,
    /// The version to read.
    pub version: Option<VersionId>,
}

/// Asks for headers.
#[derive(Debug, Clone, Default)]
pub struct HeadRequest {
    /// What the object must still be.
    pub pin: ReadPin,
    /// Asks about one part of a multipart object, numbered from 1.
    pub part: Option<u32>,
    /// Asks for stored checksums.
    pub checksums: bool,
}

/// Bytes `start .. start + length`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte, from 0.
    pub start: u64,
    /// How many bytes; never 0.
    pub length: u64,
}

/// Asks for bytes.
#[derive(Debug, Clone, Default)]
pub struct GetRequest {
    /// What the object must still be.
    pub pin: ReadPin,
    /// Part of the object; `None` is all of it, also when it is empty.
    pub range: Option<ByteRange>,
    /// Asks for stored checksums along with a whole object.
    pub checksums: bool,
}

/// A body with its headers.
pub struct ObjectBody {
    /// The headers. `head.size` is the size of the whole object.
    pub head: ObjectHead,
    /// How many bytes follow.
    pub length: u64,
    /// The bytes.
    pub stream: BodyStream,
}

impl fmt::Debug for ObjectBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObjectBody")
            .field("head", &self.head)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

/// Bytes to write, of known length.
pub enum PutBody {
    /// Each frame passes once: the write cannot be repeated by the adapter.
    Streamed {
        /// How many bytes the stream yields.
        length: u64,
        /// The bytes. If it fails, the write fails and nothing is stored.
        stream: BodyStream,
    },
    /// Frames at hand: the adapter may send them again.
    Kept(Vec<Bytes>),
}

impl PutBody {
    /// How many bytes.
    pub fn length(&self) -> u64 {
        match self {
            Self::Streamed { length, .. } => *length,
            Self::Kept(frames) => frames.iter().map(|f| f.len() as u64).sum(),
        }
    }
}

impl fmt::Debug for PutBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = if matches!(self, Self::Kept(_)) { "kept" } else { "streamed" };
        write!(f, "PutBody({form}, {} bytes)", self.length())
    }
}

/// What must be true of the destination for a write to happen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum WriteCondition {
    /// Nothing: overwrite whatever is there.
    #[default]
    Always,
    /// No object may have the key (`If-None-Match: *`).
    Absent,
    /// The object there must still have this tag (`If-Match`).
    Matches(ETag),
}

/// Everything about a write but its bytes.
#[derive(Debug, Clone, Default)]
pub struct PutRequest {
    /// Metadata to store.
    pub attributes: ObjectAttributes,
    /// Tags to store.
    pub tags: Vec<Tag>,
    /// When to write.
    pub condition: WriteCondition,
    /// The bytes' MD5, when known before: the server refuses other bytes.
    pub md5: Option<Md5>,
    /// Stored checksums, when known before: the server refuses other bytes and keeps them.
    pub checksums: Checksums,
    /// The modification time that a folder gives the file.
    pub modified: Option<Timestamp>,
}

/// What a store said of a write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// The new tag.
    pub etag: Option<ETag>,
    /// The new version.
    pub version: Option<VersionId>,
    /// Encryption that the store states; says whether the tag can be an MD5.
    pub encryption: Option<Encryption>,
    /// Full-object checksums that the store states.
    pub checksums: Checksums,
    /// The store's own name of the request that this answers.
    pub request_id: Option<Box<str>>,
}

/// A copy inside the store.
#[derive(Debug, Clone)]
pub struct CopyRequest {
    /// The source's bucket.
    pub source_container: String,
    /// The source's key.
    pub source: ObjectKey,
    /// What the source must still be.
    pub pin: ReadPin,
    /// Metadata to store; `None` keeps the source's.
    pub attributes: Option<ObjectAttributes>,
    /// Whether the source's tags are kept.
    pub keep_tags: bool,
    /// When to write.
    pub condition: WriteCondition,
}
