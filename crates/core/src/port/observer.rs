//! What a run tells whoever watches it: progress, reports, notices.

use std::time::Duration;

use crate::diff::Decision;
use crate::failure::Failure;
use crate::job::Report;
use crate::object::{ObjectKey, ObjectMeta};

/// One side of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    /// Where objects come from.
    Source,
    /// Where they go.
    Destination,
}

/// What a worker counts beside objects, bytes and failed attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// An event that needs nothing done, by reason: `test`, `not-about-bytes`, `outside-prefixes`, `events-off`,
    /// `not-selected`, `removals-kept`.
    Ignored(&'static str),
    /// A message that is no job, or that no route allows: put aside.
    Refused,
    /// An event that something later has overtaken, or that was settled before.
    Superseded,
    /// A delivery given back unfinished, since the worker stops or its time is over.
    HandedBack,
    /// A call to the state store that failed and was done without, by the port's name of the call.
    StateFailed(&'static str),
    /// A call to the queue that failed and was done without, by the port's name of the call.
    QueueFailed(&'static str),
    /// The worker went slow: too many objects in a row were refused.
    Slowed,
    /// An upload of this route's own that nobody works on any more was aborted.
    UploadAborted,
}

/// Watches a run. Calls come from many tasks and must return at once.
pub trait Observer: Send + Sync + 'static {
    /// Something that the user should know once: a feature that a store lacks, and what is done instead.
    fn notice(&self, text: &str);

    /// So many more keys were listed on a side.
    fn listed(&self, side: Side, keys: u64) {
        let _ = (side, keys);
    }

    /// The listing of a side has ended, complete.
    fn listing_complete(&self, side: Side) {
        let _ = side;
    }

    /// The comparison has decided about a source object.
    fn decided(&self, decision: Decision, source: &ObjectMeta, destination: Option<&ObjectMeta>) {
        let _ = (decision, source, destination);
    }

    /// The comparison starts again from nothing, in another order: `listed`, `listing_complete` and `decided` will
    /// tell everything anew, so what they counted so far is void. Jobs sent before stay sent.
    fn comparison_restarted(&self) {}

    /// So many more bytes were read from the source and accepted by the destination's connection.
    fn moved(&self, read: u64, sent: u64) {
        let _ = (read, sent);
    }

    /// An attempt failed and another will follow.
    fn attempt_failed(&self, key: &ObjectKey, failure: &Failure, retry_in: Duration) {
        let _ = (key, failure, retry_in);
    }

    /// A job was taken from the queue, so long after it had been sent (`None`: the queue does not say). Told for every
    /// reception.
    fn received(&self, age: Option<Duration>) {
        let _ = age;
    }

    /// Something happened that is counted, so many times.
    fn counted(&self, what: Counted, times: u64) {
        let _ = (what, times);
    }

    /// So long after the source object was written, the destination has it. Told where that time is known.
    fn lag(&self, lag: Duration) {
        let _ = lag;
    }

    /// An object has ended: copied, skipped after a closer look, deleted or failed.
    fn finished(&self, report: &Report);
}
