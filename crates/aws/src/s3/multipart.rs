//! Uploads in parts: begin, look, end. The parts themselves are sent in `put`.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart, EncodingType,
};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ObjectKey, Prefix, Timestamp};
use longbow_core::port::{
    CompleteRequest, CreateRequest, ListedPart, ListedUpload, UploadId, UploadsMarker, UploadsPage, Written,
};

use super::head::check_key;
use super::list::decode;
use super::naming::named;
use super::put::part_number;
use super::{S3Store, condition_headers};
use crate::attributes::{
    ChecksumHeaders, ChecksumTexts, checksums, encryption, etag, request_id, tagging, timestamp, version,
    with_attributes, with_expires,
};
use crate::call::Call;
use crate::failure::translate;

/// Parts by number, each with the time at which it was sent; `None` for one that cannot be told.
type Parts = BTreeMap<u32, (Option<ListedPart>, Option<Timestamp>)>;

/// Keeps one part of each number, the last one sent. SeaweedFS lists all that were ever sent under a number, in
/// any order, with times in whole seconds: a part that these do not tell from another is left out, and so sent
/// again.
fn list_once(parts: &mut Parts, part: ListedPart, sent: Option<Timestamp>) {
    match parts.entry(part.number) {
        Entry::Vacant(entry) => {
            entry.insert((Some(part), sent));
        }
        Entry::Occupied(mut entry) => {
            let (known, when) = entry.get_mut();
            if sent > *when {
                (*known, *when) = (Some(part), sent);
            } else if sent == *when && known.as_ref() != Some(&part) {
                *known = None;
            }
        }
    }
}

impl S3Store {
    pub(super) async fn create_multipart(
        &self,
        key: &ObjectKey,
        request: &CreateRequest,
    ) -> Result<UploadId, StoreError> {
        let about = self.about(Call::CreateMultipartUpload, Some(key));
        check_key(&about, key)?;
        let (server_side, kms_key) = self.writing.encryption();
        let call = self
            .clients
            .quick
            .create_multipart_upload()
            .bucket(&*self.bucket)
            .set_checksum_algorithm(request.crc64nvme.then_some(ChecksumAlgorithm::Crc64Nvme))
            .set_checksum_type(request.crc64nvme.then_some(ChecksumType::FullObject))
            .set_tagging(tagging(&request.tags))
            .set_storage_class(self.writing.storage_class.clone())
            .set_server_side_encryption(server_side)
            .set_ssekms_key_id(kms_key)
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        let call = with_attributes!(call, &request.attributes);
        let call = with_expires(named!(call, key), &request.attributes);
        let answer = call.send().await.map_err(|error| translate(&about, error))?;
        match answer.upload_id {
            Some(id) if !id.is_empty() => Ok(UploadId(id)),
            _ => Err(about.fault(StoreErrorKind::Transient, "the 200 reply names no upload")),
        }
    }

    pub(super) async fn parts(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
    ) -> Result<Vec<ListedPart>, StoreError> {
        let about = self.about(Call::ListParts, Some(key));
        let incomplete = |text: &str| about.fault(StoreErrorKind::Transient, text);
        let mut parts = BTreeMap::new();
        let mut marker: Option<String> = None;
        loop {
            let call = self
                .clients
                .quick
                .list_parts()
                .bucket(&*self.bucket)
                .upload_id(&upload.0)
                .set_part_number_marker(marker.clone())
                .set_request_payer(self.payer.clone())
                .set_expected_bucket_owner(self.owner.clone());
            let answer = named!(call, key).send().await.map_err(|error| translate(&about, error))?;
            for part in answer.parts.unwrap_or_default() {
                let number = part.part_number.and_then(|n| u32::try_from(n).ok());
                let size = part.size.and_then(|n| u64::try_from(n).ok());
                let (Some(number), Some(size), Some(tag)) = (number, size, etag(part.e_tag.as_deref()))
                else {
                    return Err(incomplete("a listed part lacks its number, size or ETag"));
                };
                let sent = part.last_modified.as_ref().and_then(timestamp);
                list_once(&mut parts, ListedPart { number, size, etag: tag }, sent);
            }
            if !answer.is_truncated.unwrap_or_default() {
                return Ok(parts.into_values().filter_map(|(part, _)| part).collect());
            }
            let next = answer
                .next_part_number_marker
                .filter(|next| !next.is_empty() && Some(next) != marker.as_ref());
            marker = Some(next.ok_or_else(|| incomplete("more parts follow, but not where"))?);
        }
    }

