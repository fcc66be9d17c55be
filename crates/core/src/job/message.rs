//! The wire form of jobs: longbow's own versioned JSON; and what else may stand in the queue.
//!
//! [`decode_message`] is total: every text gives a [`Message`] or an error, in bounded time and memory. It only says
//! what a message *means*. Whether that is allowed is asked of the configured routes ([`crate::routes`]), and nothing
//! here reads a clock, a queue or a store.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::legacy::Predecessor;
use super::{CopyJob, HubJob, LegacyJob, ObjectEvent, eventbridge, legacy, notification, sns};
use crate::excerpt::excerpt;
use crate::routes::RouteName;

/// The newest version that this program writes, and the only one it reads.
const VERSION: u32 = 1;

/// The largest job that this program writes and reads as its own: the least that any queue of SQS carries by default
/// in every region and emulator.
const MAX_BYTES: usize = 256 * 1024;

/// The largest message that is looked at: what SQS carries at most since August 2025 (SQS Developer Guide, "Amazon
/// SQS message quotas": 1,048,576 bytes).
pub const MAX_RECEIVED_BYTES: usize = 1024 * 1024;

/// The most characters of a reason that may repeat what a message says.
const MAX_WHY: usize = 400;

/// Which route a job was made for, and between which buckets that route went then.
///
/// The buckets are a witness, not a choice: a worker whose route of this name goes elsewhere by now refuses the job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStamp {
    /// The route's name.
    pub name: RouteName,
    /// The source bucket.
    pub from: String,
    /// The destination bucket.
    pub to: String,
}

/// longbow's own job as it stands in a queue that several routes share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutedJob {
    /// The route; absent in jobs that were made where only one route was.
    pub route: Option<RouteStamp>,
    /// The job.
    pub job: CopyJob,
}

/// What a message means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// A job of longbow's own.
    Copy(RoutedJob),
    /// A job of Longbow 0.98.
    Legacy(LegacyJob),
    /// A job of Data Transfer Hub.
    Hub(HubJob),
    /// What S3 says happened, every record; never empty.
    Events(Vec<ObjectEvent>),
    /// S3's trial message after notifications were set up: nothing to do.
    Test,
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    longbow: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<RouteStamp>,
    copy: T,
}

#[derive(Deserialize)]
struct VersionOnly {
    longbow: u32,
}

/// Why a message is no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Larger than any queue would carry.
    #[error("the message has {0} bytes, more than is read")]
    TooLarge(usize),
    /// Written by another release.
    #[error("the message is of version {0}; this release reads version {VERSION}")]
    Version(u32),
    /// Not a job at all.
    #[error("the message is no longbow job: {0}")]
    Malformed(String),
    /// One record of several cannot be read, so none is acted upon.
    #[error("record {record} of {of} cannot be read, so the whole message is left: {why}")]
    Record {
        /// Its place, from 1.
        record: usize,
        /// How many there are.
        of: usize,
        /// What is wrong.
        why: String,
    },
}

/// Writes a job.
pub fn encode(job: &CopyJob) -> String {
    write(None, job)
}

/// Writes a job for a queue that several routes share.
pub fn encode_for(route: &RouteStamp, job: &CopyJob) -> String {
    write(Some(route.clone()), job)
}

fn write(route: Option<RouteStamp>, job: &CopyJob) -> String {
    #[expect(
        clippy::expect_used,
        reason = "a CopyJob holds text, numbers and options only: it always has a JSON form"
    )]
    let text = serde_json::to_string(&Envelope { longbow: VERSION, route, copy: job })
        .expect("a job has a JSON form");
    // The only characters that JSON takes as they are and SQS refuses (SQS Developer Guide, "Message content"). They
    // can stand inside strings only, where an escape means the same.
    if text.contains(['\u{fffe}', '\u{ffff}']) {
        return text.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff");
    }
    text
}

/// Reads one of longbow's own jobs. Total: every input gives a job or an error, in bounded time and memory.
pub fn decode(body: &str) -> Result<CopyJob, MessageError> {
    if body.len() > MAX_BYTES {
        return Err(MessageError::TooLarge(body.len()));
    }
    decode_own(body).map(|routed| routed.job)
}

fn decode_own(body: &str) -> Result<RoutedJob, MessageError> {
    // serde_json stops at a depth of 128 by itself.
    match serde_json::from_str::<Envelope<CopyJob>>(body) {
        Ok(Envelope { longbow: VERSION, route, copy }) => Ok(RoutedJob { route, job: copy }),
        Ok(Envelope { longbow, .. }) => Err(MessageError::Version(longbow)),
        Err(error) => match serde_json::from_str::<VersionOnly>(body) {
            Ok(VersionOnly { longbow }) if longbow != VERSION => Err(MessageError::Version(longbow)),
            _ => Err(unreadable(&error)),
        },
    }
}

