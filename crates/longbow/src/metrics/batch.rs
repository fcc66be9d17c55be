//! What a jobsender tells at its end: one line for the run, one for each route.

use std::time::Duration;

use longbow_jobsender::cluster::RouteReport;

use super::catalog::{RunCounter, RunFigure};
use super::emf::{About, Figure};
use super::log_lines;
use crate::exit::Exit;

/// The lines of a run that has ended so, `now` milliseconds after 1970. No route: it did not begin.
pub(crate) fn of_run(
    fleet: &str,
    routes: &[RouteReport],
    exit: Exit,
    took: Duration,
    now: i64,
) -> Vec<String> {
    let about = About::new(fleet, "jobsender");
    let of_routes: Vec<_> = routes.iter().map(|route| (route.route.as_str(), figures(route))).collect();
    let mut sums = [0; RunCounter::ALL.len()];
    for (_, figures) in &of_routes {
        for (sum, n) in sums.iter_mut().zip(figures) {
            *sum += n;
        }
    }
    let (warnings, errors) = log_lines::counted();
    let mut of_fleet = counters(&sums);
    for figure in RunFigure::ALL {
        let value = match figure {
            RunFigure::RunSeconds => took.as_secs_f64().into(),
            RunFigure::RunFailed => u64::from(matches!(exit, Exit::Failed | Exit::Usage)).into(),
            RunFigure::RunRefused => u64::from(exit == Exit::Refused).into(),
            RunFigure::Warnings => warnings.into(),
            RunFigure::Errors => errors.into(),
        };
        of_fleet.push((figure.name(), figure.unit(), value));
    }
    let mut lines = vec![about.line(now, &[], &of_fleet)];
    for (name, figures) in &of_routes {
        lines.push(about.line(now, &[("Route", name)], &counters(figures)));
    }
    lines
}

fn counters(figures: &[u64; RunCounter::ALL.len()]) -> Vec<Figure> {
    RunCounter::ALL.iter().map(|c| (c.name(), c.unit(), figures[*c as usize].into())).collect()
}

fn figures(route: &RouteReport) -> [u64; RunCounter::ALL.len()] {
    let copy = route.decisions.to_copy();
    let mut figures = [0; RunCounter::ALL.len()];
    for counter in RunCounter::ALL {
        figures[counter as usize] = match counter {
            RunCounter::ObjectsListed => route.source_listed,
            RunCounter::ObjectsToCopy => route.manifest.as_ref().map_or(copy.count, |m| m.counts.entries),
            RunCounter::BytesPlanned => copy.bytes,
            RunCounter::JobsSent => route.jobs.sent,
            RunCounter::JobsMissing => route.jobs.missing(),
            RunCounter::ObjectsRemoved => route.removals.as_ref().map_or(0, |removals| removals.removed),
        };
    }
    figures
}
