//! GetObject and HeadObject.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::{HeaderMap, HeaderValue};
use longbow_core::object::{Checksums, ObjectKey, VersionId};
use longbow_core::port::{ByteRange, ReadPin};
use s3s::dto::{self, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, StreamingBlob};
use s3s::stream::{ByteStream, RemainingLength};
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, StdError};

use super::convert::{
    checksum_type_out, checksums_out, encryption_out, error, etag_out, match_in, number_out, refuse_if,
    small_out, version_out,
};
use super::headers::{expires_out, last_modified, user_out};
use crate::fake::{Call, ContentStream, FakeS3, Object, Reply};

/// What a read asks for, in the words of both operations.
struct Wanted<'a> {
    bucket: &'a str,
    key: &'a str,
    if_match: Option<&'a dto::ETagCondition>,
    if_none_match: Option<&'a dto::ETagCondition>,
    version: Option<&'a str>,
    range: Option<dto::Range>,
    part: Option<i32>,
    checksums: bool,
}

/// What a read found.
struct Found {
    object: Arc<Object>,
    start: u64,
    length: u64,
    partial: bool,
    parts: Option<i32>,
    checksums: Checksums,
}

impl Found {
    fn content_range(&self) -> Option<String> {
        let size = self.object.content.length();
        (self.partial && self.length > 0)
            .then(|| format!("bytes {}-{}/{size}", self.start, self.start + self.length - 1))
    }
}

fn find(fake: &FakeS3, wanted: &Wanted<'_>, body: bool) -> S3Result<Found> {
    let pin = ReadPin {
        etag: match_in(wanted.if_match),
        version: wanted.version.map(|version| VersionId(version.to_owned())),
    };
    let part = wanted.part.map(|part| u32::try_from(part).unwrap_or(0));
    let key = ObjectKey::from(wanted.key);
    let call = if body {
        Call::Get { pin: pin.clone(), range: asked_range(wanted.range) }
    } else {
        Call::Head { pin: pin.clone(), part }
    };
    let read = |bucket: &mut crate::fake::Bucket, _| {
        let object = bucket.read(&key, &pin)?;
        if body {
            object.check_readable(&key)?;
        }
        Ok(object)
    };
    let reply = |object: &Arc<Object>| Reply {
        etag: Some(object.etag.clone()),
        version: object.version.clone(),
        size: object.content.length(),
    };
    let object = fake.act(wanted.bucket, &key, call, read, reply).map_err(error)?;
    let unchanged = match wanted.if_none_match {
        None => false,
        Some(dto::ETagCondition::Any) => true,
        Some(dto::ETagCondition::ETag(etag)) => etag.value() == object.etag.as_str(),
    };
    if unchanged {
        return Err(S3Error::new(S3ErrorCode::NotModified));
    }
    let size = object.content.length();
    let (start, length) = match (wanted.range, part) {
        (Some(_), Some(_)) => {
            return Err(S3Error::with_message(
                S3ErrorCode::InvalidRequest,
                "a range and a part number cannot be asked for together",
            ));
        }
        (Some(range), None) => {
            let range = range.check(size).map_err(|_| S3Error::new(S3ErrorCode::InvalidRange))?;
            (range.start, range.end - range.start)
        }
        (None, Some(part)) => object.part(part).map_err(error)?,
        (None, None) => (0, size),
    };
    let partial = wanted.range.is_some() || part.is_some();
    let parts = part.and(object.part_count()).map(small_out);
    let whole = wanted.checksums && !partial;
    let checksums = if whole { object.checksums } else { Checksums::default() };
    Ok(Found { object, start, length, partial, parts, checksums })
}

/// The range as the journal tells it; open ends are as far as a number goes.
fn asked_range(range: Option<dto::Range>) -> Option<ByteRange> {
    match range? {
        dto::Range::Int { first, last } => {
            let length = last.map_or(u64::MAX, |last| last.saturating_sub(first).saturating_add(1));
            Some(ByteRange { start: first, length })
        }
        dto::Range::Suffix { length } => Some(ByteRange { start: u64::MAX - length, length }),
    }
}

