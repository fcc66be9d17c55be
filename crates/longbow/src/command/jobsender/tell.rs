//! What a jobsender says at its end: a paragraph a route, and one JSON object for machines.

use longbow_core::job::TransferId;
use longbow_jobsender::cluster::{RouteReport, RunReport};
use serde_json::{Value, json};

use crate::amounts::{bytes, count};
use crate::exit::Exit;
use crate::progress::Voice;

/// Things that are told one by one.
const TOLD: usize = 10;

/// Whether nothing worse happened than that removals were refused.
pub(super) fn is_refused(run: &RunReport) -> bool {
    let refused = |route: &RouteReport| route.removals.as_ref().is_some_and(|r| r.refused.is_some());
    let only = |route: &RouteReport| {
        route.is_success()
            || (refused(route) && route.error.is_none() && !route.stopped && route.jobs.missing() == 0)
    };
    !run.lock_lost && run.routes.iter().any(refused) && run.routes.iter().all(only)
}

/// Tells everything.
pub(super) fn all(
    voice: &Voice,
    run: &RunReport,
    troubles: &[String],
    transfer: &TransferId,
    exit: Exit,
    dry_run: bool,
) {
    for route in &run.routes {
        voice.text(&paragraph(route, dry_run));
        for line in faults(route) {
            voice.text(&line);
        }
    }
    if run.lock_lost {
        voice.text("The jobsender's lock was lost: another one may be at work. Run the same command again.");
    }
    for trouble in troubles {
        voice.text(trouble);
    }
    let word = if exit == Exit::Done { "Done" } else { "Not done" };
    let sent: u64 = run.routes.iter().map(|route| route.jobs.sent).sum();
    voice.text(&format!("{word}: {} jobs sent in all. Transfer: {}", count(sent), transfer.0));
    let sum = |of: fn(&RouteReport) -> u64| -> u64 { run.routes.iter().map(of).sum() };
    voice.event(&json!({
        "event": "summary",
        "transfer": transfer.0,
        "exit": exit.code(),
        "dry_run": dry_run,
        "jobs_sent": sent,
        "jobs_missing": run.missing(),
        "to_copy": {
            "objects": sum(|r| r.decisions.to_copy().count),
            "bytes": sum(|r| r.decisions.to_copy().bytes),
        },
        "skipped": {
            "objects": sum(|r| r.decisions.skipped().count),
            "bytes": sum(|r| r.decisions.skipped().bytes),
        },
        "source_listed": sum(|r| r.source_listed),
        "destination_listed": sum(|r| r.destination_listed),
        "stopped": run.routes.iter().any(|r| r.stopped),
        "lock_lost": run.lock_lost,
        "routes": run.routes.iter().map(of_route).collect::<Vec<_>>(),
        "troubles": troubles,
    }));
}

fn paragraph(route: &RouteReport, dry_run: bool) -> String {
    let (copy, skip) = (route.decisions.to_copy(), route.decisions.skipped());
    let verb = if dry_run { "would be sent" } else { "sent" };
    let jobs = if dry_run { copy.count } else { route.jobs.sent };
    let mut text =
        format!("{} after {:.1} s: {} jobs {verb}", route.route, route.elapsed.as_secs_f64(), count(jobs));
    if let Some(manifest) = &route.manifest {
        let c = &manifest.counts;
        text.push_str(&format!(
            "\n  manifest  {:>10} objects, {} of them ignored; {} folders and {} repetitions left out, {} faulty lines",
            count(c.entries),
            count(manifest.ignored),
            count(c.folders),
            count(c.duplicates),
            count(c.faults),
        ));
    } else {
        text.push_str(&format!(
            "\n  to copy   {:>10}   {}\n  skipped   {:>10}   {}\n  listed    {:>10} at the source, {} at the destination",
            count(copy.count),
            bytes(copy.bytes),
            count(skip.count),
            bytes(skip.bytes),
            count(route.source_listed),
            count(route.destination_listed),
        ));
    }
    if let Some(after) = &route.resumed_after {
        text.push_str(&format!("\n  went on after {after:?}, where an earlier run had come to"));
    }
    if let Some(removals) = &route.removals {
        text.push_str(&format!(
            "\n  removed   {:>10}   at the destination; {} kept since they had changed, {} failed",
            count(removals.removed),
            count(removals.kept),
            count(removals.failed),
        ));
    } else if route.extra.count > 0 {
        text.push_str(&format!(
            "\n  extra     {:>10}   only at the destination, left there",
            count(route.extra.count)
        ));
    }
    text
}

fn faults(route: &RouteReport) -> Vec<String> {
    let mut lines = Vec::new();
    let mut some = |what: &str, all: u64, named: Vec<String>| {
        if all == 0 {
            return;
        }
        lines.push(format!("  {} {what}:", count(all)));
        let shown = u64::try_from(named.len().min(TOLD)).unwrap_or(u64::MAX);
        lines.extend(named.into_iter().take(TOLD).map(|one| format!("    {one}")));
        if all > shown {
            lines.push(format!("    and {} more", count(all - shown)));
        }
    };
    let unsent = &route.jobs;
    some(
        "jobs could not be sent",
        unsent.missing(),
        unsent.named.iter().map(|job| format!("{}: {}", job.subject, job.reason)).collect(),
    );
    some("names cannot be copied", route.skipped_count, route.skipped_names.clone());
    if let Some(manifest) = &route.manifest {
        some(
            "lines of the manifest give no object",
            manifest.counts.faults,
            manifest.faults.iter().map(ToString::to_string).collect(),
        );
    }
    if let Some(removals) = &route.removals {
        some(
            "objects were not removed",
            removals.kept + removals.failed,
            removals.named.iter().map(|(key, why)| format!("{key}: {why}")).collect(),
        );
        if let Some(why) = &removals.refused {
            lines.push(format!("  Nothing was removed: {why}."));
        }
    }
    if route.stopped {
        lines.push("  Stopped before the end; the next run goes on.".to_owned());
    }
    if let Some(error) = &route.error {
        lines.push(format!("  Failed: {error}."));
    }
    lines
}

fn of_route(route: &RouteReport) -> Value {
    let d = &route.decisions;
    json!({
        "route": route.route.as_str(),
        "jobs_sent": route.jobs.sent,
        "jobs_missing": route.jobs.missing(),
        "to_copy": {"objects": d.to_copy().count, "bytes": d.to_copy().bytes},
        "skipped": {"objects": d.skipped().count, "bytes": d.skipped().bytes, "excluded": d.excluded.count},
        "extra": route.extra.count,
        "source_listed": route.source_listed,
        "destination_listed": route.destination_listed,
        "names_skipped": route.skipped_count,
        "resumed_after": route.resumed_after,
        "manifest": route.manifest.as_ref().map(|m| json!({
            "objects": m.counts.entries,
            "ignored": m.ignored,
            "folders": m.counts.folders,
            "duplicates": m.counts.duplicates,
            "faults": m.counts.faults,
            "first_faults": m.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })),
        "removals": route.removals.as_ref().map(|r| json!({
            "removed": r.removed, "kept": r.kept, "failed": r.failed, "refused": r.refused,
        })),
        "stopped": route.stopped,
        "error": route.error.as_ref().map(ToString::to_string),
        "seconds": route.elapsed.as_secs_f64(),
    })
}
