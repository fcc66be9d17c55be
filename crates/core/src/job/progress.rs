//! How far transfers are, from what is known of their objects: the figures of `longbow status`.
//!
//! Pure: entries and times in, figures out. An object counts once, however often it was delivered, tried or reported
//! (its latest state wins), so that the sums are exact. Memory is one entry an object in [`Tally`]; who cannot afford
//! that feeds it objects one by one in order and keeps the totals ([`Totals::add`]).

use std::collections::BTreeMap;

use super::{ObjectRecord, RecordState};
use crate::failure::FailureClass;
use crate::object::{ObjectKey, Timestamp};

/// Where one object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// Planned, and nothing is known of it yet.
    Planned,
    /// Parts are on their way, or an attempt failed and another follows.
    Working,
    /// Copied and verified.
    Copied,
    /// Nothing had to be done.
    Skipped,
    /// Removed from the destination.
    Deleted,
    /// Given up, for this class of reason.
    Failed(FailureClass),
}

impl Stand {
    /// Whether nothing more will happen to it.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Planned | Self::Working)
    }
}

/// One thing said about one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// Where it stands.
    pub stand: Stand,
    /// Bytes.
    pub size: u64,
    /// When it was said.
    pub at: Timestamp,
}

impl Said {
    /// What a record says.
    pub fn of(record: &ObjectRecord) -> Self {
        let stand = match &record.state {
            RecordState::Copying { .. } | RecordState::Waiting { .. } => Stand::Working,
            RecordState::Copied { .. } if record.found => Stand::Skipped,
            RecordState::Copied { .. } => Stand::Copied,
            RecordState::Failed { class, .. } => Stand::Failed(*class),
            RecordState::Removed => Stand::Deleted,
        };
        Self { stand, size: record.source.size, at: record.updated }
    }

    /// Whether this replaces what was said before: later wins; at one moment, the settled one.
    fn replaces(&self, before: &Self) -> bool {
        (self.at, self.stand.is_settled()) >= (before.at, before.stand.is_settled())
    }
}

/// Sums over different objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// All objects.
    pub objects: u64,
    /// Bytes of all objects.
    pub bytes: u64,
    /// Objects in work.
    pub working: u64,
    /// Objects copied.
    pub copied: u64,
    /// Bytes of them.
    pub copied_bytes: u64,
    /// Objects that needed nothing.
    pub skipped: u64,
    /// Bytes of them.
    pub skipped_bytes: u64,
    /// Objects removed.
    pub deleted: u64,
    /// Objects given up, by cause.
    pub failed: BTreeMap<String, u64>,
    /// Bytes of them.
    pub failed_bytes: u64,
    /// The first and the last moment at which an object was copied.
    pub copied_between: Option<(Timestamp, Timestamp)>,
}

impl Totals {
    /// Adds one object.
    pub fn add(&mut self, said: &Said) {
        self.objects += 1;
        self.bytes = self.bytes.saturating_add(said.size);
        match said.stand {
            Stand::Planned => {}
            Stand::Working => self.working += 1,
            Stand::Copied => {
                self.copied += 1;
                self.copied_bytes = self.copied_bytes.saturating_add(said.size);
                let (first, last) = self.copied_between.unwrap_or((said.at, said.at));
                self.copied_between = Some((first.min(said.at), last.max(said.at)));
            }
            Stand::Skipped => {
                self.skipped += 1;
                self.skipped_bytes = self.skipped_bytes.saturating_add(said.size);
            }
            Stand::Deleted => self.deleted += 1,
            Stand::Failed(class) => {
                *self.failed.entry(class.to_string()).or_default() += 1;
                self.failed_bytes = self.failed_bytes.saturating_add(said.size);
            }
        }
    }

    /// Raises the sums to what was planned: the objects and bytes of which nothing was said yet. More said than planned
    /// leaves them as they are.
    pub fn plan(&mut self, objects: u64, bytes: u64) {
        self.objects = self.objects.max(objects);
        self.bytes = self.bytes.max(bytes);
    }

    /// Objects given up, whatever the cause.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }

    /// Objects to which something will still happen.
    pub fn open(&self) -> u64 {
        self.objects - self.copied - self.skipped - self.deleted - self.failures()
    }

