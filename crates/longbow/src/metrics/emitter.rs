//! The task that writes CloudWatch's lines from time to time, and once more at the end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;

use super::{Emf, Metrics, lock};
use crate::screen::Screen;
use crate::watch::now;

/// Writes lines as long as it lives.
pub(crate) struct Emitter {
    metrics: Arc<Metrics>,
    screen: Screen,
    emf: Arc<Mutex<Emf>>,
    task: JoinHandle<()>,
}

impl Emitter {
    /// Begins: the first lines come after one interval.
    pub(crate) fn start(metrics: &Arc<Metrics>, emf: Emf, every: Duration, screen: &Screen) -> Self {
        let emf = Arc::new(Mutex::new(emf));
        let (metrics, screen) = (Arc::clone(metrics), screen.clone());
        let task = tokio::spawn({
            let (metrics, screen, emf) = (Arc::clone(&metrics), screen.clone(), Arc::clone(&emf));
            async move {
                let mut beats = tokio::time::interval(every);
                beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
                beats.tick().await;
                loop {
                    beats.tick().await;
                    write(&metrics, &emf, &screen);
                }
            }
        });
        Self { metrics, screen, emf, task }
    }
}

impl Drop for Emitter {
    /// Tells the rest.
    fn drop(&mut self) {
        self.task.abort();
        write(&self.metrics, &self.emf, &self.screen);
    }
}

fn write(metrics: &Metrics, emf: &Mutex<Emf>, screen: &Screen) {
    // Held until all is written: lines of two moments do not mix.
    let mut emf = lock(emf);
    for line in emf.lines(metrics.snapshot(), now().0) {
        screen.output_line(&line);
    }
}
