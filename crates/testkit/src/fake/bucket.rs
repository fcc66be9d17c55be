//! One bucket: the objects under its keys, and the rules by which they are read, written and removed.
//!
//! Synchronous and deterministic: whoever holds it is alone with it, and the time is passed in. Parts are in
//! `upload`, pages in `listing`; bodies have arrived and are digested before anything here is called.

use std::collections::BTreeMap;
use std::sync::Arc;

use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ETag, Encryption, Md5, ObjectKey, Tag, Timestamp, VersionId};
use longbow_core::port::{ReadPin, WriteCondition, Written};
use md5::Digest as _;

use super::content::Content;
use super::digest::{Claims, Digester, Digests};
use super::object::{NewObject, Object, Version, check_tags};
use super::refusal::{invalid, lacking, no_such_key, precondition, refuse};
use super::settings::BucketSettings;
use super::upload::Upload;

/// The objects and uploads of a bucket.
#[derive(Debug, Default)]
pub struct Bucket {
    /// How the bucket behaves.
    pub settings: BucketSettings,
    /// Versions by key, the current one last.
    pub(super) keys: BTreeMap<String, Vec<Version>>,
    /// Unfinished uploads by name.
    pub(super) uploads: BTreeMap<String, Upload>,
    /// Grows with everything that needs a new name.
    pub(super) counter: u64,
}

/// A body that has arrived whole and was compared with its claims.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The bytes.
    pub content: Content,
    /// Their digests.
    pub digests: Digests,
    /// What the sender stated.
    pub claims: Claims,
}

impl Arrived {
    /// Bytes at hand, digested, of which nothing is claimed.
    pub fn at_hand(content: Content) -> Result<Self, StoreError> {
        let mut digester = Digester::new(false, false);
        for frame in content.frames() {
            digester.update(&frame?);
        }
        Ok(Self { content, digests: digester.finish(), claims: Claims::default() })
    }
}

impl Bucket {
    /// Whether a feature is refused here.
    pub fn require(&self, feature: Feature) -> Result<(), StoreError> {
        if self.settings.lacks.contains(&feature) { Err(lacking(feature)) } else { Ok(()) }
    }

    /// Refuses keys that the bucket cannot have.
    pub fn check_key(&self, key: &ObjectKey) -> Result<(), StoreError> {
        let length = key.as_str().len();
        if length == 0 {
            return Err(refuse(StoreErrorKind::InvalidKey, "InvalidURI", "an object key must not be empty"));
        }
        if length > self.settings.max_key {
            let message = format!("the key has {length} bytes; at most {} are taken", self.settings.max_key);
            return Err(refuse(StoreErrorKind::InvalidKey, "KeyTooLongError", message));
        }
        Ok(())
    }

    /// The current object.
    pub fn current(&self, key: &str) -> Option<&Arc<Object>> {
        match self.keys.get(key)?.last()? {
            Version::Object(object) => Some(object),
            Version::Deleted(_) => None,
        }
    }

    /// The object that the pin names, if it is still the one that the pin insists on.
    pub fn read(&self, key: &ObjectKey, pin: &ReadPin) -> Result<Arc<Object>, StoreError> {
        let object = match &pin.version {
            None => self.current(key.as_str()).ok_or_else(|| no_such_key(key))?,
            Some(version) => self.version(key, version)?,
        };
        match &pin.etag {
            Some(etag) if etag.as_str() != "*" && *etag != object.etag => Err(precondition(key, "If-Match")),
            _ => Ok(Arc::clone(object)),
        }
    }

    fn version(&self, key: &ObjectKey, version: &VersionId) -> Result<&Arc<Object>, StoreError> {
        let versions = self.keys.get(key.as_str()).map_or(&[][..], Vec::as_slice);
        for candidate in versions {
            match candidate {
                Version::Object(object) if object.version.as_ref() == Some(version) => return Ok(object),
                Version::Deleted(id) if id == version => {
                    let message = format!("the version {} of {key} is a delete marker", version.0);
                    return Err(refuse(StoreErrorKind::NotFound, "MethodNotAllowed", message));
                }
                _ => {}
            }
        }
        let message = format!("the version {} of {key} does not exist", version.0);
        Err(refuse(StoreErrorKind::NotFound, "NoSuchVersion", message))
    }

