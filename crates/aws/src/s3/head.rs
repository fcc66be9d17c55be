//! Headers of an object.

use aws_sdk_s3::types::ChecksumMode;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectHead, ObjectKey, VersionId};
use longbow_core::port::{HeadRequest, ReadPin};

use super::S3Store;
use super::naming::named;
use crate::attributes::head_of_head;
use crate::call::Call;
use crate::failure::{About, translate};

impl S3Store {
    pub(super) async fn head_object(
        &self,
        key: &ObjectKey,
        request: &HeadRequest,
    ) -> Result<ObjectHead, StoreError> {
        let mut head = self.head_once(key, request, request.part).await?;
        if request.part.is_some() && head.whole_unknown {
            // Some stores answer about the part alone (no Content-Range): the whole needs its own question.
            head.head.size = self.head_once(key, request, None).await?.head.size;
        }
        Ok(head.head)
    }

    /// The tag of what has the key at this moment; `None` when nothing has.
    pub(super) async fn observe(&self, key: &ObjectKey) -> Result<Option<Option<ETag>>, StoreError> {
        match self.head_object(key, &HeadRequest::default()).await {
            Ok(head) => Ok(Some(head.etag)),
            Err(error) if error.kind == StoreErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn head_once(
        &self,
        key: &ObjectKey,
        request: &HeadRequest,
        part: Option<u32>,
    ) -> Result<Headers, StoreError> {
        let about = self.about(Call::HeadObject, Some(key));
        check_key(&about, key)?;
        if let (Some(lean), None) = (&self.lean, part)
            && let Some((mut head, _)) = lean.head(&about, key, request).await?
        {
            check_pin(&about, &request.pin, head.etag.as_ref(), head.version.as_ref())?;
            head.parts = None;
            return Ok(Headers { head, whole_unknown: false });
        }
        let part_number = part
            .map(i32::try_from)
            .transpose()
            .map_err(|_| about.fault(StoreErrorKind::Permanent, "no object has that many parts"))?;
        let call = self
            .clients
            .quick
            .head_object()
            .bucket(&*self.bucket)
            .set_if_match(request.pin.etag.as_ref().map(ETag::quoted))
            .set_version_id(request.pin.version.as_ref().map(|v| v.0.clone()))
            .set_part_number(part_number)
            .set_checksum_mode(request.checksums.then_some(ChecksumMode::Enabled))
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        let mut answer = named!(call, key).send().await.map_err(|error| translate(&about, error))?;
        let whole_unknown = part.is_some() && answer.content_range.is_none();
        let length = answer.content_length.and_then(|n| u64::try_from(n).ok());
        let Some(length) = length else {
            return Err(about.fault(StoreErrorKind::Transient, "the reply states no Content-Length"));
        };
        let mut head = head_of_head(&mut answer);
        check_pin(&about, &request.pin, head.etag.as_ref(), head.version.as_ref())?;
        if part.is_some() {
            head.part_size = Some(length);
        } else {
            head.parts = None;
        }
        Ok(Headers { head, whole_unknown })
    }
}

struct Headers {
    head: ObjectHead,
    /// The reply is about a part and does not state the size of the whole.
    whole_unknown: bool,
}

/// S3 has no object without a name; the SDK would make a request about the bucket of it.
pub(super) fn check_key(about: &About<'_>, key: &ObjectKey) -> Result<(), StoreError> {
    if key.as_str().is_empty() {
        return Err(about.fault(StoreErrorKind::InvalidKey, "an object key must not be empty"));
    }
    Ok(())
}

/// Whether the reply is about the object that was pinned: there are stores that ignore `If-Match`.
pub(crate) fn check_pin(
    about: &About<'_>,
    pin: &ReadPin,
    tag: Option<&ETag>,
    version: Option<&VersionId>,
) -> Result<(), StoreError> {
    if let Some(wanted) = &pin.etag {
        match tag {
            Some(tag) if tag == wanted => {}
            Some(tag) => {
                let text = format!("the object has changed: its ETag is {tag}, not {wanted}");
                return Err(about.fault(StoreErrorKind::PreconditionFailed, &text));
            }
            None => {
                let text = "the reply has no ETag: nothing proves that this is the object that was listed";
                return Err(about.fault(StoreErrorKind::Permanent, text));
            }
        }
    }
    if let (Some(wanted), Some(version)) = (&pin.version, version)
        && wanted != version
    {
        let text = format!("the reply is about version {}, not {}", version.0, wanted.0);
        return Err(about.fault(StoreErrorKind::PreconditionFailed, &text));
    }
    Ok(())
}
