//! A stop that is asked for is no failure: what runs hands its job back with its parts kept. Kills are in `crash`.

use std::sync::Arc;

use longbow_testkit::fake::Call;
use longbow_testkit::fault::{Fault, Faults, FaultyState, Rule};
use tokio_util::sync::CancellationToken;

use crate::world::{World, noise};

const MIB: usize = 1 << 20;

/// A job for an object in three parts.
async fn prepared() -> World {
    let mut world = World::new();
    // One at a time, so that the stop comes between parts.
    world.options.max_requests = 1;
    world.put_parts("k", &noise(11 * MIB, 2), 5 * MIB).await;
    world.ask_for("k").await;
    world.s3.forget_journal();
    world
}

/// Bytes of parts that the destination was given.
fn part_bytes(world: &World) -> u64 {
    let sizes = world.s3.journal().into_iter().filter_map(|e| match e.call {
        Call::PutPart { size, .. } if e.reply.is_ok() => Some(size),
        _ => None,
    });
    sizes.sum()
}

#[tokio::test(start_paused = true)]
async fn a_stop_between_parts_keeps_them_and_is_no_failed_attempt() {
    let world = prepared().await;
    let stop = CancellationToken::new();
    let faults = Faults::new();
    let cancel = stop.clone();
    faults.add(Rule::new("add_part", Fault::After(Arc::new(move || cancel.cancel()))).nth(1));
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
