//! The run itself: the jobsender and the worker side by side, from the first listing to the last verified object.
//!
//! The worker starts at once on what is left over from an earlier run. It ends when the jobsender has ended and the
//! queue is idle, or when it is told to stop.

use std::sync::Arc;

use longbow_core::failure::BackendError;
use longbow_core::job::TransferId;
use longbow_core::port::{ObjectStore, Observer};
use longbow_jobsender::{
    ExtraSink, Jobsender, JobsenderError, JobsenderOptions, JobsenderSummary, LOCAL_BATCH,
};
use longbow_local::{Database, SystemClock};
use longbow_worker::{Worker, WorkerOptions, WorkerPorts, WorkerSummary};
use tokio_util::sync::CancellationToken;

use super::deletion::Gather;
use super::state::{self, Memory};
use crate::command::route::{Asked, Sides};
use crate::memory_limit;
use crate::watch::Watch;

/// A run with all it needs.
pub(super) struct Trip<'a> {
    pub(super) asked: &'a Asked,
    pub(super) sides: &'a Sides,
    pub(super) database: &'a Database,
    pub(super) clock: Arc<SystemClock>,
    pub(super) watch: Arc<Watch>,
    pub(super) transfer: TransferId,
    pub(super) memory: &'a Memory,
}

/// How both ended.
pub(super) struct TripEnd {
    /// Both listings were read to their ends, and all was compared.
    pub(super) compared: bool,
    /// What went wrong, each with its remedy.
    pub(super) troubles: Vec<String>,
    /// Names that are no objects or cannot be keys.
    pub(super) passed_over: (Vec<String>, u64),
}

impl Trip<'_> {
    /// Runs until everything is settled, or `stop` is cancelled.
    pub(super) async fn run(&self, stop: &CancellationToken) -> TripEnd {
        let no_more = CancellationToken::new();
        let no_more_jobs = stop.child_token();
        let worker = Arc::new(self.worker());
        let mut working = {
            let (worker, no_more, stop) = (Arc::clone(&worker), no_more.clone(), stop.clone());
            tokio::spawn(async move { worker.run(no_more, stop).await })
        };
        let jobsender = self.jobsender();
        let mut sending = std::pin::pin!(jobsender.run(self.jobsender_options(), no_more_jobs.clone()));
        let (sent, worked) = tokio::select! {
            sent = &mut sending => {
                if let Ok(summary) = &sent
                    && !summary.stopped
                {
                    state::remember(self.database, self.sides, summary).await;
                }
                no_more.cancel();
                (sent, working.await)
            }
            // It ends first only when it cannot go on: then more jobs are no use.
            worked = &mut working => {
                no_more_jobs.cancel();
                (sending.await, worked)
            }
        };
        let worked =
            worked.unwrap_or_else(|e| Err(BackendError::fatal(format!("the worker broke down: {e}"))));
        end(sent, worked)
    }

    fn worker(&self) -> Worker {
        let settings = &self.asked.settings;
        let ports = WorkerPorts {
            source: Arc::clone(&self.sides.source.store),
            destination: Arc::clone(&self.sides.destination.store),
            route: self.asked.route.clone(),
            queue: Arc::new(self.database.queue()),
            state: Arc::new(self.database.state()),
            clock: self.clock.clone(),
            observer: self.observer(),
        };
        let options = WorkerOptions {
            attempts: settings.worker.attempts.clone(),
            part_size: settings.worker.part_size,
            whole_up_to: settings.worker.whole_up_to,
            visibility: settings.worker.visibility,
            max_objects: settings.worker.max_objects.get(),
            max_requests: settings.worker.max_requests.get(),
            memory_bytes: memory_limit::budget(settings.worker.memory_bytes),
            method: settings.method,
            tags: settings.tags,
            transfer: self.transfer.clone(),
            ..WorkerOptions::default()
        };
        Worker::new(ports, options)
    }

    fn jobsender(&self) -> Jobsender {
        let gather = || Arc::new(Gather::new(self.database.deletions())) as Arc<dyn ExtraSink>;
        Jobsender {
            source: Arc::clone(&self.sides.source.store) as Arc<dyn ObjectStore>,
            destination: Arc::clone(&self.sides.destination.store) as Arc<dyn ObjectStore>,
            route: self.asked.route.clone(),
            queue: Arc::new(self.database.queue()),
            state: Arc::new(self.database.state()),
            clock: self.clock.clone(),
            observer: self.observer(),
            extra: self.asked.settings.delete.then(gather),
        }
    }

    fn jobsender_options(&self) -> JobsenderOptions {
        JobsenderOptions {
            comparison: self.asked.comparison,
            selection: self.asked.selection.clone(),
            transfer: self.transfer.clone(),
            spill: self.database.file().with_extension("sort"),
            source_order: self.memory.source_order,
            destination_order: self.memory.destination_order,
            batch: LOCAL_BATCH,
            dry_run: false,
            find_extra: self.asked.settings.delete,
            max_waiting: 0,
        }
    }

    fn observer(&self) -> Arc<dyn Observer> {
        Arc::clone(&self.watch) as Arc<dyn Observer>
    }
}

fn end(
    sent: Result<JobsenderSummary, JobsenderError>,
    worked: Result<WorkerSummary, BackendError>,
) -> TripEnd {
    let mut end = TripEnd { compared: false, troubles: Vec::new(), passed_over: (Vec::new(), 0) };
    match sent {
        Ok(summary) => {
            end.compared = !summary.stopped;
            end.passed_over = (summary.skipped_names, summary.skipped_count);
        }
        Err(error) => {
            end.troubles
                .push(format!("The comparison ended early: {error}. What was found until then was copied."));
        }
    }
    match worked {
        Ok(summary) if summary.refused => end.troubles.push(
            "The worker stopped by itself: too many objects in a row were refused. Mend the rights of the identity that \
             longbow uses and run the same command again."
                .to_owned(),
        ),
        Ok(_) => {}
        Err(error) => {
            let remedy = "Mend the cause and run the same command again: it goes on where it stopped.";
            end.troubles.push(format!("The copying ended early: {error}. {remedy}"));
        }
    }
    end
}
