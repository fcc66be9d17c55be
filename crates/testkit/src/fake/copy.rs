//! Copies inside the fake service: whole objects and parts.

use std::sync::Arc;

use longbow_core::failure::{Feature, StoreError};
use longbow_core::object::{Encryption, ObjectKey, Tag};
use longbow_core::port::{ByteRange, CopyRequest, UploadId, Written};

use super::bucket::{Arrived, Bucket};
use super::journal::{Call, Reply};
use super::object::{NewObject, Object};
use super::refusal::invalid;
use super::store::FakeStore;

/// Most bytes that one copy moves (S3 API reference, CopyObject).
const MAX_COPY: u64 = 5 << 30;

/// What a copy changes beside its metadata.
#[derive(Debug, Clone, Default)]
pub(crate) struct CopyChanges {
    /// Tags instead of the source's, whatever the request says of keeping them.
    pub(crate) tags: Option<Vec<Tag>>,
    /// The storage class.
    pub(crate) storage_class: Option<String>,
    /// Encryption at rest.
    pub(crate) encryption: Option<Encryption>,
}

impl FakeStore {
    /// The source of a copy, if it is still what the request insists on.
    fn copy_source(&self, request: &CopyRequest) -> Result<Arc<Object>, StoreError> {
        self.service.look(&self.bucket, |bucket, _| bucket.require(Feature::ServerSideCopy))?;
        self.service.look(&request.source_container, |bucket, _| {
            let object = bucket.read(&request.source, &request.pin)?;
            object.check_readable(&request.source)?;
            Ok(object)
        })
    }

    /// Copies a whole object, with what the port's request cannot say in `other`.
    pub(crate) async fn copy_object(
        &self,
        key: &ObjectKey,
        request: &CopyRequest,
        other: CopyChanges,
        call: Call,
    ) -> Result<Written, StoreError> {
        let prepared = self.copy_source(request).and_then(|source| {
            if source.content.length() > MAX_COPY {
                return Err(invalid("InvalidRequest", "a copy moves at most 5 GiB; copy it in parts"));
            }
            let itself = request.source_container == self.bucket && request.source == *key;
            if itself && request.attributes.is_none() && request.pin.version.is_none() {
                return Err(invalid("InvalidRequest", "a copy onto itself must change something"));
            }
            let attributes = request.attributes.clone().unwrap_or_else(|| source.attributes.clone());
            let kept = if request.keep_tags { source.tags.clone() } else { Vec::new() };
            let CopyChanges { tags, storage_class, encryption } = other;
            let new = NewObject { attributes, tags: tags.unwrap_or(kept), storage_class, encryption };
            Ok((Arrived::at_hand(source.content.clone())?, new))
        });
        let (body, new) =
            prepared.inspect_err(|e| self.service.note_failure(&self.bucket, key, call.clone(), e.kind))?;
        let new = if new.storage_class.is_none() { self.new_object(new) } else { new };
        let size = body.digests.length;
        let put = |bucket: &mut Bucket, now| bucket.put(key, body, new, &request.condition, now);
        self.act(key, call, put, Reply::written(size))
    }

    /// Fills a part from a range of an object.
    pub(crate) async fn copy_to_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        range: Option<ByteRange>,
        source: &CopyRequest,
    ) -> Result<Written, StoreError> {
        let call = Call::CopyPart {
            upload: upload.0.clone(),
            number,
            range: range.unwrap_or(ByteRange { start: 0, length: 0 }),
            source_bucket: source.source_container.clone(),
            source: source.source.clone(),
        };
        let prepared = self.copy_source(source).and_then(|object| {
            let size = object.content.length();
            let range = range.unwrap_or(ByteRange { start: 0, length: size });
            if range.start.checked_add(range.length).is_none_or(|end| end > size) || range.length > MAX_COPY {
                let message = format!("the source has {size} bytes, and a part has at most 5 GiB");
                return Err(invalid("InvalidArgument", message));
            }
            Arrived::at_hand(object.content.slice(range.start, range.length))
        });
        let body =
            prepared.inspect_err(|e| self.service.note_failure(&self.bucket, key, call.clone(), e.kind))?;
        let size = body.digests.length;
        self.act(
            key,
            call,
            |bucket, now| bucket.put_part(key, upload, number, body, now),
            Reply::written(size),
        )
    }
}
