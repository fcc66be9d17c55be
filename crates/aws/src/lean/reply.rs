//! An answer: its status, its headers, and what its body says when it refuses.
//!
//! Apart, because it reads the same things from raw headers that `attributes` reads from the SDK's types. It decides
//! nothing: `failure` classifies.

use std::time::Duration;

use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_sdk_s3::types::{ChecksumType, ServerSideEncryption};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body::Body as _;
use longbow_core::failure::StoreErrorKind;
use longbow_core::object::{Checksums, ETag, Encryption, ObjectAttributes, ObjectHead};
use longbow_core::port::Written;

use super::Refusal;
use super::exchange::ReplyBody;
use super::listing::error_text;
use crate::attributes::{
    ChecksumHeaders, checksums, content_encoding, content_range, encryption, etag, storage_class, timestamp,
    version,
};
use crate::failure::{About, BUCKET_REGION, Reply, chain, code_by_clock, from_reply};

/// Most bytes of a body that is read whole. A page of a thousand keys of 1,024 bytes each, every byte encoded, takes 4 MB.
const MOST: usize = 16 << 20;

const REQUEST_ID: &str = "x-amz-request-id";

const META: &str = "x-amz-meta-";

/// The headers of an answer, with the body still to come.
pub(crate) struct Answer {
    status: u16,
    headers: HeaderMap,
    body: ReplyBody,
    /// The answer to HEAD has no body, whatever its headers say.
    head: bool,
}

impl Answer {
    pub(super) fn new(response: Response<ReplyBody>, head: bool) -> Self {
        let (parts, body) = response.into_parts();
        Self { status: parts.status.as_u16(), headers: parts.headers, body, head }
    }

    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn into_body(self) -> ReplyBody {
        self.body
    }

    /// A header, if it can be read.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }

    fn owned(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.trim().parse().ok()
    }

    /// `Content-Length`.
    pub(super) fn length(&self) -> Option<u64> {
        self.number("content-length")
    }

    fn request_id(&self) -> Option<Box<str>> {
        self.text(REQUEST_ID).map(Box::from)
    }

    fn checksums(&self, tag: Option<&ETag>) -> Checksums {
        let kind = self.text("x-amz-checksum-type").map(ChecksumType::from);
        let headers = ChecksumHeaders {
            crc64nvme: self.text("x-amz-checksum-crc64nvme"),
            crc32c: self.text("x-amz-checksum-crc32c"),
            crc32: self.text("x-amz-checksum-crc32"),
            kind: kind.as_ref(),
        };
        checksums(&headers, tag)
    }

    fn encryption(&self) -> Option<Encryption> {
        let server_side = self.text("x-amz-server-side-encryption").map(ServerSideEncryption::from);
        encryption(
            server_side.as_ref(),
            self.owned("x-amz-server-side-encryption-aws-kms-key-id"),
            self.text("x-amz-server-side-encryption-customer-algorithm"),
        )
    }

    /// What the answer to a GET or HEAD says of the object.
    pub(super) fn head(&self) -> ObjectHead {
        let tag = etag(self.text("etag"));
        let total = self.text("content-range").and_then(content_range).map(|(_, _, total)| total);
        let modified = self.text("last-modified");
        ObjectHead {
            size: total.or(self.length()).unwrap_or_default(),
            version: version(self.owned("x-amz-version-id")),
            modified: modified
                .and_then(|text| DateTime::from_str(text, DateTimeFormat::HttpDate).ok())
                .and_then(|time| timestamp(&time)),
            storage_class: self.text("x-amz-storage-class").and_then(storage_class).map(str::to_owned),
            encryption: self.encryption(),
            tag_count: self.number("x-amz-tagging-count").unwrap_or_default(),
            checksums: self.checksums(tag.as_ref()),
            part_size: None,
            parts: self.number("x-amz-mp-parts-count"),
            attributes: self.attributes(),
            request_id: self.request_id(),
            etag: tag,
        }
    }

