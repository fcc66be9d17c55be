//! The trip of one object, with the real worker on strict fakes: what it costs, what proves it, what it survives.

use longbow_core::failure::{FailureClass, Feature};
use longbow_core::job::{CopyMethod, Observation, Proof, RecordState, ReportOutcome};
use longbow_core::object::{ETag, Encryption, ObjectAttributes, Tag};
use longbow_core::transfer::MethodPolicy;
use longbow_testkit::fake::{Call, Content, NewObject};

use crate::world::{PART, World, noise};

const MIB: usize = 1 << 20;

#[tokio::test(start_paused = true)]
async fn a_small_object_costs_one_get_and_one_put() {
    let world = World::new();
    world.source.put_bytes("a/b.txt", b"hello");
    world.ask_for("a/b.txt").await;
    world.s3.forget_journal();
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.bytes_copied, summary.bytes_sent), (1, 5, 5));
    let calls: Vec<_> = world.s3.journal().iter().map(|e| (e.bucket.clone(), e.call.name())).collect();
    assert_eq!(calls, [("source".to_owned(), "get"), ("destination".to_owned(), "put")]);
    world.assert_equal("a/b.txt");
    let report = world.observer.report("a/b.txt").expect("a report");
    assert_eq!((report.proof, report.method), (Some(Proof::ETag), Some(CopyMethod::Whole)));
    assert_eq!(report.source_etag, report.destination_etag);
    assert!(matches!(world.state.record("a/b.txt").expect("a record").state, RecordState::Copied { .. }));
    assert!(world.queue.bodies().is_empty());
}

