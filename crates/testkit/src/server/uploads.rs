//! Multipart uploads.

use longbow_core::object::{Checksums, ETag, ObjectKey};
use longbow_core::port::{ByteRange, Clock as _, CopyRequest, UploadId, WriteCondition};
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyPartResult, CreateMultipartUploadInput, CreateMultipartUploadOutput,
    ListPartsInput, ListPartsOutput, Part, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result};

use super::convert::{
    checksum_type_out, checksums_in, checksums_out, condition_in, encryption_in, encryption_out, error,
    etag_in, etag_out, invalid, md5_in, number_out, refuse_if, small_out, time_out, version_out,
};
use super::headers::{attributes_in, tags_in};
use super::writing::{Incoming, arrive, claims_in, source_in};
use crate::fake::{Bucket, Call, Claims, Completion, FakeS3, NewObject, Reply};

/// Most parts of a page.
const PAGE: usize = 1000;

fn part_number(number: i32) -> u32 {
    // The fake refuses 0.
    u32::try_from(number).unwrap_or(0)
}

pub(super) fn create(
    fake: &FakeS3,
    request: S3Request<CreateMultipartUploadInput>,
) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
    let input = request.input;
    refuse_if(input.sse_customer_key.is_some(), "SSE-C")?;
    let algorithm = input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str);
    refuse_if(algorithm.is_some_and(|name| name.starts_with("SHA")), "SHA checksums")?;
    let new = NewObject {
        attributes: attributes_in!(input),
        tags: tags_in(input.tagging.as_deref())?,
        storage_class: input.storage_class.as_ref().map(|class| class.as_str().to_owned()),
        encryption: encryption_in(input.server_side_encryption.as_ref(), input.ssekms_key_id.clone())?,
    };
    let (server_side_encryption, ssekms_key_id) = encryption_out(new.encryption.as_ref());
    let crc64nvme = algorithm == Some(ChecksumAlgorithm::CRC64NVME);
    let key = ObjectKey::new(input.key.as_str());
    let create = |bucket: &mut Bucket, now| bucket.create_upload(&key, new, crc64nvme, now);
    let reply = |upload: &UploadId| Reply { etag: Some(ETag::new(&upload.0)), ..Reply::default() };
    let upload = fake.act(&input.bucket, &key, Call::CreateUpload, create, reply).map_err(error)?;
    Ok(S3Response::new(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        checksum_algorithm: input.checksum_algorithm,
        checksum_type: input.checksum_type,
        server_side_encryption,
        ssekms_key_id,
        upload_id: Some(upload.0),
        ..CreateMultipartUploadOutput::default()
    }))
}

pub(super) async fn put_part(
    fake: &FakeS3,
    request: S3Request<UploadPartInput>,
) -> S3Result<S3Response<UploadPartOutput>> {
    let S3Request { input, headers, trailing_headers, .. } = request;
    let claims = claims_in!(input);
    let (bucket, key) = (input.bucket, ObjectKey::new(input.key));
    let (upload, number) = (UploadId(input.upload_id), part_number(input.part_number));
    let incoming = Incoming {
        body: input.body,
        content_length: input.content_length,
        trailers: trailing_headers,
        claims,
    };
    let body = arrive(fake, &bucket, &headers, incoming).await?;
    let size = body.digests.length;
    let call = Call::PutPart { upload: upload.0.clone(), number, size };
    let put = |bucket: &mut Bucket, now| bucket.put_part(&key, &upload, number, body, now);
    let written = fake.act(&bucket, &key, call, put, Reply::written(size)).map_err(error)?;
    let (crc64nvme, crc32c, crc32) = checksums_out(&written.checksums);
    let (server_side_encryption, ssekms_key_id) = encryption_out(written.encryption.as_ref());
    Ok(S3Response::new(UploadPartOutput {
        checksum_crc64nvme: crc64nvme,
        checksum_crc32c: crc32c,
        checksum_crc32: crc32,
        e_tag: written.etag.as_ref().map(etag_out),
        server_side_encryption,
        ssekms_key_id,
        ..UploadPartOutput::default()
    }))
}

/// `bytes=FIRST-LAST`, both given (S3 API reference, UploadPartCopy).
fn copy_range(text: &str) -> S3Result<ByteRange> {
    let read = || {
        let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        Some(ByteRange { start: first, length: last.checked_sub(first)?.checked_add(1)? })
    };
    read().ok_or_else(|| invalid(format!("{text:?} is no range of the form bytes=FIRST-LAST")))
}

pub(super) async fn copy_part(
    fake: &FakeS3,
    request: S3Request<UploadPartCopyInput>,
) -> S3Result<S3Response<UploadPartCopyOutput>> {
    let input = request.input;
    let on_time =
        input.copy_source_if_modified_since.is_some() || input.copy_source_if_unmodified_since.is_some();
    refuse_if(on_time || input.copy_source_if_none_match.is_some(), "these conditions on the source")?;
    let customer = input.sse_customer_key.is_some() || input.copy_source_sse_customer_key.is_some();
    refuse_if(customer, "SSE-C")?;
    let (source_container, source, pin) = source_in(&input.copy_source, input.copy_source_if_match.as_ref())?;
    let copy_source_version_id = version_out(pin.version.as_ref());
    let copy = CopyRequest {
        source_container,
        source,
        pin,
        attributes: None,
        keep_tags: false,
        condition: WriteCondition::Always,
    };
    let range = input.copy_source_range.as_deref().map(copy_range).transpose()?;
    let (key, upload) = (ObjectKey::new(input.key), UploadId(input.upload_id));
    let number = part_number(input.part_number);
    let store = fake.store(&input.bucket);
    let written = store.copy_to_part(&key, &upload, number, range, &copy).await.map_err(error)?;
    let (server_side_encryption, ssekms_key_id) = encryption_out(written.encryption.as_ref());
    Ok(S3Response::new(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            e_tag: written.etag.as_ref().map(etag_out),
            last_modified: Some(time_out(fake.clock().now())),
            ..CopyPartResult::default()
        }),
        copy_source_version_id,
        server_side_encryption,
        ssekms_key_id,
        ..UploadPartCopyOutput::default()
    }))
}

