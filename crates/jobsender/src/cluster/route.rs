//! One route of a run: what is compared, which jobs come of it, and what became of them.
//!
//! A route that fails says so in its report and leaves the others alone. What was sent before stands, and is counted.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::diff::Comparison;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::KeyOrder;
use longbow_core::port::{Clock, JobQueue, ListPage, ObjectStore, Observer, StateStore};
use longbow_core::route::Route;
use longbow_core::routes::{NamedRoute, RouteName};

use super::checkpoint::{CheckpointPlan, Recorder};
use super::lease::Leave;
use super::manifest::{Manifest, ManifestReport, send_all};
use super::outlet::RouteOutlet;
use super::removal::{Gather, RemovalReport, remove};
use super::sender::SendCounts;
use super::{RunOptions, RunRecord};
use crate::deletion::{ExtraSink, Extras};
use crate::diff::Decider;
use crate::failure::JobsenderError;
use crate::outlet::Outlet;
use crate::pairs::{Sides, WalkPlan, compare_planned};
use crate::summary::{Decisions, SidesSummary, Tally};

/// What the jobs of a route are made from.
pub enum Input {
    /// Both sides are listed and compared.
    Listings(Comparison),
    /// A list of objects.
    Manifest(Manifest),
}

/// A route with everything that its run needs.
pub struct RouteTask {
    /// The route.
    pub route: NamedRoute,
    /// The store of its source.
    pub source: Arc<dyn ObjectStore>,
    /// The store of its destination.
    pub destination: Arc<dyn ObjectStore>,
    /// The records of this route, by the name under its prefixes.
    pub state: Arc<dyn StateStore>,
    /// What its jobs are made from.
    pub input: Input,
    /// Remove what only the destination has, so many objects at most; `None` removes nothing. Needs listings.
    pub removals: Option<u64>,
    /// Takes the lists of jobs and of ignored keys.
    pub record: Arc<dyn RunRecord>,
    /// Watches.
    pub observer: Arc<dyn Observer>,
}

/// What a route's run found and did.
#[derive(Debug)]
pub struct RouteReport {
    /// The route.
    pub route: RouteName,
    /// Source objects by decision; nothing for a manifest.
    pub decisions: Decisions,
    /// Objects that only the destination has.
    pub extra: Tally,
    /// Keys that the source listed.
    pub source_listed: u64,
    /// Keys that the destination listed.
    pub destination_listed: u64,
    /// Things that are no objects or have no name at the destination: the first hundred.
    pub skipped_names: Vec<String>,
    /// How many of them there are in all.
    pub skipped_count: u64,
    /// The jobs.
    pub jobs: SendCounts,
    /// The name after which the comparison began, since an earlier run had come so far.
    pub resumed_after: Option<String>,
    /// What the manifest gave, if there was one.
    pub manifest: Option<ManifestReport>,
    /// What was removed, if that was asked for.
    pub removals: Option<RemovalReport>,
    /// Whether the stop, or the loss of the lock, came before the end.
    pub stopped: bool,
    /// Why the route failed.
    pub error: Option<JobsenderError>,
    /// How long it took.
    pub elapsed: Duration,
}

impl RouteReport {
    pub(crate) fn new(route: RouteName) -> Self {
        Self {
            route,
            decisions: Decisions::default(),
            extra: Tally::default(),
            source_listed: 0,
            destination_listed: 0,
            skipped_names: Vec::new(),
            skipped_count: 0,
            jobs: SendCounts::default(),
            resumed_after: None,
            manifest: None,
            removals: None,
            stopped: false,
            error: None,
            elapsed: Duration::ZERO,
        }
    }

    /// Whether the run came to its end, every job is in the queue, every line of a manifest gave its object and every
    /// removal that was asked for was made.
    pub fn is_success(&self) -> bool {
        self.error.is_none()
            && !self.stopped
            && self.jobs.missing() == 0
            && self.manifest.as_ref().is_none_or(|m| m.counts.faults == 0)
            && self.removals.as_ref().is_none_or(RemovalReport::is_success)
    }
}

/// A task without its input, which can be read only once.
pub(crate) struct Ends {
    pub(crate) route: NamedRoute,
    pub(crate) source: Arc<dyn ObjectStore>,
    pub(crate) destination: Arc<dyn ObjectStore>,
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) removals: Option<u64>,
    pub(crate) record: Arc<dyn RunRecord>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl RouteTask {
    fn split(self) -> (Ends, Input) {
        let Self { route, source, destination, state, input, removals, record, observer } = self;
        (Ends { route, source, destination, state, removals, record, observer }, input)
    }
}

