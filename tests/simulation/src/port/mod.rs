//! The ports of a process: each call of the real worker and jobsender goes through its life to the strict fakes.

mod lock;
mod queue;
mod state;
mod store;

pub(crate) use lock::{SimCheckpoints, SimLock};
pub(crate) use queue::SimQueue;
pub(crate) use state::SimState;
pub(crate) use store::{SimStore, upload_number};

use longbow_core::diff::Decision;
use longbow_core::job::Report;
use longbow_core::object::ObjectMeta;
use longbow_core::port::Observer;

/// Nobody watches.
pub(crate) struct Nobody;

impl Observer for Nobody {
    fn notice(&self, _text: &str) {}
    fn decided(&self, _decision: Decision, _source: &ObjectMeta, _destination: Option<&ObjectMeta>) {}
    fn finished(&self, _report: &Report) {}
}
