//! `longbow worker`: carries out the jobs of a queue until it is stopped, or until there are none left.
//!
//! One process may have several configurations, one after the other: when parameters have changed, what is in work is
//! finished or handed back, and another worker begins with what they say now.

mod ending;
mod opened;
mod reload;

use std::sync::Arc;
use std::time::Instant;

use longbow_core::failure::BackendError;
use longbow_worker::{Drain, Stopping, Worker, WorkerSummary};
use serde_json::json;

use super::Surrounding;
use super::fleet;
use crate::amounts::{bytes, count};
use crate::cli::WorkerArgs;
use crate::exit::{CommandError, Exit};
use crate::metrics::{Emf, Emitter, Health, Metrics, MetricsServer};
use crate::progress::{Ticker, Voice, VoiceOptions};
use crate::report::ReportFile;
use crate::shutdown::Shutdown;
use crate::watch::Watch;
use ending::Ending;
use opened::Opened;

/// Runs the command.
pub(crate) async fn run(args: &WorkerArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let voice =
        Voice::new(VoiceOptions { json: args.output.json, quiet: args.output.quiet }, around.screen.clone());
    let began = Instant::now();
    let fleet = fleet::configure(&args.places, &[], args, around).await?;
    let (metrics, health, name) = (Metrics::new(), Health::default(), fleet.settings.fleet_name());
    let told = fleet.settings.metrics.clone();
    let _server = match told.listen {
        Some(address) => Some(MetricsServer::start(address, &name, &metrics, &health).await?),
        None => None,
    };
    let mut opened = Opened::open(fleet).await?;
    let report = args.output.report.as_deref().map(ReportFile::create).transpose()?.map(Arc::new);
    let watch = Arc::new(Watch::of_jobs(voice.clone(), report.clone()));
    let signalled = voice.clone();
    let shutdown = Shutdown::watch(move |text| signalled.notice(text))?;
    let reader = Arc::clone(&watch);
    let ticker = Ticker::start(&voice, move || reader.reading(), report.clone());
    let emitter = told.emf.then(|| Emitter::start(&metrics, Emf::new(&name), told.interval, &around.screen));
    let mut summary = WorkerSummary::default();
    let (ending, worked) = loop {
        opened.tell(&voice);
        let worker = opened.worker(args.exit_when_empty, &metrics, &watch)?;
        let drain = Drain::new();
        let ending = Ending::watch(&opened.settings.cluster, &drain, shutdown.stop(), voice.clone())?;
        metrics.attach(worker.gauges());
        health.serving(&drain);
        let (worked, next) = serve(&worker, &drain, &opened, args, around, &voice).await;
        metrics.detach();
        let go_on = drain.reason() == Some(Stopping::Reconfigured) && shutdown.signal().is_none();
        match (worked, next) {
            (Ok(part), Some(next)) if go_on => {
                summary = summary.and(part);
                opened = next;
            }
            (worked, _) => break (ending, worked),
        }
    };
    drop(ticker);
    drop(emitter);
    let mut troubles: Vec<String> = ending.told(opened.services.session()).await.into_iter().collect();
    if let Some(Err(fault)) = report.as_ref().map(|report| report.finish()) {
        troubles.push(fault);
    }
    let summary = summary.and(worked.map_err(|error| {
        CommandError::Failed(format!(
            "the worker cannot go on: {error}. Jobs in work come back to the queue when their visibility ends"
        ))
    })?);
    let exit = match shutdown.signal() {
        // To stop a worker is its usual end.
        Some(_) if troubles.is_empty() => Exit::Done,
        _ if summary.failed > 0 || !troubles.is_empty() => Exit::Failed,
        _ => Exit::Done,
    };
    voice.text(&format!(
        "Ended after {:.1} s: {} copied ({}), {} found equal, {} removed, {} given up",
        began.elapsed().as_secs_f64(),
        count(summary.copied),
        bytes(summary.bytes_copied),
        count(summary.skipped),
        count(summary.deleted),
        count(summary.failed),
    ));
    for trouble in &troubles {
        voice.text(trouble);
    }
    voice.event(&json!({
        "event": "summary",
        "exit": exit.code(),
        "copied": summary.copied,
        "skipped": summary.skipped,
        "deleted": summary.deleted,
        "failed": summary.failed,
        "bytes_copied": summary.bytes_copied,
        "bytes_sent": summary.bytes_sent,
        "parts_reused": summary.parts_reused,
        "stopped": summary.stopped,
        "troubles": troubles,
    }));
    Ok(exit)
}

/// Works until the drain begins, or until parameters have changed: then drains, and gives what they say now.
async fn serve(
    worker: &Worker,
    drain: &Drain,
    opened: &Opened,
    args: &WorkerArgs,
    around: &Surrounding,
    voice: &Voice,
) -> (Result<WorkerSummary, BackendError>, Option<Opened>) {
    let serving = worker.serve(drain);
    tokio::pin!(serving);
    let next = tokio::select! {
        worked = &mut serving => return (worked, None),
        next = reload::next(opened, args, around, voice) => next,
    };
    let within = opened.settings.cluster.drain_within;
    voice.notice("the parameters have changed: what is in work is finished or handed back, then they hold");
    drain.begin(Stopping::Reconfigured, Some(within));
    (serving.await, Some(next))
}
