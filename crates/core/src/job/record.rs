//! The record of one object: an enum with one total function of its transitions.

use serde::{Deserialize, Serialize};

use super::{Proof, Sequencer, SourceVersion, TransferId};
use crate::failure::FailureClass;
use crate::object::{Checksums, ETag, Timestamp};
use crate::port::UploadId;
use crate::transfer::PartPlan;

/// An upload that has begun and may be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadRecord {
    /// Its name at the destination.
    pub upload: UploadId,
    /// How the object is cut.
    pub plan: PartPlan,
    /// Whether it was created with a full-object CRC-64/NVME.
    pub crc64nvme: bool,
    /// When it was about to begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<Timestamp>,
    /// It holds parts of another source than the record is about: to be given up, never gone on with.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outdated: bool,
}

impl UploadRecord {
    /// An upload that is about to begin: noted before the store is asked, since its answer may be lost.
    pub fn intended(plan: PartPlan, crc64nvme: bool, now: Timestamp) -> Self {
        Self { upload: UploadId(String::new()), plan, crc64nvme, begun: Some(now), outdated: false }
    }

    /// Whether the store's answer was never recorded.
    pub fn is_intended(&self) -> bool {
        self.upload.0.is_empty()
    }

    /// Whether an upload of the same key that began then is probably the one that was about to begin: it was created
    /// soon after, by a call that was repeated for a while, on a clock that may be a little behind.
    pub fn may_have_become(&self, initiated: Timestamp) -> bool {
        const SKEW: i64 = 5_000;
        const SOON: i64 = 15 * 60_000;
        self.is_intended()
            && self.begun.is_some_and(|begun| begun.plus(-SKEW) <= initiated && initiated <= begun.plus(SOON))
    }
}

/// Where an object stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum RecordState {
    /// Parts are on their way.
    Copying {
        /// The upload that holds them.
        upload: UploadRecord,
    },
    /// An attempt failed; another will follow. A checkpoint may remain.
    Waiting {
        /// The upload of the failed attempt, if its parts can be used again.
        upload: Option<UploadRecord>,
        /// Class of the last failure.
        class: FailureClass,
        /// Its reason.
        reason: String,
    },
    /// Verified at the destination.
    Copied {
        /// The destination's tag.
        destination_etag: Option<ETag>,
        /// Checksums of the bytes, as far as computed.
        #[serde(default, skip_serializing_if = "Checksums::is_empty")]
        checksums: Checksums,
        /// What proved it.
        proof: Proof,
    },
    /// Given up.
    Failed {
        /// Class of the last failure.
        class: FailureClass,
        /// Its reason.
        reason: String,
    },
    /// Removed at the source, and not at the destination any more.
    Removed,
}

/// What is remembered about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectRecord {
    /// The source that the record is about.
    pub source: SourceVersion,
    /// Failed attempts that count, for this source.
    pub attempts: u32,
    /// When the record was written.
    pub updated: Timestamp,
    /// Where the object stands.
    #[serde(flatten)]
    pub state: RecordState,
    /// The place, among the events about the source key, of the last one that was settled: an older one must not undo it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequencer: Option<Sequencer>,
    /// The run that counts the object as its own: the last that planned it, or where none did, what else asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<TransferId>,
    /// Of a copied object: that run had nothing to copy, since the destination had the bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub found: bool,
}

/// What can happen to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordEvent {
    /// An upload for this source has begun.
    UploadBegan(UploadRecord),
    /// The destination is proved equal.
    Verified {
        /// The destination's tag.
        destination_etag: Option<ETag>,
        /// Checksums of the bytes.
        checksums: Checksums,
        /// What proved it.
        proof: Proof,
        /// Nothing was copied for it: the destination had the bytes.
        found: bool,
    },
    /// The attempt failed and another one follows.
    AttemptFailed {
        /// Class of the failure.
        class: FailureClass,
        /// Its reason.
        reason: String,
        /// Whether it uses up an attempt.
        counted: bool,
        /// Whether uploaded parts stay usable.
        keep_upload: bool,
    },
    /// The object is given up.
    GaveUp {
        /// Class of the failure.
        class: FailureClass,
        /// Its reason.
        reason: String,
    },
    /// The destination has no object of this key, as the source has none.
    Removed,
}

