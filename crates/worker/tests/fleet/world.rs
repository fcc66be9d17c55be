//! Two routes between buckets of one strict fake service, a queue that holds any message, a state a route.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use longbow_core::object::Location;
use longbow_core::port::{JobQueue, MultipartStore, StateStore};
use longbow_core::route::Route;
use longbow_core::routes::{KeyMapping, NamedRoute, OnRemoval, RouteName, RouteTable};
use longbow_testkit::fake::{FakeObserver, FakeQueue, FakeS3, FakeState, FakeStore};
use longbow_testkit::fault::{Faults, FaultyQueue, FaultyState, FaultyStore};
use longbow_worker::{
    DigestOptions, Drain, FleetPorts, RouteOptions, RoutePorts, Worker, WorkerOptions, WorkerPorts,
    WorkerSummary,
};

/// Everything that one test needs. Route `one` goes from `source` to `destination`, route `two` from `source` to
/// `second`.
pub(crate) struct World {
    pub(crate) s3: FakeS3,
    pub(crate) source: Arc<FakeStore>,
    pub(crate) destination: Arc<FakeStore>,
    pub(crate) second: Arc<FakeStore>,
    pub(crate) queue: Arc<FakeQueue>,
    pub(crate) one: Arc<FakeState>,
    pub(crate) two: Arc<FakeState>,
    pub(crate) observer: Arc<FakeObserver>,
    pub(crate) options: WorkerOptions,
    pub(crate) on_removal: OnRemoval,
    pub(crate) both: bool,
    pub(crate) faults: Faults,
}

pub(crate) fn name(text: &str) -> RouteName {
    RouteName::new(text).expect("a name")
}

impl World {
    /// Only route `one`, which propagates removals.
    pub(crate) fn new() -> Self {
        let s3 = FakeS3::new();
        Self {
            source: s3.create_bucket("source"),
            destination: s3.create_bucket("destination"),
            second: s3.create_bucket("second"),
            queue: Arc::new(FakeQueue::new()),
            one: Arc::new(FakeState::new()),
            two: Arc::new(FakeState::new()),
            observer: Arc::new(FakeObserver::new()),
            options: WorkerOptions {
                part_size: 5 << 20,
                method: longbow_core::transfer::MethodPolicy::Stream,
                // Here and now: the hashing thread knows nothing of paused time.
                digests: DigestOptions { here_below: 1 << 40, ..DigestOptions::default() },
                exit_when_empty: NonZeroU32::new(2),
                ..WorkerOptions::fleet()
            },
            on_removal: OnRemoval::Propagate,
            both: false,
            faults: Faults::new(),
            s3,
        }
    }

    /// Both routes.
    pub(crate) fn of_two() -> Self {
        Self { both: true, ..Self::new() }
    }

    /// Buckets that keep versions.
    pub(crate) fn versioned() -> Self {
        let world = Self::new();
        world.source.configure(|s| s.versioned = true);
        world.destination.configure(|s| s.versioned = true);
        world
    }

    pub(crate) fn table(&self) -> RouteTable {
        let route = |text: &str, to: &str| {
            let location = |text: &str| Location::parse(text, false).expect("a location");
            let route = Route { source: location("s3://source"), destination: location(to) };
            let mut named = NamedRoute::new(name(text), route, KeyMapping::Relative);
            named.on_removal = self.on_removal;
            named
        };
        let mut routes = vec![route("one", "s3://destination")];
        if self.both {
            routes.push(route("two", "s3://second/copy"));
        }
        RouteTable::new(routes).expect("a table")
    }

    pub(crate) fn worker(&self) -> Worker {
        let faulty = |name: &str, store: &Arc<FakeStore>| -> Arc<dyn MultipartStore> {
            FaultyStore::new(name, store.clone(), &self.faults)
        };
        let state =
            |state: &Arc<FakeState>| -> Arc<dyn StateStore> { FaultyState::new(state.clone(), &self.faults) };
        let ports = |to: &str, destination: &Arc<FakeStore>, of: &Arc<FakeState>| RoutePorts {
            source: faulty("source", &self.source),
            destination: faulty(to, destination),
            state: state(of),
            observer: None,
            options: RouteOptions::default(),
        };
        let mut routes = HashMap::from([(name("one"), ports("destination", &self.destination, &self.one))]);
        if self.both {
            routes.insert(name("two"), ports("second", &self.second, &self.two));
        }
        let queue: Arc<dyn JobQueue> = FaultyQueue::new(self.queue.clone(), &self.faults);
        let shared =
            FleetPorts { queue, clock: Arc::new(self.s3.clock().clone()), observer: self.observer.clone() };
        Worker::for_routes(shared, self.table(), routes, self.options.clone()).expect("a worker")
    }

    /// What one look of the janitor at route `one` works with.
    pub(crate) fn ports(&self) -> WorkerPorts {
        let table = self.table();
        WorkerPorts {
            source: FaultyStore::new("source", self.source.clone(), &self.faults),
            destination: FaultyStore::new("destination", self.destination.clone(), &self.faults),
            route: table.routes()[0].route.clone(),
            queue: self.queue.clone(),
            state: FaultyState::new(self.one.clone(), &self.faults),
            clock: Arc::new(self.s3.clock().clone()),
            observer: self.observer.clone(),
        }
    }

    /// Runs a worker until the queue is empty.
    pub(crate) async fn run(&self) -> WorkerSummary {
        self.serve(&Drain::new()).await
    }

    pub(crate) async fn serve(&self, drain: &Drain) -> WorkerSummary {
        let worker = self.worker();
        let run = tokio::time::timeout(Duration::from_secs(30 * 24 * 3600), worker.serve(drain));
        run.await.expect("the worker ends").expect("the worker goes on")
    }

    pub(crate) fn send(&self, body: &str) {
        self.queue.push("event", body);
    }

    /// Queue and dead letters are empty.
    pub(crate) fn assert_nothing_left(&self) {
        assert_eq!(self.queue.bodies(), Vec::<String>::new());
        assert_eq!(self.queue.dead_letters(), Vec::new());
    }
}

/// One record of an S3 notification about the bucket `source`.
pub(crate) struct Record<'a> {
    pub(crate) name: &'a str,
    pub(crate) key: &'a str,
    pub(crate) sequencer: &'a str,
    pub(crate) more: String,
}

impl Record<'_> {
    fn json(&self) -> String {
        format!(
            r#"{{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"{}","eventTime":"2026-01-01T00:00:00.000Z","s3":{{"bucket":{{"name":"source"}},"object":{{"key":"{}","sequencer":"{}"{}}}}}}}"#,
            self.name, self.key, self.sequencer, self.more
        )
    }
}

pub(crate) fn notification(records: &[Record<'_>]) -> String {
    let records: Vec<String> = records.iter().map(Record::json).collect();
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
}

/// The event of what the source holds now under the key.
pub(crate) fn created(world: &World, key: &str, sequencer: &str) -> String {
    let object = world.source.object(key).expect("the source object");
    let version = object.version.as_ref().map(|v| format!(r#","versionId":"{}""#, v.0)).unwrap_or_default();
    let more = format!(r#","size":{},"eTag":"{}"{version}"#, object.content.length(), object.etag);
    notification(&[Record { name: "ObjectCreated:Put", key, sequencer, more }])
}

/// The event of a removal.
pub(crate) fn removed(key: &str, sequencer: &str) -> String {
    notification(&[Record { name: "ObjectRemoved:Delete", key, sequencer, more: String::new() }])
}
