//! A small world to run the real worker in: two buckets of one strict fake service, a queue, a state, a clock.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longbow_core::job::{CopyJob, Observation, SourceVersion, TransferId, encode};
use longbow_core::object::{ETag, Location, ObjectKey};
use longbow_core::port::{
    CompleteRequest, CreateRequest, JobQueue, MultipartStore, OutgoingJob, PartRequest, PutBody, StateStore,
};
use longbow_core::route::Route;
use longbow_testkit::fake::{FakeObserver, FakeQueue, FakeS3, FakeState, FakeStore};
use longbow_worker::{DigestOptions, Worker, WorkerOptions, WorkerPorts, WorkerSummary};
use tokio_util::sync::CancellationToken;

/// 5 MiB, the smallest part that S3 takes.
pub(crate) const PART: u64 = 5 << 20;

/// Everything that one test needs.
pub(crate) struct World {
    pub(crate) s3: FakeS3,
    pub(crate) source: Arc<FakeStore>,
    pub(crate) destination: Arc<FakeStore>,
    pub(crate) queue: Arc<FakeQueue>,
    pub(crate) state: Arc<FakeState>,
    pub(crate) observer: Arc<FakeObserver>,
    pub(crate) options: WorkerOptions,
}

impl World {
    pub(crate) fn new() -> Self {
        let s3 = FakeS3::new();
        Self {
            source: s3.create_bucket("source"),
            destination: s3.create_bucket("destination"),
            queue: Arc::new(FakeQueue::new()),
            state: Arc::new(FakeState::new()),
            observer: Arc::new(FakeObserver::new()),
            options: WorkerOptions {
                part_size: PART,
                transfer: TransferId("t".into()),
                method: longbow_core::transfer::MethodPolicy::Stream,
                // Here and now: the hashing thread knows nothing of paused time.
                digests: DigestOptions { here_below: 1 << 40, ..DigestOptions::default() },
                ..WorkerOptions::default()
            },
            s3,
        }
    }

    pub(crate) fn route() -> Route {
        let location = |text| Location::parse(text, false).expect("a location");
        Route { source: location("s3://source"), destination: location("s3://destination") }
    }

    /// The job that a comparison would make of what both sides hold now.
    pub(crate) fn job(&self, key: &str) -> CopyJob {
        let object = self.source.object(key).expect("the source object");
        let observed = match self.destination.object(key) {
            None => Observation::Absent,
            Some(found) => Observation::Present(found.etag.clone()),
        };
        CopyJob {
            source: key.into(),
            destination: key.into(),
            object: SourceVersion {
                size: object.content.length(),
                etag: Some(object.etag.clone()),
                version: None,
                modified: Some(object.modified),
            },
            observed,
            inspect: false,
            transfer: TransferId("t".into()),
        }
    }

    pub(crate) async fn send(&self, job: &CopyJob) {
        let message = OutgoingJob { subject: job.source.clone(), body: encode(job) };
        let report = self.queue.send(vec![message]).await.expect("the fake queue takes messages");
        assert!(report.failed.is_empty());
    }

    pub(crate) async fn ask_for(&self, key: &str) {
        self.send(&self.job(key)).await;
    }

    pub(crate) fn ports(&self) -> WorkerPorts {
        self.ports_over(self.source.clone(), self.destination.clone(), self.queue.clone(), self.state.clone())
    }

    /// The same world seen through other adapters, such as faulty ones.
    pub(crate) fn ports_over(
        &self,
        source: Arc<dyn MultipartStore>,
        destination: Arc<dyn MultipartStore>,
        queue: Arc<dyn JobQueue>,
        state: Arc<dyn StateStore>,
    ) -> WorkerPorts {
        WorkerPorts {
            source,
            destination,
            route: Self::route(),
            queue,
            state,
            clock: Arc::new(self.s3.clock().clone()),
            observer: self.observer.clone(),
        }
    }

    /// Runs a worker until the queue is idle.
    pub(crate) async fn run(&self) -> WorkerSummary {
        self.run_with(self.ports(), CancellationToken::new()).await
    }

    pub(crate) async fn run_with(&self, ports: WorkerPorts, stop: CancellationToken) -> WorkerSummary {
        let no_more = CancellationToken::new();
        no_more.cancel();
        let worker = Worker::new(ports, self.options.clone());
        let run = tokio::time::timeout(Duration::from_secs(3600), worker.run(no_more, stop));
        run.await.expect("the worker ends").expect("queue and state work")
    }

    /// Puts an object of several parts into the source, as another program would.
    pub(crate) async fn put_parts(&self, key: &str, bytes: &[u8], part_size: usize) -> ETag {
        let sizes: Vec<usize> = bytes.chunks(part_size).map(<[u8]>::len).collect();
        self.put_parts_of(key, bytes, &sizes).await
    }

    /// The same with parts of these sizes.
    pub(crate) async fn put_parts_of(&self, key: &str, bytes: &[u8], sizes: &[usize]) -> ETag {
        let key = ObjectKey::from(key);
        let request = CreateRequest { size: bytes.len() as u64, ..CreateRequest::default() };
        let upload = self.source.create_upload(&key, &request).await.expect("an upload");
        let mut parts = Vec::new();
        let mut rest = bytes;
        for (index, size) in sizes.iter().enumerate() {
            let offset = (bytes.len() - rest.len()) as u64;
            let (piece, after) = rest.split_at(*size);
            rest = after;
            let number = u32::try_from(index).expect("few parts") + 1;
            let body = PutBody::Kept(vec![Bytes::copy_from_slice(piece)]);
            let request = PartRequest { number, offset, md5: None };
            let part = self.source.put_part(&key, &upload, body, &request).await.expect("a part");
            parts.push((number, part.etag.expect("a tag")));
        }
        let request = CompleteRequest { parts, size: bytes.len() as u64, ..CompleteRequest::default() };
        self.source.complete_upload(&key, &upload, &request).await.expect("complete").etag.expect("a tag")
    }

    /// The destination holds exactly the source's bytes, and no upload is left.
    pub(crate) fn assert_equal(&self, key: &str) {
        let (source, destination) = (self.source.get_bytes(key), self.destination.get_bytes(key));
        assert!(source.is_some(), "{key} is not at the source");
        assert!(source == destination, "{key} differs at the destination");
        assert!(self.destination.uploads().is_empty(), "uploads are left behind");
    }
}

/// Bytes that look like nothing.
pub(crate) fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
