//! The whole trip: from two listings to the jobs in the queue, with refusals, records, stops and restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use longbow_core::diff::{Comparison, CopyReason, Decision, SkipReason};
use longbow_core::failure::{BackendError, StoreErrorKind};
use longbow_core::job::{CopyJob, ObjectRecord, Observation, Proof, RecordState, SourceVersion, TransferId};
use longbow_core::object::{Checksums, ETag, KeyOrder, ObjectMeta, Timestamp};
use longbow_core::port::Side;
use proptest::prelude::*;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::fixture::{A, Answer, B, FakeStore, World, entry, route};
use crate::{JobsenderError, JobsenderSummary, Tally};

async fn run(world: &World) -> Result<JobsenderSummary, JobsenderError> {
    world.jobsender.run(world.options.clone(), CancellationToken::new()).await
}

fn sized(key: &str, size: u64) -> ObjectMeta {
    ObjectMeta { size, ..entry(key, A) }
}

#[tokio::test]
async fn each_decision_is_counted_and_each_copy_gets_its_job() {
    let untagged = ObjectMeta { etag: None, ..entry("q/untagged", A) };
    let mut world = World::on(
        route("s3://src/p", "s3://dst/q"),
        FakeStore::new(vec![
            entry("p/changed", A),
            sized("p/grown", 9),
            entry("p/new", A),
            entry("p/same", A),
            entry("p/skip.tmp", A),
            ObjectMeta { size: 10, ..entry("p/untagged", A) },
        ]),
        FakeStore::new(vec![
            entry("q/changed", B),
            entry("q/extra", A),
            entry("q/extra.tmp", A),
            sized("q/grown", 8),
            entry("q/same", A),
            untagged,
        ]),
    );
    world.options.selection.exclude("*.tmp").unwrap();
    let summary = run(&world).await.unwrap();
    let d = summary.decisions;
    let one = |bytes| Tally { count: 1, bytes };
    assert_eq!(d.of(Decision::Copy(CopyReason::Missing)), one(5));
    assert_eq!(d.of(Decision::Copy(CopyReason::SizeDiffers)), one(9));
    assert_eq!(d.of(Decision::Copy(CopyReason::EtagDiffers)), Tally { count: 2, bytes: 19 });
    assert_eq!(d.of(Decision::Skip(SkipReason::Same)), one(6));
    assert_eq!(d.of(Decision::Skip(SkipReason::Excluded)), one(10));
    assert_eq!(d.to_copy().count + d.skipped().count, summary.source_listed);
    assert_eq!(summary.extra, one(7));
    assert_eq!(*world.extras.kept.lock().unwrap(), ["q/extra"]);
    assert_eq!(summary.jobs_sent, 4);
    assert_eq!(world.queue.subjects(), ["changed", "grown", "new", "untagged"]);
    let jobs: BTreeMap<_, _> =
        world.queue.jobs().into_iter().map(|j| (j.source.as_str().to_owned(), j)).collect();
    let source = |key: &str, size| CopyJob {
        source: format!("p/{key}").into(),
        destination: format!("q/{key}").into(),
        object: SourceVersion {
            size,
            etag: Some(ETag::new(A)),
            version: None,
            modified: Some(Timestamp(1_000)),
        },
        observed: Observation::Absent,
        inspect: false,
        transfer: TransferId("t".into()),
    };
    assert_eq!(jobs["p/new"], source("new", 5));
    assert_eq!(
        jobs["p/changed"],
        CopyJob { observed: Observation::Present(ETag::new(B)), ..source("changed", 9) }
    );
    assert_eq!(jobs["p/untagged"].observed, Observation::Unknown);
    assert_eq!(world.observer.complete.lock().unwrap().len(), 2);
    assert!(!summary.stopped);
}

#[tokio::test]
async fn inspections_are_marked_and_other_pairs_are_not() {
    let composite = format!("{A}-2");
    let mut world = World::new(FakeStore::of(&["k", "new"]), FakeStore::new(vec![entry("k", &composite)]));
    world.options.comparison = Comparison::Checksum;
    run(&world).await.unwrap();
    let jobs = world.queue.jobs();
    assert_eq!(jobs.iter().map(|j| (j.source.as_str(), j.inspect)).collect::<BTreeMap<_, _>>(), {
        BTreeMap::from([("k", true), ("new", false)])
    });
}

