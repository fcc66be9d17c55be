//! Stores that differ from Amazon's without saying so: they are found out, served all the same, and it is said once.

use std::sync::Arc;

use longbow_core::failure::{FailureClass, Feature, StoreErrorKind};
use longbow_core::job::Proof;
use longbow_core::port::WriteCondition;
use longbow_testkit::fake::{Call, FakeStore};
use longbow_testkit::fault::{Fault, Faults, FaultyStore, Rule};
use longbow_worker::WorkerSummary;
use tokio_util::sync::CancellationToken;

use crate::world::{World, noise};

const MIB: usize = 1 << 20;

#[tokio::test(start_paused = true)]
async fn a_key_that_a_store_has_as_a_folder_is_reported_as_refused_by_it() {
    for parts in [false, true] {
        let world = World::new();
        world.destination.configure(|s| (s.amazon, s.folders_exist) = (false, true));
        world.destination.put_bytes("a/b", b"below");
        match parts {
            true => drop(world.put_parts("a", &noise(11 * MIB, 9), 6 * MIB).await),
            false => drop(world.source.put_bytes("a", b"beside")),
        }
        world.ask_for("a").await;
        world.s3.forget_journal();
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.failed), (0, 1));
        let report = world.observer.report("a").expect("a report");
        assert_eq!((report.failure, report.attempts), (Some(FailureClass::Permanent), 1));
        let told = ["refuses the key a:", "412", "404", "below a/"];
        assert!(told.iter().all(|words| report.reason.contains(words)), "{}", report.reason);
        let write = if parts { "complete_upload" } else { "put" };
        let writes = world.destination.journal();
        let writes = writes.iter().filter(|e| e.call.name() == write && e.key.as_str() == "a");
        assert_eq!(writes.count(), 2, "once more, for it might have been somebody else");
        assert!(world.destination.uploads().is_empty() && world.queue.bodies().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn tags_that_a_store_takes_and_forgets_are_reported_as_lost() {
    for (amazon, by_put) in [(false, true), (false, false), (true, false)] {
        let world = World::new();
        world.destination.configure(|s| {
            s.amazon = amazon;
            (s.forgets_tags_of_puts, s.forgets_tags_of_uploads) = (by_put, !by_put);
        });
        for n in 0..3 {
            let (large, small) = (format!("large{n}"), format!("small{n}"));
            world.put_parts(&large, &noise(11 * MIB, n), 6 * MIB).await;
            world.source.put_bytes(&small, &noise(100, n));
            world.source.put_bytes(&format!("plain{n}"), b"no tags");
            for key in [large, small] {
                world.source.set_tags(&key, &[("k", "v"), ("l", "")]);
                world.ask_for(&key).await;
            }
            world.ask_for(&format!("plain{n}")).await;
        }
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.failed), (9, 0));
        for report in world.observer.reports() {
            let key = report.key.as_str();
            let forgot = !amazon && key.starts_with(if by_put { "small" } else { "large" });
            let lost: &[&str] = if forgot { &["2 tags"] } else { &[] };
            assert_eq!(report.lost, lost, "{key}");
        }
        let said = world.observer.notices().iter().filter(|n| n.contains("does not keep them")).count();
        assert_eq!((said, world.destination.count("tags")), if amazon { (0, 0) } else { (1, 2) });
    }
}

#[tokio::test(start_paused = true)]
async fn tags_that_a_source_does_not_count_arrive_all_the_same() {
    for (amazon, refuses, tags, asked) in [(false, false, 1, 3), (false, true, 0, 1), (true, false, 0, 0)] {
        let mut world = World::new();
        world.options.max_objects = 1;
        world.source.configure(|s| (s.amazon, s.heads_hide_tags) = (amazon, true));
        for n in 0..3 {
            world.put_parts(&format!("large{n}"), &noise(11 * MIB, n), 6 * MIB).await;
            world.ask_for(&format!("large{n}")).await;
        }
        world.source.set_tags("large1", &[("k", "v")]);
        world.source.put_bytes("small", b"tags come with a GET");
        world.ask_for("small").await;
        if refuses {
            world.source.configure(|s| s.lacks = vec![Feature::Tags]);
        }
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.failed), (4, 0));
        assert_eq!(world.destination.object("large1").expect("a copy").tags.len(), tags);
        assert_eq!(
            (world.source.count("tags"), said(&world, "counts no tags")),
            (asked, usize::from(refuses))
        );
    }
}

/// A world whose destination is not Amazon's, with some small objects to copy one after the other.
async fn not_amazons(change: impl FnOnce(&FakeStore)) -> World {
    let mut world = World::new();
    world.options.max_objects = 1;
    world.destination.configure(|s| s.amazon = false);
    change(&world.destination);
    for n in 0..5 {
        world.source.put_bytes(&format!("k{n}"), &noise(100, n));
        world.ask_for(&format!("k{n}")).await;
    }
    world.s3.forget_journal();
    world
}

