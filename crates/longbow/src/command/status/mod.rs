//! `longbow status`: how far a fleet is. The queue's depths are approximate, as its service has them; counts of objects are
//! exact, since every object has one record (`docs/SEMANTICS.md`, "Counts").

mod counting;
mod figures;

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::TryStreamExt as _;
use longbow_aws::SqsQueue;
use longbow_core::failure::BackendError;
use longbow_core::job::{TransferId, TransferRun};
use longbow_core::object::Timestamp;
use longbow_core::port::{Clock as _, JobQueue as _, QueueDepth, TransferLog as _};
use serde_json::{Value, json};

use super::Surrounding;
use super::cluster::at_start;
use super::looking::{self, Looked, LookedAt};
use crate::amounts::{bytes, count};
use crate::cli::StatusArgs;
use crate::exit::{CommandError, Exit};
use counting::{Counted, RouteCount};
use figures::Figures;

/// Notes of runs that are looked at for those of the routes asked for: a table may serve several fleets.
const NOTES: usize = 500;

/// Runs the command.
pub(crate) async fn run(args: &StatusArgs, around: &Surrounding) -> Result<Exit, CommandError> {
    let fleet = looking::open(&args.places, &args.fleet, around).await?;
    let queue = match &fleet.settings.cluster.queue {
        Some(_) => Some(fleet.services.queue().await?),
        None => None,
    };
    loop {
        let look = look(args, &fleet, queue.as_ref()).await;
        let look = look.map_err(|error| at_start("queue or table", &error))?;
        around.screen.output_line(&if args.fleet.json { look.json().to_string() } else { look.text() });
        let Some(seconds) = args.watch else { return Ok(Exit::Done) };
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        if !args.fleet.json {
            around.screen.output_line("");
        }
    }
}

/// What one look found.
struct Look {
    at: Timestamp,
    queue: Option<(String, QueueDepth, bool)>,
    transfers: Vec<Figures>,
    /// Routes with what no shown transfer counts.
    rest: Vec<(String, Counted, Counted)>,
}

async fn look(args: &StatusArgs, fleet: &LookedAt, queue: Option<&SqsQueue>) -> Result<Look, BackendError> {
    let asked = args.transfer.as_ref().map(|id| TransferId(id.clone()));
    let notes = match &asked {
        Some(id) => fleet.table.get(id).await?,
        None => fleet.table.latest(NOTES).await?,
    };
    // Whether a transfer is the newest cannot be told from its own notes.
    let newest = if asked.is_some() { fleet.table.latest(NOTES).await? } else { notes.clone() };
    let depth = match queue {
        Some(queue) => {
            let depth = queue.depth().await?;
            Some((queue.url().to_owned(), depth, queue.dead_letter_url().is_some()))
        }
        None => None,
    };
    let now = fleet.services.clock.now();
    let mut look = Look { at: now, queue: depth, transfers: Vec::new(), rest: Vec::new() };
    for route in &fleet.routes {
        let runs: Vec<&TransferRun> = notes.iter().filter(|run| is_of(run, route)).take(args.last).collect();
        let mut wanted: BTreeSet<TransferId> = runs.iter().map(|run| run.transfer.clone()).collect();
        wanted.extend(asked.clone());
        let newest = newest.iter().find(|run| is_of(run, route)).map(|run| run.transfer.clone());
        let mut counted = if args.quick { None } else { Some(count_all(route, wanted.clone()).await?) };
        for transfer in wanted.into_iter().rev() {
            let run = runs.iter().find(|run| run.transfer == transfer).copied().cloned();
            let is_newest = newest.as_ref().is_none_or(|newest| *newest <= transfer);
            let counted = counted.as_mut().and_then(|counted| counted.wanted.remove(&transfer));
            let nothing = counted.as_ref().is_none_or(|c| c.totals.objects == 0);
            // Another route's.
            if run.is_none() && nothing {
                continue;
            }
            look.transfers.push(Figures::new((transfer, route.name.clone()), run, counted, is_newest, now));
        }
        if let Some(counted) = counted.filter(|_| asked.is_none()) {
            look.rest.push((route.name.to_string(), counted.unplanned, counted.others));
        }
    }
    Ok(look)
}

/// Names of routes are unique within one configuration, and a table may serve several.
fn is_of(run: &TransferRun, route: &Looked) -> bool {
    let sides = &route.asked.route;
    run.route == route.name && run.from == sides.source.to_string() && run.to == sides.destination.to_string()
}

async fn count_all(
    route: &Looked,
    wanted: impl IntoIterator<Item = TransferId>,
) -> Result<RouteCount, BackendError> {
    let mut counted = RouteCount::of(wanted);
    let mut pages = route.state.records();
    let prefix = route.asked.route.source_prefix();
    while let Some(page) = pages.try_next().await? {
        for recorded in page {
            counted.add(&prefix.join(recorded.subject.as_str()), &recorded.stored.record);
        }
    }
    Ok(counted)
}

impl Look {
    fn json(&self) -> Value {
        let queue = self.queue.as_ref().map(|(url, depth, has_dead)| {
            json!({
                "url": url,
                "visible": depth.visible,
                "in_flight": depth.in_flight,
                "delayed": depth.delayed,
                "dead": has_dead.then_some(depth.dead),
                "exact": false,
            })
        });
        let part = |c: &Counted| {
            json!({
                "objects": c.totals.objects,
                "copied": c.totals.copied,
                "copied_bytes": c.totals.copied_bytes,
                "skipped": c.totals.skipped,
                "removed": c.totals.deleted,
                "failed": c.totals.failures(),
                "in_work": c.totals.working,
            })
        };
        let rest = |(route, unplanned, others): &(String, Counted, Counted)| json!({"route": route, "unplanned": part(unplanned), "other_transfers": part(others)});
        json!({
            "event": "status",
            "at": self.at.to_string(),
            "queue": queue,
            "transfers": self.transfers.iter().map(Figures::json).collect::<Vec<_>>(),
            "routes": self.rest.iter().map(rest).collect::<Vec<_>>(),
            "exact": {"queue": false, "objects": true},
        })
    }

    fn text(&self) -> String {
        let mut parts = Vec::new();
        if let Some((url, depth, has_dead)) = &self.queue {
            let dead = if *has_dead { count(depth.dead) } else { "no queue for them".to_owned() };
            parts.push(format!(
                "Queue {url}, about: {} waiting, {} in flight, {} delayed; dead letters: {dead}",
                count(depth.visible),
                count(depth.in_flight),
                count(depth.delayed)
            ));
        }
        parts.extend(self.transfers.iter().map(Figures::text));
        if self.transfers.is_empty() {
            parts.push("No transfer is noted for these routes.".to_owned());
        }
        for (route, unplanned, others) in &self.rest {
            for (what, c) in [("Events and jobs of others", unplanned), ("Other transfers", others)] {
                if c.totals.objects > 0 {
                    parts.push(format!(
                        "{what} along {route}: {} objects; {} copied ({}), {} skipped, {} removed, {} failed, {} in work",
                        count(c.totals.objects),
                        count(c.totals.copied),
                        bytes(c.totals.copied_bytes),
                        count(c.totals.skipped),
                        count(c.totals.deleted),
                        count(c.totals.failures()),
                        count(c.totals.working)
                    ));
                }
            }
        }
        parts.join("\n\n")
    }
}
