//! The jobsender of a cluster: several routes in one run, one queue, and nothing sent twice without need.
//!
//! ```text
//! lock ─▶ look at the queue ─▶ each route: listings (sharded) ─▶ diff ─▶ sender ─▶ JobQueue
//!  │ kept while the run lasts              or a manifest ──────────────▲   └▶ checkpoint, lists
//!  └ lost: nothing more is sent                                            └▶ removals, at the very end
//! ```
//!
//! Safe to run twice at once, to kill at any moment and to start again: a run sends what is missing, and a job that is
//! sent twice is found done by the worker.

mod checkpoint;
mod guard;
mod lease;
mod lists;
mod manifest;
mod manifest_bytes;
mod outlet;
mod record;
mod removal;
mod route;
mod sender;

use std::path::PathBuf;
use std::sync::Arc;

use longbow_core::failure::BackendError;
use longbow_core::job::{Start, TransferId, WhenBusy};
use longbow_core::port::{Clock, JobQueue, LockError};
use longbow_core::routes::RouteTable;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub use checkpoint::CheckpointPlan;
pub use lease::LockPlan;
pub use lists::{ListError, ListPlan, ListTarget, Lists, WrittenList};
pub use manifest::{Manifest, ManifestReport};
pub use manifest_bytes::{manifest_of_file, manifest_of_object, unpacked};
pub use record::{NoRecord, RunRecord};
pub use removal::RemovalReport;
pub use route::{Input, RouteReport, RouteTask};
pub use sender::{SendCounts, SendOptions, UnsentJob};

use crate::failure::JobsenderError;
use lease::{Keeper, Leave};
use route::Shared;

/// How a run goes about it.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Written into each job.
    pub transfer: TransferId,
    /// What to do while the last batch is unfinished.
    pub when_busy: WhenBusy,
    /// How jobs are sent, for each route.
    pub send: SendOptions,
    /// Requests at once for each listing whose store lists in byte order and can begin after a key; at least 1.
    pub requests: usize,
    /// Routes at once; at least 1.
    pub routes_at_once: usize,
    /// The folder for sorting listings in other orders; made when it is needed.
    pub spill: PathBuf,
    /// Decide and count; send nothing, remove nothing, and leave the queue alone.
    pub dry_run: bool,
}

/// The run with what all routes share.
pub struct ClusterJobsender {
    /// Takes the jobs of all routes.
    pub queue: Arc<dyn JobQueue>,
    /// Times the run.
    pub clock: Arc<dyn Clock>,
    /// Keeps a second jobsender away.
    pub lock: Option<LockPlan>,
    /// Lets a killed run go on.
    pub checkpoints: Option<CheckpointPlan>,
}

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The lock is not to be had.
    #[error("the jobsender does not start: {0}")]
    Lock(#[from] LockError),
    /// The queue could not be looked at.
    #[error("the jobsender does not start, since the queue could not be looked at: {0}")]
    Queue(#[source] BackendError),
    /// The last batch is unfinished.
    #[error("the jobsender does not start: {0}")]
    Busy(String),
}

/// What a run did.
#[derive(Debug)]
pub struct RunReport {
    /// One a route, in the order given.
    pub routes: Vec<RouteReport>,
    /// The lock was lost on the way.
    pub lock_lost: bool,
}

impl RunReport {
    /// Whether every route was one.
    pub fn is_success(&self) -> bool {
        !self.lock_lost && self.routes.iter().all(RouteReport::is_success)
    }

    /// Jobs that were made and are not in the queue, of all routes.
    pub fn missing(&self) -> u64 {
        self.routes.iter().map(|route| route.jobs.missing()).sum()
    }
}

impl ClusterJobsender {
    /// Runs all routes once. `table` is the whole configuration, of which `tasks` may be a part.
    ///
    /// Must be called within a tokio runtime. On `stop` it returns promptly, with what was not sent left for the next run
    /// to find. A route that fails is a report with an error, and the others go on.
    ///
    /// # Errors
    /// [`StartError`] before anything is listed or sent.
    pub async fn run(
        &self,
        table: &RouteTable,
        tasks: Vec<RouteTask>,
        options: RunOptions,
        stop: CancellationToken,
    ) -> Result<RunReport, StartError> {
        // A token of the run's own, which the loss of the lock cancels too.
        let stop = stop.child_token();
        let keeper = match self.lock.clone().filter(|_| !options.dry_run) {
            Some(plan) => Some(Keeper::start(plan, self.clock.clone(), stop.clone()).await?),
            None => None,
        };
        let leave = keeper.as_ref().map_or_else(|| Leave::until(stop.clone()), Keeper::leave);
        let end = match self.look(&options, &leave).await {
            Ok(()) => Ok(self.routes(table, tasks, options, &leave).await),
            Err(error) => Err(error),
        };
        if let Some(keeper) = keeper
            && let Err(error) = keeper.release().await
        {
            tracing::warn!(%error, "the jobsender's lock could not be given up; it ends by itself");
        }
        end
    }

    async fn look(&self, options: &RunOptions, leave: &Leave) -> Result<(), StartError> {
        if options.dry_run {
            return Ok(());
        }
        match guard::look(self.queue.as_ref(), options.when_busy, leave.stop()).await {
            Ok(Start::Go | Start::Look) => Ok(()),
            Ok(Start::Refuse(why)) => Err(StartError::Busy(why)),
            Err(error) => Err(StartError::Queue(error)),
        }
    }

    async fn routes(
        &self,
        table: &RouteTable,
        tasks: Vec<RouteTask>,
        options: RunOptions,
        leave: &Leave,
    ) -> RunReport {
        let permits = Arc::new(Semaphore::new(options.routes_at_once.max(1)));
        let shared = Shared {
            queue: self.queue.clone(),
            clock: self.clock.clone(),
            checkpoints: self.checkpoints.clone(),
            options,
            leave: leave.clone(),
        };
        let mut running = Vec::new();
        for task in tasks {
            let name = task.route.name.clone();
            let no_removals = removal::shared_destination(table, &task.route);
            let (shared, permits) = (shared.clone(), permits.clone());
            let handle = AbortOnDropHandle::new(tokio::spawn(async move {
                // The semaphore is never closed, so there is always a permit in the end.
                let _permit = permits.acquire_owned().await.ok();
                route::run(shared, task, no_removals).await
            }));
            running.push((name, handle));
        }
        let mut routes = Vec::new();
        for (name, handle) in running {
            routes.push(handle.await.unwrap_or_else(|error| {
                let mut report = RouteReport::new(name);
                report.error = Some(JobsenderError::Died(error.to_string()));
                report
            }));
        }
        RunReport { routes, lock_lost: leave.is_lost() }
    }
}

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
