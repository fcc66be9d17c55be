//! One object to copy, and what was seen when the job was made.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::object::{ETag, ObjectKey, Timestamp, VersionId};

/// One run of the jobsender, or one `sync`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransferId(pub String);

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The source object that a job means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceVersion {
    /// Bytes, as listed.
    pub size: u64,
    /// The tag, as listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<ETag>,
    /// The version, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<VersionId>,
    /// When it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
}

impl SourceVersion {
    /// Whether both mean the same bytes under the same key: by version, else by tag and size.
    pub fn is(&self, other: &Self) -> bool {
        match (&self.version, &other.version) {
            (Some(a), Some(b)) => a == b,
            _ => self.size == other.size && self.etag.is_some() && self.etag == other.etag,
        }
    }
}

/// What is known of the destination since before the source was read. The write is conditional on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Observation {
    /// Nobody has looked: HEAD first.
    Unknown,
    /// No object had the key.
    Absent,
    /// An object with this tag.
    Present(ETag),
}

/// "Copy this object there."
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyJob {
    /// The full source key.
    pub source: ObjectKey,
    /// The full destination key.
    pub destination: ObjectKey,
    /// What is to be copied.
    pub object: SourceVersion,
    /// What the destination looked like.
    pub observed: Observation,
    /// Compare by stored checksums before copying: the listings could not tell.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inspect: bool,
    /// The run that made the job.
    pub transfer: TransferId,
}
