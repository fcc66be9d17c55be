//! `longbow worker`: carries out the jobs of a queue until it is stopped, or until there are none left.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longbow_aws::MAX_VISIBILITY;
use longbow_core::job::AttemptsPolicy;
use longbow_core::port::Observer;
use longbow_worker::{Worker, WorkerOptions, WorkerPorts};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::cluster::{self, Services};
use super::{Surrounding, new_transfer, route};
use crate::amounts::{bytes, count};
use crate::backend::Use;
use crate::cli::WorkerArgs;
use crate::exit::{CommandError, Exit};
use crate::memory_limit;
use crate::progress::{Ticker, Voice, VoiceOptions};
use crate::report::ReportFile;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::watch::Watch;

/// Runs the command.
pub(crate) async fn run(args: &WorkerArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let asked = route::read(&args.source, &args.destination, args, around)?;
    cluster::only_buckets(&asked.route)?;
    let voice =
        Voice::new(VoiceOptions { json: args.output.json, quiet: args.output.quiet }, around.screen.clone());
    let began = Instant::now();
    let services = Services::open(&asked.settings.cluster).await?;
    let queue = services.queue().await?;
    if queue.dead_letter_url().is_none() {
        return Err(CommandError::Usage(format!(
            "the queue {} has no dead-letter queue, so that a job that cannot be done would have no place to go: give it a \
             redrive policy, or name a queue by --dead-letter-queue-url",
            queue.url()
        )));
    }
    let table = services.checked_table().await?;
    let sides = route::open(&asked, Use::Write).await?;
    let report = args.output.report.as_deref().map(ReportFile::create).transpose()?.map(Arc::new);
    let watch =
        Arc::new(Watch::new(asked.route.clone(), asked.comparison, voice.clone(), report.clone(), false));
    let told = voice.clone();
    let shutdown = Shutdown::watch(move |text| told.notice(text))?;
    voice.chatter(&format!(
        "Works on {} for {} → {}",
        queue.url(),
        asked.route.source,
        asked.route.destination
    ));

    let ports = WorkerPorts {
        source: Arc::clone(&sides.source.store),
        destination: Arc::clone(&sides.destination.store),
        route: asked.route.clone(),
        queue: Arc::new(queue),
        state: Arc::new(cluster::state(&table, &asked.route, &sides)),
        clock: services.clock.clone(),
        observer: Arc::clone(&watch) as Arc<dyn Observer>,
    };
    let no_more = CancellationToken::new();
    if args.exit_when_empty {
        no_more.cancel();
    }
    let reader = Arc::clone(&watch);
    let ticker = Ticker::start(&voice, move || reader.reading(), report.clone());
    let worked = Worker::new(ports, options(&asked.settings)).run(no_more, shutdown.stop()).await;
    drop(ticker);
    let mut troubles = Vec::new();
    if let Some(Err(fault)) = report.as_ref().map(|report| report.finish()) {
        troubles.push(fault);
    }
    let summary = worked.map_err(|error| {
        CommandError::Failed(format!(
            "the worker cannot go on: {error}. Jobs in work come back to the queue when their visibility ends"
        ))
    })?;
    let exit = match shutdown.signal() {
        // To stop a worker is its usual end.
        Some(_) if troubles.is_empty() => Exit::Done,
        _ if summary.failed > 0 || !troubles.is_empty() => Exit::Failed,
        _ => Exit::Done,
    };
    voice.text(&format!(
        "Ended after {:.1} s: {} copied ({}), {} found equal, {} given up",
        began.elapsed().as_secs_f64(),
        count(summary.copied),
        bytes(summary.bytes_copied),
        count(summary.skipped),
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
        "failed": summary.failed,
        "bytes_copied": summary.bytes_copied,
        "bytes_sent": summary.bytes_sent,
        "parts_reused": summary.parts_reused,
        "stopped": summary.stopped,
        "troubles": troubles,
    }));
    Ok(exit)
}

fn options(settings: &Settings) -> WorkerOptions {
    let worker = &settings.worker;
    let mut attempts = AttemptsPolicy {
        // A policy may be mended while jobs wait: refusals never put a job aside.
        max_denied: u32::MAX,
        ..worker.attempts.clone()
    };
    attempts.backoff.most = settings.cluster.retry_most.max(attempts.backoff.first);
    WorkerOptions {
        attempts,
        part_size: worker.part_size,
        whole_up_to: worker.whole_up_to,
        visibility: worker.visibility.min(MAX_VISIBILITY),
        // Also how late a stop is noticed when there is nothing to do.
        receive_wait: Duration::from_secs(2),
        max_objects: worker.max_objects.get(),
        max_requests: worker.max_requests.get(),
        memory_bytes: memory_limit::budget(worker.memory_bytes),
        method: settings.method,
        tags: settings.tags,
        denied_in_a_row: None,
        transfer: new_transfer(),
        ..WorkerOptions::default()
    }
}
