//! Removals: only when asked, only of what was seen, in order, and recorded.

use std::sync::Arc;

use longbow_core::job::{RecordState, ReportOutcome};
use longbow_core::port::Counted;
use longbow_core::routes::OnRemoval;
use longbow_testkit::fake::Call;
use longbow_testkit::fault::{Fault, Rule};

use crate::world::{World, created, removed};

async fn with_a_copy() -> World {
    let world = World::new();
    world.source.put_bytes("k", b"one");
    world.send(&created(&world, "k", "01"));
    world.run().await;
    world.s3.forget_journal();
    world
}

/// LBB-19: removals were never carried on; here they are where the route says so, and recorded.
#[tokio::test(start_paused = true)]
async fn lbb_19_what_is_removed_at_the_source_is_removed_with_a_condition_and_recorded() {
    let world = with_a_copy().await;
    let tag = world.destination.object("k").expect("a copy").etag.clone();
    world.source.remove("k");
    world.send(&removed("k", "02"));
    let summary = world.run().await;
    assert_eq!((summary.deleted, summary.failed), (1, 0));
    assert!(world.destination.object("k").is_none());
    let deletes: Vec<_> = world
        .s3
        .journal()
        .into_iter()
        .filter_map(|e| match e.call {
            Call::Delete { if_match, .. } if e.bucket == "destination" => Some(if_match),
            _ => None,
        })
        .collect();
    assert_eq!(deletes, [Some(tag)]);
    let record = world.one.record("k").expect("a record");
    assert_eq!((record.state, record.sequencer.expect("a place").as_str()), (RecordState::Removed, "02"));
    assert_eq!(world.observer.report("k").expect("a report").outcome, ReportOutcome::Deleted);
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_route_that_keeps_what_was_removed_keeps_it() {
    let mut world = with_a_copy().await;
    world.on_removal = OnRemoval::Keep;
    world.source.remove("k");
    world.send(&removed("k", "02"));
    world.run().await;
    assert!(world.destination.object("k").is_some());
    assert_eq!(world.observer.counted(Counted::Ignored("removals-kept")), 1);
    world.assert_nothing_left();
}

/// LBB-65: delete events acted without order, so that a stale one could remove a newer copy.
#[tokio::test(start_paused = true)]
async fn lbb_65_a_late_removal_removes_nothing_newer() {
    let world = with_a_copy().await;
    world.source.remove("k");
    let late = removed("k", "02");
    world.source.put_bytes("k", b"again");
    world.send(&created(&world, "k", "03"));
    world.run().await;
    world.send(&late);
    world.run().await;
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"again"[..]));
    // And where nothing is recorded, since the source has it.
    world.one.wipe();
    world.send(&late);
    world.run().await;
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"again"[..]));
    assert_eq!(world.s3.count("destination", "delete"), 0);
    world.assert_nothing_left();
}

/// Between the look and the removal somebody writes the object anew, and another worker copies it.
#[tokio::test(start_paused = true)]
async fn an_object_that_is_written_between_the_looks_stays() {
    for call in ["source", "delete"] {
        let world = with_a_copy().await;
        world.source.remove("k");
        let (source, destination) = (world.source.clone(), world.destination.clone());
        let write = Arc::new(move || {
            source.put_bytes("k", b"newer");
            destination.put_bytes("k", b"newer");
        });
        let rule = if call == "delete" {
            Rule::new("delete", Fault::Before(write)).on("destination")
        } else {
            Rule::new("head", Fault::After(write)).on("source")
        };
        world.faults.add(rule.nth(1));
        world.send(&removed("k", "02"));
        let summary = world.run().await;
        assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"newer"[..]), "{call}");
        assert_eq!((summary.deleted, summary.failed), (0, 0), "{call}");
        world.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn a_create_after_the_removal_copies_again_and_one_from_before_does_not() {
    let world = with_a_copy().await;
    let before = created(&world, "k", "015");
    world.source.remove("k");
    world.send(&removed("k", "02"));
    world.run().await;
    world.source.put_bytes("k", b"one");
    world.send(&before);
    world.run().await;
    assert!(world.destination.object("k").is_none(), "what came before the removal is superseded");
    world.send(&created(&world, "k", "03"));
    let summary = world.run().await;
    assert_eq!(summary.copied, 1);
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"one"[..]));
    world.assert_nothing_left();
}

/// A removal is settled while an older copy is under way: the copy, which finds itself overtaken, must not stay.
#[tokio::test(start_paused = true)]
async fn a_copy_that_was_overtaken_by_a_removal_does_not_stay() {
    let world = World::new();
    world.source.put_bytes("k", b"one");
    world.send(&created(&world, "k", "01"));
    let (source, queue) = (world.source.clone(), world.queue.clone());
    // The bytes are read; before they are written, the source object is removed and the removal is settled.
    let overtake = Arc::new(move || {
        source.remove("k");
        queue.push("event", &removed("k", "02"));
    });
    world.faults.add(Rule::new("put", Fault::Before(overtake)).on("destination").nth(1));
    let slow = Fault::Delay(std::time::Duration::from_secs(30));
    world.faults.add(Rule::new("put", slow).on("destination").nth(1));
    world.run().await;
    assert!(world.destination.object("k").is_none());
    world.assert_nothing_left();
}