async fn run_under(world: &World, faults: &Faults) -> WorkerSummary {
    let destination = FaultyStore::new("destination", world.destination.clone(), faults);
    let ports = world.ports_over(world.source.clone(), destination, world.queue.clone(), world.state.clone());
    world.run_with(ports, CancellationToken::new()).await
}

/// The calls on the destination, by name, with `!` when they were refused.
fn calls(world: &World) -> Vec<String> {
    let entries = world.destination.journal();
    let writes = entries.iter().filter(|e| !matches!(e.call, Call::Tags));
    writes.map(|e| format!("{}{}", e.call.name(), if e.reply.is_err() { "!" } else { "" })).collect()
}

fn said(world: &World, words: &str) -> usize {
    world.observer.notices().iter().filter(|notice| notice.contains(words)).count()
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_conditions_is_found_out_and_looked_at_before_each_write() {
    let world = not_amazons(|store| store.configure(|s| s.ignores_conditions = true)).await;
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (5, 0));
    (0..5).for_each(|n| world.assert_equal(&format!("k{n}")));
    // The first is written, looked at and written twice again; what follows is looked at first.
    let first = ["put", "head", "put", "put"];
    let rest = ["head!", "put"].repeat(4);
    assert_eq!(calls(&world), [&first[..], &rest[..]].concat());
    assert_eq!(said(&world, "ignores the conditions"), 1);
    let reports = world.observer.reports();
    assert!(reports.iter().all(|r| r.attempts == 1 && r.proof == Some(Proof::ETag)), "{reports:?}");
}