    fn attributes(&self) -> ObjectAttributes {
        let mut user = Vec::new();
        let mut unreadable: u32 = self.number("x-amz-missing-meta").unwrap_or_default();
        for (name, value) in &self.headers {
            match (name.as_str().strip_prefix(META), std::str::from_utf8(value.as_bytes())) {
                (Some(name), Ok(value)) => user.push((name.to_owned(), value.to_owned())),
                (_, Err(_)) => unreadable = unreadable.saturating_add(1),
                (None, Ok(_)) => {}
            }
        }
        user.sort_unstable();
        ObjectAttributes {
            content_type: self.owned("content-type"),
            cache_control: self.owned("cache-control"),
            content_disposition: self.owned("content-disposition"),
            content_encoding: self.owned("content-encoding").and_then(content_encoding),
            content_language: self.owned("content-language"),
            expires: self.owned("expires"),
            website_redirect: self.owned("x-amz-website-redirect-location"),
            user,
            unreadable,
        }
    }

    /// What the answer to a write says.
    pub(super) fn written(&self) -> Written {
        let tag = etag(self.text("etag"));
        Written {
            version: version(self.owned("x-amz-version-id")),
            encryption: self.encryption(),
            checksums: self.checksums(tag.as_ref()),
            request_id: self.request_id(),
            etag: tag,
        }
    }

    /// Reads the body to its end.
    pub(super) async fn collect(mut self, about: &About<'_>, limit: Duration) -> Result<Bytes, Refusal> {
        let stated = self.length().and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        let body = &mut self.body;
        let reading = async {
            let mut whole = BytesMut::with_capacity(stated.min(MOST));
            while let Some(frame) = next(body).await {
                let frame =
                    frame.map_err(|error| format!("the reply broke off ({})", chain(error.as_ref())))?;
                if whole.len() + frame.len() > MOST {
                    return Err(format!("the reply has more than {} MiB", MOST >> 20));
                }
                whole.extend_from_slice(&frame);
            }
            Ok(whole.freeze())
        };
        let again = |text: &str| Refusal::Again(about.fault(StoreErrorKind::Transient, text));
        match tokio::time::timeout(limit, reading).await {
            Ok(whole) => whole.map_err(|text| again(&text)),
            Err(_) => Err(again(&format!("the reply was not whole within {} seconds", limit.as_secs_f64()))),
        }
    }

    /// Reads a body that should be empty, so that the connection can be used again. An error inside a reply of success is
    /// an error.
    pub(super) async fn discard(self, about: &About<'_>, limit: Duration) -> Result<(), Refusal> {
        if self.head || self.body.is_end_stream() {
            return Ok(());
        }
        let status = self.status;
        let body = self.collect(about, limit).await?;
        match error_text(&body) {
            Some(text) => {
                let reply = Reply {
                    status,
                    code: text.code.as_deref(),
                    message: text.message.as_deref(),
                    body: &body,
                    ..Reply::default()
                };
                Err(Refusal::of(from_reply(about, &reply), status))
            }
            None => Ok(()),
        }
    }

    /// What an answer that is no success means.
    pub(super) async fn refuse(self, about: &About<'_>, limit: Duration) -> Refusal {
        let (status, headers, is_head) = (self.status, self.headers.clone(), self.head);
        let body = if is_head { Bytes::new() } else { self.collect(about, limit).await.unwrap_or_default() };
        let text = error_text(&body).unwrap_or_default();
        let header =
            |name: &str| headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok());
        let code = text.code.as_deref().filter(|code| !code.is_empty());
        let reply = Reply {
            status,
            code: code.or_else(|| code_by_clock(status, header("date"))),
            message: text.message.as_deref().filter(|message| !message.is_empty()),
            bucket_region: header(BUCKET_REGION),
            request_id: header(REQUEST_ID),
            delete_marker: header("x-amz-delete-marker") == Some("true"),
            body: &body,
        };
        Refusal::of(from_reply(about, &reply), status)
    }
}

async fn next(body: &mut ReplyBody) -> Option<Result<Bytes, super::connection::BoxError>> {
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut *body).poll_frame(cx)).await?;
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => return Some(Ok(data)),
            Ok(Err(_)) => {}
            Err(error) => return Some(Err(error)),
        }
    }
}
