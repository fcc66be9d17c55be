//! S3's events as EventBridge delivers them: one event a message, and the key *as it is* (unlike notifications,
//! EventBridge does not percent-encode it; S3 User Guide, "EventBridge event message structure").

use serde_json::Value;

use super::notification::{checked_key, sequencer, shown, time, version};
use super::{EventKind, MessageError, ObjectEvent};
use crate::json::{JsonFault, Node};
use crate::object::ETag;

/// Reads an event that has a `detail-type`.
pub(super) fn read(message: &Value) -> Result<ObjectEvent, MessageError> {
    read_event(&Node::root(message))
        .map_err(|fault| MessageError::Malformed(format!("EventBridge event: {fault}")))
}

fn read_event(event: &Node<'_>) -> Result<ObjectEvent, JsonFault> {
    let source = event.need("source")?;
    if source.text()? != "aws.s3" {
        return Err(source.fault(format!("is {:?}, not \"aws.s3\"", shown(source.text()?))));
    }
    let name = event.need("detail-type")?.text()?;
    let detail = event.need("detail")?;
    let bucket = detail.need("bucket")?.need("name")?.text()?;
    let object = detail.need("object")?;
    let key = object.need("key")?;
    let version = version(&object, "version-id")?;
    Ok(ObjectEvent {
        bucket: bucket.to_owned(),
        key: checked_key(&key, key.text()?.to_owned())?,
        kind: EventKind::of_eventbridge(name, detail.optional_text("deletion-type")?, version.as_ref()),
        name: name.to_owned(),
        size: object.get("size").map(|n| n.whole()).transpose()?,
        etag: object.optional_text("etag")?.map(ETag::new),
        version,
        sequencer: sequencer(&object, "sequencer")?,
        time: event.optional_text("time")?.and_then(time),
    })
}
