//! S3's notifications: every record or none, and each key decoded as often as it was encoded.

use longbow_core::job::{EventKind, Message, MessageError, ObjectEvent, decode_message};
use serde_json::{Value, json};

use super::{Target, USUAL, bounds, message};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "notification",
    form: Form::Json,
    tokens: message::TOKENS,
    folders: &["crates/core/tests/corpus/messages"],
    run,
    ..USUAL
};

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    made(text);
    let read = decode_message(text);
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return assert!(read.is_err(), "what is no JSON is a message");
    };
    // Others are in the way of `Records`: their own targets look at them.
    if value.get("longbow").is_some() || value.get("Type").is_some() || value.get("Records").is_none() {
        return;
    }
    match read {
        Ok(Message::Events(events)) => as_written(&events, &value),
        Ok(other) => panic!("{other:?} was made of records"),
        Err(MessageError::Record { record, of, ref why }) => {
            assert!((1..=of).contains(&record) && !why.is_empty());
            bounds::showable(&MessageError::Record { record, of, why: why.clone() });
        }
        Err(error) => bounds::showable(&error),
    }
}

/// Every record is there, in order, and says what stands in the text.
fn as_written(events: &[ObjectEvent], value: &Value) {
    let records = value["Records"].as_array().expect("an array");
    assert_eq!(events.len(), records.len(), "records are missing");
    for (event, record) in events.iter().zip(records) {
        let plain = record.get("s3").is_none_or(Value::is_null);
        let (s3, object, bucket) =
            if plain { ("S3", "Object", "Bucket") } else { ("s3", "object", "bucket") };
        let (key, name) = if plain { ("Key", "Name") } else { ("key", "name") };
        let written = record[s3][object][key].as_str().expect("a key");
        let expected = if plain { Some(written.to_owned()) } else { bounds::decoded(written) };
        assert_eq!(Some(event.key.as_str()), expected.as_deref(), "{written:?}");
        assert_eq!(record[s3][bucket][name].as_str(), Some(event.bucket.as_str()));
        let said = record[if plain { "EventName" } else { "eventName" }].as_str().expect("a name");
        let is = |part: &str| said.strip_prefix("s3:").unwrap_or(said).starts_with(part);
        assert!(event.kind != EventKind::Created || is("ObjectCreated:"), "{said:?} creates");
        assert!(
            !matches!(event.kind, EventKind::Removed(_))
                || is("ObjectRemoved:")
                || is("LifecycleExpiration:"),
            "{said:?} removes"
        );
        assert_ne!(event.version.as_ref().map(|v| v.0.as_str()), Some("null"));
    }
}

/// Any text is a key that comes through encoded once, and through one more round not at all.
fn made(key: &str) {
    let key: String = key.chars().take(300).collect();
    let encoded = bounds::encoded(&key);
    let event = |key: &str| {
        json!({"Records": [{"eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "src"}, "object": {"key": key, "size": 1}}}]})
        .to_string()
    };
    let read = |key: &str| match decode_message(&event(key)) {
        Ok(Message::Events(events)) => Some(events[0].key.as_str().to_owned()),
        _ => None,
    };
    let expected = Some(key).filter(|key| !key.is_empty());
    assert_eq!(read(&encoded), expected);
    let twice = bounds::encoded(&encoded);
    assert_eq!(read(&twice), Some(encoded).filter(|key| !key.is_empty()), "decoded twice");
}
