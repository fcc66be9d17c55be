//! Notes a route's run in the table, for `longbow status`: at its first job, and at its end. A run that was refused is none.
//!
//! A note that cannot be written is a figure that is missing, and no reason to send no jobs.

use std::sync::{Mutex, PoisonError};

use longbow_aws::StateTable;
use longbow_core::failure::BackendError;
use longbow_core::job::{RunPlan, TransferId, TransferRun};
use longbow_core::object::Timestamp;
use longbow_core::port::{OutgoingJob, TransferLog as _};
use longbow_jobsender::cluster::{RouteReport, RunRecord};
use tokio::task::JoinHandle;

use crate::command::fleet::OpenRoute;

/// The note of one route's run.
pub(super) struct Note {
    table: StateTable,
    run: TransferRun,
    /// The first note, on its way.
    begun: Mutex<Option<JoinHandle<()>>>,
}

impl Note {
    /// A run that is about to begin.
    pub(super) fn of(table: &StateTable, transfer: &TransferId, route: &OpenRoute, now: Timestamp) -> Self {
        let OpenRoute { name, asked, .. } = route;
        let sides = (asked.route.source.to_string(), asked.route.destination.to_string());
        let comparison = asked.comparison.to_string();
        let run = TransferRun::begin(transfer.clone(), name.clone(), sides, comparison, now);
        Self { table: table.clone(), run, begun: Mutex::default() }
    }

    /// Notes the end.
    pub(super) async fn end(&self, report: &RouteReport, now: Timestamp) {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(begun) = begun {
            // It must not come after the last one.
            let _ = begun.await;
        }
        write(&self.table, &self.run.clone().end(now, Some(plan(report)), trouble(report))).await;
    }
}

impl RunRecord for Note {
    fn sent(&self, _: &OutgoingJob) -> Result<(), BackendError> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if begun.is_none() {
            let (table, run) = (self.table.clone(), self.run.clone());
            *begun = Some(tokio::spawn(async move { write(&table, &run).await }));
        }
        Ok(())
    }
}

fn plan(report: &RouteReport) -> RunPlan {
    let (copy, skip) = (report.decisions.to_copy(), report.decisions.skipped());
    // A comparison that began anew sends its jobs again; an object is planned once.
    let jobs = if report.manifest.is_some() { report.jobs.sent } else { report.jobs.sent.min(copy.count) };
    RunPlan {
        listed: report.source_listed,
        jobs,
        bytes: copy.bytes,
        skipped: skip.count,
        skipped_bytes: skip.bytes,
        removed: report.removals.as_ref().map_or(0, |removals| removals.removed),
    }
}

fn trouble(report: &RouteReport) -> Option<String> {
    if let Some(error) = &report.error {
        return Some(error.to_string());
    }
    if report.stopped {
        return Some("it was stopped before its end".to_owned());
    }
    let missing = report.jobs.missing();
    (missing > 0).then(|| format!("{missing} jobs could not be sent"))
}

async fn write(table: &StateTable, run: &TransferRun) {
    if let Err(error) = table.note(run).await {
        tracing::warn!(%error, "the run could not be noted: longbow status will not know its plan");
    }
}
