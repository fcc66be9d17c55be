//! A cluster in memory for the tests of this folder: one S3, one queue, one plan of faults.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longbow_core::diff::Comparison;
use longbow_core::failure::BackendError;
use longbow_core::job::{CopyJob, Message, TransferId, WhenBusy, decode_message};
use longbow_core::object::{Location, ObjectKey};
use longbow_core::port::OutgoingJob;
use longbow_core::route::Route;
use longbow_core::routes::{KeyMapping, NamedRoute, RouteName, RouteTable};
use longbow_testkit::fake::{
    FakeCheckpoints, FakeClock, FakeLock, FakeObserver, FakeQueue, FakeS3, FakeState, FakeStore,
};
use longbow_testkit::fault::{Faults, FaultyCheckpoints, FaultyQueue, FaultyState, FaultyStore};
use tokio_util::sync::CancellationToken;

use super::{
    CheckpointPlan, ClusterJobsender, Input, LockPlan, RouteTask, RunOptions, RunRecord, RunReport,
    SendOptions, StartError,
};

pub(crate) struct Cluster {
    pub(crate) s3: FakeS3,
    pub(crate) queue: Arc<FakeQueue>,
    pub(crate) state: Arc<FakeState>,
    pub(crate) lock: Arc<FakeLock>,
    pub(crate) checkpoints: Arc<FakeCheckpoints>,
    pub(crate) observer: Arc<FakeObserver>,
    pub(crate) record: Arc<Lists>,
    pub(crate) clock: Arc<FakeClock>,
    pub(crate) faults: Faults,
    pub(crate) options: RunOptions,
    pub(crate) locked: bool,
    pub(crate) checkpointed: bool,
    pub(crate) stop: CancellationToken,
    _spill: tempfile::TempDir,
}

/// What a run wrote down.
#[derive(Default)]
pub(crate) struct Lists {
    pub(crate) sent: Mutex<Vec<String>>,
    pub(crate) unsent: Mutex<Vec<(String, String)>>,
    pub(crate) ignored: Mutex<Vec<String>>,
    pub(crate) full: Mutex<bool>,
}

impl Lists {
    fn check(&self) -> Result<(), BackendError> {
        if *self.full.lock().unwrap() { Err(BackendError::fatal("no room for the list")) } else { Ok(()) }
    }
}

impl RunRecord for Lists {
    fn sent(&self, job: &OutgoingJob) -> Result<(), BackendError> {
        self.sent.lock().unwrap().push(job.body.clone());
        self.check()
    }
    fn unsent(&self, subject: &ObjectKey, reason: &str) -> Result<(), BackendError> {
        self.unsent.lock().unwrap().push((subject.as_str().to_owned(), reason.to_owned()));
        self.check()
    }
    fn ignored(&self, key: &ObjectKey) -> Result<(), BackendError> {
        self.ignored.lock().unwrap().push(key.as_str().to_owned());
        self.check()
    }
}

pub(crate) fn named(name: &str, source: &str, destination: &str) -> NamedRoute {
    let at = |text| Location::parse(text, false).unwrap();
    let route = Route { source: at(source), destination: at(destination) };
    NamedRoute::new(RouteName::new(name).unwrap(), route, KeyMapping::Relative)
}

fn bucket(location: &Location) -> &str {
    match location {
        Location::S3 { bucket, .. } => bucket,
        Location::Folder(_) => panic!("a cluster has no folders"),
    }
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let spill = tempfile::tempdir().unwrap();
        let clock = Arc::new(FakeClock::new());
        Self {
            s3: FakeS3::with_clock((*clock).clone()),
            queue: Arc::new(FakeQueue::new()),
            state: Arc::new(FakeState::new()),
            lock: Arc::new(FakeLock::new()),
            checkpoints: Arc::new(FakeCheckpoints::new()),
            observer: Arc::new(FakeObserver::new()),
            record: Arc::new(Lists::default()),
            clock,
            faults: Faults::new(),
            options: RunOptions {
                transfer: TransferId("t".into()),
                when_busy: WhenBusy::Refuse,
                send: SendOptions { tries: 3, ..SendOptions::default() },
                requests: 1,
                routes_at_once: 1,
                spill: spill.path().join("spill"),
                dry_run: false,
            },
            locked: false,
            checkpointed: false,
            stop: CancellationToken::new(),
            _spill: spill,
        }
    }

    /// A bucket with objects of these keys, each holding its key.
    pub(crate) fn bucket(&self, name: &str, keys: &[&str]) -> Arc<FakeStore> {
        let store = self.s3.create_bucket(name);
        for key in keys {
            store.put_bytes(key, key.as_bytes());
        }
        store
    }

    /// A task that compares listings by tags.
    pub(crate) fn task(&self, route: NamedRoute) -> RouteTask {
        let store = |location: &Location| self.s3.create_bucket(bucket(location));
        let (source, destination) = (store(&route.route.source), store(&route.route.destination));
        RouteTask {
            source: FaultyStore::new(&format!("{}-source", route.name), source, &self.faults),
            destination: FaultyStore::new(&format!("{}-destination", route.name), destination, &self.faults),
            state: FaultyState::new(self.state.clone(), &self.faults),
            input: Input::Listings(Comparison::Etag),
            removals: None,
            record: self.record.clone(),
            observer: self.observer.clone(),
            route,
        }
    }

    pub(crate) async fn run(&self, tasks: Vec<RouteTask>) -> Result<RunReport, StartError> {
        let table = RouteTable::new(tasks.iter().map(|task| task.route.clone()).collect()).unwrap();
        let lock = LockPlan {
            lock: self.lock.clone(),
            name: "jobsender".into(),
            holder: "me".into(),
            time: Duration::from_secs(60),
        };
        let checkpoints = CheckpointPlan {
            store: FaultyCheckpoints::new(self.checkpoints.clone(), &self.faults),
            every: Duration::ZERO,
            oldest: Duration::from_secs(86_400),
        };
        let jobsender = ClusterJobsender {
            queue: FaultyQueue::new(self.queue.clone(), &self.faults),
            clock: self.clock.clone(),
            lock: self.locked.then_some(lock),
            checkpoints: self.checkpointed.then_some(checkpoints),
        };
        jobsender.run(&table, tasks, self.options.clone(), self.stop.clone()).await
    }

    /// The jobs in the queue, with their routes.
    pub(crate) fn jobs(&self) -> Vec<(String, CopyJob)> {
        let read = |body: &String| match decode_message(body) {
            Ok(Message::Copy(routed)) => {
                (routed.route.map(|stamp| stamp.name.to_string()).unwrap_or_default(), routed.job)
            }
            other => panic!("{other:?} is no job of ours"),
        };
        self.queue.bodies().iter().map(read).collect()
    }

    /// The source keys of the jobs in the queue, each once.
    pub(crate) fn keys(&self) -> BTreeSet<String> {
        self.jobs().into_iter().map(|(_, job)| job.source.as_str().to_owned()).collect()
    }
}

impl Cluster {
    /// Takes all messages off the queue, as workers do.
    pub(crate) async fn drain(&self) {
        use longbow_core::port::JobQueue;
        let deliveries = self.queue.receive(1_000, Duration::ZERO, Duration::from_secs(60)).await.unwrap();
        for delivery in deliveries {
            self.queue.acknowledge(&delivery.receipt).await.unwrap();
        }
    }
}
