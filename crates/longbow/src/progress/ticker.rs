//! The task that shows progress from time to time, as long as it is held.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::reading::{Reading, Speed};
use super::voice::Voice;

/// How often what was reported is given to the operating system.
const FLUSH: Duration = Duration::from_secs(1);

/// Shows progress until it is dropped.
pub(crate) struct Ticker {
    voice: Voice,
    tasks: Vec<JoinHandle<()>>,
}

impl Ticker {
    /// Begins. `read` is asked for the state of things; `flush` is called each second.
    pub(crate) fn start<R, F>(voice: &Voice, read: R, flush: F) -> Self
    where
        R: Fn() -> Reading + Send + Sync + 'static,
        F: Fn() + Send + Sync + 'static,
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
                    let rate = speed.next(elapsed, reading.bytes_done);
                    voice.progress(&reading, rate, elapsed);
                }
            }));
        }
        let flush = Arc::new(flush);
        tasks.push(tokio::spawn(async move {
            let mut beats = tokio::time::interval(FLUSH);
            loop {
                beats.tick().await;
                let flush = Arc::clone(&flush);
                // The disk may be slow: not on a thread that copies.
                let _ = tokio::task::spawn_blocking(move || flush()).await;
            }
        }));
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
