//! `longbow worker`: carries out the jobs of a queue until it is stopped, or until there are none left.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longbow_aws::{MAX_VISIBILITY, Notice, NoticeOptions, Notices};
use longbow_core::backoff::Backoff;
use longbow_core::job::AttemptsPolicy;
use longbow_core::port::Observer;
use longbow_core::routes::{KeyMapping, NamedRoute, OnRemoval, RouteName, RouteTable, Stores};
use longbow_worker::{Drain, FleetPorts, RouteOptions, RoutePorts, Stopping, Worker, WorkerOptions};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::cluster::{self, Services};
use super::route::{Asked, Sides};
use super::{Surrounding, new_transfer, route};
use crate::amounts::{bytes, count};
use crate::backend::{self, Use};
use crate::cli::WorkerArgs;
use crate::exit::{CommandError, Exit};
use crate::memory_limit;
use crate::progress::{Ticker, Voice, VoiceOptions};
use crate::report::ReportFile;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::watch::Watch;

/// Looks in a row that find an idle queue before a batch is over: its counts are approximate.
const LOOKS: u32 = 3;

/// How often EC2 is asked for notices, as it recommends.
const NOTICES: Duration = Duration::from_secs(5);

/// Spot instances are gone two minutes after the notice.
const SPOT: Duration = Duration::from_secs(100);

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

    let table_of_routes = routes(&asked, &sides)?;
    let name = route_name();
    let own = RoutePorts {
        source: Arc::clone(&sides.source.store),
        destination: Arc::clone(&sides.destination.store),
        state: Arc::new(cluster::state(&table, &asked.route, &sides)),
        options: RouteOptions::default(),
    };
    let ports = FleetPorts {
        queue: Arc::new(queue),
        clock: services.clock.clone(),
        observer: Arc::clone(&watch) as Arc<dyn Observer>,
    };
    let options = options(&asked.settings, args.exit_when_empty);
    let worker = Worker::for_routes(ports, table_of_routes, HashMap::from([(name, own)]), options)
        .map_err(|fault| CommandError::Usage(fault.to_string()))?;
    let notices = Notices::new(&NoticeOptions::from_environment(NOTICES))
        .map_err(|e| cluster::at_start("the metadata service", &e))?;
    let drain = Drain::new();
    let watching = tokio::spawn(begin_drain(
        drain.clone(),
        shutdown.stop(),
        notices,
        asked.settings.cluster.drain_within,
        voice.clone(),
    ));
    let reader = Arc::clone(&watch);
    let ticker = Ticker::start(&voice, move || reader.reading(), report.clone());
    let worked = worker.serve(&drain).await;
    watching.abort();
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

/// A signal or a notice of EC2 ends the worker.
async fn begin_drain(
    drain: Drain,
    stop: CancellationToken,
    mut notices: Notices,
    within: Duration,
    voice: Voice,
) {
    let (why, within) = tokio::select! {
        () = stop.cancelled() => (Stopping::Signal, within),
        notice = notices.next() => match notice {
            // The instance is gone two minutes after the notice.
            Notice::SpotInterruption { .. } => (Stopping::SpotInterruption, within.min(SPOT)),
            Notice::Rebalance => (Stopping::Rebalance, within),
            Notice::Terminating => (Stopping::Terminating, within),
        },
    };
    if why != Stopping::Signal {
        voice.notice(&format!("{why}: handing back what is not finished within {} s", within.as_secs()));
    }
    drain.begin(why, Some(within));
}

/// The one route of this worker; events of its source make copies, too.
fn routes(asked: &Asked, sides: &Sides) -> Result<RouteTable, CommandError> {
    let mut named = NamedRoute::new(route_name(), asked.route.clone(), KeyMapping::Relative);
    named.stores =
        Stores { source: sides.source.place.clone(), destination: sides.destination.place.clone() };
    if backend::is_same_store(&sides.source, &sides.destination) {
        named.stores.destination = named.stores.source.clone();
    }
    named.selection = asked.selection.clone();
    if asked.settings.cluster.propagate_deletes {
        named.on_removal = OnRemoval::Propagate;
    }
    RouteTable::new(vec![named]).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        CommandError::Refused(texts.join("; "))
    })
}

fn route_name() -> RouteName {
    RouteName::of_pair(0)
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
        exit_when_empty: if exit_when_empty { NonZeroU32::new(LOOKS) } else { None },
        transfer: new_transfer(),
        ..fleet
    }
}
