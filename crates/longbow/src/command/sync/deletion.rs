//! `--delete`: what only the destination has is gathered while the listings are compared, shown as a plan, and removed
//! after the copies.
//!
//! Nothing is removed when a listing was not read to its end, when an object failed, when the run was stopped, or when
//! there is more to remove than allowed. An object that changed since it was listed stays.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::StreamExt as _;
use futures_util::stream;
use longbow_core::failure::{BackendError, Feature, StoreError, StoreErrorKind};
use longbow_core::job::{Report, ReportOutcome};
use longbow_core::object::{Checksums, ObjectMeta};
use longbow_core::port::{HeadRequest, MultipartStore, Observer as _};
use longbow_jobsender::ExtraSink;
use longbow_local::{Deletion as Planned, DeletionList};
use longbow_worker::{ObjectOf, log_object};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::trip::TripEnd;
use crate::amounts::{bytes, count, objects};
use crate::ledger::Fate;
use crate::watch::{Watch, now};

/// Keys that the plan names.
const SHOWN: usize = 10;
/// Deletions that are read from the list at once.
const PAGE: usize = 500;
/// Requests at once: removing is quick, and there is no hurry.
const AT_ONCE: usize = 32;
/// How often a deletion is tried.
const ATTEMPTS: u32 = 5;

/// Gathers destination-only objects on disk.
pub(super) struct Gather(DeletionList);

impl Gather {
    pub(super) fn new(list: DeletionList) -> Self {
        Self(list)
    }
}

#[async_trait]
impl ExtraSink for Gather {
    async fn begin(&self) -> Result<(), BackendError> {
        self.0.begin().await
    }

    async fn add(&self, batch: Vec<ObjectMeta>) -> Result<(), BackendError> {
        let planned = |o: ObjectMeta| Planned { key: o.key, etag: o.etag, size: o.size };
        self.0.add(batch.into_iter().map(planned).collect()).await
    }
}

/// Why nothing, or not everything, was removed.
#[derive(Debug)]
pub(super) enum Halt {
    /// For safety: exit code 4.
    Refused(String),
    /// Something is not as it should be: exit code 1.
    Trouble(String),
}

impl From<BackendError> for Halt {
    fn from(error: BackendError) -> Self {
        Self::Trouble(format!("Not everything was deleted: {error}. Run the same command again."))
    }
}

/// The deletions of a run.
pub(super) struct Deletion {
    pub(super) store: Arc<dyn MultipartStore>,
    pub(super) list: DeletionList,
    pub(super) watch: Arc<Watch>,
    pub(super) max_delete: u64,
    pub(super) requests: usize,
}

impl Deletion {
    /// Shows the plan, and carries it out if nothing speaks against it.
    pub(super) async fn run(&self, trip: &TripEnd, stop: &CancellationToken) -> Result<(), Halt> {
        let failed = self.watch.ledger().of(Fate::Failed).objects;
        let why_not = if stop.is_cancelled() {
            // The summary says that the run was stopped.
            self.watch.voice().notice("nothing was deleted: the run was stopped");
            return Ok(());
        } else if !trip.compared {
            Some("Nothing was deleted: a listing was not read to its end.".to_owned())
        } else if failed > 0 {
            Some(format!("Nothing was deleted: failed: {}. Mend this first.", objects(failed)))
        } else if !trip.troubles.is_empty() {
            Some("Nothing was deleted, since not everything was copied.".to_owned())
        } else {
            None
        };
        if let Some(text) = why_not {
            return Err(Halt::Trouble(text));
        }
        let total = self.list.count().await?;
        if total.objects == 0 {
            return Ok(());
        }
        self.show_plan(total.objects, total.bytes).await?;
        if total.objects > self.max_delete {
            return Err(Halt::Refused(format!(
                "Refused to delete {}: at most {} may go. If that is really wanted, give --max-delete {}.",
                objects(total.objects),
                count(self.max_delete),
                total.objects
            )));
        }
        self.carry_out(stop).await
    }

    async fn show_plan(&self, number: u64, size: u64) -> Result<(), Halt> {
        let first = self.list.page(None, SHOWN).await?;
        let keys: Vec<_> = first.iter().map(|d| d.key.as_str()).collect();
        let voice = self.watch.voice();
        voice.event(&json!({"event": "deletion-plan", "objects": number, "bytes": size, "first_keys": keys}));
        voice.chatter(&format!("To be deleted: {}, {}:", objects(number), bytes(size)));
        for planned in &first {
            voice.chatter(&format!("  {}", planned.key));
        }
        if number > first.len() as u64 {
            voice.chatter(&format!("  … and {} more", count(number - first.len() as u64)));
        }
        Ok(())
    }