/// Fills the headers that both answers have; they are fields of two types.
macro_rules! answer {
    ($output:ident, $found:expr) => {{
        let found = &$found;
        let object = &found.object;
        let attributes = &object.attributes;
        let (crc64nvme, crc32c, crc32) = checksums_out(&found.checksums);
        let (server_side_encryption, ssekms_key_id) = encryption_out(object.encryption.as_ref());
        $output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: attributes.cache_control.clone(),
            checksum_crc64nvme: crc64nvme,
            checksum_crc32c: crc32c,
            checksum_crc32: crc32,
            checksum_type: checksum_type_out(&found.checksums),
            content_disposition: attributes.content_disposition.clone(),
            content_encoding: attributes.content_encoding.clone(),
            content_language: attributes.content_language.clone(),
            content_length: Some(number_out(found.length)),
            content_range: found.content_range(),
            content_type: attributes.content_type.clone().and_then(|text| text.parse().ok()),
            e_tag: Some(etag_out(&object.etag)),
            expires: expires_out(attributes.expires.as_deref()),
            last_modified: last_modified(object.modified),
            metadata: user_out(attributes),
            missing_meta: (attributes.unreadable > 0).then(|| small_out(attributes.unreadable)),
            parts_count: found.parts,
            server_side_encryption,
            ssekms_key_id,
            storage_class: object.storage_class.clone().map(dto::StorageClass::from),
            version_id: version_out(object.version.as_ref()),
            website_redirect_location: attributes.website_redirect.clone(),
            ..$output::default()
        }
    }};
}

pub(super) fn get_object(
    fake: &FakeS3,
    request: S3Request<GetObjectInput>,
) -> S3Result<S3Response<GetObjectOutput>> {
    let input = &request.input;
    refuse_if(
        input.if_modified_since.is_some() || input.if_unmodified_since.is_some(),
        "conditions on time",
    )?;
    refuse_if(input.sse_customer_key.is_some(), "SSE-C")?;
    let wanted = Wanted {
        bucket: &input.bucket,
        key: &input.key,
        if_match: input.if_match.as_ref(),
        if_none_match: input.if_none_match.as_ref(),
        version: input.version_id.as_deref(),
        range: input.range,
        part: input.part_number,
        checksums: wants_checksums(input.checksum_mode.as_ref()),
    };
    let found = find(fake, &wanted, true)?;
    let tags = found.object.tags.len();
    let mut output = answer!(GetObjectOutput, found);
    output.tag_count = (tags > 0).then(|| small_out(tags));
    let stream = found.object.content.range(found.start, found.length);
    output.body = Some(StreamingBlob::new(Outgoing(stream)));
    Ok(S3Response::new(output))
}

pub(super) fn head_object(
    fake: &FakeS3,
    request: S3Request<HeadObjectInput>,
) -> S3Result<S3Response<HeadObjectOutput>> {
    let input = &request.input;
    refuse_if(
        input.if_modified_since.is_some() || input.if_unmodified_since.is_some(),
        "conditions on time",
    )?;
    refuse_if(input.sse_customer_key.is_some(), "SSE-C")?;
    let wanted = Wanted {
        bucket: &input.bucket,
        key: &input.key,
        if_match: input.if_match.as_ref(),
        if_none_match: input.if_none_match.as_ref(),
        version: input.version_id.as_deref(),
        range: input.range,
        part: input.part_number,
        checksums: wants_checksums(input.checksum_mode.as_ref()),
    };
    let found = find(fake, &wanted, false)?;
    let tags = found.object.tags.len();
    let mut headers = HeaderMap::new();
    if tags > 0 {
        // The protocol crate knows this header of HEAD for GET only.
        headers.insert("x-amz-tagging-count", HeaderValue::from(tags));
    }
    let output = answer!(HeadObjectOutput, found);
    if output.content_range.is_some() {
        return Ok(S3Response {
            status: Some(http::StatusCode::PARTIAL_CONTENT),
            ..S3Response::with_headers(output, headers)
        });
    }
    Ok(S3Response::with_headers(output, headers))
}

fn wants_checksums(mode: Option<&dto::ChecksumMode>) -> bool {
    mode.is_some_and(|mode| mode.as_str() == dto::ChecksumMode::ENABLED)
}

/// Frames on their way out, with what is left of them known exactly.
struct Outgoing(ContentStream);

impl Stream for Outgoing {
    type Item = Result<Bytes, StdError>;

    fn poll_next(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.next().map(|frame| frame.map_err(|error| Box::new(error) as StdError)))
    }
}

impl ByteStream for Outgoing {
    fn remaining_length(&self) -> RemainingLength {
        match usize::try_from(self.0.remaining()) {
            Ok(left) => RemainingLength::new_exact(left),
            Err(_) => RemainingLength::unknown(),
        }
    }
}
