//! `longbow jobsender`: one comparison of two buckets, and a job in the queue for each object to copy. Made for cron.
//!
//! It holds a lock while it runs and refuses while the last batch is unfinished, so that it is safe to start twice.

mod guard;
mod lock;
mod watch;

use std::sync::Arc;

use longbow_core::port::{JobQueue, ObjectStore, Observer};
use longbow_jobsender::{Jobsender, JobsenderOptions, JobsenderSummary};
use serde_json::json;

use super::cluster::{self, Services};
use super::{Surrounding, new_transfer, route};
use crate::amounts::{bytes, count};
use crate::backend::{self, Use};
use crate::cli::JobsenderArgs;
use crate::exit::{CommandError, Exit};
use crate::progress::{Voice, VoiceOptions};
use crate::report::ReportFile;
use crate::shutdown::Shutdown;

/// Jobs that are handed to the queue at once: a hundred calls of ten.
const BATCH: usize = 1000;

/// Runs the command.
pub(crate) async fn run(args: &JobsenderArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let asked = route::read(&args.source, &args.destination, args, around)?;
    cluster::only_buckets(&asked.route)?;
    if asked.settings.delete {
        return Err(CommandError::Usage(
            "a jobsender removes nothing: take --delete away, and run longbow sync --delete where removals are wanted"
                .to_owned(),
        ));
    }
    let voice =
        Voice::new(VoiceOptions { json: args.output.json, quiet: args.output.quiet }, around.screen.clone());
    let services = Services::open(&asked.settings.cluster).await?;
    let queue = Arc::new(services.queue().await?);
    let table = services.checked_table().await?;
    let sides = route::open(&asked, Use::Write).await?;
    let report = args.output.report.as_deref().map(ReportFile::create).transpose()?.map(Arc::new);
    let route_text = backend::route_text(&asked.route, &sides.source, &sides.destination);

    let told = voice.clone();
    let shutdown = Shutdown::watch(move |text| told.notice(text))?;
    let stop = shutdown.stop();
    let lock = lock::Held::take(&table, &route_text, stop.child_token()).await?;
    if let Err(refusal) = guard::pass(queue.as_ref(), asked.settings.cluster.when_busy).await {
        lock.give_up().await;
        return Err(refusal);
    }

    let transfer = new_transfer();
    voice.chatter(&format!("Compares {route_text} by {}: {}", asked.comparison, asked.because));
    let spill = asked.settings.state_dir.join(format!("jobsender-{}.sort", std::process::id()));
    let jobsender = Jobsender {
        source: Arc::clone(&sides.source.store) as Arc<dyn ObjectStore>,
        destination: Arc::clone(&sides.destination.store) as Arc<dyn ObjectStore>,
        route: asked.route.clone(),
        queue: Arc::clone(&queue) as Arc<dyn JobQueue>,
        state: Arc::new(cluster::state(&table, &asked.route, &sides)),
        clock: services.clock.clone(),
        observer: Arc::new(watch::Watch::new(voice.clone(), report.clone())) as Arc<dyn Observer>,
        extra: None,
    };
    let options = JobsenderOptions {
        comparison: asked.comparison,
        selection: asked.selection.clone(),
        transfer: transfer.clone(),
        spill,
        source_order: None,
        destination_order: None,
        batch: BATCH,
        dry_run: false,
        find_extra: false,
        max_waiting: 0,
    };
    let sent = jobsender.run(options, lock.lost_or_stopped()).await;
    let lost = lock.give_up().await;
    let mut troubles: Vec<String> = lost.into_iter().collect();
    if let Some(Err(fault)) = report.as_ref().map(|report| report.finish()) {
        troubles.push(fault);
    }
    let summary = match sent {
        Ok(summary) => Some(summary),
        Err(error) => {
            troubles.push(format!("The comparison ended early: {error}."));
            None
        }
    };
    let exit = match shutdown.signal() {
        Some(signal) => Exit::Stopped(signal),
        None if !troubles.is_empty() || summary.as_ref().is_none_or(|s| s.stopped) => Exit::Failed,
        None => Exit::Done,
    };
    tell(&voice, summary.as_ref(), &troubles, &transfer.0, exit);
    Ok(exit)
}

fn tell(voice: &Voice, summary: Option<&JobsenderSummary>, troubles: &[String], transfer: &str, exit: Exit) {
    if let Some(s) = summary {
        let (copy, skip) = (s.decisions.to_copy(), s.decisions.skipped());
        let word = if exit == Exit::Done { "Done" } else { "Not done" };
        voice.text(&format!(
            "{word} after {:.1} s: {} jobs sent\n  to copy   {:>10}   {}\n  skipped   {:>10}   {}\n  listed    {:>10} at the \
             source, {} at the destination\nTransfer: {transfer}",
            s.elapsed.as_secs_f64(),
            count(s.jobs_sent),
            count(copy.count),
            bytes(copy.bytes),
            count(skip.count),
            bytes(skip.bytes),
            count(s.source_listed),
            count(s.destination_listed),
        ));
    }
    for trouble in troubles {
        voice.text(trouble);
    }
    voice.event(&json!({
        "event": "summary",
        "transfer": transfer,
        "exit": exit.code(),
        "jobs_sent": summary.map(|s| s.jobs_sent),
        "to_copy": summary.map(|s| json!({"objects": s.decisions.to_copy().count, "bytes": s.decisions.to_copy().bytes})),
        "skipped": summary.map(|s| json!({"objects": s.decisions.skipped().count, "bytes": s.decisions.skipped().bytes})),
        "source_listed": summary.map(|s| s.source_listed),
        "destination_listed": summary.map(|s| s.destination_listed),
        "stopped": summary.map(|s| s.stopped),
        "troubles": troubles,
    }));
}
