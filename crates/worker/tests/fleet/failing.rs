//! State store and queue that fail: transfers go on, nothing is lost, and nothing is called settled that is not.

use std::time::Duration;

use longbow_core::failure::StoreErrorKind;
use longbow_core::job::RecordState;
use longbow_core::port::Counted;
use longbow_testkit::fault::{Fault, Occurrence, Rule};
use longbow_worker::{Drain, RecordPolicy};

use crate::world::{World, created, removed};

const MIB: usize = 1 << 20;

fn down(call: &'static str) -> Rule {
    Rule::new(call, Fault::Error(StoreErrorKind::Transient)).on("state")
}

/// LB-55: a failing table never stops a transfer.
#[tokio::test(start_paused = true)]
async fn lb_55_with_the_state_store_down_objects_arrive_and_are_acknowledged() {
    let mut world = World::new();
    world.options.whole_up_to = 1 << 20;
    world.source.put_bytes("small", b"x");
    world.source.put_bytes("big", &[5; 11 * MIB]);
    for call in ["load", "swap", "add_part", "parts", "forget_parts"] {
        world.faults.add(down(call));
    }
    world.send(&created(&world, "small", "01"));
    world.send(&created(&world, "big", "01"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (2, 0));
    for key in ["small", "big"] {
        assert!(world.destination.get_bytes(key) == world.source.get_bytes(key), "{key}");
    }
    assert!(world.destination.uploads().is_empty());
    assert!(world.observer.counted(Counted::StateFailed("swap")) > 0);
    assert_eq!(world.observer.notices().iter().filter(|n| n.contains("state store")).count(), 1, "said once");
    world.assert_nothing_left();
}

/// Reading fails and writing works: what the store holds is not known, and a conflict with it says nothing.
#[tokio::test(start_paused = true)]
async fn a_record_that_could_not_be_read_does_not_hold_a_verified_copy_up() {
    let world = World::new();
    world.source.put_bytes("k", b"one");
    world.send(&created(&world, "k", "01"));
    world.run().await;
    world.source.put_bytes("k", b"two");
    world.faults.add(down("load"));
    world.send(&created(&world, "k", "02"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"two"[..]));
    world.assert_nothing_left();
}

/// Whoever has changed the record meanwhile has taken the object over: the job is left to it, and nothing is told.
#[tokio::test(start_paused = true)]
async fn an_attempt_whose_record_was_changed_meanwhile_settles_nothing() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    world.send(&created(&world, "k", "01"));
    let conflict = Fault::Error(StoreErrorKind::PreconditionFailed);
    world.faults.add(Rule::new("swap", conflict).on("state").nth(1));
    let summary = world.run().await;
    assert_eq!(summary.failed, 0);
    assert_eq!(world.observer.reports().len(), 1, "told once, by the attempt that came after");
    let record = world.one.record("k").expect("recorded by the attempt that came after");
    assert!(matches!(record.state, RecordState::Copied { .. }));
    world.assert_nothing_left();
}

/// Promise 1: a final failure stands in the state store, or the message stays.
#[tokio::test(start_paused = true)]
async fn what_is_given_up_waits_until_it_can_be_recorded() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    world.send(
        r#"{"Src_bucket":"source","Src_key":"gone","Des_bucket":"destination","Des_key":"gone","Size":1}"#,
    );
    world.faults.add(down("swap").at(Occurrence::First(3)));
    let summary = world.run().await;
    assert_eq!(summary.failed, 1);
    assert!(world.faults.count("receive") >= 4);
    assert!(matches!(world.one.record("gone").expect("a record").state, RecordState::Failed { .. }));
    assert_eq!(world.observer.reports().len(), 1, "told once, when it was recorded");
    world.assert_nothing_left();
}

