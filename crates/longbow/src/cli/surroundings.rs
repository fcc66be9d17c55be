//! Flags about the run itself: the settings file and how much is told.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::Flags;
use crate::settings::FlagLayer;

#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "General")]
pub(crate) struct Surroundings {
    /// The settings file (TOML) [default: $XDG_CONFIG_HOME/longbow/config.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Logs more: -v what is done, -vv every decision (LONGBOW_LOG takes a filter)
    #[arg(long, short, action = ArgAction::Count)]
    pub(crate) verbose: u8,
}

impl Flags for Surroundings {
    fn write_down(&self, layer: &mut FlagLayer) {
        layer.file(self.config.clone());
    }
}
