//! How an object ended, as reports and summaries tell it.

use serde::{Deserialize, Serialize};

use super::TransferId;
use crate::failure::FailureClass;
use crate::object::{Checksums, ETag, ObjectKey, Timestamp, VersionId};

/// How the bytes went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyMethod {
    /// One GET streamed into one PUT.
    Whole,
    /// Ranges streamed into the parts of an upload.
    Multipart,
    /// `CopyObject`.
    ServerSide,
    /// `UploadPartCopy`.
    ServerSideMultipart,
}

/// What proves that the destination holds the source's bytes. Ordered from the weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// Only the sizes are equal.
    Size,
    /// Sizes and modification times are equal.
    SizeAndTime,
    /// This program copied exactly this source tag to exactly this destination tag, and verified it then.
    Recorded,
    /// Digests of what was read equal those of what was written; the source publishes none to compare with.
    Written,
    /// Stored full-object checksums are equal.
    Checksum,
    /// Tags that are digests are equal, or were computed from the bytes and are equal to both.
    ETag,
    /// Both sides were read and their digests are equal.
    Read,
}

impl CopyMethod {
    /// Its name in reports and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Multipart => "multipart",
            Self::ServerSide => "server-side",
            Self::ServerSideMultipart => "server-side-multipart",
        }
    }
}

impl Proof {
    /// Its name in reports and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::SizeAndTime => "size-and-time",
            Self::Recorded => "recorded",
            Self::Written => "written",
            Self::Checksum => "checksum",
            Self::ETag => "e-tag",
            Self::Read => "read",
        }
    }
}

impl ReportOutcome {
    /// Its name in reports and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Copied => "copied",
            Self::Skipped => "skipped",
            Self::Deleted => "deleted",
            Self::Failed => "failed",
        }
    }
}

/// How a job ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The bytes were copied and verified.
    Copied(Report),
    /// The destination had them already.
    Skipped(Report),
}

/// What there is to say of a finished object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The full source key.
    pub key: ObjectKey,
    /// The full destination key.
    pub destination_key: ObjectKey,
    /// The source's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionId>,
    /// Bytes.
    pub size: u64,
    /// The source's tag.
    pub source_etag: Option<ETag>,
    /// The destination's tag.
    pub destination_etag: Option<ETag>,
    /// Checksums computed or compared.
    #[serde(default, skip_serializing_if = "Checksums::is_empty")]
    pub checksums: Checksums,
    /// How the bytes went; `None` when none went.
    pub method: Option<CopyMethod>,
    /// Parts of the destination object: 0 for one written whole.
    pub parts: u32,
    /// Of these, how many an earlier attempt had left there.
    pub parts_reused: u32,
    /// Bytes read from the source in this attempt.
    pub bytes_read: u64,
    /// Bytes sent to the destination in this attempt.
    pub bytes_sent: u64,
    /// Attempts, this one included.
    pub attempts: u32,
    /// When it ended.
    pub finished: Timestamp,
    /// Milliseconds from taking the job to its end.
    pub milliseconds: u64,
    /// How it ended.
    pub outcome: ReportOutcome,
    /// What proves it.
    pub proof: Option<Proof>,
    /// Why: the reason for copying, skipping or failing, in words.
    pub reason: String,
    /// The class of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureClass>,
    /// What could not be preserved (tags, metadata), in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// The run that asked for it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferId>,
    /// What the stores call the requests that read and wrote it.
    #[serde(default, skip_serializing_if = "Requests::is_empty")]
    pub requests: Requests,
}

/// The stores' own names of the requests that carried an object: what their support and their access logs ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requests {
    /// The GET of the source, or the HEAD that an object copied in parts was pinned by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Box<str>>,
    /// The request that made the destination object: PutObject, CompleteMultipartUpload or CopyObject.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Box<str>>,
}

impl Requests {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.source.is_none() && self.destination.is_none()
    }
}

/// How an object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportOutcome {
    /// Copied and verified.
    Copied,
    /// Nothing had to be done.
    Skipped,
    /// Removed from the destination.
    Deleted,
    /// Given up, with the reason.
    Failed,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_reports() {
        let text = |value: serde_json::Value| value.as_str().map(str::to_owned);
        use CopyMethod::{Multipart, ServerSide, ServerSideMultipart, Whole};
        for method in [Whole, Multipart, ServerSide, ServerSideMultipart] {
            assert_eq!(text(serde_json::json!(method)).as_deref(), Some(method.as_str()));
        }
        use Proof::{Checksum, ETag, Read, Recorded, Size, SizeAndTime, Written};
        for proof in [Size, SizeAndTime, Recorded, Written, Checksum, ETag, Read] {
            assert_eq!(text(serde_json::json!(proof)).as_deref(), Some(proof.as_str()));
        }
        use ReportOutcome::{Copied, Deleted, Failed, Skipped};
        for outcome in [Copied, Skipped, Deleted, Failed] {
            assert_eq!(text(serde_json::json!(outcome)).as_deref(), Some(outcome.as_str()));
        }
    }
}
