//! The programs that run and die: the worker of one route, the worker of a fleet, and a whole `sync` on one machine.

use std::collections::HashMap;
use std::sync::Arc;

use longbow_core::diff::Comparison;
use longbow_core::job::TransferId;
use longbow_core::port::{JobQueue, MultipartStore, StateStore};
use longbow_core::route::Route;
use longbow_core::routes::{KeyMapping, NamedRoute, OnRemoval, RouteName, RouteTable};
use longbow_core::selection::KeySelection;
use longbow_jobsender::{Jobsender, JobsenderOptions};
use longbow_testkit::fault::{Faults, FaultyQueue, FaultyState, FaultyStore};
use longbow_worker::{Drain, FleetPorts, RouteOptions, RoutePorts, Worker, WorkerPorts};
use tokio_util::sync::CancellationToken;

use super::stage::Stage;

/// Which program works on a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// A worker for the only route, whose messages are jobs.
    Worker,
    /// A worker of a fleet, whose messages are events or jobs of any route.
    FleetWorker,
    /// A jobsender that compares both sides, and after it the worker.
    Sync,
}

/// What every program is given: the stage behind a plan of faults.
struct Ports {
    source: Arc<dyn MultipartStore>,
    destination: Arc<dyn MultipartStore>,
    queue: Arc<dyn JobQueue>,
    state: Arc<dyn StateStore>,
    route: Route,
}

impl Stage {
    /// Runs the program until nothing is left to do. An error is one of queue or state, which end the worker of one route.
    pub(super) async fn work(&self, faults: &Faults) -> Result<(), String> {
        for rule in &self.rules {
            faults.add(rule.clone());
        }
        let ports = Ports {
            source: FaultyStore::new("source", self.source.open(), faults),
            destination: FaultyStore::new("destination", self.destination.open(), faults),
            queue: FaultyQueue::new(self.queue.clone(), faults),
            state: FaultyState::new(self.state.clone(), faults),
            route: Route { source: self.source.location(), destination: self.destination.location() },
        };
        match self.program {
            Program::Worker => self.one_route(ports).await,
            Program::FleetWorker => self.fleet(ports).await,
            Program::Sync => {
                self.compare(&ports).await?;
                self.one_route(ports).await
            }
        }
    }

    async fn one_route(&self, ports: Ports) -> Result<(), String> {
        let Ports { source, destination, queue, state, route } = ports;
        let clock = Arc::new(self.s3.clock().clone());
        let observer = self.observer.clone();
        let ports = WorkerPorts { source, destination, route, queue, state, clock, observer };
        let no_more = CancellationToken::new();
        no_more.cancel();
        let worker = Worker::new(ports, self.options.clone());
        worker.run(no_more, CancellationToken::new()).await.map(drop).map_err(|error| error.to_string())
    }

    async fn fleet(&self, ports: Ports) -> Result<(), String> {
        let Ports { source, destination, queue, state, route } = ports;
        let name = RouteName::new("one").expect("a name");
        let mut named = NamedRoute::new(name.clone(), route, KeyMapping::Relative);
        named.on_removal = OnRemoval::Propagate;
        let table = RouteTable::new(vec![named]).expect("a table");
        let of_route =
            RoutePorts { source, destination, state, observer: None, options: RouteOptions::default() };
        let shared =
            FleetPorts { queue, clock: Arc::new(self.s3.clock().clone()), observer: self.observer.clone() };
        let routes = HashMap::from([(name, of_route)]);
        let worker = Worker::for_routes(shared, table, routes, self.options.clone()).expect("a worker");
        worker.serve(&Drain::new()).await.map(drop).map_err(|error| error.to_string())
    }

    async fn compare(&self, ports: &Ports) -> Result<(), String> {
        let jobsender = Jobsender {
            source: ports.source.clone(),
            destination: ports.destination.clone(),
            route: ports.route.clone(),
            queue: ports.queue.clone(),
            state: ports.state.clone(),
            clock: Arc::new(self.s3.clock().clone()),
            observer: self.observer.clone(),
            extra: None,
        };
        let options = JobsenderOptions {
            comparison: Comparison::Etag,
            selection: KeySelection::default(),
            transfer: TransferId("t".into()),
            spill: self.spill.path().join("spill"),
            source_order: None,
            destination_order: None,
            batch: 2,
            dry_run: false,
            find_extra: false,
            max_waiting: 0,
        };
        let sent = jobsender.run(options, CancellationToken::new()).await;
        sent.map(drop).map_err(|error| error.to_string())
    }
}
