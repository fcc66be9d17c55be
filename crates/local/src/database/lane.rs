//! A thread that owns one connection and serves what is asked of it in groups, a transaction a group.
//!
//! A transaction costs ten times as much as the statements of one asker, so under load those who ask within a few
//! milliseconds share one; a few askers now and then are served at once. Every asker hears of the commit, or of its
//! failure; nothing of a failed group remains. What is asked is a closure: the tables are known elsewhere.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use longbow_core::failure::BackendError;
use rusqlite::Connection;
use tokio::sync::{Notify, mpsc, oneshot};

use super::fault::backend_error;

/// How much can wait for a lane before askers are held up.
const QUEUED: usize = 1024;
/// Most requests in one transaction.
const GROUP: usize = 512;
/// Time from one transaction to the next in the long run. Copying small objects asks some thousand times a second.
const PACE: Duration = Duration::from_millis(5);
/// How many transactions may come without that pause, after a quiet time.
const BURST: u32 = 64;
/// A transaction older than this takes nothing more in, so that its first asker does not wait for ever.
const LONGEST: Duration = Duration::from_millis(20);

/// How many rows there are, so that nobody has to count them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Of `job`.
    pub(crate) jobs: i64,
    /// Of `dead_letter`.
    pub(crate) dead: i64,
}

/// What a request works with: one open transaction.
pub(crate) struct Group<'a> {
    /// The lane's connection.
    pub(crate) connection: &'a Connection,
    /// Become true with the commit, and are forgotten without it.
    pub(crate) counts: Counts,
    /// Set when a job has become visible: those who wait for one are woken after the commit.
    pub(crate) arrived: bool,
}

/// Whether a lane writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    Read,
    Write,
}

/// What a lane is made of.
pub(super) struct LaneParts {
    pub(super) connection: Connection,
    pub(super) access: Access,
    pub(super) file: PathBuf,
    pub(super) counts: Counts,
    pub(super) arrived: Arc<Notify>,
    /// Dropped after the connection: what must outlive it.
    pub(super) keep: Option<std::fs::File>,
}

/// One request, seen from the thread.
trait Request: Send {
    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, committed: Result<(), BackendError>);
}

struct Asked<T, F> {
    work: Option<F>,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, BackendError>>,
}

impl<T, F> Request for Asked<T, F>
where
    T: Send,
    F: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(group)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), BackendError>) {
        let answer = match (committed, self.result) {
            (Ok(()), Some(result)) => Ok(result),
            (Ok(()), None) => Err(ended()),
            (Err(error), _) => Err(error),
        };
        // Nobody listening is no fault: the asker was cancelled, and what it asked for is done.
        let _ = self.reply.send(answer);
    }
}

enum Inbox {
    Request(Box<dyn Request>),
    Stop,
}

/// The asker's end of a lane.
pub(super) struct Lane {
    sender: mpsc::Sender<Inbox>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Asks without waiting, as long as the lane lives.
#[derive(Clone)]
pub(crate) struct WeakLane(mpsc::WeakSender<Inbox>);

fn ended() -> BackendError {
    BackendError::fatal("the state file is closed: longbow is stopping, or its database thread has failed")
}

fn asked<T, F>(work: F) -> (Inbox, oneshot::Receiver<Result<T, BackendError>>)
where
    T: Send + 'static,
    F: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Inbox::Request(Box::new(Asked { work: Some(work), result: None, reply })), answer)
}

