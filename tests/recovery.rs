//! Stop before and after every call that the worker makes, run again, and the end is the same: nothing lost, nothing
//! mixed, nothing left behind, and no part sent twice that had been recorded.

use std::sync::Arc;

use longbow_core::object::Encryption;
use longbow_core::transfer::MethodPolicy;
use longbow_testkit::fake::Call;
use longbow_testkit::fault::{Faults, FaultyQueue, FaultyState, FaultyStore, Manner, When};
use tokio_util::sync::CancellationToken;

use crate::world::{World, noise};

const MIB: usize = 1 << 20;

/// Builds a world with one job for the key `k`; the job must end with both sides equal.
type Scenario = fn() -> std::pin::Pin<Box<dyn std::future::Future<Output = World>>>;

fn scenarios() -> Vec<(&'static str, Scenario)> {
    vec![
        ("small", || Box::pin(async { prepared(World::new(), Content::Small).await })),
        ("multipart", || Box::pin(async { prepared(World::new(), Content::Parts).await })),
        ("over an older object", || {
            Box::pin(async {
                let world = World::new();
                world.destination.put_bytes("k", b"older");
                prepared(world, Content::Small).await
            })
        }),
        ("duplicate", || {
            Box::pin(async {
                let world = prepared(World::new(), Content::Small).await;
                world.ask_for("k").await;
                world
            })
        }),
        ("replaced since the listing", || {
            Box::pin(async {
                let world = prepared(World::new(), Content::Parts).await;
                world.source.put_bytes("k", &noise(2000, 3));
                world
            })
        }),
        ("server-side", || {
            Box::pin(async {
                let mut world = World::new();
                world.options.method = MethodPolicy::Auto;
                prepared(world, Content::Parts).await
            })
        }),
        ("under KMS", || {
            Box::pin(async {
                let world = World::new();
                world.destination.configure(|s| s.encryption = Some(Encryption::Kms { key: None }));
                prepared(world, Content::Parts).await
            })
        }),
    ]
}

enum Content {
    Small,
    Parts,
}

async fn prepared(mut world: World, content: Content) -> World {
    // One at a time, so that the calls come in the same order in every run.
    world.options.max_requests = 1;
    match content {
        Content::Small => {
            world.source.put_bytes("k", &noise(3000, 1));
        }
        Content::Parts => {
            world.put_parts("k", &noise(11 * MIB, 2), 5 * MIB).await;
        }
    }
    world.ask_for("k").await;
    world.s3.forget_journal();
    world
}

async fn run(world: &World, faults: &Faults) -> Option<()> {
    let ports = world.ports_over(
        FaultyStore::new("source", world.source.clone(), faults),
        FaultyStore::new("destination", world.destination.clone(), faults),
        FaultyQueue::new(world.queue.clone(), faults),
        FaultyState::new(world.state.clone(), faults),
    );
    faults.run(world.run_with(ports, CancellationToken::new())).await.map(drop)
}

/// Bytes of parts that the destination was given.
fn part_bytes(world: &World) -> u64 {
    let sizes = world.s3.journal().into_iter().filter_map(|e| match e.call {
        Call::PutPart { size, .. } if e.reply.is_ok() => Some(size),
        _ => None,
    });
    sizes.sum()
}

async fn stop_everywhere(name: &str, scenario: Scenario) {
    let whole = Faults::new();
    let world = scenario().await;
    run(&world, &whole).await.expect("no fault, no stop");
    world.assert_equal("k");
    let (calls, bytes) = (whole.calls(), part_bytes(&world));
    assert!(calls >= 6, "{name}: only {calls} calls were seen");
    for number in 0..calls {
        for when in [When::Before, When::After] {
            let world = scenario().await;
            let faults = Faults::new();
            faults.stop_at(number, when, Manner::Hang);
            let _ = run(&world, &faults).await;
            let at = faults.journal().last().map_or("nothing", |c| c.call);
            let stopped_at = format!("{name}: stopped {when:?} call {number} ({at})");
            assert!(
                world
                    .destination
                    .get_bytes("k")
                    .is_none_or(|b| b == b"older" || Some(b) == world.source.get_bytes("k")),
                "{stopped_at}: half of an object is visible"
            );
            // What a dead process held becomes visible again.
            world.queue.redeliver();
            run(&world, &Faults::new()).await.expect("no fault, no stop");
            assert_eq!(world.source.get_bytes("k"), world.destination.get_bytes("k"), "{stopped_at}");
            assert!(world.queue.bodies().is_empty(), "{stopped_at}: the queue is not empty");
            assert!(world.queue.dead_letters().is_empty(), "{stopped_at}: a dead letter");
            assert!(world.destination.uploads().is_empty(), "{stopped_at}: an upload is left behind");
            let again = part_bytes(&world).saturating_sub(bytes);
            // A new process learns anew that tags are no digests there, from the first part that it sends.
            let part = 5 * MIB as u64;
            let learning = if name == "under KMS" { part } else { 0 };
            let in_doubt = ["put_part", "add_part", "copy_part"].contains(&at);
            let in_doubt = learning + if in_doubt { part } else { 0 };
            assert!(again <= in_doubt, "{stopped_at}: {again} bytes of recorded parts were sent again");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_stop_is_recovered_from() {
    for (name, scenario) in scenarios() {
        stop_everywhere(name, scenario).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_between_parts_keeps_them_and_is_no_failed_attempt() {
    let scenario: Scenario = || Box::pin(async { prepared(World::new(), Content::Parts).await });
    let world = scenario().await;
    let stop = CancellationToken::new();
    let faults = Faults::new();
    let cancel = stop.clone();
    faults.add(
        longbow_testkit::fault::Rule::new(
            "add_part",
            longbow_testkit::fault::Fault::After(Arc::new(move || cancel.cancel())),
        )
        .nth(1),
    );
    let state = FaultyState::new(world.state.clone(), &faults);
    let ports = world.ports_over(world.source.clone(), world.destination.clone(), world.queue.clone(), state);
    let summary = world.run_with(ports, stop).await;
    assert!(summary.stopped && summary.copied == 0 && summary.failed == 0);
    assert_eq!(world.queue.bodies().len(), 1, "the job is back in the queue");
    assert_eq!(world.state.record("k").expect("a record").attempts, 0);
    let kept = world.state.part_count();
    assert!(kept >= 1);
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.parts_reused), (1, kept as u64));
    world.assert_equal("k");
    assert_eq!(part_bytes(&world), 11 * MIB as u64, "every part was sent once");
    assert_eq!(world.observer.report("k").expect("a report").attempts, 1);
}
