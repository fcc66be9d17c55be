//! PutObject, CopyObject, DeleteObject, and how bodies are taken in.

use futures_util::StreamExt as _;
use http::HeaderMap;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ObjectKey, VersionId};
use longbow_core::port::{Clock as _, CopyRequest, ReadPin};
use s3s::dto::{
    CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput, DeleteObjectOutput,
    DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETagCondition, MetadataDirective, PutObjectInput,
    PutObjectOutput, StreamingBlob, TaggingDirective,
};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, TrailingHeaders};

use super::convert::{
    checksum_type_out, checksums_in, checksums_out, condition_in, encryption_in, encryption_out, error,
    etag_out, invalid, match_in, md5_in, not_implemented, refuse_if, time_out, version_out,
};
use super::headers::{attributes_in, tags_in};
use crate::fake::{
    Arrived, Bucket, Call, Claims, CopyChanges, Digester, FakeS3, NewObject, Reply, receive_stream,
};

/// Bodies up to this many bytes are copied together, so that a small object does not keep a large read buffer.
const SMALL: u64 = 64 << 10;

/// A body on its way in.
pub(super) struct Incoming {
    pub(super) body: Option<StreamingBlob>,
    pub(super) content_length: Option<i64>,
    pub(super) trailers: Option<TrailingHeaders>,
    pub(super) claims: Claims,
}

/// How many bytes the body has, without the framing of `aws-chunked`.
fn announced(headers: &HeaderMap, content_length: Option<i64>) -> S3Result<u64> {
    let decoded = headers.get("x-amz-decoded-content-length").and_then(|value| value.to_str().ok());
    let length = match decoded {
        Some(text) => text.parse().ok(),
        None => content_length.and_then(|length| u64::try_from(length).ok()),
    };
    length.ok_or_else(|| S3Error::new(S3ErrorCode::MissingContentLength))
}

/// Takes a body in, with the checksums that follow it.
pub(super) async fn arrive(
    fake: &FakeS3,
    bucket: &str,
    headers: &HeaderMap,
    from: Incoming,
) -> S3Result<Arrived> {
    let Incoming { body, content_length, trailers, mut claims } = from;
    let length = announced(headers, content_length)?;
    let keep = fake.look(bucket, |bucket, _| Ok(bucket.settings.keep_bytes)).unwrap_or(false);
    let trailer = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let digester = Digester::new(
        claims.checksums.crc32c.is_some() || trailer.contains("crc32c"),
        claims.checksums.crc32.is_some() || trailer.contains("crc32"),
    );
    let frames = body.into_iter().map(|body| body.map(|frame| frame.map_err(broken_off)));
    let frames = futures_util::stream::iter(frames).flatten();
    let (content, digests) = receive_stream(frames, Some(length), digester, keep).await.map_err(error)?;
    if let Some(headers) = trailers.and_then(|trailers| trailers.take()) {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let stated = checksums_in(
            text("x-amz-checksum-crc64nvme"),
            text("x-amz-checksum-crc32c"),
            text("x-amz-checksum-crc32"),
        )?;
        claims.checksums = Checksums {
            crc64nvme: claims.checksums.crc64nvme.or(stated.crc64nvme),
            crc32c: claims.checksums.crc32c.or(stated.crc32c),
            crc32: claims.checksums.crc32.or(stated.crc32),
        };
    }
    let content = if keep && digests.length <= SMALL { content.compact().map_err(error)? } else { content };
    Ok(Arrived { content, digests, claims })
}

fn broken_off(source: s3s::StdError) -> StoreError {
    let message = format!("the body broke off: {source}");
    StoreError::new(StoreErrorKind::Transient, message).with_code("IncompleteBody")
}

/// The claims of a write. One macro for the inputs of two operations, which have the same fields.
macro_rules! claims_in {
    ($input:expr) => {{
        let input = &$input;
        refuse_if(input.checksum_sha1.is_some() || input.checksum_sha256.is_some(), "SHA checksums")?;
        refuse_if(input.sse_customer_key.is_some(), "SSE-C")?;
        Claims {
            md5: md5_in(input.content_md5.as_deref())?,
            checksums: checksums_in(
                input.checksum_crc64nvme.as_deref(),
                input.checksum_crc32c.as_deref(),
                input.checksum_crc32.as_deref(),
            )?,
        }
    }};
}
pub(super) use claims_in;

