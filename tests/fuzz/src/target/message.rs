//! Whatever stands in a queue: `decode_message`, and what the configured routes make of it.

use std::sync::LazyLock;

use longbow_core::job::{
    CopyJob, EventKind, MAX_RECEIVED_BYTES, Message, MessageError, decode, decode_message, encode, encode_for,
};
use longbow_core::object::{Location, ObjectKey};
use longbow_core::route::Route;
use longbow_core::routes::{KeyMapping, NamedRoute, OnRemoval, RouteName, RouteTable, Work};

use super::{Target, USUAL, bounds};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "message",
    form: Form::Json,
    tokens: TOKENS,
    folders: &["crates/core/tests/corpus/messages"],
    large,
    run,
    ..USUAL
};

/// Names and values of all forms of messages, and places of the table below.
pub(super) const TOKENS: &[&str] = &[
    "longbow",
    "copy",
    "route",
    "name",
    "from",
    "to",
    "source",
    "destination",
    "object",
    "size",
    "etag",
    "version",
    "modified",
    "observed",
    "unknown",
    "absent",
    "present",
    "Unknown",
    "Absent",
    "Present",
    "inspect",
    "transfer",
    "one",
    "two",
    "three",
    "src",
    "dst",
    "other",
    "p/",
    "p/x",
    "q/x",
    "q/p/x",
    "Records",
    "s3",
    "S3",
    "bucket",
    "Bucket",
    "key",
    "Key",
    "Name",
    "Object",
    "eventName",
    "EventName",
    "eventSource",
    "aws:s3",
    "minio:s3",
    "eTag",
    "versionId",
    "sequencer",
    "0065A",
    "eventTime",
    "2026-11-22T01:02:03.004Z",
    "ObjectCreated:Put",
    "s3:ObjectRemoved:Delete",
    "ObjectRemoved:DeleteMarkerCreated",
    "LifecycleExpiration:Delete",
    "Event",
    "s3:TestEvent",
    "Type",
    "Notification",
    "Message",
    "MessageId",
    "TopicArn",
    "SubscriptionConfirmation",
    "detail-type",
    "detail",
    "aws.s3",
    "Object Created",
    "Object Deleted",
    "deletion-type",
    "Delete Marker Created",
    "version-id",
    "Src_bucket",
    "Src_key",
    "Des_bucket",
    "Des_key",
    "Size",
    "objectKey",
    "uploadID",
    "null",
    "a%2Fb",
    "a+b",
    "%",
    "%ff",
];

pub(super) static TABLE: LazyLock<RouteTable> = LazyLock::new(|| {
    let route = |name: &str, from: &str, to: &str, mapping, on_removal| NamedRoute {
        on_removal,
        ..NamedRoute::new(
            RouteName::new(name).expect("a name"),
            Route {
                source: Location::parse(from, false).expect("a place"),
                destination: Location::parse(to, false).expect("a place"),
            },
            mapping,
        )
    };
    RouteTable::new(vec![
        route("one", "s3://src/p", "s3://dst/q", KeyMapping::Relative, OnRemoval::Propagate),
        route("two", "s3://src", "s3://other/q", KeyMapping::FullKey, OnRemoval::Keep),
        route("three", "s3://lab-source/raw", "s3://dst/three", KeyMapping::Relative, OnRemoval::Keep),
    ])
    .expect("routes that do not meet")
});

fn large() -> Vec<Vec<u8>> {
    let deep = |open: &str, close: &str, n: usize| [open.repeat(n), close.repeat(n)].concat().into_bytes();
    let records = |n: usize| {
        let record = r#"{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"src"},"object":{"key":"p/x","size":1}}}"#;
        format!("{{\"Records\":[{}]}}", vec![record; n].join(",")).into_bytes()
    };
    vec![
        deep("[", "]", 100_000),
        deep("[", "]", 127),
        deep("[", "]", 128),
        deep("{\"Records\":", "", 100_000),
        "[".repeat(100_000).into_bytes(),
        records(5_000),
        vec![b'x'; MAX_RECEIVED_BYTES],
        vec![b'"'; MAX_RECEIVED_BYTES + 1],
        format!("{{\"longbow\":1,\"copy\":\"{}\"}}", "\\u0000".repeat(60_000)).into_bytes(),
        format!("{{\"{}\":1}}", "k".repeat(300_000)).into_bytes(),
    ]
}

fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let own = decode(text);
    let read = decode_message(text);
    assert_eq!(read, decode_message(text), "the same text has two meanings");
    if text.len() > MAX_RECEIVED_BYTES {
        assert_eq!(read, Err(MessageError::TooLarge(text.len())));
        return;
    }
    match read {
        Err(error) => bounds::showable(&error),
        Ok(message) => {
            assert!(bounds::depth(text) <= 128, "a text of depth {} is read", bounds::depth(text));
            if let Message::Copy(routed) = &message {
                again(&routed.job);
                if let Some(stamp) = &routed.route {
                    assert_eq!(decode_message(&encode_for(stamp, &routed.job)).as_ref(), Ok(&message));
                }
            }
            confined(message, text.len());
        }
    }
    match own {
        Ok(job) => again(&job),
        Err(error) => bounds::showable(&error),
    }
}

/// A job that was read can be written, and is the same again.
fn again(job: &CopyJob) {
    assert_eq!(decode(&encode(job)).as_ref(), Ok(job));
}

/// What a message leads to goes along configured routes, and along no other way; all of it or nothing.
pub(super) fn confined(message: Message, length: usize) {
    let events = match &message {
        Message::Events(events) => {
            assert!(!events.is_empty(), "an event without records");
            assert!(events.iter().all(|e| !e.key.as_str().is_empty()), "an event about no key");
            Some(events.clone())
        }
        _ => None,
    };
    let work = match TABLE.admit(message) {
        Err(refusal) => return bounds::showable_with(&refusal, length),
        Ok(work) => work,
    };
    for one in &work {
        let (route, source, destination) = match one {
            Work::Copy(copy) => (&copy.route, &copy.job.source, &copy.job.destination),
            Work::Remove(removal) => (&removal.route, &removal.source, &removal.destination),
            Work::Ignore(reason) => {
                bounds::showable_with(reason, length);
                continue;
            }
        };
        let named = TABLE.get(route).expect("a configured route");
        let led: Option<ObjectKey> = named.route.map(source);
        assert_eq!(led.as_ref(), Some(destination), "route {route} does not lead there");
        if let Work::Remove(_) = one {
            assert_eq!(named.on_removal, OnRemoval::Propagate);
            let events = events.as_deref().unwrap_or_default();
            let asked = events.iter().any(|e| e.key == *source && matches!(e.kind, EventKind::Removed(_)));
            assert!(asked, "a removal of what no event removes");
        }
    }
}