pub(super) fn list_parts(
    fake: &FakeS3,
    request: S3Request<ListPartsInput>,
) -> S3Result<S3Response<ListPartsOutput>> {
    let input = request.input;
    let (key, upload) = (ObjectKey::new(input.key.as_str()), UploadId(input.upload_id));
    let call = Call::ListParts { upload: upload.0.clone() };
    let list = |bucket: &mut Bucket, _| bucket.list_parts(&key, &upload);
    let reply = |parts: &Vec<_>| Reply { size: parts.len() as u64, ..Reply::default() };
    let all = fake.act(&input.bucket, &key, call, list, reply).map_err(error)?;
    let after = part_number(input.part_number_marker.unwrap_or(0));
    let max = input.max_parts.and_then(|max| usize::try_from(max).ok()).unwrap_or(PAGE).min(PAGE);
    let rest: Vec<_> = all.into_iter().filter(|(part, _)| part.number > after).collect();
    let truncated = rest.len() > max;
    let parts: Vec<Part> = rest
        .into_iter()
        .take(max)
        .map(|(part, modified)| Part {
            e_tag: Some(etag_out(&part.etag)),
            last_modified: Some(time_out(modified)),
            part_number: Some(small_out(part.number)),
            size: Some(number_out(part.size)),
            ..Part::default()
        })
        .collect();
    Ok(S3Response::new(ListPartsOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        is_truncated: Some(truncated),
        max_parts: Some(small_out(max)),
        next_part_number_marker: parts.last().and_then(|part| part.part_number).filter(|_| truncated),
        part_number_marker: input.part_number_marker,
        parts: Some(parts),
        upload_id: Some(upload.0),
        ..ListPartsOutput::default()
    }))
}

pub(super) fn complete(
    fake: &FakeS3,
    request: S3Request<CompleteMultipartUploadInput>,
) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
    let input = request.input;
    refuse_if(input.sse_customer_key.is_some(), "SSE-C")?;
    refuse_if(input.checksum_sha1.is_some() || input.checksum_sha256.is_some(), "SHA checksums")?;
    let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
    let parts = named.into_iter().map(|part| match (part.part_number, part.e_tag) {
        (Some(number), Some(etag)) => Ok((part_number(number), etag_in(&etag))),
        _ => Err(S3Error::new(S3ErrorCode::MalformedXML)),
    });
    // A composite checksum (`…-3`) says nothing of the whole; each part was compared with its own on arrival.
    let whole = |text: Option<&str>| text.filter(|text| !text.contains('-')).map(str::to_owned);
    let stated: Checksums = checksums_in(
        whole(input.checksum_crc64nvme.as_deref()).as_deref(),
        whole(input.checksum_crc32c.as_deref()).as_deref(),
        whole(input.checksum_crc32.as_deref()).as_deref(),
    )?;
    let completion = Completion {
        parts: parts.collect::<S3Result<_>>()?,
        condition: condition_in(input.if_match.as_ref(), input.if_none_match.as_ref())?,
        checksums: stated,
        size: input.mpu_object_size.and_then(|size| u64::try_from(size).ok()),
    };
    let (key, upload) = (ObjectKey::new(input.key.as_str()), UploadId(input.upload_id));
    let call = Call::Complete {
        upload: upload.0.clone(),
        parts: u32::try_from(completion.parts.len()).unwrap_or(u32::MAX),
        condition: completion.condition.clone(),
    };
    let end = |bucket: &mut Bucket, now| {
        let written = bucket.complete_upload(&key, &upload, &completion, now)?;
        Ok((written, bucket.current(key.as_str()).map_or(0, |object| object.content.length())))
    };
    let (written, _) = fake
        .act(&input.bucket, &key, call, end, |(written, size)| Reply::written(*size)(written))
        .map_err(error)?;
    let (crc64nvme, crc32c, crc32) = checksums_out(&written.checksums);
    let (server_side_encryption, ssekms_key_id) = encryption_out(written.encryption.as_ref());
    Ok(S3Response::new(CompleteMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        checksum_crc64nvme: crc64nvme,
        checksum_crc32c: crc32c,
        checksum_crc32: crc32,
        checksum_type: checksum_type_out(&written.checksums),
        e_tag: written.etag.as_ref().map(etag_out),
        server_side_encryption,
        ssekms_key_id,
        version_id: version_out(written.version.as_ref()),
        ..CompleteMultipartUploadOutput::default()
    }))
}

pub(super) fn abort(
    fake: &FakeS3,
    request: S3Request<AbortMultipartUploadInput>,
) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
    let input = request.input;
    refuse_if(input.if_match_initiated_time.is_some(), "conditions on time")?;
    let (key, upload) = (ObjectKey::new(input.key), UploadId(input.upload_id));
    let call = Call::Abort { upload: upload.0.clone() };
    let abort = |bucket: &mut Bucket, _| bucket.abort_upload(&key, &upload);
    fake.act(&input.bucket, &key, call, abort, |()| Reply::default()).map_err(error)?;
    Ok(S3Response::new(AbortMultipartUploadOutput::default()))
}
