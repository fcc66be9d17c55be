//! The task that shows progress from time to time, as long as it is held.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::reading::{Reading, Speed};
use super::voice::Voice;
use crate::report::ReportFile;

/// How often what was reported is given to the operating system.
const FLUSH: Duration = Duration::from_secs(1);

/// Shows progress until it is dropped.
pub(crate) struct Ticker {
    voice: Voice,
    tasks: Vec<JoinHandle<()>>,
}

impl Ticker {
    /// Begins. `read` is asked for the state of things; the report is flushed each second.
    pub(crate) fn start<R>(voice: &Voice, read: R, report: Option<Arc<ReportFile>>) -> Self
    where
        R: Fn() -> Reading + Send + Sync + 'static,
    {
        voice.begin();
        let began = Instant::now();
        let mut tasks = Vec::new();
        if let Some(interval) = voice.interval() {
            let voice = voice.clone();
            tasks.push(tokio::spawn(async move {
                let mut speed = Speed::default();
                let mut beats = tokio::time::interval(interval);
                beats.tick().await;
                loop {
                    beats.tick().await;
                    let (reading, elapsed) = (read(), began.elapsed());
                    let rate = speed.next(elapsed, &reading);
                    voice.progress(&reading, rate, elapsed);
                }
            }));
        }
        if let Some(report) = report {
            tasks.push(tokio::spawn(async move {
                let mut beats = tokio::time::interval(FLUSH);
                loop {
                    beats.tick().await;
                    let report = Arc::clone(&report);
                    // The disk may be slow: not on a thread that copies.
                    let _ = tokio::task::spawn_blocking(move || report.flush()).await;
                }
            }));
        }
        Self { voice: voice.clone(), tasks }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.voice.end();
    }
}
