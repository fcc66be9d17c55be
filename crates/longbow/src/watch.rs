//! Who watches a run: every event of the trip goes into the ledger, the report and the voice.
//!
//! Nothing is decided here, and no call waits for anything but a short lock and a buffered write.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longbow_core::diff::{Comparison, Decision, SkipReason};
use longbow_core::failure::Failure;
use longbow_core::job::{CopyMethod, Proof, Report, ReportOutcome};
use longbow_core::object::{Checksums, ObjectKey, ObjectMeta, Timestamp};
use longbow_core::port::{Observer, Side};
use longbow_core::route::Route;

use crate::ledger::{Fate, Ledger};
use crate::progress::{Reading, Voice};
use crate::report::ReportFile;

/// Failures that are told as they happen; the summary and the report have the rest.
const TOLD_FAILURES: u64 = 10;

/// What a run watches with.
pub(crate) struct Watch {
    /// What is compared, where anything is.
    route: Option<Route>,
    comparison: Comparison,
    voice: Voice,
    report: Option<Arc<ReportFile>>,
    ledger: Mutex<Ledger>,
    told: Mutex<HashSet<String>>,
    /// Bytes on their way, to show progress: those of unfinished attempts count too.
    moved: AtomicU64,
}

impl Watch {
    /// A watch over a run. `tracking`: see [`Ledger::new`].
    pub(crate) fn new(
        route: Route,
        comparison: Comparison,
        voice: Voice,
        report: Option<Arc<ReportFile>>,
        tracking: bool,
    ) -> Self {
        Self {
            route: Some(route),
            comparison,
            voice,
            report,
            ledger: Mutex::new(Ledger::new(tracking)),
            told: Mutex::default(),
            moved: AtomicU64::new(0),
        }
    }

    /// A watch over jobs of any routes, where nothing is compared.
    pub(crate) fn of_jobs(voice: Voice, report: Option<Arc<ReportFile>>) -> Self {
        Self {
            route: None,
            comparison: Comparison::Etag,
            voice,
            report,
            ledger: Mutex::new(Ledger::new(false)),
            told: Mutex::default(),
            moved: AtomicU64::new(0),
        }
    }

    /// What the user hears by.
    pub(crate) fn voice(&self) -> &Voice {
        &self.voice
    }

    /// The report, if one is written.
    pub(crate) fn report(&self) -> Option<&Arc<ReportFile>> {
        self.report.as_ref()
    }

    /// The totals as they are now.
    pub(crate) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the progress shows.
    pub(crate) fn reading(&self) -> Reading {
        let ledger = self.ledger();
        let ended = [Fate::Copied, Fate::Inspected, Fate::Failed].map(|f| ledger.of(f));
        let waiting = ledger.of(Fate::Waiting);
        let (done, bytes_ended) = ended.iter().fold((0, 0), |(n, b), c| (n + c.objects, b + c.bytes));
        let bytes_known = bytes_ended + waiting.bytes;
        Reading {
            listed: ledger.keys_listed(Side::Source),
            listing_complete: ledger.is_complete(Side::Source),
            objects_done: done,
            objects_known: done + waiting.objects,
            bytes_done: self.moved.load(Ordering::Relaxed).clamp(bytes_ended, bytes_known.max(bytes_ended)),
            bytes_known,
            failed: ledger.of(Fate::Failed).objects,
        }
    }

    /// A deletion failed: told and reported, but no object of the source has this fate.
    pub(crate) fn deletion_failed(&self, report: &Report) {
        self.voice.failed(report, true);
        if let Some(file) = &self.report {
            file.write(report);
        }
    }

    /// A report line for an object that had no job.
    fn skipped(
        &self,
        reason: SkipReason,
        source: &ObjectMeta,
        destination: Option<&ObjectMeta>,
    ) -> Option<Report> {
        let proof = match (reason, self.comparison) {
            (SkipReason::Excluded, _) => None,
            (SkipReason::Recorded, _) => Some(Proof::Recorded),
            (SkipReason::Same, Comparison::Size) => Some(Proof::Size),
            (SkipReason::Same, Comparison::SizeMtime) => Some(Proof::SizeAndTime),
            (SkipReason::Same, Comparison::Etag | Comparison::Checksum | Comparison::Version) => {
                Some(Proof::ETag)
            }
        };
        Some(Report {
            key: source.key.clone(),
            destination_key: self.route.as_ref()?.map(&source.key)?,
            version: None,
            size: source.size,
            source_etag: source.etag.clone(),
            destination_etag: destination.and_then(|d| d.etag.clone()),
            checksums: Checksums::default(),
            method: None,
            parts: 0,
            parts_reused: 0,
            bytes_read: 0,
            bytes_sent: 0,
            attempts: 0,
            finished: now(),
            milliseconds: 0,
            outcome: ReportOutcome::Skipped,
            proof,
            reason: reason.to_string(),
            failure: None,
            lost: Vec::new(),
            transfer: None,
            requests: longbow_core::job::Requests::default(),
        })
    }
}