/// Reads whatever may stand in the queue. Total: every input gives a message or an error, in bounded time and memory.
///
/// | form | told by | key |
/// |---|---|---|
/// | longbow's own | `longbow` | as it is |
/// | SNS envelope around any other form, once | `Type` with `TopicArn` or `MessageId` | – |
/// | S3 notification | `Records` | percent-decoded once |
/// | job of Longbow's successor in Go | `Records` with `S3` in capitals | as it is |
/// | `s3:TestEvent` | `Event` | – |
/// | EventBridge | `detail-type` | as it is |
/// | Longbow 0.98 | `Src_bucket`, `Des_bucket`, `Src_key` or `Des_key` | as it is |
/// | Data Transfer Hub | `key` and `size` alone | as it is |
pub fn decode_message(body: &str) -> Result<Message, MessageError> {
    if body.len() > MAX_RECEIVED_BYTES {
        return Err(MessageError::TooLarge(body.len()));
    }
    let message = parse(body)?;
    match sns::open(&message)? {
        sns::Envelope::None => interpret(body, &message),
        sns::Envelope::Holds(inner) => {
            let inside = parse(inner)?;
            match sns::open(&inside)? {
                sns::Envelope::None => interpret(inner, &inside),
                sns::Envelope::Holds(_) => {
                    Err(MessageError::Malformed("it is an SNS notification inside another".to_owned()))
                }
            }
        }
    }
}

fn parse(text: &str) -> Result<Value, MessageError> {
    serde_json::from_str(text).map_err(|error| MessageError::Malformed(format!("no JSON: {error}")))
}

/// What serde says of a message repeats values of it, which may be of any length.
fn unreadable(error: &serde_json::Error) -> MessageError {
    MessageError::Malformed(excerpt(&error.to_string(), MAX_WHY))
}

fn interpret(text: &str, message: &Value) -> Result<Message, MessageError> {
    let has = |name: &str| message.get(name).is_some();
    if has("longbow") {
        return decode_own(text).map(Message::Copy);
    }
    if has("Records") {
        return notification::read(message).map(Message::Events);
    }
    if let Some(event) = message.get("Event").and_then(Value::as_str) {
        return if event == "s3:TestEvent" {
            Ok(Message::Test)
        } else {
            let event = notification::shown(event);
            Err(MessageError::Malformed(format!("the event {event:?} without records is not known")))
        };
    }
    if has("detail-type") {
        return eventbridge::read(message).map(|event| Message::Events(vec![event]));
    }
    match legacy::recognise(message) {
        Predecessor::Longbow => legacy::read_longbow(message).map(Message::Legacy),
        Predecessor::Hub => legacy::read_hub(message).map(Message::Hub),
        Predecessor::HubPart => Err(MessageError::Malformed(
            "it is one part of an object, as Data Transfer Hub sends them; longbow cuts objects by itself: send a job \
             for the whole object"
                .to_owned(),
        )),
        Predecessor::None => Err(MessageError::Malformed(
            "it has none of the forms that are known: a job of longbow or of Longbow 0.98, an event of S3 (also by SNS \
             or EventBridge)"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Observation, SourceVersion, TransferId};
    use crate::object::{ETag, ObjectKey, Timestamp};
    use proptest::prelude::*;

    fn job(key: &str) -> CopyJob {
        CopyJob {
            source: ObjectKey::from(key),
            destination: ObjectKey::from(key),
            object: SourceVersion {
                size: 5,
                etag: Some(ETag::new("x")),
                version: None,
                modified: Some(Timestamp(7)),
            },
            observed: Observation::Present(ETag::new("y")),
            inspect: false,
            transfer: TransferId("t".into()),
        }
    }

    #[test]
    fn other_versions_and_other_things_are_told_apart() {
        assert!(matches!(decode("{}"), Err(MessageError::Malformed(_))));
        assert!(matches!(decode(r#"{"longbow":9}"#), Err(MessageError::Version(9))));
        assert!(matches!(decode(&"[".repeat(100_000)), Err(MessageError::Malformed(_))));
        assert!(matches!(decode(&"x".repeat(300_000)), Err(MessageError::TooLarge(300_000))));
    }

    /// The reason stands in a log line for each delivery: a message of 200 KiB made one of more than a megabyte.
    #[test]
    fn the_reason_is_short_however_long_the_message_is() {
        let long = "\\u001b".repeat(30_000);
        for body in [
            format!("{{\"longbow\":1,\"copy\":\"{long}\"}}"),
            format!("{{\"longbow\":1,\"route\":\"{long}\",\"copy\":{{}}}}"),
            format!("{{\"longbow\":1,\"copy\":{{\"observed\":\"{long}\"}}}}"),
        ] {
            for error in [decode(&body).unwrap_err(), decode_message(&body).unwrap_err()] {
                let text = error.to_string();
                assert!(text.len() < 4_000 && !text.contains('\u{1b}'), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_key_survives(key in any::<String>()) {
            prop_assert_eq!(decode(&encode(&job(&key))), Ok(job(&key)));
        }

        #[test]
        fn any_text_is_read_without_panic(text in any::<String>()) {
            let _ = decode(&text);
        }
    }
}
