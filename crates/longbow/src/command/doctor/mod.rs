//! `longbow doctor`: tries each right that the configured routes need, and names those that are missing.
//!
//! It begins where the other commands give up: every service and side is tried for itself, and what cannot be reached is a
//! line like any other. A line "ok" means that a call of that right was let through, no more: policies with conditions on
//! keys, tags or times may refuse the next one.

mod finding;
mod side;

use longbow_aws::{ClusterSession, SqsOptions, SqsQueue, StateTable, TableOptions, try_parameters};
use longbow_core::diff::Comparison;
use longbow_core::object::{Location, ObjectKey, Timestamp};
use longbow_core::port::Clock as _;
use serde_json::json;

use super::cluster::{self, Services};
use super::fleet::FleetRoute;
use super::looking;
use super::{Surrounding, new_transfer};
use crate::backend::{self, OpenSide, Use};
use crate::cli::DoctorArgs;
use crate::exit::{CommandError, Exit};
use crate::settings::{ClusterSettings, Credentials, Settings};
use finding::{Finding, Line};
use side::Side;

/// Clocks may differ by so much: signatures allow 15 minutes (Amazon S3 API Reference, "RequestTimeTooSkewed"), locks
/// 15 seconds.
const SKEW: i64 = 15_000;

/// Runs the command.
pub(crate) async fn run(args: &DoctorArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let settings = cluster::settings(&args.fleet, around).await?;
    let mut lines = Vec::new();
    let mut tell = |line: Line| {
        around.screen.output_line(&if args.fleet.json { line.json().to_string() } else { line.text() });
        lines.push(line);
    };
    let services = match Services::open(&settings.cluster).await {
        Ok(services) => {
            services_lines(&services, &settings, args.write, &mut tell).await;
            Some(services)
        }
        Err(error) => {
            tell(Line::new("identity", "the cluster", "all", Finding::Wrong, error.to_string()));
            None
        }
    };
    match looking::configured(&args.places, &args.fleet, around).await {
        Ok(fleet) => {
            if let Some(services) = &services {
                let known = parameters(&settings);
                let mut more: Vec<&str> = fleet.routes.iter().flat_map(own_parameters).collect();
                more.retain(|name| !known.contains(name));
                more.sort_unstable();
                more.dedup();
                for tried in try_parameters(services.session(), &more).await {
                    tell(Line::of_tried(tried, "jobsender and worker"));
                }
            }
            for route in &fleet.routes {
                route_lines(route, args.write, &mut tell).await;
            }
        }
        // A fault of what was written is told as everywhere; what a service said is a line.
        Err(error @ CommandError::Settings(_)) => return Err(error),
        Err(error) => {
            tell(Line::new("routes", "the configuration", "all", Finding::Wrong, error.to_string()))
        }
    }
    let exit = finding::exit(&lines);
    let count = |finding: Finding| lines.iter().filter(|line| line.finding == finding).count();
    let (ok, missing, wrong) = (count(Finding::Ok), count(Finding::Missing), count(Finding::Wrong));
    let (unclear, not_tried) = (count(Finding::Unclear), count(Finding::NotTried));
    around.screen.output_line(&if args.fleet.json {
        json!({
            "event": "summary",
            "ok": ok,
            "missing": missing,
            "wrong": wrong,
            "unclear": unclear,
            "not_tried": not_tried,
            "exit": exit.code(),
        })
        .to_string()
    } else {
        format!("{ok} ok, {missing} missing, {wrong} wrong, {unclear} unclear, {not_tried} not tried.")
    });
    Ok(exit)
}

async fn services_lines(services: &Services, settings: &Settings, write: bool, tell: &mut impl FnMut(Line)) {
    let session: &ClusterSession = services.session();
    let cluster = &settings.cluster;
    match &cluster.queue {
        Some(queue) => {
            let options = SqsOptions {
                queue: queue.clone(),
                dead_letters: cluster.dead_letter_queue.clone(),
                ..SqsOptions::default()
            };
            for tried in SqsQueue::try_rights(session, &options, write).await {
                tell(Line::of_tried(tried, "jobsender and worker"));
            }
        }
        None => tell(Line::new(
            "sqs:*",
            "the queue",
            "jobsender and worker",
            Finding::NotTried,
            "no queue is named: --queue-url",
        )),
    }
    match &cluster.table {
        Some(table) => match StateTable::open(session, TableOptions::new(table), services.clock.clone()) {
            Ok(table) => {
                for tried in table.try_rights().await {
                    tell(Line::of_tried(tried, "jobsender and worker"));
                }
                if let Err(error) = table.check().await {
                    tell(Line::new("schema", "the table", "all", Finding::Wrong, error.to_string()));
                }
            }
            Err(error) => {
                tell(Line::new("dynamodb:*", "the table", "all", Finding::Wrong, error.to_string()));
            }
        },
        None => {
            tell(Line::new("dynamodb:*", "the table", "all", Finding::NotTried, "no table is named: --table"))
        }
    }
    if let (Some(group), Some(hook)) = (&cluster.auto_scaling_group, &cluster.lifecycle_hook) {
        let on = format!("the hook {hook} of the group {group}");
        let why = "only an instance that is being terminated can be told of";
        tell(Line::new("autoscaling:CompleteLifecycleAction", &on, "worker", Finding::NotTried, why));
    }
    for tried in try_parameters(session, &parameters(settings)).await {
        tell(Line::of_tried(tried, "jobsender and worker"));
    }
}

