//! S3's event notifications as they stand in a queue: `{"Records": […]}`, every record of them.
//!
//! Two writers are known. S3 (and stores like it) write `s3.object.key` percent-encoded as in HTML forms. The
//! successor of Longbow 0.98 put jobs of the same shape into the queue, in capitals (`S3.Object.Key`) and with the key
//! as it is. They are told apart by the capitals, so that each key is decoded as often as it was encoded: once, or not.

use serde_json::Value;

use super::{EventKind, MessageError, ObjectEvent, Sequencer};
use crate::excerpt::excerpt;
use crate::json::{JsonFault, Node};
use crate::object::{ETag, ObjectKey, Timestamp, VersionId, decode_percent};

/// The names that one writer uses.
struct Names {
    event_name: &'static str,
    source: &'static str,
    time: &'static str,
    s3: &'static str,
    bucket: &'static str,
    name: &'static str,
    object: &'static str,
    key: &'static str,
    size: &'static str,
    etag: &'static str,
    version: &'static str,
    sequencer: &'static str,
    encoded: bool,
}

const S3: Names = Names {
    event_name: "eventName",
    source: "eventSource",
    time: "eventTime",
    s3: "s3",
    bucket: "bucket",
    name: "name",
    object: "object",
    key: "key",
    size: "size",
    etag: "eTag",
    version: "versionId",
    sequencer: "sequencer",
    encoded: true,
};

const S3TRANS: Names = Names {
    event_name: "EventName",
    source: "EventSource",
    time: "EventTime",
    s3: "S3",
    bucket: "Bucket",
    name: "Name",
    object: "Object",
    key: "Key",
    size: "Size",
    etag: "ETag",
    version: "VersionId",
    sequencer: "Sequencer",
    encoded: false,
};

/// Reads all records, or names the first that cannot be read: a message is never understood in part.
pub(super) fn read(message: &Value) -> Result<Vec<ObjectEvent>, MessageError> {
    let malformed = |fault: JsonFault| MessageError::Malformed(fault.to_string());
    let records = Node::root(message).need("Records").and_then(|n| n.items()).map_err(malformed)?;
    if records.is_empty() {
        return Err(MessageError::Malformed("$.Records is empty".to_owned()));
    }
    let of = records.len();
    let read = |(i, record): (usize, &Node<'_>)| {
        read_record(record).map_err(|why| MessageError::Record { record: i + 1, of, why: why.to_string() })
    };
    records.iter().enumerate().map(read).collect()
}

fn read_record(record: &Node<'_>) -> Result<ObjectEvent, JsonFault> {
    let names = if record.get(S3.s3).is_none() && record.get(S3TRANS.s3).is_some() { &S3TRANS } else { &S3 };
    if let Some(source) = record.optional_text(names.source)?
        && !source.ends_with(":s3")
    {
        return Err(record.fault(format!("is an event of {:?}, not of S3", shown(source))));
    }
    let name = record.need(names.event_name)?.text()?;
    let s3 = record.need(names.s3)?;
    let bucket = s3.need(names.bucket)?.need(names.name)?.text()?;
    let object = s3.need(names.object)?;
    let key = object.need(names.key)?;
    let text = key.text()?;
    let decoded = if names.encoded {
        decode_percent(text).map_err(|error| key.fault(error.to_string()))?
    } else {
        text.to_owned()
    };
    let version = version(&object, names.version)?;
    let event = ObjectEvent {
        bucket: bucket.to_owned(),
        key: checked_key(&key, decoded)?,
        kind: EventKind::of_notification(name, version.as_ref()),
        name: name.to_owned(),
        size: object.get(names.size).map(|n| n.whole()).transpose()?,
        etag: object.optional_text(names.etag)?.map(ETag::new),
        version,
        sequencer: sequencer(&object, names.sequencer)?,
        time: record.optional_text(names.time)?.and_then(time),
    };
    Ok(event)
}

/// A key is never empty.
pub(super) fn checked_key(node: &Node<'_>, key: String) -> Result<ObjectKey, JsonFault> {
    if key.is_empty() { Err(node.fault("is empty")) } else { Ok(ObjectKey::from(key)) }
}

/// A version id; the text `null` is what S3 writes for an object that has none (LB-61).
pub(super) fn version(object: &Node<'_>, name: &str) -> Result<Option<VersionId>, JsonFault> {
    let text = object.optional_text(name)?.filter(|text| *text != "null");
    Ok(text.map(|text| VersionId(text.to_owned())))
}

/// The sequencer; stores that do not number their events leave it out or empty.
pub(super) fn sequencer(object: &Node<'_>, name: &str) -> Result<Option<Sequencer>, JsonFault> {
    let read = |text| {
        let path = format!("{}.{name}", object.path);
        Sequencer::new(text).map_err(|error| JsonFault::new(&path, error.to_string()))
    };
    object.optional_text(name)?.map(read).transpose()
}

/// A time as RFC 3339 writes it; anything else is as good as none, since nothing is decided by it.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    let time: jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(time.as_millisecond()))
}

/// A foreign text for an error.
pub(super) fn shown(text: &str) -> String {
    excerpt(text, 60)
}
