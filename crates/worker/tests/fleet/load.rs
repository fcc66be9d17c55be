//! Stores that want less: storms of refusals, refusals by chance, stores that allow so many requests a second. All on paused
//! time, with a time for each request, so that rates mean something.

mod poison;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use longbow_core::failure::StoreErrorKind;
use longbow_core::job::{CopyJob, Observation, SourceVersion, TransferId, encode};
use longbow_core::port::Clock as _;
use longbow_testkit::fault::{Fault, Occurrence, Rule};
use longbow_worker::{Drain, Stopping, WorkerSummary};
use tokio::time::Instant;

use crate::world::World;

/// The calls that go to stores.
const CALLS: [&str; 13] = [
    "get",
    "put",
    "head",
    "tags",
    "copy",
    "delete",
    "create_upload",
    "put_part",
    "copy_part",
    "list_parts",
    "uploads_page",
    "complete_upload",
    "abort_upload",
];

/// What a run has done.
struct Seen {
    summary: WorkerSummary,
    /// Requests to both stores.
    requests: usize,
    /// Objects settled in each second since the beginning.
    settled: Vec<usize>,
}

impl Seen {
    /// Objects a second, from one second to another.
    fn rate(&self, from: usize, to: usize) -> f64 {
        self.settled[from..to].iter().sum::<usize>() as f64 / (to - from) as f64
    }
}

/// So many small objects to copy, and one of three parts among each four hundred.
fn filled(small: usize) -> World {
    let mut world = World::new();
    world.options.max_requests = 16;
    world.options.whole_up_to = 1 << 20;
    let parts = vec![5; 11 << 20];
    for n in 0..small {
        ask_for(&world, &format!("k{n:05}"), n.to_string().as_bytes());
        if n % 400 == 200 {
            ask_for(&world, &format!("p{n:05}"), &parts);
        }
    }
    world
}

pub(crate) fn ask_for(world: &World, key: &str, bytes: &[u8]) {
    world.source.put_bytes(key, bytes);
    let object = world.source.object(key).expect("the source object");
    let job = CopyJob {
        source: key.into(),
        destination: key.into(),
        object: SourceVersion {
            size: bytes.len() as u64,
            etag: Some(object.etag.clone()),
            version: None,
            modified: None,
        },
        observed: Observation::Absent,
        inspect: false,
        transfer: TransferId("t".into()),
    };
    world.send(&encode(&job));
}

/// Every request takes its time, some more than others, and is then met by the fault.
pub(crate) fn burden(world: &World, fault: Option<&Fault>) {
    for call in CALLS {
        for port in ["source", "destination"] {
            for (milliseconds, percent) in [(40, 100), (10, 50), (20, 30)] {
                let slow = Fault::Delay(Duration::from_millis(milliseconds));
                let share = Occurrence::Share { percent, seed: milliseconds };
                world.faults.add(Rule::new(call, slow).on(port).at(share));
            }
            if let Some(fault) = fault {
                world.faults.add(Rule::new(call, fault.clone()).on(port));
            }
        }
    }
}

async fn run(world: &World) -> Seen {
    let began = world.s3.clock().now().0;
    let summary = world.run().await;
    let mut settled = vec![0; 4000];
    for report in world.observer.reports() {
        settled[usize::try_from((report.finished.0 - began) / 1000).expect("later")] += 1;
    }
    let journal = world.faults.journal();
    let requests = journal.iter().filter(|c| c.port == "source" || c.port == "destination").count();
    Seen { summary, requests, settled }
}

fn assert_all_arrived(world: &World, objects: usize, seen: &Seen) {
    assert_eq!((seen.summary.copied as usize, seen.summary.failed), (objects, 0));
    assert!(world.observer.reports().iter().all(|report| report.attempts == 1), "no attempt is counted");
    assert!(world.observer.failed_attempts().is_empty(), "no job goes back to the queue");
    world.assert_nothing_left();
}

