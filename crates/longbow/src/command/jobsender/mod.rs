//! `longbow jobsender`: compares every route once, and enqueues a job for each object to copy. Made for cron.
//!
//! Safe to start twice: it holds a lock while it runs, and refuses while the last batch is unfinished. Safe to kill: the
//! next run goes on where this one was.

mod lists;
mod note;
mod tell;
mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use longbow_aws::StateTable;
use longbow_core::job::TransferId;
use longbow_core::port::LockError;
use longbow_core::port::{Clock as _, ObjectStore, Observer};
use longbow_jobsender::cluster::{
    CheckpointPlan, ClusterJobsender, Input, LockPlan, RouteReport, RouteTask, RunOptions, SendOptions,
    StartError,
};

use super::fleet::{self, Fleet, OpenRoute};
use super::{Surrounding, new_transfer};
use crate::amounts::count;
use crate::backend::Use;
use crate::cli::JobsenderArgs;
use crate::exit::{CommandError, Exit};
use crate::metrics;
use crate::progress::{Voice, VoiceOptions};
use crate::report::ReportFile;
use crate::screen::Screen;
use crate::settings::Settings;
use crate::shutdown::Shutdown;
use crate::watch::now;

/// How long the lock outlives a jobsender that was killed.
const LOCK: Duration = Duration::from_secs(60);

/// Between two checkpoints of a route: what a killed run compares again at most.
const CHECKPOINT: Duration = Duration::from_secs(10);

/// An older comparison begins anew: too much may have changed behind it.
const OLDEST: Duration = Duration::from_secs(24 * 3600);

/// Runs the command.
pub(crate) async fn run(args: &JobsenderArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let voice =
        Voice::new(VoiceOptions { json: args.output.json, quiet: args.output.quiet }, around.screen.clone());
    let fleet = fleet::configure(&args.places, &args.only, args, around).await?;
    let figures = Figures::of(&fleet.settings, args.dry_run, around);
    let ended = batch(args, voice, fleet, &figures).await;
    if let Err(error) = &ended {
        figures.tell(&[], error.exit());
    }
    ended
}

/// One batch, from the first look to what is told of it.
async fn batch(
    args: &JobsenderArgs,
    voice: Voice,
    fleet: Fleet,
    figures: &Figures,
) -> Result<Exit, CommandError> {
    let Fleet { settings, services, routes, notes, .. } = fleet;
    notes.iter().for_each(|note| voice.notice(note));
    if settings.delete {
        return Err(CommandError::Usage(
            "a jobsender removes by --propagate-deletes, once all jobs are sent: take --delete (sync.delete) away".to_owned(),
        ));
    }
    let queue = Arc::new(services.queue().await?);
    let table = services.checked_table().await?;
    // All routes, though some may not be wanted now: whether something may be removed depends on all of them.
    let open = Fleet::open(routes, Use::Write).await?;
    let table_of_routes = fleet::table(&open)?;
    table_of_routes.warnings().iter().for_each(|warning| voice.notice(warning));
    let report = args.output.report.as_deref().map(ReportFile::create).transpose()?.map(Arc::new);
    let told = voice.clone();
    let shutdown = Shutdown::watch(move |text| told.notice(text))?;

    let transfer = new_transfer();
    let wanted =
        |route: &&OpenRoute| args.only.is_empty() || args.only.iter().any(|name| route.name.as_str() == name);
    let chosen: Vec<&OpenRoute> = open.iter().filter(wanted).collect();
    if let (Some(manifest), [_, _, ..]) = (&args.lists.manifest, &chosen[..]) {
        let names: Vec<&str> = chosen.iter().map(|route| route.name.as_str()).collect();
        let names = names.join(", ");
        return Err(CommandError::Usage(format!(
            "the manifest {manifest} is about one route, and there are {names}: choose one by --route"
        )));
    }
    let written = lists::open(&args.lists, &settings).await?;
    let (mut tasks, mut notes) = (Vec::new(), Vec::new());
    for route in chosen {
        let OpenRoute { name, asked, .. } = route;
        let stop = shutdown.stop();
        let input = match lists::manifest(&args.lists, &asked.route.source, &settings, stop).await? {
            Some(manifest) => {
                voice.chatter(&format!("Takes what a manifest names along {name}, {}", route.text()));
                Input::Manifest(manifest)
            }
            None => {
                let (by, because) = (asked.comparison, &asked.because);
                voice.chatter(&format!("Compares {name}, {}, by {by}: {because}", route.text()));
                Input::Listings(by)
            }
        };
        let note = Arc::new(note::Note::of(&table, &transfer, route, services.clock.now()));
        let record = lists::Records { note: Arc::clone(&note), lists: written.of_route(name) };
        let watch = watch::Watch::new(name.clone(), voice.clone(), report.clone());
        tasks.push(task(route, &table, input, record, watch));
        notes.push(note);
    }
    let jobsender = ClusterJobsender {
        queue: queue.clone(),
        clock: services.clock.clone(),
        lock: Some(LockPlan {
            lock: Arc::new(table.clone()),
            name: format!("jobsender {}", queue_path(queue.url())),
            holder: holder(),
            time: LOCK,
        }),
        checkpoints: Some(CheckpointPlan {
            store: Arc::new(table.checkpoints(queue_path(queue.url()))),
            every: CHECKPOINT,
            oldest: OLDEST,
        }),
    };
    let options = options(&settings, transfer.clone(), args.dry_run);
    let ran = jobsender.run(&table_of_routes, tasks, options, shutdown.stop()).await;
    let mut troubles = Vec::new();
    if let Some(Err(fault)) = report.as_ref().map(|report| report.finish()) {
        troubles.push(fault);
    }
    let run = ran.map_err(not_begun)?;
    match written.finish().await {
        Ok(lists) => lists
            .iter()
            .for_each(|list| voice.chatter(&format!("{}: {} lines", list.place, count(list.lines)))),
        Err(error) => troubles.push(format!("{error}.")),
    }
    for (note, route) in notes.iter().zip(&run.routes).filter(|_| !args.dry_run) {
        note.end(route, services.clock.now()).await;
    }
    let exit = match shutdown.signal() {
        Some(signal) => Exit::Stopped(signal),
        None if run.is_success() && troubles.is_empty() => Exit::Done,
        None if tell::is_refused(&run) => Exit::Refused,
        None => Exit::Failed,
    };
    figures.tell(&run.routes, exit);
    tell::all(&voice, &run, &troubles, &transfer, exit, args.dry_run);
    Ok(exit)
}

