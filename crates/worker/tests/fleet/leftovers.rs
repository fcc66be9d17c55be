//! Uploads left behind: the route's own are aborted once nobody works on them, and nobody else's ever are.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::failure::{FailureClass, StoreErrorKind};
use longbow_core::job::{ObjectRecord, RecordState, SourceVersion, UploadRecord};
use longbow_core::object::{Checksums, ETag, ObjectKey};
use longbow_core::port::{
    Clock as _, Counted, CreateRequest, MultipartStore as _, StateStore as _, UploadId,
};
use longbow_core::transfer::{PartPlan, PartProof};
use longbow_testkit::fault::{Fault, Occurrence, Rule};
use longbow_worker::{Drain, Stopping, SweepError, SweepReport, sweep_uploads};
use tokio_util::sync::CancellationToken;

use crate::world::{World, created};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MIB: usize = 1 << 20;

async fn sweep(world: &World) -> SweepReport {
    sweep_uploads(&world.ports(), DAY, &CancellationToken::new()).await.expect("a sweep")
}

fn report(seen: u64, own: u64, aborted: u64, left: u64, failed: u64) -> SweepReport {
    SweepReport { seen, own, aborted, left, failed, stopped: false }
}

/// An upload at the destination that nobody has recorded.
async fn begin(world: &World, key: &str) -> UploadId {
    world
        .destination
        .create_upload(&ObjectKey::from(key), &CreateRequest::default())
        .await
        .expect("an upload")
}

fn named(upload: &UploadId) -> UploadRecord {
    UploadRecord {
        upload: upload.clone(),
        plan: PartPlan::new(100, 50),
        crc64nvme: false,
        begun: None,
        outdated: false,
    }
}

async fn record(world: &World, key: &str, state: RecordState) {
    let etag = Some(ETag::new("00000000000000000000000000000001"));
    let source = SourceVersion { size: 100, etag, version: None, modified: None };
    let updated = world.s3.clock().now();
    let record =
        ObjectRecord { source, attempts: 3, updated, state, sequencer: None, transfer: None, found: false };
    let subject = ObjectKey::from(key);
    let version = world.one.load(&subject).await.expect("a look").map(|stored| stored.version);
    world.one.swap(&subject, version, record).await.expect("a swap");
}

async fn part(world: &World, key: &str, upload: &UploadId) {
    let md5 = "00000000000000000000000000000002".to_owned();
    let etag = ETag::new(&md5);
    let proof = PartProof { number: 1, size: 50, md5, etag, checksums: Checksums::default() };
    world.one.add_part(&ObjectKey::from(key), upload, proof).await.expect("a part");
}

fn copying(upload: &UploadId) -> RecordState {
    RecordState::Copying { upload: named(upload) }
}

fn open(world: &World) -> Vec<String> {
    world.destination.uploads().into_iter().map(|upload| upload.upload.0).collect()
}