/// The same for a job that no event made: what it wrote must not pass for found there when it comes again.
#[tokio::test(start_paused = true)]
async fn a_job_that_was_overtaken_by_a_removal_leaves_nothing() {
    let world = World::new();
    world.source.put_bytes("k", b"one");
    world.send(r#"{"Src_bucket":"source","Src_key":"k","Des_bucket":"destination","Des_key":"k","Size":3}"#);
    let (source, queue) = (world.source.clone(), world.queue.clone());
    let overtake = Arc::new(move || {
        source.remove("k");
        queue.push("event", &removed("k", "02"));
    });
    world.faults.add(Rule::new("put", Fault::Before(overtake)).on("destination").nth(1));
    let slow = Fault::Delay(std::time::Duration::from_secs(30));
    world.faults.add(Rule::new("put", slow).on("destination").nth(1));
    world.run().await;
    assert!(world.destination.object("k").is_none());
    world.assert_nothing_left();
    // Written again, it is copied again, by a job as well as by an event.
    world.source.put_bytes("k", b"two");
    world.send(r#"{"Src_bucket":"source","Src_key":"k","Des_bucket":"destination","Des_key":"k","Size":3}"#);
    let summary = world.run().await;
    assert_eq!(summary.copied, 1);
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"two"[..]));
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn in_a_versioned_destination_a_removal_leaves_a_marker() {
    let world = World::versioned();
    world.source.put_bytes("k", b"one");
    world.send(&created(&world, "k", "01"));
    world.run().await;
    let version = world.destination.object("k").expect("a copy").version.clone();
    world.source.remove("k");
    world.send(&removed("k", "02"));
    let summary = world.run().await;
    assert_eq!(summary.deleted, 1);
    assert!(world.destination.object("k").is_none());
    use longbow_core::port::{HeadRequest, ObjectStore as _, ReadPin};
    let request = HeadRequest { pin: ReadPin { etag: None, version }, ..HeadRequest::default() };
    assert!(world.destination.head(&"k".into(), &request).await.is_ok(), "the version is still there");
    world.assert_nothing_left();
}

/// Found by the simulation (seeds 7647 and 17709 of its first day): the removal was carried out, then the creation before it
/// came while the state store failed. The version can still be read by its name, so it was copied back and acknowledged.
#[tokio::test(start_paused = true)]
async fn a_late_creation_brings_nothing_back_while_the_state_store_fails() {
    let mut world = World::new();
    world.source.configure(|s| s.versioned = true);
    world.options.visibility = std::time::Duration::from_secs(30);
    world.source.put_bytes("k", b"one");
    let late = created(&world, "k", "01");
    world.source.remove("k");
    world.send(&removed("k", "02"));
    world.run().await;
    let broken = || Fault::Error(longbow_core::failure::StoreErrorKind::Transient);
    world.faults.add(Rule::new("load", broken()).nth(1));
    world.send(&late);
    world.run().await;
    assert_eq!(world.destination.get_bytes("k"), None);
    assert_eq!(world.one.record("k").expect("a record").state, RecordState::Removed);
    world.assert_nothing_left();
}

/// What cannot be recorded comes back as late as a final failure does: each time is a reception, and the queue counts them.
#[tokio::test(start_paused = true)]
async fn a_late_creation_that_cannot_be_recorded_waits_the_failure_out() {
    let mut world = World::new();
    world.source.configure(|s| s.versioned = true);
    world.options.visibility = std::time::Duration::from_secs(30);
    world.source.put_bytes("k", b"one");
    let late = created(&world, "k", "01");
    world.source.remove("k");
    world.send(&removed("k", "02"));
    world.run().await;
    let broken = || Fault::Error(longbow_core::failure::StoreErrorKind::Transient);
    world.faults.add(Rule::new("load", broken()).nth(1));
    world.faults.add(Rule::new("swap", broken()).nth(1));
    world.send(&late);
    let began = tokio::time::Instant::now();
    world.run().await;
    assert!(began.elapsed() >= world.options.attempts.backoff.most, "{:?}", began.elapsed());
    assert_eq!(world.destination.get_bytes("k"), None);
    world.assert_nothing_left();
}

/// The same where the attempt looks at the source a second time: it finds nothing there, and at the destination what it has
/// brought there itself.
#[tokio::test(start_paused = true)]
async fn an_event_that_finds_its_source_gone_leaves_no_copy_behind() {
    let world = World::versioned();
    world.source.put_bytes("k", b"one");
    world.send(&created(&world, "k", "01"));
    let source = world.source.clone();
    let gone = Fault::Before(Arc::new(move || {
        source.remove("k");
    }));
    world.faults.add(Rule::new("get", gone).on("source").nth(1));
    // Its answer names another tag, so that both sides are looked at again.
    world.faults.add(Rule::new("put", Fault::LyingEtag).on("destination").nth(1));
    world.run().await;
    assert_eq!(world.destination.get_bytes("k"), None);
    world.assert_nothing_left();
}
