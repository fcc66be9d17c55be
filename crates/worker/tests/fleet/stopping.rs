//! Stops, heartbeats and SQS's longest time: unfinished jobs go back at once, uncounted, with their parts.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::object::ObjectKey;
use longbow_core::port::{
    CompleteRequest, Counted, CreateRequest, JobQueue as _, MultipartStore as _, PartRequest, PutBody,
};
use longbow_testkit::fake::Call;
use longbow_testkit::fault::{Fault, Occurrence, Rule};
use longbow_worker::{Drain, Stopping};

use crate::world::{World, created};

const MIB: usize = 1 << 20;

fn part_bytes(world: &World) -> u64 {
    let sizes = world.s3.journal().into_iter().filter_map(|e| match e.call {
        Call::PutPart { size, .. } if e.reply.is_ok() => Some(size),
        _ => None,
    });
    sizes.sum()
}

fn big(world: &World) {
    world.source.put_bytes("k", &(0..11 * MIB).map(|n| (n % 249) as u8).collect::<Vec<_>>());
    world.send(&created(world, "k", "01"));
}

fn in_parts() -> World {
    let mut world = World::new();
    world.options.whole_up_to = 1;
    world.options.max_requests = 1;
    world
}

/// LBB-31: a time limit stopped nothing and threw finished parts away. LBB-32: a job that a Spot interruption or a failure left stayed hidden for an hour and counted as received.
#[tokio::test(start_paused = true)]
async fn lbb_32_what_is_unfinished_when_the_time_is_over_goes_back_at_once_with_its_parts() {
    for why in [Stopping::SpotInterruption, Stopping::Rebalance, Stopping::Terminating, Stopping::Signal] {
        let world = in_parts();
        big(&world);
        // The second part never ends.
        world.faults.add(Rule::new("put_part", Fault::Stall).on("destination").nth(2));
        let drain = Drain::new();
        let begin = drain.clone();
        let stop = move || begin.begin(why, Some(Duration::from_secs(20)));
        world.faults.add(Rule::new("get", Fault::After(Arc::new(stop))).on("source").nth(2));
        let began = tokio::time::Instant::now();
        let summary = world.serve(&drain).await;
        assert!(summary.stopped && summary.copied == 0 && summary.failed == 0);
        assert_eq!(drain.reason(), Some(why));
        assert!(began.elapsed() < Duration::from_secs(25), "bounded by the time of the drain");
        assert_eq!(world.queue.depth().await.expect("a depth").visible, 1, "visible at once");
        assert_eq!(world.one.record("k").expect("a record").attempts, 0);
        assert_eq!(world.one.part_count(), 1);
        world.faults.clear();
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.parts_reused), (1, 1));
        assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"));
        assert_eq!(part_bytes(&world), 11 * MIB as u64, "every part was sent once");
        assert_eq!(world.observer.report("k").expect("a report").attempts, 1);
        world.assert_nothing_left();
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_without_a_bound_finishes_what_runs_and_ends_soon() {
    let mut world = World::new();
    world.options.exit_when_empty = None;
    world.source.put_bytes("k", b"x");
    world.send(&created(&world, "k", "01"));
    let drain = Drain::new();
    let begin = drain.clone();
    let stop = move || begin.begin(Stopping::Signal, None);
    world.faults.add(Rule::new("put", Fault::Before(Arc::new(stop))).on("destination"));
    let began = tokio::time::Instant::now();
    let summary = world.serve(&drain).await;
    assert_eq!((summary.copied, summary.stopped), (1, true));
    assert!(began.elapsed() < Duration::from_secs(2));
    world.assert_nothing_left();
}

/// LBB-30: there was no heartbeat: an object that took longer than the visibility was worked on twice.
#[tokio::test(start_paused = true)]
async fn lbb_30_an_object_that_takes_hours_is_worked_on_by_one_worker_only() {
    let world = in_parts();
    big(&world);
    let slow = Fault::Delay(Duration::from_secs(3600));
    world.faults.add(Rule::new("put_part", slow).on("destination"));
    let (first, second) = (world.worker(), world.worker());
    let drain = Drain::new();
    let (one, two) = tokio::join!(first.serve(&drain), async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        second.serve(&drain).await
    });
    let (one, two) = (one.expect("a run"), two.expect("a run"));
    assert_eq!((one.copied, two.copied + two.skipped), (1, 0));
    assert_eq!(part_bytes(&world), 11 * MIB as u64);
    assert_eq!(
        world.faults.count("list_parts"),
        0,
        "nobody has gone on with it, since nobody else has had it"
    );
    world.assert_nothing_left();
}