/// What all routes of a run share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) queue: Arc<dyn JobQueue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) checkpoints: Option<CheckpointPlan>,
    pub(crate) options: RunOptions,
    pub(crate) leave: Leave,
}

/// Runs one route to its end. `no_removals` says why nothing may be removed.
pub(crate) async fn run(shared: Shared, task: RouteTask, no_removals: Option<String>) -> RouteReport {
    let began = shared.clock.elapsed();
    let (task, input) = task.split();
    let mut report = RouteReport::new(task.route.name.clone());
    if shared.leave.is_revoked() {
        report.stopped = true;
        return report;
    }
    let end = match input {
        Input::Listings(comparison) => listings(&shared, &task, comparison, no_removals, &mut report).await,
        Input::Manifest(manifest) => of_manifest(&shared, &task, manifest, &mut report).await,
    };
    if let Err(error) = &end {
        tracing::error!(route = %report.route, %error, "the route failed");
    }
    report.error = end.err();
    // What a lost lock or a stop has kept from being sent is not there yet.
    report.stopped |= report.jobs.dropped > 0 && report.error.is_none();
    report.elapsed = shared.clock.elapsed().saturating_sub(began);
    report
}

async fn of_manifest(
    shared: &Shared,
    task: &Ends,
    manifest: Manifest,
    report: &mut RouteReport,
) -> Result<(), JobsenderError> {
    let mut outlet = RouteOutlet::new(shared, task, None);
    let mut found = ManifestReport::default();
    let transfer = &shared.options.transfer;
    let sent = send_all(manifest, &task.route, transfer, &mut outlet, &shared.leave, &mut found).await;
    let end = match sent {
        Ok(stopped) => {
            report.stopped = stopped;
            outlet.finish().await
        }
        Err(error) => Err(error),
    };
    report.manifest = Some(found);
    report.jobs = outlet.close(end.is_err()).await;
    if task.removals.is_some() {
        report.removals =
            Some(RemovalReport::refuse("a manifest does not say what the source no longer has".to_owned()));
    }
    end
}

async fn listings(
    shared: &Shared,
    task: &Ends,
    comparison: Comparison,
    no_removals: Option<String>,
    report: &mut RouteReport,
) -> Result<(), JobsenderError> {
    crate::refuse_unfit(comparison, task.source.as_ref())?;
    let options = &shared.options;
    let about = about(task, comparison);
    let (after, recorder) = begin(shared, task, comparison, &about).await;
    report.resumed_after = after.clone();
    let gather = task.removals.map(|most| Arc::new(Gather::new(most)));
    let sink = gather.clone().map(|g| g as Arc<dyn ExtraSink>);
    let mut extras = Extras::new(sink);
    extras.begin().await?;
    let sides = Sides {
        source: task.source.clone(),
        destination: task.destination.clone(),
        route: task.route.route.clone(),
        selection: task.route.selection.clone(),
        source_order: None,
        destination_order: None,
        // A route may be called `..`.
        spill: options.spill.join(format!("route-{}", task.route.name)),
        observer: task.observer.clone(),
    };
    let mut decider = Decider {
        comparison,
        source_prefix: task.route.route.source_prefix(),
        destination_prefix: task.route.route.destination_prefix(),
        route: task.route.route.clone(),
        transfer: options.transfer.clone(),
        state: task.state.clone(),
        observer: task.observer.clone(),
        stop: shared.leave.stop().clone(),
        outlet: Some(RouteOutlet::new(shared, task, recorder)),
        extras: Some(extras),
        decisions: Decisions::default(),
        doubtful: Vec::new(),
        copied: crate::copied_records(comparison, &task.state, after.as_deref()),
        undecided: false,
        seen: None,
        upto: None,
    };
    let versions = comparison == Comparison::Version;
    let plan = WalkPlan { after, versions, requests: options.requests.max(1), ..WalkPlan::default() };
    let walked = compare_planned(&sides, shared.leave.stop(), &mut decider, plan).await;
    let end = match walked {
        Ok(listed) => {
            take(report, listed);
            decider.finish().await
        }
        Err(error) => Err(error),
    };
    report.stopped |= decider.undecided;
    report.decisions = decider.decisions;
    report.extra = decider.extras.map(|e| e.found).unwrap_or_default();
    let mut complete = end.is_ok() && !report.stopped;
    if let Some(mut outlet) = decider.outlet {
        complete &= !outlet.left_behind();
        if complete {
            outlet.complete().await;
        }
        report.jobs = outlet.close(end.is_err()).await;
    }
    if let Some(gather) = gather {
        report.removals =
            Some(removals(shared, task, &gather, report.extra.count, complete, no_removals).await);
    }
    end
}