#[tokio::test(start_paused = true)]
async fn on_a_store_found_to_ignore_conditions_a_change_since_the_listing_is_seen() {
    let world = not_amazons(|store| store.configure(|s| s.ignores_conditions = true)).await;
    world.destination.put_bytes("k4", b"somebody else's, after the listing");
    world.run().await;
    let journal = world.destination.journal();
    let about: Vec<_> = journal.iter().filter(|e| e.key.as_str() == "k4").map(|e| e.call.name()).collect();
    assert_eq!(about, ["head", "head", "head", "put"], "seen, looked at again, and only then decided");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_keeps_conditions_is_asked_once_and_amazons_never() {
    for (amazon, wanted) in
        [(false, vec!["put", "head", "put!", "put", "put", "put", "put"]), (true, vec!["put"; 5])]
    {
        let world = not_amazons(|store| store.configure(|s| s.amazon = amazon)).await;
        let summary = world.run().await;
        assert_eq!(
            (summary.copied, summary.failed, calls(&world)),
            (5, 0, wanted.iter().map(|c| (*c).to_owned()).collect())
        );
        let conditional = |call: &Call| matches!(call, Call::Put { condition: WriteCondition::Absent, .. });
        let puts = world.destination.journal().into_iter().filter(|e| e.call.name() == "put");
        assert!(puts.into_iter().all(|e| conditional(&e.call)));
        assert!(world.observer.notices().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_conditions_is_not_tried() {
    let world = not_amazons(|store| store.configure(|s| s.lacks = vec![Feature::ConditionalWrites])).await;
    assert_eq!(world.run().await.copied, 5);
    let puts = calls(&world).iter().filter(|call| *call == "put").count();
    assert_eq!((puts, said(&world, "does not have conditional writes")), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn a_change_between_the_two_writes_stays() {
    for ignores in [false, true] {
        let world = not_amazons(|store| store.configure(|s| s.ignores_conditions = ignores)).await;
        let faults = Faults::new();
        let theirs = world.destination.clone();
        let change = move || drop(theirs.put_bytes("k0", b"theirs"));
        faults.add(Rule::new("put", Fault::After(Arc::new(change))).nth(1));
        let summary = run_under(&world, &faults).await;
        assert_eq!((summary.copied, summary.failed), (5, 0));
        assert_eq!(world.destination.get_bytes("k0").as_deref(), Some(&b"theirs"[..]));
        // The next object serves instead.
        assert_eq!(said(&world, "ignores the conditions"), usize::from(ignores));
    }
}

/// The second write is rightly taken then: only a third one that is taken, too, says that nobody looks.
#[tokio::test(start_paused = true)]
async fn an_object_that_is_removed_in_the_middle_of_the_trial_makes_nobody_ignore_conditions() {
    for ignores in [false, true] {
        let world = not_amazons(|store| store.configure(|s| s.ignores_conditions = ignores)).await;
        let faults = Faults::new();
        let theirs = world.destination.clone();
        let remove = move || assert!(theirs.remove("k0"));
        faults.add(Rule::new("head", Fault::After(Arc::new(remove))).nth(1));
        let summary = run_under(&world, &faults).await;
        assert_eq!((summary.copied, summary.failed), (5, 0));
        (0..5).for_each(|n| world.assert_equal(&format!("k{n}")));
        assert_eq!(said(&world, "ignores the conditions"), usize::from(ignores));
        // Five objects, and the trial's two.
        assert_eq!(faults.count("put"), 7);
    }
}

/// A third write whose answer is lost says nothing, and the next object serves.
#[tokio::test(start_paused = true)]
async fn a_third_write_that_fails_otherwise_leaves_the_trial_to_the_next() {
    let world = not_amazons(|store| store.configure(|s| s.ignores_conditions = true)).await;
    let faults = Faults::new();
    faults.add(Rule::new("put", Fault::Error(StoreErrorKind::Transient)).nth(3));
    let summary = run_under(&world, &faults).await;
    assert_eq!((summary.copied, summary.failed), (5, 0));
    assert_eq!(said(&world, "ignores the conditions"), 1);
    assert!(world.observer.failed_attempts().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_fails_is_no_failure() {
    for kind in [StoreErrorKind::Transient, StoreErrorKind::Throttled, StoreErrorKind::Denied] {
        for (call, nth, puts) in [("put", 2, 6), ("head", 1, 5)] {
            let world = not_amazons(|store| store.configure(|s| s.ignores_conditions = true)).await;
            let faults = Faults::new();
            faults.add(Rule::new(call, Fault::Error(kind)).nth(nth));
            let summary = run_under(&world, &faults).await;
            assert_eq!((summary.copied, summary.failed), (5, 0), "{kind:?}");
            if kind == StoreErrorKind::Throttled {
                // A request that was one too many is made again, and so is the trial.
                assert_eq!(said(&world, "ignores the conditions"), 1);
                continue;
            }
            assert!(world.observer.failed_attempts().is_empty() && world.observer.notices().is_empty());
            assert!(world.observer.reports().iter().all(|r| r.attempts == 1));
            (0..5).for_each(|n| world.assert_equal(&format!("k{n}")));
            assert_eq!((faults.count("put"), faults.count("head")), (puts, 1));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_serve_leaves_the_trial_to_the_next() {
    let world = not_amazons(|store| store.configure(|s| s.ignores_conditions = true)).await;
    world.source.remove("k0");
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (4, 1));
    assert_eq!(said(&world, "ignores the conditions"), 1);
}

/// ministack refuses a right CRC-64/NVME of the whole: it keeps digests of digests.
#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_a_right_checksum_gets_the_object_without_it() {
    let mut world = World::new();
    world.options.max_objects = 1;
    for n in 0..2 {
        world.put_parts(&format!("large{n}"), &noise(6 * MIB, n), 5 * MIB).await;
        world.ask_for(&format!("large{n}")).await;
    }
    let faults = Faults::new();
    faults.add(Rule::new("complete_upload", Fault::Error(StoreErrorKind::Corrupt)).nth(1));
    let summary = run_under(&world, &faults).await;
    assert_eq!((summary.copied, summary.failed), (2, 0));
    assert!(world.observer.failed_attempts().is_empty(), "every part was proved by its MD5");
    assert_eq!(faults.count("complete_upload"), 3, "what was learnt holds for the next object");
    (0..2).for_each(|n| world.assert_equal(&format!("large{n}")));
    let reports = world.observer.reports();
    assert!(reports.iter().all(|r| r.proof == Some(Proof::ETag)), "{reports:?}");
    assert_eq!(said(&world, "checksum headers"), 1, "{:?}", world.observer.notices());
}

/// ministack answers about the whole when it is asked for a part.
#[tokio::test(start_paused = true)]
async fn a_source_that_does_not_know_part_numbers_is_cut_as_configured() {
    let mut world = World::new();
    world.options.whole_up_to = MIB as u64;
    world.put_parts("k", &noise(13 * MIB, 5), 6 * MIB).await;
    world.source.alter("k", |object| object.parts.clear());
    world.ask_for("k").await;
    world.s3.forget_journal();
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    world.assert_equal("k");
    let report = world.observer.report("k").expect("a report");
    // Other parts, another tag: what the source publishes of the whole proves it.
    assert_eq!((report.parts, report.proof), (3, Some(Proof::Checksum)));
    assert!(world.destination.object("k").expect("a copy").parts.starts_with(&[crate::world::PART]));
}

/// SeaweedFS answers 500 to every write that asks for encryption.
#[tokio::test(start_paused = true)]
async fn a_store_that_answers_500_to_encryption_fails_with_its_words_and_writes_nothing() {
    let world = not_amazons(|_| {}).await;
    let faults = Faults::new();
    faults.add(Rule::new("put", Fault::Error(StoreErrorKind::Transient)));
    let summary = run_under(&world, &faults).await;
    assert_eq!((summary.copied, summary.failed), (0, 5));
    assert!(world.destination.keys().is_empty() && world.queue.bodies().is_empty());
    assert_eq!(world.queue.dead_letters().len(), 5, "none is lost");
    let reports = world.observer.reports();
    assert!(reports.iter().all(|r| r.reason.contains("put: Transient")), "{reports:?}");
}
