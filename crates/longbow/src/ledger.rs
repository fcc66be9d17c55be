//! The count of what became of every object of a run: each has one fate at a time, so that the summary adds up.
//!
//! Two things make that hard: jobs left over from an earlier run, which may end before the listing tells of them, and
//! a comparison that begins again because a store lists in another order than was thought. Where one of these can
//! happen, the ledger remembers which object is which, eight bytes for each and up to a bound.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use longbow_core::diff::{Decision, SkipReason};
use longbow_core::failure::FailureClass;
use longbow_core::job::{Report, ReportOutcome};
use longbow_core::object::ObjectKey;
use longbow_core::port::Side;

/// How many failures of a class are told by name.
pub(crate) const NAMED_FAILURES: usize = 10;

/// Most objects that are remembered one by one: some 7 MiB.
const MOST_TRACKED: usize = 200_000;

/// What became of an object of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// To be copied; not finished yet.
    Waiting,
    /// The comparison found both sides equal.
    Same,
    /// It was copied before and did not change since.
    Recorded,
    /// The selection leaves it out.
    Excluded,
    /// The worker found it equal at a closer look.
    Inspected,
    /// Copied and verified.
    Copied,
    /// Given up.
    Failed,
}

/// Objects and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) objects: u64,
    pub(crate) bytes: u64,
}

impl Count {
    fn add(&mut self, bytes: u64) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn remove(&mut self, bytes: u64) {
        self.objects = self.objects.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

/// Failures of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Failures {
    pub(crate) objects: u64,
    /// The first ones, with their reasons.
    pub(crate) first: Vec<(ObjectKey, String)>,
}

/// The running totals of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    fates: [Count; 7],
    listed: [u64; 2],
    complete: [bool; 2],
    tracked: Option<HashMap<u64, Tracked>>,
    carried_over: u64,
    inexact: bool,
    deleted: Count,
    failures: BTreeMap<String, Failures>,
    bytes_sent: u64,
    parts_reused: u64,
    with_losses: u64,
}

/// One object that is remembered.
#[derive(Debug, Clone, Copy, Default)]
struct Tracked {
    decided: Option<Fate>,
    finished: Option<Fate>,
    bytes: u64,
}

impl Tracked {
    /// What counts. The worker's word is later than the listing's, but "nothing to do" says nothing new.
    fn fate(&self) -> Option<(Fate, u64)> {
        let fate = match (self.decided, self.finished) {
            (Some(decided @ (Fate::Same | Fate::Recorded)), Some(Fate::Inspected)) => Some(decided),
            (_, Some(finished)) => Some(finished),
            (decided, None) => decided,
        };
        fate.map(|fate| (fate, self.bytes))
    }

    fn is_carried_over(&self) -> bool {
        self.decided.is_none() && self.finished.is_some()
    }
}

impl Ledger {
    /// An empty ledger. `tracking` must be set where jobs are left over from an earlier run, or where the comparison
    /// may begin again.
    pub(crate) fn new(tracking: bool) -> Self {
        Self { tracked: tracking.then(HashMap::new), ..Self::default() }
    }

    /// More keys were listed.
    pub(crate) fn listed(&mut self, side: Side, keys: u64) {
        self.listed[side as usize] += keys;
    }

    /// A listing has ended, complete.
    pub(crate) fn complete(&mut self, side: Side) {
        self.complete[side as usize] = true;
    }

    /// The comparison has decided.
    pub(crate) fn decided(&mut self, decision: Decision, key: &ObjectKey, bytes: u64) {
        let fate = match decision {
            Decision::Copy(_) => Fate::Waiting,
            Decision::Skip(SkipReason::Same) => Fate::Same,
            Decision::Skip(SkipReason::Recorded) => Fate::Recorded,
            Decision::Skip(SkipReason::Excluded) => Fate::Excluded,
        };
        // Equal objects have no job: they need not be remembered, unless they are already.
        let decide = |tracked: &mut Tracked| {
            tracked.decided = Some(fate);
            tracked.bytes = bytes;
        };
        if !self.change_tracked(key, fate == Fate::Waiting, decide) {
            self.fates[fate as usize].add(bytes);
        }
    }

    /// The comparison begins again: what it said so far is void, what was finished stands.
    pub(crate) fn restarted(&mut self) {
        self.listed = [0; 2];
        self.complete = [false; 2];
        let finished = [Fate::Inspected, Fate::Copied, Fate::Failed];
        let done_before: u64 = finished.iter().map(|f| self.of(*f).objects).sum();
        self.fates = [Count::default(); 7];
        self.carried_over = 0;
        for tracked in self.tracked.iter_mut().flat_map(HashMap::values_mut) {
            tracked.decided = None;
            if let Some(fate) = tracked.finished {
                self.fates[fate as usize].add(tracked.bytes);
                self.carried_over += 1;
            }
        }
        self.inexact = self.inexact || done_before != self.carried_over;
        self.tracked.get_or_insert_default();
    }

