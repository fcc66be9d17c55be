//! The figures of one transfer along one route: what was planned, against what the records say.

use longbow_core::job::{Pace, Totals, TransferId, TransferRun};
use longbow_core::object::Timestamp;
use longbow_core::routes::RouteName;
use serde_json::{Map, Value, json};

use super::counting::{Cause, Counted};
use crate::amounts::{bytes, count};

/// One transfer.
pub(super) struct Figures {
    pub(super) transfer: TransferId,
    pub(super) route: RouteName,
    /// What the jobsender noted; absent of a transfer that nobody noted.
    pub(super) run: Option<TransferRun>,
    /// What the records say; absent where none were read.
    pub(super) counted: Option<Counted>,
    /// No later run along the route can have taken objects over.
    pub(super) newest: bool,
    /// Failures, pace and the rest, with what was planned.
    totals: Totals,
    pace: Pace,
}

impl Figures {
    pub(super) fn new(
        (transfer, route): (TransferId, RouteName),
        run: Option<TransferRun>,
        counted: Option<Counted>,
        newest: bool,
        now: Timestamp,
    ) -> Self {
        let mut totals = counted.as_ref().map(|c| c.totals.clone()).unwrap_or_default();
        let mut pace = Pace::default();
        if let Some(plan) = run.as_ref().and_then(|run| run.plan) {
            totals.plan(plan.jobs, plan.bytes);
        }
        if let (Some(run), Some(counted)) = (&run, &counted) {
            let end = if totals.is_finished() { counted.latest.unwrap_or(now) } else { now };
            pace = totals.pace(run.began, end);
        }
        Self { transfer, route, run, counted, newest, totals, pace }
    }

    /// Whether the plan is known to its end, so that what is open is known.
    fn is_planned(&self) -> bool {
        self.run.as_ref().is_some_and(|run| run.plan.is_some())
    }

    /// How sure the figure of open objects is.
    fn certainty(&self) -> &'static str {
        match (self.is_planned(), self.newest) {
            (false, _) => "unknown",
            (true, true) => "exact",
            (true, false) => "at-most",
        }
    }

    fn causes(&self) -> impl Iterator<Item = (&String, &Cause)> {
        self.counted.iter().flat_map(|counted| &counted.causes)
    }

    /// For machines.
    pub(super) fn json(&self) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
        put("transfer", json!(self.transfer));
        put("route", json!(self.route));
        if let Some(run) = &self.run {
            put("from", json!(run.from));
            put("to", json!(run.to));
            put("comparison", json!(run.comparison));
            put("began", json!(run.began.to_string()));
            put("ended", json!(run.ended.map(|at| at.to_string())));
            put("complete", json!(run.complete));
            put("error", json!(run.error));
            if let Some(plan) = &run.plan {
                put("listed", json!(plan.listed));
                put("unchanged", amount(plan.skipped, plan.skipped_bytes));
                put("removed_by_jobsender", json!(plan.removed));
                put("planned", amount(self.totals.objects, self.totals.bytes));
            }
        }
        let Some(counted) = &self.counted else { return Value::Object(fields) };
        let t = &self.totals;
        put("copied", amount(t.copied, t.copied_bytes));
        put("skipped", amount(t.skipped, t.skipped_bytes));
        put("removed", json!(t.deleted));
        let by_cause = |(cause, c): (&String, &Cause)| json!({"cause": cause, "objects": c.objects, "example": c.example, "reason": c.reason});
        let mut failed = amount(t.failures(), t.failed_bytes);
        failed["by_cause"] = self.causes().map(by_cause).collect();
        put("failed", failed);
        put("in_work", json!(t.working));
        put("open_certainty", json!(self.certainty()));
        if self.is_planned() {
            put("open", amount(t.open(), t.open_bytes()));
            put("finished", json!(t.is_finished()));
        }
        put("last_change", json!(counted.latest.map(|at| at.to_string())));
        put("bytes_per_second", json!(self.pace.bytes_per_second));
        put("objects_per_second", json!(self.pace.objects_per_second));
        let done_at = self.pace.done_at.filter(|_| self.is_planned() && self.newest);
        put("done_at", json!(done_at.map(|at| at.to_string())));
        Value::Object(fields)
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines = Vec::new();
        match &self.run {
            Some(run) => {
                lines.push(format!(
                    "Transfer {} of {}: {} → {}, compared by {}",
                    self.transfer, self.route, run.from, run.to, run.comparison
                ));
                let plan = run.plan.unwrap_or_default();
                lines.push(match (run.ended, &run.error) {
                    (None, _) => format!("  began {}; it still sends jobs, or was killed", run.began),
                    (Some(_), Some(error)) => format!("  began {}, and ended early: {error}", run.began),
                    (Some(ended), None) => format!(
                        "  began {}, sent its last job {ended}: {} listed, {} unchanged ({})",
                        run.began,
                        count(plan.listed),
                        count(plan.skipped),
                        bytes(plan.skipped_bytes)
                    ),
                });
            }
            None => lines
                .push(format!("Transfer {} of {}: nothing is noted of its plan", self.transfer, self.route)),
        }
        let t = &self.totals;
        let mut row = |name: &str, objects: u64, size: Option<u64>, more: &str| {
            let size = size.map(bytes).unwrap_or_default();
            lines
                .push(format!("  {name:<9} {:>13} {size:>11}  {more}", count(objects)).trim_end().to_owned());
        };
        if self.is_planned() {
            row("planned", t.objects, Some(t.bytes), "");
        }
        if self.counted.is_none() {
            return lines.join("\n");
        }
        row("copied", t.copied, Some(t.copied_bytes), "");
        row("skipped", t.skipped, Some(t.skipped_bytes), "the destination had them");
        let by_jobsender = self.run.as_ref().and_then(|run| run.plan).map_or(0, |plan| plan.removed);
        let more = match by_jobsender {
            0 => String::new(),
            n => format!("and {} more by the jobsender, that only the destination had", count(n)),
        };
        row("removed", t.deleted, None, &more);
        row("failed", t.failures(), Some(t.failed_bytes), "");
        let in_work = format!("{} of them in work", count(t.working));
        if self.is_planned() {
            let more = if self.newest {
                in_work
            } else {
                format!("at most: later transfers may have taken them over; {in_work}")
            };
            row("open", t.open(), Some(t.open_bytes()), &more);
        } else {
            row("in work", t.working, None, "");
        }
        for (cause, c) in self.causes() {
            lines.push(format!(
                "  failed, {cause}: {}, such as {}: {}",
                count(c.objects),
                c.example,
                c.reason
            ));
        }
        let mut rate = format!(
            "  on average {}/s and {} objects/s",
            bytes(self.pace.bytes_per_second),
            count(self.pace.objects_per_second)
        );
        if let Some(at) = self.pace.done_at.filter(|_| self.is_planned() && self.newest) {
            rate.push_str(&format!("; done about {at} at this pace"));
        }
        lines.push(rate);
        lines.join("\n")
    }
}

