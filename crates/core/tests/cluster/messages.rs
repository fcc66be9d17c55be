//! Messages as other programs write them, from the corpus beside this file, and what they mean.

use longbow_core::job::{
    EventKind, Message, MessageError, ObjectEvent, Removal, Sequencer, decode, decode_message, encode,
    encode_for,
};
use longbow_core::object::{ETag, ObjectKey, VersionId};

use crate::corpus::{ALL, message};

fn events(name: &str) -> Vec<ObjectEvent> {
    match decode_message(message(name)) {
        Ok(Message::Events(events)) => events,
        other => panic!("{name}: {other:?}"),
    }
}

fn malformed(body: &str) -> String {
    match decode_message(body) {
        Err(error) => error.to_string(),
        Ok(read) => panic!("{body}: {read:?}"),
    }
}

#[test]
fn every_message_of_the_corpus_is_understood() {
    for (name, body) in ALL {
        assert!(decode_message(body).is_ok(), "{name}: {:?}", decode_message(body));
    }
}

/// LB-57: the event's version and everything else that a job needs.
#[test]
fn lb_57_an_event_is_read_whole() {
    let event = &events("s3-put")[0];
    assert_eq!(event.bucket, "lab-results");
    assert_eq!(event.key, ObjectKey::from("raw/2026/red flower+100% é.bin"));
    assert_eq!(event.kind, EventKind::Created);
    assert_eq!(event.size, Some(1_048_577));
    assert_eq!(event.etag, Some(ETag::new("9e107d9d372bb6826bd81d3542a419d6")));
    assert_eq!(event.version, Some(VersionId("096fKKXTRTtl3on89fVO.nfljtsv6qko".into())));
    assert_eq!(event.sequencer, Some(Sequencer::new("0065e1a2b3c4d5e6f7").unwrap()));
    assert_eq!(event.time.map(|t| t.to_string()).as_deref(), Some("2026-03-01T10:20:30.456Z"));
}

/// LBB-09: of several records Longbow copied only the last. LBB-10: it never read the event's name.
#[test]
fn lbb_09_and_10_every_record_counts_and_its_name_is_respected() {
    for name in ["s3-three-records", "sns-three-records"] {
        let all = events(name);
        let kinds: Vec<&EventKind> = all.iter().map(|e| &e.kind).collect();
        assert_eq!(kinds, [&EventKind::Created, &EventKind::Removed(Removal::Object), &EventKind::Created]);
        let keys: Vec<&str> = all.iter().map(|e| e.key.as_str()).collect();
        assert_eq!(keys, ["raw/a//b", "raw/old.bin", "raw/empty"]);
        assert_eq!((all[1].size, all[2].size, &all[2].version), (None, Some(0), &None));
    }
}

#[test]
fn removals_say_what_was_removed() {
    let removal = |name: &str| events(name)[0].kind.clone();
    let version = VersionId("096fKKXTRTtl3on89fVO.nfljtsv6qko".into());
    assert_eq!(removal("s3-delete-marker"), EventKind::Removed(Removal::Marker));
    assert_eq!(removal("s3-delete-version"), EventKind::Removed(Removal::Version(version)));
    assert_eq!(removal("eventbridge-deleted"), EventKind::Removed(Removal::Object));
    assert_eq!(removal("eventbridge-marker-by-lifecycle"), EventKind::Removed(Removal::Marker));
    assert_eq!(removal("s3-tagging"), EventKind::Other);
}

/// DS-01: EventBridge writes keys as they are; notifications encode them.
#[test]
fn ds_01_keys_of_eventbridge_are_not_decoded() {
    for name in ["eventbridge-created", "sns-eventbridge"] {
        let event = &events(name)[0];
        assert_eq!(event.key, ObjectKey::from("raw/red flower+%41 é.bin"));
        assert_eq!(event.sequencer, events("s3-put")[0].sequencer);
        assert_eq!(event.etag, Some(ETag::new("b1946ac92492d2347c6235b4d2611184")));
    }
}

/// LBB-60: the successor in Go wrote keys as they are and then decoded them: `a+b` became `a b`, `100%` failed.
#[test]
fn lbb_60_jobs_of_the_go_successor_keep_their_keys() {
    let event = &events("s3trans-job")[0];
    assert_eq!((event.key.as_str(), event.size), ("raw/a+b 100%.bin", Some(77)));
}

