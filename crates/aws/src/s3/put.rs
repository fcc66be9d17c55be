//! Writing an object whole, and sending a part: the two requests with bodies.

use aws_sdk_s3::error::SdkError;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Md5, ObjectKey};
use longbow_core::port::{PartRequest, PutBody, PutRequest, UploadId, Written};

use super::head::check_key;
use super::naming::named;
use super::{S3Store, condition_headers};
use crate::attributes::{
    ChecksumHeaders, ChecksumTexts, checksums, encryption, etag, request_id, tagging, version,
    with_attributes, with_expires,
};
use crate::body::{Awaiting, Limits, Outgoing};
use crate::call::Call;
use crate::failure::{About, translate};
use crate::lean::Sent;

impl S3Store {
    pub(super) async fn put_object(
        &self,
        key: &ObjectKey,
        body: PutBody,
        request: &PutRequest,
    ) -> Result<Written, StoreError> {
        let about = self.about_write(Call::PutObject, key, &request.condition);
        check_key(&about, key)?;
        let mut outgoing = Outgoing::new(body).await?;
        if let Some(lean) = &self.lean {
            match lean.put(&about, key, outgoing, request).await? {
                Sent::Done(written) => return Ok(written),
                Sent::AskSdk(same) => outgoing = same,
            }
        }
        let length = content_length(&about, outgoing.length)?;
        let (body, awaiting) = outgoing.split_for_sdk();
        let (if_match, if_none_match) = condition_headers(&request.condition);
        let (server_side, kms_key) = self.writing.encryption();
        let sums = ChecksumTexts::from(&request.checksums);
        let call = self
            .clients
            .upload
            .put_object()
            .bucket(&*self.bucket)
            .body(ByteStream::new(body))
            .content_length(length)
            .set_content_md5(request.md5.as_ref().map(Md5::to_base64))
            .set_checksum_crc64_nvme(sums.crc64nvme)
            .set_checksum_crc32_c(sums.crc32c)
            .set_checksum_crc32(sums.crc32)
            .set_if_match(if_match)
            .set_if_none_match(if_none_match)
            .set_tagging(tagging(&request.tags))
            .set_storage_class(self.writing.storage_class.clone())
            .set_server_side_encryption(server_side)
            .set_ssekms_key_id(kms_key)
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        let call = with_attributes!(call, &request.attributes);
        let call = named!(call, key).disable_payload_signing();
        let call = with_expires(call, &request.attributes);
        let answer = answered(&about, awaiting, self.limits, call.send()).await?;
        let tag = etag(answer.e_tag());
        Ok(Written {
            request_id: request_id(&answer),
            version: version(answer.version_id),
            encryption: encryption(
                answer.server_side_encryption.as_ref(),
                answer.ssekms_key_id,
                answer.sse_customer_algorithm.as_deref(),
            ),
            checksums: checksums(
                &ChecksumHeaders {
                    crc64nvme: answer.checksum_crc64_nvme.as_deref(),
                    crc32c: answer.checksum_crc32_c.as_deref(),
                    crc32: answer.checksum_crc32.as_deref(),
                    kind: answer.checksum_type.as_ref(),
                },
                tag.as_ref(),
            ),
            etag: tag,
        })
    }

    pub(super) async fn upload_part(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        body: PutBody,
        request: &PartRequest,
    ) -> Result<Written, StoreError> {
        let about = self.about(Call::UploadPart, Some(key));
        let number = part_number(&about, request.number)?;
        let mut outgoing = Outgoing::new(body).await?;
        if let Some(lean) = &self.lean {
            match lean.put_part(&about, key, upload, outgoing, request).await? {
                // A part's checksum says nothing of the whole object.
                Sent::Done(written) => {
                    return Ok(Written { version: None, checksums: Default::default(), ..written });
                }
                Sent::AskSdk(same) => outgoing = same,
            }
        }
        let length = content_length(&about, outgoing.length)?;
        let (body, awaiting) = outgoing.split_for_sdk();
        let call = self
            .clients
            .upload
            .upload_part()
            .bucket(&*self.bucket)
            .upload_id(&upload.0)
            .part_number(number)
            .body(ByteStream::new(body))
            .content_length(length)
            .set_content_md5(request.md5.as_ref().map(Md5::to_base64))
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        let call = named!(call, key).disable_payload_signing();
        let answer = answered(&about, awaiting, self.limits, call.send()).await?;
        Ok(Written {
            request_id: request_id(&answer),
            etag: etag(answer.e_tag()),
            version: None,
            encryption: encryption(
                answer.server_side_encryption.as_ref(),
                answer.ssekms_key_id,
                answer.sse_customer_algorithm.as_deref(),
            ),
            // A part's checksum says nothing of the whole object.
            checksums: Default::default(),
        })
    }
}

pub(super) fn part_number(about: &About<'_>, number: u32) -> Result<i32, StoreError> {
    i32::try_from(number).map_err(|_| about.fault(StoreErrorKind::Permanent, "no upload has that many parts"))
}

fn content_length(about: &About<'_>, length: u64) -> Result<i64, StoreError> {
    i64::try_from(length)
        .map_err(|_| about.fault(StoreErrorKind::Permanent, "the body is too long for any store"))
}

/// Waits for the answer, and tells a fault of the bytes' source from one of the store.
async fn answered<T, E>(
    about: &About<'_>,
    awaiting: Awaiting,
    limits: Limits,
    send: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
) -> Result<T, StoreError>
where
    E: aws_sdk_s3::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match awaiting.answer(limits, send).await {
        Ok(outcome) => outcome.map_err(|error| translate(about, error)),
        Err(unanswered) => Err(unanswered.into_error(about)),
    }
}
