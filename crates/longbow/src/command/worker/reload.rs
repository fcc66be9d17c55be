//! Reload: notices that parameters have changed, and opens what they say now.
//!
//! Only looks and opens. A configuration with a fault is told once and passed over; the worker that runs is not touched
//! before the new one is whole.

use std::collections::BTreeMap;
use std::time::Duration;

use super::opened::Opened;
use crate::cli::WorkerArgs;
use crate::command::{Surrounding, fleet};
use crate::exit::CommandError;
use crate::progress::Voice;
use crate::settings::Settings;

/// Waits for another configuration than `now` that is without fault, and opens it. Never ends where nothing can change.
pub(super) async fn next(now: &Opened, args: &WorkerArgs, around: &Surrounding, voice: &Voice) -> Opened {
    let Some(every) = now.settings.cluster.reload_every.filter(|_| !now.parameters.is_empty()) else {
        return std::future::pending().await;
    };
    // What was judged already, good or not.
    let mut judged = now.parameters.clone();
    loop {
        tokio::time::sleep(every).await;
        let found = match versions(now, &judged).await {
            Ok(found) if found == judged => continue,
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(%error, "the parameters could not be looked at; what was read before stays");
                continue;
            }
        };
        match open(now, args, around).await {
            Ok(next) => return next,
            // It may pass by itself: looked at again.
            Err(CommandError::Failed(error)) => {
                tracing::warn!(
                    error,
                    "changed parameters could not be taken yet; what was read before stays"
                );
            }
            Err(error) => {
                tracing::error!(%error, "changed parameters are faulty; what was read before stays");
                voice.notice(&format!(
                    "the parameters have changed and are not taken, the worker goes on as it was: {error}"
                ));
                judged = found;
            }
        }
    }
}

async fn versions(
    now: &Opened,
    names: &BTreeMap<String, i64>,
) -> Result<BTreeMap<String, i64>, CommandError> {
    let list: Vec<&str> = names.keys().map(String::as_str).collect();
    let asked = now.services.versions(&list);
    let found = tokio::time::timeout(Duration::from_secs(60), asked)
        .await
        .map_err(|_| CommandError::Failed("Systems Manager does not answer".to_owned()))??;
    Ok(names.keys().cloned().zip(found).collect())
}

async fn open(now: &Opened, args: &WorkerArgs, around: &Surrounding) -> Result<Opened, CommandError> {
    let fleet = fleet::configure(&args.places, &[], args, around).await?;
    let fixed = fixed(&now.settings, &fleet.settings);
    if !fixed.is_empty() {
        return Err(CommandError::Usage(format!(
            "{} cannot change while a worker runs: start it again",
            fixed.join(", ")
        )));
    }
    Opened::open(fleet).await
}

/// What has changed and cannot be taken without a new process: jobs of another queue are another fleet's, and who asks for
/// metrics has an address.
fn fixed(before: &Settings, after: &Settings) -> Vec<&'static str> {
    let (a, b) = (&before.cluster, &after.cluster);
    let rows = [
        ("cluster.queue_url", a.queue == b.queue),
        ("cluster.dead_letter_queue_url", a.dead_letter_queue == b.dead_letter_queue),
        ("cluster.table", a.table == b.table),
        ("cluster.region", a.region == b.region),
        ("cluster.profile", a.profile == b.profile),
        ("cluster.endpoint_url", a.endpoint_url == b.endpoint_url),
        ("cluster.settings_parameter", a.settings_parameter == b.settings_parameter),
        ("metrics", before.metrics == after.metrics),
    ];
    rows.into_iter().filter(|(_, same)| !same).map(|(key, _)| key).collect()
}
