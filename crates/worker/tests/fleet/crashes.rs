//! Killed before and after every call that a worker of a fleet makes, and started again: the end is the same.

use longbow_testkit::fault::{Faults, Manner, When};

use crate::world::{World, created, removed};

const MIB: usize = 1 << 20;

#[derive(Debug, Clone, Copy)]
enum Scenario {
    /// One event of a small object.
    Small,
    /// One event of an object in parts.
    Parts,
    /// One event along two routes.
    TwoRoutes,
    /// A removal after a copy.
    Removal,
    /// A newer event before an older one, with versions.
    LateOlder,
    /// A removal before the creation that it followed.
    LateCreation,
}

async fn prepared(scenario: Scenario) -> World {
    let mut world = match scenario {
        Scenario::TwoRoutes => World::of_two(),
        Scenario::LateOlder => World::versioned(),
        _ => World::new(),
    };
    world.options.max_requests = 1;
    world.options.max_objects = 1;
    world.options.whole_up_to = 1 << 20;
    let put = |bytes: &[u8]| world.source.put_bytes("k", bytes);
    match scenario {
        Scenario::Small | Scenario::TwoRoutes => {
            put(b"one");
            world.send(&created(&world, "k", "01"));
        }
        Scenario::Parts => {
            put(&(0..11 * MIB).map(|n| (n % 241) as u8).collect::<Vec<_>>());
            world.send(&created(&world, "k", "01"));
        }
        Scenario::Removal => {
            put(b"one");
            world.send(&created(&world, "k", "01"));
            world.run().await;
            world.source.remove("k");
            world.send(&removed("k", "02"));
        }
        Scenario::LateOlder => {
            put(b"one");
            let late = created(&world, "k", "01");
            put(b"two");
            world.send(&created(&world, "k", "02"));
            world.send(&late);
        }
        Scenario::LateCreation => {
            put(b"one");
            let late = created(&world, "k", "01");
            world.source.remove("k");
            world.send(&removed("k", "02"));
            world.send(&late);
        }
    }
    world.faults = Faults::new();
    world
}

fn assert_in_step(world: &World, at: &str) {
    let source = world.source.get_bytes("k");
    assert!(world.destination.get_bytes("k") == source, "{at}: the destination differs");
    if world.both {
        assert!(world.second.get_bytes("copy/k") == source, "{at}: the second destination differs");
    }
    assert!(world.destination.uploads().is_empty(), "{at}: an upload is left behind");
    assert!(world.queue.bodies().is_empty(), "{at}: the queue is not empty");
    assert!(world.queue.dead_letters().is_empty(), "{at}: a dead letter");
}

#[tokio::test(start_paused = true)]
async fn every_crash_is_recovered_from() {
    for scenario in [
        Scenario::Small,
        Scenario::Parts,
        Scenario::TwoRoutes,
        Scenario::Removal,
        Scenario::LateOlder,
        Scenario::LateCreation,
    ] {
        let world = prepared(scenario).await;
        world.run().await;
        assert_in_step(&world, &format!("{scenario:?}"));
        let calls = world.faults.calls();
        assert!(calls >= 6, "{scenario:?}: only {calls} calls were seen");
        for number in 0..calls {
            for when in [When::Before, When::After] {
                let mut world = prepared(scenario).await;
                world.faults.stop_at(number, when, Manner::Hang);
                let faults = world.faults.clone();
                let _ = faults.run(world.run()).await;
                let call = faults.journal().last().map_or("nothing", |c| c.call);
                let at = format!("{scenario:?}: killed {when:?} call {number} ({call})");
                // What a dead process held becomes visible again.
                world.queue.redeliver();
                world.faults = Faults::new();
                world.run().await;
                assert_in_step(&world, &at);
            }
        }
    }
}

/// Answers are lost: the call took effect, and who made it cannot know.
#[tokio::test(start_paused = true)]
async fn every_lost_answer_is_outlived() {
    use longbow_core::failure::StoreErrorKind;
    use longbow_testkit::fault::{Fault, Occurrence, Rule};
    for scenario in [Scenario::Small, Scenario::Parts, Scenario::Removal, Scenario::LateOlder] {
        for call in ["load", "swap", "add_part", "head", "get", "put", "put_part", "delete", "acknowledge"] {
            for failing in 1..4 {
                let world = prepared(scenario).await;
                let broken = Fault::ErrorAfter(StoreErrorKind::Transient);
                world.faults.add(Rule::new(call, broken).at(Occurrence::First(failing)));
                world.run().await;
                assert_in_step(
                    &world,
                    &format!("{scenario:?}: {call} failed {failing} times after its effect"),
                );
            }
        }
    }
}
