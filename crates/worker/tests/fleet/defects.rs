//! Defects of predecessors that no other file here has as its subject: each test says which and fails on the old way.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::failure::{FailureClass, StoreErrorKind};
use longbow_core::job::{RecordState, ReportOutcome};
use longbow_core::object::{Encryption, ObjectAttributes, Tag};
use longbow_core::port::{MultipartStore as _, PartRequest, PutBody};
use longbow_testkit::fake::{Content, NewObject};
use longbow_testkit::fault::{BodyFault, Fault, Occurrence, Rule};
use longbow_worker::{Drain, Stopping};

use crate::world::{World, created};

const MIB: usize = 1 << 20;

fn bytes(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|n| ((n + seed) % 251) as u8).collect()
}

/// Runs until the first part is recorded, and stops there.
async fn stopped_after_a_part(world: &World) {
    let drain = Drain::new();
    let begin = drain.clone();
    let stop = move || begin.begin(Stopping::Signal, Some(Duration::from_secs(5)));
    world.faults.add(Rule::new("put_part", Fault::Stall).on("destination").nth(2));
    world.faults.add(Rule::new("add_part", Fault::After(Arc::new(stop))).nth(1));
    let summary = world.serve(&drain).await;
    assert!(summary.stopped && summary.copied == 0);
    world.faults.clear();
}

fn in_parts() -> World {
    let mut world = World::new();
    world.options.whole_up_to = 1;
    world
}

/// LBB-04: a job with a version for a bucket without versions was removed from the queue, and nothing was copied.
#[tokio::test(start_paused = true)]
async fn lbb_04_a_version_that_the_source_does_not_have_loses_no_object() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    world.send(
        r#"{"Src_bucket":"source","Src_key":"k","Des_bucket":"destination","Des_key":"k","Size":1,"versionId":"abc"}"#,
    );
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"x"[..]));
    world.assert_nothing_left();
}

/// LBB-06: where tags are no MD5s, good copies were made three times and removed each time. LBB-05: a verified copy was
/// not recorded.
#[tokio::test(start_paused = true)]
async fn lbb_05_lbb_06_a_good_copy_under_kms_stays_and_is_recorded() {
    let world = in_parts();
    world.destination.configure(|s| s.encryption = Some(Encryption::Kms { key: None }));
    world.source.put_bytes("k", &bytes(11 * MIB, 0));
    world.send(&created(&world, "k", "01"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert_eq!(world.s3.count("destination", "delete"), 0);
    assert_eq!(world.faults.count("complete_upload"), 1);
    assert!(matches!(world.one.record("k").expect("a record").state, RecordState::Copied { .. }));
    world.assert_nothing_left();
}

/// LBB-13: parts of an older object were put together with those of a newer one. LBB-15: the version was recorded as
/// copied when the job began.
#[tokio::test(start_paused = true)]
async fn lbb_13_lbb_15_parts_of_an_older_object_are_never_used() {
    let world = in_parts();
    world.source.put_bytes("k", &bytes(11 * MIB, 0));
    world.send(&created(&world, "k", "01"));
    stopped_after_a_part(&world).await;
    assert!(matches!(world.one.record("k").expect("a record").state, RecordState::Copying { .. }));
    world.source.put_bytes("k", &bytes(11 * MIB, 100));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.parts_reused), (1, 0));
    assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"));
    assert!(world.destination.uploads().is_empty());
    world.assert_nothing_left();
}

/// LBB-14: another part size between two attempts shifted the offsets while the numbers of the parts still matched.
#[tokio::test(start_paused = true)]
async fn lbb_14_parts_of_another_size_are_never_used() {
    let mut world = in_parts();
    world.source.put_bytes("k", &bytes(17 * MIB, 0));
    world.send(&created(&world, "k", "01"));
    stopped_after_a_part(&world).await;
    world.options.part_size = 7 * MIB as u64;
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.parts_reused), (1, 0));
    assert!(world.observer.failed_attempts().is_empty(), "they are left at once, not found wrong in the end");
    assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"));
    assert!(world.destination.uploads().is_empty());
    world.assert_nothing_left();
}

/// A part that somebody has sent anew since is not the one that is remembered, though it has its number and size.
#[tokio::test(start_paused = true)]
async fn a_part_that_is_not_as_it_is_remembered_is_sent_again() {
    let mut world = in_parts();
    // One after the other: the first is the one that is remembered.
    world.options.max_requests = 1;
    world.source.put_bytes("k", &bytes(11 * MIB, 0));
    world.send(&created(&world, "k", "01"));
    stopped_after_a_part(&world).await;
    let record = world.one.record("k").expect("a record");
    let upload = &record.upload().expect("an upload").upload;
    for number in 1..=2 {
        let body = PutBody::Kept(vec![vec![7; 5 * MIB].into()]);
        let request = PartRequest { number, offset: u64::from(number - 1) * 5 * MIB as u64, md5: None };
        world.destination.put_part(&"k".into(), upload, body, &request).await.expect("a part");
    }
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.parts_reused), (1, 0));
    assert!(world.observer.failed_attempts().is_empty(), "it is left at once, not found wrong in the end");
    assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"));
    world.assert_nothing_left();
}

