//! Health: whether a worker takes jobs, as one word and a reason.
//!
//! Only gathered here: commands say where they are, the worker's gauges say how its queue is.

use std::sync::{Arc, Mutex};

use longbow_worker::{Drain, QueueState};

use super::{Metrics, lock};

/// Where the worker is. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Health {
    serving: Arc<Mutex<Option<Drain>>>,
}

impl Health {
    /// Everything is open, and the worker begins to take jobs until this drain begins.
    pub(crate) fn serving(&self, drain: &Drain) {
        *lock(&self.serving) = Some(drain.clone());
    }

    /// `Err`: why the worker takes no jobs now.
    pub(super) fn ready(&self, metrics: &Metrics) -> Result<(), String> {
        let Some(drain) = lock(&self.serving).clone() else {
            return Err("starting: queue, table and stores are not open yet".to_owned());
        };
        if drain.token().is_cancelled() {
            let why = drain.reason().map_or_else(|| "a stop".to_owned(), |why| why.to_string());
            return Err(format!("draining: {why}"));
        }
        match metrics.reading().map(|reading| reading.queue) {
            Some(QueueState::Answers) => Ok(()),
            Some(QueueState::Fails) => Err("the queue fails: it is asked again".to_owned()),
            Some(QueueState::NotAsked) => Err("starting: the queue has not answered yet".to_owned()),
            None => Err("ended".to_owned()),
        }
    }
}
