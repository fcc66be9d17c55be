//! Event jobs: which version is copied, and what is done with events that come late, twice or in the wrong order.

use longbow_core::port::Counted;
use longbow_testkit::fake::Call;

use crate::world::{World, created, removed};

/// LB-57: the version that the event names is the one that is copied, also when a newer one is there by then. LBB-07: small
/// objects of a known version all failed.
#[tokio::test(start_paused = true)]
async fn lb_57_the_version_of_the_event_is_copied_where_nothing_is_yet() {
    let world = World::versioned();
    world.source.put_bytes("k", b"first");
    world.send(&created(&world, "k", "01"));
    world.source.put_bytes("k", b"second");
    let summary = world.run().await;
    assert_eq!(summary.copied, 1);
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"first"[..]));
    world.assert_nothing_left();
}

/// LBB-11: reads are pinned to one version, with or without versions in the bucket.
#[tokio::test(start_paused = true)]
async fn lbb_11_every_read_of_an_event_job_is_pinned() {
    for versioned in [false, true] {
        let world = if versioned { World::versioned() } else { World::new() };
        world.source.put_bytes("k", &[7; 12 << 20]);
        world.send(&created(&world, "k", "01"));
        world.run().await;
        let gets = world.s3.journal().into_iter().filter_map(|e| match e.call {
            Call::Get { pin, .. } => Some(pin),
            _ => None,
        });
        let gets: Vec<_> = gets.collect();
        assert!(!gets.is_empty());
        assert!(gets.iter().all(|pin| pin.etag.is_some() && pin.version.is_some() == versioned));
    }
}

/// The destination holds the newer version, which nobody told this worker's state: an older one must not go over it.
#[tokio::test(start_paused = true)]
async fn a_late_event_never_puts_an_older_version_over_a_newer_one() {
    let world = World::versioned();
    world.source.put_bytes("k", b"first");
    let late = created(&world, "k", "01");
    world.source.put_bytes("k", b"second");
    world.send(&created(&world, "k", "02"));
    world.run().await;
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"second"[..]));
    world.send(&late);
    world.run().await;
    assert_eq!(world.observer.counted(Counted::Superseded), 1, "the record knows");
    world.one.wipe();
    world.send(&late);
    world.run().await;
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"second"[..]), "even without the record");
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn where_the_named_version_is_gone_the_newest_is_copied_and_its_own_event_finds_it_done() {
    let world = World::versioned();
    world.source.put_bytes("k", b"first");
    let first = world.source.object("k").expect("an object").version.clone().expect("a version");
    world.send(&created(&world, "k", "01"));
    world.source.put_bytes("k", b"second");
    world
        .source
        .change(|bucket, _| {
            bucket.delete_version(&"k".into(), &first);
            Ok(())
        })
        .expect("the version is removed");
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"second"[..]));
    world.send(&created(&world, "k", "02"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.skipped), (0, 1));
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_gone_since_its_event_is_no_failure() {
    let world = World::new();
    world.source.put_bytes("k", b"short-lived");
    world.send(&created(&world, "k", "01"));
    world.source.remove("k");
    let summary = world.run().await;
    assert_eq!((summary.skipped, summary.failed), (1, 0));
    assert!(world.observer.report("k").expect("a report").reason.contains("gone"));
    world.assert_nothing_left();
}

/// LBB-37: a duplicate was copied again. DTH-04: older events are known by their sequencer.
#[tokio::test(start_paused = true)]
async fn lbb_37_an_event_that_was_settled_is_not_even_looked_at_again() {
    let world = World::new();
    world.source.put_bytes("k", b"x");
    let event = created(&world, "k", "0A");
    world.send(&event);
    world.run().await;
    let store_calls =
        || world.faults.journal().iter().filter(|c| !["queue", "state"].contains(&&*c.port)).count();
    let before = store_calls();
    world.send(&event);
    world.send(&created(&world, "k", "09"));
    world.run().await;
    assert_eq!(store_calls(), before);
    assert_eq!(world.observer.counted(Counted::Superseded), 2);
    assert_eq!(world.observer.reports().len(), 1);
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn any_order_and_any_duplicates_end_with_what_the_source_has() {
    for versioned in [false, true] {
        for seed in 0..60u64 {
            let world = if versioned { World::versioned() } else { World::new() };
            let mut events = Vec::new();
            for n in 1..=5u64 {
                let sequencer = format!("{n:02}");
                if (seed >> n) & 1 == 1 && world.source.object("k").is_some() {
                    delete(&world);
                    events.push(removed("k", &sequencer));
                } else {
                    world.source.put_bytes("k", format!("version {n}").as_bytes());
                    events.push(created(&world, "k", &sequencer));
                }
            }
            let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            for round in 0..4 {
                for _ in 0..4 {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    world.send(&events[(state % 5) as usize]);
                }
                if round == 3 {
                    events.iter().for_each(|event| world.send(event));
                }
                world.run().await;
            }
            let (source, destination) = (world.source.get_bytes("k"), world.destination.get_bytes("k"));
            assert_eq!(destination, source, "seed {seed}, versioned {versioned}");
            world.assert_nothing_left();
        }
    }
}

fn delete(world: &World) {
    world.source.remove("k");
}

/// A job of a comparison by version comes again after a newer version was copied; the old one can still be read.
#[tokio::test(start_paused = true)]
async fn a_job_by_version_that_comes_again_never_puts_an_older_version_over_a_newer_one() {
    use longbow_core::job::{CopyJob, Observation, SourceVersion, TransferId, encode};
    for observed_newer in [false, true] {
        let world = World::versioned();
        world.source.put_bytes("k", b"first");
        let old = world.source.object("k").expect("an object");
        world.source.put_bytes("k", b"second");
        world.destination.put_bytes("k", b"second");
        // Seen before anything was there, and delivered before; or listed after the source, when the newer one was there.
        let observed = match world.destination.object("k") {
            Some(newer) if observed_newer => Observation::Present(newer.etag.clone()),
            _ => Observation::Absent,
        };
        let job = CopyJob {
            source: "k".into(),
            destination: "k".into(),
            object: SourceVersion {
                size: old.content.length(),
                etag: Some(old.etag.clone()),
                version: old.version.clone(),
                modified: Some(old.modified),
            },
            observed,
            inspect: false,
            transfer: TransferId("t".into()),
        };
        world.send(&encode(&job));
        world.run().await;
        assert_eq!(world.destination.get_bytes("k").as_deref(), Some(&b"second"[..]), "{observed_newer}");
        world.assert_nothing_left();
    }
}
