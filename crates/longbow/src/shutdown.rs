//! Stopping: the first SIGINT or SIGTERM drains, the second ends the program at once. Nothing is lost by either.

use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::{CommandError, Exit, Signal};

/// Watches for signals as long as it lives.
pub(crate) struct Shutdown {
    stop: CancellationToken,
    received: Arc<OnceLock<Signal>>,
    task: tokio::task::JoinHandle<()>,
}

impl Shutdown {
    /// Begins to watch. `tell` is called once, with what the user should know, when the first signal comes.
    pub(crate) fn watch(tell: impl Fn(&str) + Send + 'static) -> Result<Self, CommandError> {
        let cannot = |e: std::io::Error| CommandError::Failed(format!("failed to watch for signals: {e}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let stop = CancellationToken::new();
        let received = Arc::new(OnceLock::new());
        let (token, first) = (stop.clone(), Arc::clone(&received));
        let task = tokio::spawn(async move {
            loop {
                let signal = tokio::select! {
                    _ = interrupt.recv() => Signal::Interrupt,
                    _ = terminate.recv() => Signal::Terminate,
                };
                if first.set(signal).is_err() {
                    tell("stopped at once; the same command goes on where it stopped");
                    std::process::exit(Exit::Stopped(signal).code().into());
                }
                tell(&format!("{signal}: handing back what is in work; a second signal stops at once"));
                token.cancel();
            }
        });
        Ok(Self { stop, received, task })
    }

    /// Cancelled by the first signal.
    pub(crate) fn stop(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// The first signal, if one came.
    pub(crate) fn signal(&self) -> Option<Signal> {
        self.received.get().copied()
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        self.task.abort();
    }
}
