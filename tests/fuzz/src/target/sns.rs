//! SNS's envelope: what is in it means what it means without it, and one envelope is all.

use longbow_core::job::{MessageError, decode_message};
use serde_json::{Value, json};

use super::{Target, USUAL, bounds, message};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "sns",
    form: Form::Json,
    tokens: message::TOKENS,
    folders: &["crates/core/tests/corpus/messages"],
    run,
    ..USUAL
};

fn wrapped(text: &str) -> String {
    json!({"Type": "Notification", "MessageId": "m", "TopicArn": "t", "Message": text}).to_string()
}

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (plain, inside) = (decode_message(text), decode_message(&wrapped(text)));
    let value = serde_json::from_str::<Value>(text).unwrap_or_default();
    let is_envelope = value.get("Type").is_some_and(Value::is_string)
        && (value.get("TopicArn").is_some() || value.get("MessageId").is_some());
    if is_envelope && value["Type"] == "Notification" {
        assert!(inside.is_err(), "an envelope in an envelope is opened");
    } else if !matches!(inside, Err(MessageError::TooLarge(_))) {
        assert_eq!(plain, inside, "the envelope changes the meaning");
    }
    let twice = decode_message(&wrapped(&wrapped(text)));
    let Err(error) = twice else { panic!("two envelopes are opened") };
    bounds::showable(&error);
    if let Err(error) = inside {
        bounds::showable(&error);
    }
}
