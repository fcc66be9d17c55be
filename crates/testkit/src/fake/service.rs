//! A whole S3 service in memory: many buckets, one clock, one journal.
//!
//! The rules are in `bucket` and `upload`. Here each call finds its bucket, takes effect in one instant and is
//! written down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ObjectKey, Timestamp};
use longbow_core::port::Clock as _;

use super::bucket::Bucket;
use super::clock::FakeClock;
use super::journal::{Call, Entry, Reply};
use super::refusal::refuse;
use super::settings::BucketSettings;
use super::store::FakeStore;

/// An S3 service in memory. Clones are the same service.
#[derive(Debug, Clone, Default)]
pub struct FakeS3 {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    clock: FakeClock,
    world: Mutex<World>,
}

#[derive(Debug, Default)]
struct World {
    buckets: BTreeMap<String, (Timestamp, Bucket)>,
    journal: Vec<Entry>,
}

impl FakeS3 {
    /// A service without buckets, with a clock of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// A service that takes its time from `clock`.
    pub fn with_clock(clock: FakeClock) -> Self {
        Self { shared: Arc::new(Shared { clock, world: Mutex::default() }) }
    }

    /// The service's clock.
    pub fn clock(&self) -> &FakeClock {
        &self.shared.clock
    }

    /// Makes a bucket that behaves as one of Amazon S3; one that exists stays as it is.
    pub fn create_bucket(&self, name: &str) -> Arc<FakeStore> {
        let now = self.clock().now();
        self.world().buckets.entry(name.to_owned()).or_insert_with(|| (now, Bucket::default()));
        self.store(name)
    }

    /// One bucket, seen through the port. The bucket need not exist: its calls then fail with `NoSuchBucket`.
    pub fn store(&self, name: &str) -> Arc<FakeStore> {
        Arc::new(FakeStore::new(self.clone(), name))
    }

    /// Removes a bucket with everything in it.
    pub fn delete_bucket(&self, name: &str) {
        self.world().buckets.remove(name);
    }

    /// The buckets by name, each with the time when it was made.
    pub fn buckets(&self) -> Vec<(String, Timestamp)> {
        self.world().buckets.iter().map(|(name, (made, _))| (name.clone(), *made)).collect()
    }

    /// Changes the behaviour of a bucket, if it exists.
    pub fn configure(&self, name: &str, change: impl FnOnce(&mut BucketSettings)) {
        if let Some((_, bucket)) = self.world().buckets.get_mut(name) {
            change(&mut bucket.settings);
        }
    }

    /// Everything that was asked and answered so far.
    pub fn journal(&self) -> Vec<Entry> {
        self.world().journal.clone()
    }

    /// How many calls of this name (see [`Call::name`]) a bucket has answered, well or badly.
    pub fn count(&self, bucket: &str, call: &str) -> usize {
        let world = self.world();
        world.journal.iter().filter(|entry| entry.bucket == bucket && entry.call.name() == call).count()
    }

    /// Forgets the journal so far; numbers go on.
    pub fn forget_journal(&self) {
        let mut world = self.world();
        // The number of the next entry is that of the last plus one, so the last one stays.
        let keep = world.journal.len().saturating_sub(1);
        world.journal.drain(..keep);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes a bucket without leaving a trace in the journal.
    pub fn look<T>(
        &self,
        bucket: &str,
        act: impl FnOnce(&mut Bucket, Timestamp) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let now = self.clock().now();
        match self.world().buckets.get_mut(bucket) {
            Some((_, bucket)) => act(bucket, now),
            None => Err(no_such_bucket(bucket)),
        }
    }

    /// Does one call on a bucket, alone, and writes it down.
    pub fn act<T>(
        &self,
        bucket: &str,
        key: &ObjectKey,
        call: Call,
        act: impl FnOnce(&mut Bucket, Timestamp) -> Result<T, StoreError>,
        reply: impl FnOnce(&T) -> Reply,
    ) -> Result<T, StoreError> {
        let now = self.clock().now();
        let mut world = self.world();
        let result = match world.buckets.get_mut(bucket) {
            Some((_, bucket)) => act(bucket, now),
            None => Err(no_such_bucket(bucket)),
        };
        let told = result.as_ref().map(reply).map_err(|error| error.kind);
        world.write_down(now, bucket, key, call, told);
        result
    }

    /// Writes down a call that failed before it reached its bucket.
    pub fn note_failure(&self, bucket: &str, key: &ObjectKey, call: Call, kind: StoreErrorKind) {
        let now = self.clock().now();
        self.world().write_down(now, bucket, key, call, Err(kind));
    }
}

impl World {
    fn write_down(
        &mut self,
        at: Timestamp,
        bucket: &str,
        key: &ObjectKey,
        call: Call,
        reply: Result<Reply, StoreErrorKind>,
    ) {
        let number = self.journal.last().map_or(0, |last| last.number + 1);
        let bucket = bucket.to_owned();
        self.journal.push(Entry { number, at, bucket, key: key.clone(), call, reply });
    }
}

fn no_such_bucket(bucket: &str) -> StoreError {
    let message = format!("the bucket {bucket} does not exist");
    refuse(StoreErrorKind::NoSuchBucket, "NoSuchBucket", message)
}
