//! How a worker works: every choice with its default. What the choices mean is decided where they are used.

use std::num::NonZeroU32;
use std::time::Duration;

use longbow_core::backoff::{Backoff, Chance};
use longbow_core::job::{AttemptsPolicy, TransferId};
use longbow_core::transfer::{DEFAULT_PART_SIZE, MIN_PART_SIZE, MethodPolicy};

use crate::DigestOptions;

/// What is written to the state store on the way of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RecordPolicy {
    /// The end of an attempt, and for an object in parts its upload and each proved part, so that another attempt goes on
    /// where this one stopped. An object without parts costs one write.
    #[default]
    Progress,
    /// Only the end of an attempt: one write, whatever the size. An attempt that fails names its upload, but its
    /// parts are sent again. One that is killed leaves an upload that nobody can tell from other people's: the bucket
    /// needs a lifecycle rule then.
    FinishOnly,
}

/// How a worker works. Every default is meant to be fast; none has to be set.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// How often and how patiently an object is tried.
    pub attempts: AttemptsPolicy,
    /// Bytes of a part where nothing asks for another size.
    pub part_size: u64,
    /// The smallest part that destinations take, but for the last: S3's, unless a test's store takes smaller ones.
    pub least_part: u64,
    /// Objects of at most this many bytes are written whole.
    pub whole_up_to: u64,
    /// For how long a delivery is hidden from others; extended while it is worked on.
    pub visibility: Duration,
    /// How long one call to the queue waits for a delivery; also how late a stop can be noticed when idle.
    pub receive_wait: Duration,
    /// Objects in work at once.
    pub max_objects: usize,
    /// Most requests in flight; what is really used adapts below it.
    pub max_requests: usize,
    /// Bytes that may be held in memory for bodies.
    pub memory_bytes: u64,
    /// How digests are computed.
    pub digests: DigestOptions,
    /// Which way bytes may go.
    pub method: MethodPolicy,
    /// Whether tags are copied.
    pub tags: bool,
    /// After so many refused objects in a row, with no success between, the worker stops by itself: a wrong policy
    /// must not burn the backlog. `None`: never.
    pub denied_in_a_row: Option<NonZeroU32>,
    /// Instead of stopping then, one delivery is tried each time so long has passed, until one succeeds.
    pub slow_when_denied: Option<Duration>,
    /// A delivery is given back when it was held for so long, unfinished and with its parts kept: SQS takes it away
    /// 12 hours after its reception, whatever its holder does (SQS Developer Guide, "Visibility timeout").
    pub longest_hold: Option<Duration>,
    /// [`Worker::serve`] ends when the queue was found idle so many times in a row with nothing in work here.
    pub exit_when_empty: Option<NonZeroU32>,
    /// A fleet's worker aborts uploads of its own routes that nobody has worked on for so long, at least
    /// [`crate::LEAST_AGE`]: it looks within an hour after the start and every day. `None`: never.
    pub sweep_uploads: Option<Duration>,
    /// How much of an object's progress is written to the state store.
    pub record: RecordPolicy,
    /// The run that reports belong to.
    pub transfer: TransferId,
    /// Spreads retries and looks of the janitor.
    pub chance: Chance,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            attempts: AttemptsPolicy::default(),
            part_size: DEFAULT_PART_SIZE,
            least_part: MIN_PART_SIZE,
            whole_up_to: 64 << 20,
            visibility: Duration::from_secs(120),
            receive_wait: Duration::from_millis(250),
            max_objects: 256,
            max_requests: 256,
            memory_bytes: 48 << 20,
            digests: DigestOptions::default(),
            method: MethodPolicy::Auto,
            tags: true,
            denied_in_a_row: NonZeroU32::new(20),
            slow_when_denied: None,
            longest_hold: None,
            exit_when_empty: None,
            sweep_uploads: None,
            record: RecordPolicy::Progress,
            transfer: TransferId(String::new()),
            chance: Chance::new(by_hasher),
        }
    }
}

impl WorkerOptions {
    /// The defaults of a worker of a fleet: it has nobody who watches, a policy may be mended while jobs wait, and a
    /// queue that is asked over the network.
    pub fn fleet() -> Self {
        let backoff = Backoff { first: Duration::from_secs(2), most: Duration::from_secs(900) };
        Self {
            attempts: AttemptsPolicy { max_attempts: 8, max_denied: 500, backoff },
            visibility: Duration::from_secs(180),
            // Also how late a stop is noticed when there is nothing to do: a poll that was left open would take, and hide,
            // the very jobs that are handed back. An idle worker costs three cents a day by it.
            receive_wait: Duration::from_secs(1),
            slow_when_denied: Some(Duration::from_secs(60)),
            longest_hold: Some(Duration::from_secs(11 * 3600)),
            sweep_uploads: Some(Duration::from_secs(24 * 3600)),
            ..Self::default()
        }
    }
}

/// From the hasher's random keys, which differ in every call: chance enough to spread retries out.
fn by_hasher() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let bits = std::collections::hash_map::RandomState::new().build_hasher().finish();
    f64::from(u32::try_from(bits >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}
