//! `longbow state`: the table that a cluster remembers in.

use std::time::Duration;

use longbow_aws::TableSchema;
use serde_json::json;

use super::Surrounding;
use super::cluster::{self, Services};
use crate::cli::{ServiceArgs, StateAction, StateArgs};
use crate::exit::{CommandError, Exit};

/// How long Amazon may take to make a table; it takes some ten seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// Runs the command.
pub(crate) async fn run(args: &StateArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    match &args.action {
        StateAction::CreateTable(service) => create(service, around).await,
        StateAction::Schema => {
            let schema = TableSchema::current().to_json();
            around.screen.output_line(&format!("{schema:#}"));
            Ok(Exit::Done)
        }
    }
}

async fn create(args: &ServiceArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let settings = cluster::settings(args, around).await?.cluster;
    let table = Services::open(&settings).await?.table()?;
    let made = table.create(PATIENCE).await.map_err(|e| cluster::at_start("the state table", &e))?;
    let name = settings.table.unwrap_or_default();
    let line = match (args.json, made) {
        (true, _) => json!({"event": "table", "table": name, "made": made}).to_string(),
        (false, true) => format!("The table {name} was made and can be used."),
        (false, false) => format!("The table {name} was there already, with the right schema."),
    };
    around.screen.output_line(&line);
    Ok(Exit::Done)
}
