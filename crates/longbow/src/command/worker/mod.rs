//! `longbow worker`: carries out the jobs of a queue until it is stopped, or until there are none left.

mod ending;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Instant;

use longbow_aws::{MAX_VISIBILITY, StateTable};
use longbow_core::backoff::Backoff;
use longbow_core::job::AttemptsPolicy;
use longbow_core::port::Observer;
use longbow_core::routes::RouteName;
use longbow_worker::{Drain, FleetPorts, RouteOptions, RoutePorts, Worker, WorkerOptions};
use serde_json::json;

use super::fleet::{self, Fleet, OpenRoute};
use super::{Surrounding, new_transfer};
use crate::amounts::{bytes, count};
use crate::backend::Use;
use crate::cli::WorkerArgs;
use crate::exit::{CommandError, Exit};
use crate::memory_limit;
use crate::metrics::{Emf, Emitter, Health, Metrics, MetricsServer, MetricsWatch};
use crate::progress::{Ticker, Voice, VoiceOptions};
use crate::report::ReportFile;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::watch::Watch;
use ending::Ending;

/// Looks in a row that find an idle queue before a batch is over: its counts are approximate.
const LOOKS: u32 = 3;

/// Runs the command.
pub(crate) async fn run(args: &WorkerArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let voice =
        Voice::new(VoiceOptions { json: args.output.json, quiet: args.output.quiet }, around.screen.clone());
    let began = Instant::now();
    let Fleet { settings, services, routes, notes } =
        fleet::configure(&args.places, &[], args, around).await?;
    let (metrics, health, fleet) = (Metrics::new(), Health::default(), settings.fleet_name());
    let _server = match settings.metrics.listen {
        Some(address) => Some(MetricsServer::start(address, &fleet, &metrics, &health).await?),
        None => None,
    };
    notes.iter().for_each(|note| voice.notice(note));
    let queue = services.queue().await?;
    if queue.dead_letter_url().is_none() {
        return Err(CommandError::Usage(format!(
            "the queue {} has no dead-letter queue, so that a job that cannot be done would have no place to go: give it a \
             redrive policy, or name a queue by --dead-letter-queue-url",
            queue.url()
        )));
    }
    let table = services.checked_table().await?;
    let open = Fleet::open(routes, Use::Write).await?;
    let table_of_routes = fleet::table(&open)?;
    table_of_routes.warnings().iter().for_each(|warning| voice.notice(warning));
    let report = args.output.report.as_deref().map(ReportFile::create).transpose()?.map(Arc::new);
    let watch = Arc::new(Watch::of_jobs(voice.clone(), report.clone()));
    let told = voice.clone();
    let shutdown = Shutdown::watch(move |text| told.notice(text))?;
    for OpenRoute { name, asked, .. } in &open {
        let (from, to) = (&asked.route.source, &asked.route.destination);
        voice.chatter(&format!("Works on {} for {name}: {from} → {to}", queue.url()));
    }
    let ports = FleetPorts {
        queue: Arc::new(queue),
        clock: services.clock.clone(),
        observer: Arc::new(MetricsWatch::of_fleet(&metrics, Arc::clone(&watch) as Arc<dyn Observer>)),
    };
    let options = options(&settings, args.exit_when_empty);
    let worker =
        Worker::for_routes(ports, table_of_routes, own_ports(&open, &table, &metrics, &watch), options)
            .map_err(|fault| CommandError::Usage(fault.to_string()))?;
    let drain = Drain::new();
    let ending = Ending::watch(&settings.cluster, &drain, shutdown.stop(), voice.clone())?;
    let reader = Arc::clone(&watch);
    let ticker = Ticker::start(&voice, move || reader.reading(), report.clone());
    metrics.attach(worker.gauges());
    let emf = settings.metrics.emf.then(|| Emf::new(&fleet));
    let emitter = emf.map(|emf| Emitter::start(&metrics, emf, settings.metrics.interval, &around.screen));
    health.serving(&drain);
    let worked = worker.serve(&drain).await;
    drop(ticker);
    drop(emitter);
    metrics.detach();
    let mut troubles: Vec<String> = ending.told(services.session()).await.into_iter().collect();
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

/// Each route with its stores, its records and what it does otherwise than the others.
fn own_ports(
    open: &[OpenRoute],
    table: &StateTable,
    metrics: &Arc<Metrics>,
    watch: &Arc<Watch>,
) -> HashMap<RouteName, RoutePorts> {
    let own = |route: &OpenRoute| RoutePorts {
        source: Arc::clone(&route.sides.source.store),
        destination: Arc::clone(&route.sides.destination.store),
        state: Arc::new(route.state(table)),
        observer: Some(Arc::new(MetricsWatch::of_route(
            metrics,
            route.name.as_str(),
            Arc::clone(watch) as Arc<dyn Observer>,
        ))),
        options: RouteOptions {
            method: Some(route.asked.settings.method),
            tags: Some(route.asked.settings.tags),
            ..RouteOptions::default()
        },
    };
    open.iter().map(|route| (route.name.clone(), own(route))).collect()
}

fn options(settings: &Settings, exit_when_empty: bool) -> WorkerOptions {
    let worker = &settings.worker;
    let fleet = WorkerOptions::fleet();
    let most = settings.cluster.retry_most;
    let attempts = AttemptsPolicy {
        max_attempts: worker.attempts.max_attempts,
        backoff: Backoff { first: fleet.attempts.backoff.first.min(most), most },
        ..fleet.attempts
    };
    WorkerOptions {
        attempts,
        part_size: worker.part_size,
        whole_up_to: worker.whole_up_to,
        visibility: worker.visibility.min(MAX_VISIBILITY),
        max_objects: worker.max_objects.get(),
        max_requests: worker.max_requests.get(),
        memory_bytes: memory_limit::budget(worker.memory_bytes),
        method: settings.method,
        tags: settings.tags,
        record: settings.record,
        sweep_uploads: settings.cluster.sweep_uploads_after,
        exit_when_empty: if exit_when_empty { NonZeroU32::new(LOOKS) } else { None },
        transfer: new_transfer(),
        ..fleet
    }
}
