//! Headers to values and back: metadata, checksums, encryption, tags.
//!
//! Apart, because GET and HEAD say the same things in two types of the SDK, and three calls write the same
//! things. It reads no bytes and makes no request.

use std::collections::HashMap;

use aws_sdk_s3::client::customize::CustomizableOperation;
use aws_sdk_s3::operation::RequestId;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{ChecksumType, ServerSideEncryption};
use longbow_core::object::{
    Checksums, ETag, Encryption, ObjectAttributes, ObjectHead, Tag, Timestamp, VersionId,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters.
pub(crate) const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The same, but for the `/` of a path.
pub(crate) const RESERVED_IN_PATH: AsciiSet = RESERVED.remove(b'/');

/// A moment as the SDK states it.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    time.to_millis().ok().map(Timestamp)
}

/// A moment as listings state it (ISO 8601).
pub(crate) fn iso_timestamp(text: &str) -> Option<Timestamp> {
    DateTime::from_str(text, DateTimeFormat::DateTimeWithOffset).ok().as_ref().and_then(timestamp)
}

/// The version, which in buckets without versions is absent or called `null`.
pub(crate) fn version(id: Option<String>) -> Option<VersionId> {
    id.filter(|id| !id.is_empty() && id != "null").map(VersionId)
}

/// A tag; some stores send an empty one where they have none.
pub(crate) fn etag(text: Option<&str>) -> Option<ETag> {
    text.map(ETag::new).filter(|tag| !tag.as_str().is_empty())
}

/// The storage class, absent for the one that every object has by default.
pub(crate) fn storage_class(class: &str) -> Option<&str> {
    (!class.is_empty() && class != "STANDARD").then_some(class)
}

/// What the encryption headers say.
pub(crate) fn encryption(
    server_side: Option<&ServerSideEncryption>,
    key: Option<String>,
    customer_algorithm: Option<&str>,
) -> Option<Encryption> {
    if customer_algorithm.is_some() {
        return Some(Encryption::Other);
    }
    match server_side? {
        ServerSideEncryption::Aes256 => Some(Encryption::S3),
        ServerSideEncryption::AwsKms => Some(Encryption::Kms { key }),
        _ => Some(Encryption::Other),
    }
}

/// Stored checksums as the headers state them.
pub(crate) struct ChecksumHeaders<'a> {
    pub(crate) crc64nvme: Option<&'a str>,
    pub(crate) crc32c: Option<&'a str>,
    pub(crate) crc32: Option<&'a str>,
    pub(crate) kind: Option<&'a ChecksumType>,
}

/// Reads full-object checksums. A checksum without a type belongs to an object of before December 2024 or to a
/// store that knows no types: it covers the whole unless the object was written in parts.
pub(crate) fn checksums(headers: &ChecksumHeaders<'_>, tag: Option<&ETag>) -> Checksums {
    let whole = match headers.kind {
        Some(kind) => *kind == ChecksumType::FullObject,
        None => tag.is_none_or(|tag| !tag.as_str().contains('-')),
    };
    if !whole {
        return Checksums::default();
    }
    Checksums {
        crc64nvme: headers.crc64nvme.and_then(Checksums::from_base64).map(u64::from_be_bytes),
        crc32c: headers.crc32c.and_then(Checksums::from_base64).map(u32::from_be_bytes),
        crc32: headers.crc32.and_then(Checksums::from_base64).map(u32::from_be_bytes),
    }
}

/// Checksums in the form of the headers.
pub(crate) struct ChecksumTexts {
    pub(crate) crc64nvme: Option<String>,
    pub(crate) crc32c: Option<String>,
    pub(crate) crc32: Option<String>,
}

impl From<&Checksums> for ChecksumTexts {
    fn from(sums: &Checksums) -> Self {
        Self {
            crc64nvme: sums.crc64nvme.map(|c| Checksums::to_base64(&c.to_be_bytes())),
            crc32c: sums.crc32c.map(|c| Checksums::to_base64(&c.to_be_bytes())),
            crc32: sums.crc32.map(|c| Checksums::to_base64(&c.to_be_bytes())),
        }
    }
}

/// `Content-Encoding` without the transfer form `aws-chunked`, which some stores keep by mistake.
pub(crate) fn content_encoding(text: String) -> Option<String> {
    if !text.contains("aws-chunked") {
        return Some(text);
    }
    let kept: Vec<&str> =
        text.split(',').map(str::trim).filter(|e| !e.is_empty() && *e != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

fn user_metadata(metadata: Option<HashMap<String, String>>) -> Vec<(String, String)> {
    let mut user: Vec<_> = metadata.unwrap_or_default().into_iter().collect();
    user.sort_unstable();
    user
}

/// The total of `Content-Range: bytes FIRST-LAST/TOTAL`, with first and last.
pub(crate) fn content_range(text: &str) -> Option<(u64, u64, u64)> {
    let (range, total) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?, total.trim().parse().ok()?))
}

