//! A storm of refusals between the real worker and a server, by both ways of the adapter, in real time: what was seen on paused
//! time without a wire (`crates/worker/tests/fleet/load.rs`) is seen here with one, and requests are counted at the server.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use longbow_aws::{SideOptions, connect};
use longbow_core::job::{CopyJob, Observation, SourceVersion, TransferId, encode};
use longbow_core::port::{JobQueue as _, OutgoingJob};
use longbow_testkit::fake::{FakeClock, FakeObserver, FakeQueue, FakeS3, FakeState, FakeStore};
use longbow_testkit::server::{Server, ServerOptions, Turnstile, serve_behind};
use longbow_worker::{Worker, WorkerOptions, WorkerPorts};
use tokio_util::sync::CancellationToken;

use crate::world::World;

const SMALL: usize = 3000;
const PARTS: usize = 4;
/// The request that the storm begins with.
const BEGINS: u64 = 2000;

/// What one run has cost.
struct Cost {
    requests: u64,
    refused: u64,
    took: Duration,
    throttles: u64,
}

fn filled(source: &FakeStore) -> Vec<CopyJob> {
    let mut keys: Vec<String> = (0..SMALL).map(|n| format!("k{n:05}")).collect();
    for key in &keys {
        source.put_bytes(key, key.repeat(100).as_bytes());
    }
    for n in 0..PARTS {
        let key = format!("p{n}");
        source.put_bytes(&key, &vec![5; 11 << 20]);
        keys.insert(n * SMALL / PARTS, key);
    }
    let job = |key: &String| {
        let object = source.object(key).expect("just written");
        CopyJob {
            source: key.as_str().into(),
            destination: key.as_str().into(),
            object: SourceVersion {
                size: object.content.length(),
                etag: Some(object.etag.clone()),
                version: None,
                modified: None,
            },
            observed: Observation::Absent,
            inspect: false,
            transfer: TransferId("t".into()),
        }
    };
    keys.iter().map(job).collect()
}

async fn server(fake: &FakeS3, turnstile: &Turnstile) -> Server {
    let keys = ServerOptions { access_key: "key".into(), secret_key: "secret".into() };
    serve_behind(fake.clone(), keys, turnstile.clone()).await.expect("a free port")
}

async fn run(sdk_only: bool, turnstile: Turnstile) -> Cost {
    let fake = FakeS3::with_clock(FakeClock::from_system());
    let (source, destination) = (fake.create_bucket("source"), fake.create_bucket("destination"));
    let jobs = filled(&source);
    let server = server(&fake, &turnstile).await;
    let options = SideOptions {
        endpoint_url: Some(server.url()),
        access_key: Some("key".into()),
        secret_key: Some("secret".into()),
        sdk_only,
        ..SideOptions::default()
    };
    let queue = Arc::new(FakeQueue::new());
    for job in &jobs {
        let message = OutgoingJob { subject: job.source.clone(), body: encode(job) };
        queue.send(vec![message]).await.expect("a sent job");
    }
    let observer = Arc::new(FakeObserver::new());
    let ports = WorkerPorts {
        source: Arc::new(connect("source", &options).await.expect("keys are given")),
        destination: Arc::new(connect("destination", &options).await.expect("keys are given")),
        route: World::route(),
        queue: queue.clone(),
        state: Arc::new(FakeState::new()),
        clock: Arc::new(FakeClock::from_system()),
        observer: observer.clone(),
    };
    let worker = Worker::new(
        ports,
        WorkerOptions {
            whole_up_to: 1 << 20,
            part_size: 5 << 20,
            max_requests: 32,
            ..WorkerOptions::default()
        },
    );
    let gauges = worker.gauges();
    let no_more = CancellationToken::new();
    no_more.cancel();
    let began = Instant::now();
    let run = worker.run(no_more, CancellationToken::new());
    let summary = tokio::time::timeout(Duration::from_secs(300), run).await.expect("an end").expect("a run");
    assert_eq!((summary.copied as usize, summary.failed), (SMALL + PARTS, 0));
    assert!(observer.reports().iter().all(|report| report.attempts == 1), "no attempt is counted");
    assert!(queue.dead_letters().is_empty() && queue.bodies().is_empty());
    for job in &jobs {
        let key = job.source.as_str();
        assert!(source.get_bytes(key) == destination.get_bytes(key), "{key}");
    }
    Cost {
        requests: turnstile.requests(),
        refused: turnstile.refused(),
        took: began.elapsed(),
        throttles: gauges.read().expect("the worker is there").throttles,
    }
}

/// Refuses everything for so long from its request number [`BEGINS`] on.
fn storm(lasts: Duration) -> Turnstile {
    let state = Mutex::new((0_u64, None::<Instant>));
    Turnstile::new(move || {
        let mut state = state.lock().expect("nobody panics");
        state.0 += 1;
        if state.0 == BEGINS {
            state.1 = Some(Instant::now());
        }
        state.1.is_some_and(|since| since.elapsed() < lasts)
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_on_the_wire_costs_a_tenth_more_requests_at_most_by_both_paths() {
    const LASTS: Duration = Duration::from_secs(20);
    for sdk_only in [false, true] {
        let calm = run(sdk_only, Turnstile::new(|| false)).await;
        let seen = run(sdk_only, storm(LASTS)).await;
        let more = seen.requests as f64 / calm.requests as f64;
        println!(
            "sdk only: {sdk_only}: {} requests in {:?}; with the storm {} in {:?}, of which {} were refused: {more:.3}",
            calm.requests, calm.took, seen.requests, seen.took, seen.refused
        );
        assert_eq!(calm.refused, 0);
        assert!(more <= 1.1, "{more}");
        assert_eq!(seen.throttles, seen.refused, "each refusal was seen, and none repeated below");
        // Long enough for a busy machine; alone it is a few seconds.
        assert!(seen.took < LASTS + calm.took * 3 + Duration::from_secs(30), "{:?}", seen.took);
    }
}