/// The parameters that the settings name.
fn parameters(settings: &Settings) -> Vec<&str> {
    let ClusterSettings { settings_parameter, routes_parameter, credentials_parameter, .. } =
        &settings.cluster;
    let all =
        [settings_parameter, routes_parameter, credentials_parameter, &settings.selection.ignore_parameter];
    all.into_iter().flatten().map(String::as_str).collect()
}

/// The parameters that a route's own settings name.
fn own_parameters(route: &FleetRoute) -> Vec<&str> {
    let settings = &route.asked.settings;
    let mut names: Vec<&str> = settings.selection.ignore_parameter.iter().map(String::as_str).collect();
    for credentials in [&settings.source.credentials, &settings.destination.side.credentials] {
        if let Credentials::Stored { parameter } = credentials {
            names.push(parameter);
        }
    }
    names
}

async fn route_lines(route: &FleetRoute, write: bool, tell: &mut impl FnMut(Line)) {
    let asked = &route.asked;
    let deletes = asked.settings.cluster.propagate_deletes;
    let wrong = |side: &str, location: &Location, error: CommandError| {
        let on = format!("the {side} {location}");
        Line::new("identity", &on, "jobsender and worker", Finding::Wrong, error.to_string())
    };
    let location = &asked.route.source;
    match backend::open_source(location, &asked.settings).await {
        Ok(open) => {
            let side = side(&open, location);
            for line in side.try_source().await {
                tell(line);
            }
            if asked.comparison == Comparison::Version {
                for line in side.try_versions().await {
                    tell(line);
                }
            }
            clock(&open, &side, tell).await;
        }
        Err(error) => tell(wrong("source", location, error)),
    }
    let location = &asked.route.destination;
    match backend::open_destination(location, &asked.settings, Use::Read).await {
        Ok(open) => {
            let side = side(&open, location);
            for line in side.try_destination(write, deletes).await {
                tell(line);
            }
            clock(&open, &side, tell).await;
        }
        Err(error) => tell(wrong("destination", location, error)),
    }
}

fn side<'a>(open: &'a OpenSide, location: &Location) -> Side<'a> {
    let prefix = location.prefix();
    let reserved: ObjectKey = prefix.join(&format!(".longbow-doctor-{}", new_transfer()));
    Side { store: open.store.as_ref(), on: open.full_name(location), prefix, reserved }
}

/// Compares this machine's clock with the store's.
async fn clock(open: &OpenSide, side: &Side<'_>, tell: &mut impl FnMut(Line)) {
    let Some(theirs) = open.time(&side.reserved).await else { return };
    let ours = longbow_local::SystemClock::new().now();
    tell(skew(&side.on, ours, theirs));
}

fn skew(on: &str, ours: Timestamp, theirs: Timestamp) -> Line {
    let apart = ours.0.saturating_sub(theirs.0);
    if apart.abs() <= SKEW {
        return Line::new("clock", on, "all", Finding::Ok, "");
    }
    let words = format!(
        "this machine's clock is {} s {} the store's: set it (chrony, NTP); requests are refused beyond 15 minutes",
        apart.abs() / 1000,
        if apart > 0 { "ahead of" } else { "behind" }
    );
    Line::new("clock", on, "all", Finding::Wrong, words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_are_told_by_how_much() {
        assert_eq!(skew("s", Timestamp(20_000), Timestamp(10_000)).finding, Finding::Ok);
        let ahead = skew("s", Timestamp(100_000), Timestamp(10_000));
        assert!(ahead.finding == Finding::Wrong && ahead.words.contains("90 s ahead"), "{}", ahead.words);
        assert!(skew("s", Timestamp(10_000), Timestamp(100_000)).words.contains("90 s behind"));
    }
}
