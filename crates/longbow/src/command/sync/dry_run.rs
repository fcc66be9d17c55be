//! `--dry-run`: what a run would do, by decision, and nothing written: no object, no folder, no state.
//!
//! The state of earlier runs is read from a copy, since it decides about objects whose tags must differ.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use longbow_core::diff::{CopyReason, Decision, SkipReason};
use longbow_core::failure::BackendError;
use longbow_core::object::ObjectMeta;
use longbow_core::port::{ObjectStore, Observer};
use longbow_jobsender::{ExtraSink, Jobsender, JobsenderOptions, JobsenderSummary, LOCAL_BATCH, Tally};
use serde_json::{Value, json};

use super::state;
use crate::amounts::{bytes, count, objects};
use crate::backend::{self, Use};
use crate::command::route::{self, Asked};
use crate::exit::{CommandError, Exit};
use crate::progress::{Ticker, Voice};
use crate::shutdown::Shutdown;
use crate::watch::Watch;

/// Keys to be deleted that are named.
const SHOWN: usize = 10;

/// Runs the command without doing it.
pub(super) async fn run(asked: &Asked, voice: Voice) -> Result<Exit, CommandError> {
    let scratch = tempfile::tempdir()
        .map_err(|e| CommandError::Failed(format!("failed to make a temporary folder: {e}; mend TMPDIR")))?;
    let destination_text = asked.route.destination.to_string();
    let asked = &with_existing_destination(asked, scratch.path())?;
    let mut sides = route::open(asked, Use::Read).await?;
    // Opened for reading only, the overlap was not judged yet.
    asked
        .route
        .check_overlap(backend::is_same_store(&sides.source, &sides.destination))
        .map_err(|e| CommandError::Refused(e.to_string()))?;
    let route_text = backend::route_text(&asked.route, &sides.source, &sides.destination);
    let file = backend::state_file(&asked.settings.state_dir, &route_text);
    let opened = backend::open_state_copy(&file, scratch.path(), &route_text).unwrap_or_else(|error| {
        voice.notice(&format!("the state of earlier runs cannot be read and is left out: {error}"));
        None
    });
    let (database, clock) = match opened {
        Some(opened) => opened,
        None => backend::open_state(&scratch.path().join("empty.sqlite"), &route_text)?,
    };
    let memory = state::recall(&database, &mut sides).await?;
    let watch = Arc::new(Watch::new(asked.route.clone(), asked.comparison, voice.clone(), None, false));
    let told = voice.clone();
    let shutdown = Shutdown::watch(move |text| told.notice(text))?;
    voice.chatter(&format!(
        "Dry run, nothing is written\nFrom    {}\nTo      {}\nCompare {}: {}",
        sides.source.full_name(&asked.route.source),
        if asked.route.destination.is_folder() {
            destination_text
        } else {
            sides.destination.full_name(&asked.route.destination)
        },
        asked.comparison,
        asked.because
    ));
    let extras = Arc::new(FirstExtras::default());
    let jobsender = Jobsender {
        source: Arc::clone(&sides.source.store) as Arc<dyn ObjectStore>,
        destination: Arc::clone(&sides.destination.store) as Arc<dyn ObjectStore>,
        route: asked.route.clone(),
        queue: Arc::new(database.queue()),
        state: Arc::new(database.state()),
        clock,
        observer: Arc::clone(&watch) as Arc<dyn Observer>,
        extra: Some(extras.clone()),
    };
    let options = JobsenderOptions {
        comparison: asked.comparison,
        selection: asked.selection.clone(),
        transfer: crate::command::new_transfer(),
        spill: scratch.path().join("sort"),
        source_order: memory.source_order,
        destination_order: memory.destination_order,
        batch: LOCAL_BATCH,
        dry_run: true,
        find_extra: asked.settings.delete,
        max_waiting: 0,
    };
    let reader = Arc::clone(&watch);
    let ticker = Ticker::start(&voice, move || reader.reading(), None);
    let result = jobsender.run(options, shutdown.stop()).await;
    drop(ticker);
    database.close().await;
    if let Some(signal) = shutdown.signal() {
        return Ok(Exit::Stopped(signal));
    }
    let summary = result.map_err(|e| CommandError::Failed(e.to_string()))?;
    let exit = match asked.settings.delete && summary.extra.count > asked.settings.max_delete {
        true => Exit::Refused,
        false => Exit::Done,
    };
    voice.text(&text(asked, &summary, &extras.first()));
    voice.event(&event(asked, &summary, exit));
    Ok(exit)
}

