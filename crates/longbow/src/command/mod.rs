//! The commands, a file or a folder each.

mod cluster;
pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod dlq;
pub(crate) mod doctor;
mod fleet;
pub(crate) mod jobs;
pub(crate) mod jobsender;
mod looking;
pub(crate) mod man;
pub(crate) mod report;
mod route;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod verify;
pub(crate) mod worker;

use longbow_core::job::TransferId;

use crate::screen::Screen;
use crate::settings::ProcessEnvironment;

/// What every command has at hand.
pub(crate) struct Surrounding {
    /// Where text goes.
    pub(crate) screen: Screen,
    /// The variables of the process.
    pub(crate) environment: ProcessEnvironment,
}

/// A name for a run that sorts by time and is no other run's.
pub(crate) fn new_transfer() -> TransferId {
    let now = jiff::Timestamp::now();
    TransferId(format!("{}-{}", now.strftime("%Y%m%dT%H%M%S%3fZ"), std::process::id()))
}