/// What the server calls the request.
pub(crate) fn request_id(reply: &impl RequestId) -> Option<Box<str>> {
    reply.request_id().map(Box::from)
}

macro_rules! head_of {
    ($(#[$doc:meta])* $name:ident, $output:ty) => {
        $(#[$doc])*
        pub(crate) fn $name(out: &mut $output) -> ObjectHead {
            let tag = etag(out.e_tag.as_deref());
            let length = out.content_length.and_then(|n| u64::try_from(n).ok());
            let total = out.content_range.as_deref().and_then(content_range).map(|(_, _, total)| total);
            ObjectHead {
                size: total.or(length).unwrap_or_default(),
                version: version(out.version_id.take()),
                modified: out.last_modified.as_ref().and_then(timestamp),
                storage_class: out
                    .storage_class
                    .as_ref()
                    .and_then(|class| storage_class(class.as_str()))
                    .map(str::to_owned),
                encryption: encryption(
                    out.server_side_encryption.as_ref(),
                    out.ssekms_key_id.take(),
                    out.sse_customer_algorithm.as_deref(),
                ),
                tag_count: out.tag_count.and_then(|n| u32::try_from(n).ok()).unwrap_or_default(),
                checksums: checksums(
                    &ChecksumHeaders {
                        crc64nvme: out.checksum_crc64_nvme.as_deref(),
                        crc32c: out.checksum_crc32_c.as_deref(),
                        crc32: out.checksum_crc32.as_deref(),
                        kind: out.checksum_type.as_ref(),
                    },
                    tag.as_ref(),
                ),
                request_id: request_id(out),
                part_size: None,
                parts: out.parts_count.and_then(|n| u32::try_from(n).ok()),
                attributes: ObjectAttributes {
                    content_type: out.content_type.take(),
                    cache_control: out.cache_control.take(),
                    content_disposition: out.content_disposition.take(),
                    content_encoding: out.content_encoding.take().and_then(content_encoding),
                    content_language: out.content_language.take(),
                    expires: out.expires_string.take(),
                    website_redirect: out.website_redirect_location.take(),
                    user: user_metadata(out.metadata.take()),
                    unreadable: out.missing_meta.and_then(|n| u32::try_from(n).ok()).unwrap_or_default(),
                },
                etag: tag,
            }
        }
    };
}

head_of!(
    /// The headers of a reply to GET.
    head_of_get,
    GetObjectOutput
);
head_of!(
    /// The headers of a reply to HEAD.
    head_of_head,
    HeadObjectOutput
);

/// User metadata as the SDK takes it; `None` when there is none.
pub(crate) fn metadata(attributes: &ObjectAttributes) -> Option<HashMap<String, String>> {
    (!attributes.user.is_empty()).then(|| attributes.user.iter().cloned().collect())
}

/// Writes the attributes to a builder of PutObject, CreateMultipartUpload or CopyObject.
macro_rules! with_attributes {
    ($call:expr, $attributes:expr) => {{
        let attributes: &longbow_core::object::ObjectAttributes = $attributes;
        $call
            .set_content_type(attributes.content_type.clone())
            .set_cache_control(attributes.cache_control.clone())
            .set_content_disposition(attributes.content_disposition.clone())
            .set_content_encoding(attributes.content_encoding.clone())
            .set_content_language(attributes.content_language.clone())
            .set_website_redirect_location(attributes.website_redirect.clone())
            .set_metadata($crate::attributes::metadata(attributes))
    }};
}
pub(crate) use with_attributes;

/// Writes `Expires` as it was: S3 keeps any text there, the SDK's own field only dates.
pub(crate) fn with_expires<T, E, B>(
    call: CustomizableOperation<T, E, B>,
    attributes: &ObjectAttributes,
) -> CustomizableOperation<T, E, B> {
    let Some(expires) = attributes.expires.clone() else { return call };
    call.mutate_request(move |request| {
        // A text that no header can hold came from a header, so that this does not happen.
        let _ = request.headers_mut().try_insert("expires", expires.clone());
    })
}

/// Tags in the form of `x-amz-tagging`; `None` when there are none.
pub(crate) fn tagging(tags: &[Tag]) -> Option<String> {
    if tags.is_empty() {
        return None;
    }
    let mut text = String::new();
    for tag in tags {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(&tag.key, &RESERVED));
        text.push('=');
        text.extend(utf8_percent_encode(&tag.value, &RESERVED));
    }
    Some(text)
}

#[cfg(test)]
mod tests;
