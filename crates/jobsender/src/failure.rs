//! Why a comparison failed: one type, so that a caller can tell a listing from the queue and knows what to do.
//!
//! Faults of the stores and backends were classified by their adapters; here they get their context and remedy.

use std::io;
use std::path::PathBuf;

use longbow_core::failure::{BackendError, StoreError};
use longbow_core::port::Side;

/// A comparison that did not come to its end. Jobs that were sent before stand; nothing may be concluded about
/// names that were not compared, least of all that they are missing.
#[derive(Debug, thiserror::Error)]
pub enum JobsenderError {
    /// A page could not be had, or was no page of this listing: the listing is incomplete.
    #[error(
        "the listing of the {} {name} is incomplete: page {page} failed after {attempts} attempt(s): {source}. Nothing was concluded from the missing part; mend the cause and run the same command again",
        side_name(*.side)
    )]
    Listing {
        /// Which side.
        side: Side,
        /// The store as a user knows it.
        name: String,
        /// Which page, from 1.
        page: u64,
        /// How often it was asked for.
        attempts: u32,
        /// The last fault.
        source: StoreError,
    },
    /// The comparison does not fit the two sides.
    #[error("nothing was compared: {0}")]
    Unfit(String),
    /// The queue failed.
    #[error("jobs could not be queued: {0}. Jobs sent so far stand; run the same command again to go on")]
    Queue(#[source] BackendError),
    /// The state store failed.
    #[error("records of earlier copies could not be read: {0}. Run the same command again to go on")]
    State(#[source] BackendError),
    /// The sink of pairs or of destination-only objects failed.
    #[error("what the comparison found could not be kept: {0}")]
    Sink(#[source] BackendError),
    /// A listing could not be sorted on disk.
    #[error(
        "a listing could not be sorted on disk in {}: {source}. Free some room there, or choose another folder for it",
        folder.display()
    )]
    Sort {
        /// Where the sorted runs were to be written.
        folder: PathBuf,
        /// The fault.
        source: io::Error,
    },
    /// A manifest could not be read to its end.
    #[error(
        "the manifest could not be read to its end: {0}. Jobs sent so far stand; mend the cause and run the same command again"
    )]
    Manifest(#[source] StoreError),
    /// The task of a route ended by a fault of this program.
    #[error(
        "the route's task died: {0}. Jobs sent so far stand; please report this, and run the same command again"
    )]
    Died(String),
    /// The queue took the calls but not these jobs.
    #[error(
        "{count} job(s) could not be queued, the first because: {reason}. Mend the cause and run the same command again: it sends them anew"
    )]
    Unsent {
        /// How many.
        count: usize,
        /// The queue's reason for the first of them.
        reason: String,
    },
}

/// A side in words.
pub(crate) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Destination => "destination",
    }
}
