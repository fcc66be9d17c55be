//! Bytes, tags and answers that are not what they should be: noticed, retried, and never left visible as if they were.

use std::sync::Arc;

use longbow_core::failure::{FailureClass, StoreErrorKind};
use longbow_core::job::ReportOutcome;
use longbow_testkit::fault::{BodyFault, Fault, Faults, FaultyStore, Occurrence, Rule};
use longbow_worker::WorkerSummary;
use tokio_util::sync::CancellationToken;

use crate::world::{World, noise};

const MIB: usize = 1 << 20;

async fn run(world: &World, faults: &Faults) -> WorkerSummary {
    let ports = world.ports_over(
        FaultyStore::new("source", world.source.clone(), faults),
        FaultyStore::new("destination", world.destination.clone(), faults),
        world.queue.clone(),
        world.state.clone(),
    );
    world.run_with(ports, CancellationToken::new()).await
}

/// Everything that ever stood under the key at the destination was the source's bytes.
fn assert_never_wrong(world: &World, key: &str, what: &str) {
    let good = world.source.object(key).expect("the source").etag.clone();
    for entry in world.s3.journal().into_iter().filter(|e| e.bucket == "destination" && e.is_write()) {
        let written = entry.reply.expect("a good answer").etag;
        assert_eq!(written.as_ref(), Some(&good), "{what}: the destination showed other bytes for a while");
    }
}

