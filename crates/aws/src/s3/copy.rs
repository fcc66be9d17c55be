//! Copies that the server makes itself.
//!
//! Both calls may answer 200 and put an error into the body, after minutes of blanks that keep the connection
//! open; the SDK reads the body and makes errors of those.

use aws_sdk_s3::types::{MetadataDirective, TaggingDirective};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectKey};
use longbow_core::port::{ByteRange, CopyRequest, UploadId, WriteCondition, Written};
use percent_encoding::utf8_percent_encode;

use super::get::range_header;
use super::head::check_key;
use super::naming::named;
use super::put::part_number;
use super::{S3Store, condition_headers};
use crate::attributes::{
    ChecksumHeaders, RESERVED, RESERVED_IN_PATH, checksums, encryption, etag, request_id, version,
    with_attributes, with_expires,
};
use crate::call::Call;
use crate::failure::translate;

impl S3Store {
    pub(super) async fn copy_object(
        &self,
        key: &ObjectKey,
        request: &CopyRequest,
    ) -> Result<Written, StoreError> {
        let about = self.about_write(Call::CopyObject, key, &request.condition);
        check_key(&about, key)?;
        if !self.traits.amazon {
            // Other stores take conditions on PUT and ignore them on copies: look first, which is less.
            self.check_condition(key, &request.condition).await?;
        }
        let (if_match, if_none_match) = condition_headers(&request.condition);
        let (server_side, kms_key) = self.writing.encryption();
        let tagging = if request.keep_tags { None } else { Some(TaggingDirective::Replace) };
        let call = self
            .clients
            .patient
            .copy_object()
            .bucket(&*self.bucket)
            .copy_source(copy_source(request))
            .set_copy_source_if_match(request.pin.etag.as_ref().map(ETag::quoted))
            .set_if_match(if_match)
            .set_if_none_match(if_none_match)
            .set_tagging_directive(tagging)
            .set_storage_class(self.writing.storage_class.clone())
            .set_server_side_encryption(server_side)
            .set_ssekms_key_id(kms_key)
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone())
            .set_expected_source_bucket_owner(self.source_owner.clone());
        let answer = match &request.attributes {
            Some(attributes) => {
                let call = with_attributes!(call, attributes).metadata_directive(MetadataDirective::Replace);
                with_expires(named!(call, key), attributes).send().await
            }
            None => named!(call, key).send().await,
        }
        .map_err(|error| translate(&about, error))?;
        let result = answer.copy_object_result.as_ref();
        let Some(tag) = etag(result.and_then(|r| r.e_tag())) else {
            return Err(about.fault(StoreErrorKind::Transient, "the 200 reply has no ETag"));
        };
        Ok(Written {
            request_id: request_id(&answer),
            version: version(answer.version_id.clone()),
            encryption: encryption(
                answer.server_side_encryption.as_ref(),
                answer.ssekms_key_id.clone(),
                answer.sse_customer_algorithm.as_deref(),
            ),
            checksums: checksums(
                &ChecksumHeaders {
                    crc64nvme: result.and_then(|r| r.checksum_crc64_nvme()),
                    crc32c: result.and_then(|r| r.checksum_crc32_c()),
                    crc32: result.and_then(|r| r.checksum_crc32()),
                    kind: result.and_then(|r| r.checksum_type()),
                },
                Some(&tag),
            ),
            etag: Some(tag),
        })
    }

    pub(super) async fn upload_part_copy(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        number: u32,
        range: ByteRange,
        source: &CopyRequest,
    ) -> Result<Written, StoreError> {
        let about = self.about(Call::UploadPartCopy, Some(key));
        let call = self
            .clients
            .patient
            .upload_part_copy()
            .bucket(&*self.bucket)
            .upload_id(&upload.0)
            .part_number(part_number(&about, number)?)
            .copy_source(copy_source(source))
            .copy_source_range(range_header(&about, range)?)
            .set_copy_source_if_match(source.pin.etag.as_ref().map(ETag::quoted))
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone())
            .set_expected_source_bucket_owner(self.source_owner.clone());
        let answer = named!(call, key).send().await.map_err(|error| translate(&about, error))?;
        let Some(tag) = etag(answer.copy_part_result.as_ref().and_then(|r| r.e_tag())) else {
            return Err(about.fault(StoreErrorKind::Transient, "the 200 reply has no ETag"));
        };
        Ok(Written {
            request_id: request_id(&answer),
            etag: Some(tag),
            version: None,
            encryption: encryption(
                answer.server_side_encryption.as_ref(),
                answer.ssekms_key_id.clone(),
                answer.sse_customer_algorithm.as_deref(),
            ),
            checksums: Default::default(),
        })
    }

    /// Looks whether a condition on a write holds at this moment.
    async fn check_condition(&self, key: &ObjectKey, condition: &WriteCondition) -> Result<(), StoreError> {
        if *condition == WriteCondition::Always {
            return Ok(());
        }
        let found = self.observe(key).await?;
        let about = self.about(Call::HeadObject, Some(key));
        let failed = |text: &str| Err(about.fault(StoreErrorKind::PreconditionFailed, text));
        match (condition, found) {
            (WriteCondition::Absent, Some(_)) => failed("the destination has an object of this name by now"),
            (WriteCondition::Matches(_), None) => failed("the destination's object is gone"),
            (WriteCondition::Matches(tag), Some(found)) if found.as_ref() != Some(tag) => {
                failed("the destination's object has changed")
            }
            _ => Ok(()),
        }
    }
}

/// `x-amz-copy-source`: percent-encoded, with the version as a query. An access point names its objects under
/// `/object/`.
fn copy_source(request: &CopyRequest) -> String {
    let container = &request.source_container;
    let separator = if container.starts_with("arn:") { "/object/" } else { "/" };
    let key = utf8_percent_encode(request.source.as_str(), &RESERVED_IN_PATH);
    let mut text = format!("{container}{separator}{key}");
    if let Some(version) = &request.pin.version {
        text.push_str("?versionId=");
        text.extend(utf8_percent_encode(&version.0, &RESERVED));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use longbow_core::object::VersionId;
    use longbow_core::port::ReadPin;

    #[test]
    fn the_source_is_encoded_once() {
        let mut request = CopyRequest {
            source_container: "b".into(),
            source: ObjectKey::from("a//b+c d%41/é?x"),
            pin: ReadPin::default(),
            attributes: None,
            keep_tags: true,
            condition: WriteCondition::Always,
        };
        assert_eq!(copy_source(&request), "b/a//b%2Bc%20d%2541/%C3%A9%3Fx");
        request.pin.version = Some(VersionId("v/1+".into()));
        request.source = ObjectKey::from("k");
        assert_eq!(copy_source(&request), "b/k?versionId=v%2F1%2B");
        request.source_container = "arn:aws:s3:r:1:accesspoint/p".into();
        assert_eq!(copy_source(&request), "arn:aws:s3:r:1:accesspoint/p/object/k?versionId=v%2F1%2B");
    }
}
