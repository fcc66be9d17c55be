//! What was asked of a fake S3 service and what it answered, in order: the one witness that checkers read.

use longbow_core::failure::StoreErrorKind;
use longbow_core::object::{ETag, ObjectKey, Timestamp, VersionId};
use longbow_core::port::{ByteRange, ReadPin, WriteCondition, Written};

/// One call and its answer. Entries are in the order in which the calls took effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// From 0, across all buckets of the service.
    pub number: u64,
    /// When it took effect.
    pub at: Timestamp,
    /// The bucket.
    pub bucket: String,
    /// The key; empty for calls about the whole bucket.
    pub key: ObjectKey,
    /// What was asked.
    pub call: Call,
    /// What was answered.
    pub reply: Result<Reply, StoreErrorKind>,
}

impl Entry {
    /// Whether the call changed the object under the key.
    pub fn is_write(&self) -> bool {
        self.reply.is_ok()
            && matches!(
                self.call,
                Call::Put { .. } | Call::Copy { .. } | Call::Delete { .. } | Call::Complete { .. }
            )
    }
}

/// The facts of a good answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// The tag of the object or part that was read or written; `None` after a delete.
    pub etag: Option<ETag>,
    /// Its version.
    pub version: Option<VersionId>,
    /// Bytes of the body or part, or entries of a page.
    pub size: u64,
}

impl Reply {
    /// The reply of a write of `size` bytes.
    pub(crate) fn written(size: u64) -> impl FnOnce(&Written) -> Self {
        move |written| Self { etag: written.etag.clone(), version: written.version.clone(), size }
    }
}

/// What was asked.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are those of the port's requests")]
pub enum Call {
    /// A page of the keys under a prefix.
    List { prefix: String, page: Option<String> },
    /// A page of the versions of the keys under a prefix.
    ListVersions { prefix: String, page: Option<String> },
    /// The headers of an object or of one part of it.
    Head { pin: ReadPin, part: Option<u32> },
    /// The bytes of an object.
    Get { pin: ReadPin, range: Option<ByteRange> },
    /// A whole object.
    Put { size: u64, condition: WriteCondition },
    /// A copy inside the service.
    Copy { source_bucket: String, source: ObjectKey, pin: ReadPin, condition: WriteCondition },
    /// The removal of an object.
    Delete { if_match: Option<ETag> },
    /// The tags of an object.
    Tags,
    /// Other tags for an object.
    PutTags,
    /// A new upload; the answer's tag is the upload's name.
    CreateUpload,
    /// A part.
    PutPart { upload: String, number: u32, size: u64 },
    /// A part from a range of an object.
    CopyPart { upload: String, number: u32, range: ByteRange, source_bucket: String, source: ObjectKey },
    /// The parts of an upload.
    ListParts { upload: String },
    /// The unfinished uploads under a prefix.
    ListUploads { prefix: String },
    /// The end of an upload.
    Complete { upload: String, parts: u32, condition: WriteCondition },
    /// The giving up of an upload.
    Abort { upload: String },
}

impl Call {
    /// The port's name of the call.
    pub fn name(&self) -> &'static str {
        match self {
            Self::List { .. } => "list",
            Self::ListVersions { .. } => "list_versions",
            Self::Head { .. } => "head",
            Self::Get { .. } => "get",
            Self::Put { .. } => "put",
            Self::Copy { .. } => "copy",
            Self::Delete { .. } => "delete",
            Self::Tags => "tags",
            Self::PutTags => "put_tags",
            Self::CreateUpload => "create_upload",
            Self::PutPart { .. } => "put_part",
            Self::CopyPart { .. } => "copy_part",
            Self::ListParts { .. } => "list_parts",
            Self::ListUploads { .. } => "list_uploads",
            Self::Complete { .. } => "complete_upload",
            Self::Abort { .. } => "abort_upload",
        }
    }
}
