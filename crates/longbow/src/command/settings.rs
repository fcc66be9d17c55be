//! `longbow settings`.

use super::Surrounding;
use crate::cli::{Flags as _, SettingsArgs};
use crate::exit::{CommandError, Exit};
use crate::settings::{FlagLayer, Layers, explain, resolve};

/// Prints all settings; then says what is wrong with them, if anything.
pub(crate) fn run(args: &SettingsArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let mut flags = FlagLayer::default();
    args.write_down(&mut flags);
    let layers = Layers::read(&flags, &around.environment);
    around.screen.output_line(explain(&layers).trim_end());
    resolve(&layers, &around.environment)?;
    Ok(Exit::Done)
}
