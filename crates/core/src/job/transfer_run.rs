//! What is noted of one run of the jobsender along one route: the plan that the records of objects are counted against.

use serde::{Deserialize, Serialize};

use super::TransferId;
use crate::object::Timestamp;
use crate::routes::RouteName;

/// One run along one route. Noted when it begins and again when it ends; a run that was killed has no end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferRun {
    /// The run. Runs along several routes may share it.
    pub transfer: TransferId,
    /// The route.
    pub route: RouteName,
    /// The source, as people read it.
    pub from: String,
    /// The destination.
    pub to: String,
    /// How the sides were compared.
    pub comparison: String,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; absent while it runs, and when it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// What it had done by then; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<RunPlan>,
    /// Whether both listings were read to their end and every job was taken by the queue.
    #[serde(default)]
    pub complete: bool,
    /// Why not, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The figures of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunPlan {
    /// Objects listed at the source.
    pub listed: u64,
    /// Jobs that the queue has taken: one an object.
    pub jobs: u64,
    /// Bytes of their objects.
    pub bytes: u64,
    /// Objects that needed no job.
    pub skipped: u64,
    /// Bytes of them.
    pub skipped_bytes: u64,
    /// Objects that only the destination had and that the run removed.
    pub removed: u64,
}

impl TransferRun {
    /// A run that begins.
    pub fn begin(
        transfer: TransferId,
        route: RouteName,
        (from, to): (impl Into<String>, impl Into<String>),
        comparison: impl Into<String>,
        began: Timestamp,
    ) -> Self {
        Self {
            transfer,
            route,
            from: from.into(),
            to: to.into(),
            comparison: comparison.into(),
            began,
            ended: None,
            plan: None,
            complete: false,
            error: None,
        }
    }

    /// The same run at its end. `plan`: what it did, if that is known. `error`: why it is not complete.
    #[must_use]
    pub fn end(self, at: Timestamp, plan: Option<RunPlan>, error: Option<String>) -> Self {
        Self { ended: Some(at), complete: error.is_none() && plan.is_some(), plan, error, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_survives_its_json_form_at_both_ends() {
        let route = RouteName::new("photos").unwrap();
        let sides = ("s3://a", "s3://b");
        let begun = TransferRun::begin(TransferId("t".into()), route, sides, "etag", Timestamp(5));
        let plan = RunPlan { listed: 3, jobs: 2, bytes: 9, skipped: 1, skipped_bytes: 4, removed: 5 };
        let done = begun.clone().end(Timestamp(9), Some(plan), None);
        let failed = begun.clone().end(Timestamp(9), None, Some("no more".into()));
        assert_eq!((begun.complete, done.complete, failed.complete), (false, true, false));
        for run in [begun, done, failed] {
            let json = serde_json::to_string(&run).unwrap();
            assert_eq!(serde_json::from_str::<TransferRun>(&json).unwrap(), run);
        }
    }
}
