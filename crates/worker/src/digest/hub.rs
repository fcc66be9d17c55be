//! Where the parts in flight meet the thread that hashes them.
//!
//! Holds what every part has pending, bounds the sum of it, and decides when hashing is worth waking the thread: when
//! enough has gathered to fill the lanes for a while, when memory runs out, or when somebody has waited long enough.
//! Lanes that carry nothing cost as much as full ones, and a store that sends in bursts gives to a few parts at a time:
//! so a part that waits for room or for its digest waits a little for company. A trickle of frames wakes nobody. The
//! lock is held for moments; nothing is hashed under it.

use std::collections::VecDeque;
use std::io;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use bytes::Bytes;
use longbow_core::transfer::PartDigest;
use tokio::sync::oneshot;

use super::kernel::Kernel;
use super::lanes::{self, Job};
use super::running::Running;

/// A part with at most so much pending is finished where it is: less work than waking the thread.
const FINISH_HERE: usize = 8 << 10;
/// Most bytes that one part may have pending, however much room there is.
const MOST_OF_ONE: usize = 2 << 20;
/// The thread is woken when the parts have this much pending each, on average …
const WORTH_OF_ONE: usize = 128 << 10;
/// … but not for less than this in all …
const WORTH_LEAST: usize = 512 << 10;
/// … and always for this much.
const WORTH_MOST: usize = 4 << 20;

/// A part with so much pending carries its lane for a while.
const LOADED: usize = 64 << 10;
/// How long a part waits for company. Its store goes on sending meanwhile, into the buffers of the connection, and the
/// other parts go on; where bytes come fast, room runs out long before. With 5 ms, two thirds of all runs began because
/// somebody had waited, and carried 3 parts of 14; with 40 ms they carry twice as many and cost half.
const PATIENCE: Duration = Duration::from_millis(40);
/// So few parts are no company: each is hashed as it comes.
const FEW: usize = 4;

/// The meeting place of some parts and one thread.
pub(super) struct Hub {
    state: Mutex<State>,
    work: Condvar,
    /// Most bytes pending, but for the last frame.
    limit: usize,
    /// Lanes of the kernel.
    lanes: usize,
}

#[derive(Default)]
struct State {
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    active: usize,
    /// Bytes pending in all slots and in the hands of the thread.
    pending: usize,
    /// Since when somebody waits for room or for a digest.
    waiting: Option<Instant>,
    asleep: bool,
    thread: Thread,
}

#[derive(Default, PartialEq, Eq)]
enum Thread {
    #[default]
    None,
    Runs,
    /// The service is gone: the thread ends.
    Leave,
    /// The thread has panicked.
    Dead,
}

/// One part.
#[derive(Default)]
struct Slot {
    /// `None` while the thread has it.
    running: Option<Box<Running>>,
    /// Frames that come while the thread has it.
    inbox: VecDeque<Bytes>,
    pending: usize,
    /// Who waits for room.
    waker: Option<Waker>,
    /// Who waits for the digest.
    done: Option<oneshot::Sender<PartDigest>>,
    /// Nobody wants it any more; removed when the thread gives it back.
    gone: bool,
}

/// How a part comes to its end.
pub(super) enum Finish {
    /// Hardly anything is left: the caller finishes it.
    Here(Box<Running>),
    /// The thread does.
    There(oneshot::Receiver<PartDigest>),
}

impl State {
    fn slot(&mut self, id: usize) -> Option<&mut Slot> {
        self.slots.get_mut(id)?.as_mut()
    }

    fn remove(&mut self, id: usize) -> Option<Slot> {
        let slot = self.slots.get_mut(id)?.take()?;
        self.free.push(id);
        self.active -= 1;
        Some(slot)
    }

    /// Removes a part, or what can be removed while the thread has it. What comes back is dropped without the lock.
    fn abandon(&mut self, id: usize) -> Option<Slot> {
        let slot = self.slot(id)?;
        if slot.running.is_some() {
            let pending = slot.pending;
            self.pending -= pending;
            return self.remove(id);
        }
        let inbox = mem::take(&mut slot.inbox);
        let bytes: usize = inbox.iter().map(Bytes::len).sum();
        slot.gone = true;
        slot.waker = None;
        slot.pending -= bytes;
        self.pending -= bytes;
        Some(Slot { inbox, ..Slot::default() })
    }