impl Lane {
    pub(super) fn start(name: &str, parts: LaneParts) -> std::io::Result<Self> {
        let (sender, inbox) = mpsc::channel(QUEUED);
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || serve(parts, inbox))?;
        Ok(Self { sender, thread: Mutex::new(Some(thread)) })
    }

    /// Asks, and waits for the commit.
    pub(super) async fn ask<T, F>(&self, work: F) -> Result<T, BackendError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (request, answer) = asked(work);
        self.sender.send(request).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    pub(super) fn weak(&self) -> WeakLane {
        WeakLane(self.sender.downgrade())
    }

    /// Tells the thread to end after what is queued.
    pub(super) async fn stop(&self) {
        // A closed channel means that it has ended already.
        let _ = self.sender.send(Inbox::Stop).await;
    }

    /// The thread, to be joined; once.
    pub(super) fn take_thread(&self) -> Option<JoinHandle<()>> {
        self.thread.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Lane {
    /// Ends the thread and waits for it, so that whoever opens the file next finds it closed and unlocked.
    fn drop(&mut self) {
        let Some(thread) = self.take_thread() else { return };
        // Replaces the last strong sender: the thread serves what is queued and ends.
        let (nobody, _) = mpsc::channel(1);
        self.sender = nobody;
        if thread.thread().id() != std::thread::current().id() {
            // A panic of the thread was answered to its askers by the closed channels.
            let _ = thread.join();
        }
    }
}

impl WeakLane {
    /// Asks for something whose outcome nobody waits for. Lost when the lane is full or gone.
    pub(crate) fn tell<F>(&self, work: F)
    where
        F: FnOnce(&mut Group<'_>) -> rusqlite::Result<()> + Send + 'static,
    {
        if let Some(sender) = self.0.upgrade() {
            let (request, _) = asked(work);
            let _ = sender.try_send(request);
        }
    }
}

/// Spreads transactions over time.
struct Pace {
    /// When the next one would come if all had come at the pace.
    due: Instant,
}

impl Pace {
    /// How long to gather askers before the transaction that is wanted at `now`.
    fn pause(&mut self, now: Instant) -> Duration {
        let pause = self.due.saturating_duration_since(now + PACE * BURST);
        // A quiet time is not saved up.
        self.due = self.due.max(now) + PACE;
        pause
    }

    /// Forgets the past: a pause gathered nobody, so whoever asks does so alone, one thing after the other.
    fn renew(&mut self, now: Instant) {
        self.due = now;
    }
}

fn serve(mut parts: LaneParts, mut inbox: mpsc::Receiver<Inbox>) {
    let mut pace = Pace { due: Instant::now() };
    while let Some(Inbox::Request(first)) = inbox.blocking_recv() {
        let pause = pace.pause(Instant::now());
        std::thread::sleep(pause);
        let mut ran = Vec::new();
        let mut stop = false;
        let served = serve_group(&mut parts, first, &mut inbox, &mut ran, &mut stop);
        let asked = ran.len();
        let arrived = match served {
            Ok(arrived) => {
                ran.into_iter().for_each(|request| request.answer(Ok(())));
                arrived
            }
            Err(error) => {
                roll_back(&parts);
                for request in ran {
                    request.answer(Err(backend_error(&parts.file, &error)));
                }
                false
            }
        };
        if arrived {
            parts.arrived.notify_waiters();
        }
        if !pause.is_zero() && asked == 1 {
            pace.renew(Instant::now());
        }
        if stop {
            break;
        }
    }
    // Those still queued, and those yet to come, hear that the lane has ended.
    drop(inbox);
    let LaneParts { connection, keep, arrived, .. } = parts;
    drop(connection);
    drop(keep);
    arrived.notify_waiters();
}

/// One transaction. `ran` receives all that took part, whatever the result.
///
/// Who writes may join while it runs. Who reads may not: what the transaction sees is what was there when it began,
/// and a later asker may know of more.
fn serve_group(
    parts: &mut LaneParts,
    first: Box<dyn Request>,
    inbox: &mut mpsc::Receiver<Inbox>,
    ran: &mut Vec<Box<dyn Request>>,
    stop: &mut bool,
) -> rusqlite::Result<bool> {
    ran.push(first);
    let begin = match parts.access {
        Access::Read => "BEGIN DEFERRED",
        Access::Write => "BEGIN IMMEDIATE",
    };
    if parts.access == Access::Read {
        while ran.len() < GROUP && take_in(inbox, ran, stop) {}
    }
    parts.connection.prepare_cached(begin)?.execute([])?;
    let began = Instant::now();
    let mut group = Group { connection: &parts.connection, counts: parts.counts, arrived: false };
    let mut next = 0;
    while let Some(request) = ran.get_mut(next) {
        request.run(&mut group)?;
        next += 1;
        if parts.access == Access::Write && ran.len() < GROUP && began.elapsed() < LONGEST {
            take_in(inbox, ran, stop);
        }
    }
    let (counts, arrived) = (group.counts, group.arrived);
    parts.connection.prepare_cached("COMMIT")?.execute([])?;
    parts.counts = counts;
    Ok(arrived)
}

/// Takes one more request in, if one waits and nobody has said stop.
fn take_in(inbox: &mut mpsc::Receiver<Inbox>, ran: &mut Vec<Box<dyn Request>>, stop: &mut bool) -> bool {
    if *stop {
        return false;
    }
    match inbox.try_recv() {
        Ok(Inbox::Request(request)) => {
            ran.push(request);
            true
        }
        Ok(Inbox::Stop) => {
            *stop = true;
            false
        }
        Err(_) => false,
    }
}

/// Ends a failed transaction. SQLite may have ended it already, as it does when the disk is full.
fn roll_back(parts: &LaneParts) {
    if !parts.connection.is_autocommit()
        && let Err(error) = parts.connection.execute_batch("ROLLBACK")
    {
        tracing::debug!(%error, "failed to roll back");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_served_at_once_and_a_storm_at_the_pace() {
        let start = Instant::now();
        let mut pace = Pace { due: start };
        for _ in 0..=BURST {
            assert_eq!(pace.pause(start), Duration::ZERO);
        }
        assert_eq!(pace.pause(start), PACE);
        assert_eq!(pace.pause(start + PACE), PACE);
        // After a long quiet time as at the beginning.
        let later = start + Duration::from_secs(60);
        for _ in 0..=BURST {
            assert_eq!(pace.pause(later), Duration::ZERO);
        }
        assert_eq!(pace.pause(later), PACE);
        pace.renew(later);
        assert_eq!(pace.pause(later), Duration::ZERO);
    }
}