    async fn carry_out(&self, stop: &CancellationToken) -> Result<(), Halt> {
        let (mut after, mut failed, mut kept) = (None, 0u64, 0u64);
        loop {
            let page = self.list.page(after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.key.clone());
            let mut ended = stream::iter(page)
                .map(|planned| async {
                    if stop.is_cancelled() { None } else { Some(self.remove(planned).await) }
                })
                .buffer_unordered(AT_ONCE.min(self.requests));
            while let Some(end) = ended.next().await {
                match end {
                    None => return Ok(()),
                    Some(Removal::Gone(planned)) => self.list.remove(&planned.key).await?,
                    Some(Removal::Kept) => kept += 1,
                    Some(Removal::Failed) => failed += 1,
                }
            }
        }
        if kept > 0 {
            let text = format!("not deleted, since changed after the listing: {}", objects(kept));
            self.watch.voice().notice(&text);
        }
        match failed {
            0 => Ok(()),
            n => Err(Halt::Trouble(format!(
                "{} could not be deleted. Run the same command again.",
                objects(n)
            ))),
        }
    }

    async fn remove(&self, planned: Planned) -> Removal {
        let began = Instant::now();
        let mut attempts = 1;
        let result = loop {
            match self.remove_once(&planned).await {
                Err(error) if attempts < ATTEMPTS && may_pass(&error) => {
                    tokio::time::sleep(Duration::from_millis(200) * (1 << attempts)).await;
                    attempts += 1;
                }
                result => break result,
            }
        };
        let mut report = Report {
            key: planned.key.clone(),
            destination_key: planned.key.clone(),
            version: None,
            size: planned.size,
            source_etag: None,
            destination_etag: planned.etag.clone(),
            checksums: Checksums::default(),
            method: None,
            parts: 0,
            parts_reused: 0,
            bytes_read: 0,
            bytes_sent: 0,
            attempts,
            finished: now(),
            milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            outcome: ReportOutcome::Deleted,
            proof: None,
            reason: "missing at the source".to_owned(),
            failure: None,
            lost: Vec::new(),
            transfer: None,
            requests: longbow_core::job::Requests::default(),
        };
        match result {
            Ok(()) => {
                log_object(&report, &ObjectOf::default());
                self.watch.finished(&report);
                Removal::Gone(planned)
            }
            // Somebody else removed it, or replaced it.
            Err(error) if error.kind == StoreErrorKind::NotFound => Removal::Gone(planned),
            Err(error) if error.kind == StoreErrorKind::PreconditionFailed => Removal::Kept,
            Err(error) => {
                report.outcome = ReportOutcome::Failed;
                report.failure = Some(error.class());
                report.reason = format!("failed to delete: {error}");
                log_object(&report, &ObjectOf::default());
                self.watch.deletion_failed(&report);
                Removal::Failed
            }
        }
    }

    async fn remove_once(&self, planned: &Planned) -> Result<(), StoreError> {
        match self.store.delete(&planned.key, planned.etag.as_ref()).await {
            Err(error) if error.kind == StoreErrorKind::Unsupported(Feature::ConditionalWrites) => {
                self.watch.notice(
                    "the destination has no conditional deletes: each object is looked at right before it is deleted",
                );
                let head = self.store.head(&planned.key, &HeadRequest::default()).await?;
                if planned.etag.is_some() && head.etag != planned.etag {
                    return Err(StoreError::new(
                        StoreErrorKind::PreconditionFailed,
                        "changed since it was listed",
                    ));
                }
                self.store.delete(&planned.key, None).await
            }
            result => result,
        }
    }
}

enum Removal {
    Gone(Planned),
    Kept,
    Failed,
}

fn may_pass(error: &StoreError) -> bool {
    matches!(error.kind, StoreErrorKind::Transient | StoreErrorKind::Throttled)
}

#[cfg(test)]
mod tests {
    use longbow_core::diff::{Comparison, CopyReason, Decision};
    use longbow_core::object::Location;
    use longbow_core::route::Route;
    use longbow_local::Database;
    use longbow_testkit::fake::{FakeS3, FakeStore};

    use super::*;
    use crate::backend;
    use crate::ledger::tests::report;
    use crate::progress::Voice;
    use crate::screen::Screen;

    struct Stage {
        bucket: Arc<FakeStore>,
        database: Database,
        deletion: Deletion,
        _folder: tempfile::TempDir,
    }