    pub(super) async fn uploads(
        &self,
        prefix: &Prefix,
        page: Option<&UploadsMarker>,
    ) -> Result<UploadsPage, StoreError> {
        let about = self.about(Call::ListMultipartUploads, None);
        let incomplete = |text: &str| about.fault(StoreErrorKind::Transient, text);
        // SeaweedFS says that it encodes the keys here, and does not: ask those only who are known to.
        let encoding = self.traits.amazon.then_some(EncodingType::Url);
        let answer = self
            .clients
            .quick
            .list_multipart_uploads()
            .bucket(&*self.bucket)
            .set_prefix(Some(prefix.as_str().to_owned()).filter(|p| !p.is_empty()))
            .set_key_marker(page.map(|marker| marker.key.as_str().to_owned()))
            .set_upload_id_marker(page.and_then(|marker| Some(marker.upload.as_ref()?.0.clone())))
            .set_encoding_type(encoding.clone())
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
            .map_err(|error| translate(&about, error))?;
        let encoded = encoding.is_some() && answer.encoding_type == encoding;
        let key_of = |text: String| {
            if encoded { decode(text).map_err(|why| incomplete(&why)) } else { Ok(ObjectKey::new(text)) }
        };
        let mut uploads = Vec::new();
        for upload in answer.uploads.unwrap_or_default() {
            let (Some(key), Some(id)) = (upload.key, upload.upload_id) else {
                return Err(incomplete("a listed upload lacks its key or name"));
            };
            let key = key_of(key)?;
            // Some stores list by the first segment of the prefix only.
            if key.strip(prefix).is_some() {
                let initiated = upload.initiated.as_ref().and_then(timestamp);
                uploads.push(ListedUpload { key, upload: UploadId(id), initiated });
            }
        }
        if !answer.is_truncated.unwrap_or_default() {
            return Ok(UploadsPage { uploads, next: None });
        }
        // The marker is a key and comes encoded like the others; it goes out as it is.
        let key = answer.next_key_marker.filter(|k| !k.is_empty()).map(key_of).transpose()?;
        let upload = answer.next_upload_id_marker.filter(|id| !id.is_empty()).map(UploadId);
        let next = key.map(|key| UploadsMarker { key, upload });
        if next.is_none() || next.as_ref() == page {
            return Err(incomplete("more uploads follow, but not where"));
        }
        Ok(UploadsPage { uploads, next })
    }

    pub(super) async fn complete_multipart(
        &self,
        key: &ObjectKey,
        upload: &UploadId,
        request: &CompleteRequest,
    ) -> Result<Written, StoreError> {
        let about = self.about_write(Call::CompleteMultipartUpload, key, &request.condition);
        let mut parts = Vec::with_capacity(request.parts.len());
        for (number, tag) in &request.parts {
            let part =
                CompletedPart::builder().part_number(part_number(&about, *number)?).e_tag(tag.quoted());
            parts.push(part.build());
        }
        let (if_match, if_none_match) = condition_headers(&request.condition);
        let proven = request.checksums.crc64nvme.is_some();
        // Only the checksum that the upload was created with may be stated.
        let sums = ChecksumTexts::from(&Checksums { crc32c: None, crc32: None, ..request.checksums });
        // Amazon refuses parts that do not add up to this; other stores are not known to read it.
        let size = i64::try_from(request.size).ok().filter(|_| self.traits.amazon);
        let call = self
            .clients
            .patient
            .complete_multipart_upload()
            .bucket(&*self.bucket)
            .upload_id(&upload.0)
            .multipart_upload(CompletedMultipartUpload::builder().set_parts(Some(parts)).build())
            .set_checksum_crc64_nvme(sums.crc64nvme)
            .set_checksum_type(proven.then_some(ChecksumType::FullObject))
            .set_mpu_object_size(size)
            .set_if_match(if_match)
            .set_if_none_match(if_none_match)
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        let answer = named!(call, key).send().await.map_err(|error| translate(&about, error))?;
        let Some(tag) = etag(answer.e_tag()) else {
            return Err(about.fault(StoreErrorKind::Transient, "the 200 reply has no ETag"));
        };
        Ok(Written {
            request_id: request_id(&answer),
            version: version(answer.version_id.clone()),
            encryption: encryption(
                answer.server_side_encryption.as_ref(),
                answer.ssekms_key_id.clone(),
                None,
            ),
            checksums: checksums(
                &ChecksumHeaders {
                    crc64nvme: answer.checksum_crc64_nvme(),
                    crc32c: answer.checksum_crc32_c(),
                    crc32: answer.checksum_crc32(),
                    kind: answer.checksum_type(),
                },
                Some(&tag),
            ),
            etag: Some(tag),
        })
    }

    pub(super) async fn abort_multipart(&self, key: &ObjectKey, upload: &UploadId) -> Result<(), StoreError> {
        let about = self.about(Call::AbortMultipartUpload, Some(key));
        let call = self
            .clients
            .quick
            .abort_multipart_upload()
            .bucket(&*self.bucket)
            .upload_id(&upload.0)
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        match named!(call, key).send().await.map_err(|error| translate(&about, error)) {
            Err(error) if matches!(error.kind, StoreErrorKind::NoSuchUpload | StoreErrorKind::NotFound) => {
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }
}