/// An event that cannot happen to this record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event} cannot follow {state} for the same source")]
pub struct TransitionError {
    /// The event.
    pub event: &'static str,
    /// The state.
    pub state: &'static str,
}

/// The record after `event`, for a job about `source`.
///
/// | state | began | verified | attempt failed | gave up | removed |
/// |---|---|---|---|---|---|
/// | none, or about another source | Copying | Copied | Waiting | Failed | Removed |
/// | Copying, Waiting | Copying | Copied | Waiting (+1 if counted) | Failed | Removed |
/// | Copied | Copying¹ | Copied | Waiting¹ | Failed¹ | Removed |
/// | Failed | Copying² | Copied | Waiting² | Failed | Removed |
/// | Removed | Copying³ | Copied³ | Waiting³ | Failed³ | Removed |
///
/// ¹ the destination was changed or removed since. ² asked for again by a later run; attempts start over. ³ written
/// anew at the source since. The sequencer stays what it was: who settles an event raises it; so does the transfer, which
/// is [`transfer_of`]'s to say.
pub fn next(
    record: Option<&ObjectRecord>,
    source: &SourceVersion,
    event: RecordEvent,
    now: Timestamp,
) -> Result<ObjectRecord, TransitionError> {
    // A job of which no more than a hint is known (no tag, not looked at yet) is itself again when it comes again.
    let same = record.filter(|r| r.source.is(source) || r.source == *source);
    let before = same.map_or(0, |r| match r.state {
        RecordState::Copying { .. } | RecordState::Waiting { .. } => r.attempts,
        RecordState::Copied { .. } | RecordState::Failed { .. } | RecordState::Removed => 0,
    });
    let found = matches!(event, RecordEvent::Verified { found: true, .. });
    let (attempts, state) = match event {
        RecordEvent::UploadBegan(upload) => (before, RecordState::Copying { upload }),
        RecordEvent::Verified { destination_etag, checksums, proof, found: _ } => {
            if proof < Proof::Recorded && same.is_some_and(|r| matches!(r.state, RecordState::Copying { .. }))
            {
                return Err(TransitionError { event: "a proof by size alone", state: "copying" });
            }
            (before, RecordState::Copied { destination_etag, checksums, proof })
        }
        RecordEvent::AttemptFailed { class, reason, counted, keep_upload } => {
            // What an attempt at another source had begun stays named until it is given up, or nobody would know of it.
            let kept = record.and_then(ObjectRecord::any_upload).filter(|_| keep_upload);
            let upload = kept.map(|u| UploadRecord { outdated: u.outdated || same.is_none(), ..u.clone() });
            (before.saturating_add(u32::from(counted)), RecordState::Waiting { upload, class, reason })
        }
        RecordEvent::GaveUp { class, reason } => (before, RecordState::Failed { class, reason }),
        RecordEvent::Removed => (before, RecordState::Removed),
    };
    let sequencer = record.and_then(|r| r.sequencer.clone());
    let transfer = record.and_then(|r| r.transfer.clone());
    Ok(ObjectRecord { source: source.clone(), attempts, updated: now, state, sequencer, transfer, found })
}

/// The transfer that counts an object from now on, for a job of the transfer `asking`.
///
/// | the job was made by | record's transfer | counted by |
/// |---|---|---|
/// | a run that planned it | any | that run: the last plan wins |
/// | an event | none | the events of its route |
/// | an event | one | the same as before: its state is the newest that is known of what was planned |
pub fn transfer_of(record: Option<&ObjectRecord>, asking: &TransferId, of_event: bool) -> TransferId {
    let before = record.and_then(|r| r.transfer.as_ref()).filter(|_| of_event);
    before.unwrap_or(asking).clone()
}

impl ObjectRecord {
    /// The upload that an attempt at `source` may resume.
    pub fn resumable(&self, source: &SourceVersion) -> Option<&UploadRecord> {
        match &self.state {
            RecordState::Copying { upload } | RecordState::Waiting { upload: Some(upload), .. }
                if self.source.is(source) && !upload.is_intended() && !upload.outdated =>
            {
                Some(upload)
            }
            _ => None,
        }
    }

