//! Tiny fakes for the tests of this crate: listings with scripted pages and faults, a queue that refuses.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::diff::{Comparison, Decision};
use longbow_core::failure::{BackendError, StoreError, StoreErrorKind};
use longbow_core::job::{CopyJob, ObjectRecord, Report, TransferId, decode};
use longbow_core::object::Location;
use longbow_core::object::{
    ETag, KeyOrder, ObjectHead, ObjectKey, ObjectMeta, Prefix, Tag, Timestamp, VersionId,
};
use longbow_core::port::{
    Clock, CopyRequest, Delivery, GetRequest, HeadRequest, JobQueue, ListPage, ObjectBody, ObjectStore,
    Observer, OutgoingJob, PutBody, PutRequest, QueueDepth, Receipt, SendReport, Side, StateStore,
    StoreTraits, Stored, SwapError, UploadId, Written,
};
use longbow_core::route::Route;
use longbow_core::selection::KeySelection;
use longbow_core::transfer::PartProof;
use tokio::sync::{Notify, Semaphore};

use crate::deletion::ExtraSink;
use crate::{Jobsender, JobsenderOptions, Sides};

pub(crate) const A: &str = "d41d8cd98f00b204e9800998ecf8427e";
pub(crate) const B: &str = "0cc175b9c0f1b6a831c399e269772661";

/// An entry with the tag `etag`; its size is the key's length.
pub(crate) fn entry(key: &str, etag: &str) -> ObjectMeta {
    ObjectMeta {
        key: key.into(),
        size: key.len() as u64,
        etag: Some(ETag::new(etag)),
        modified: Some(Timestamp(1_000)),
        storage_class: None,
        version: None,
    }
}

/// Lists what it is told, page by page.
pub(crate) struct FakeStore {
    pub(crate) objects: Vec<ObjectMeta>,
    pub(crate) page: usize,
    pub(crate) order: Option<KeyOrder>,
    /// By page, from 0: what the next calls for it answer.
    pub(crate) faults: Mutex<HashMap<usize, VecDeque<StoreErrorKind>>>,
    /// Pages from this one on wait until the door has a permit.
    pub(crate) gate: Option<(usize, Arc<Semaphore>)>,
    pub(crate) skipped: Vec<String>,
    /// Each page names the same page as the next.
    pub(crate) circles: bool,
}

impl FakeStore {
    pub(crate) fn new(objects: Vec<ObjectMeta>) -> Self {
        Self {
            objects,
            page: 2,
            order: None,
            faults: Mutex::default(),
            gate: None,
            skipped: Vec::new(),
            circles: false,
        }
    }

    /// Objects of these keys with tag [`A`], as given.
    pub(crate) fn of(keys: &[&str]) -> Self {
        Self::new(keys.iter().map(|k| entry(k, A)).collect())
    }

    pub(crate) fn fault(self, page: usize, kinds: &[StoreErrorKind]) -> Self {
        self.faults.lock().unwrap().insert(page, kinds.iter().copied().collect());
        self
    }
}

fn unasked<T>() -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Permanent, "a comparison asks for listings only"))
}

#[async_trait]
impl ObjectStore for FakeStore {
    fn traits(&self) -> StoreTraits {
        StoreTraits {
            name: "s3://fake".into(),
            order: self.order,
            folder: false,
            amazon: false,
            encryption: None,
            copy_domain: None,
            container: "fake".into(),
        }
    }

    async fn list(&self, _: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
        if self.circles {
            return Ok(ListPage { next: Some("1".into()), ..ListPage::default() });
        }
        let number: usize = page.map_or(0, |p| p.parse().unwrap());
        if let Some((from, door)) = &self.gate
            && number >= *from
        {
            drop(door.acquire().await.unwrap());
        }
        let fault = self.faults.lock().unwrap().get_mut(&number).and_then(VecDeque::pop_front);
        if let Some(kind) = fault {
            return Err(StoreError::new(kind, "scripted fault"));
        }
        let objects: Vec<_> = self.objects.iter().skip(number * self.page).take(self.page).cloned().collect();
        let more = (number + 1) * self.page < self.objects.len();
        let skipped = if number == 0 { self.skipped.clone() } else { Vec::new() };
        Ok(ListPage { objects, next: more.then(|| (number + 1).to_string()), skipped })
    }

    async fn head(&self, _: &ObjectKey, _: &HeadRequest) -> Result<ObjectHead, StoreError> {
        unasked()
    }
    async fn get(&self, _: &ObjectKey, _: &GetRequest) -> Result<ObjectBody, StoreError> {
        unasked()
    }
    async fn put(&self, _: &ObjectKey, _: PutBody, _: &PutRequest) -> Result<Written, StoreError> {
        unasked()
    }
    async fn copy(&self, _: &ObjectKey, _: &CopyRequest) -> Result<Written, StoreError> {
        unasked()
    }
    async fn delete(&self, _: &ObjectKey, _: Option<&ETag>) -> Result<(), StoreError> {
        unasked()
    }
    async fn tags(&self, _: &ObjectKey, _: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
        unasked()
    }
}