/// Refuses everything from one moment to another.
fn storm(from: u64, to: u64) -> Fault {
    let began = Instant::now();
    Fault::When(Arc::new(move || {
        let at = began.elapsed();
        let storms = at >= Duration::from_secs(from) && at < Duration::from_secs(to);
        storms.then_some(StoreErrorKind::Throttled)
    }))
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_five_minutes_costs_a_tenth_more_requests_at_most_and_ten_seconds() {
    const OBJECTS: usize = 6000;
    let calm = filled(OBJECTS);
    burden(&calm, None);
    let undisturbed = run(&calm).await;
    let world = filled(OBJECTS);
    burden(&world, Some(&storm(12, 312)));
    let seen = run(&world).await;
    assert_all_arrived(&world, OBJECTS + OBJECTS / 400, &seen);
    let cost = seen.requests as f64 / undisturbed.requests as f64;
    let (before, after) = (seen.rate(6, 11), seen.rate(322, 327));
    println!(
        "{} requests, {} with the storm: {cost:.3}; {before} objects a second before, {after} ten seconds after: {:?}",
        undisturbed.requests,
        seen.requests,
        &seen.settled[310..330]
    );
    assert_eq!(seen.rate(14, 312), 0.0);
    assert!(cost <= 1.1, "{cost}");
    assert!(after >= 0.9 * before, "{after} a second after {before}");
    assert!(world.observer.notices().iter().filter(|n| n.contains("refuses all requests")).count() <= 2);
    assert!(world.observer.notices().iter().any(|n| n.contains("refuses all requests")), "it is said");
}

/// Only one side: what was read and cannot be written waits where it is, and is not read again.
#[tokio::test(start_paused = true)]
async fn a_storm_at_the_destination_alone_makes_nobody_read_in_vain() {
    const OBJECTS: usize = 4000;
    let world = filled(OBJECTS);
    burden(&world, None);
    for call in CALLS {
        world.faults.add(Rule::new(call, storm(10, 310)).on("destination"));
    }
    let seen = run(&world).await;
    assert_all_arrived(&world, OBJECTS + OBJECTS / 400, &seen);
    let reads = world.faults.journal().iter().filter(|c| c.call == "get").count();
    println!("{reads} reads of {OBJECTS} small objects and {} parts", OBJECTS / 400 * 3);
    assert!(reads <= OBJECTS + OBJECTS / 400 * 3 + 8, "{reads} reads");
}

/// A storm that outlasts the patience in one place: jobs go back to the queue, uncounted, and come again.
#[tokio::test(start_paused = true)]
async fn a_storm_of_hours_costs_no_attempt_and_no_job() {
    let world = filled(300);
    burden(&world, Some(&storm(1, 4 * 3600)));
    let seen = world.run().await;
    assert_eq!((seen.copied, seen.failed), (301, 0));
    assert!(world.observer.reports().iter().all(|report| report.attempts == 1));
    world.assert_nothing_left();
    let calls =
        world.faults.journal().iter().filter(|c| c.port == "source" || c.port == "destination").count();
    // One request each two and a half to five seconds and store.
    assert!(calls < 600 + 2 * 4 * 3600 / 2, "{calls} requests in four hours");
}

#[tokio::test(start_paused = true)]
async fn refusals_of_a_third_of_all_requests_slow_down_smoothly() {
    const OBJECTS: usize = 3000;
    let calm = filled(OBJECTS);
    burden(&calm, None);
    let undisturbed = run(&calm).await;
    let world = filled(OBJECTS);
    burden(&world, None);
    for (call, port) in CALLS.iter().flat_map(|call| [(*call, "source"), (*call, "destination")]) {
        let share = Occurrence::Share { percent: 30, seed: 11 };
        world.faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Throttled)).on(port).at(share));
    }
    let seen = run(&world).await;
    assert_all_arrived(&world, OBJECTS + OBJECTS / 400, &seen);
    let cost = seen.requests as f64 / undisturbed.requests as f64;
    let last = |seen: &Seen| seen.settled.iter().rposition(|n| *n > 0).unwrap_or(0) + 1;
    let (calmly, now) = (last(&undisturbed), last(&seen));
    println!("{cost:.3} times the requests, {now} seconds instead of {calmly}: {:?}", &seen.settled[..now]);
    // Each refusal forces one more: 1 / 0.7.
    assert!(cost < 1.6, "{cost}");
    assert!(now < calmly * 5, "{now} s instead of {calmly} s");
}