#[tokio::test(start_paused = true)]
async fn metadata_and_tags_arrive_and_tags_are_asked_for_only_where_there_are_some() {
    let world = World::new();
    let attributes = ObjectAttributes {
        content_type: Some("text/plain".into()),
        cache_control: Some("max-age=5".into()),
        user: vec![("owner".into(), "ä".into())],
        ..ObjectAttributes::default()
    };
    let new = NewObject { attributes: attributes.clone(), ..NewObject::default() };
    world.source.put_content("tagged", Content::of_frames(vec!["x".into()]), new);
    world.source.set_tags("tagged", &[("k", "v")]);
    world.source.put_bytes("plain", b"y");
    world.ask_for("tagged").await;
    world.ask_for("plain").await;
    world.run().await;
    let copy = world.destination.object("tagged").expect("a copy");
    assert_eq!(copy.attributes, attributes);
    assert_eq!(copy.tags, [Tag { key: "k".into(), value: "v".into() }]);
    assert_eq!(world.source.count("tags"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_source_of_parts_gets_a_copy_with_the_same_tag() {
    let world = World::new();
    let tag = world.put_parts("big", &noise(13 * MIB, 1), 6 * MIB).await;
    assert!(tag.as_str().ends_with("-3"));
    world.ask_for("big").await;
    world.run().await;
    world.assert_equal("big");
    let report = world.observer.report("big").expect("a report");
    assert_eq!(report.destination_etag, Some(tag));
    assert_eq!((report.proof, report.parts), (Some(Proof::ETag), 3));
}

#[tokio::test(start_paused = true)]
async fn a_source_of_irregular_parts_is_not_mistaken_for_a_regular_one() {
    let world = World::new();
    world.put_parts_of("odd", &noise(18 * MIB, 12), &[7 * MIB, 5 * MIB, 6 * MIB]).await;
    world.ask_for("odd").await;
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    world.assert_equal("odd");
}

#[tokio::test(start_paused = true)]
async fn a_large_whole_goes_in_parts_when_its_checksum_proves_them_and_whole_otherwise() {
    let mut world = World::new();
    world.options.whole_up_to = 8 << 20;
    world.source.put_bytes("published", &noise(11 * MIB, 2));
    world.source.configure(|s| s.default_checksum = false);
    world.source.put_bytes("bare", &noise(11 * MIB, 3));
    world.ask_for("published").await;
    world.ask_for("bare").await;
    world.run().await;
    world.assert_equal("published");
    world.assert_equal("bare");
    let published = world.observer.report("published").expect("a report");
    assert_eq!((published.method, published.proof), (Some(CopyMethod::Multipart), Some(Proof::Checksum)));
    let bare = world.observer.report("bare").expect("a report");
    assert_eq!((bare.method, bare.proof), (Some(CopyMethod::Whole), Some(Proof::ETag)));
}

#[tokio::test(start_paused = true)]
async fn an_object_replaced_after_listing_arrives_in_its_new_version_whole() {
    let world = World::new();
    world.put_parts("k", &noise(12 * MIB, 4), 6 * MIB).await;
    let job = world.job("k");
    world.source.put_bytes("k", b"the new version");
    world.send(&job).await;
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    world.assert_equal("k");
    let reads: Vec<_> = world
        .s3
        .journal()
        .into_iter()
        .filter_map(|e| match e.call {
            Call::Get { pin, .. } => Some(pin),
            _ => None,
        })
        .collect();
    assert!(!reads.is_empty() && reads.iter().all(|pin| pin.etag.is_some()), "every read is pinned");
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_gone_is_reported_and_leaves_the_destination_alone() {
    let world = World::new();
    world.source.put_bytes("k", b"new");
    world.destination.put_bytes("k", b"old");
    world.ask_for("k").await;
    world.source.remove("k");
    let summary = world.run().await;
    assert_eq!(summary.failed, 1);
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"old"[..]));
    let report = world.observer.report("k").expect("a report");
    assert_eq!((report.outcome, report.failure), (ReportOutcome::Failed, Some(FailureClass::Permanent)));
    assert!(report.reason.contains("gone"), "{}", report.reason);
    assert!(world.queue.bodies().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_destination_changed_since_the_listing_is_looked_at_again_before_anything_is_written() {
    let world = World::new();
    world.source.put_bytes("k", b"ours");
    let job = world.job("k");
    assert_eq!(job.observed, Observation::Absent);
    world.destination.put_bytes("k", b"theirs");
    world.send(&job).await;
    world.run().await;
    world.assert_equal("k");
    let journal = world.s3.journal();
    let refused =
        journal.iter().position(|e| e.call.name() == "put" && e.reply.is_err()).expect("a refused put");
    let looked =
        journal.iter().position(|e| e.call.name() == "head" && e.bucket == "destination").expect("a look");
    let written = journal.iter().position(|e| e.call.name() == "put" && e.reply.is_ok()).expect("a put");
    assert!(refused < looked && looked < written);
}

#[tokio::test(start_paused = true)]
async fn duplicates_and_late_jobs_change_nothing() {
    let world = World::new();
    world.source.put_bytes("k", b"one");
    let old = world.job("k");
    for _ in 0..3 {
        world.send(&old).await;
    }
    world.run().await;
    world.assert_equal("k");
    world.source.put_bytes("k", b"two, newer");
    world.ask_for("k").await;
    world.run().await;
    world.send(&old).await;
    world.run().await;
    world.assert_equal("k");
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"two, newer"[..]));
    assert!(world.queue.bodies().is_empty() && world.queue.dead_letters().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_message_cannot_choose_where_data_goes() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    let mut job = world.job("k");
    job.destination = "elsewhere".into();
    world.send(&job).await;
    world.queue.push("junk", "not a job");
    world.s3.forget_journal();
    world.run().await;
    assert!(world.s3.journal().is_empty(), "no store is asked about a refused message");
    let reasons: Vec<String> = world.queue.dead_letters().into_iter().map(|(_, reason)| reason).collect();
    assert_eq!(reasons.len(), 2);
    assert!(
        reasons.iter().any(|r| r.contains("does not allow"))
            && reasons.iter().any(|r| r.contains("no longbow job"))
    );
}

#[tokio::test(start_paused = true)]
async fn stores_without_features_are_served_without_them_and_it_is_said_once() {
    for feature in [Feature::ConditionalWrites, Feature::Checksums, Feature::Tags, Feature::Multipart] {
        let world = World::new();
        world.destination.configure(|s| s.lacks = vec![feature]);
        world.put_parts("big", &noise(11 * MIB, 5), 6 * MIB).await;
        for n in 0..10 {
            world.source.put_bytes(&format!("small{n}"), &noise(100 + n, 6));
            world.source.set_tags(&format!("small{n}"), &[("k", "v")]);
            world.ask_for(&format!("small{n}")).await;
        }
        world.ask_for("big").await;
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.failed), (11, 0), "{feature}");
        world.assert_equal("big");
        world.assert_equal("small3");
        let notices = world.observer.notices();
        assert_eq!(notices.iter().filter(|n| n.contains(&feature.to_string())).count(), 1, "{notices:?}");
        if feature == Feature::Tags {
            assert!(!world.observer.report("small3").expect("a report").lost.is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn under_kms_every_digest_goes_ahead_of_its_bytes() {
    let world = World::new();
    world.destination.configure(|s| s.encryption = Some(Encryption::Kms { key: None }));
    world.put_parts("big", &noise(11 * MIB, 7), 6 * MIB).await;
    world.source.put_bytes("small", b"x");
    world.ask_for("big").await;
    world.ask_for("small").await;
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (2, 0));
    world.assert_equal("big");
    world.assert_equal("small");
    let report = world.observer.report("big").expect("a report");
    assert_ne!(report.proof, Some(Proof::ETag), "a tag that is no MD5 proves nothing");
    assert!(report.proof >= Some(Proof::Written));
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_tags_are_no_digests_is_proved_by_its_checksum() {
    let world = World::new();
    world.source.put_bytes("k", &noise(1000, 8));
    world.source.set_etag("k", "0123456789abcdef0123456789abcdef");
    world.ask_for("k").await;
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    world.assert_equal("k");
    assert_eq!(world.observer.report("k").expect("a report").proof, Some(Proof::Checksum));
}

#[tokio::test(start_paused = true)]
async fn bytes_that_nothing_vouches_for_are_never_written_however_often_they_are_read() {
    let world = World::new();
    world.source.put_bytes("k", &noise(1000, 8));
    world.source.set_etag("k", "0123456789abcdef0123456789abcdef");
    world.source.alter("k", |o| o.checksums = Default::default());
    world.ask_for("k").await;
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (0, 1));
    assert!(world.destination.get_bytes("k").is_none());
    assert_eq!(world.observer.report("k").expect("a report").failure, Some(FailureClass::Corrupt));
}

#[tokio::test(start_paused = true)]
async fn the_store_copies_by_itself_where_it_may() {
    let mut world = World::new();
    world.options.method = MethodPolicy::Auto;
    let tag = world.put_parts("big", &noise(13 * MIB, 9), 6 * MIB).await;
    world.source.put_bytes("small", b"x");
    world.ask_for("big").await;
    world.ask_for("small").await;
    world.s3.forget_journal();
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.bytes_sent), (2, 0));
    assert_eq!(world.source.count("get"), 0, "no byte passes through this machine");
    world.assert_equal("big");
    world.assert_equal("small");
    let report = world.observer.report("big").expect("a report");
    assert_eq!((report.method, report.destination_etag), (Some(CopyMethod::ServerSideMultipart), Some(tag)));
    assert_eq!(world.observer.report("small").expect("a report").proof, Some(Proof::ETag));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_only_checksums_can_compare_is_not_copied_again() {
    let world = World::new();
    let bytes = noise(11 * MIB, 10);
    world.put_parts("k", &bytes, 6 * MIB).await;
    world.destination.put_bytes("k", &bytes);
    let mut job = world.job("k");
    job.inspect = true;
    // Both sides keep a CRC-64/NVME of the whole, as Amazon S3 does for every new object.
    let sums = world.destination.object("k").expect("an object").checksums;
    world.source.alter("k", |o| o.checksums = sums);
    world.send(&job).await;
    let summary = world.run().await;
    assert_eq!((summary.skipped, summary.copied), (1, 0));
    assert_eq!(world.observer.report("k").expect("a report").proof, Some(Proof::Checksum));
    assert_eq!(world.source.count("get"), 0);
}

#[tokio::test(start_paused = true)]
async fn an_object_of_the_largest_size_is_planned_within_the_limits() {
    let world = World::new();
    world.destination.configure(|s| s.keep_bytes = false);
    let tag = world.source.put_virtual("virtual", 3 * PART + 7, 11);
    assert!(matches!(tag.kind(), longbow_core::object::ETagKind::Opaque));
    world.ask_for("virtual").await;
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    let report = world.observer.report("virtual").expect("a report");
    assert_eq!((report.parts, report.proof), (4, Some(Proof::Written)));
    assert_ne!(report.destination_etag, Some(ETag::new("")));
}