#[tokio::test]
async fn only_pairs_in_doubt_are_looked_up_and_recorded_ones_are_skipped() {
    let keys = ["p/a", "p/b", "p/c", "p/d"];
    let mut source = FakeStore::of(&keys);
    source.page = 10;
    let mut destination = FakeStore::new(vec![entry("a", A), entry("b", B), sized("c", 99), entry("d", B)]);
    destination.objects[0].size = 3;
    destination.objects[1].size = 3;
    destination.objects[3].size = 3;
    destination.page = 10;
    let world = World::on(route("s3://src/p", "s3://dst"), source, destination);
    world.state.records.lock().unwrap().insert(
        "b".into(),
        ObjectRecord {
            source: SourceVersion { size: 3, etag: Some(ETag::new(A)), version: None, modified: None },
            attempts: 0,
            updated: Timestamp(0),
            state: RecordState::Copied {
                destination_etag: Some(ETag::new(B)),
                checksums: Checksums::default(),
                proof: Proof::Written,
            },
            sequencer: None,
            transfer: None,
            found: false,
        },
    );
    let summary = run(&world).await.unwrap();
    assert_eq!(*world.state.asked.lock().unwrap(), [["b", "d"]]);
    assert_eq!(summary.decisions.recorded.count, 1);
    assert_eq!(world.queue.subjects(), ["c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_second_run_over_equal_sides_asks_for_nothing_but_listings() {
    let keys: Vec<_> = (0..20_000).map(|i| format!("folder/{i:06}")).collect();
    let objects: Vec<_> = keys.iter().map(|k| entry(k, A)).collect();
    let store = || {
        let mut store = FakeStore::new(objects.clone());
        store.page = 1_000;
        store
    };
    let world = World::new(store(), store());
    let summary = run(&world).await.unwrap();
    assert_eq!(summary.decisions.same.count, 20_000);
    assert_eq!(summary.jobs_sent, 0);
    assert!(world.state.asked.lock().unwrap().is_empty());
    assert!(world.queue.batches.lock().unwrap().is_empty());
    assert_eq!(world.queue.depths.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn the_first_job_leaves_before_the_listing_has_ended() {
    let gate = Arc::new(Semaphore::new(0));
    let mut source = FakeStore::of(&["a", "b", "c"]);
    source.gate = Some((1, gate.clone()));
    let mut world = World::new(source, FakeStore::of(&[]));
    world.options.batch = 500;
    let queue = world.queue.clone();
    let arrival = queue.arrival.notified();
    tokio::pin!(arrival);
    arrival.as_mut().enable();
    let running = tokio::spawn(async move { (run(&world).await, world) });
    tokio::time::timeout(Duration::from_secs(20), arrival).await.expect("a job, though page two never came");
    assert_eq!(queue.subjects(), ["a", "b"]);
    assert!(!running.is_finished());
    gate.add_permits(1);
    let (end, _world) = running.await.unwrap();
    assert_eq!(end.unwrap().jobs_sent, 3);
    assert_eq!(queue.subjects(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn refused_jobs_are_sent_again_and_only_those() {
    let mut world = World::new(FakeStore::of(&["a", "b", "c", "d"]), FakeStore::of(&[]));
    world.options.batch = 4;
    // One page, so that all go together.
    let mut source = FakeStore::of(&["a", "b", "c", "d"]);
    source.page = 10;
    world.jobsender.source = Arc::new(source);
    world.queue.answers.lock().unwrap().extend([
        Answer::Fail(BackendError::transient("busy")),
        Answer::Refuse(vec![1, 3]),
        Answer::Refuse(vec![0]),
    ]);
    let summary = run(&world).await.unwrap();
    assert_eq!(summary.jobs_sent, 4);
    assert_eq!(*world.queue.batches.lock().unwrap(), [4, 4, 2, 1]);
    assert_eq!(world.queue.subjects(), ["a", "b", "c", "d"]);
}

#[tokio::test(start_paused = true)]
async fn jobs_that_stay_refused_are_an_error_that_counts_them() {
    let world = World::new(FakeStore::of(&["a", "b"]), FakeStore::of(&[]));
    // The first answer takes one of two; then one is refused for good.
    world.queue.answers.lock().unwrap().extend((0..6).map(|_| Answer::Refuse(vec![0])));
    let error = run(&world).await.unwrap_err();
    assert!(
        matches!(&error, JobsenderError::Unsent { count: 1, reason } if reason == "refused"),
        "{error:?}"
    );
    let world = World::new(FakeStore::of(&["a", "b"]), FakeStore::of(&[]));
    world.queue.answers.lock().unwrap().push_back(Answer::Fail(BackendError::fatal("no such queue")));
    assert!(matches!(run(&world).await.unwrap_err(), JobsenderError::Queue(_)));
    assert_eq!(world.queue.batches.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failed_look_up_is_repeated_or_an_error() {
    let sides = || World::new(FakeStore::of(&["k"]), FakeStore::new(vec![entry("k", B)]));
    let world = sides();
    world.state.faults.lock().unwrap().push_back(BackendError::transient("busy"));
    assert_eq!(run(&world).await.unwrap().jobs_sent, 1);
    let world = sides();
    world.state.faults.lock().unwrap().push_back(BackendError::fatal("gone"));
    assert!(matches!(run(&world).await.unwrap_err(), JobsenderError::State(_)));
    assert!(world.queue.sent.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lost_page_is_an_error_and_what_follows_it_is_never_missing_or_extra() {
    for kind in [StoreErrorKind::Transient, StoreErrorKind::Denied] {
        let lost = || FakeStore::of(&["a", "b", "c", "d"]).fault(1, &[kind; 6]);
        let world = World::new(lost(), FakeStore::of(&["a", "b", "c", "d"]));
        let error = run(&world).await.unwrap_err();
        assert!(matches!(error, JobsenderError::Listing { side: Side::Source, page: 2, .. }), "{error:?}");
        assert_eq!(*world.extras.kept.lock().unwrap(), [] as [&str; 0]);
        let world = World::new(FakeStore::of(&["a", "b", "c", "d"]), lost());
        let error = run(&world).await.unwrap_err();
        assert!(matches!(error, JobsenderError::Listing { side: Side::Destination, .. }), "{error:?}");
        assert!(world.queue.sent.lock().unwrap().is_empty());
        assert!(world.copied().is_empty());
    }
}

#[tokio::test]
async fn a_restart_counts_nothing_twice() {
    let gate = Arc::new(Semaphore::new(0));
    let mut source = FakeStore::of(&["0", "a", "a/b", "a-b", "a.b", "a0", "c"]);
    source.page = 3;
    source.gate = Some((1, gate.clone()));
    let mut destination = FakeStore::of(&["0", "a/b", "a-b", "x", "y"]);
    destination.objects[0] = entry("0", B);
    let world = World::new(source, destination);
    let (queue, observer) = (world.queue.clone(), world.observer.clone());
    let running = tokio::spawn(async move { (run(&world).await, world) });
    // Jobs of the first page are in the queue when the second shows that the order is another.
    let arrived = async {
        while queue.sent.lock().unwrap().len() < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived).await.unwrap();
    assert_eq!(observer.restarts.load(Ordering::SeqCst), 0);
    gate.add_permits(1);
    let (end, world) = running.await.unwrap();
    let summary = end.unwrap();
    assert_eq!(world.observer.restarts.load(Ordering::SeqCst), 1);
    assert_eq!(world.extras.begun.load(Ordering::SeqCst), 2);
    assert_eq!(*world.extras.kept.lock().unwrap(), ["x", "y"]);
    assert_eq!(summary.extra.count, 2);
    assert_eq!(world.copied(), ["0", "a", "a.b", "a0", "c"]);
    assert_eq!((summary.decisions.to_copy().count, summary.decisions.same.count), (5, 2));
    assert_eq!((summary.jobs_sent, world.queue.sent.lock().unwrap().len()), (5, 7));
    assert_eq!(summary.source_order, KeyOrder::Folders);
    // A job that was sent before the restart is sent again, word for word.
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    for job in &*world.queue.sent.lock().unwrap() {
        let body = bodies.entry(job.subject.as_str().to_owned()).or_insert_with(|| job.body.clone());
        assert_eq!(*body, job.body);
    }
}

#[tokio::test]
async fn a_pair_in_doubt_before_a_restart_is_decided_once() {
    let mut keys: Vec<_> = (0..1_200).map(|i| format!("{i:04}")).collect();
    keys.extend(["a".into(), "a/b".into(), "a-b".into()]);
    let side = || {
        let mut store = FakeStore::new(keys.iter().map(|k| entry(k, A)).collect());
        store.page = 1_200;
        store
    };
    let mut source = side();
    source.objects[0] = entry("0000", B);
    let world = World::new(source, side());
    let summary = run(&world).await.unwrap();
    assert_eq!(world.observer.restarts.load(Ordering::SeqCst), 1);
    assert_eq!((summary.decisions.etag_differs.count, summary.decisions.same.count), (1, 1_202));
    assert_eq!(world.copied(), ["0000"]);
}

#[tokio::test]
async fn a_dry_run_decides_and_sends_nothing() {
    let mut world = World::new(FakeStore::of(&["a", "b"]), FakeStore::of(&["c"]));
    world.options.dry_run = true;
    let summary = run(&world).await.unwrap();
    assert_eq!((summary.decisions.missing.count, summary.jobs_sent, summary.extra.count), (2, 0, 1));
    assert!(world.queue.batches.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_no_object_is_shown_up_to_a_hundred() {
    let mut source = FakeStore::of(&["a"]);
    source.skipped = (0..150).map(|i| format!("name {i}")).collect();
    let world = World::new(source, FakeStore::of(&[]));
    let summary = run(&world).await.unwrap();
    assert_eq!((summary.skipped_count, summary.skipped_names.len()), (150, 100));
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_the_jobsender_wait() {
    let keys: Vec<_> = (0..40).map(|i| format!("{i:02}")).collect();
    let mut world =
        World::new(FakeStore::new(keys.iter().map(|k| entry(k, A)).collect()), FakeStore::of(&[]));
    world.options.max_waiting = 10;
    world.options.batch = 500;
    let queue = world.queue.clone();
    let running = tokio::spawn(async move { (run(&world).await, world) });
    let (mut most, mut taken) = (0, 0);
    while taken < 40 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let visible = queue.visible.swap(0, Ordering::SeqCst);
        most = most.max(visible);
        taken += visible;
        assert!(queue.depths.load(Ordering::SeqCst) < 1_000, "the queue fills no more");
    }
    let (end, _world) = running.await.unwrap();
    assert_eq!(end.unwrap().jobs_sent, 40);
    assert!(most <= 20, "{most} waited at once");
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_prompt_wherever_it_comes() {
    // In a queue that stays full, in a page that never comes, and in retries that would go on.
    let full = {
        let mut world = World::new(FakeStore::of(&["a", "b", "c", "d"]), FakeStore::of(&[]));
        world.options.max_waiting = 1;
        world.queue.visible.store(100, Ordering::SeqCst);
        world
    };
    let gated = {
        let mut source = FakeStore::of(&["a", "b", "c"]);
        source.gate = Some((1, Arc::new(Semaphore::new(0))));
        World::new(source, FakeStore::of(&[]))
    };
    let refusing = {
        let world = World::new(FakeStore::of(&["a"]), FakeStore::of(&[]));
        world
            .queue
            .answers
            .lock()
            .unwrap()
            .extend((0..9).map(|_| Answer::Fail(BackendError::transient("busy"))));
        world
    };
    let throttled = World::new(
        FakeStore::of(&["a", "b", "c"]).fault(1, &[StoreErrorKind::Throttled; 9]),
        FakeStore::of(&[]),
    );
    for world in [full, gated, refusing, throttled] {
        let stop = CancellationToken::new();
        let stopper = stop.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            stopper.cancel();
        });
        let began = tokio::time::Instant::now();
        let summary = world.jobsender.run(world.options.clone(), stop).await.unwrap();
        assert!(summary.stopped);
        assert!(began.elapsed() < Duration::from_millis(60), "{:?}", began.elapsed());
        assert_eq!(summary.jobs_sent, world.queue.sent.lock().unwrap().len() as u64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn every_object_that_differs_gets_exactly_one_job(
        left in proptest::collection::btree_map("[ab/]{1,4}", any::<bool>(), 0..60),
        right in proptest::collection::btree_map("[ab/]{1,4}", any::<bool>(), 0..60),
        pages in (1usize..9, 1usize..9),
        batch in 1usize..9,
    ) {
        let side = |objects: &BTreeMap<String, bool>, page| {
            let entries = objects.iter().map(|(k, a)| entry(k, if *a { A } else { B })).collect();
            let mut store = FakeStore::new(entries);
            store.page = page;
            store.order = Some(KeyOrder::Bytes);
            store
        };
        let mut world = World::new(side(&left, pages.0), side(&right, pages.1));
        world.options.batch = batch;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let summary = runtime.block_on(run(&world)).unwrap();
        let expected: Vec<_> =
            left.iter().filter(|(k, a)| right.get(*k) != Some(a)).map(|(k, _)| k.clone()).collect();
        prop_assert_eq!(world.queue.subjects(), expected.clone());
        prop_assert_eq!(summary.jobs_sent, expected.len() as u64);
        let extra: Vec<_> = right.keys().filter(|k| !left.contains_key(*k)).cloned().collect();
        prop_assert_eq!(&*world.extras.kept.lock().unwrap(), &extra);
        prop_assert!(world.queue.batches.lock().unwrap().iter().all(|n| *n <= batch));
    }
}
