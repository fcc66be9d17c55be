//! What the fake store does beyond the port's contract: versions, archives, limits, the journal, a test's own hands.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use longbow_core::failure::{BackendError, BackendErrorKind, Feature, StoreErrorKind};
use longbow_core::object::{Checksums, Encryption, KeyOrder, ObjectKey, Prefix, Tag, Timestamp, VersionId};
use longbow_core::port::{
    ByteRange, Clock as _, CompleteRequest, CreateRequest, GetRequest, HeadRequest, JobQueue as _,
    MultipartStore as _, ObjectStore as _, ParameterStore as _, PartRequest, PutBody, PutRequest, ReadPin,
    WriteCondition,
};
use longbow_testkit::fake::{
    Call, Content, FakeClock, FakeParameters, FakeQueue, FakeS3, FakeStore, NewObject,
};
use longbow_testkit::generate;

fn store() -> std::sync::Arc<FakeStore> {
    FakeS3::new().create_bucket("bucket")
}

fn key(text: &str) -> ObjectKey {
    ObjectKey::from(text)
}

fn kept(bytes: &'static [u8]) -> PutBody {
    PutBody::Kept(vec![Bytes::from_static(bytes)])
}

async fn put(store: &FakeStore, name: &str, bytes: &'static [u8]) -> Option<VersionId> {
    store.put(&key(name), kept(bytes), &PutRequest::default()).await.unwrap().version
}

async fn get_version(store: &FakeStore, name: &str, version: VersionId) -> Result<Vec<u8>, StoreErrorKind> {
    let pin = ReadPin { etag: None, version: Some(version) };
    let request = GetRequest { pin, ..GetRequest::default() };
    let mut body = store.get(&key(name), &request).await.map_err(|error| error.kind)?;
    let mut out = Vec::new();
    while let Some(frame) = body.stream.next().await {
        out.extend_from_slice(&frame.unwrap());
    }
    Ok(out)
}

#[tokio::test]
async fn versions_are_kept_and_deletes_leave_a_marker() {
    let store = store();
    store.configure(|settings| settings.versioned = true);
    let first = put(&store, "k", b"one").await.unwrap();
    let second = put(&store, "k", b"two").await.unwrap();
    assert_ne!(first, second);
    assert_eq!(get_version(&store, "k", first.clone()).await.unwrap(), b"one");
    store.delete(&key("k"), None).await.unwrap();
    assert_eq!(store.get_bytes("k"), None);
    assert!(store.list(&Prefix::raw(""), None).await.unwrap().objects.is_empty());
    assert_eq!(get_version(&store, "k", second).await.unwrap(), b"two");
    let unknown = get_version(&store, "k", VersionId("x".into())).await;
    assert_eq!(unknown.unwrap_err(), StoreErrorKind::NotFound);
    let absent = PutRequest { condition: WriteCondition::Absent, ..Default::default() };
    let again = store.put(&key("k"), kept(b"three"), &absent).await;
    assert!(again.is_ok(), "a delete marker is no object");
    assert_eq!(get_version(&store, "k", first).await.unwrap(), b"one");
}

#[tokio::test]
async fn without_versions_nothing_old_is_left() {
    let store = store();
    assert_eq!(put(&store, "k", b"one").await, None);
    let found = get_version(&store, "k", VersionId("version-00000001".into())).await;
    assert_eq!(found.unwrap_err(), StoreErrorKind::NotFound);
}

#[tokio::test]
async fn archived_bytes_are_headed_but_not_read() {
    let store = store();
    store.put_bytes("k", b"cold");
    store.alter("k", |object| object.storage_class = Some("GLACIER".into()));
    let headed = store.head(&key("k"), &HeadRequest::default()).await.unwrap();
    assert_eq!(headed.storage_class.as_deref(), Some("GLACIER"));
    let error = store.get(&key("k"), &GetRequest::default()).await.unwrap_err();
    assert_eq!((error.kind, error.code.as_deref()), (StoreErrorKind::Archived, Some("InvalidObjectState")));
}

