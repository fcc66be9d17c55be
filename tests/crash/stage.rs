//! A stage: both sides, queue, state and clock, on which a program runs, dies and runs again.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use longbow_core::backoff::Backoff;
use longbow_core::failure::StoreErrorKind;
use longbow_core::job::{AttemptsPolicy, CopyJob, Observation, SourceVersion, TransferId, encode};
use longbow_core::port::HeadRequest;
use longbow_core::transfer::MethodPolicy;
use longbow_testkit::fake::{FakeClock, FakeObserver, FakeQueue, FakeS3, FakeState, FakeStore, NewObject};
use longbow_testkit::fault::{Fault, Faults, Rule};
use longbow_worker::{DigestOptions, WorkerOptions};
use tempfile::TempDir;

use super::folder::Folder;
use super::objects::{self, Made, PART};
use super::programs::Program;
use super::side::Side;

/// No program of these runs longer, on paused time.
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// A key and the bytes that it held.
type Known = (String, Vec<u8>);

/// An object of the destination that no job names.
pub(super) const BYSTANDER: (&str, &[u8]) = ("bystander", b"nobody asked for me");

pub(super) struct Stage {
    pub(super) s3: FakeS3,
    pub(super) source: Side,
    pub(super) destination: Side,
    pub(super) queue: Arc<FakeQueue>,
    pub(super) state: Arc<FakeState>,
    pub(super) observer: Arc<FakeObserver>,
    pub(super) options: WorkerOptions,
    pub(super) program: Program,
    /// What happens to every run of the program.
    pub(super) rules: Vec<Rule>,
    /// What a reader of the destination may find beside what the source has now: by key, whole objects.
    pub(super) known: Arc<Mutex<Vec<Known>>>,
    /// The keys of the destination when the stage was set.
    pub(super) there: Vec<String>,
    first_message: String,
    /// What is at the destination beside objects and is none of longbow's business.
    pub(super) foreign: Vec<String>,
    pub(super) spill: TempDir,
}

impl Stage {
    /// Two buckets and a worker for one route.
    pub(super) fn new() -> Self {
        let s3 = FakeS3::new();
        let (source, destination) = (s3.create_bucket("source"), s3.create_bucket("destination"));
        Self::between(s3, Side::Bucket(source), Side::Bucket(destination))
    }

    pub(super) fn from_folder() -> Self {
        let s3 = FakeS3::with_clock(FakeClock::from_system());
        let destination = s3.create_bucket("destination");
        Self::between(s3, Side::Folder(Folder::new()), Side::Bucket(destination))
    }

    pub(super) fn to_folder() -> Self {
        // Files have their times from the system: whose an upload is, is told by when it began.
        let s3 = FakeS3::with_clock(FakeClock::from_system());
        let source = s3.create_bucket("source");
        Self::between(s3, Side::Bucket(source), Side::Folder(Folder::new()))
    }

    /// Two buckets and a worker of a fleet.
    pub(super) fn of_fleet() -> Self {
        let mut stage = Self::new();
        stage.program = Program::FleetWorker;
        stage.options = WorkerOptions {
            exit_when_empty: std::num::NonZeroU32::new(1),
            // Its first look comes at a moment of chance.
            sweep_uploads: None,
            ..stage.with_common(WorkerOptions::fleet())
        };
        stage
    }

    fn between(s3: FakeS3, source: Side, destination: Side) -> Self {
        let mut stage = Self {
            queue: Arc::new(FakeQueue::new()),
            state: Arc::new(FakeState::new()),
            observer: Arc::new(FakeObserver::new()),
            options: WorkerOptions::default(),
            program: Program::Worker,
            rules: Vec::new(),
            known: Arc::default(),
            there: Vec::new(),
            first_message: String::new(),
            foreign: Vec::new(),
            spill: tempfile::tempdir().expect("a temporary folder"),
            s3,
            source,
            destination,
        };
        stage.options = stage.with_common(WorkerOptions::default());
        stage.destination.put(BYSTANDER.0, BYSTANDER.1);
        if let Some(store) = stage.destination.bucket() {
            // Another program's, under the very key, begun long ago.
            let begun = store
                .change(|bucket, now| bucket.create_upload(&"k".into(), NewObject::default(), false, now));
            stage.foreign.push(begun.expect("an upload").0);
            stage.s3.clock().advance(Duration::from_secs(24 * 3600));
        }
        stage
    }

