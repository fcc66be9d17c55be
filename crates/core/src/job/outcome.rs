//! How an object ended, as reports and summaries tell it.

use serde::{Deserialize, Serialize};

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