/// LBB-38: uploads that were left behind were never aborted, and cost money for ever. LBB-40: the tool to clean them up
/// did nothing.
#[tokio::test(start_paused = true)]
async fn lbb_38_lbb_40_own_uploads_that_nobody_works_on_are_aborted_and_their_parts_forgotten() {
    let mut world = World::new();
    world.options.whole_up_to = 1;
    world.options.max_requests = 1;
    world.source.put_bytes("k", &vec![7; 11 * MIB]);
    world.send(&created(&world, "k", "01"));
    // A worker that is killed in the middle, and whose message is lost.
    world.faults.add(Rule::new("put_part", Fault::Stall).on("destination").nth(2));
    let worker = world.worker();
    let run = async { worker.serve(&Drain::new()).await };
    tokio::time::timeout(Duration::from_secs(60), run).await.expect_err("killed");
    world.queue = Arc::new(longbow_testkit::fake::FakeQueue::new());
    assert_eq!((open(&world).len(), world.one.part_count()), (1, 1));
    assert_eq!(sweep(&world).await, report(1, 0, 0, 1, 0), "it is young");
    world.s3.clock().advance(DAY + HOUR);
    assert_eq!(sweep(&world).await, report(1, 1, 1, 0, 0));
    assert_eq!((open(&world).len(), world.one.part_count()), (0, 0));
    assert_eq!(world.observer.counted(Counted::UploadAborted), 1);
    let state = world.one.record("k").expect("a record").state;
    assert!(matches!(state, RecordState::Waiting { upload: None, .. }), "{state:?}");
    // The job is asked for again: all of it is copied anew.
    world.faults.clear();
    world.send(&created(&world, "k", "01"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.parts_reused), (1, 0));
    assert!(open(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_else_s_upload_is_ever_touched() {
    let mut world = World::of_two();
    world.options.sweep_uploads = None;
    let others =
        [begin(&world, "never heard of").await, begin(&world, "k").await, begin(&world, "done").await];
    let own = begin(&world, "k").await;
    record(&world, "k", copying(&own)).await;
    let copied = RecordState::Copied {
        destination_etag: None,
        checksums: Checksums::default(),
        proof: longbow_core::job::Proof::ETag,
    };
    record(&world, "done", copied).await;
    // Another route's state knows of one of them: that is for its own janitor.
    let name = ObjectKey::from("never heard of");
    let md5 = "00000000000000000000000000000002".to_owned();
    let etag = ETag::new(&md5);
    let proof = PartProof { number: 1, size: 50, md5, etag, checksums: Checksums::default() };
    world.two.add_part(&name, &others[0], proof).await.expect("a part");
    world.s3.clock().advance(30 * DAY);
    assert_eq!(sweep(&world).await, report(4, 1, 1, 3, 0));
    let mut left = open(&world);
    left.sort();
    assert_eq!(left, others.map(|upload| upload.0));
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_record_changed_within_the_day_is_alive() {
    let world = World::new();
    let upload = begin(&world, "k").await;
    world.s3.clock().advance(3 * DAY);
    // Resumed and handed back an hour ago.
    let state = RecordState::Waiting {
        upload: Some(named(&upload)),
        class: FailureClass::Throttled,
        reason: "slow down".into(),
    };
    record(&world, "k", state).await;
    part(&world, "k", &upload).await;
    world.s3.clock().advance(23 * HOUR);
    assert_eq!(sweep(&world).await, report(1, 1, 0, 1, 0));
    world.s3.clock().advance(2 * HOUR);
    assert_eq!(sweep(&world).await, report(1, 1, 1, 0, 0));
    let record = world.one.record("k").expect("a record");
    let expected =
        RecordState::Waiting { upload: None, class: FailureClass::Throttled, reason: "slow down".into() };
    assert_eq!((record.attempts, record.state), (3, expected), "what it failed of stays to be read");
}

#[tokio::test(start_paused = true)]
async fn what_superseded_attempts_left_is_known_by_its_parts() {
    let world = World::new();
    let (old, new) = (begin(&world, "k").await, begin(&world, "k").await);
    part(&world, "k", &old).await;
    world.s3.clock().advance(2 * DAY);
    record(&world, "k", copying(&new)).await;
    assert_eq!(sweep(&world).await, report(2, 2, 1, 1, 0));
    assert_eq!(open(&world), [new.0], "the one in work is left");
    assert_eq!(world.one.part_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_upload_whose_answer_was_lost_is_known_by_when_it_began() {
    let world = World::new();
    let before = begin(&world, "k").await;
    world.s3.clock().advance(HOUR);
    let intended = UploadRecord::intended(PartPlan::new(100, 50), false, world.s3.clock().now());
    record(&world, "k", RecordState::Copying { upload: intended }).await;
    world.s3.clock().advance(Duration::from_secs(2));
    begin(&world, "k").await;
    let other = begin(&world, "k2").await;
    world.s3.clock().advance(HOUR);
    let after = begin(&world, "k").await;
    world.s3.clock().advance(2 * DAY);
    assert_eq!(sweep(&world).await, report(4, 1, 1, 3, 0));
    let mut left = open(&world);
    left.sort();
    assert_eq!(left, [before.0, other.0, after.0]);
}

/// The worker takes the job up between the janitor's look and its swap: its own swap comes first, the janitor's is refused.
#[tokio::test(start_paused = true)]
async fn a_worker_that_is_faster_keeps_its_upload() {
    let world = World::new();
    let upload = begin(&world, "k").await;
    record(&world, "k", copying(&upload)).await;
    world.s3.clock().advance(2 * DAY);
    let refused = Fault::Error(StoreErrorKind::PreconditionFailed);
    world.faults.add(Rule::new("swap", refused).about("k"));
    assert_eq!(sweep(&world).await, report(1, 1, 0, 1, 0));
    assert_eq!(open(&world), [upload.0]);
}

/// The worker has loaded the record before the janitor's swap, and goes on with the upload while it is aborted.
#[tokio::test(start_paused = true)]
async fn a_worker_that_is_slower_loses_its_upload_and_nothing_else() {
    for moment in ["list_parts", "put_part", "complete_upload"] {
        let mut world = World::new();
        world.options.whole_up_to = 1;
        world.options.max_requests = 1;
        world.options.sweep_uploads = None;
        world.source.put_bytes("k", &(0..11 * MIB).map(|n| (n % 249) as u8).collect::<Vec<_>>());
        world.send(&created(&world, "k", "01"));
        world.faults.add(Rule::new("put_part", Fault::Stall).on("destination").nth(2));
        let worker = world.worker();
        tokio::time::timeout(Duration::from_secs(30), worker.serve(&Drain::new())).await.expect_err("killed");
        drop(worker);
        world.faults.clear();
        world.s3.clock().advance(2 * DAY);
        // In the very moment at which the worker uses the upload, the janitor does all of its work.
        let ports = world.ports();
        let (go, mut gone) = tokio::sync::mpsc::unbounded_channel();
        world.faults.add(
            Rule::new(
                moment,
                Fault::Before(Arc::new(move || {
                    let _ = go.send(());
                })),
            )
            .on("destination")
            .nth(1),
        );
        world.faults.add(Rule::new(moment, Fault::Delay(Duration::from_secs(5))).on("destination").nth(1));
        let stop = CancellationToken::new();
        let janitor = async {
            gone.recv().await.expect("the worker gets there");
            sweep_uploads(&ports, DAY, &stop).await.expect("a sweep")
        };
        let (swept, summary) = tokio::join!(janitor, world.run());
        assert_eq!(swept, report(1, 1, 1, 0, 0), "{moment}");
        assert_eq!((summary.copied, summary.failed), (1, 0), "{moment}");
        assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"), "{moment}");
        assert_eq!(open(&world), Vec::<String>::new(), "{moment}");
        assert_eq!(world.one.part_count(), 0, "{moment}");
        world.assert_nothing_left();
    }
}

/// Killed between the swap and the abort: the remembered parts tell the next look whose the upload is.
#[tokio::test(start_paused = true)]
async fn what_could_not_be_aborted_is_found_again() {
    let world = World::new();
    let upload = begin(&world, "k").await;
    record(&world, "k", copying(&upload)).await;
    part(&world, "k", &upload).await;
    world.s3.clock().advance(2 * DAY);
    world.faults.add(Rule::new("abort_upload", Fault::Error(StoreErrorKind::Denied)).nth(1));
    world.faults.add(Rule::new("abort_upload", Fault::Stall).nth(2));
    assert_eq!(sweep(&world).await, report(1, 1, 0, 0, 1));
    let stop = CancellationToken::new();
    let (ports, began) = (world.ports(), tokio::time::Instant::now());
    let (swept, ()) = tokio::join!(sweep_uploads(&ports, DAY, &stop), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
    });
    assert!(swept.expect("a sweep").stopped && began.elapsed() < Duration::from_secs(2), "it stops at once");
    assert_eq!(sweep(&world).await, report(1, 1, 1, 0, 0));
    assert!(open(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn thousands_of_uploads_come_page_by_page_and_records_in_batches() {
    let world = World::new();
    world.destination.configure(|s| s.page_size = 7);
    for n in 0..250 {
        let key = format!("k{n:03}");
        let upload = begin(&world, &key).await;
        if n % 2 == 0 {
            record(&world, &key, copying(&upload)).await;
        }
    }
    world.s3.clock().advance(2 * DAY);
    assert_eq!(sweep(&world).await, report(250, 125, 125, 125, 0));
    assert_eq!(world.faults.count("uploads_page"), 36);
    assert_eq!(world.faults.count("load_many"), 36);
    assert_eq!(open(&world).len(), 125);
}

#[tokio::test(start_paused = true)]
async fn a_short_age_is_raised_to_the_longest_reception() {
    let world = World::new();
    let upload = begin(&world, "k").await;
    part(&world, "k", &upload).await;
    world.s3.clock().advance(11 * HOUR);
    let swept = sweep_uploads(&world.ports(), Duration::ZERO, &CancellationToken::new()).await;
    assert_eq!(swept.expect("a sweep"), report(1, 0, 0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_failing_state_store_ends_the_look_and_nothing_is_aborted() {
    let world = World::new();
    let upload = begin(&world, "k").await;
    record(&world, "k", copying(&upload)).await;
    world.s3.clock().advance(2 * DAY);
    for call in ["load_many", "swap"] {
        world.faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Transient)).nth(1));
        let swept = sweep_uploads(&world.ports(), DAY, &CancellationToken::new()).await;
        assert!(matches!(swept, Err(SweepError::State(_))), "{call}: {swept:?}");
    }
    assert_eq!(open(&world), [upload.0]);
}

#[tokio::test(start_paused = true)]
async fn a_worker_looks_within_an_hour_and_every_day_and_stops_at_once() {
    let mut world = World::of_two();
    world.options.exit_when_empty = None;
    let upload = begin(&world, "k").await;
    record(&world, "k", copying(&upload)).await;
    world.s3.clock().advance(2 * DAY);
    let drain = Drain::new();
    let worker = world.worker();
    let begun = tokio::time::Instant::now();
    let user = async {
        tokio::time::sleep(HOUR + Duration::from_secs(10)).await;
        assert!(open(&world).is_empty());
        assert_eq!(world.faults.count("uploads_page"), 2, "each route once");
        tokio::time::sleep(DAY).await;
        assert_eq!(world.faults.count("uploads_page"), 4, "every day");
        // The next look hangs; the worker stops all the same.
        world.faults.add(Rule::new("uploads_page", Fault::Stall).at(Occurrence::Every));
        tokio::time::sleep(DAY).await;
        drain.begin(Stopping::Signal, None);
        let stopped = tokio::time::Instant::now();
        move || stopped.elapsed()
    };
    let (summary, since_stop) = tokio::join!(worker.serve(&drain), user);
    assert!(summary.expect("a run").stopped && begun.elapsed() > 2 * DAY);
    assert!(since_stop() < Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lists_no_uploads_is_told_once_and_not_asked_again() {
    use longbow_core::failure::Feature;
    for (kind, asked) in [(StoreErrorKind::Unsupported(Feature::Other), 1), (StoreErrorKind::Denied, 3)] {
        let mut world = World::new();
        world.options.exit_when_empty = None;
        world.faults.add(Rule::new("uploads_page", Fault::Error(kind)).at(Occurrence::Every));
        let drain = Drain::new();
        let worker = world.worker();
        let user = async {
            tokio::time::sleep(3 * DAY - HOUR).await;
            drain.begin(Stopping::Signal, None);
        };
        let (summary, ()) = tokio::join!(worker.serve(&drain), user);
        assert!(summary.is_ok());
        assert_eq!(world.faults.count("uploads_page"), asked, "{kind:?}");
        let told = world.observer.notices();
        assert_eq!(told.iter().filter(|text| text.contains("left behind")).count(), 1, "{kind:?}: {told:?}");
    }
}
