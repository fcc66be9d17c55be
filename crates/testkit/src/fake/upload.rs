//! Multipart uploads: the rules of the S3 User Guide, "Uploading and copying objects using multipart upload".

use std::collections::BTreeMap;

use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ETag, Md5, ObjectKey, Timestamp};
use longbow_core::port::{
    ListedPart, ListedUpload, UploadId, UploadsMarker, UploadsPage, WriteCondition, Written,
};
use longbow_core::transfer::{MAX_PARTS, combine_checksums, composite_etag};

use super::bucket::{Arrived, Bucket};
use super::content::Content;
use super::digest::Claims;
use super::object::NewObject;
use super::refusal::{invalid, no_such_upload, refuse};

/// An unfinished upload.
#[derive(Debug)]
pub(super) struct Upload {
    key: ObjectKey,
    new: NewObject,
    crc64nvme: bool,
    initiated: Timestamp,
    parts: BTreeMap<u32, StoredPart>,
}

#[derive(Debug, Clone)]
struct StoredPart {
    content: Content,
    md5: Md5,
    etag: ETag,
    checksums: Checksums,
    modified: Timestamp,
}

/// What the end of an upload states.
#[derive(Debug, Clone, Default)]
pub struct Completion {
    /// Number and tag of each part, in order.
    pub parts: Vec<(u32, ETag)>,
    /// When to write.
    pub condition: WriteCondition,
    /// The full-object checksum.
    pub checksums: Checksums,
    /// Bytes of the whole object, if stated.
    pub size: Option<u64>,
}

impl Bucket {
    /// Begins an upload.
    pub fn create_upload(
        &mut self,
        key: &ObjectKey,
        new: NewObject,
        crc64nvme: bool,
        now: Timestamp,
    ) -> Result<UploadId, StoreError> {
        self.require(Feature::Multipart)?;
        self.check_key(key)?;
        if crc64nvme {
            self.require(Feature::Checksums)?;
        }
        self.check_new(&new, &Claims::default())?;
        self.counter += 1;
        let name = format!("upload-{:08}", self.counter);
        let upload = Upload {
            key: key.clone(),
            new: new.checked()?,
            crc64nvme,
            initiated: now,
            parts: BTreeMap::new(),
        };
        self.uploads.insert(name.clone(), upload);
        Ok(UploadId(name))
    }

    fn upload(&self, key: &ObjectKey, upload: &UploadId) -> Result<&Upload, StoreError> {
        self.uploads.get(&upload.0).filter(|u| u.key == *key).ok_or_else(|| no_such_upload(&upload.0))
    }