impl Observer for Watch {
    fn notice(&self, text: &str) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
            self.voice.notice(text);
        }
    }

    fn listed(&self, side: Side, keys: u64) {
        self.ledger().listed(side, keys);
    }

    fn listing_complete(&self, side: Side) {
        self.ledger().complete(side);
    }

    fn decided(&self, decision: Decision, source: &ObjectMeta, destination: Option<&ObjectMeta>) {
        tracing::debug!(key = %source.key, ?decision, "decided");
        self.ledger().decided(decision, &source.key, source.size);
        if let (Some(file), Decision::Skip(reason)) = (&self.report, decision)
            && let Some(line) = self.skipped(reason, source, destination)
        {
            file.write(&line);
        }
    }

    fn comparison_restarted(&self) {
        self.ledger().restarted();
    }

    fn moved(&self, _read: u64, sent: u64) {
        self.moved.fetch_add(sent, Ordering::Relaxed);
    }

    fn attempt_failed(&self, key: &ObjectKey, failure: &Failure, retry_in: Duration) {
        tracing::info!(%key, class = %failure.class, ?retry_in, "an attempt failed and will be repeated: {failure}");
    }

    fn finished(&self, report: &Report) {
        let inside = matches!(report.method, Some(CopyMethod::ServerSide | CopyMethod::ServerSideMultipart));
        if inside && report.bytes_sent == 0 {
            self.moved.fetch_add(report.size, Ordering::Relaxed);
        }
        let failed = {
            let mut ledger = self.ledger();
            ledger.finished(report);
            ledger.of(Fate::Failed).objects
        };
        if report.outcome == ReportOutcome::Failed {
            self.voice.failed(report, failed <= TOLD_FAILURES);
        }
        if let Some(file) = &self.report {
            file.write(report);
        }
    }
}

/// The calendar time, for lines that no clock was handed along with.
pub(crate) fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

#[cfg(test)]
mod tests {
    use longbow_core::diff::CopyReason;
    use longbow_core::object::Location;

    use super::*;
    use crate::ledger::tests::report;
    use crate::screen::Screen;

    fn watch(report: Option<Arc<ReportFile>>) -> Watch {
        let location = |text| Location::parse(text, false).unwrap();
        let route = Route { source: location("s3://src/p"), destination: location("s3://dst/q") };
        Watch::new(route, Comparison::Etag, Voice::silent(Screen::default()), report, false)
    }

    fn meta(key: &str) -> ObjectMeta {
        ObjectMeta {
            key: key.into(),
            size: 10,
            etag: None,
            modified: None,
            storage_class: None,
            version: None,
        }
    }

    #[test]
    fn the_report_has_a_line_for_each_object() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.jsonl");
        let watch = watch(Some(Arc::new(ReportFile::create(&path).unwrap())));
        watch.decided(Decision::Skip(SkipReason::Same), &meta("p/a"), Some(&meta("q/a")));
        watch.decided(Decision::Skip(SkipReason::Excluded), &meta("p/x"), None);
        watch.decided(Decision::Copy(CopyReason::Missing), &meta("p/b"), None);
        watch.finished(&report("p/b", ReportOutcome::Copied));
        watch.report().unwrap().finish().unwrap();
        let lines: Vec<Report> = (std::fs::read_to_string(&path).unwrap().lines())
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let told: Vec<_> = lines.iter().map(|l| (l.key.as_str(), l.outcome, l.proof)).collect();
        assert_eq!(
            told,
            [
                ("p/a", ReportOutcome::Skipped, Some(Proof::ETag)),
                ("p/x", ReportOutcome::Skipped, None),
                ("p/b", ReportOutcome::Copied, None),
            ]
        );
        assert_eq!(lines[0].destination_key.as_str(), "q/a");
        assert_eq!(lines[1].reason, "excluded");
    }

    #[test]
    fn progress_never_shows_more_than_there_is() {
        let watch = watch(None);
        watch.decided(Decision::Copy(CopyReason::Missing), &meta("p/b"), None);
        watch.moved(10, 4);
        assert_eq!((watch.reading().bytes_done, watch.reading().bytes_known), (4, 10));
        watch.moved(100, 100);
        assert_eq!(watch.reading().bytes_done, 10);
        watch.finished(&report("p/b", ReportOutcome::Copied));
        let reading = watch.reading();
        assert_eq!((reading.bytes_done, reading.objects_done, reading.objects_known), (10, 1, 1));
    }
}