/// A folder that does not exist yet is looked at as an empty one.
fn with_existing_destination(asked: &Asked, scratch: &Path) -> Result<Asked, CommandError> {
    use longbow_core::object::Location;
    let mut asked = Asked {
        settings: asked.settings.clone(),
        route: asked.route.clone(),
        selection: asked.selection.clone(),
        comparison: asked.comparison,
        because: asked.because.clone(),
    };
    asked.route.check_overlap(false).map_err(|e| CommandError::Refused(e.to_string()))?;
    if let Location::Folder(folder) = &asked.route.destination
        && !folder.exists()
    {
        let empty = scratch.join("empty");
        std::fs::create_dir(&empty)
            .map_err(|e| CommandError::Failed(format!("failed to make a folder: {e}")))?;
        asked.route.destination = Location::Folder(empty);
    }
    Ok(asked)
}

/// Keeps the first names.
#[derive(Default)]
struct FirstExtras(Mutex<Vec<ObjectMeta>>);

impl FirstExtras {
    fn first(&self) -> Vec<ObjectMeta> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl ExtraSink for FirstExtras {
    async fn begin(&self) -> Result<(), BackendError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }

    async fn add(&self, batch: Vec<ObjectMeta>) -> Result<(), BackendError> {
        let mut first = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = SHOWN.saturating_sub(first.len());
        first.extend(batch.into_iter().take(room));
        Ok(())
    }
}

const DECISIONS: [Decision; 9] = [
    Decision::Copy(CopyReason::Missing),
    Decision::Copy(CopyReason::SizeDiffers),
    Decision::Copy(CopyReason::Newer),
    Decision::Copy(CopyReason::EtagDiffers),
    Decision::Copy(CopyReason::VersionDiffers),
    Decision::Copy(CopyReason::Inspect),
    Decision::Skip(SkipReason::Same),
    Decision::Skip(SkipReason::Recorded),
    Decision::Skip(SkipReason::Excluded),
];

fn text(asked: &Asked, summary: &JobsenderSummary, first: &[ObjectMeta]) -> String {
    let total = DECISIONS.iter().map(|d| summary.decisions.of(*d).count).sum();
    let mut lines = vec![format!("{} compared", objects(total))];
    for decision in DECISIONS {
        let Tally { count: n, bytes: size } = summary.decisions.of(decision);
        if n == 0 {
            continue;
        }
        let name = match decision {
            Decision::Copy(reason) => format!("copy: {reason}"),
            Decision::Skip(reason) => format!("skip: {reason}"),
        };
        lines.push(format!("  {name:<34}{:>11}   {}", count(n), bytes(size)));
    }
    let to_copy = summary.decisions.to_copy();
    lines.push(format!("Would copy {}, {}.", objects(to_copy.count), bytes(to_copy.bytes)));
    if asked.settings.delete {
        let Tally { count: n, bytes: size } = summary.extra;
        lines.push(format!("Would delete {}, {}.", objects(n), bytes(size)));
        lines.extend(first.iter().map(|o| format!("  {}", o.key)));
        if n > first.len() as u64 {
            lines.push(format!("  … and {} more", count(n - first.len() as u64)));
        }
        if n > asked.settings.max_delete {
            let most = count(asked.settings.max_delete);
            lines.push(format!(
                "Would refuse that: at most {most} are allowed; --max-delete {n} would allow it."
            ));
        }
    }
    if summary.skipped_count > 0 {
        lines
            .push(format!("Passed over, no objects or no possible keys ({}):", count(summary.skipped_count)));
        lines.extend(summary.skipped_names.iter().take(SHOWN).map(|n| format!("  {}", n.escape_debug())));
    }
    lines.join("\n")
}

fn event(asked: &Asked, summary: &JobsenderSummary, exit: Exit) -> Value {
    let tally = |t: Tally| json!({"objects": t.count, "bytes": t.bytes});
    let d = &summary.decisions;
    json!({
        "event": "summary",
        "dry_run": true,
        "listed": summary.source_listed,
        "copy": {
            "missing": tally(d.missing),
            "size_differs": tally(d.size_differs),
            "newer": tally(d.newer),
            "etag_differs": tally(d.etag_differs),
            "inspect": tally(d.inspect),
        },
        "skip": {"same": tally(d.same), "recorded": tally(d.recorded), "excluded": tally(d.excluded)},
        "delete": asked.settings.delete.then(|| tally(summary.extra)),
        "copied": 0,
        "skipped": d.skipped().count - d.excluded.count,
        "excluded": d.excluded.count,
        "deleted": 0,
        "failed": 0,
        "passed_over": summary.skipped_count,
        "passed_over_first": summary.skipped_names.iter().take(SHOWN).collect::<Vec<_>>(),
        "comparison": asked.comparison.to_string(),
        "exit": exit.code(),
    })
}