/// A store that allows so many requests a second, and a few in reserve, and refuses the others.
fn bucket(limit: f64) -> Fault {
    let state = Mutex::new((limit / 10.0, Instant::now()));
    Fault::When(Arc::new(move || {
        let mut state = state.lock().expect("nobody panics");
        let (tokens, last) = *state;
        let now = Instant::now();
        let tokens = (tokens + (now - last).as_secs_f64() * limit).min(limit / 10.0);
        let refused = tokens < 1.0;
        *state = (if refused { tokens } else { tokens - 1.0 }, now);
        refused.then_some(StoreErrorKind::Throttled)
    }))
}

#[tokio::test(start_paused = true)]
async fn a_worker_settles_near_what_a_store_allows() {
    const OBJECTS: usize = 4000;
    for requests in [16, 256] {
        let mut world = filled(OBJECTS);
        world.options.max_requests = requests;
        burden(&world, None);
        let limited = bucket(100.0);
        for call in CALLS {
            world.faults.add(Rule::new(call, limited.clone()).on("destination"));
        }
        let seen = run(&world).await;
        assert_all_arrived(&world, OBJECTS + OBJECTS / 400, &seen);
        let journal = world.faults.journal();
        let asked = journal.iter().filter(|c| c.port == "destination").count();
        let needed = OBJECTS + OBJECTS / 400 * 5;
        let refused = (asked - needed) as f64 / asked as f64;
        let last = seen.settled.iter().rposition(|n| *n > 0).unwrap_or(0) + 1;
        println!(
            "{requests} in flight: {:.1} % refused; {last} s, {} at best",
            refused * 100.0,
            needed / 100
        );
        assert!(refused < 0.1, "{refused}");
        assert!(last < needed / 100 * 3 / 2, "{last} s");
    }
}

/// SIGTERM, Spot: nobody waits for a store that refuses everything, and everything goes back as it is.
#[tokio::test(start_paused = true)]
async fn a_stop_in_a_storm_hands_everything_back_at_once() {
    for within in [None, Some(Duration::from_secs(20))] {
        let world = filled(1000);
        burden(&world, Some(&storm(1, 3600)));
        let drain = Drain::new();
        let begin = drain.clone();
        let stopped = Arc::new(Mutex::new(None));
        let at = Arc::clone(&stopped);
        let stop = async move {
            tokio::time::sleep(Duration::from_secs(60)).await;
            *at.lock().expect("nobody panics") = Some(Instant::now());
            begin.begin(Stopping::Signal, within);
        };
        let (summary, ()) = tokio::join!(world.serve(&drain), stop);
        let took = stopped.lock().expect("nobody panics").expect("it was stopped").elapsed();
        assert!(took < Duration::from_secs(2), "{took:?} with {within:?}");
        assert!(summary.stopped && summary.failed == 0);
        use longbow_core::port::JobQueue as _;
        let depth = world.queue.depth().await.expect("a depth");
        assert_eq!((depth.visible as u64 + summary.copied, depth.in_flight), (1002, 0), "{depth:?}");
        // And the next worker does it all.
        world.faults.clear();
        let again = world.run().await;
        assert_eq!((again.copied + again.skipped + summary.copied, again.failed), (1002, 0));
        assert!(world.observer.reports().iter().all(|report| report.attempts == 1));
        world.assert_nothing_left();
    }
}

/// Who has waited for minutes may have lost the lease meanwhile: it is looked at after the wait, and somebody else writes.
#[tokio::test(start_paused = true)]
async fn nothing_is_written_after_a_lease_that_was_lost_in_a_storm() {
    let world = World::new();
    ask_for(&world, "k", b"x");
    world.faults.add(Rule::new("put", storm(0, 400)).on("destination"));
    world.faults.add(Rule::new("change_visibility", Fault::Stall).at(Occurrence::First(4)));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert!(world.faults.count("receive") >= 2);
    assert_eq!(world.destination.count("put"), 1, "one write came through, under the second lease");
    assert!(world.observer.reports().iter().all(|report| report.attempts == 1));
    world.assert_nothing_left();
}
