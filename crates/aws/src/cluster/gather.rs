//! Gathers what many tasks write at the same moment into few requests, and tells each how its own entry fared.
//!
//! Nothing is told before it is written, so a crash loses nothing that a caller was told of. One write at a time; what
//! arrives meanwhile goes with the next. The task that writes ends with its `Gather`.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// A place to hand in entries.
pub(crate) struct Gather<T, R> {
    entries: mpsc::UnboundedSender<(T, oneshot::Sender<R>)>,
}

impl<T: Send + 'static, R: Send + 'static> Gather<T, R> {
    /// `write` answers for each entry, in order. Writes begin at least `rhythm` apart and take at most `most` entries.
    pub(crate) fn new<W, F>(rhythm: Duration, most: usize, write: W) -> Self
    where
        W: Fn(Vec<T>) -> F + Send + 'static,
        F: Future<Output = Vec<R>> + Send + 'static,
    {
        let (entries, mut arriving) = mpsc::unbounded_channel::<(T, oneshot::Sender<R>)>();
        tokio::spawn(async move {
            let mut earliest = Instant::now();
            while let Some(first) = arriving.recv().await {
                tokio::time::sleep_until(earliest).await;
                earliest = Instant::now() + rhythm;
                let mut waiting = vec![first.1];
                let mut batch = vec![first.0];
                while batch.len() < most
                    && let Ok((entry, asker)) = arriving.try_recv()
                {
                    batch.push(entry);
                    waiting.push(asker);
                }
                for (asker, answer) in waiting.into_iter().zip(write(batch).await) {
                    // Whoever has stopped listening has its entry written all the same.
                    let _ = asker.send(answer);
                }
            }
        });
        Self { entries }
    }

    /// Waits until the entry is written. `None` if the runtime is ending.
    pub(crate) async fn add(&self, entry: T) -> Option<R> {
        let (asker, answer) = oneshot::channel();
        self.entries.send((entry, asker)).ok()?;
        answer.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures_util::future::join_all;

    use super::*;

    /// Writes, each with its time.
    type Log = Arc<Mutex<Vec<(Duration, Vec<u32>)>>>;

    #[tokio::test(start_paused = true)]
    async fn what_comes_together_is_written_together_and_each_is_told_of_its_own() {
        let written: Log = Arc::default();
        let (begun, log) = (Instant::now(), Arc::clone(&written));
        let gather = Gather::new(Duration::from_millis(100), 30, move |batch: Vec<u32>| {
            log.lock().unwrap().push((begun.elapsed(), batch.clone()));
            async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                batch.into_iter().map(|n| n * 2).collect::<Vec<u32>>()
            }
        });
        let answers = join_all((0..70).map(|n| gather.add(n))).await;
        assert_eq!(answers, (0..70).map(|n| Some(n * 2)).collect::<Vec<_>>());
        let written = std::mem::take(&mut *written.lock().unwrap());
        let sizes: Vec<usize> = written.iter().map(|(_, batch)| batch.len()).collect();
        assert_eq!(sizes, [30, 30, 10]);
        // A rhythm apart, however fast the writes are.
        for pair in written.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= Duration::from_millis(100), "{pair:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_asker_that_gives_up_takes_nothing_with_it() {
        let written: Arc<Mutex<Vec<u32>>> = Arc::default();
        let log = Arc::clone(&written);
        let gather = Gather::new(Duration::from_millis(100), 30, move |batch: Vec<u32>| {
            log.lock().unwrap().extend(&batch);
            async move { batch }
        });
        assert_eq!(gather.add(1).await, Some(1));
        assert!(tokio::time::timeout(Duration::from_millis(5), gather.add(2)).await.is_err());
        assert_eq!(gather.add(3).await, Some(3));
        assert_eq!(*written.lock().unwrap(), [1, 2, 3]);
    }
}
