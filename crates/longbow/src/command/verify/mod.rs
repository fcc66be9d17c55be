//! `longbow verify`: compares both sides without copying, and says how strong the evidence is for each object.

mod evidence;
mod finding;
mod reading;
mod tally;
mod walk;

use std::sync::Arc;
use std::time::Instant;

use longbow_core::port::ObjectStore;
use longbow_jobsender::{Sides as ComparedSides, compare_sides};
use tokio_util::sync::CancellationToken;

use super::Surrounding;
use super::route;
use crate::backend::{self, Use};
use crate::cli::VerifyArgs;
use crate::exit::{CommandError, Exit};
use crate::progress::{Ticker, Voice, VoiceOptions};
use crate::report::ReportFile;
use crate::shutdown::Shutdown;

use evidence::Examiner;
use tally::Tally;
use walk::{Listener, Walk};

/// Runs the command.
pub(crate) async fn run(args: &VerifyArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let asked = route::read_alone(&args.source, &args.destination, args, around)?;
    let options = VoiceOptions { json: args.output.json, quiet: args.output.quiet };
    let voice = Voice::new(options, around.screen.clone());
    let began = Instant::now();
    let sides = route::open(&asked, Use::Read).await?;
    let report = args.output.report.as_deref().map(ReportFile::create).transpose()?.map(Arc::new);
    let scratch = tempfile::tempdir()
        .map_err(|e| CommandError::Failed(format!("failed to make a temporary folder: {e}; mend TMPDIR")))?;
    let route_text = backend::route_text(&asked.route, &sides.source, &sides.destination);
    let file = backend::state_file(&asked.settings.state_dir, &route_text);
    let database = match backend::open_state_copy(&file, scratch.path(), &route_text) {
        Ok(opened) => opened.map(|(database, _)| database),
        Err(error) => {
            voice.notice(&format!("the state of earlier runs is no evidence here: {error}"));
            None
        }
    };
    let told = voice.clone();
    let shutdown = Shutdown::watch(move |text| told.notice(text))?;
    let stop: CancellationToken = shutdown.stop();
    let tally = Arc::new(Tally::new(voice.clone(), report.clone()));
    voice.chatter(&format!(
        "Source       {}\nDestination  {}\nEvidence     {}",
        sides.source.full_name(&asked.route.source),
        sides.destination.full_name(&asked.route.destination),
        if args.read {
            "both sides are read whole"
        } else {
            "tags, stored checksums, records of earlier copies, sizes"
        },
    ));
    let examiner = Examiner {
        source: Arc::clone(&sides.source.store),
        destination: Arc::clone(&sides.destination.store),
        both_are_buckets: !sides.source.traits.folder && !sides.destination.traits.folder,
        records: database.as_ref().map(|d| d.state()),
        route: asked.route.clone(),
        read: args.read,
    };
    let mut walk = Walk {
        examiner,
        tally: Arc::clone(&tally),
        at_once: asked.settings.worker.max_requests.get().clamp(1, 64),
        stop: stop.clone(),
    };
    let compared = ComparedSides {
        source: Arc::clone(&sides.source.store) as Arc<dyn ObjectStore>,
        destination: Arc::clone(&sides.destination.store) as Arc<dyn ObjectStore>,
        route: asked.route.clone(),
        selection: asked.selection.clone(),
        source_order: None,
        destination_order: None,
        spill: scratch.path().join("sort"),
        observer: Arc::new(Listener::new(Arc::clone(&tally))),
    };
    let reader = Arc::clone(&tally);
    let ticker = Ticker::start(&voice, move || reader.reading(), report.clone());
    let result = compare_sides(&compared, &stop, &mut walk).await;
    drop(ticker);
    if let Some(database) = database {
        database.close().await;
    }
    let mut troubles = Vec::new();
    let passed_over = match result {
        Ok(summary) => (summary.skipped_names, summary.skipped_count),
        Err(error) => {
            troubles.push(format!("The comparison ended early, so its result is incomplete: {error}."));
            (Vec::new(), 0)
        }
    };
    if let Some(Err(text)) = report.as_ref().map(|r| r.finish()) {
        troubles.push(text);
    }
    let counts = tally.counts();
    let exit = match shutdown.signal() {
        Some(signal) => Exit::Stopped(signal),
        None if counts.differences() > 0 => Exit::Differences,
        None if !troubles.is_empty() || counts.unknown > 0 => Exit::Failed,
        None => Exit::Done,
    };
    let end = tally::End { counts, troubles, passed_over, elapsed: began.elapsed(), exit };
    voice.text(&end.text(report.as_ref().map(|r| r.path())));
    voice.event(&end.event());
    Ok(exit)
}
