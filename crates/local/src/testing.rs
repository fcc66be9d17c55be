//! What the tests of this crate share: a state file in a folder that goes away, and a clock set by hand.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longbow_core::object::Timestamp;
use longbow_core::port::Clock;

use crate::database::{Database, OpenError};

/// Stands still until told otherwise.
#[derive(Default)]
pub(crate) struct HandClock(AtomicU64);

impl HandClock {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_700_000_000_000).plus(i64::try_from(self.0.load(Ordering::SeqCst)).unwrap())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(crate) const ROUTE: &str = "s3://a/p -> s3://b/q";

/// A place for a state file.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) clock: Arc<HandClock>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("deep/er/route.sqlite")
    }

    pub(crate) fn try_open(&self) -> Result<Database, OpenError> {
        Database::open(&self.file(), ROUTE, self.clock.clone())
    }

    pub(crate) fn open(&self) -> Database {
        self.try_open().unwrap()
    }
}
