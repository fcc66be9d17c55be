//! What a listing and what a HEAD say about an object.

use serde::{Deserialize, Serialize};

use super::{Checksums, ETag, Encryption, ObjectAttributes, ObjectKey, Timestamp};

/// A version id of a versioned bucket. Never the text `null`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VersionId(pub String);

/// One entry of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectMeta {
    /// The full key.
    pub key: ObjectKey,
    /// Bytes.
    pub size: u64,
    /// The tag, if the store states one in its listings.
    pub etag: Option<ETag>,
    /// When the object was written last, if stated.
    pub modified: Option<Timestamp>,
    /// The storage class as text, absent for STANDARD and for folders.
    pub storage_class: Option<Box<str>>,
    /// The version; only in listings by versions, and absent for what was written without versioning.
    pub version: Option<VersionId>,
}

/// What the headers of HEAD and GET say.
#[derive(Debug, Clone, Default)]
pub struct ObjectHead {
    /// Bytes of the whole object, also when a range or a part was asked for.
    pub size: u64,
    /// The tag; a store without tags gives `None`.
    pub etag: Option<ETag>,
    /// The version, in versioned buckets.
    pub version: Option<VersionId>,
    /// When the object was written last.
    pub modified: Option<Timestamp>,
    /// Metadata.
    pub attributes: ObjectAttributes,
    /// The storage class as text, absent for STANDARD.
    pub storage_class: Option<String>,
    /// Encryption at rest, if stated.
    pub encryption: Option<Encryption>,
    /// How many tags the object has, as far as the server says (0 also when the right to read them is missing).
    pub tag_count: u32,
    /// Full-object checksums that the store keeps. Composite ones are left out.
    pub checksums: Checksums,
    /// Bytes of the part that was asked for with a part number.
    pub part_size: Option<u64>,
    /// How many parts the object was written in (only in answers about a part).
    pub parts: Option<u32>,
    /// The store's own name of the request that this answers.
    pub request_id: Option<Box<str>>,
}