/// CloudWatch's figures of the run, if they are wanted.
struct Figures {
    fleet: Option<String>,
    began: Instant,
    screen: Screen,
}

impl Figures {
    fn of(settings: &Settings, dry_run: bool, around: &Surrounding) -> Self {
        let fleet = (settings.metrics.emf && !dry_run).then(|| settings.fleet_name());
        Self { fleet, began: Instant::now(), screen: around.screen.clone() }
    }

    fn tell(&self, routes: &[RouteReport], exit: Exit) {
        let Some(fleet) = &self.fleet else { return };
        for line in metrics::of_run(fleet, routes, exit, self.began.elapsed(), now().0) {
            self.screen.output_line(&line);
        }
    }
}

fn task(
    route: &OpenRoute,
    table: &StateTable,
    input: Input,
    record: lists::Records,
    watch: watch::Watch,
) -> RouteTask {
    let settings = &route.asked.settings;
    RouteTask {
        route: route.named(),
        source: Arc::clone(&route.sides.source.store) as Arc<dyn ObjectStore>,
        destination: Arc::clone(&route.sides.destination.store) as Arc<dyn ObjectStore>,
        state: Arc::new(route.state(table)),
        input,
        removals: settings.cluster.propagate_deletes.then_some(settings.max_delete),
        record: Arc::new(record),
        observer: Arc::new(watch) as Arc<dyn Observer>,
    }
}

fn options(settings: &Settings, transfer: TransferId, dry_run: bool) -> RunOptions {
    RunOptions {
        transfer,
        when_busy: settings.cluster.when_busy,
        send: SendOptions::default(),
        requests: settings.cluster.listing_requests.get(),
        routes_at_once: settings.cluster.routes_at_once.get(),
        spill: settings.state_dir.join(format!("jobsender-{}", std::process::id())),
        dry_run,
    }
}

fn not_begun(error: StartError) -> CommandError {
    match &error {
        StartError::Busy(_) => CommandError::Refused(format!("{error} (--when-busy append adds to it)")),
        StartError::Lock(LockError::Held { .. }) => {
            CommandError::Refused(format!("another jobsender works for this queue: {error}"))
        }
        StartError::Lock(LockError::Backend(_)) | StartError::Queue(_) => {
            CommandError::Failed(error.to_string())
        }
    }
}

/// Account and name of a queue, by whatever host it is reached: one queue has one lock, however its URL is written.
fn queue_path(url: &str) -> &str {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    host.split_once('/').map_or(host, |(_, path)| path)
}

/// Who we are, for others to read.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", host.trim(), std::process::id())
}

#[cfg(test)]
mod tests {
    #[test]
    fn one_queue_has_one_lock_whatever_its_host() {
        for url in [
            "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs",
            "https://eu-west-1.queue.amazonaws.com/123456789012/jobs",
            "http://127.0.0.1:4566/123456789012/jobs",
        ] {
            assert_eq!(super::queue_path(url), "123456789012/jobs");
        }
        assert_eq!(super::queue_path("jobs"), "jobs");
    }
}