pub(super) async fn put_object(
    fake: &FakeS3,
    request: S3Request<PutObjectInput>,
) -> S3Result<S3Response<PutObjectOutput>> {
    let S3Request { input, headers, trailing_headers, .. } = request;
    refuse_if(input.write_offset_bytes.is_some(), "appending")?;
    let condition = condition_in(input.if_match.as_ref(), input.if_none_match.as_ref())?;
    let claims = claims_in!(input);
    let new = NewObject {
        attributes: attributes_in!(input),
        tags: tags_in(input.tagging.as_deref())?,
        storage_class: input.storage_class.as_ref().map(|class| class.as_str().to_owned()),
        encryption: encryption_in(input.server_side_encryption.as_ref(), input.ssekms_key_id.clone())?,
    };
    let (bucket, key) = (input.bucket, ObjectKey::new(input.key));
    let incoming = Incoming {
        body: input.body,
        content_length: input.content_length,
        trailers: trailing_headers,
        claims,
    };
    let body = arrive(fake, &bucket, &headers, incoming).await?;
    let size = body.digests.length;
    let call = Call::Put { size, condition: condition.clone() };
    let put = |bucket: &mut Bucket, now| bucket.put(&key, body, new, &condition, now);
    let written = fake.act(&bucket, &key, call, put, Reply::written(size)).map_err(error)?;
    let (crc64nvme, crc32c, crc32) = checksums_out(&written.checksums);
    let (server_side_encryption, ssekms_key_id) = encryption_out(written.encryption.as_ref());
    Ok(S3Response::new(PutObjectOutput {
        checksum_crc64nvme: crc64nvme,
        checksum_crc32c: crc32c,
        checksum_crc32: crc32,
        checksum_type: checksum_type_out(&written.checksums),
        e_tag: written.etag.as_ref().map(etag_out),
        server_side_encryption,
        ssekms_key_id,
        version_id: version_out(written.version.as_ref()),
        ..PutObjectOutput::default()
    }))
}

/// Bucket, key and version of a copy's source.
pub(super) fn source_in(
    source: &CopySource,
    if_match: Option<&ETagCondition>,
) -> S3Result<(String, ObjectKey, ReadPin)> {
    match source {
        CopySource::Bucket { bucket, key, version_id } => {
            let version = version_id.as_ref().map(|version| VersionId(version.to_string()));
            let pin = ReadPin { etag: match_in(if_match), version };
            Ok((bucket.to_string(), ObjectKey::from(&**key), pin))
        }
        _ => Err(not_implemented("access points")),
    }
}

/// Conditions of a copy on its destination; the protocol crate does not read them.
fn header_condition(headers: &HeaderMap, name: &str) -> S3Result<Option<ETagCondition>> {
    headers
        .get(name)
        .map(|value| ETagCondition::parse_http_header(value.as_bytes()))
        .transpose()
        .map_err(|_| invalid(format!("{name} is no entity tag")))
}

