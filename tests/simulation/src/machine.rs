//! Where workers and runs of the jobsender live: started, killed, started again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longbow_core::backoff::{Backoff, Chance};
use longbow_core::diff::Comparison;
use longbow_core::job::{AttemptsPolicy, TransferId, WhenBusy};
use longbow_core::object::Location;
use longbow_core::route::Route;
use longbow_core::routes::{KeyMapping, NamedRoute, OnRemoval, RouteName, RouteTable};
use longbow_core::selection::KeySelection;
use longbow_core::transfer::MethodPolicy;
use longbow_jobsender::cluster::{
    CheckpointPlan, ClusterJobsender, Input, LockPlan, NoRecord, RouteTask, RunOptions, SendOptions,
};
use longbow_jobsender::{Jobsender, JobsenderOptions};
use longbow_worker::{
    DigestOptions, Drain, FleetPorts, RecordPolicy, RouteOptions, RoutePorts, Stopping, Worker,
    WorkerOptions, WorkerPorts,
};
use tokio_util::sync::CancellationToken;

use crate::fault::Fault;
use crate::journal::{Role, What};
use crate::life::{Life, LifeClock};
use crate::plan::{LEAST_PART, PART, WHOLE_UP_TO};
use crate::port::{Nobody, SimCheckpoints, SimLock, SimQueue, SimState, SimStore};
use crate::world::World;

/// For how long a delivery is hidden from others.
pub(crate) const VISIBILITY: Duration = Duration::from_secs(30);

/// What never changes from schedule to schedule.
struct Fixed {
    route: Route,
    name: RouteName,
    options: WorkerOptions,
}

fn fixed() -> &'static Fixed {
    static FIXED: std::sync::OnceLock<Fixed> = std::sync::OnceLock::new();
    FIXED.get_or_init(|| {
        let location = |bucket: &str| Location::S3 { bucket: bucket.to_owned(), prefix: Default::default() };
        // A name that is valid by the rule of names.
        let name = RouteName::of_pair(0);
        let options = WorkerOptions {
            attempts: AttemptsPolicy {
                max_attempts: 8,
                max_denied: 500,
                backoff: Backoff { first: Duration::from_millis(500), most: Duration::from_secs(20) },
            },
            part_size: PART,
            least_part: LEAST_PART,
            whole_up_to: WHOLE_UP_TO,
            visibility: VISIBILITY,
            receive_wait: Duration::from_secs(20),
            max_requests: 8,
            memory_bytes: 1 << 20,
            // Here and now: the hashing thread knows nothing of paused time.
            digests: DigestOptions { here_below: 1 << 40, ..DigestOptions::default() },
            sweep_uploads: None,
            ..WorkerOptions::fleet()
        };
        Fixed {
            route: Route { source: location("source"), destination: location("destination") },
            name,
            options,
        }
    })
}

/// A worker that runs, and how it is told to stop.
type Process = (Arc<Life>, Drain);

/// The machines of a schedule: what can be done to the processes on them.
#[derive(Default)]
pub(crate) struct Machines {
    workers: Mutex<Vec<Option<Process>>>,
    /// Cancelled when no process is to be started again.
    pub(crate) over: CancellationToken,
}

impl Machines {
    fn running(&self, n: u8) -> Option<Process> {
        let workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.get(usize::from(n)).cloned().flatten()
    }

    fn set(&self, n: u8, process: Option<Process>) {
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::from(n);
        if workers.len() <= index {
            workers.resize(index + 1, None);
        }
        workers[index] = process;
    }

    /// Tells a worker to stop, and what it may take for that.
    pub(crate) fn drain(&self, n: u8, within: Option<Duration>) {
        if let Some((life, drain)) = self.running(n) {
            if !life.died.is_cancelled() && drain.reason().is_none() && !self.over.is_cancelled() {
                life.struck(Fault::Drained);
            }
            drain.begin(Stopping::Signal, within);
        }
    }

    /// Sets the calendar of a worker's machine.
    pub(crate) fn jump(&self, n: u8, by: i64) {
        if let Some((life, _)) = self.running(n) {
            life.struck(Fault::ClockJump);
            life.jumped.fetch_add(by, Ordering::Relaxed);
        }
    }
}

fn options(world: &Arc<World>) -> WorkerOptions {
    let plan = &world.plan;
    WorkerOptions {
        max_objects: plan.objects,
        method: if plan.server_side { MethodPolicy::Auto } else { MethodPolicy::Stream },
        record: if plan.ends_only { RecordPolicy::FinishOnly } else { RecordPolicy::Progress },
        chance: chance(world),
        transfer: TransferId("t".to_owned()),
        ..fixed().options.clone()
    }
}

/// The seed's chance, for whoever asks while the world lasts.
pub(crate) fn chance(world: &Arc<World>) -> Chance {
    let world = Arc::downgrade(world);
    Chance::new(move || world.upgrade().map_or(0.5, |world| world.dice(crate::dice::Dice::unit)))
}

fn table(world: &World) -> RouteTable {
    let mut named = NamedRoute::new(fixed().name.clone(), fixed().route.clone(), KeyMapping::Relative);
    named.events = world.plan.events;
    named.on_removal = if world.plan.propagate { OnRemoval::Propagate } else { OnRemoval::Keep };
    // One route between two buckets cannot be wrong.
    RouteTable::new(vec![named]).unwrap_or_else(|faults| panic!("{faults:?}"))
}