    /// Those who waited for room and now have it.
    fn take_wakers(&mut self, limit: usize) -> Vec<Waker> {
        if self.pending >= limit {
            return Vec::new();
        }
        let share = self.share(limit);
        let roomy = self.slots.iter_mut().flatten().filter(|slot| slot.pending < share);
        roomy.filter_map(|slot| slot.waker.take()).collect()
    }

    /// How much pending is worth waking the thread.
    fn worth(&self, limit: usize) -> usize {
        (self.active * WORTH_OF_ONE).clamp(WORTH_LEAST, WORTH_MOST).min(limit / 2)
    }

    /// How many lanes have to carry something for hashing to be cheap.
    fn useful(&self, lanes: usize) -> usize {
        lanes.min(self.active) * 3 / 4
    }

    fn is_out_of_patience(&self) -> bool {
        self.waiting.is_some_and(|since| self.active <= FEW || since.elapsed() >= PATIENCE)
    }

    fn due(&self, limit: usize, lanes: usize) -> bool {
        if self.pending > limit / 4 * 3 || self.is_out_of_patience() {
            return true;
        }
        let loaded = || self.slots.iter().flatten().filter(|slot| slot.pending >= LOADED).count();
        self.pending > self.worth(limit) && loaded() >= self.useful(lanes)
    }

    /// How much one part may have pending: its share, so that the fast ones leave room for the slow ones.
    fn share(&self, limit: usize) -> usize {
        (limit / self.active.max(1)).clamp(1, MOST_OF_ONE)
    }
}

