//! Whatever stands in a queue or a file: every decoder answers, and never panics.

use longbow_core::job::{
    CopyJob, Message, Observation, RouteStamp, RoutedJob, SourceVersion, TransferId, decode_message,
    encode_for,
};
use longbow_core::legacy::{read_credentials, read_ini, read_pairs, translate};
use longbow_core::object::{ETag, ObjectKey, Timestamp, VersionId};
use longbow_core::routes::{IgnoreReason, KeyMapping, RouteName, RouteTable};
use proptest::prelude::*;

/// Any JSON, with the names that the decoders look for.
fn json() -> impl Strategy<Value = serde_json::Value> {
    let names = prop::sample::select(vec![
        "Records",
        "s3",
        "S3",
        "bucket",
        "name",
        "object",
        "key",
        "size",
        "eventName",
        "eventSource",
        "Event",
        "Type",
        "Message",
        "MessageId",
        "detail-type",
        "source",
        "detail",
        "longbow",
        "copy",
        "route",
        "Src_bucket",
        "Des_key",
        "Size",
        "sequencer",
        "versionId",
        "src_bucket",
        "des_bucket",
        "src_prefix",
        "region",
        "aws_access_key_id",
    ]);
    let texts = prop::sample::select(vec![
        "",
        "null",
        "aws:s3",
        "aws.s3",
        "ObjectCreated:Put",
        "s3:TestEvent",
        "Notification",
        "Object Created",
        "a%2",
        "a%2Fb",
        "%ff",
        "0065",
        "{}",
        "{\"Records\":[{}]}",
        "lab",
    ]);
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        texts.prop_map(Into::into),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::vec((names.clone(), inner), 0..6).prop_map(|fields| {
                serde_json::Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

fn mutated() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 1..6);
    (prop::sample::select(crate::corpus::ALL), edits).prop_map(|((_, body), edits)| {
        let mut bytes = body.as_bytes().to_vec();
        for (at, byte, edit) in edits {
            if bytes.is_empty() {
                break;
            }
            let at = at.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn all_decoders(text: &str) {
    let _ = decode_message(text);
    let _ = read_pairs(text, KeyMapping::FullKey, false);
    let _ = read_credentials(text);
    if let Ok(entries) = read_ini(text) {
        let _ = translate(&entries);
    }
}

/// What a message says is repeated in refusals: short, and nothing that a terminal obeys.
#[test]
fn refusals_of_foreign_messages_are_short_and_harmless() {
    let table = RouteTable::new(Vec::new()).unwrap();
    let name = "\u{1b}[2J\r\n".repeat(20_000);
    let event = |name: &str, bucket: &str| serde_json::json!({"Records": [{"eventName": name, "s3": {"bucket": {"name": bucket}, "object": {"key": "k"}}}]});
    let job = serde_json::json!({"Src_bucket": name, "Src_key": "k", "Des_bucket": name, "Des_key": "k", "Size": 0});
    for body in [event("ObjectCreated:Put", &name), event(&name, &name), job] {
        let refusal = table.admit(decode_message(&body.to_string()).unwrap()).unwrap_err().to_string();
        assert!(refusal.len() < 4_000 && !refusal.contains(char::is_control), "{refusal}");
    }
    let reason = IgnoreReason::NotAboutBytes(name).to_string();
    assert!(reason.len() < 4_000 && !reason.contains(char::is_control), "{reason}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_json_is_answered(value in json()) {
        all_decoders(&value.to_string());
    }

    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        all_decoders(&text);
    }

    #[test]
    fn damaged_messages_are_answered(text in mutated()) {
        all_decoders(&text);
    }

    /// A key stands in a notification encoded, in EventBridge's event as it is, and comes out the same.
    #[test]
    fn every_key_survives_every_form(key in "\\PC{1,20}|[+% %a-f0-9/]{1,20}") {
        let encoded: String = key.bytes().map(|b| format!("%{b:02x}")).collect();
        let event = serde_json::json!({"Records": [{"eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": "b"}, "object": {"key": encoded, "size": 1}}}]});
        let bridge = serde_json::json!({"source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": "b"}, "object": {"key": key}}});
        let wrapped = serde_json::json!({"Type": "Notification", "MessageId": "m", "Message": event.to_string()});
        for body in [event, bridge, wrapped] {
            let Ok(Message::Events(events)) = decode_message(&body.to_string()) else { panic!() };
            prop_assert_eq!(&events[0].key, &ObjectKey::from(key.as_str()));
        }
        let legacy = serde_json::json!({"Src_bucket": "a", "Src_key": key, "Des_bucket": "b", "Des_key": key, "Size": 0});
        let Ok(Message::Legacy(job)) = decode_message(&legacy.to_string()) else { panic!() };
        prop_assert_eq!(job.source.as_str(), key.as_str());
    }

    #[test]
    fn own_jobs_come_back_and_hold_only_what_sqs_takes(
        source in any::<String>(), destination in any::<String>(), size in any::<u64>(),
        etag in prop::option::of("[ -~]{0,40}"), version in prop::option::of("[ -~]{1,40}"),
        modified in prop::option::of(any::<i64>()), odd in any::<bool>(),
    ) {
        let source = if odd { format!("{source}\u{fffe}\u{ffff}\u{7f}\u{0}") } else { source };
        let job = CopyJob {
            source: source.into(),
            destination: destination.into(),
            object: SourceVersion {
                size,
                etag: etag.as_deref().map(ETag::new),
                version: version.map(VersionId),
                modified: modified.map(Timestamp),
            },
            observed: Observation::Absent,
            inspect: odd,
            transfer: TransferId("t".into()),
        };
        let stamp = RouteStamp { name: RouteName::of_pair(0), from: "a".into(), to: "b".into() };
        let body = encode_for(&stamp, &job);
        // SQS Developer Guide, "Message content".
        let taken = |c: char| matches!(c, '\u{9}' | '\u{a}' | '\u{d}' | '\u{20}'..='\u{d7ff}'
            | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
        prop_assert!(body.chars().all(taken));
        prop_assert_eq!(decode_message(&body), Ok(Message::Copy(RoutedJob { route: Some(stamp), job })));
    }
}
