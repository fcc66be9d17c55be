//! Opened: one configuration of a worker, everything in it found, checked and answering.
//!
//! Apart from the run, because a run may have several, one after the other: what cannot be opened must not have ended the one
//! before.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroU32;
use std::sync::Arc;

use longbow_aws::{MAX_VISIBILITY, SqsQueue, StateTable};
use longbow_core::backoff::Backoff;
use longbow_core::job::AttemptsPolicy;
use longbow_core::port::Observer;
use longbow_core::routes::{RouteName, RouteTable};
use longbow_worker::{FleetPorts, RouteOptions, RoutePorts, Worker, WorkerOptions};

use crate::backend::Use;
use crate::command::cluster::Services;
use crate::command::fleet::{self, Fleet, OpenRoute};
use crate::command::new_transfer;
use crate::exit::CommandError;
use crate::memory_limit;
use crate::metrics::{Metrics, MetricsWatch};
use crate::progress::Voice;
use crate::settings::Settings;
use crate::watch::Watch;

/// Looks in a row that find an idle queue before a batch is over: its counts are approximate.
const LOOKS: u32 = 3;

/// A configuration, open.
pub(super) struct Opened {
    pub(super) settings: Settings,
    pub(super) services: Services,
    /// What it was read from, with versions.
    pub(super) parameters: BTreeMap<String, i64>,
    queue: Arc<SqsQueue>,
    table: StateTable,
    routes: Vec<OpenRoute>,
    table_of_routes: RouteTable,
    notes: Vec<String>,
}

impl Opened {
    /// Opens queue, table and the stores of all routes.
    pub(super) async fn open(fleet: Fleet) -> Result<Self, CommandError> {
        let Fleet { settings, services, routes, parameters, notes } = fleet;
        let queue = services.queue().await?;
        if queue.dead_letter_url().is_none() {
            return Err(CommandError::Usage(format!(
                "the queue {} has no dead-letter queue, so that a job that cannot be done would have no place to go: give it a \
                 redrive policy, or name a queue by --dead-letter-queue-url",
                queue.url()
            )));
        }
        let table = services.checked_table().await?;
        let routes = Fleet::open(routes, Use::Write).await?;
        let table_of_routes = fleet::table(&routes)?;
        Ok(Self {
            settings,
            services,
            parameters,
            queue: Arc::new(queue),
            table,
            routes,
            table_of_routes,
            notes,
        })
    }

    /// Says what a user should know of it.
    pub(super) fn tell(&self, voice: &Voice) {
        self.notes.iter().for_each(|note| voice.notice(note));
        self.table_of_routes.warnings().iter().for_each(|warning| voice.notice(warning));
        for OpenRoute { name, asked, .. } in &self.routes {
            let (from, to) = (&asked.route.source, &asked.route.destination);
            voice.chatter(&format!("Works on {} for {name}: {from} → {to}", self.queue.url()));
        }
    }

    /// A worker with this configuration.
    pub(super) fn worker(
        &self,
        exit_when_empty: bool,
        metrics: &Arc<Metrics>,
        watch: &Arc<Watch>,
    ) -> Result<Worker, CommandError> {
        let watch = Arc::clone(watch) as Arc<dyn Observer>;
        let ports = FleetPorts {
            queue: self.queue.clone(),
            clock: self.services.clock.clone(),
            observer: Arc::new(MetricsWatch::of_fleet(metrics, Arc::clone(&watch))),
        };
        let options = options(&self.settings, exit_when_empty);
        let own = self.own_ports(metrics, &watch);
        Worker::for_routes(ports, self.table_of_routes.clone(), own, options)
            .map_err(|fault| CommandError::Usage(fault.to_string()))
    }

    /// Each route with its stores, its records and what it does otherwise than the others.
    fn own_ports(&self, metrics: &Arc<Metrics>, watch: &Arc<dyn Observer>) -> HashMap<RouteName, RoutePorts> {
        let own = |route: &OpenRoute| RoutePorts {
            source: Arc::clone(&route.sides.source.store),
            destination: Arc::clone(&route.sides.destination.store),
            state: Arc::new(route.state(&self.table)),
            observer: Some(Arc::new(MetricsWatch::of_route(metrics, route.name.as_str(), Arc::clone(watch)))),
            options: RouteOptions {
                method: Some(route.asked.settings.method),
                tags: Some(route.asked.settings.tags),
                ..RouteOptions::default()
            },
        };
        self.routes.iter().map(|route| (route.name.clone(), own(route))).collect()
    }
}

fn options(settings: &Settings, exit_when_empty: bool) -> WorkerOptions {
    let worker = &settings.worker;
    let fleet = WorkerOptions::fleet();
    let most = settings.cluster.retry_most;
    let attempts = AttemptsPolicy {
        max_attempts: worker.attempts.max_attempts,
        backoff: Backoff { first: fleet.attempts.backoff.first.min(most), most },
        ..fleet.attempts
    };
    WorkerOptions {
        attempts,
        part_size: worker.part_size,
        whole_up_to: worker.whole_up_to,
        visibility: worker.visibility.min(MAX_VISIBILITY),
        max_objects: worker.max_objects.get(),
        max_requests: worker.max_requests.get(),
        memory_bytes: memory_limit::budget(worker.memory_bytes),
        method: settings.method,
        tags: settings.tags,
        record: settings.record,
        sweep_uploads: settings.cluster.sweep_uploads_after,
        exit_when_empty: if exit_when_empty { NonZeroU32::new(LOOKS) } else { None },
        transfer: new_transfer(),
        ..fleet
    }
}