#[test]
fn a_store_without_sequencers_sizes_and_versions_is_understood() {
    let event = &events("minio-put")[0];
    assert_eq!(event.key, ObjectKey::from("users/ABC"));
    assert_eq!((&event.sequencer, &event.version, event.size), (&None, &None, None));
    assert_eq!(event.kind, EventKind::Created);
}

/// LB-34: S3's trial message is no job and no fault, also through SNS.
#[test]
fn lb_34_test_events_are_told() {
    for name in ["s3-test-event", "sns-test-event"] {
        assert_eq!(decode_message(message(name)), Ok(Message::Test));
    }
    assert!(malformed(r#"{"Event":"s3:SomethingElse"}"#).contains("s3:SomethingElse"));
}

/// LB-61 and LBB-52: the version `null` of a job means "unknown", never the version before versioning.
#[test]
fn lbb_52_the_version_null_is_no_version() {
    let Ok(Message::Legacy(job)) = decode_message(message("longbow-098-job")) else { panic!() };
    assert_eq!((job.source_bucket.as_str(), job.destination_bucket.as_str()), ("lab-results", "lab-archive"));
    assert_eq!(job.source, ObjectKey::from("raw/2026/a+b %41.bin"));
    assert_eq!(job.destination, ObjectKey::from("backup/raw/2026/a+b %41.bin"));
    assert_eq!((job.size, job.version), (123_456_789, None));
    let body = message("longbow-098-job");
    let Ok(Message::Legacy(job)) = decode_message(&body.replace("\"null\"", "\"v7\"")) else { panic!() };
    assert_eq!(job.version, Some(VersionId("v7".into())));
    let Ok(Message::Legacy(job)) = decode_message(&body.replace(", \"versionId\": \"null\"", "")) else {
        panic!()
    };
    assert_eq!(job.version, None);
}

/// LB-35: a message that is no job says why.
#[test]
fn lb_35_what_is_no_job_says_why() {
    let body = message("longbow-098-job");
    for (what, with, needs) in [
        ("\"Des_bucket\": \"lab-archive\", ", "", "$.Des_bucket: is missing"),
        ("\"Size\": 123456789", "\"Size\": -1", "$.Size: is a number"),
        ("\"Size\": 123456789", "\"Size\": 18446744073709551616", "$.Size"),
        ("\"Size\": 123456789", "\"Size\": \"5\"", "$.Size: is a string"),
        ("raw/2026/a+b %41.bin\", \"Des_b", "\", \"Des_b", "$.Src_key: is empty"),
        ("\"versionId\": \"null\"", "\"versionId\": [1]", "$.versionId"),
    ] {
        assert!(body.contains(what), "{what}");
        let why = malformed(&body.replace(what, with));
        assert!(why.contains(needs), "{why}");
    }
    for other in ["{}", "[]", "7", "null", "\"text\"", "", "not json", r#"{"key":"x"}"#, r#"{"Records":7}"#] {
        assert!(!malformed(other).is_empty());
    }
    assert!(malformed(include_str!("../corpus/messages/hub-part.json")).contains("one part of an object"));
    assert!(malformed(r#"{"Records":[]}"#).contains("empty"));
    assert!(malformed(r#"{"longbow":9,"copy":{}}"#).contains("version 9"));
}

#[test]
fn one_record_that_cannot_be_read_spoils_the_message_and_is_named() {
    let body = message("s3-three-records");
    for (what, with, needs) in [
        ("raw/old.bin", "raw/100%", "percent-encoded"),
        ("\"ObjectRemoved:Delete\"", "null", "eventName: is missing"),
        ("raw/old.bin", "", "is empty"),
        ("0065E1A2B3C4D5E6F8", "not hex", "sequencer"),
        ("{\"key\":\"raw/old.bin\",\"sequencer\":\"0065E1A2B3C4D5E6F8\"}", "{}", "key: is missing"),
    ] {
        assert!(body.contains(what), "{what}");
        let error = decode_message(&body.replace(what, with)).unwrap_err();
        let MessageError::Record { record: 2, of: 3, why } = &error else { panic!("{error}") };
        assert!(why.contains(needs), "{error}");
        assert!(error.to_string().starts_with("record 2 of 3"), "{error}");
    }
    let other = malformed(&body.replacen("aws:s3", "aws:dynamodb", 1));
    assert!(other.contains("record 1 of 3") && other.contains("aws:dynamodb"), "{other}");
}

#[test]
fn envelopes_are_opened_once() {
    let sns = |text: &str, kind: &str| {
        serde_json::json!({"Type": kind, "TopicArn": "arn", "MessageId": "m", "Message": text}).to_string()
    };
    let own = sns(message("longbow-job"), "Notification");
    assert!(matches!(decode_message(&own), Ok(Message::Copy(_))));
    assert!(malformed(&sns(&own, "Notification")).contains("inside another"));
    assert!(malformed(&sns("x", "SubscriptionConfirmation")).contains("confirm the subscription"));
    assert!(malformed(&sns("not json", "Notification")).contains("no JSON"));
    assert!(malformed(r#"{"Type":"Notification","MessageId":"m"}"#).contains("no text"));
    // A field of this name alone makes no envelope.
    let other = serde_json::json!({"Type": "Notification", "Message": message("longbow-job")}).to_string();
    assert!(malformed(&other).contains("none of the forms"));
}

#[test]
fn only_events_of_s3_are_events() {
    let body = message("eventbridge-created").replace("aws.s3", "aws.ec2");
    assert!(malformed(&body).contains("aws.ec2"));
    let restore = message("eventbridge-created").replace("Object Created", "Object Restore Completed");
    let Ok(Message::Events(events)) = decode_message(&restore) else { panic!() };
    assert_eq!(events[0].kind, EventKind::Other);
}

#[test]
fn longbows_own_jobs_carry_their_route_and_old_readers_read_them() {
    let body = message("longbow-job");
    let Ok(Message::Copy(routed)) = decode_message(body) else { panic!() };
    let stamp = routed.route.clone().unwrap();
    assert_eq!(
        (stamp.name.as_str(), stamp.from.as_str(), stamp.to.as_str()),
        ("pair-1", "lab-results", "lab-archive")
    );
    assert_eq!(decode(body), Ok(routed.job.clone()));
    assert_eq!(decode_message(&encode_for(&stamp, &routed.job)), Ok(Message::Copy(routed.clone())));
    let plain = decode_message(&encode(&routed.job));
    assert!(matches!(plain, Ok(Message::Copy(r)) if r.route.is_none() && r.job == routed.job));
}

/// What is wrong with a job of longbow's own is refused before any store is asked; what is new to this release is passed over.
#[test]
fn own_jobs_with_wrong_fields_are_refused_and_new_fields_passed_over() {
    let body = message("longbow-job").trim();
    let size = body.find("\"size\":").map(|at| &body[at..at + body[at..].find([',', '}']).unwrap()]).unwrap();
    for wrong in ["-1", "18446744073709551616", "1e30", "5.5", "\"5\"", "null", "[]"] {
        let body = body.replace(size, &format!("\"size\":{wrong}"));
        assert!(!malformed(&body).is_empty(), "{wrong}");
    }
    let twice = body.replace(size, &format!("{size},{size}"));
    assert!(malformed(&twice).contains("duplicate field"), "{}", malformed(&twice));
    for (what, text) in [
        ("trailing comma", format!("{},}}", body.strip_suffix('}').unwrap())),
        ("byte order mark", format!("\u{feff}{body}")),
        ("something behind it", format!("{body}{body}")),
        ("cut off", body[..body.len() / 2].to_owned()),
    ] {
        assert!(malformed(&text).contains("no JSON"), "{what}: {}", malformed(&text));
    }
    let new = body.replace(size, &format!("{size},\"colour\":{{\"of\":[1]}}"));
    assert_eq!(decode_message(&new), decode_message(body));
}

#[test]
fn sizes_and_depths_are_bounded() {
    assert_eq!(decode_message(&"x".repeat(1024 * 1024 + 1)), Err(MessageError::TooLarge(1024 * 1024 + 1)));
    assert!(decode_message(&"[".repeat(1024 * 1024)).is_err());
    assert!(decode_message(&"{\"a\":".repeat(100_000)).is_err());
    // A full message of SQS is read: 1 MiB of records.
    let record = message("s3-put").trim().trim_start_matches("{\"Records\":[").trim_end_matches("]}");
    let many = vec![record; 1024 * 1024 / (record.len() + 1) - 1].join(",");
    let Ok(Message::Events(all)) = decode_message(&format!("{{\"Records\":[{many}]}}")) else { panic!() };
    assert!(all.len() > 800);
}