    /// A bucket of these objects, all of them to be deleted.
    async fn stage(keys: &[&str], max_delete: u64) -> Stage {
        let bucket = FakeS3::new().create_bucket("dst");
        let folder = tempfile::tempdir().unwrap();
        let (database, _) = backend::open_state(&folder.path().join("s.sqlite"), "r").unwrap();
        let gather = Gather::new(database.deletions());
        gather.begin().await.unwrap();
        let planned = keys.iter().map(|key| ObjectMeta {
            key: (*key).into(),
            size: 3,
            etag: Some(bucket.put_bytes(key, b"abc")),
            modified: None,
            storage_class: None,
            version: None,
        });
        gather.add(planned.collect()).await.unwrap();
        let location = |text| Location::parse(text, false).unwrap();
        let route = Route { source: location("s3://src"), destination: location("s3://dst") };
        let voice = Voice::silent(Screen::default());
        let watch = Arc::new(Watch::new(route, Comparison::Etag, voice, None, false));
        let list = database.deletions();
        let store = Arc::clone(&bucket) as Arc<dyn MultipartStore>;
        let deletion = Deletion { store, list, watch, max_delete, requests: 4 };
        Stage { bucket, database, deletion, _folder: folder }
    }

    fn well() -> TripEnd {
        TripEnd { compared: true, troubles: Vec::new(), passed_over: (Vec::new(), 0) }
    }

    #[tokio::test]
    async fn what_is_planned_goes_and_is_counted() {
        let stage = stage(&["a", "b", "c"], 3).await;
        stage.bucket.put_bytes("d", b"stays");
        stage.deletion.run(&well(), &CancellationToken::new()).await.unwrap();
        assert_eq!(stage.bucket.keys(), ["d"]);
        let deleted = stage.deletion.watch.ledger().deleted();
        assert_eq!((deleted.objects, deleted.bytes), (3, 9));
        assert_eq!(stage.database.deletions().count().await.unwrap().objects, 0);
    }

    #[tokio::test]
    async fn more_than_allowed_is_refused_whole() {
        let stage = stage(&["a", "b", "c"], 2).await;
        let halt = stage.deletion.run(&well(), &CancellationToken::new()).await.unwrap_err();
        assert!(matches!(&halt, Halt::Refused(text) if text.contains("--max-delete 3")), "{halt:?}");
        assert_eq!(stage.bucket.keys().len(), 3);
    }

    #[tokio::test]
    async fn an_incomplete_comparison_a_failure_or_a_stop_deletes_nothing() {
        let stage = stage(&["a"], 9).await;
        let never = CancellationToken::new();
        let incomplete = TripEnd { compared: false, ..well() };
        assert!(matches!(stage.deletion.run(&incomplete, &never).await, Err(Halt::Trouble(_))));
        let troubled = TripEnd { troubles: vec!["x".into()], ..well() };
        assert!(matches!(stage.deletion.run(&troubled, &never).await, Err(Halt::Trouble(_))));
        let stopped = CancellationToken::new();
        stopped.cancel();
        stage.deletion.run(&well(), &stopped).await.unwrap();
        let watch = &stage.deletion.watch;
        watch.ledger().decided(Decision::Copy(CopyReason::Missing), &"k".into(), 10);
        watch.finished(&report("k", ReportOutcome::Failed));
        assert!(matches!(stage.deletion.run(&well(), &never).await, Err(Halt::Trouble(_))));
        assert_eq!(stage.bucket.keys(), ["a"]);
        assert_eq!(stage.bucket.count("delete"), 0);
    }

    #[tokio::test]
    async fn an_object_that_was_replaced_or_removed_since_is_no_failure() {
        let stage = stage(&["gone", "replaced", "x"], 9).await;
        stage.bucket.put_bytes("replaced", b"newer");
        stage.bucket.remove("gone");
        stage.deletion.run(&well(), &CancellationToken::new()).await.unwrap();
        assert_eq!(stage.bucket.keys(), ["replaced"]);
    }

    #[tokio::test]
    async fn without_conditional_deletes_each_object_is_looked_at_first() {
        let stage = stage(&["replaced", "x"], 9).await;
        stage.bucket.configure(|settings| settings.lacks.push(Feature::ConditionalWrites));
        stage.bucket.put_bytes("replaced", b"newer");
        stage.deletion.run(&well(), &CancellationToken::new()).await.unwrap();
        assert_eq!(stage.bucket.keys(), ["replaced"]);
    }
}
