//! Which transfer counts an object, and that doing so costs no writes that are not needed.

use longbow_core::job::{
    CopyJob, Observation, RecordState, ReportOutcome, SourceVersion, TransferId, encode,
};

use crate::world::{World, created, removed};

/// A job of a transfer for what the source holds now.
fn job(world: &World, key: &str, transfer: &str) -> String {
    let object = world.source.object(key).expect("the source object");
    encode(&CopyJob {
        source: key.into(),
        destination: key.into(),
        object: SourceVersion {
            size: object.content.length(),
            etag: Some(object.etag.clone()),
            version: None,
            modified: None,
        },
        observed: Observation::Absent,
        inspect: false,
        transfer: TransferId(transfer.into()),
    })
}

fn counted(world: &World, key: &str) -> (String, bool) {
    let record = world.one.record(key).expect("a record");
    (record.transfer.expect("a transfer").0, record.found)
}

/// Two writes of the table a small object at most, and none for a message that comes again.
#[tokio::test(start_paused = true)]
async fn duplicates_within_one_transfer_are_counted_once_and_cost_no_write() {
    let world = World::new();
    world.source.put_bytes("a", b"hello");
    world.send(&job(&world, "a", "first"));
    world.run().await;
    assert_eq!(counted(&world, "a"), ("first".to_owned(), false));
    assert_eq!(world.one.history().len(), 1);
    // Another worker of the fleet gets it again, long after.
    for _ in 0..3 {
        world.send(&job(&world, "a", "first"));
    }
    let again = world.run().await;
    assert_eq!((again.copied, again.skipped), (0, 0), "nothing is told twice");
    assert_eq!(world.one.history().len(), 1);
    assert_eq!(counted(&world, "a"), ("first".to_owned(), false), "it was copied, and stays so");
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn what_a_later_transfer_finds_done_is_counted_by_it() {
    let world = World::new();
    world.source.put_bytes("a", b"hello");
    world.source.put_bytes("there", b"already");
    world.destination.put_bytes("there", b"already");
    for key in ["a", "there"] {
        world.send(&job(&world, key, "first"));
    }
    world.run().await;
    assert_eq!(counted(&world, "a"), ("first".to_owned(), false));
    assert_eq!(counted(&world, "there"), ("first".to_owned(), true), "nothing was copied for it");
    let writes = world.one.history().len();

    world.send(&job(&world, "a", "second"));
    world.send(&job(&world, "a", "second"));
    let second = world.run().await;
    assert_eq!((second.copied, second.skipped), (0, 1));
    assert_eq!(counted(&world, "a"), ("second".to_owned(), true));
    assert_eq!(world.one.history().len(), writes + 1, "one write moves it");
    let outcomes: Vec<_> = world.observer.reports().iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes.iter().filter(|o| **o == ReportOutcome::Copied).count(), 1, "{outcomes:?}");
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_is_counted_too() {
    let world = World::new();
    world.source.put_bytes("gone", b"hello");
    world.send(&job(&world, "gone", "first"));
    world.source.remove("gone");
    assert_eq!(world.run().await.failed, 1);
    assert_eq!(counted(&world, "gone"), ("first".to_owned(), false));
    assert!(matches!(world.one.record("gone").map(|r| r.state), Some(RecordState::Failed { .. })));
}

/// An event changes the state of an object that a transfer planned, and takes it from nobody.
#[tokio::test(start_paused = true)]
async fn events_leave_an_object_with_the_transfer_that_planned_it() {
    let world = World::new();
    world.source.put_bytes("a", b"one");
    world.send(&job(&world, "a", "first"));
    world.source.put_bytes("b", b"new");
    world.send(&created(&world, "b", "0065A0"));
    world.run().await;
    assert_eq!(counted(&world, "b"), ("events:one".to_owned(), false));

    // The event of what the transfer has copied comes late, and finds it done: it stays copied.
    world.send(&created(&world, "a", "0065A0"));
    world.run().await;
    assert_eq!(counted(&world, "a"), ("first".to_owned(), false));
    world.source.put_bytes("a", b"two");
    world.send(&created(&world, "a", "0065A1"));
    world.run().await;
    assert_eq!(counted(&world, "a"), ("first".to_owned(), false));
    world.source.remove("a");
    world.send(&removed("a", "0065A2"));
    world.run().await;
    assert_eq!(counted(&world, "a"), ("first".to_owned(), false));
    assert_eq!(world.one.record("a").map(|r| r.state), Some(RecordState::Removed));
    // A transfer takes what it plans.
    world.send(&job(&world, "b", "second"));
    world.run().await;
    assert_eq!(counted(&world, "b"), ("second".to_owned(), true));
}
