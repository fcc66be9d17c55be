//! One object of a list: what its record says, in the same fields for both formats.

use longbow_aws::Recorded;
use longbow_core::job::{RecordState, Stand};
use longbow_core::job::{Said, TransferId};
use longbow_core::object::{ETag, ObjectKey, Timestamp};
use serde_json::{Value, json};

/// The fields, in the order of the columns.
pub(super) const FIELDS: [&str; 16] = [
    "route",
    "key",
    "destination_key",
    "state",
    "size",
    "source_etag",
    "source_version",
    "source_modified",
    "destination_etag",
    "proof",
    "attempts",
    "class",
    "reason",
    "transfer",
    "updated",
    "sequencer",
];

/// The values of [`FIELDS`]; what is not known is null.
pub(super) fn values(
    route: &str,
    key: &ObjectKey,
    destination: Option<&ObjectKey>,
    recorded: &Recorded,
) -> [Value; 16] {
    let record = &recorded.stored.record;
    let source = &record.source;
    let (mut etag, mut proof, mut why) = (None, Value::Null, (Value::Null, Value::Null));
    match &record.state {
        RecordState::Copied { destination_etag, proof: by, .. } => {
            (etag, proof) = (destination_etag.as_ref(), json!(by));
        }
        RecordState::Waiting { class, reason, .. } | RecordState::Failed { class, reason } => {
            why = (json!(class), json!(reason));
        }
        RecordState::Copying { .. } | RecordState::Removed => {}
    }
    let time = |at: Option<Timestamp>| json!(at.map(|at| at.to_string()));
    [
        json!(route),
        json!(key),
        json!(destination),
        json!(state(recorded)),
        json!(source.size),
        json!(source.etag.as_ref().map(ETag::as_str)),
        json!(source.version),
        time(source.modified),
        json!(etag.map(ETag::as_str)),
        proof,
        json!(record.attempts),
        why.0,
        why.1,
        json!(record.transfer.as_ref().map(|TransferId(id)| id)),
        time(Some(record.updated)),
        json!(record.sequencer),
    ]
}

/// As a cell: text as it is, nothing for null.
pub(super) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where the object stands, with the words of `longbow status`.
pub(super) fn state(recorded: &Recorded) -> &'static str {
    match (Said::of(&recorded.stored.record).stand, &recorded.stored.record.state) {
        (_, RecordState::Waiting { .. }) => "waiting",
        (_, RecordState::Copying { .. }) => "copying",
        (Stand::Copied, _) => "copied",
        (Stand::Skipped, _) => "skipped",
        (Stand::Deleted, _) => "removed",
        (Stand::Failed(_), _) => "failed",
        (Stand::Planned | Stand::Working, _) => "open",
    }
}