/// LBB-21: objects in an archive were tried until their jobs were lost. Here they are parked with the reason.
#[tokio::test(start_paused = true)]
async fn lbb_21_an_archived_object_is_recorded_with_its_reason() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    world.faults.add(Rule::new("get", Fault::Error(StoreErrorKind::Archived)).on("source"));
    world.send(&created(&world, "k", "01"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (0, 1));
    let report = world.observer.report("k").expect("a report");
    assert_eq!((report.outcome, report.failure), (ReportOutcome::Failed, Some(FailureClass::Permanent)));
    assert!(matches!(world.one.record("k").expect("a record").state, RecordState::Failed { .. }));
    assert_eq!(world.faults.count("get"), 1);
}

/// LBB-51: where uploads may not be listed, resuming was off without a word.
#[tokio::test(start_paused = true)]
async fn lbb_51_without_the_right_to_list_uploads_parts_are_used_again_all_the_same() {
    let world = in_parts();
    world.source.put_bytes("k", &bytes(11 * MIB, 0));
    world.send(&created(&world, "k", "01"));
    stopped_after_a_part(&world).await;
    let denied = Fault::Error(StoreErrorKind::Denied);
    world.faults.add(Rule::new("uploads_page", denied).on("destination").at(Occurrence::Every));
    let summary = world.run().await;
    assert!(summary.copied == 1 && summary.parts_reused > 0);
    world.assert_nothing_left();
}

fn attributes() -> ObjectAttributes {
    ObjectAttributes {
        content_type: Some("image/jpeg".into()),
        cache_control: Some("max-age=60".into()),
        content_disposition: Some("inline".into()),
        content_language: Some("de".into()),
        user: vec![("owner".into(), "me".into())],
        ..ObjectAttributes::default()
    }
}

fn tags() -> Vec<Tag> {
    vec![Tag { key: "class".into(), value: "b c".into() }]
}

/// An object with attributes and tags; its event.
fn described(world: &World, length: usize) {
    let new = NewObject { attributes: attributes(), tags: tags(), ..NewObject::default() };
    world.source.put_content("k", Content::of_frames(vec![bytes(length, 3).into()]), new);
    world.send(&created(world, "k", "01"));
}

/// LBB-20: type, metadata, headers and tags were lost.
#[tokio::test(start_paused = true)]
async fn lbb_20_attributes_and_tags_arrive_whatever_the_size() {
    for (world, length) in [(World::new(), 0), (World::new(), 1000), (in_parts(), 11 * MIB)] {
        described(&world, length);
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.failed), (1, 0), "{length}");
        let there = world.destination.object("k").expect("the copy");
        assert_eq!((&there.attributes, &there.tags), (&attributes(), &tags()), "{length}");
        assert!(world.observer.report("k").expect("a report").lost.is_empty(), "{length}");
    }
}

/// LBB-67: where the attributes could not be read, the copy was made without them.
#[tokio::test(start_paused = true)]
async fn lbb_67_no_copy_is_made_without_the_attributes_that_could_not_be_read() {
    for (world, length, call) in
        [(in_parts(), 11 * MIB, "head"), (in_parts(), 11 * MIB, "tags"), (World::new(), 1000, "tags")]
    {
        described(&world, length);
        let fails = Fault::Error(StoreErrorKind::Transient);
        world.faults.add(Rule::new(call, fails).on("source").at(Occurrence::First(2)));
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.failed), (1, 0), "{call} {length}");
        assert!(
            world.faults.count(call) > 2 && !world.observer.failed_attempts().is_empty(),
            "{call} {length}"
        );
        let writes: Vec<_> = world.destination.journal().into_iter().filter(|e| e.is_write()).collect();
        assert_eq!(writes.len(), 1, "{call} {length}: written once, and not before all was known");
        let there = world.destination.object("k").expect("the copy");
        assert_eq!((&there.attributes, &there.tags), (&attributes(), &tags()), "{call} {length}");
    }
}

/// LBB-68: a part that could not be read kept a lock, and all others waited for ever.
#[tokio::test(start_paused = true)]
async fn lbb_68_a_part_that_cannot_be_read_holds_no_other_up() {
    let world = in_parts();
    world.source.put_bytes("k", &bytes(31 * MIB, 1));
    world.send(&created(&world, "k", "01"));
    let breaks = Fault::Body(1000, BodyFault::Break(StoreErrorKind::Transient));
    world.faults.add(Rule::new("get", breaks).on("source").at(Occurrence::First(9)));
    let began = tokio::time::Instant::now();
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"));
    assert!(began.elapsed() < Duration::from_secs(300), "{:?}", began.elapsed());
    world.assert_nothing_left();
}