    /// Bytes that are still to be looked at or moved.
    pub fn open_bytes(&self) -> u64 {
        let settled = self.copied_bytes.saturating_add(self.skipped_bytes).saturating_add(self.failed_bytes);
        self.bytes.saturating_sub(settled)
    }

    /// Whether everything is settled; failures are settled too (LBB-47: finished is not the same as well).
    pub fn is_finished(&self) -> bool {
        self.open() == 0
    }

    /// How fast objects were copied since `begun`, and when the rest will be done at that pace.
    pub fn pace(&self, begun: Timestamp, now: Timestamp) -> Pace {
        let milliseconds = now.0.saturating_sub(begun.0);
        let Ok(milliseconds @ 1..) = u64::try_from(milliseconds) else { return Pace::default() };
        let per_second = |count: u64| {
            u64::try_from(u128::from(count) * 1000 / u128::from(milliseconds)).unwrap_or(u64::MAX)
        };
        // By bytes where bytes were moved, else by objects: a million empty objects take their time too.
        let (done, left) = if self.copied_bytes > 0 && self.open_bytes() > 0 {
            (self.copied_bytes, self.open_bytes())
        } else {
            (self.copied + self.skipped + self.deleted, self.open())
        };
        let wait = (done > 0 && self.open() > 0).then(|| {
            let wait = u128::from(left) * u128::from(milliseconds) / u128::from(done);
            now.plus(i64::try_from(wait).unwrap_or(i64::MAX))
        });
        Pace {
            bytes_per_second: per_second(self.copied_bytes),
            objects_per_second: per_second(self.copied + self.skipped + self.deleted),
            done_at: wait,
        }
    }
}

/// How fast it goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    /// Bytes copied a second, on average.
    pub bytes_per_second: u64,
    /// Objects settled well a second, on average.
    pub objects_per_second: u64,
    /// When the rest is done at this pace; `None` when nothing is left, or nothing was done to judge by.
    pub done_at: Option<Timestamp>,
}

/// Collects what is said about objects, in any order and any number of times.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    objects: BTreeMap<ObjectKey, Said>,
}

impl Tally {
    /// Takes one thing said about an object. The size that is known last stays, also when a planned object is
    /// reported later.
    pub fn say(&mut self, subject: ObjectKey, said: Said) {
        let kept = self.objects.entry(subject).or_insert(said);
        if said.replaces(kept) {
            *kept = said;
        }
    }

    /// The sums.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        self.objects.values().for_each(|said| totals.add(said));
        totals
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(stand: Stand, size: u64, at: i64) -> Said {
        Said { stand, size, at: Timestamp(at) }
    }

    fn tally(all: &[(&str, Said)]) -> Totals {
        let mut tally = Tally::default();
        all.iter().for_each(|(name, said)| tally.say(ObjectKey::from(*name), *said));
        tally.totals()
    }

    #[test]
    fn an_object_counts_once_and_its_latest_state_wins() {
        let denied = Stand::Failed(FailureClass::Denied);
        let totals = tally(&[
            ("a", said(Stand::Planned, 10, 1)),
            ("a", said(Stand::Copied, 10, 5)),
            ("a", said(Stand::Working, 10, 3)),
            ("a", said(Stand::Copied, 10, 5)),
            ("b", said(denied, 7, 4)),
            ("b", said(Stand::Working, 7, 4)),
            ("c", said(Stand::Working, 20, 2)),
            ("d", said(Stand::Planned, 30, 1)),
            ("e", said(Stand::Skipped, 40, 6)),
            ("f", said(Stand::Deleted, 0, 6)),
        ]);
        assert_eq!((totals.objects, totals.bytes), (6, 107));
        assert_eq!((totals.copied, totals.copied_bytes), (1, 10));
        assert_eq!((totals.skipped, totals.deleted, totals.working), (1, 1, 1));
        assert_eq!(totals.failed, BTreeMap::from([("denied".to_owned(), 1)]));
        assert_eq!((totals.open(), totals.open_bytes()), (2, 50));
        assert!(!totals.is_finished());
        assert_eq!(totals.copied_between, Some((Timestamp(5), Timestamp(5))));
    }