    fn with_common(&self, options: WorkerOptions) -> WorkerOptions {
        // Retries come at once: what is waited for is other tests' subject.
        let at_once = Backoff { first: Duration::ZERO, most: Duration::ZERO };
        WorkerOptions {
            part_size: PART as u64,
            whole_up_to: 1 << 20,
            transfer: TransferId("t".into()),
            method: MethodPolicy::Stream,
            // One at a time, so that the calls come in the same order in every run.
            max_objects: 1,
            max_requests: 1,
            attempts: AttemptsPolicy { max_attempts: 3, backoff: at_once, ..options.attempts },
            // Here and now: the hashing thread knows nothing of paused time.
            digests: DigestOptions { here_below: 1 << 40, ..DigestOptions::default() },
            ..options
        }
    }

    /// The source's bucket, where it is one.
    pub(super) fn bucket(&self) -> &Arc<FakeStore> {
        self.source.bucket().expect("the source is a bucket")
    }

    /// Puts an object into the source, be it a bucket or a folder.
    pub(super) fn put(&self, key: &str, made: Made, seed: u64) {
        match &self.source {
            Side::Bucket(store) => objects::put(store, key, made, seed),
            Side::Folder(folder) => {
                folder.write(key, &objects::object(made, seed).content.to_vec().expect("bytes at hand"));
            }
        }
    }

    /// Sends the job that a comparison would make of what both sides hold now.
    pub(super) async fn ask_for(&self, key: &str) {
        let request = HeadRequest::default();
        let head = self.source.open().head(&key.into(), &request).await.expect("the source object");
        let observed = match self.destination.open().head(&key.into(), &request).await {
            Ok(found) => Observation::Present(found.etag.expect("a tag")),
            Err(error) if error.kind == StoreErrorKind::NotFound => Observation::Absent,
            Err(error) => panic!("the destination cannot be looked at: {error}"),
        };
        let object =
            SourceVersion { size: head.size, etag: head.etag, version: None, modified: head.modified };
        let job = CopyJob {
            source: key.into(),
            destination: key.into(),
            object,
            observed,
            inspect: false,
            transfer: TransferId("t".into()),
        };
        self.queue.push(key, &encode(&job));
    }

    /// Sends a message as it is.
    pub(super) fn send(&self, body: &str) {
        self.queue.push("event", body);
    }

    /// Replaces the source's object once, after the first call of this name at the destination.
    pub(super) fn replace_after(&mut self, call: &'static str, key: &'static str, made: Made, seed: u64) {
        let (store, known) = (self.bucket().clone(), self.known.clone());
        let done = AtomicBool::new(false);
        let replace = move || {
            if !done.swap(true, Ordering::SeqCst) {
                let before = store.get_bytes(key).expect("the object before");
                known.lock().unwrap_or_else(PoisonError::into_inner).push((key.to_owned(), before));
                objects::put(&store, key, made, seed);
            }
        };
        self.rules.push(Rule::new(call, Fault::After(Arc::new(replace))).on("destination"));
    }

    /// The stage is set: what is at the destination now may still be there later.
    pub(super) fn ready(mut self) -> Self {
        let there = self.destination.contents();
        self.there = there.keys().cloned().collect();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).extend(there);
        self.first_message = self.queue.bodies().into_iter().next().unwrap_or_default();
        self.s3.forget_journal();
        self
    }

    /// Runs the program to its end, or until the plan's stop: then it dies, and what it held is delivered once more.
    pub(super) async fn play(&self, faults: &Faults) -> Option<Result<(), String>> {
        let mut work = Box::pin(tokio::time::timeout(MONTH, self.work(faults)));
        let end = tokio::select! {
            biased;
            () = faults.stopped() => None,
            end = &mut work => Some(end.expect("the program ends")),
        };
        if end.is_none() {
            self.source.die();
            self.destination.die();
        }
        drop(work);
        // Nobody is started again in the same millisecond.
        tokio::time::advance(Duration::from_millis(100)).await;
        // Tasks of the dead end as soon as they are polled.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.queue.redeliver();
        // Rules may hold the plan that they are part of.
        faults.clear();
        end
    }

    /// The body of the first message that was sent.
    pub(super) fn sent(&self) -> String {
        self.first_message.clone()
    }

    /// What a reader may find under the destination's keys: whole objects that were or are somewhere.
    pub(super) fn whole_objects(&self) -> BTreeMap<String, Vec<Vec<u8>>> {
        let mut whole: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for (key, bytes) in known.into_iter().chain(self.source.contents()) {
            whole.entry(key).or_default().push(bytes);
        }
        whole
    }
}
