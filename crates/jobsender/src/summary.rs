//! What a comparison found, in figures that add up.

use std::time::Duration;

use longbow_core::diff::{CopyReason, Decision, SkipReason};
use longbow_core::object::KeyOrder;
use longbow_core::port::Side;

/// How many of the names that a store could not list are kept to be shown.
pub(crate) const SHOWN_NAMES: usize = 100;

/// Objects and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Objects.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Tally {
    /// Counts one more object.
    pub fn add(&mut self, bytes: u64) {
        self.count += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn plus(self, other: Self) -> Self {
        Self { count: self.count + other.count, bytes: self.bytes.saturating_add(other.bytes) }
    }
}

/// Source objects by decision. Each object of a complete source listing is in exactly one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Decisions {
    /// To copy: the destination has none.
    pub missing: Tally,
    /// To copy: sizes differ.
    pub size_differs: Tally,
    /// To copy: modification times say so.
    pub newer: Tally,
    /// To copy: tags differ.
    pub etag_differs: Tally,
    /// To copy: the version is not the one that was copied.
    pub version_differs: Tally,
    /// The worker compares checksums first.
    pub inspect: Tally,
    /// Skipped: equal.
    pub same: Tally,
    /// Skipped: recorded as copied.
    pub recorded: Tally,
    /// Skipped: left out by the selection.
    pub excluded: Tally,
}

impl Decisions {
    /// Counts a decision.
    pub fn add(&mut self, decision: Decision, bytes: u64) {
        let tally = match decision {
            Decision::Copy(CopyReason::Missing) => &mut self.missing,
            Decision::Copy(CopyReason::SizeDiffers) => &mut self.size_differs,
            Decision::Copy(CopyReason::Newer) => &mut self.newer,
            Decision::Copy(CopyReason::EtagDiffers) => &mut self.etag_differs,
            Decision::Copy(CopyReason::VersionDiffers) => &mut self.version_differs,
            Decision::Copy(CopyReason::Inspect) => &mut self.inspect,
            Decision::Skip(SkipReason::Same) => &mut self.same,
            Decision::Skip(SkipReason::Recorded) => &mut self.recorded,
            Decision::Skip(SkipReason::Excluded) => &mut self.excluded,
        };
        tally.add(bytes);
    }

    /// The objects of a decision.
    pub fn of(&self, decision: Decision) -> Tally {
        match decision {
            Decision::Copy(CopyReason::Missing) => self.missing,
            Decision::Copy(CopyReason::SizeDiffers) => self.size_differs,
            Decision::Copy(CopyReason::Newer) => self.newer,
            Decision::Copy(CopyReason::EtagDiffers) => self.etag_differs,
            Decision::Copy(CopyReason::VersionDiffers) => self.version_differs,
            Decision::Copy(CopyReason::Inspect) => self.inspect,
            Decision::Skip(SkipReason::Same) => self.same,
            Decision::Skip(SkipReason::Recorded) => self.recorded,
            Decision::Skip(SkipReason::Excluded) => self.excluded,
        }
    }

    /// All that get a job.
    pub fn to_copy(&self) -> Tally {
        let by_reason = [
            self.missing,
            self.size_differs,
            self.newer,
            self.etag_differs,
            self.version_differs,
            self.inspect,
        ];
        by_reason.into_iter().fold(Tally::default(), Tally::plus)
    }

    /// All that are left as they are, the excluded ones included.
    pub fn skipped(&self) -> Tally {
        [self.same, self.recorded, self.excluded].into_iter().fold(Tally::default(), Tally::plus)
    }
}

/// What both listings were like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SidesSummary {
    /// Keys that the source listed.
    pub source_listed: u64,
    /// Keys that the destination listed.
    pub destination_listed: u64,
    /// The order in which the source lists, as far as found out: to be remembered for the next run.
    pub source_order: KeyOrder,
    /// The same of the destination.
    pub destination_order: KeyOrder,
    /// The sides whose listings had to be sorted, since the two share no order.
    pub sorted_on_disk: Vec<Side>,
    /// The first hundred things that are no objects or cannot be copied under any name, each with its reason.
    pub skipped_names: Vec<String>,
    /// How many of them there are in all.
    pub skipped_count: u64,
    /// Whether the stop came before the end: the comparison is incomplete.
    pub stopped: bool,
}

/// What a run of the jobsender found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobsenderSummary {
    /// Source objects by decision.
    pub decisions: Decisions,
    /// Destination-only objects that the selection does not leave out. To be acted upon only when `stopped` is
    /// `false`, and never when the run ended in an error.
    pub extra: Tally,
    /// Keys that the source listed.
    pub source_listed: u64,
    /// Keys that the destination listed.
    pub destination_listed: u64,
    /// Jobs that the queue took. When the comparison started again, only those sent since.
    pub jobs_sent: u64,
    /// The order in which the source lists, as far as found out: to be remembered for the next run.
    pub source_order: KeyOrder,
    /// The same of the destination.
    pub destination_order: KeyOrder,
    /// The sides whose listings had to be sorted, since the two share no order.
    pub sorted_on_disk: Vec<Side>,
    /// The first hundred things that are no objects or cannot be copied under any name, each with its reason.
    pub skipped_names: Vec<String>,
    /// How many of them there are in all.
    pub skipped_count: u64,
    /// Whether the stop came before the end. What was not decided or not sent is found again by the next run.
    pub stopped: bool,
    /// How long it took.
    pub elapsed: Duration,
}