impl Hub {
    pub(super) fn new(limit: usize) -> Self {
        let lanes = Kernel::best().lanes();
        Self { state: Mutex::default(), work: Condvar::new(), limit: limit.max(1), lanes }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic of the thread is told by `Thread::Dead`; the state is whole whenever the lock is free.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Parts that are hashed here now.
    pub(super) fn active(&self) -> usize {
        self.lock().active
    }

    /// Bytes pending.
    pub(super) fn pending(&self) -> usize {
        self.lock().pending
    }

    /// Starts the thread if there is none. Under the lock, so that nobody counts on one that could not be started.
    pub(super) fn start(&self, spawn: impl FnOnce() -> io::Result<JoinHandle<()>>) -> io::Result<()> {
        let mut state = self.lock();
        if state.thread == Thread::None {
            spawn()?;
            state.thread = Thread::Runs;
        }
        Ok(())
    }

    /// Sends the thread home. No part is left: each keeps the service alive.
    pub(super) fn leave(&self) {
        let mut state = self.lock();
        if state.thread == Thread::Runs {
            state.thread = Thread::Leave;
        }
        self.work.notify_one();
    }

    /// Takes up a part; returns the number of its slot.
    pub(super) fn enter(&self, running: Box<Running>) -> usize {
        let mut state = self.lock();
        let pending = running.pending();
        let slot = Some(Slot { pending, running: Some(running), ..Slot::default() });
        state.active += 1;
        state.pending += pending;
        let id = state.free.pop().unwrap_or(state.slots.len());
        match state.slots.get_mut(id) {
            Some(free) => *free = slot,
            None => state.slots.push(slot),
        }
        id
    }

    /// Takes a frame, whether there is room or not.
    pub(super) fn push(&self, id: usize, frame: Bytes) {
        let mut state = self.lock();
        let length = frame.len();
        let Some(slot) = state.slot(id) else { return };
        slot.pending += length;
        match &mut slot.running {
            Some(running) => running.push(frame),
            None => slot.inbox.push_back(frame),
        }
        state.pending += length;
        self.wake_if_due(state);
    }

    /// Waits until there is room for a frame of this part.
    pub(super) fn poll_room(&self, id: usize, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.lock();
        let (room, share) = (state.pending < self.limit, state.share(self.limit));
        let dead = state.thread == Thread::Dead;
        let Some(slot) = state.slot(id) else { return Poll::Ready(()) };
        if dead || (room && slot.pending < share) {
            slot.waker = None;
            return Poll::Ready(());
        }
        match &mut slot.waker {
            Some(waker) => waker.clone_from(context.waker()),
            None => slot.waker = Some(context.waker().clone()),
        }
        self.wait_for_company(state);
        Poll::Pending
    }

    /// The digest of a part to which nothing more is added: by the thread, or by the caller, who gets it back when
    /// hardly anything is left to do.
    pub(super) fn finish(&self, id: usize) -> Finish {
        let mut state = self.lock();
        let dead = state.thread == Thread::Dead;
        let (done, digest) = oneshot::channel();
        let Some(slot) = state.slot(id) else { return Finish::There(digest) };
        let small = slot.pending <= FINISH_HERE || dead;
        if small && let Some(running) = slot.running.take() {
            state.pending -= running.pending();
            state.remove(id);
            return Finish::Here(running);
        }
        if !dead {
            slot.done = Some(done);
            self.wait_for_company(state);
        }
        Finish::There(digest)
    }

    /// Forgets a part that nobody wants any more, and frees its frames.
    pub(super) fn abandon(&self, id: usize) {
        let mut state = self.lock();
        let slot = state.abandon(id);
        let wakers = state.take_wakers(self.limit);
        drop(state);
        drop(slot);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Notes that somebody waits; the thread has to know, since it is to look again after a while.
    fn wait_for_company(&self, mut state: MutexGuard<'_, State>) {
        if state.waiting.is_some() {
            return self.wake_if_due(state);
        }
        state.waiting = Some(Instant::now());
        if state.asleep {
            state.asleep = false;
            drop(state);
            self.work.notify_one();
        }
    }

    fn wake_if_due(&self, mut state: MutexGuard<'_, State>) {
        if state.asleep && state.due(self.limit, self.lanes) {
            state.asleep = false;
            drop(state);
            self.work.notify_one();
        }
    }

    /// The thread: hashes whatever is due until the service is gone.
    pub(super) fn serve(&self, kernel: Kernel) {
        let _guard = Guard(self);
        let mut jobs = Vec::new();
        while let Some((useful, spare)) = self.take(&mut jobs, kernel) {
            lanes::run(kernel, &mut jobs, useful, spare);
            self.give_back(&mut jobs);
        }
    }

    /// Waits until hashing is due and takes all parts that have something pending. Returns how many lanes ought to be
    /// filled and how many bytes may be left for later; `None` when the service is gone.
    fn take(&self, jobs: &mut Vec<Job>, kernel: Kernel) -> Option<(usize, usize)> {
        let mut state = self.lock();
        loop {
            if state.thread == Thread::Leave {
                return None;
            }
            if state.due(self.limit, self.lanes) {
                break;
            }
            state.asleep = true;
            state = match state.waiting {
                None => self.work.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(since) => {
                    let left = PATIENCE.saturating_sub(since.elapsed());
                    self.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
            state.asleep = false;
        }
        let impatient = state.is_out_of_patience();
        if impatient {
            state.waiting = None;
        }
        for (id, slot) in state.slots.iter_mut().enumerate() {
            let Some(slot) = slot else { continue };
            let waits = slot.done.is_some() || slot.waker.is_some();
            let urgent = waits && impatient;
            if (slot.pending > 0 || waits)
                && let Some(running) = slot.running.take()
            {
                jobs.push(Job { slot: id, urgent, taken: running.pending(), running });
            }
        }
        Some((state.useful(kernel.lanes()), self.limit / 3))
    }

    /// Puts parts back, sends the finished ones home, and lets in who waited for room.
    fn give_back(&self, jobs: &mut Vec<Job>) {
        let mut finished = Vec::new();
        let mut state = self.lock();
        for mut job in jobs.drain(..) {
            let hashed = job.taken - job.running.pending();
            state.pending -= hashed;
            let Some(slot) = state.slot(job.slot) else { continue };
            slot.pending -= hashed;
            slot.inbox.drain(..).for_each(|frame| job.running.push(frame));
            if slot.gone {
                state.pending -= job.running.pending();
            } else if slot.pending > 0 || slot.done.is_none() {
                slot.running = Some(job.running);
                continue;
            }
            let done = state.remove(job.slot).and_then(|slot| slot.done);
            finished.push((done, job.running));
        }
        let wakers = state.take_wakers(self.limit);
        let waits = state.slots.iter().flatten().any(|slot| slot.done.is_some() || slot.waker.is_some());
        state.waiting = waits.then(|| state.waiting.unwrap_or_else(Instant::now));
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
        for (done, running) in finished {
            if let Some(done) = done {
                // Nobody listens any more: the part was dropped while it was finished.
                let _ = done.send(running.finish());
            }
        }
    }
}

/// Should the thread panic, nobody may wait for it.
struct Guard<'a>(&'a Hub);

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        let mut state = self.0.lock();
        state.thread = Thread::Dead;
        let mut wakers = Vec::new();
        for slot in state.slots.iter_mut().flatten() {
            slot.done = None;
            wakers.extend(slot.waker.take());
        }
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