    /// Takes a part; one of the same number is replaced.
    pub fn put_part(
        &mut self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        body: Arrived,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(invalid("InvalidArgument", format!("part number {number} is not in 1..=10000")));
        }
        let encryption = self.upload(key, upload)?.new.encryption.clone();
        if body.digests.length > self.settings.max_part {
            return Err(invalid("EntityTooLarge", "a part has at most 5 GiB"));
        }
        if !body.claims.checksums.is_empty() {
            self.require(Feature::Checksums)?;
        }
        body.digests.check(&body.claims)?;
        let etag = self.tag_of(ETag::of_md5(body.digests.md5), encryption.as_ref());
        let written = Written {
            etag: Some(etag.clone()),
            version: None,
            encryption: encryption.or_else(|| self.settings.encryption.clone()),
            checksums: body.claims.checksums,
            request_id: None,
        };
        let content =
            if self.settings.keep_bytes { body.content } else { Content::dropped(body.digests.length) };
        let part = StoredPart {
            content,
            md5: body.digests.md5,
            etag,
            checksums: body.digests.checksums,
            modified: now,
        };
        let upload = self.uploads.get_mut(&upload.0).ok_or_else(|| no_such_upload(&upload.0))?;
        upload.parts.insert(number, part);
        Ok(written)
    }

    /// The parts of an upload by number, each with the time of its arrival.
    pub fn list_parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
    ) -> Result<Vec<(ListedPart, Timestamp)>, StoreError> {
        let upload = self.upload(key, upload)?;
        Ok(upload
            .parts
            .iter()
            .map(|(number, part)| {
                let listed =
                    ListedPart { number: *number, size: part.content.length(), etag: part.etag.clone() };
                (listed, part.modified)
            })
            .collect())
    }

    /// The unfinished uploads of keys under `prefix`, by key and then by age.
    pub fn list_uploads(&self, prefix: &str) -> Vec<ListedUpload> {
        let mut found: Vec<_> = self
            .uploads
            .iter()
            .filter(|(_, upload)| upload.key.as_str().starts_with(prefix))
            .map(|(name, upload)| ListedUpload {
                key: upload.key.clone(),
                upload: UploadId(name.clone()),
                initiated: Some(upload.initiated),
            })
            .collect();
        found.sort_by(|a, b| a.key.cmp(&b.key).then(a.initiated.cmp(&b.initiated)));
        found
    }

    /// A page of them, by key and then by name, after a marker.
    pub fn uploads_page(&self, prefix: &str, after: Option<&UploadsMarker>) -> UploadsPage {
        let mut rest = self.list_uploads(prefix);
        rest.sort_by(|a, b| (&a.key, &a.upload.0).cmp(&(&b.key, &b.upload.0)));
        if let Some(UploadsMarker { key, upload }) = after {
            rest.retain(|found| {
                let of_key = found.key == *key && upload.as_ref().is_some_and(|last| found.upload.0 > last.0);
                found.key > *key || of_key
            });
        }
        let more = rest.len() > self.settings.page_size;
        rest.truncate(self.settings.page_size);
        let next = rest
            .last()
            .filter(|_| more)
            .map(|last| UploadsMarker { key: last.key.clone(), upload: Some(last.upload.clone()) });
        UploadsPage { uploads: rest, next }
    }

    /// Makes the parts one object.
    pub fn complete_upload(
        &mut self,
        key: &ObjectKey,
        name: &UploadId,
        completion: &Completion,
        now: Timestamp,
    ) -> Result<Written, StoreError> {
        let upload = self.upload(key, name)?;
        let parts = upload.chosen(&completion.parts, self.settings.min_part)?;
        let size: u64 = parts.iter().map(|part| part.content.length()).sum();
        if let Some(stated) = completion.size.filter(|stated| *stated != size) {
            let message = format!("the parts have {size} bytes, the request states {stated}");
            return Err(refuse(StoreErrorKind::Corrupt, "InvalidRequest", message));
        }
        let whole = combine_checksums(parts.iter().map(|part| (part.checksums, part.content.length())));
        let checksums = self.whole_checksums(upload.crc64nvme, completion.checksums, whole)?;
        self.check_condition(key, &completion.condition)?;

        let digest = composite_etag(parts.iter().map(|part| part.md5));
        let sizes = parts.iter().map(|part| part.content.length()).collect();
        let content = Content::join(parts.into_iter().map(|part| part.content));
        let mut new = upload.new.clone();
        if self.settings.forgets_tags_of_uploads {
            new.tags.clear();
        }
        let etag = self.tag_of(digest, new.encryption.as_ref());
        self.uploads.remove(&name.0);
        Ok(self.store(key, content, etag, None, sizes, checksums, new, now))
    }

    fn whole_checksums(
        &self,
        asked: bool,
        stated: Checksums,
        whole: Checksums,
    ) -> Result<Checksums, StoreError> {
        if !stated.is_empty() {
            self.require(Feature::Checksums)?;
            if !asked || stated.crc64nvme.is_none() || stated.crc32c.is_some() || stated.crc32.is_some() {
                let message = "the upload was not created with the checksum that its end states";
                return Err(invalid("InvalidRequest", message));
            }
        }
        if stated.agrees(&whole) == Some(false) {
            let message = format!("the checksum sent ({stated}) is not that of the parts ({whole})");
            return Err(refuse(StoreErrorKind::Corrupt, "BadDigest", message));
        }
        let default = self.settings.default_checksum && !self.settings.lacks.contains(&Feature::Checksums);
        let crc64nvme = whole.crc64nvme.filter(|_| asked || default);
        Ok(Checksums { crc64nvme, ..Checksums::default() })
    }

    /// Gives an upload up.
    pub fn abort_upload(&mut self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError> {
        self.upload(key, upload)?;
        self.uploads.remove(&upload.0);
        Ok(())
    }
}

impl Upload {
    /// The parts that a completion names, if S3 would take them.
    fn chosen(&self, named: &[(u32, ETag)], min_part: u64) -> Result<Vec<StoredPart>, StoreError> {
        if named.is_empty() {
            return Err(invalid("MalformedXML", "an upload cannot be completed without parts"));
        }
        if named.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return Err(invalid("InvalidPartOrder", "the parts are not in ascending order"));
        }
        let mut chosen = Vec::with_capacity(named.len());
        for (number, etag) in named {
            match self.parts.get(number) {
                Some(part) if part.etag == *etag => chosen.push(part.clone()),
                _ => {
                    let message = format!("part {number} was not sent, or has another ETag than {etag}");
                    return Err(refuse(StoreErrorKind::Corrupt, "InvalidPart", message));
                }
            }
        }
        let but_last = &chosen[..chosen.len() - 1];
        if let Some(small) = but_last.iter().position(|part| part.content.length() < min_part) {
            let message = format!(
                "part {} has {} bytes; all but the last need {min_part}",
                named[small].0,
                but_last[small].content.length()
            );
            return Err(invalid("EntityTooSmall", message));
        }
        Ok(chosen)
    }
}