pub(super) async fn copy_object(
    fake: &FakeS3,
    request: S3Request<CopyObjectInput>,
) -> S3Result<S3Response<CopyObjectOutput>> {
    let S3Request { input, headers, .. } = request;
    let on_time =
        input.copy_source_if_modified_since.is_some() || input.copy_source_if_unmodified_since.is_some();
    refuse_if(on_time || input.copy_source_if_none_match.is_some(), "these conditions on the source")?;
    let customer = input.sse_customer_key.is_some() || input.copy_source_sse_customer_key.is_some();
    refuse_if(customer, "SSE-C")?;
    let if_match = header_condition(&headers, "if-match")?;
    let if_none_match = header_condition(&headers, "if-none-match")?;
    let (source_container, source, pin) = source_in(&input.copy_source, input.copy_source_if_match.as_ref())?;
    let replaces = |text: Option<&str>| text == Some("REPLACE");
    let replace = replaces(input.metadata_directive.as_ref().map(MetadataDirective::as_str));
    let retag = replaces(input.tagging_directive.as_ref().map(TaggingDirective::as_str));
    let source_version = version_out(pin.version.as_ref());
    let copy = CopyRequest {
        source_container,
        source,
        pin,
        attributes: if replace { Some(attributes_in!(input)) } else { None },
        keep_tags: !retag,
        condition: condition_in(if_match.as_ref(), if_none_match.as_ref())?,
    };
    let changes = CopyChanges {
        tags: if retag { Some(tags_in(input.tagging.as_deref())?) } else { None },
        storage_class: input.storage_class.as_ref().map(|class| class.as_str().to_owned()),
        encryption: encryption_in(input.server_side_encryption.as_ref(), input.ssekms_key_id.clone())?,
    };
    let call = Call::Copy {
        source_bucket: copy.source_container.clone(),
        source: copy.source.clone(),
        pin: copy.pin.clone(),
        condition: copy.condition.clone(),
    };
    let key = ObjectKey::new(input.key);
    let store = fake.store(&input.bucket);
    let written = store.copy_object(&key, &copy, changes, call).await.map_err(error)?;
    let (crc64nvme, crc32c, crc32) = checksums_out(&written.checksums);
    let (server_side_encryption, ssekms_key_id) = encryption_out(written.encryption.as_ref());
    Ok(S3Response::new(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            checksum_crc64nvme: crc64nvme,
            checksum_crc32c: crc32c,
            checksum_crc32: crc32,
            checksum_type: checksum_type_out(&written.checksums),
            e_tag: written.etag.as_ref().map(etag_out),
            last_modified: Some(time_out(fake.clock().now())),
            ..CopyObjectResult::default()
        }),
        copy_source_version_id: source_version,
        server_side_encryption,
        ssekms_key_id,
        version_id: version_out(written.version.as_ref()),
        ..CopyObjectOutput::default()
    }))
}

pub(super) fn delete_object(
    fake: &FakeS3,
    request: S3Request<DeleteObjectInput>,
) -> S3Result<S3Response<DeleteObjectOutput>> {
    let input = request.input;
    let other = input.if_match_last_modified_time.is_some() || input.if_match_size.is_some();
    refuse_if(other, "conditions on time and size")?;
    let key = ObjectKey::new(input.key);
    let if_match = match input.if_match {
        Some(ETagCondition::Any) => return Err(not_implemented("If-Match: * on deletes")),
        other => match_in(other.as_ref()),
    };
    let call = Call::Delete { if_match: if_match.clone() };
    let version = input.version_id.map(VersionId);
    let delete = |bucket: &mut Bucket, _| match &version {
        Some(version) => {
            bucket.delete_version(&key, version);
            Ok(None)
        }
        None => bucket.delete(&key, if_match.as_ref()),
    };
    let marker = fake.act(&input.bucket, &key, call, delete, |_| Reply::default()).map_err(error)?;
    Ok(S3Response::new(DeleteObjectOutput {
        delete_marker: marker.is_some().then_some(true),
        version_id: version_out(marker.as_ref().or(version.as_ref())),
        ..DeleteObjectOutput::default()
    }))
}

pub(super) fn delete_objects(
    fake: &FakeS3,
    request: S3Request<DeleteObjectsInput>,
) -> S3Result<S3Response<DeleteObjectsOutput>> {
    let input = request.input;
    let mut deleted = Vec::new();
    let mut errors = Vec::new();
    for object in input.delete.objects {
        let key = ObjectKey::new(object.key.as_str());
        let if_match = object.e_tag.as_ref().map(super::convert::etag_in);
        let version = object.version_id.clone().map(VersionId);
        let call = Call::Delete { if_match: if_match.clone() };
        let delete = |bucket: &mut Bucket, _| match &version {
            Some(version) => {
                bucket.delete_version(&key, version);
                Ok(None)
            }
            None => bucket.delete(&key, if_match.as_ref()),
        };
        match fake.act(&input.bucket, &key, call, delete, |_| Reply::default()) {
            Ok(_) => deleted.push(DeletedObject { key: Some(object.key), ..DeletedObject::default() }),
            Err(fault) if fault.kind == StoreErrorKind::NoSuchBucket => return Err(error(fault)),
            Err(fault) => errors.push(s3s::dto::Error {
                code: fault.code,
                key: Some(object.key),
                message: Some(fault.message),
                version_id: object.version_id,
            }),
        }
    }
    let quiet = input.delete.quiet.unwrap_or(false);
    Ok(S3Response::new(DeleteObjectsOutput {
        deleted: (!quiet).then_some(deleted),
        errors: (!errors.is_empty()).then_some(errors),
        ..DeleteObjectsOutput::default()
    }))
}
