//! A request: its query, its headers, and the whole of it, signed.
//!
//! Apart, because names and forms of headers are the S3 API's. It sends nothing.

use std::borrow::Cow;

use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use longbow_core::object::{Checksums, Md5, ObjectAttributes, Tag};
use percent_encoding::utf8_percent_encode;

use super::signer::Signature;
use crate::attributes::{ChecksumTexts, RESERVED, tagging};
use crate::body::Parcel;
use crate::s3::Writing;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("longbow/", env!("CARGO_PKG_VERSION")));

/// Parameters, encoded.
#[derive(Debug, Default)]
pub(crate) struct Query(String);

impl Query {
    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.extend(utf8_percent_encode(value, &RESERVED));
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Headers that are signed: names in lower case, values in UTF-8.
#[derive(Debug, Default)]
pub(crate) struct Headers(Vec<(Cow<'static, str>, String)>);

impl Headers {
    pub(super) fn add(&mut self, name: &'static str, value: &str) {
        self.0.push((Cow::Borrowed(name), value.to_owned()));
    }

    pub(super) fn maybe(&mut self, name: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.add(name, value);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_str()))
    }

    pub(super) fn attributes(&mut self, attributes: &ObjectAttributes) {
        // What the SDK writes for objects whose type nobody knows.
        let kind = attributes.content_type.as_deref().unwrap_or("application/octet-stream");
        self.add("content-type", kind);
        self.maybe("cache-control", attributes.cache_control.as_deref());
        self.maybe("content-disposition", attributes.content_disposition.as_deref());
        self.maybe("content-encoding", attributes.content_encoding.as_deref());
        self.maybe("content-language", attributes.content_language.as_deref());
        self.maybe("expires", attributes.expires.as_deref());
        self.maybe("x-amz-website-redirect-location", attributes.website_redirect.as_deref());
        for (name, value) in &attributes.user {
            self.0.push((Cow::Owned(format!("x-amz-meta-{name}")), value.clone()));
        }
    }

    pub(super) fn digests(&mut self, md5: Option<&Md5>, sums: &Checksums) {
        self.maybe("content-md5", md5.map(Md5::to_base64).as_deref());
        let texts = ChecksumTexts::from(sums);
        self.maybe("x-amz-checksum-crc64nvme", texts.crc64nvme.as_deref());
        self.maybe("x-amz-checksum-crc32c", texts.crc32c.as_deref());
        self.maybe("x-amz-checksum-crc32", texts.crc32.as_deref());
    }

    pub(super) fn tags(&mut self, tags: &[Tag]) {
        self.maybe("x-amz-tagging", tagging(tags).as_deref());
    }

    pub(super) fn writing(&mut self, writing: &Writing) {
        self.maybe("x-amz-storage-class", writing.storage_class.as_ref().map(|class| class.as_str()));
        let (server_side, key) = writing.encryption();
        self.maybe("x-amz-server-side-encryption", server_side.as_ref().map(|kind| kind.as_str()));
        self.maybe("x-amz-server-side-encryption-aws-kms-key-id", key.as_deref());
    }
}

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Unsent(Request<()>);

impl Unsent {
    /// Puts the parts together; fails on texts that no header can hold.
    pub(super) fn new(
        method: Method,
        uri: &str,
        host: &str,
        headers: &Headers,
        signature: &Signature,
        length: u64,
    ) -> Result<Self, http::Error> {
        let whole: Uri = uri.parse()?;
        let target = whole.into_parts().path_and_query.unwrap_or(PathAndQuery::from_static("/"));
        let has_body = method == Method::PUT;
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = target.into();
        let map = request.headers_mut();
        map.reserve(headers.0.len() + signature.len() + 3);
        map.insert(HOST, HeaderValue::from_str(host)?);
        map.insert(USER_AGENT, AGENT);
        if has_body {
            map.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        for (name, value) in headers.iter().chain(signature.iter()) {
            map.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        Ok(Self(request))
    }

    pub(super) fn with(self, body: Parcel) -> Request<Parcel> {
        self.0.map(|()| body)
    }

    pub(super) fn empty(self) -> Request<Parcel> {
        self.with(Parcel::Empty)
    }
}