/// The ports of one process of one route.
pub(crate) fn ports(life: &Arc<Life>) -> WorkerPorts {
    WorkerPorts {
        source: SimStore::source(life),
        destination: SimStore::destination(life),
        route: fixed().route.clone(),
        queue: Arc::new(SimQueue(Arc::clone(life))),
        state: Arc::new(SimState(Arc::clone(life))),
        clock: Arc::new(LifeClock(Arc::clone(life))),
        observer: Arc::new(Nobody),
    }
}

fn worker(world: &Arc<World>, life: &Arc<Life>) -> Worker {
    let ports = ports(life);
    if !world.plan.fleet {
        return Worker::new(ports, options(world));
    }
    let WorkerPorts { source, destination, queue, state, clock, observer, .. } = ports;
    let route = RoutePorts { source, destination, state, observer: None, options: RouteOptions::default() };
    let of_route = HashMap::from([(fixed().name.clone(), route)]);
    let shared = FleetPorts { queue, clock, observer };
    // Table and ports are made for each other.
    Worker::for_routes(shared, table(world), of_route, options(world))
        .unwrap_or_else(|fault| panic!("{fault}"))
}

/// A worker's machine: starts it, and starts it again when it has ended or died.
pub(crate) async fn keep_worker(world: Arc<World>, machines: Arc<Machines>, n: u8) {
    while !machines.over.is_cancelled() {
        let life = Life::new(&world, world.born(Role::Worker(n)));
        let drain = Drain::new();
        machines.set(n, Some((Arc::clone(&life), drain.clone())));
        {
            let worker = worker(&world, &life);
            let work = async {
                if world.plan.fleet {
                    worker.serve(&drain).await
                } else {
                    worker.run(CancellationToken::new(), drain.token().clone()).await
                }
            };
            tokio::select! {
                biased;
                () = life.died.cancelled() => {}
                end = work => life.note(What::Ended(end.is_ok())),
            }
        }
        machines.set(n, None);
        let pause = world.dice(|dice| dice.milliseconds(0, 8_000));
        tokio::select! {
            biased;
            () = machines.over.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Runs the jobsender, and again if it dies. The last run of a schedule removes what is to be removed.
pub(crate) async fn run_jobsender(world: Arc<World>, n: u8, last: bool) {
    {
        let mut inner = world.inner();
        inner.running += 1;
        let overlaps = inner.running > 1;
        drop(inner);
        if overlaps {
            world.struck(crate::nature::WORLD, Fault::TwoJobsenders);
        }
    }
    for _ in 0..3 {
        let life = Life::new(&world, world.born(Role::Jobsender(n)));
        let ended = tokio::select! {
            biased;
            () = life.died.cancelled() => None,
            end = one_run(&world, &life, last) => Some(end),
        };
        if let Some(well) = ended {
            life.note(What::Ended(well));
            break;
        }
        let pause = world.dice(|dice| dice.milliseconds(100, 10_000));
        tokio::time::sleep(pause).await;
    }
    world.inner().running -= 1;
}

async fn one_run(world: &Arc<World>, life: &Arc<Life>, last: bool) -> bool {
    let plan = &world.plan;
    let comparison = if plan.by_version { Comparison::Version } else { Comparison::Etag };
    let transfer = TransferId(format!("run-{}", life.who));
    // Never written to: both sides list in byte order.
    let spill = PathBuf::from("unused");
    life.note(What::Listing);
    if !plan.fleet {
        let jobsender = Jobsender {
            source: SimStore::source(life),
            destination: SimStore::destination(life),
            route: fixed().route.clone(),
            queue: Arc::new(SimQueue(Arc::clone(life))),
            state: Arc::new(SimState(Arc::clone(life))),
            clock: Arc::new(LifeClock(Arc::clone(life))),
            observer: Arc::new(Nobody),
            extra: None,
        };
        let options = JobsenderOptions {
            comparison,
            selection: KeySelection::of(&fixed().route.source),
            transfer,
            spill,
            source_order: None,
            destination_order: None,
            batch: 3,
            dry_run: false,
            find_extra: false,
            max_waiting: 0,
        };
        return jobsender.run(options, CancellationToken::new()).await.is_ok();
    }
    let table = table(world);
    let Some(route) = table.routes().first().cloned() else { return false };
    let task = RouteTask {
        route,
        source: SimStore::source(life),
        destination: SimStore::destination(life),
        state: Arc::new(SimState(Arc::clone(life))),
        input: Input::Listings(comparison),
        removals: (last && plan.propagate).then_some(100),
        record: Arc::new(NoRecord),
        observer: Arc::new(Nobody),
    };
    let lock = LockPlan {
        lock: Arc::new(SimLock(Arc::clone(life))),
        name: "jobsender".to_owned(),
        holder: life.who.to_string(),
        time: Duration::from_secs(6),
    };
    let checkpoints = CheckpointPlan {
        store: Arc::new(SimCheckpoints(Arc::clone(life))),
        every: Duration::ZERO,
        oldest: Duration::from_secs(86_400),
    };
    let jobsender = ClusterJobsender {
        queue: Arc::new(SimQueue(Arc::clone(life))),
        clock: Arc::new(LifeClock(Arc::clone(life))),
        lock: (plan.locked && !last).then_some(lock),
        checkpoints: (!last).then_some(checkpoints),
    };
    let busy = if !last && world.dice(|dice| dice.percent(25)) { WhenBusy::Refuse } else { WhenBusy::Append };
    let options = RunOptions {
        transfer,
        when_busy: busy,
        send: SendOptions { tries: 3, at_once: 2, ..SendOptions::default() },
        requests: 1,
        routes_at_once: 1,
        spill,
        dry_run: false,
    };
    match jobsender.run(&table, vec![task], options, CancellationToken::new()).await {
        Ok(report) => report.is_success(),
        Err(_) => false,
    }
}
