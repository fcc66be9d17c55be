//! Jobs as longbow's predecessors wrote them: Longbow 0.98 (LB, section B1) and Data Transfer Hub (DTH-03).
//!
//! Only read, never written. What they may copy is decided by the configured routes, not here.

use serde_json::Value;

use super::MessageError;
use super::notification::{checked_key, version};
use crate::json::{JsonFault, Node};
use crate::object::{ObjectKey, VersionId};

/// A job of Longbow 0.98.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyJob {
    /// `Src_bucket`.
    pub source_bucket: String,
    /// `Src_key`: the full key, the source prefix included.
    pub source: ObjectKey,
    /// `Des_bucket`.
    pub destination_bucket: String,
    /// `Des_key`: the full key.
    pub destination: ObjectKey,
    /// `Size`, as listed when the job was made. A hint: the object may have been replaced since.
    pub size: u64,
    /// `versionId`, unless it is the text `null`, which Longbow writes for "unknown": asking S3 for the version
    /// `null` would mean the one from before versioning (LBB-52).
    pub version: Option<VersionId>,
}

/// A job of Data Transfer Hub: a key, and nothing about buckets, which its workers have in their settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubJob {
    /// The full source key.
    pub key: ObjectKey,
    /// Bytes, as listed when the job was made.
    pub size: u64,
}

/// Which predecessor wrote a message, if one did.
pub(super) enum Predecessor {
    None,
    Longbow,
    Hub,
    HubPart,
}

/// Looks at the names of the fields.
pub(super) fn recognise(message: &Value) -> Predecessor {
    let has = |name: &str| message.get(name).is_some();
    if ["Src_bucket", "Src_key", "Des_bucket", "Des_key"].into_iter().any(has) {
        Predecessor::Longbow
    } else if has("objectKey") && has("uploadID") {
        Predecessor::HubPart
    } else if has("key") && has("size") && message.as_object().is_some_and(|fields| fields.len() == 2) {
        Predecessor::Hub
    } else {
        Predecessor::None
    }
}

/// Reads a job of Longbow 0.98. `versionId` may be missing; nothing else may.
pub(super) fn read_longbow(message: &Value) -> Result<LegacyJob, MessageError> {
    let read = || -> Result<LegacyJob, JsonFault> {
        let job = Node::root(message);
        let text = |name: &str| job.need(name)?.text();
        let key = |name: &str| {
            let node = job.need(name)?;
            checked_key(&node, node.text()?.to_owned())
        };
        Ok(LegacyJob {
            source_bucket: text("Src_bucket")?.to_owned(),
            source: key("Src_key")?,
            destination_bucket: text("Des_bucket")?.to_owned(),
            destination: key("Des_key")?,
            size: job.need("Size")?.whole()?,
            version: version(&job, "versionId")?,
        })
    };
    read().map_err(|fault| MessageError::Malformed(format!("job of Longbow 0.98: {fault}")))
}

/// Reads a job of Data Transfer Hub.
pub(super) fn read_hub(message: &Value) -> Result<HubJob, MessageError> {
    let read = || -> Result<HubJob, JsonFault> {
        let job = Node::root(message);
        let key = job.need("key")?;
        Ok(HubJob { key: checked_key(&key, key.text()?.to_owned())?, size: job.need("size")?.whole()? })
    };
    read().map_err(|fault| MessageError::Malformed(format!("job of Data Transfer Hub: {fault}")))
}