/// What a send answers.
pub(crate) enum Answer {
    /// Entries of these indices are refused.
    Refuse(Vec<usize>),
    /// The call fails.
    Fail(BackendError),
}

/// Keeps what it is sent.
#[derive(Default)]
pub(crate) struct FakeQueue {
    pub(crate) sent: Mutex<Vec<OutgoingJob>>,
    pub(crate) batches: Mutex<Vec<usize>>,
    pub(crate) answers: Mutex<VecDeque<Answer>>,
    pub(crate) visible: AtomicU64,
    pub(crate) depths: AtomicUsize,
    pub(crate) arrival: Notify,
}

impl FakeQueue {
    pub(crate) fn jobs(&self) -> Vec<CopyJob> {
        self.sent.lock().unwrap().iter().map(|j| decode(&j.body).unwrap()).collect()
    }

    pub(crate) fn subjects(&self) -> Vec<String> {
        let mut all: Vec<_> =
            self.sent.lock().unwrap().iter().map(|j| j.subject.as_str().to_owned()).collect();
        all.sort();
        all
    }
}

#[async_trait]
impl JobQueue for FakeQueue {
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
        self.batches.lock().unwrap().push(jobs.len());
        let refused = match self.answers.lock().unwrap().pop_front() {
            Some(Answer::Fail(error)) => return Err(error),
            Some(Answer::Refuse(indices)) => indices,
            None => Vec::new(),
        };
        let taken = jobs.into_iter().enumerate().filter(|(i, _)| !refused.contains(i)).map(|(_, j)| j);
        let mut sent = self.sent.lock().unwrap();
        let before = sent.len();
        sent.extend(taken);
        self.visible.fetch_add((sent.len() - before) as u64, Ordering::SeqCst);
        self.arrival.notify_waiters();
        Ok(SendReport { failed: refused.into_iter().map(|i| (i, "refused".to_owned())).collect() })
    }
    async fn receive(&self, _: usize, _: Duration, _: Duration) -> Result<Vec<Delivery>, BackendError> {
        Ok(Vec::new())
    }
    async fn change_visibility(&self, _: &[Receipt], _: Duration) -> Result<Vec<Receipt>, BackendError> {
        Ok(Vec::new())
    }
    async fn acknowledge(&self, _: &Receipt) -> Result<(), BackendError> {
        Ok(())
    }
    async fn dead_letter(&self, _: &Receipt, _: &str) -> Result<(), BackendError> {
        Ok(())
    }
    async fn depth(&self) -> Result<QueueDepth, BackendError> {
        self.depths.fetch_add(1, Ordering::SeqCst);
        Ok(QueueDepth { visible: self.visible.load(Ordering::SeqCst), ..QueueDepth::default() })
    }
}

/// Holds records.
#[derive(Default)]
pub(crate) struct FakeState {
    pub(crate) records: Mutex<BTreeMap<String, ObjectRecord>>,
    pub(crate) asked: Mutex<Vec<Vec<String>>>,
    pub(crate) faults: Mutex<VecDeque<BackendError>>,
}

#[async_trait]
impl StateStore for FakeState {
    async fn load(&self, _: &ObjectKey) -> Result<Option<Stored>, BackendError> {
        Err(BackendError::fatal("records are loaded in batches"))
    }
    async fn load_many(&self, subjects: Vec<ObjectKey>) -> Result<Vec<Option<Stored>>, BackendError> {
        let names: Vec<_> = subjects.iter().map(|s| s.as_str().to_owned()).collect();
        if let Some(fault) = self.faults.lock().unwrap().pop_front() {
            return Err(fault);
        }
        let records = self.records.lock().unwrap();
        let found = names.iter().map(|n| records.get(n).cloned().map(|record| Stored { version: 1, record }));
        let found = found.collect();
        self.asked.lock().unwrap().push(names);
        Ok(found)
    }
    async fn swap(&self, _: &ObjectKey, _: Option<u64>, _: ObjectRecord) -> Result<u64, SwapError> {
        Err(SwapError::Conflict)
    }
    async fn add_part(&self, _: &ObjectKey, _: &UploadId, _: PartProof) -> Result<(), BackendError> {
        Ok(())
    }
    async fn parts(&self, _: &ObjectKey, _: &UploadId) -> Result<Vec<PartProof>, BackendError> {
        Ok(Vec::new())
    }
    async fn forget_parts(&self, _: &ObjectKey, _: &UploadId) -> Result<(), BackendError> {
        Ok(())
    }
}

