//! `longbow sync`: compares, copies, verifies, deletes if asked to, and says what it did.
//!
//! The flow of one run; its steps are in the files beside this one.

mod deletion;
mod dry_run;
mod header;
mod state;
mod trip;

use std::sync::Arc;
use std::time::Instant;

use longbow_core::port::Clock as _;

use super::Surrounding;
use super::route;
use crate::backend::{self, Use};
use crate::cli::SyncArgs;
use crate::exit::{CommandError, Exit};
use crate::ledger::Fate;
use crate::progress::{Ticker, Voice, VoiceOptions};
use crate::report::ReportFile;
use crate::shutdown::Shutdown;
use crate::summary::Summary;
use crate::watch::Watch;

/// Runs the command.
pub(crate) async fn run(args: &SyncArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let asked = route::read_alone(&args.source, &args.destination, args, around)?;
    let options = VoiceOptions { json: args.output.json, quiet: args.output.quiet };
    let voice = Voice::new(options, around.screen.clone());
    if args.dry_run {
        return dry_run::run(&asked, voice).await;
    }
    let began = Instant::now();
    let mut sides = route::open(&asked, Use::Write).await?;
    let report = args.output.report.as_deref().map(ReportFile::create).transpose()?.map(Arc::new);
    let route_text = backend::route_text(&asked.route, &sides.source, &sides.destination);
    let file = backend::state_file(&asked.settings.state_dir, &route_text);
    let (database, clock) = backend::open_state(&file, &route_text)?;
    let memory = state::recall(&database, &mut sides).await?;
    if memory.interrupted.is_some() {
        sides.destination.sweep().await;
    }

    let watch = Arc::new(Watch::new(
        asked.route.clone(),
        asked.comparison,
        voice.clone(),
        report,
        memory.needs_tracking(&sides),
    ));
    header::tell(&voice, &asked, &sides, &memory, &file);
    let told = voice.clone();
    let shutdown = Shutdown::watch(move |text| told.notice(text))?;
    let transfer = memory.transfer.clone().unwrap_or_else(super::new_transfer);
    database.begin_transfer(&transfer, &route_text, clock.now()).await.map_err(state::failed)?;

    let trip = trip::Trip {
        asked: &asked,
        sides: &sides,
        database: &database,
        clock: clock.clone(),
        watch: Arc::clone(&watch),
        transfer: transfer.clone(),
        memory: &memory,
    };
    let reader = Arc::clone(&watch);
    let ticker = Ticker::start(&voice, move || reader.reading(), watch.report().cloned());
    let mut end = trip.run(&shutdown.stop()).await;
    let mut refused = false;
    if asked.settings.delete {
        drop(ticker);
        let deletion = deletion::Deletion {
            store: Arc::clone(&sides.destination.store),
            list: database.deletions(),
            watch: Arc::clone(&watch),
            max_delete: asked.settings.max_delete,
            requests: asked.settings.worker.max_requests.get(),
        };
        match deletion.run(&end, &shutdown.stop()).await {
            Ok(()) => {}
            Err(deletion::Halt::Refused(text)) => {
                refused = true;
                end.troubles.push(text);
            }
            Err(deletion::Halt::Trouble(text)) => end.troubles.push(text),
        }
    } else {
        drop(ticker);
    }
    if let Err(text) = watch.report().map_or(Ok(()), |report| report.finish()) {
        end.troubles.push(text);
    }
    let ledger = watch.ledger().clone();
    let unsettled = ledger.of(Fate::Failed).objects + ledger.of(Fate::Waiting).objects;
    let exit = Exit::of_run(shutdown.signal(), refused, unsettled, &end.troubles);
    if let Exit::Stopped(signal) = exit {
        end.troubles.push(format!("Stopped by {signal}; the same command goes on where it stopped."));
    }
    let summary = Summary {
        ledger,
        comparison: asked.comparison,
        elapsed: began.elapsed(),
        exit,
        troubles: end.troubles,
        passed_over: end.passed_over,
        report: watch.report().map(|r| r.path().to_owned()),
        state: file,
    };
    let event = summary.event();
    let word = if exit == Exit::Done { "done" } else { "not done" };
    if let Err(error) = database.finish_transfer(&transfer, clock.now(), word, &event.to_string()).await {
        tracing::warn!("the end of the run could not be noted: {error}");
    }
    database.close().await;
    voice.text(&summary.text());
    voice.event(&event);
    Ok(exit)
}
