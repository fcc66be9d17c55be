//! What ends a worker: a signal, or a notice of EC2; and who is told when it has ended.

use std::time::Duration;

use longbow_aws::{ClusterSession, LifecycleHook, Notice, NoticeOptions, Notices};
use longbow_worker::{Drain, Stopping};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::command::cluster::at_start;
use crate::exit::CommandError;
use crate::progress::Voice;
use crate::settings::ClusterSettings;

/// How often EC2 is asked for notices, as it recommends.
const NOTICES: Duration = Duration::from_secs(5);

/// Spot instances are gone two minutes after the notice.
const SPOT: Duration = Duration::from_secs(100);

/// Watches for the end.
pub(super) struct Ending {
    drain: Drain,
    /// Group and hook.
    hook: Option<(String, String)>,
    /// Gives the instance's name, once a notice has come.
    watching: JoinHandle<Option<String>>,
}

impl Ending {
    /// Begins to watch: `drain` begins with a signal or a notice.
    pub(super) fn watch(
        settings: &ClusterSettings,
        drain: &Drain,
        stop: CancellationToken,
        voice: Voice,
    ) -> Result<Self, CommandError> {
        let notices = Notices::new(&NoticeOptions::from_environment(NOTICES))
            .map_err(|e| at_start("the metadata service", &e))?;
        let hook = settings.auto_scaling_group.clone().zip(settings.lifecycle_hook.clone());
        let watching = tokio::spawn(begin(drain.clone(), stop, notices, settings.drain_within, voice));
        Ok(Self { drain: drain.clone(), hook, watching })
    }

    /// The worker has ended: tells the Auto Scaling group, if it waits. Gives what went wrong.
    pub(super) async fn told(self, session: &ClusterSession) -> Option<String> {
        let by_notice =
            self.drain.reason().is_some_and(|why| !matches!(why, Stopping::Signal | Stopping::Reconfigured));
        let (true, Some((group, hook))) = (by_notice, self.hook) else {
            self.watching.abort();
            return None;
        };
        let Ok(Some(instance)) = self.watching.await else {
            return Some(format!(
                "The hook {hook} was not told: the metadata service does not name this instance."
            ));
        };
        let hook = LifecycleHook { hook, group, instance };
        match hook.complete(session).await {
            Ok(()) => None,
            Err(error) => {
                Some(format!("The Auto Scaling group was not told, and waits for its time-out: {error}."))
            }
        }
    }
}

async fn begin(
    drain: Drain,
    stop: CancellationToken,
    mut notices: Notices,
    within: Duration,
    voice: Voice,
) -> Option<String> {
    let (why, within) = tokio::select! {
        () = stop.cancelled() => (Stopping::Signal, within),
        notice = notices.next() => match notice {
            Notice::SpotInterruption { .. } => (Stopping::SpotInterruption, within.min(SPOT)),
            Notice::Rebalance => (Stopping::Rebalance, within),
            Notice::Terminating => (Stopping::Terminating, within),
        },
    };
    if why != Stopping::Signal {
        voice.notice(&format!("{why}: handing back what is not finished within {} s", within.as_secs()));
    }
    drain.begin(why, Some(within));
    if why == Stopping::Signal {
        return None;
    }
    notices.instance_id().await
}