/// Only the record keeps an older event from bringing a removed object back.
#[tokio::test(start_paused = true)]
async fn a_removal_waits_until_it_can_be_recorded() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    world.send(&created(&world, "k", "01"));
    world.run().await;
    world.source.remove("k");
    world.faults.add(down("swap").at(Occurrence::First(2)));
    world.send(&removed("k", "02"));
    world.run().await;
    assert!(world.destination.object("k").is_none());
    assert_eq!(world.one.record("k").expect("a record").state, RecordState::Removed);
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn a_small_object_costs_one_state_write_and_a_large_one_too_if_asked() {
    for policy in [RecordPolicy::Progress, RecordPolicy::FinishOnly] {
        let mut world = World::new();
        world.options.record = policy;
        world.options.whole_up_to = 1 << 20;
        world.source.put_bytes("small", b"x");
        world.send(&created(&world, "small", "01"));
        world.run().await;
        let writes = |world: &World| {
            let calls = ["swap", "add_part", "forget_parts"];
            world.faults.journal().iter().filter(|c| calls.contains(&c.call)).count()
        };
        assert_eq!(writes(&world), 1, "{policy:?}");
        world.source.put_bytes("big", &[5; 21 * MIB]);
        world.send(&created(&world, "big", "01"));
        world.run().await;
        let more = writes(&world) - 1;
        match policy {
            RecordPolicy::FinishOnly => assert_eq!(more, 1),
            RecordPolicy::Progress => assert!(more > 5, "{more}"),
        }
        assert!(world.destination.get_bytes("big") == world.source.get_bytes("big"));
        world.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_records_its_end_only_leaves_no_upload_behind() {
    let mut world = World::new();
    world.options.record = RecordPolicy::FinishOnly;
    world.options.whole_up_to = 1;
    world.source.put_bytes("k", &[5; 11 * MIB]);
    let broken = Fault::Error(StoreErrorKind::Permanent);
    world.faults.add(Rule::new("put_part", broken).on("destination").at(Occurrence::First(1)));
    let again = Fault::Error(StoreErrorKind::Transient);
    world.faults.add(Rule::new("complete_upload", again).on("destination").nth(1));
    world.send(&created(&world, "k", "01"));
    world.run().await;
    assert!(world.destination.uploads().is_empty());
    world.assert_nothing_left();
}

/// The answer to a queue has a bound of its own, the visibility: after it the delivery is somebody else's.
#[tokio::test(start_paused = true)]
async fn a_queue_that_never_answers_an_answer_holds_nobody_longer_than_the_visibility() {
    let answers = [
        ("acknowledge", Fault::Stall),
        ("acknowledge", Fault::StallAfter),
        ("change_visibility", Fault::Stall),
    ];
    for (call, fault) in answers {
        let mut world = World::new();
        // One at a time: the second waits for the first's answer.
        world.options.max_objects = 1;
        for key in ["a", "b"] {
            world.source.put_bytes(key, b"x");
            world.send(&created(&world, key, "01"));
        }
        if call == "change_visibility" {
            let broken = Fault::Error(StoreErrorKind::Transient);
            world.faults.add(Rule::new("put", broken).on("destination").nth(1));
        }
        world.faults.add(Rule::new(call, fault.clone()).nth(1));
        let (began, visibility) = (tokio::time::Instant::now(), world.options.visibility);
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.failed), (2, 0), "{call} {fault:?}");
        let took = began.elapsed();
        assert!(took >= visibility, "{call} {fault:?}: it was waited for, {took:?}");
        assert!(took < visibility * 3, "{call} {fault:?}: but not for ever, {took:?}");
        assert_eq!(world.observer.counted(Counted::QueueFailed(call)), 1, "{call} {fault:?}");
        world.assert_nothing_left();
    }
}

/// One refusal may be a key that was just exchanged; the second in a row is a wrong policy, and nobody is asked each second for that.
#[tokio::test(start_paused = true)]
async fn a_queue_that_refuses_is_asked_slowly_and_one_that_refuses_at_first_ends_the_worker() {
    let refused = || Fault::Error(StoreErrorKind::Denied);
    let world = World::new();
    world.source.put_bytes("k", b"x");
    world.send(&created(&world, "k", "01"));
    for look in 2..=6 {
        world.faults.add(Rule::new("receive", refused()).nth(look));
    }
    let began = tokio::time::Instant::now();
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    let slow = world.options.slow_when_denied.expect("a pause");
    assert!(began.elapsed() > slow * 4, "one second, then four times a minute: {:?}", began.elapsed());
    world.assert_nothing_left();

    let world = World::new();
    world.faults.add(Rule::new("receive", refused()).nth(1));
    let error = world.worker().serve(&Drain::new()).await.expect_err("the worker ends");
    assert!(error.is_refusal(), "{error:?}");
}

/// LBB-05, LBB-53: what one failing call did to a loop was never seen; here the queue is waited for, and it is said.
#[tokio::test(start_paused = true)]
async fn a_queue_that_fails_is_waited_for_and_loses_nothing() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    world.send(&created(&world, "k", "01"));
    let broken = || Fault::Error(StoreErrorKind::Transient);
    world.faults.add(Rule::new("receive", broken()).at(Occurrence::First(8)));
    world.faults.add(Rule::new("acknowledge", broken()).nth(1));
    world.faults.add(Rule::new("depth", broken()).nth(1));
    let began = tokio::time::Instant::now();
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert!(began.elapsed() > Duration::from_secs(150), "asked more and more slowly");
    assert_eq!(world.observer.counted(Counted::QueueFailed("receive")), 8);
    assert_eq!(world.observer.counted(Counted::QueueFailed("acknowledge")), 1);
    assert_eq!(world.observer.reports().len(), 1, "the second delivery found it settled");
    assert_eq!(world.faults.count("put"), 1);
    world.assert_nothing_left();
}
