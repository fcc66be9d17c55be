//! How far a route has come, as the next run may rely on: recorded only when the queue has taken every job up to there.
//!
//! A checkpoint that cannot be saved costs the next run some time, so it is told and does not end this one.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::object::Timestamp;
use longbow_core::port::{Checkpoint, CheckpointStore, Clock, Observer};
use longbow_core::routes::RouteName;

use super::lease::Leave;
use super::sender::Sender;

/// Where checkpoints are kept, and how.
#[derive(Clone)]
pub struct CheckpointPlan {
    /// Where.
    pub store: Arc<dyn CheckpointStore>,
    /// Time between two of them.
    pub every: Duration,
    /// An older comparison is not gone on with: too much may have changed behind it.
    pub oldest: Duration,
}

/// Records how far a route has come.
pub(crate) struct Recorder {
    plan: CheckpointPlan,
    route: RouteName,
    about: String,
    began: Timestamp,
    clock: Arc<dyn Clock>,
    observer: Arc<dyn Observer>,
    leave: Leave,
    last: Duration,
    /// A name, and the batch that must have arrived before it may be recorded.
    pending: Option<(String, Option<u64>)>,
    told: bool,
    off: bool,
}

/// A comparison that a killed run had begun.
pub(crate) struct Resumed {
    pub(crate) upto: String,
    pub(crate) began: Timestamp,
}

impl CheckpointPlan {
    /// What an earlier run has left, if it is about the same comparison and fresh enough.
    pub(crate) async fn resume(
        &self,
        route: &RouteName,
        about: &str,
        clock: &dyn Clock,
        observer: &dyn Observer,
    ) -> Option<Resumed> {
        let checkpoint = match self.store.load(route).await {
            Ok(found) => found?,
            Err(error) => {
                observer.notice(&format!(
                    "the checkpoint of route {route} could not be read, so it begins at the first name: {error}"
                ));
                return None;
            }
        };
        let oldest = i64::try_from(self.oldest.as_millis()).unwrap_or(i64::MAX);
        let fresh = clock.now() <= checkpoint.began.plus(oldest);
        (fresh && checkpoint.about == about)
            .then_some(Resumed { upto: checkpoint.upto, began: checkpoint.began })
    }

    /// Begins to record.
    pub(crate) fn record(
        &self,
        route: RouteName,
        about: String,
        began: Timestamp,
        clock: Arc<dyn Clock>,
        observer: Arc<dyn Observer>,
        leave: Leave,
    ) -> Recorder {
        let last = clock.elapsed();
        let plan = self.clone();
        Recorder {
            plan,
            route,
            about,
            began,
            clock,
            observer,
            leave,
            last,
            pending: None,
            told: false,
            off: false,
        }
    }
}

impl Recorder {
    /// The same for a run that no later one may go on from.
    pub(crate) fn that_saves_nothing(self) -> Self {
        Self { off: true, ..self }
    }

    /// Everything up to `name` is decided and pushed.
    pub(crate) async fn decided_upto(&mut self, name: &str, sender: &Sender) {
        self.save_arrived(sender).await;
        let due = self.clock.elapsed().saturating_sub(self.last) >= self.plan.every;
        if self.off || self.pending.is_some() || !due {
            return;
        }
        self.pending = Some((name.to_owned(), sender.last_batch()));
        self.save_arrived(sender).await;
    }

    /// Saves what is pending if all of its jobs have arrived.
    async fn save_arrived(&mut self, sender: &Sender) {
        // A job that was left unsent stays behind every later name, so nothing later is ever recorded.
        if self.off || sender.left_behind() || self.leave.is_revoked() {
            return;
        }
        let Some((upto, _)) = self.pending.take_if(|(_, batch)| sender.has_arrived(*batch)) else { return };
        self.last = self.clock.elapsed();
        let checkpoint = Checkpoint { upto, about: self.about.clone(), began: self.began };
        if let Err(error) = self.plan.store.save(&self.route, &checkpoint).await {
            self.tell(&format!("could not be saved, so a killed run would go on further back: {error}"));
        }
    }

    /// The order of the walk was not what was relied on: an earlier checkpoint means nothing, and none follows.
    pub(crate) async fn void(&mut self) {
        self.off = true;
        self.pending = None;
        self.clear().await;
    }

    /// The comparison has ended and every job is in the queue.
    pub(crate) async fn complete(&mut self) {
        self.clear().await;
    }

    async fn clear(&mut self) {
        if let Err(error) = self.plan.store.clear(&self.route).await {
            self.tell(&format!("could not be removed, so the next run may begin behind it: {error}"));
        }
    }

    fn tell(&mut self, what: &str) {
        tracing::warn!(route = %self.route, what, "the checkpoint");
        if !std::mem::replace(&mut self.told, true) {
            self.observer.notice(&format!("the checkpoint of route {} {what}", self.route));
        }
    }
}
