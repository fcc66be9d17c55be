//! What is stored beside an object's bytes and has to arrive with them.

use serde::{Deserialize, Serialize};

/// One object tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// The tag's name, at most 128 characters.
    pub key: String,
    /// The tag's value, at most 256 characters.
    pub value: String,
}

/// The system and user metadata of an object, each as the header's text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ObjectAttributes {
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`, without the transfer form `aws-chunked`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Expires`, as written: S3 keeps any text.
    pub expires: Option<String>,
    /// `x-amz-website-redirect-location`.
    pub website_redirect: Option<String>,
    /// `x-amz-meta-*`, names without that prefix, sorted by name.
    pub user: Vec<(String, String)>,
    /// How many `x-amz-meta-*` headers the server could not state (`x-amz-missing-meta`); they would be lost.
    pub unreadable: u32,
}

/// How the destination keeps an object at rest.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encryption {
    /// SSE-S3, `AES256`.
    S3,
    /// SSE-KMS, `aws:kms`, with a key or with the account's default key. ETags are no MD5s.
    Kms {
        /// Key id, alias or ARN.
        key: Option<String>,
    },
    /// DSSE-KMS, SSE-C or something newer: only ever read, never asked for. ETags are no MD5s.
    Other,
}

impl Encryption {
    /// Whether an object put in one piece under this encryption has its MD5 as its ETag.
    pub fn etag_is_md5(&self) -> bool {
        matches!(self, Self::S3)
    }
}