/// LBB-62: ten messages were fetched and handled one after the other without extending their visibility.
#[tokio::test(start_paused = true)]
async fn lbb_62_all_leases_are_extended_together_while_every_permit_is_taken() {
    let mut world = World::new();
    world.options.max_requests = 1;
    for n in 0..40 {
        let key = format!("k{n}");
        world.source.put_bytes(&key, &[n; 100]);
        world.send(&created(&world, &key, "01"));
    }
    world.faults.add(Rule::new("get", Fault::Delay(Duration::from_secs(50))).on("source"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (40, 0));
    assert_eq!(world.faults.count("get"), 40, "nothing was done twice");
    let beats = world.faults.count("change_visibility");
    assert!(beats < 60, "{beats} calls for 40 leases and 2,000 seconds: one call for all that are due");
    world.assert_nothing_left();
}

/// A call to the queue that hangs must not keep a worker from noticing that its leases are lost.
#[tokio::test(start_paused = true)]
async fn a_worker_whose_queue_hangs_writes_nothing_after_its_lease() {
    for (port, slow, write) in [("destination", "put_part", "complete_upload"), ("source", "get", "put")] {
        let mut world = if write == "put" { World::new() } else { in_parts() };
        // One at a time: the queue is asked again only when the first attempt has ended.
        world.options.max_objects = 1;
        big(&world);
        world.faults.add(Rule::new("change_visibility", Fault::Stall).at(Occurrence::First(4)));
        let delay = Fault::Delay(Duration::from_secs(170));
        world.faults.add(Rule::new(slow, delay).on(port).at(Occurrence::First(1)));
        let summary = world.run().await;
        assert_eq!((summary.copied, summary.failed), (1, 0), "{write}");
        let journal = world.faults.journal();
        let received: Vec<u64> = journal.iter().filter(|c| c.call == "receive").map(|c| c.number).collect();
        let written = journal.iter().find(|c| c.call == write).expect("a write");
        assert!(received[1] < written.number, "{write} only under a new lease");
        assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"));
        world.assert_nothing_left();
    }
}

/// A heartbeat that is told that the delivery is somebody else's by now ends the work under it.
#[tokio::test(start_paused = true)]
async fn a_delivery_that_is_somebody_else_s_by_now_is_worked_on_no_more() {
    let mut world = in_parts();
    // One at a time, so that nobody here takes the job again while the first attempt is at work.
    world.options.max_objects = 1;
    big(&world);
    let queue = world.queue.clone();
    let taken = Fault::After(Arc::new(move || queue.redeliver()));
    world.faults.add(Rule::new("create_upload", taken).on("destination").nth(1));
    let slow = Fault::Delay(Duration::from_secs(170));
    world.faults.add(Rule::new("put_part", slow).on("destination").at(Occurrence::First(1)));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    let journal = world.faults.journal();
    let received: Vec<u64> = journal.iter().filter(|c| c.call == "receive").map(|c| c.number).collect();
    let under_the_first = journal.iter().filter(|c| c.call == "put_part" && c.number < received[1]).count();
    assert_eq!(under_the_first, 1, "no part is begun after the lease is known to be lost");
    let completed = journal.iter().find(|c| c.call == "complete_upload").expect("a completion");
    assert!(received[1] < completed.number, "completed only under a new lease");
    world.assert_nothing_left();
}

/// The source object, written in so many parts of 5 MiB.
async fn written_in_parts(world: &World, count: u32) {
    let key = ObjectKey::from("k");
    let size = u64::from(count) * (5 << 20);
    let upload = world.source.create_upload(&key, &CreateRequest { size, ..Default::default() }).await;
    let upload = upload.expect("an upload");
    let mut parts = Vec::new();
    for number in 1..=count {
        let bytes = vec![u8::try_from(number).expect("few parts"); 5 << 20];
        let request = PartRequest { number, offset: u64::from(number - 1) * (5 << 20), md5: None };
        let body = PutBody::Kept(vec![bytes.into()]);
        let part = world.source.put_part(&key, &upload, body, &request).await.expect("a part");
        parts.push((number, part.etag.expect("a tag")));
    }
    let request = CompleteRequest { parts, size, ..Default::default() };
    world.source.complete_upload(&key, &upload, &request).await.expect("an object");
}

/// The store's own copies take hours, too: none is asked for under a lease that is lost.
#[tokio::test(start_paused = true)]
async fn no_part_is_copied_by_the_store_after_the_lease() {
    let mut world = in_parts();
    world.options.method = longbow_core::transfer::MethodPolicy::ServerSide;
    written_in_parts(&world, 7).await;
    world.send(&created(&world, "k", "01"));
    world.faults.add(Rule::new("change_visibility", Fault::Stall).at(Occurrence::First(4)));
    let slow = Fault::Delay(Duration::from_secs(100));
    world.faults.add(Rule::new("copy_part", slow).on("destination").at(Occurrence::First(4)));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    let journal = world.faults.journal();
    // The second attempt begins with what the first has left.
    let again = journal.iter().find(|c| c.call == "list_parts").expect("a second attempt").number;
    let under_the_first = journal.iter().filter(|c| c.call == "copy_part" && c.number < again).count();
    assert!((1..=3).contains(&under_the_first), "{under_the_first} of 7 parts");
    assert!(world.destination.get_bytes("k") == world.source.get_bytes("k"));
    world.assert_nothing_left();
}

/// SQS ends every reception after twelve hours, however often it was extended.
#[tokio::test(start_paused = true)]
async fn a_job_of_eleven_hours_goes_back_before_the_queue_takes_it_away() {
    let world = in_parts();
    world.destination.configure(|s| s.keep_bytes = false);
    world.source.put_virtual("k", 6 * (5 << 20), 3);
    world.send(&created(&world, "k", "01"));
    // One part at a time and nearly three hours for each: at eleven hours some are missing.
    let slow = Fault::Delay(Duration::from_secs(10_200));
    world.faults.add(Rule::new("put_part", slow).on("destination"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert!((4..6).contains(&summary.parts_reused), "{}", summary.parts_reused);
    let report = world.observer.report("k").expect("a report");
    assert_eq!(report.attempts, 1, "giving it back is no failed attempt");
    assert_eq!(world.observer.counted(Counted::HandedBack), 1);
    assert_eq!(part_bytes(&world), 6 * (5 << 20), "every part was sent once");
    world.assert_nothing_left();
}