#[tokio::test(start_paused = true)]
async fn a_turned_bit_on_either_hop_is_always_caught() {
    for (port, call) in [("source", "get"), ("destination", "put")] {
        for at in (0..4096).step_by(13) {
            let world = World::new();
            world.source.put_bytes("k", &noise(4096, 1));
            world.ask_for("k").await;
            let faults = Faults::new();
            faults.add(Rule::new(call, Fault::Body(at, BodyFault::Flip)).on(port).nth(1));
            let summary = run(&world, &faults).await;
            let what = format!("{port} {call} at {at}");
            assert_eq!((summary.copied, summary.failed), (1, 0), "{what}");
            world.assert_equal("k");
            assert_never_wrong(&world, "k", &what);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_turned_bit_in_any_part_is_always_caught() {
    for (port, call) in [("source", "get"), ("destination", "put_part")] {
        for nth in 1..=3 {
            let world = World::new();
            world.put_parts("k", &noise(11 * MIB, 2), 5 * MIB).await;
            world.ask_for("k").await;
            let faults = Faults::new();
            faults.add(Rule::new(call, Fault::Body(777_777, BodyFault::Flip)).on(port).nth(nth));
            let summary = run(&world, &faults).await;
            assert_eq!((summary.copied, summary.failed), (1, 0), "{port} {nth}");
            world.assert_equal("k");
            assert_never_wrong(&world, "k", &format!("{port} {nth}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_is_taken_up_where_it_broke() {
    for fault in [BodyFault::Cut, BodyFault::Break(StoreErrorKind::Transient)] {
        let world = World::new();
        world.put_parts("k", &noise(11 * MIB, 3), 5 * MIB).await;
        world.ask_for("k").await;
        let faults = Faults::new();
        faults.add(Rule::new("get", Fault::Body(3_000_000, fault)).on("source").nth(2));
        let summary = run(&world, &faults).await;
        assert_eq!(summary.copied, 1);
        world.assert_equal("k");
        let parts = world.destination.count("put_part");
        assert_eq!(parts, 3, "no part was sent twice");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lying_tag_is_never_believed() {
    for call in ["put", "put_part", "complete_upload"] {
        let world = World::new();
        world.source.put_bytes("k", b"x");
        if call != "put" {
            world.put_parts("k", &noise(11 * MIB, 4), 5 * MIB).await;
        }
        world.ask_for("k").await;
        let faults = Faults::new();
        faults.add(Rule::new(call, Fault::LyingEtag).on("destination").at(Occurrence::Every));
        let summary = run(&world, &faults).await;
        let report = world.observer.report("k").expect("a report");
        // A completed upload is looked at again: the true tag is there, and that proves it.
        if call == "complete_upload" || call == "put" {
            assert_eq!(summary.copied + summary.skipped + summary.failed, 1);
            world.assert_equal("k");
            let there = world.destination.object("k").expect("the object").etag.clone();
            assert_eq!(
                report.destination_etag,
                Some(there),
                "{call}: the tag that it has, not the one that was said"
            );
        } else {
            assert_eq!(summary.failed, 1, "{call}");
            assert_eq!(
                (report.outcome, report.failure),
                (ReportOutcome::Failed, Some(FailureClass::Corrupt))
            );
            assert!(world.destination.get_bytes("k").is_none(), "{call}");
            assert!(world.destination.uploads().is_empty(), "the upload is aborted");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_to_a_write_is_found_done() {
    for call in ["put", "put_part", "complete_upload", "create_upload"] {
        let world = World::new();
        world.source.put_bytes("k", b"x");
        if call != "put" {
            world.put_parts("k", &noise(11 * MIB, 5), 5 * MIB).await;
        }
        world.ask_for("k").await;
        let faults = Faults::new();
        faults.add(Rule::new(call, Fault::ErrorAfter(StoreErrorKind::Transient)).on("destination").nth(1));
        let summary = run(&world, &faults).await;
        assert_eq!((summary.copied, summary.failed), (1, 0), "{call}");
        assert_eq!(world.source.get_bytes("k"), world.destination.get_bytes("k"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_replaced_while_its_parts_are_read_is_never_spliced() {
    let mut world = World::new();
    world.options.max_requests = 1;
    world.put_parts("k", &noise(11 * MIB, 6), 5 * MIB).await;
    world.ask_for("k").await;
    let faults = Faults::new();
    let source = world.source.clone();
    let replace = Arc::new(move || {
        source.put_bytes("k", &noise(9 * MIB, 7));
    });
    faults.add(Rule::new("get", Fault::Before(replace)).on("source").nth(2));
    let summary = run(&world, &faults).await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    world.assert_equal("k");
}

/// Where no digest vouches for the bytes, the pin of the rest is all that keeps two versions apart.
#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_is_gone_on_with_as_the_object_that_was_begun() {
    let world = World::new();
    world.source.put_bytes("k", &noise(4096, 8));
    world.source.set_etag("k", "a-tag-that-is-no-digest");
    world.source.alter("k", |o| o.checksums = Default::default());
    world.ask_for("k").await;
    let faults = Faults::new();
    let broken = Fault::Body(1000, BodyFault::Break(StoreErrorKind::Transient));
    faults.add(Rule::new("get", broken).on("source").nth(1));
    let source = world.source.clone();
    let replace = Arc::new(move || {
        source.put_bytes("k", &noise(4096, 9));
    });
    faults.add(Rule::new("get", Fault::Before(replace)).on("source").nth(2));
    let summary = run(&world, &faults).await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    world.assert_equal("k");
    let writes = world.s3.journal().into_iter().filter(|e| e.bucket == "destination" && e.is_write());
    assert_eq!(writes.count(), 1, "nothing else was ever there");
}

#[tokio::test(start_paused = true)]
async fn refusals_end_with_their_reason_and_a_wrong_policy_stops_the_worker() {
    let world = World::new();
    for n in 0..200 {
        world.source.put_bytes(&format!("k{n:03}"), b"x");
        world.ask_for(&format!("k{n:03}")).await;
    }
    let faults = Faults::new();
    faults.add(Rule::new("put", Fault::Error(StoreErrorKind::Denied)).about("k007"));
    let summary = run(&world, &faults).await;
    assert_eq!((summary.copied, summary.failed), (199, 1));
    assert_eq!(world.observer.report("k007").expect("a report").failure, Some(FailureClass::Denied));

    let mut world = World::new();
    world.options.max_objects = 8;
    for n in 0..200 {
        world.source.put_bytes(&format!("k{n:03}"), b"x");
        world.ask_for(&format!("k{n:03}")).await;
    }
    let faults = Faults::new();
    faults.add(Rule::new("put", Fault::Error(StoreErrorKind::Denied)));
    let summary = run(&world, &faults).await;
    assert!(summary.refused, "the worker stops by itself");
    assert!(
        world.observer.notices().iter().any(|n| n.contains("refusals in a row")),
        "and says what was refused"
    );
    assert!(world.queue.bodies().len() > 150, "the backlog is not burnt");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_503_costs_no_attempt() {
    let world = World::new();
    for n in 0..50 {
        world.source.put_bytes(&format!("k{n:03}"), b"x");
        world.ask_for(&format!("k{n:03}")).await;
    }
    let faults = Faults::new();
    faults.add(
        Rule::new("put", Fault::Error(StoreErrorKind::Throttled))
            .at(Occurrence::Share { percent: 60, seed: 1 }),
    );
    let summary = run(&world, &faults).await;
    assert_eq!((summary.copied, summary.failed), (50, 0));
    assert!(world.observer.reports().iter().all(|r| r.attempts == 1));
}
