//! The commands, a file or a folder each.

pub(crate) mod completions;
pub(crate) mod demo;
pub(crate) mod man;
mod route;
pub(crate) mod settings;
pub(crate) mod sync;
pub(crate) mod verify;

use crate::screen::Screen;
use crate::settings::ProcessEnvironment;

/// What every command has at hand.
pub(crate) struct Surrounding {
    /// Where text goes.
    pub(crate) screen: Screen,
    /// The variables of the process.
    pub(crate) environment: ProcessEnvironment,
}