    /// Any upload that this record names, whatever its source: a candidate for abortion.
    pub fn upload(&self) -> Option<&UploadRecord> {
        self.any_upload().filter(|upload| !upload.is_intended())
    }

    /// An upload that was about to begin, and of which nothing more is known.
    pub fn intended_upload(&self) -> Option<&UploadRecord> {
        self.any_upload().filter(|upload| upload.is_intended())
    }

    fn any_upload(&self) -> Option<&UploadRecord> {
        match &self.state {
            RecordState::Copying { upload } | RecordState::Waiting { upload: Some(upload), .. } => {
                Some(upload)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(tag: &str) -> SourceVersion {
        SourceVersion { size: 9, etag: Some(ETag::new(tag)), version: None, modified: None }
    }
    fn upload() -> UploadRecord {
        UploadRecord {
            upload: UploadId("u".into()),
            plan: PartPlan::new(100, 50),
            crc64nvme: false,
            begun: None,
            outdated: false,
        }
    }
    fn failed(keep_upload: bool, counted: bool) -> RecordEvent {
        RecordEvent::AttemptFailed {
            class: FailureClass::Transient,
            reason: "r".into(),
            counted,
            keep_upload,
        }
    }
    const NOW: Timestamp = Timestamp(1);

    #[test]
    fn an_upload_whose_answer_was_lost_is_told_by_when_it_began() {
        let begun = Timestamp(1_000_000);
        let intended = UploadRecord::intended(PartPlan::new(100, 50), false, begun);
        for (after, fits) in [(-5_001, false), (-5_000, true), (0, true), (900_000, true), (900_001, false)] {
            assert_eq!(intended.may_have_become(begun.plus(after)), fits, "{after}");
        }
        assert!(!UploadRecord { begun: None, ..intended.clone() }.may_have_become(begun));
        assert!(
            !UploadRecord { upload: UploadId("u".into()), ..intended }.may_have_become(begun),
            "it is known"
        );
    }

    #[test]
    fn a_failed_attempt_keeps_its_upload_for_the_same_source_only() {
        let a = source("a");
        let began = next(None, &a, RecordEvent::UploadBegan(upload()), NOW).unwrap();
        let waiting = next(Some(&began), &a, failed(true, true), NOW).unwrap();
        assert_eq!(waiting.attempts, 1);
        assert_eq!(waiting.resumable(&a), Some(&upload()));
        assert_eq!(waiting.resumable(&source("b")), None);
        assert_eq!(next(Some(&waiting), &a, failed(false, true), NOW).unwrap().upload(), None);
        // Another source's is never gone on with, and known until somebody has given it up.
        let mut other = next(Some(&waiting), &source("b"), failed(true, true), NOW).unwrap();
        for again in [source("b"), a, source("b")] {
            assert_eq!(other.upload().map(|u| (&u.upload, u.outdated)), Some((&upload().upload, true)));
            assert_eq!((other.resumable(&source("b")), other.resumable(&source("a"))), (None, None));
            other = next(Some(&other), &again, failed(true, true), NOW).unwrap();
        }
        let intended = UploadRecord::intended(PartPlan::new(100, 50), false, NOW);
        let began = next(None, &source("a"), RecordEvent::UploadBegan(intended), NOW).unwrap();
        let other = next(Some(&began), &source("b"), failed(true, false), NOW).unwrap();
        assert!(other.intended_upload().is_some_and(|u| u.outdated && u.may_have_become(NOW)));
        assert_eq!(next(Some(&other), &source("b"), failed(false, true), NOW).unwrap().upload(), None);
    }

    #[test]
    fn interruptions_do_not_count_and_a_new_source_starts_over() {
        let a = source("a");
        let one = next(None, &a, failed(true, true), NOW).unwrap();
        assert_eq!(next(Some(&one), &a, failed(true, false), NOW).unwrap().attempts, 1);
        assert_eq!(next(Some(&one), &source("b"), failed(true, true), NOW).unwrap().attempts, 1);
        let gone = RecordEvent::GaveUp { class: FailureClass::Permanent, reason: "r".into() };
        let gave_up = next(Some(&one), &a, gone, NOW).unwrap();
        assert_eq!(next(Some(&gave_up), &a, failed(true, true), NOW).unwrap().attempts, 1);
    }

    #[test]
    fn the_sequencer_outlives_whatever_happens_and_a_hint_counts_its_attempts() {
        let hint = SourceVersion { size: 9, etag: None, version: None, modified: None };
        let mut record = next(None, &hint, failed(true, true), NOW).unwrap();
        record.sequencer = Some(Sequencer::new("0065A").unwrap());
        let again = next(Some(&record), &hint, failed(true, true), NOW).unwrap();
        assert_eq!((again.attempts, &again.sequencer), (2, &record.sequencer));
        let other = next(Some(&again), &source("b"), RecordEvent::Removed, NOW).unwrap();
        assert_eq!((other.attempts, &other.sequencer), (0, &record.sequencer));
    }

    #[test]
    fn parts_on_their_way_are_never_proved_by_size_alone() {
        let a = source("a");
        let began = next(None, &a, RecordEvent::UploadBegan(upload()), NOW).unwrap();
        let weak = RecordEvent::Verified {
            destination_etag: None,
            checksums: Checksums::default(),
            proof: Proof::Size,
            found: false,
        };
        assert!(next(Some(&began), &a, weak.clone(), NOW).is_err());
        assert!(next(None, &a, weak, NOW).is_ok());
    }

    #[test]
    fn an_intended_upload_is_known_as_such_and_never_resumed() {
        let a = source("a");
        let intended = UploadRecord::intended(PartPlan::new(100, 50), true, NOW);
        let record = next(None, &a, RecordEvent::UploadBegan(intended.clone()), NOW).unwrap();
        assert_eq!((record.upload(), record.resumable(&a)), (None, None));
        assert_eq!(record.intended_upload(), Some(&intended));
        let waiting = next(Some(&record), &a, failed(true, true), NOW).unwrap();
        assert_eq!(waiting.intended_upload(), Some(&intended));
    }

    #[test]
    fn an_object_is_counted_by_the_last_run_that_planned_it() {
        let a = source("a");
        let verified = |found| RecordEvent::Verified {
            destination_etag: None,
            checksums: Checksums::default(),
            proof: Proof::ETag,
            found,
        };
        let (one, two, events) =
            (TransferId("1".into()), TransferId("2".into()), TransferId("events:r".into()));
        let mut record = next(None, &a, verified(true), NOW).unwrap();
        assert!(record.found && record.transfer.is_none());
        assert_eq!(transfer_of(None, &events, true), events);
        assert_eq!(transfer_of(Some(&record), &events, true), events);
        record.transfer = Some(one.clone());
        assert_eq!(transfer_of(Some(&record), &events, true), one);
        assert_eq!(transfer_of(Some(&record), &two, false), two);
        // It lives through what happens; that nothing had to be copied does not.
        let again = next(Some(&record), &source("b"), verified(false), NOW).unwrap();
        assert_eq!((again.transfer, again.found), (Some(one), false));
    }

    #[test]
    fn records_of_older_releases_are_read() {
        let text = r#"{"source":{"size":9},"attempts":0,"updated":1,"state":"removed"}"#;
        let record: ObjectRecord = serde_json::from_str(text).unwrap();
        assert_eq!((record.transfer.as_ref(), record.found), (None, false));
        assert_eq!(serde_json::to_string(&record).unwrap(), text);
    }

    #[test]
    fn records_survive_their_json_form() {
        let a = source("a");
        let began = next(None, &a, RecordEvent::UploadBegan(upload()), NOW).unwrap();
        let waiting = next(Some(&began), &a, failed(true, true), NOW).unwrap();
        let mut removed = next(Some(&waiting), &a, RecordEvent::Removed, NOW).unwrap();
        removed.sequencer = Some(Sequencer::new("0065A").unwrap());
        (removed.transfer, removed.found) = (Some(TransferId("t".into())), true);
        assert!(!serde_json::to_string(&began).unwrap().contains("sequencer"));
        for record in [began, waiting, removed] {
            let json = serde_json::to_string(&record).unwrap();
            assert_eq!(serde_json::from_str::<ObjectRecord>(&json).unwrap(), record);
        }
    }
}