    /// The worker has ended an object, or a deletion was done.
    pub(crate) fn finished(&mut self, report: &Report) {
        self.bytes_sent = self.bytes_sent.saturating_add(report.bytes_sent);
        self.parts_reused += u64::from(report.parts_reused);
        self.with_losses += u64::from(!report.lost.is_empty());
        let fate = match report.outcome {
            ReportOutcome::Copied => Fate::Copied,
            ReportOutcome::Skipped => Fate::Inspected,
            ReportOutcome::Failed => {
                self.note_failure(report);
                Fate::Failed
            }
            ReportOutcome::Deleted => {
                self.deleted.add(report.size);
                return;
            }
        };
        let end = |tracked: &mut Tracked| {
            if !(tracked.finished == Some(Fate::Copied) && fate == Fate::Inspected) {
                tracked.finished = Some(fate);
                tracked.bytes = report.size;
            }
        };
        if !self.change_tracked(&report.key, true, end) {
            self.fates[Fate::Waiting as usize].remove(report.size);
            self.fates[fate as usize].add(report.size);
        }
    }

    /// Objects with this fate.
    pub(crate) fn of(&self, fate: Fate) -> Count {
        self.fates[fate as usize]
    }

    /// Keys listed on a side.
    pub(crate) fn keys_listed(&self, side: Side) -> u64 {
        self.listed[side as usize]
    }

    /// Whether a side's listing has ended, complete.
    pub(crate) fn is_complete(&self, side: Side) -> bool {
        self.complete[side as usize]
    }

    /// Objects finished by jobs of an earlier run that this run's comparison had no job for.
    pub(crate) fn carried_over(&self) -> u64 {
        self.carried_over
    }

    /// Objects removed from the destination.
    pub(crate) fn deleted(&self) -> Count {
        self.deleted
    }

    /// Failures by class.
    pub(crate) fn failures(&self) -> &BTreeMap<String, Failures> {
        &self.failures
    }

    /// Bytes sent to the destination, attempts that ended only.
    pub(crate) fn bytes_sent(&self) -> u64 {
        self.bytes_sent
    }

    /// Parts that an earlier attempt had left at the destination.
    pub(crate) fn parts_reused(&self) -> u64 {
        self.parts_reused
    }

    /// Objects of which something could not be preserved.
    pub(crate) fn with_losses(&self) -> u64 {
        self.with_losses
    }

    /// Whether objects may have been counted twice: the comparison began again after more objects than are
    /// remembered.
    pub(crate) fn is_inexact(&self) -> bool {
        self.inexact
    }

    /// Changes what is known of a remembered object, and its fate with it; an unknown one is remembered when
    /// `begin` is set. `false`: it is not remembered.
    fn change_tracked(&mut self, key: &ObjectKey, begin: bool, change: impl FnOnce(&mut Tracked)) -> bool {
        let Some(all) = &mut self.tracked else { return false };
        let mark = mark(key);
        let room = begin && all.len() < MOST_TRACKED;
        let tracked = match all.get_mut(&mark) {
            Some(tracked) => tracked,
            None if room => all.entry(mark).or_default(),
            None => return false,
        };
        let (before, carried_before) = (tracked.fate(), tracked.is_carried_over());
        change(tracked);
        let (after, carried_after) = (tracked.fate(), tracked.is_carried_over());
        if let Some((fate, bytes)) = before {
            self.fates[fate as usize].remove(bytes);
        }
        if let Some((fate, bytes)) = after {
            self.fates[fate as usize].add(bytes);
        }
        self.carried_over = self.carried_over + u64::from(carried_after) - u64::from(carried_before);
        true
    }

    fn note_failure(&mut self, report: &Report) {
        let class = report.failure.unwrap_or(FailureClass::Permanent).to_string();
        let failures = self.failures.entry(class).or_default();
        failures.objects += 1;
        if failures.first.len() < NAMED_FAILURES {
            failures.first.push((report.key.clone(), report.reason.clone()));
        }
    }
}

