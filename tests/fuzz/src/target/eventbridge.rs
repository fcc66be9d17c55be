//! EventBridge's events: one a message, and the key as it is.

use longbow_core::job::{Message, decode_message};
use serde_json::{Value, json};

use super::{Target, USUAL, bounds, message};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "eventbridge",
    form: Form::Json,
    tokens: message::TOKENS,
    folders: &["crates/core/tests/corpus/messages"],
    run,
    ..USUAL
};

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let made = json!({"source": "aws.s3", "detail-type": "Object Created",
        "detail": {"bucket": {"name": "src"}, "object": {"key": text}}});
    match decode_message(&made.to_string()) {
        Ok(Message::Events(events)) => assert_eq!(events[0].key.as_str(), text),
        Ok(other) => panic!("{other:?}"),
        Err(_) => assert!(text.is_empty() || text.len() > 100_000, "the key is refused"),
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    let others = ["longbow", "Type", "Records", "Event"];
    if value.get("detail-type").is_none() || others.iter().any(|name| value.get(name).is_some()) {
        return;
    }
    match decode_message(text) {
        Ok(Message::Events(events)) => {
            let [event] = events.as_slice() else { panic!("{} events of one", events.len()) };
            let detail = &value["detail"];
            assert_eq!(value["source"], "aws.s3", "an event of something else is taken");
            assert_eq!(
                detail["object"]["key"].as_str(),
                Some(event.key.as_str()),
                "the key is not as it was written"
            );
            assert_eq!(detail["bucket"]["name"].as_str(), Some(event.bucket.as_str()));
            assert_eq!(value["detail-type"].as_str(), Some(event.name.as_str()));
            message::confined(Message::Events(events), text.len());
        }
        Ok(other) => panic!("{other:?} was made of an event"),
        Err(error) => bounds::showable(&error),
    }
}
