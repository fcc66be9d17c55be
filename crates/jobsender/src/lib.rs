//! The one-shot step that compares two listings and sends a job for each object that has to be copied.
//!
//! ```text
//! listing ─▶ (sort) ─▶ pairs ─▶ diff ─▶ batch ─▶ JobQueue
//!  a task a side        │        └▶ deletion ─▶ ExtraSink
//!                       └ begins again in another order when a side is not in the order walked
//! ```
//!
//! Memory does not grow with the number of keys, and jobs go out while the listings go on. Nothing is concluded from
//! a listing that was not read to its end. This crate copies nothing. It removes nothing either, but for what [`cluster`]
//! is asked to remove at the very end of a run.

#![forbid(unsafe_code)]

mod batch;
pub mod cluster;
mod copied;
mod deletion;
mod diff;
mod failure;
#[cfg(test)]
mod fixture;
mod listing;
mod order;
mod outlet;
mod pairs;
mod patience;
mod run_file;
mod shard;
mod sort;
mod summary;

#[cfg(test)]
mod trip_tests;
#[cfg(test)]
mod walk_tests;

use std::path::PathBuf;
use std::sync::Arc;

use longbow_core::diff::Comparison;
use longbow_core::job::TransferId;
use longbow_core::object::KeyOrder;
use longbow_core::port::{Clock, JobQueue, ObjectStore, Observer, StateStore};
use longbow_core::route::Route;
use longbow_core::selection::KeySelection;
use tokio_util::sync::CancellationToken;

pub use deletion::ExtraSink;
pub use failure::JobsenderError;
pub use pairs::{PairEvent, PairSink, Sides, compare_sides};
pub use patience::set_chance;
pub use summary::{Decisions, JobsenderSummary, SidesSummary, Tally};

/// Jobs a batch that suit a queue on the same machine.
pub const LOCAL_BATCH: usize = 500;

/// How to compare, and how to send.
#[derive(Debug, Clone)]
pub struct JobsenderOptions {
    /// How objects of one name are compared.
    pub comparison: Comparison,
    /// Which names take part, on both sides.
    pub selection: KeySelection,
    /// Written into each job.
    pub transfer: TransferId,
    /// The folder for sorting on disk; made when it is needed.
    pub spill: PathBuf,
    /// The source's order as an earlier run found it; a promise of the store goes before it.
    pub source_order: Option<KeyOrder>,
    /// The same of the destination.
    pub destination_order: Option<KeyOrder>,
    /// Jobs that are sent together at most: [`LOCAL_BATCH`], or what suits the queue. At least 1.
    pub batch: usize,
    /// Decide and count, and send nothing.
    pub dry_run: bool,
    /// Count destination-only objects, and hand them to the sink if there is one.
    pub find_extra: bool,
    /// Send no more while the queue has more visible messages than this; 0 for no bound. Overshot by the batches
    /// on their way.
    pub max_waiting: u64,
}

/// The step with its ports.
pub struct Jobsender {
    /// Where objects come from.
    pub source: Arc<dyn ObjectStore>,
    /// Where they go.
    pub destination: Arc<dyn ObjectStore>,
    /// The prefixes of both.
    pub route: Route,
    /// Takes the jobs.
    pub queue: Arc<dyn JobQueue>,
    /// Knows what was copied before.
    pub state: Arc<dyn StateStore>,
    /// Times the run.
    pub clock: Arc<dyn Clock>,
    /// Watches.
    pub observer: Arc<dyn Observer>,
    /// Takes destination-only objects when [`JobsenderOptions::find_extra`] is set.
    pub extra: Option<Arc<dyn ExtraSink>>,
}

/// Refuses a comparison that the source cannot take part in, before anything is listed.
pub(crate) fn refuse_unfit(comparison: Comparison, source: &dyn ObjectStore) -> Result<(), JobsenderError> {
    let traits = source.traits();
    if comparison == Comparison::Version && traits.folder {
        let text = format!(
            "the source {} is a folder and keeps no versions; compare by size-mtime or checksum",
            traits.name
        );
        return Err(JobsenderError::Unfit(text));
    }
    Ok(())
}

/// The records that a comparison reads along with the listings.
pub(crate) fn copied_records(
    comparison: Comparison,
    state: &Arc<dyn StateStore>,
    after: Option<&str>,
) -> Option<copied::CopiedRecords> {
    (comparison == Comparison::Version).then(|| copied::CopiedRecords::new(state.clone(), after))
}

impl Jobsender {
    /// Compares both sides once, from the first name to the last, and sends a job for each object to copy.
    ///
    /// Must be called within a tokio runtime. Returns when the queue has taken all jobs; on `stop` promptly, with
    /// `stopped` set and what was not sent left for the next run to find. Destination-only objects mean something
    /// only after `Ok` with `stopped` unset.
    ///
    /// # Errors
    /// Any [`JobsenderError`]. Jobs that were sent before stand.
    pub async fn run(
        &self,
        options: JobsenderOptions,
        stop: CancellationToken,
    ) -> Result<JobsenderSummary, JobsenderError> {
        let began = self.clock.elapsed();
        let sides = Sides {
            source: self.source.clone(),
            destination: self.destination.clone(),
            route: self.route.clone(),
            selection: options.selection,
            source_order: options.source_order,
            destination_order: options.destination_order,
            spill: options.spill,
            observer: self.observer.clone(),
        };
        let dispatcher = (!options.dry_run).then(|| {
            batch::Dispatcher::new(self.queue.clone(), options.batch, options.max_waiting, stop.clone())
        });
        refuse_unfit(options.comparison, self.source.as_ref())?;
        let mut extras = options.find_extra.then(|| deletion::Extras::new(self.extra.clone()));
        if let Some(extras) = &mut extras {
            extras.begin().await?;
        }
        let mut decider = diff::Decider {
            comparison: options.comparison,
            source_prefix: self.route.source_prefix(),
            destination_prefix: self.route.destination_prefix(),
            route: self.route.clone(),
            transfer: options.transfer,
            state: self.state.clone(),
            observer: self.observer.clone(),
            stop: stop.clone(),
            outlet: dispatcher,
            extras,
            decisions: Decisions::default(),
            doubtful: Vec::new(),
            copied: copied_records(options.comparison, &self.state, None),
            undecided: false,
            seen: None,
            upto: None,
        };
        let versions = options.comparison == Comparison::Version;
        let plan = pairs::WalkPlan { versions, ..pairs::WalkPlan::default() };
        let listed = pairs::compare_planned(&sides, &stop, &mut decider, plan).await?;
        decider.finish().await?;
        let dropped = decider.outlet.as_ref().is_some_and(batch::Dispatcher::dropped);
        Ok(JobsenderSummary {
            decisions: decider.decisions,
            extra: decider.extras.map(|e| e.found).unwrap_or_default(),
            source_listed: listed.source_listed,
            destination_listed: listed.destination_listed,
            jobs_sent: decider.outlet.as_ref().map_or(0, batch::Dispatcher::sent),
            source_order: listed.source_order,
            destination_order: listed.destination_order,
            sorted_on_disk: listed.sorted_on_disk,
            skipped_names: listed.skipped_names,
            skipped_count: listed.skipped_count,
            stopped: listed.stopped || decider.undecided || dropped,
            elapsed: self.clock.elapsed().saturating_sub(began),
        })
    }
}
