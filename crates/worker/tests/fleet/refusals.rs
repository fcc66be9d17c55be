//! A wrong policy, an expired key, a store that pushes back: the node goes slowly and says so, and no job is burnt.

use std::time::Duration;

use longbow_core::failure::{FailureClass, StoreErrorKind};
use longbow_core::job::RecordState;
use longbow_core::port::Counted;
use longbow_testkit::fault::{Fault, Occurrence, Rule};

use crate::world::{World, created};

fn with_objects(count: u32) -> World {
    let world = World::new();
    for n in 0..count {
        let key = format!("k{n}");
        world.source.put_bytes(&key, format!("object {n}").as_bytes());
        world.send(&created(&world, &key, "01"));
    }
    world
}

/// LBB-08: a wrong policy at the destination removed the whole queue in minutes. LBB-44: so did a key that had expired.
#[tokio::test(start_paused = true)]
async fn lbb_08_lbb_44_refusals_slow_the_node_down_and_burn_nothing() {
    for kind in [StoreErrorKind::Denied, StoreErrorKind::Credentials] {
        let mut world = with_objects(100);
        world.options.max_objects = 10;
        world.options.exit_when_empty = None;
        world.faults.add(Rule::new("put", Fault::Error(kind)).on("destination"));
        let worker = world.worker();
        let drain = longbow_worker::Drain::new();
        let mend = async {
            tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
            assert_eq!(world.queue.bodies().len(), 100, "after a day every job is still there");
            assert!(world.queue.dead_letters().is_empty() && world.queue.acknowledged().is_empty());
            let tries = world.faults.count("put");
            assert!(tries < 24 * 60 + 100, "{tries} tries in a day: about one a minute");
            assert_eq!(world.observer.counted(Counted::Slowed), 1);
            assert_eq!(
                world.observer.notices().iter().filter(|n| n.contains("refusals in a row")).count(),
                1
            );
            world.faults.clear();
            tokio::time::sleep(Duration::from_secs(3600)).await;
            drain.begin(longbow_worker::Stopping::Signal, None);
        };
        let (summary, ()) = tokio::join!(worker.serve(&drain), mend);
        assert_eq!(summary.expect("a run").copied, 100, "and they go when the policy is mended");
        world.assert_nothing_left();
    }
}

/// LBB-01: a part that failed for good removed the message. LBB-38: uploads stayed open and cost money.
#[tokio::test(start_paused = true)]
async fn lbb_01_a_part_that_fails_for_ever_ends_among_the_dead_letters_and_leaves_no_upload() {
    let mut world = World::new();
    world.options.whole_up_to = 1;
    world.source.put_bytes("k", &vec![9; 11 << 20]);
    let event = created(&world, "k", "01");
    world.send(&event);
    let broken = Fault::Error(StoreErrorKind::Transient);
    world.faults.add(Rule::new("put_part", broken).on("destination"));
    let summary = world.run().await;
    assert_eq!(summary.failed, 1);
    let dead = world.queue.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0, event);
    assert!(world.destination.uploads().is_empty());
    let record = world.one.record("k").expect("a record");
    assert!(matches!(record.state, RecordState::Failed { class: FailureClass::Transient, .. }));
    // LBB-45: sent anew out of the dead letters, it is tried anew.
    world.faults.clear();
    world.send(&event);
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
}

/// LBB-03: an upload that was gone was taken for finished by somebody else. LBB-02: or the worker broke down over it.
#[tokio::test(start_paused = true)]
async fn lbb_03_an_upload_that_somebody_aborted_is_begun_anew() {
    let mut world = World::new();
    world.options.whole_up_to = 1;
    world.source.put_bytes("k", &vec![9; 11 << 20]);
    world.send(&created(&world, "k", "01"));
    let gone = Fault::Error(StoreErrorKind::NoSuchUpload);
    world.faults.add(Rule::new("complete_upload", gone).on("destination").nth(1));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"));
    world.assert_nothing_left();
}

/// LBB-35: throttled requests were repeated by every thread at its own rate, and the jobs counted as failed.
#[tokio::test(start_paused = true)]
async fn lbb_35_a_storm_of_throttling_counts_as_no_attempt() {
    let world = with_objects(30);
    let slow_down = Fault::Error(StoreErrorKind::Throttled);
    world.faults.add(Rule::new("put", slow_down).on("destination").at(Occurrence::First(300)));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (30, 0));
    assert!(world.observer.reports().iter().all(|report| report.attempts == 1));
    world.assert_nothing_left();
}

/// LBB-34: a reset connection on a small object cost an hour.
#[tokio::test(start_paused = true)]
async fn lbb_34_a_fault_that_passes_costs_seconds() {
    let world = with_objects(1);
    let reset = Fault::Error(StoreErrorKind::Transient);
    world.faults.add(Rule::new("put", reset).on("destination").nth(1));
    let summary = world.run().await;
    assert_eq!(summary.copied, 1);
    let report = world.observer.report("k0").expect("a report");
    assert_eq!(report.attempts, 2);
    let (_, failure, retry) = world.observer.failed_attempts()[0].clone();
    assert_eq!(failure.class, FailureClass::Transient);
    assert!(retry <= Duration::from_secs(2));
    world.assert_nothing_left();
}

/// LBB-47: nothing told how late copies were.
#[tokio::test(start_paused = true)]
async fn lbb_47_the_lag_behind_the_source_is_told() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    tokio::time::sleep(Duration::from_secs(90)).await;
    let job = r#"{"Src_bucket":"source","Src_key":"k","Des_bucket":"destination","Des_key":"k","Size":1}"#;
    world.send(job);
    world.run().await;
    let lags = world.observer.lags();
    assert_eq!(lags.len(), 1);
    assert!(lags[0] >= Duration::from_secs(90) && lags[0] < Duration::from_secs(95), "{lags:?}");
    // An event says itself when it happened.
    world.source.put_bytes("e", b"x");
    let began = world.s3.clock().clone();
    world.send(&created(&world, "e", "01"));
    world.run().await;
    use longbow_core::port::Clock as _;
    let since_new_year = began.elapsed();
    assert!(world.observer.lags()[1] <= since_new_year && world.observer.lags()[1] > lags[0]);
}