    /// Whether a write may happen. `If-Match` on a missing key is S3's `NoSuchKey`, and for the caller a
    /// condition that does not hold like any other.
    pub fn check_condition(&self, key: &ObjectKey, condition: &WriteCondition) -> Result<(), StoreError> {
        if *condition == WriteCondition::Always || self.settings.ignores_conditions {
            return Ok(());
        }
        self.require(Feature::ConditionalWrites)?;
        match (condition, self.current(key.as_str())) {
            (WriteCondition::Absent, Some(_)) => Err(precondition(key, "If-None-Match: *")),
            (WriteCondition::Absent, None) if self.settings.folders_exist && self.is_folder(key) => {
                Err(precondition(key, "If-None-Match: *"))
            }
            (WriteCondition::Matches(etag), Some(object)) if *etag != object.etag => {
                Err(precondition(key, "If-Match"))
            }
            (WriteCondition::Matches(_), None) => Err(refuse(
                StoreErrorKind::PreconditionFailed,
                "NoSuchKey",
                format!("{key}: If-Match does not hold, the key does not exist"),
            )),
            _ => Ok(()),
        }
    }

    fn is_folder(&self, key: &ObjectKey) -> bool {
        let folder = format!("{}/", key.as_str());
        self.keys.range(folder.clone()..).next().is_some_and(|(other, _)| other.starts_with(&folder))
    }

    /// Writes a whole object.
    pub fn put(
        &mut self,
        key: &ObjectKey,
        body: Arrived,
        new: NewObject,
        condition: &WriteCondition,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        self.check_key(key)?;
        self.check_new(&new, &body.claims)?;
        if body.digests.length > self.settings.max_part {
            return Err(invalid("EntityTooLarge", "a whole object has at most 5 GiB"));
        }
        body.digests.check(&body.claims)?;
        self.check_condition(key, condition)?;
        let checksums = self.kept_checksums(&body);
        let etag = self.tag_of(ETag::of_md5(body.digests.md5), new.encryption.as_ref());
        let tags = if self.settings.forgets_tags_of_puts { Vec::new() } else { new.tags };
        let new = NewObject { tags, ..new };
        Ok(self.store(
            key,
            body.content,
            etag,
            Some(body.digests.md5),
            Vec::new(),
            checksums,
            new.checked()?,
            now,
        ))
    }

    /// Every current object by key.
    pub fn all(&self) -> BTreeMap<String, Arc<Object>> {
        self.keys.keys().filter_map(|key| Some((key.clone(), Arc::clone(self.current(key)?)))).collect()
    }

    /// Stores an object with a tag of the test's choice, unchecked and without checksums.
    pub fn insert(&mut self, key: &ObjectKey, content: Content, etag: ETag, new: NewObject, now: Timestamp) {
        let new = new.checked().unwrap_or_default();
        let _ = self.store(key, content, etag, None, Vec::new(), Checksums::default(), new, now);
    }

    /// Refuses what the bucket's settings cannot keep.
    pub fn check_new(&self, new: &NewObject, claims: &Claims) -> Result<(), StoreError> {
        if !new.tags.is_empty() {
            self.require(Feature::Tags)?;
        }
        if !claims.checksums.is_empty() {
            self.require(Feature::Checksums)?;
        }
        Ok(())
    }

    /// The checksums that are kept of a body: those that its sender stated, else the store's own.
    pub fn kept_checksums(&self, body: &Arrived) -> Checksums {
        let all = body.digests.checksums;
        let claimed = body.claims.checksums;
        if claimed.is_empty() {
            let default =
                self.settings.default_checksum && !self.settings.lacks.contains(&Feature::Checksums);
            return Checksums { crc64nvme: all.crc64nvme.filter(|_| default), ..Checksums::default() };
        }
        claimed
    }

    /// The tag under the object's or the bucket's encryption: under KMS anything but a digest of the bytes.
    pub(super) fn tag_of(&mut self, digest: ETag, encryption: Option<&Encryption>) -> ETag {
        match encryption.or(self.settings.encryption.as_ref()) {
            Some(encryption) if !encryption.etag_is_md5() => {
                self.counter += 1;
                let mut hasher = md5::Md5::new();
                hasher.update(format!("{}/{}", self.counter, digest.as_str()));
                let veiled = Md5(hasher.finalize().into());
                match digest.as_str().split_once('-') {
                    Some((_, parts)) => ETag::new(&format!("{veiled}-{parts}")),
                    None => ETag::of_md5(veiled),
                }
            }
            _ => digest,
        }
    }

