//! `longbow settings`.

use super::Surrounding;
use super::cluster::{settings_parameter, with_parameter};
use crate::cli::{Flags as _, SettingsArgs};
use crate::exit::{CommandError, Exit};
use crate::settings::{FlagLayer, Layers, explain, resolve};

/// Prints all settings; then says what is wrong with them, if anything.
pub(crate) async fn run(args: &SettingsArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let mut flags = FlagLayer::default();
    args.write_down(&mut flags);
    let (layers, verdict) = read(&flags, around).await;
    around.screen.output_line(explain(&layers).trim_end());
    verdict.map(|()| Exit::Done)
}

/// As many layers as can be read, and what stands against them. As the commands of a cluster do it, the parameter is asked for only
/// when the others are without fault.
async fn read(flags: &FlagLayer, around: &Surrounding) -> (Layers, Result<(), CommandError>) {
    let layers = Layers::read(flags, &around.environment);
    let settings = match resolve(&layers, &around.environment) {
        Ok(settings) => settings,
        Err(faults) => return (layers, Err(faults.into())),
    };
    match settings_parameter(&settings.cluster).await {
        Ok(None) => (layers, Ok(())),
        Ok(Some(found)) => {
            let layers = with_parameter(flags, around, &found);
            let verdict = resolve(&layers, &around.environment).map(drop).map_err(CommandError::from);
            (layers, verdict)
        }
        Err(error) => (layers, Err(error)),
    }
}
