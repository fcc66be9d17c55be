//! Messages that cannot be carried out, among those that can: the others go on, and the poison ends where it can be looked at.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::backoff::Chance;
use longbow_core::failure::{FailureClass, StoreErrorKind};
use longbow_core::job::RecordState;
use longbow_testkit::fault::{Fault, Rule};
use tokio::time::Instant;

use super::{ask_for, burden};
use crate::world::World;

const GOOD: usize = 7600;

fn world() -> World {
    let mut world = World::new();
    world.options.max_requests = 16;
    // The same in every run.
    world.options.chance = Chance::new(|| 0.5);
    burden(&world, None);
    world
}

/// Milliseconds until the last good object was settled.
fn last_good(world: &World, began: i64) -> i64 {
    let reports = world.observer.reports();
    let good = reports.iter().filter(|report| report.key.as_str().starts_with("good"));
    let finished: Vec<i64> = good.map(|report| report.finished.0).collect();
    assert_eq!(finished.len(), GOOD);
    finished.into_iter().max().expect("some") - began
}

/// Messages of these kinds, one in twenty of all, among the good ones: how long the good ones took, and what must be aside.
async fn among(kinds: &[usize]) -> (World, i64, Vec<String>) {
    use longbow_core::port::Clock as _;
    let world = world();
    let mut aside = Vec::new();
    for n in 0..GOOD {
        ask_for(&world, &format!("good{n}"), b"good");
        if n % 19 != 0 || kinds.is_empty() {
            continue;
        }
        let text = match kinds[n / 19 % kinds.len()] {
            0 => format!("{{ no JSON \u{e9} {n}\n"),
            1 => format!(r#"{{"longbow":9,"n":{n}}}"#),
            2 => format!(
                r#"{{"Src_bucket":"source","Src_key":"k{n}","Des_bucket":"somebody-elses","Des_key":"k{n}","Size":1}}"#
            ),
            3 => {
                let key = format!("never{n}");
                ask_for(&world, &key, b"never");
                let never = Fault::Error(StoreErrorKind::Permanent);
                world.faults.add(Rule::new("put", never).on("destination").about(&key));
                continue;
            }
            _ => {
                let key = format!("defect{n}");
                ask_for(&world, &key, b"defect");
                let defect = Fault::Before(Arc::new(|| panic!("a defect that the test makes")));
                world.faults.add(Rule::new("get", defect).on("source").about(&key));
                aside.push(world.queue.bodies().pop().expect("just sent"));
                continue;
            }
        };
        world.send(&text);
        aside.push(text);
    }
    let began = world.s3.clock().now().0;
    world.run().await;
    let took = last_good(&world, began);
    (world, took, aside)
}

#[tokio::test(start_paused = true)]
async fn five_percent_of_poison_leaves_the_others_their_pace_and_arrives_as_it_was() {
    let (_, without, _) = among(&[]).await;
    // Objects whose tasks panic cost three attempts each: alone they leave a little less.
    for (kinds, least) in [(&[4][..], 0.94), (&[0, 1, 2, 3, 4], 0.95)] {
        let (world, with, mut aside) = among(kinds).await;
        let share = without as f64 / with as f64;
        println!("{kinds:?}: {GOOD} good ones in {with} ms, {without} ms without poison: {share:.3}");
        let mut dead: Vec<String> = world.queue.dead_letters().into_iter().map(|(body, _)| body).collect();
        dead.sort();
        aside.sort();
        assert_eq!(dead, aside, "byte for byte");
        assert!(world.queue.dead_letters().iter().all(|(_, reason)| !reason.is_empty()));
        assert_eq!(world.queue.bodies(), Vec::<String>::new());
        assert!(share >= least, "{share}");
    }
}

/// A task that panics, at each of its calls: the job comes back, the others go on, nothing is held for ever.
#[tokio::test(start_paused = true)]
async fn a_task_that_panics_is_a_failed_attempt_of_its_own_object_alone() {
    for (call, port) in [("get", "source"), ("put", "destination"), ("load", "state"), ("swap", "state")] {
        let world = World::new();
        for key in ["a", "b", "c", "d"] {
            ask_for(&world, key, key.as_bytes());
        }
        let defect = Fault::Before(Arc::new(|| panic!("a defect that the test makes")));
        world.faults.add(Rule::new(call, defect).on(port).about("b").nth(1));
        let began = Instant::now();
        let summary = world.run().await;
        assert_eq!((summary.copied + summary.skipped, summary.failed), (4, 0), "{call}");
        for key in ["a", "b", "c", "d"] {
            assert_eq!(world.destination.get_bytes(key).as_deref(), Some(key.as_bytes()), "{call}");
        }
        // In work on stores it is a failed attempt; elsewhere it comes back when its visibility ends.
        assert!(began.elapsed() < Duration::from_secs(400), "{call}");
        world.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_whose_task_always_panics_is_put_aside_with_the_reason() {
    let world = World::new();
    ask_for(&world, "good", b"good");
    ask_for(&world, "bad", b"bad");
    let body = world.queue.bodies().pop().expect("just sent");
    let defect = Fault::Before(Arc::new(|| panic!("a defect that the test makes")));
    world.faults.add(Rule::new("put", defect).on("destination").about("bad"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 1));
    let dead = world.queue.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0, body);
    assert!(dead[0].1.contains("a defect that the test makes"), "{}", dead[0].1);
    let record = world.one.record("bad").expect("a record");
    assert!(matches!(record.state, RecordState::Failed { class: FailureClass::Transient, .. }), "{record:?}");
    assert_eq!(world.observer.failed_attempts().len(), 2, "three attempts in all");
}