#[tokio::test]
async fn limits_are_those_of_s3() {
    let store = store();
    let mut request = PutRequest::default();
    request.attributes.user = vec![("a".into(), "x".repeat(2048))];
    let error = store.put(&key("k"), kept(b""), &request).await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("MetadataTooLarge"));

    let tag = |i: usize| Tag { key: format!("k{i}"), value: String::new() };
    let request = PutRequest { tags: (0..11).map(tag).collect(), ..PutRequest::default() };
    assert!(store.put(&key("k"), kept(b""), &request).await.is_err());
    let request = PutRequest { tags: vec![tag(1), tag(1)], ..PutRequest::default() };
    assert!(store.put(&key("k"), kept(b""), &request).await.is_err());

    let upload = store.create_upload(&key("k"), &CreateRequest::default()).await.unwrap();
    for number in [0, 10_001] {
        let part = PartRequest { number, offset: 0, md5: None };
        let error = store.put_part(&key("k"), &upload, kept(b""), &part).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Permanent);
    }
    let other = store.list_parts(&key("other"), &upload, &longbow_core::transfer::PartPlan::new(0, 1)).await;
    assert_eq!(other.unwrap_err().kind, StoreErrorKind::NoSuchUpload, "an upload belongs to its key");
    assert!(store.keys().is_empty());

    let service = FakeS3::new();
    let error = service.store("nowhere").head(&key("k"), &HeadRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::NoSuchBucket);
}

#[tokio::test]
async fn the_end_of_an_upload_is_judged_strictly() {
    let store = store();
    store.configure(|settings| settings.min_part = 2);
    let upload = store.create_upload(&key("k"), &CreateRequest::default()).await.unwrap();
    let mut parts = Vec::new();
    for number in 1..=2 {
        let part = PartRequest { number, offset: 0, md5: None };
        let etag = store.put_part(&key("k"), &upload, kept(b"ab"), &part).await.unwrap().etag.unwrap();
        parts.push((number, etag));
    }
    let end = async |request: CompleteRequest| {
        let error = store.complete_upload(&key("k"), &upload, &request).await.unwrap_err();
        error.code.unwrap_or_default()
    };
    let right = CompleteRequest { parts, size: 4, ..CompleteRequest::default() };
    let reversed = right.parts.iter().cloned().rev().collect();
    assert_eq!(end(CompleteRequest { parts: reversed, ..right.clone() }).await, "InvalidPartOrder");
    assert_eq!(end(CompleteRequest { parts: Vec::new(), ..right.clone() }).await, "MalformedXML");
    assert_eq!(end(CompleteRequest { size: 5, ..right.clone() }).await, "InvalidRequest");
    let checksums = Checksums { crc64nvme: Some(1), ..Checksums::default() };
    assert_eq!(end(CompleteRequest { checksums, ..right.clone() }).await, "InvalidRequest");
    store.complete_upload(&key("k"), &upload, &right).await.unwrap();
    assert_eq!(end(right).await, "NoSuchUpload");
}

#[tokio::test]
async fn the_journal_tells_what_was_asked_and_answered() {
    let service = FakeS3::new();
    let (store, other) = (service.create_bucket("bucket"), service.create_bucket("other"));
    store.put_bytes("unseen", b"by hand");
    put(&store, "k", b"bytes").await;
    let range = Some(ByteRange { start: 1, length: 2 });
    store.get(&key("k"), &GetRequest { range, ..Default::default() }).await.unwrap();
    other.head(&key("k"), &HeadRequest::default()).await.unwrap_err();
    let journal = service.journal();
    assert_eq!(
        journal.iter().map(|e| (e.number, e.call.name())).collect::<Vec<_>>(),
        [(0, "put"), (1, "get"), (2, "head")]
    );
    assert!(journal[0].is_write() && !journal[1].is_write());
    assert_eq!(journal[0].reply.as_ref().unwrap().etag, store.object("k").map(|o| o.etag.clone()));
    assert!(matches!(&journal[1].call, Call::Get { range: asked, .. } if *asked == range));
    assert_eq!(journal[2].reply, Err(StoreErrorKind::NotFound));
    assert_eq!((store.count("put"), other.count("head"), other.count("put")), (1, 1, 0));
    service.forget_journal();
    put(&store, "l", b"").await;
    assert_eq!(service.journal().last().unwrap().number, 3);
}