    #[test]
    fn the_pace_is_that_of_bytes_and_of_objects_where_there_are_none() {
        let totals = tally(&[
            ("a", said(Stand::Copied, 1000, 2000)),
            ("b", said(Stand::Planned, 3000, 0)),
            ("c", said(Stand::Skipped, 9, 0)),
        ]);
        let pace = totals.pace(Timestamp(0), Timestamp(2000));
        assert_eq!(pace.bytes_per_second, 500);
        assert_eq!(pace.objects_per_second, 1);
        assert_eq!(pace.done_at, Some(Timestamp(8000)));

        let empty = tally(&[("a", said(Stand::Copied, 0, 1)), ("b", said(Stand::Planned, 0, 0))]);
        assert_eq!(empty.pace(Timestamp(0), Timestamp(10)).done_at, Some(Timestamp(20)));
        assert_eq!(empty.pace(Timestamp(10), Timestamp(10)), Pace::default());
        assert_eq!(empty.pace(Timestamp(10), Timestamp(0)), Pace::default());
        let done = tally(&[("a", said(Stand::Copied, 5, 1))]);
        assert!(done.is_finished());
        assert_eq!(done.pace(Timestamp(0), Timestamp(10)).done_at, None);
        let stuck = tally(&[("a", said(Stand::Planned, 5, 1))]);
        assert_eq!(stuck.pace(Timestamp(0), Timestamp(10)).done_at, None);
    }

    #[test]
    fn what_was_planned_and_not_met_yet_is_open() {
        let mut totals = tally(&[("a", said(Stand::Copied, 10, 5)), ("b", said(Stand::Deleted, 0, 6))]);
        totals.plan(5, 100);
        assert_eq!((totals.objects, totals.open(), totals.open_bytes()), (5, 3, 90));
        totals.plan(1, 1);
        assert_eq!((totals.objects, totals.bytes), (5, 100));
    }

    #[test]
    fn every_record_says_where_its_object_stands() {
        let source = crate::job::SourceVersion { size: 7, etag: None, version: None, modified: None };
        let record = |state, found| ObjectRecord {
            source: source.clone(),
            attempts: 0,
            updated: Timestamp(3),
            state,
            sequencer: None,
            transfer: None,
            found,
        };
        let copied = || RecordState::Copied {
            destination_etag: None,
            checksums: crate::object::Checksums::default(),
            proof: crate::job::Proof::ETag,
        };
        let (class, reason) = (FailureClass::Denied, String::new());
        let waiting = RecordState::Waiting { upload: None, class, reason: reason.clone() };
        for (record, stand) in [
            (record(copied(), false), Stand::Copied),
            (record(copied(), true), Stand::Skipped),
            (record(waiting, false), Stand::Working),
            (record(RecordState::Failed { class, reason }, false), Stand::Failed(class)),
            (record(RecordState::Removed, false), Stand::Deleted),
        ] {
            assert_eq!(Said::of(&record), said(stand, 7, 3));
        }
    }

    fn any_said() -> impl Strategy<Value = Said> {
        let stands = prop::sample::select(vec![
            Stand::Planned,
            Stand::Working,
            Stand::Copied,
            Stand::Skipped,
            Stand::Deleted,
            Stand::Failed(FailureClass::Permanent),
        ]);
        (stands, any::<u64>(), any::<i64>()).prop_map(|(stand, size, at)| Said {
            stand,
            size,
            at: Timestamp(at),
        })
    }

    proptest! {
        #[test]
        fn sums_fit_together_and_nothing_overflows(
            all in prop::collection::vec(("[a-d]", any_said()), 0..20), begun in any::<i64>(), now in any::<i64>(),
        ) {
            let mut tally = Tally::default();
            for (name, said) in &all {
                tally.say(ObjectKey::from(name.as_str()), *said);
            }
            let totals = tally.totals();
            prop_assert!(totals.objects <= 4);
            let settled = totals.copied + totals.skipped + totals.deleted + totals.failures();
            prop_assert_eq!(settled + totals.open(), totals.objects);
            let _ = totals.pace(Timestamp(begun), Timestamp(now));
        }
    }
}
