//! Counts of objects by the transfer that counts them: each record once, in memory that does not grow with them.

use std::collections::BTreeMap;

use longbow_core::job::{ObjectRecord, RecordState, Said, Stand, Totals, TransferId};
use longbow_core::object::{ObjectKey, Timestamp};

/// What is known of the objects of one transfer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) totals: Totals,
    /// Failures by cause.
    pub(super) causes: BTreeMap<String, Cause>,
    /// The last change.
    pub(super) latest: Option<Timestamp>,
}

/// One cause of failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) objects: u64,
    /// The first of its objects in byte order, and its reason.
    pub(super) example: ObjectKey,
    pub(super) reason: String,
}

impl Counted {
    /// Adds an object.
    pub(super) fn add(&mut self, subject: &ObjectKey, record: &ObjectRecord) {
        let said = Said::of(record);
        self.totals.add(&said);
        self.latest = self.latest.max(Some(record.updated));
        let (Stand::Failed(class), RecordState::Failed { reason, .. }) = (said.stand, &record.state) else {
            return;
        };
        let cause = self.causes.entry(class.to_string()).or_insert_with(|| Cause {
            objects: 0,
            example: subject.clone(),
            reason: reason.clone(),
        });
        cause.objects += 1;
        if *subject < cause.example {
            (cause.example, cause.reason) = (subject.clone(), reason.clone());
        }
    }
}

/// The records of one route.
#[derive(Debug, Default)]
pub(super) struct RouteCount {
    /// Those of the transfers that were asked for.
    pub(super) wanted: BTreeMap<TransferId, Counted>,
    /// What no run planned: events, jobs of other programs.
    pub(super) unplanned: Counted,
    /// What is of other transfers, and of releases that noted none.
    pub(super) others: Counted,
}

impl RouteCount {
    /// Counts these transfers one by one.
    pub(super) fn of(wanted: impl IntoIterator<Item = TransferId>) -> Self {
        let wanted = wanted.into_iter().map(|transfer| (transfer, Counted::default())).collect();
        Self { wanted, ..Self::default() }
    }

    /// Adds an object.
    pub(super) fn add(&mut self, subject: &ObjectKey, record: &ObjectRecord) {
        let counted = match &record.transfer {
            Some(transfer) => match self.wanted.get_mut(transfer) {
                Some(counted) => counted,
                // Names of runs have no colon; `events:ROUTE` and its like do.
                None if transfer.0.contains(':') => &mut self.unplanned,
                None => &mut self.others,
            },
            None => &mut self.others,
        };
        counted.add(subject, record);
    }
}

#[cfg(test)]
mod tests {
    use longbow_core::failure::FailureClass;
    use longbow_core::job::SourceVersion;

    use super::*;

    fn record(transfer: Option<&str>, state: RecordState, at: i64) -> ObjectRecord {
        ObjectRecord {
            source: SourceVersion { size: 10, etag: None, version: None, modified: None },
            attempts: 0,
            updated: Timestamp(at),
            state,
            sequencer: None,
            transfer: transfer.map(|id| TransferId(id.to_owned())),
            found: false,
        }
    }

    fn failed(class: FailureClass, reason: &str) -> RecordState {
        RecordState::Failed { class, reason: reason.to_owned() }
    }

    #[test]
    fn every_record_counts_once_where_it_belongs() {
        let mut count = RouteCount::of([TransferId("t1".into()), TransferId("t2".into())]);
        for (key, transfer) in [("a", Some("t1")), ("b", Some("t1")), ("c", Some("t0")), ("d", None)] {
            count.add(&key.into(), &record(transfer, RecordState::Removed, 5));
        }
        count.add(&"e".into(), &record(Some("events:r"), RecordState::Removed, 6));
        let objects = |transfer: &str| count.wanted[&TransferId(transfer.into())].totals.objects;
        assert_eq!((objects("t1"), objects("t2")), (2, 0));
        assert_eq!((count.others.totals.objects, count.unplanned.totals.objects), (2, 1));
        assert_eq!(count.unplanned.latest, Some(Timestamp(6)));
    }

    #[test]
    fn failures_are_told_by_cause_with_the_first_key_whatever_the_order() {
        let mut counted = Counted::default();
        for (key, class, reason) in [
            ("m", FailureClass::Permanent, "gone m"),
            ("b", FailureClass::Denied, "no b"),
            ("c", FailureClass::Permanent, "gone c"),
            ("z", FailureClass::Permanent, "gone z"),
        ] {
            counted.add(&key.into(), &record(None, failed(class, reason), 1));
        }
        assert_eq!(counted.totals.failures(), 4);
        let permanent = &counted.causes["permanent"];
        assert_eq!(
            (permanent.objects, permanent.example.as_str(), permanent.reason.as_str()),
            (3, "c", "gone c")
        );
        assert_eq!(counted.causes["denied"].objects, 1);
    }
}