#[tokio::test]
async fn huge_objects_need_no_memory() {
    let store = store();
    let size = 40 << 40;
    store.put_virtual("huge", size, 9);
    let range = Some(ByteRange { start: size - 5, length: 100 });
    let mut body = store.get(&key("huge"), &GetRequest { range, ..Default::default() }).await.unwrap();
    assert_eq!((body.length, body.head.size), (5, size));
    assert_eq!(body.stream.next().await.unwrap().unwrap(), generate::slice(9, size - 5, 5));

    store.configure(|settings| settings.keep_bytes = false);
    let frames: Vec<_> = generate::frames(1, 0, 10_000_000).map(Ok).collect();
    let stream = Box::pin(futures_util::stream::iter(frames));
    let body = PutBody::Streamed { length: 10_000_000, stream };
    let written = store.put(&key("thrown-away"), body, &PutRequest::default()).await.unwrap();
    assert_eq!(store.object("thrown-away").unwrap().content.length(), 10_000_000);
    assert_eq!(store.get_bytes("thrown-away"), None);
    assert!(written.etag.is_some());
}

#[tokio::test(start_paused = true)]
async fn time_and_latency_are_tokios() {
    let store = store();
    store.configure(|settings| settings.latency = Duration::from_millis(1_234));
    put(&store, "k", b"").await;
    let clock = store.service().clock();
    assert_eq!(clock.elapsed(), Duration::from_millis(1_234));
    let modified = store.object("k").unwrap().modified;
    assert_eq!(modified, clock.now());
    let headed = store.head(&key("k"), &HeadRequest::default()).await.unwrap().modified;
    assert_eq!(headed, Some(Timestamp(modified.second() * 1000)), "headers state whole seconds");
    assert!(store.set_modified("k", Timestamp(5)) && !store.set_modified("none", Timestamp(5)));
    let listed = store.list(&Prefix::raw(""), None).await.unwrap();
    assert_eq!(listed.objects[0].modified, Some(Timestamp(5)));
}

#[tokio::test]
async fn what_a_store_lacks_it_refuses_by_name() {
    let store = store();
    for (feature, request) in [
        (Feature::ConditionalWrites, PutRequest { condition: WriteCondition::Absent, ..Default::default() }),
        (
            Feature::Tags,
            PutRequest { tags: vec![Tag { key: "a".into(), value: "b".into() }], ..Default::default() },
        ),
        (
            Feature::Checksums,
            PutRequest {
                checksums: Checksums { crc32: Some(0), ..Default::default() },
                ..Default::default()
            },
        ),
    ] {
        store.configure(|settings| settings.lacks = vec![feature]);
        let error = store.put(&key("k"), kept(b""), &request).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Unsupported(feature));
    }
    store.configure(|settings| settings.lacks = vec![Feature::Multipart]);
    let error = store.create_upload(&key("k"), &CreateRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported(Feature::Multipart));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_was_received_too_often_is_put_aside_by_the_queue_itself() {
    let queue = FakeQueue::redriving(2);
    queue.push("s", " as it\nis ");
    queue.push("t", "other");
    for count in 1..=2 {
        let held = queue.receive(1, Duration::ZERO, Duration::from_secs(60)).await.unwrap();
        assert_eq!((held[0].body.as_str(), held[0].receive_count), (" as it\nis ", count));
        assert_eq!(queue.dead_letters(), [], "it is held, and may still be settled");
        queue.change_visibility(&[held[0].receipt.clone()], Duration::ZERO).await.unwrap();
    }
    let next = queue.receive(1, Duration::ZERO, Duration::from_secs(60)).await.unwrap();
    assert_eq!(next[0].body, "other");
    assert_eq!(queue.dead_letters(), [(" as it\nis ".to_owned(), "received 2 times".to_owned())]);
    let old = longbow_core::port::Receipt("1/2".into());
    assert_eq!(queue.change_visibility(std::slice::from_ref(&old), Duration::ZERO).await.unwrap(), [old]);
}

