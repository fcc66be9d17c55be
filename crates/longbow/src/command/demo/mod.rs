//! `longbow demo`.

use super::Surrounding;
use crate::cli::DemoArgs;
use crate::exit::{CommandError, Exit};

/// Runs the command.
pub(crate) async fn run(_args: &DemoArgs, _around: &Surrounding) -> Result<Exit, CommandError> {
    Ok(Exit::Done)
}