/// Remembers what it is told, as a user would see it: a restart voids what was counted.
#[derive(Default)]
pub(crate) struct FakeObserver {
    pub(crate) notices: Mutex<Vec<String>>,
    pub(crate) decisions: Mutex<Vec<(Decision, String)>>,
    pub(crate) listed: Mutex<HashMap<Side, u64>>,
    pub(crate) complete: Mutex<Vec<Side>>,
    pub(crate) restarts: AtomicUsize,
}

impl Observer for FakeObserver {
    fn notice(&self, text: &str) {
        self.notices.lock().unwrap().push(text.to_owned());
    }
    fn listed(&self, side: Side, keys: u64) {
        *self.listed.lock().unwrap().entry(side).or_default() += keys;
    }
    fn listing_complete(&self, side: Side) {
        self.complete.lock().unwrap().push(side);
    }
    fn decided(&self, decision: Decision, source: &ObjectMeta, _: Option<&ObjectMeta>) {
        self.decisions.lock().unwrap().push((decision, source.key.as_str().to_owned()));
    }
    fn comparison_restarted(&self) {
        self.restarts.fetch_add(1, Ordering::SeqCst);
        self.decisions.lock().unwrap().clear();
        self.listed.lock().unwrap().clear();
        self.complete.lock().unwrap().clear();
    }
    fn finished(&self, _: &Report) {}
}

/// Time that stands still.
pub(crate) struct FakeClock;

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp(0)
    }
    fn elapsed(&self) -> Duration {
        Duration::ZERO
    }
}

/// Keeps destination-only objects.
#[derive(Default)]
pub(crate) struct FakeExtras {
    pub(crate) begun: AtomicUsize,
    pub(crate) kept: Mutex<Vec<String>>,
}

#[async_trait]
impl ExtraSink for FakeExtras {
    async fn begin(&self) -> Result<(), BackendError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.kept.lock().unwrap().clear();
        Ok(())
    }
    async fn add(&self, batch: Vec<ObjectMeta>) -> Result<(), BackendError> {
        self.kept.lock().unwrap().extend(batch.into_iter().map(|o| o.key.as_str().to_owned()));
        Ok(())
    }
}

/// A jobsender among fakes.
pub(crate) struct World {
    pub(crate) queue: Arc<FakeQueue>,
    pub(crate) state: Arc<FakeState>,
    pub(crate) observer: Arc<FakeObserver>,
    pub(crate) extras: Arc<FakeExtras>,
    pub(crate) jobsender: Jobsender,
    pub(crate) options: JobsenderOptions,
    _spill: tempfile::TempDir,
}

pub(crate) fn route(source: &str, destination: &str) -> Route {
    Route {
        source: Location::parse(source, false).unwrap(),
        destination: Location::parse(destination, false).unwrap(),
    }
}

impl World {
    /// From `s3://src` to `s3://dst`, by tags.
    pub(crate) fn new(source: FakeStore, destination: FakeStore) -> Self {
        Self::on(route("s3://src", "s3://dst"), source, destination)
    }

    pub(crate) fn on(route: Route, source: FakeStore, destination: FakeStore) -> Self {
        let queue = Arc::new(FakeQueue::default());
        let state = Arc::new(FakeState::default());
        let observer = Arc::new(FakeObserver::default());
        let extras = Arc::new(FakeExtras::default());
        let spill = tempfile::tempdir().unwrap();
        let options = JobsenderOptions {
            comparison: Comparison::Etag,
            selection: KeySelection::of(&route.source),
            transfer: TransferId("t".into()),
            spill: spill.path().join("spill"),
            source_order: None,
            destination_order: None,
            batch: 3,
            dry_run: false,
            find_extra: true,
            max_waiting: 0,
        };
        let jobsender = Jobsender {
            source: Arc::new(source),
            destination: Arc::new(destination),
            route,
            queue: queue.clone(),
            state: state.clone(),
            clock: Arc::new(FakeClock),
            observer: observer.clone(),
            extra: Some(extras.clone()),
        };
        Self { queue, state, observer, extras, jobsender, options, _spill: spill }
    }

    /// The sides alone.
    pub(crate) fn sides(&self) -> Sides {
        Sides {
            source: self.jobsender.source.clone(),
            destination: self.jobsender.destination.clone(),
            route: self.jobsender.route.clone(),
            selection: self.options.selection.clone(),
            source_order: self.options.source_order,
            destination_order: self.options.destination_order,
            spill: self.options.spill.clone(),
            observer: self.observer.clone(),
        }
    }

    /// The names decided to be copied, sorted.
    pub(crate) fn copied(&self) -> Vec<String> {
        let decisions = self.observer.decisions.lock().unwrap();
        let copies = decisions.iter().filter(|(d, _)| matches!(d, Decision::Copy(_)));
        let mut names: Vec<_> = copies.map(|(_, k)| k.clone()).collect();
        names.sort();
        names
    }
}