/// SQS delivers at least once: a message that is held may come again, and only its last receipt counts then.
#[tokio::test(start_paused = true)]
async fn a_message_may_come_twice_at_any_time() {
    let queue = FakeQueue::new();
    queue.push("s", "body");
    let first = queue.receive(1, Duration::ZERO, Duration::from_secs(60)).await.unwrap().remove(0);
    queue.redeliver();
    let second = queue.receive(1, Duration::ZERO, Duration::from_secs(60)).await.unwrap().remove(0);
    assert_eq!((first.receive_count, second.receive_count), (1, 2));
    queue.acknowledge(&first.receipt).await.unwrap();
    assert_eq!(queue.bodies(), ["body"], "the old receipt removes nothing");
    queue.acknowledge(&second.receipt).await.unwrap();
    assert_eq!(queue.acknowledged(), ["body"]);
}

#[tokio::test]
async fn traits_say_what_the_bucket_is_told_to_promise() {
    let service = FakeS3::new();
    let (one, two) = (service.create_bucket("one"), service.create_bucket("two"));
    assert_eq!(one.traits().order, Some(KeyOrder::Bytes));
    one.configure(|settings| settings.in_folder_order());
    assert_eq!(one.traits().order, None);
    assert_eq!(one.traits().copy_domain, two.traits().copy_domain);
    assert_ne!(one.traits().copy_domain, store().traits().copy_domain);

    let new = NewObject { encryption: Some(Encryption::S3), ..NewObject::default() };
    two.put_content("k", Content::of_frames(vec![]), new);
    let headed = two.head(&key("k"), &HeadRequest::default()).await.unwrap();
    assert_eq!(headed.encryption, Some(Encryption::S3));
    assert_eq!(headed.attributes.content_type.as_deref(), Some("binary/octet-stream"));
}

#[tokio::test(start_paused = true)]
async fn parameters_are_taken_as_systems_manager_takes_them() {
    let parameters = FakeParameters::new(FakeClock::new());
    for (name, value, why) in [
        ("", "x", "ValidationException"),
        ("a b", "x", "ValidationException"),
        ("a/b", "x", "ValidationException"),
        ("/aws/b", "x", "ValidationException"),
        ("SSM-keys", "x", "ValidationException"),
        ("empty", "", "ValidationException"),
        ("large", &"x".repeat(8193), "ValidationException"),
        (&"/a".repeat(16), "x", "HierarchyLevelLimitExceededException"),
    ] {
        assert_eq!(parameters.put(name, value, false), Err(why), "{name}");
    }
    assert_eq!(parameters.put("/a/b", "x", true), Ok(1));
    assert_eq!(parameters.put("/a/b", "x", false), Err("HierarchyTypeMismatchException"));
    parameters.label("/a/b", 1, "good");
    let arn = "arn:aws:ssm:eu-west-1:1:parameter/a/b";
    for n in 2..=100 {
        assert_eq!(parameters.put("/a/b", &n.to_string(), true), Ok(n));
    }
    for (asked, version) in [("/a/b:good", 1), ("/a/b:3", 3), (arn, 100), ("/a/b", 100)] {
        assert_eq!(parameters.get(asked).await.unwrap().version, version, "{asked}");
    }
    // The oldest cannot go while it has a label.
    assert_eq!(parameters.put("/a/b", "y", true), Err("ParameterMaxVersionLimitExceeded"));
    parameters.label("/a/b", 100, "good");
    assert_eq!(parameters.put("/a/b", "y", true), Ok(101));
    assert!(parameters.get("/a/b:1").await.is_err() && parameters.get("/a/b:good").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_journal_of_parameters_has_each_reading_and_its_answer() {
    let parameters = FakeParameters::new(FakeClock::new());
    parameters.put("keys", "hush", true).unwrap();
    parameters.fail(BackendError::transient("busy"));
    assert!(parameters.get("keys").await.is_err());
    parameters.get("keys").await.unwrap();
    assert!(parameters.get_many(&["keys", "routes"]).await.is_err());
    assert!(parameters.remove("keys") && !parameters.remove("keys"));
    assert!(parameters.get("keys").await.is_err());
    let journal = parameters.journal();
    let replies: Vec<_> = journal.iter().map(|entry| entry.reply.clone()).collect();
    let missing = Err(BackendErrorKind::Missing);
    assert_eq!(replies, [Err(BackendErrorKind::Transient), Ok(vec![1]), missing.clone(), missing]);
    assert_eq!(
        (journal[2].number, journal[2].names.as_slice()),
        (2, &["keys".to_owned(), "routes".into()][..])
    );
    assert!(!format!("{journal:?} {parameters:?}").contains("hush"));
}
