//! A stored object and what is said of it in headers and listings.

use std::sync::Arc;

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{
    Checksums, ETag, Encryption, Md5, ObjectAttributes, ObjectHead, ObjectKey, ObjectMeta, Tag, Timestamp,
    VersionId,
};

use super::content::Content;
use super::refusal::{invalid, refuse};

/// The type that Amazon S3 gives to an object that was written without one.
const DEFAULT_TYPE: &str = "binary/octet-stream";

/// One version of an object, whole. Never changed once stored, save by a test's own hand.
#[derive(Debug, Clone)]
pub struct Object {
    /// The bytes.
    pub content: Content,
    /// The tag.
    pub etag: ETag,
    /// The MD5 of all bytes, where it was computed.
    pub md5: Option<Md5>,
    /// The sizes of the parts; empty for an object written whole.
    pub parts: Vec<u64>,
    /// Metadata.
    pub attributes: ObjectAttributes,
    /// Tags.
    pub tags: Vec<Tag>,
    /// The storage class; `None` for STANDARD.
    pub storage_class: Option<String>,
    /// Encryption at rest.
    pub encryption: Option<Encryption>,
    /// Full-object checksums that are kept.
    pub checksums: Checksums,
    /// When it was written.
    pub modified: Timestamp,
    /// Its version, in a versioned bucket.
    pub version: Option<VersionId>,
}

impl Object {
    /// The headers, with checksums if they were asked for.
    pub fn head(&self, checksums: bool) -> ObjectHead {
        ObjectHead {
            size: self.content.length(),
            etag: Some(self.etag.clone()),
            version: self.version.clone(),
            // Headers state whole seconds (RFC 9110, section 5.6.7).
            modified: Some(Timestamp(self.modified.second() * 1000)),
            attributes: self.attributes.clone(),
            storage_class: self.storage_class.clone(),
            encryption: self.encryption.clone(),
            tag_count: u32::try_from(self.tags.len()).unwrap_or(u32::MAX),
            checksums: if checksums { self.checksums } else { Checksums::default() },
            part_size: None,
            parts: None,
            request_id: None,
        }
    }

    /// The entry of a listing.
    pub fn meta(&self, key: &str) -> ObjectMeta {
        ObjectMeta {
            key: ObjectKey::from(key),
            size: self.content.length(),
            etag: Some(self.etag.clone()),
            modified: Some(self.modified),
            storage_class: self.storage_class.as_deref().map(Box::from),
            version: None,
        }
    }

    /// Where part `number` lies: its first byte and its length. A whole object is one part.
    pub fn part(&self, number: u32) -> Result<(u64, u64), StoreError> {
        let index = number.checked_sub(1).and_then(|index| usize::try_from(index).ok());
        let found = match index {
            Some(0) if self.parts.is_empty() => Some((0, self.content.length())),
            Some(index) => self.parts.get(index).map(|size| (self.parts[..index].iter().sum(), *size)),
            None => None,
        };
        found.ok_or_else(|| invalid("InvalidPartNumber", format!("the object has no part {number}")))
    }

    /// How many parts it was written in, for an object written in parts.
    pub fn part_count(&self) -> Option<u32> {
        (!self.parts.is_empty()).then(|| u32::try_from(self.parts.len()).unwrap_or(u32::MAX))
    }

    /// Refuses to read bytes that would have to be restored first.
    pub fn check_readable(&self, key: &ObjectKey) -> Result<(), StoreError> {
        match self.storage_class.as_deref() {
            Some(class @ ("GLACIER" | "DEEP_ARCHIVE")) => Err(refuse(
                StoreErrorKind::Archived,
                "InvalidObjectState",
                format!("{key} is in {class} and must be restored before it can be read"),
            )),
            _ => Ok(()),
        }
    }
}

/// A version in a bucket: an object, or the mark that it was deleted.
#[derive(Debug, Clone)]
pub(super) enum Version {
    /// An object.
    Object(Arc<Object>),
    /// A delete marker.
    Deleted(VersionId),
}

/// Everything of a new object but its bytes' digests, as create and put state it.
#[derive(Debug, Clone, Default)]
pub struct NewObject {
    /// Metadata.
    pub attributes: ObjectAttributes,
    /// Tags.
    pub tags: Vec<Tag>,
    /// The storage class.
    pub storage_class: Option<String>,
    /// Encryption that the writer asks for; `None` takes the bucket's.
    pub encryption: Option<Encryption>,
}

impl NewObject {
    /// The same as S3 keeps it: names of user metadata in small letters and sorted, a type where none was stated,
    /// STANDARD left out. Refuses
    /// what is beyond S3's limits (S3 User Guide, "Working with object metadata" and "Categorizing your storage using tags").
    pub fn checked(mut self) -> Result<Self, StoreError> {
        let user = &mut self.attributes.user;
        user.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        user.sort();
        if user.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > 2048 {
            return Err(invalid("MetadataTooLarge", "user metadata has more than 2,048 bytes"));
        }
        self.attributes.content_type.get_or_insert_with(|| DEFAULT_TYPE.to_owned());
        self.attributes.unreadable = 0;
        check_tags(&self.tags)?;
        self.storage_class = self.storage_class.filter(|class| class != "STANDARD");
        Ok(self)
    }
}

/// Refuses tags beyond S3's limits.
pub(super) fn check_tags(tags: &[Tag]) -> Result<(), StoreError> {
    if tags.len() > 10 {
        return Err(invalid("BadRequest", "an object has at most 10 tags"));
    }
    for (index, tag) in tags.iter().enumerate() {
        if tag.key.is_empty() || tag.key.chars().count() > 128 || tag.value.chars().count() > 256 {
            return Err(invalid(
                "InvalidTag",
                "a tag's name has 1 to 128 characters and its value at most 256",
            ));
        }
        if tags[..index].iter().any(|other| other.key == tag.key) {
            return Err(invalid("InvalidTag", "no two tags of an object may have the same name"));
        }
    }
    Ok(())
}