fn amount(objects: u64, bytes: u64) -> Value {
    json!({"objects": objects, "bytes": bytes})
}

#[cfg(test)]
mod tests {
    use longbow_core::job::{ObjectRecord, Proof, RecordState, RunPlan, SourceVersion};
    use longbow_core::object::Checksums;

    use super::*;

    fn figures(copied: u64, jobs: Option<u64>, newest: bool) -> Figures {
        let mut counted = Counted::default();
        for n in 0..copied {
            let record = ObjectRecord {
                source: SourceVersion { size: 10, etag: None, version: None, modified: None },
                attempts: 0,
                updated: Timestamp(6_000),
                state: RecordState::Copied {
                    destination_etag: None,
                    checksums: Checksums::default(),
                    proof: Proof::ETag,
                },
                sequencer: None,
                transfer: None,
                found: n == 0,
            };
            counted.add(&format!("{n}").as_str().into(), &record);
        }
        let id = TransferId("t".into());
        let route = RouteName::of_pair(0);
        let run =
            TransferRun::begin(id.clone(), route.clone(), ("s3://a", "s3://b"), "etag", Timestamp(1_000));
        let run = match jobs {
            Some(jobs) => {
                let plan = RunPlan { jobs, bytes: jobs * 10, ..RunPlan::default() };
                run.end(Timestamp(2_000), Some(plan), None)
            }
            None => run,
        };
        Figures::new((id, route), Some(run), Some(counted), newest, Timestamp(11_000))
    }

    #[test]
    fn what_was_planned_is_the_sum_of_the_rest() {
        let json = figures(4, Some(20), true).json();
        let objects = |name: &str| json[name]["objects"].as_u64().unwrap();
        assert_eq!(
            (objects("planned"), objects("copied"), objects("skipped"), objects("open")),
            (20, 3, 1, 16)
        );
        assert_eq!(json["open_certainty"], "exact");
        assert_eq!(json["finished"], false);
        assert_eq!(json["bytes_per_second"], 3);
        assert!(json["done_at"].is_string());
        let text = figures(4, Some(20), true).text();
        assert!(text.contains("done about") && text.contains("planned"), "{text}");
    }

    #[test]
    fn a_finished_transfer_keeps_the_pace_it_had() {
        let json = figures(6, Some(6), true).json();
        // Sixty bytes less the ten that were there, in five seconds, whatever the time is now.
        assert_eq!((json["finished"].as_bool(), json["bytes_per_second"].as_u64()), (Some(true), Some(10)));
        assert!(json["done_at"].is_null());
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        let running = figures(2, None, true);
        assert_eq!(running.json()["open_certainty"], "unknown");
        assert!(running.json().get("open").is_none() && running.json().get("planned").is_none());
        assert!(running.text().contains("was killed"));
        let old = figures(2, Some(3), false);
        assert_eq!(old.json()["open_certainty"], "at-most");
        assert!(old.json()["done_at"].is_null() && old.text().contains("at most"));
    }
}
