//! The envelope that SNS puts around a message, unless the subscription asks for raw delivery.

use serde_json::Value;

use super::MessageError;

/// What an SNS envelope holds.
pub(super) enum Envelope<'a> {
    /// No envelope of SNS.
    None,
    /// A notification: the text that was published.
    Holds(&'a str),
}

/// Looks for the envelope (SNS Developer Guide, "Amazon SNS message and JSON formats").
pub(super) fn open(message: &Value) -> Result<Envelope<'_>, MessageError> {
    let Some(kind) = message.get("Type").and_then(Value::as_str) else { return Ok(Envelope::None) };
    if message.get("TopicArn").is_none() && message.get("MessageId").is_none() {
        return Ok(Envelope::None);
    }
    match kind {
        "Notification" => match message.get("Message").and_then(Value::as_str) {
            Some(text) => Ok(Envelope::Holds(text)),
            None => {
                Err(MessageError::Malformed("the SNS notification holds no text in `Message`".to_owned()))
            }
        },
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => Err(MessageError::Malformed(format!(
            "it is SNS's {kind}: confirm the subscription of this queue to the topic"
        ))),
        _ => Ok(Envelope::None),
    }
}