/// Eight bytes for a key.
fn mark(key: &ObjectKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
pub(crate) mod tests {
    use longbow_core::diff::CopyReason;
    use longbow_core::object::Timestamp;

    use super::*;

    pub(crate) fn report(key: &str, outcome: ReportOutcome) -> Report {
        Report {
            key: key.into(),
            destination_key: key.into(),
            version: None,
            size: 10,
            source_etag: None,
            destination_etag: None,
            checksums: longbow_core::object::Checksums::default(),
            method: None,
            parts: 0,
            parts_reused: 0,
            bytes_read: 10,
            bytes_sent: 10,
            attempts: 1,
            finished: Timestamp(0),
            milliseconds: 1,
            outcome,
            proof: None,
            reason: "because".into(),
            failure: (outcome == ReportOutcome::Failed).then_some(FailureClass::Denied),
            lost: Vec::new(),
            transfer: None,
            requests: longbow_core::job::Requests::default(),
        }
    }

    const COPY: Decision = Decision::Copy(CopyReason::Missing);
    const SAME: Decision = Decision::Skip(SkipReason::Same);

    fn total(ledger: &Ledger) -> u64 {
        ledger.fates.iter().map(|c| c.objects).sum()
    }

    #[test]
    fn every_listed_object_has_one_fate() {
        let mut ledger = Ledger::default();
        ledger.listed(Side::Source, 6);
        for (key, decision) in [
            ("a", COPY),
            ("b", COPY),
            ("c", COPY),
            ("d", COPY),
            ("e", SAME),
            ("f", Decision::Skip(SkipReason::Excluded)),
        ] {
            ledger.decided(decision, &key.into(), 10);
        }
        ledger.finished(&report("a", ReportOutcome::Copied));
        ledger.finished(&report("b", ReportOutcome::Skipped));
        ledger.finished(&report("c", ReportOutcome::Failed));
        ledger.finished(&report("z", ReportOutcome::Deleted));
        assert_eq!(total(&ledger), ledger.keys_listed(Side::Source));
        for fate in [Fate::Waiting, Fate::Same, Fate::Excluded, Fate::Inspected, Fate::Copied, Fate::Failed] {
            assert_eq!(ledger.of(fate), Count { objects: 1, bytes: 10 }, "{fate:?}");
        }
        assert_eq!(ledger.deleted().objects, 1);
        assert_eq!(ledger.failures()["denied"].first, [("c".into(), "because".to_owned())]);
    }

    #[test]
    fn leftover_jobs_add_up_in_every_order_of_events() {
        use ReportOutcome::{Copied, Failed, Skipped};
        #[derive(Clone, Copy)]
        enum Event {
            Decided(Decision),
            Finished(ReportOutcome),
        }
        use Event::{Decided, Finished};
        let rows: [(&[Event], Fate, u64); 9] = [
            (&[Finished(Copied), Decided(SAME)], Fate::Copied, 0),
            (&[Finished(Skipped), Decided(SAME)], Fate::Same, 0),
            (&[Decided(SAME), Finished(Copied)], Fate::Copied, 1),
            (&[Decided(COPY), Finished(Copied)], Fate::Copied, 0),
            (&[Finished(Copied), Decided(COPY), Finished(Skipped)], Fate::Copied, 0),
            (&[Finished(Copied), Decided(COPY)], Fate::Copied, 0),
            (&[Finished(Failed), Decided(COPY), Finished(Copied)], Fate::Copied, 0),
            (&[Finished(Copied)], Fate::Copied, 1),
            (&[Decided(COPY)], Fate::Waiting, 0),
        ];
        for (number, (events, fate, carried_over)) in rows.into_iter().enumerate() {
            let mut ledger = Ledger::new(true);
            let mut listed = 0;
            for event in events {
                match event {
                    Decided(decision) => {
                        listed += 1;
                        ledger.decided(*decision, &"a".into(), 10);
                    }
                    Finished(outcome) => ledger.finished(&report("a", *outcome)),
                }
            }
            assert_eq!(ledger.of(fate).objects, 1, "row {number}");
            assert_eq!(ledger.carried_over(), carried_over, "row {number}");
            assert_eq!(total(&ledger), listed + carried_over, "row {number}");
        }
    }

    #[test]
    fn a_comparison_that_begins_again_counts_nothing_twice() {
        let mut ledger = Ledger::new(true);
        for key in ["a", "b", "c"] {
            ledger.decided(COPY, &key.into(), 10);
        }
        ledger.decided(SAME, &"d".into(), 10);
        ledger.finished(&report("a", ReportOutcome::Copied));
        ledger.finished(&report("b", ReportOutcome::Failed));
        ledger.restarted();
        assert_eq!(total(&ledger), 2);
        ledger.decided(Decision::Skip(SkipReason::Recorded), &"a".into(), 10);
        for key in ["b", "c"] {
            ledger.decided(COPY, &key.into(), 10);
        }
        ledger.decided(SAME, &"d".into(), 10);
        ledger.finished(&report("b", ReportOutcome::Copied));
        ledger.finished(&report("c", ReportOutcome::Copied));
        assert_eq!((ledger.of(Fate::Copied).objects, ledger.of(Fate::Same).objects), (3, 1));
        assert_eq!((total(&ledger), ledger.carried_over(), ledger.is_inexact()), (4, 0, false));

        let mut unprepared = Ledger::new(false);
        unprepared.decided(COPY, &"a".into(), 10);
        unprepared.finished(&report("a", ReportOutcome::Copied));
        unprepared.restarted();
        assert!(unprepared.is_inexact());
    }

    #[test]
    fn only_the_first_failures_are_kept_by_name() {
        let mut ledger = Ledger::default();
        for n in 0..25 {
            ledger.finished(&report(&format!("k{n}"), ReportOutcome::Failed));
        }
        let failures = &ledger.failures()["denied"];
        assert_eq!((failures.objects, failures.first.len()), (25, NAMED_FAILURES));
    }
}