/// Removes what may be removed, after everything else.
async fn removals(
    shared: &Shared,
    task: &Ends,
    gather: &Gather,
    found: u64,
    complete: bool,
    no_removals: Option<String>,
) -> RemovalReport {
    let most = task.removals.unwrap_or(0);
    if found == 0 && complete {
        return RemovalReport::default();
    }
    if !complete || shared.leave.is_revoked() {
        let why = "the comparison did not come to its end with every job in the queue";
        return RemovalReport::refuse(why.to_owned());
    }
    if let Some(why) = no_removals {
        return RemovalReport::refuse(why);
    }
    if shared.options.dry_run {
        return RemovalReport::refuse(format!(
            "nothing is removed in a trial; it would be {found} object(s)"
        ));
    }
    if found > most {
        return RemovalReport::refuse(format!(
            "{found} object(s) would be removed, and at most {most} may be"
        ));
    }
    remove(gather.take(), &task.route.route, &task.source, &task.destination, &shared.leave).await
}

/// Where the comparison begins, and what records how far it comes.
async fn begin(
    shared: &Shared,
    task: &Ends,
    comparison: Comparison,
    about: &str,
) -> (Option<String>, Option<Recorder>) {
    let Some(plan) = &shared.checkpoints else { return (None, None) };
    if shared.options.dry_run {
        return (None, None);
    }
    let name = &task.route.name;
    let record = |began| {
        let (clock, observer) = (shared.clock.clone(), task.observer.clone());
        plan.record(name.clone(), about.to_owned(), began, clock, observer, shared.leave.clone())
    };
    // A comparison that goes on has not seen the names before; and without byte order no name says how far it came. Such
    // a run only removes what an earlier one has left, once it has come to its end.
    let ordered = |store: &Arc<dyn ObjectStore>| store.traits().order == Some(KeyOrder::Bytes);
    if task.removals.is_some() || !ordered(&task.source) || !ordered(&task.destination) {
        return (None, Some(record(shared.clock.now()).that_saves_nothing()));
    }
    let mut resumed = plan.resume(name, about, shared.clock.as_ref(), task.observer.as_ref()).await;
    if let Some(upto) = resumed.as_ref().map(|r| r.upto.clone())
        && !can_begin_after(task, comparison, &upto).await
    {
        resumed = None;
    }
    let began = resumed.as_ref().map_or_else(|| shared.clock.now(), |r| r.began);
    if let Some(resumed) = &resumed {
        task.observer.notice(&format!(
            "route {name} goes on after {:?}, as far as an earlier run had come",
            resumed.upto
        ));
    }
    let recorder = record(began);
    (resumed.map(|r| r.upto), Some(recorder))
}

/// Whether both listings can begin after a name. Any other fault is met again, and told, by the listings themselves.
async fn can_begin_after(task: &Ends, comparison: Comparison, name: &str) -> bool {
    let (from, to) = (task.route.route.source_prefix(), task.route.route.destination_prefix());
    let after = from.join(name);
    let source = match comparison {
        Comparison::Version => task.source.list_versions(&from, Some(&after), None).await,
        _ => task.source.list_from(&from, Some(&after), None).await,
    };
    let destination = task.destination.list_from(&to, Some(&to.join(name)), None).await;
    let refused = |end: &Result<ListPage, StoreError>| {
        end.as_ref().is_err_and(|error| matches!(error.kind, StoreErrorKind::Unsupported(_)))
    };
    !refused(&source) && !refused(&destination)
}

/// What is compared and how, in a form that changes with it.
fn about(task: &Ends, comparison: Comparison) -> String {
    // FNV-1a over the globs: their text may be long, and only a change of it matters.
    let globs =
        format!("{:?}", task.route.selection).bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    let Route { source, destination } = &task.route.route;
    // Buckets of one name may be at several endpoints.
    let (from, to) = (task.source.traits().name, task.destination.traits().name);
    format!("{source} ({from}) → {destination} ({to}), by {comparison}, globs {globs:016x}")
}

fn take(report: &mut RouteReport, listed: SidesSummary) {
    report.source_listed = listed.source_listed;
    report.destination_listed = listed.destination_listed;
    report.skipped_names = listed.skipped_names;
    report.skipped_count = listed.skipped_count;
    report.stopped |= listed.stopped;
}