    /// Makes an object the current one of its key.
    #[expect(clippy::too_many_arguments, reason = "each is one field of the object")]
    pub(super) fn store(
        &mut self,
        key: &ObjectKey,
        content: Content,
        etag: ETag,
        md5: Option<Md5>,
        parts: Vec<u64>,
        checksums: Checksums,
        new: NewObject,
        modified: Timestamp,
    ) -> Written {
        let content = if self.settings.keep_bytes { content } else { Content::dropped(content.length()) };
        let version = self.settings.versioned.then(|| self.next_version());
        let NewObject { attributes, tags, storage_class, encryption } = new;
        let encryption = encryption.or_else(|| self.settings.encryption.clone());
        let written = Written {
            etag: Some(etag.clone()),
            version: version.clone(),
            encryption: encryption.clone(),
            checksums,
            request_id: None,
        };
        let object = Object {
            content,
            etag,
            md5,
            parts,
            attributes,
            tags,
            storage_class,
            encryption,
            checksums,
            modified,
            version,
        };
        self.push(key, Version::Object(Arc::new(object)));
        written
    }

    fn next_version(&mut self) -> VersionId {
        self.counter += 1;
        VersionId(format!("version-{:08}", self.counter))
    }

    fn push(&mut self, key: &ObjectKey, version: Version) {
        let versions = self.keys.entry(key.as_str().to_owned()).or_default();
        if !self.settings.versioned {
            versions.clear();
        }
        versions.push(version);
    }

    /// Removes the current object, if the condition holds. Removing nothing is no error (S3 answers 204).
    pub fn delete(
        &mut self,
        key: &ObjectKey,
        if_match: Option<&ETag>,
    ) -> Result<Option<VersionId>, StoreError> {
        self.check_key(key)?;
        match (if_match, self.current(key.as_str())) {
            (Some(_), None) => return Err(no_such_key(key)),
            (Some(etag), Some(object)) if *etag != object.etag => {
                return Err(precondition(key, "If-Match"));
            }
            _ => {}
        }
        if self.settings.versioned {
            let marker = self.next_version();
            self.push(key, Version::Deleted(marker.clone()));
            return Ok(Some(marker));
        }
        self.keys.remove(key.as_str());
        Ok(None)
    }

    /// Removes one version for good.
    pub fn delete_version(&mut self, key: &ObjectKey, version: &VersionId) {
        if let Some(versions) = self.keys.get_mut(key.as_str()) {
            versions.retain(|candidate| match candidate {
                Version::Object(object) => object.version.as_ref() != Some(version),
                Version::Deleted(id) => id != version,
            });
            if versions.is_empty() {
                self.keys.remove(key.as_str());
            }
        }
    }

    /// Replaces the tags of an object.
    pub fn put_tags(&mut self, key: &ObjectKey, pin: &ReadPin, tags: Vec<Tag>) -> Result<(), StoreError> {
        self.require(Feature::Tags)?;
        check_tags(&tags)?;
        let object = self.read(key, pin)?;
        self.alter_version(key, object.version.as_ref(), |object| object.tags = tags);
        Ok(())
    }

    /// Changes the current object in place, as only a test may. `false` when there is none.
    pub fn alter(&mut self, key: &str, change: impl FnOnce(&mut Object)) -> bool {
        match self.keys.get_mut(key).and_then(|versions| versions.last_mut()) {
            Some(Version::Object(object)) => {
                change(Arc::make_mut(object));
                true
            }
            _ => false,
        }
    }

    fn alter_version(
        &mut self,
        key: &ObjectKey,
        version: Option<&VersionId>,
        change: impl FnOnce(&mut Object),
    ) {
        let versions = self.keys.get_mut(key.as_str()).into_iter().flatten();
        let found = versions.rev().find_map(|candidate| match candidate {
            Version::Object(object) if object.version.as_ref() == version => Some(object),
            _ => None,
        });
        if let Some(object) = found {
            change(Arc::make_mut(object));
        }
    }
}
