//! A job queue in memory with the meaning of Amazon SQS standard queues, under tokio's time.
//!
//! A receipt is good until its visibility ends; after that it changes nothing, whether or not somebody else has
//! received the message. Paused time works: a waiting `receive` is one sleep. What only a wire has is not here: batches of
//! ten entries and 256 KiB, characters that XML lacks, the twelve hours of a reception. These are `longbow-aws`'s, and its
//! tests' (docs/QUIRKS.md).

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::object::ObjectKey;
use longbow_core::port::{Delivery, JobQueue, OutgoingJob, QueueDepth, Receipt, SendReport};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// A queue in memory.
#[derive(Debug, Default)]
pub struct FakeQueue {
    replacing: bool,
    /// Receptions after which a message goes to the dead letters by itself.
    redrive: Option<u32>,
    inner: Mutex<Inner>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    next: u64,
    messages: VecDeque<Message>,
    dead: Vec<(String, String)>,
    acknowledged: Vec<String>,
    fail_bodies: Vec<String>,
    /// Where chance stands, when messages come in any order.
    shuffled: Option<u64>,
}

#[derive(Debug)]
struct Message {
    number: u64,
    subject: ObjectKey,
    body: String,
    receive_count: u32,
    /// Until then its last receiver holds it.
    visible_at: Instant,
}

impl Message {
    fn receipt(&self) -> Receipt {
        Receipt(format!("{}/{}", self.number, self.receive_count))
    }

    fn is_held(&self, now: Instant) -> bool {
        self.visible_at > now
    }
}

impl FakeQueue {
    /// An empty queue that keeps every message, as SQS does.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty queue that keeps one waiting message a subject, the newest.
    pub fn replacing() -> Self {
        Self { replacing: true, ..Self::default() }
    }

    /// A queue with a redrive policy: a message that was received so often, and comes back once more, goes to the dead
    /// letters instead (SQS Developer Guide, "Using dead-letter queues": `maxReceiveCount`).
    pub fn redriving(max_receive_count: u32) -> Self {
        Self { redrive: Some(max_receive_count), ..Self::default() }
    }

    /// The bodies of all messages that are neither acknowledged nor dead.
    pub fn bodies(&self) -> Vec<String> {
        self.inner().messages.iter().map(|message| message.body.clone()).collect()
    }

    /// The dead letters with their reasons.
    pub fn dead_letters(&self) -> Vec<(String, String)> {
        self.inner().dead.clone()
    }

    /// The bodies of acknowledged messages, in order.
    pub fn acknowledged(&self) -> Vec<String> {
        self.inner().acknowledged.clone()
    }

    /// Adds a message as it is, also one that is no job.
    pub fn push(&self, subject: &str, body: &str) {
        let job = OutgoingJob { subject: subject.into(), body: body.to_owned() };
        self.add(&mut self.inner(), job);
        self.changed.notify_waiters();
    }

    /// Delivers every held message once more, as SQS may at any time. The old receipts are no longer current.
    pub fn redeliver(&self) {
        let now = Instant::now();
        for message in &mut self.inner().messages {
            message.visible_at = now;
        }
        self.changed.notify_waiters();
    }

    /// Delivers one held message once more, by its number from 1 in the order of arrival. `false`: nobody holds it.
    pub fn redeliver_one(&self, number: u64) -> bool {
        let now = Instant::now();
        let mut inner = self.inner();
        let held = inner.messages.iter_mut().find(|message| message.number == number && message.is_held(now));
        let Some(message) = held else { return false };
        message.visible_at = now;
        drop(inner);
        self.changed.notify_waiters();
        true
    }

    /// From now on messages come in any order, chosen by the seed, as SQS gives them; before that in the order of arrival.
    pub fn shuffle(&self, seed: u64) {
        self.inner().shuffled = Some(seed);
    }

    /// Removes the delivery; `false`: the receipt is not current.
    pub fn acknowledge_now(&self, receipt: &Receipt) -> bool {
        let mut inner = self.inner();
        let Some(message) = inner.position(receipt).and_then(|at| inner.messages.remove(at)) else {
            return false;
        };
        inner.acknowledged.push(message.body);
        true
    }

    /// Puts the delivery among the dead letters, and tells its body; `None`: the receipt is not current.
    pub fn put_aside_now(&self, receipt: &Receipt, reason: &str) -> Option<String> {
        let mut inner = self.inner();
        let message = inner.position(receipt).and_then(|at| inner.messages.remove(at))?;
        let body = message.body.clone();
        inner.dead.push((message.body, reason.to_owned()));
        Some(body)
    }

    /// How many messages are neither acknowledged nor dead.
    pub fn len(&self) -> usize {
        self.inner().messages.len()
    }

    /// Whether every message was acknowledged or is dead.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of the message that was added last, from 1; 0 before the first.
    pub fn last_number(&self) -> u64 {
        self.inner().next
    }

    /// Lets the next `send` fail for the messages of this body, once.
    pub fn refuse_once(&self, body: &str) {
        self.inner().fail_bodies.push(body.to_owned());
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, inner: &mut Inner, job: OutgoingJob) {
        let now = Instant::now();
        if self.replacing {
            let waiting = |m: &Message| m.subject == job.subject && !m.is_held(now);
            inner.messages.retain(|message| !waiting(message));
        }
        inner.next += 1;
        let number = inner.next;
        let OutgoingJob { subject, body } = job;
        let message = Message { number, subject, body, receive_count: 0, visible_at: now };
        inner.messages.push_back(message);
    }

    fn take(&self, max: usize, visibility: Duration) -> Result<Vec<Delivery>, Option<Instant>> {
        let now = Instant::now();
        let mut inner = self.inner();
        inner.mix();
        if let Some(most) = self.redrive {
            inner.redrive(most, now);
        }
        let visible = inner.messages.iter_mut().filter(|message| message.visible_at <= now);
        let deliveries: Vec<_> = visible
            .take(max)
            .map(|message| {
                message.receive_count += 1;
                message.visible_at = now + visibility;
                Delivery {
                    receipt: message.receipt(),
                    body: message.body.clone(),
                    receive_count: message.receive_count,
                    message_id: None,
                    sent: None,
                }
            })
            .collect();
        if deliveries.is_empty() {
            return Err(inner.messages.iter().map(|message| message.visible_at).min());
        }
        Ok(deliveries)
    }
}

impl Inner {
    /// Puts the messages in another order, where any will do.
    fn mix(&mut self) {
        let Some(state) = &mut self.shuffled else { return };
        for index in (1..self.messages.len()).rev() {
            // Steele and others, "Fast Splittable Pseudorandom Number Generators" (2014): SplitMix64's increment and mix.
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let other = usize::try_from((word >> 33) % (index as u64 + 1)).unwrap_or(0);
            self.messages.swap(index, other);
        }
    }

    /// Puts aside what is visible and was received `most` times.
    fn redrive(&mut self, most: u32, now: Instant) {
        let spent = |m: &Message| m.receive_count >= most && !m.is_held(now);
        let (spent, rest): (VecDeque<_>, VecDeque<_>) = self.messages.drain(..).partition(spent);
        self.messages = rest;
        let told = |m: Message| (m.body, format!("received {} times", m.receive_count));
        self.dead.extend(spent.into_iter().map(told));
    }

    fn position(&self, receipt: &Receipt) -> Option<usize> {
        let now = Instant::now();
        self.messages.iter().position(|message| message.receipt() == *receipt && message.is_held(now))
    }
}

#[async_trait]
impl JobQueue for FakeQueue {
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
        tokio::task::yield_now().await;
        let mut report = SendReport::default();
        {
            let mut inner = self.inner();
            for (index, job) in jobs.into_iter().enumerate() {
                if let Some(at) = inner.fail_bodies.iter().position(|body| *body == job.body) {
                    inner.fail_bodies.remove(at);
                    report.failed.push((index, "InternalError: refused by the test".to_owned()));
                } else {
                    self.add(&mut inner, job);
                }
            }
        }
        self.changed.notify_waiters();
        Ok(report)
    }

    async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Result<Vec<Delivery>, BackendError> {
        tokio::task::yield_now().await;
        let end = Instant::now() + wait;
        loop {
            // Listen before looking, so that nothing sent between the two is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            let wake = match self.take(max, visibility) {
                Ok(deliveries) => return Ok(deliveries),
                Err(next) => next.map_or(end, |next| next.min(end)),
            };
            if Instant::now() >= end {
                return Ok(Vec::new());
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = sleep_until(wake) => {}
            }
        }
    }

    async fn change_visibility(
        &self,
        receipts: &[Receipt],
        visibility: Duration,
    ) -> Result<Vec<Receipt>, BackendError> {
        tokio::task::yield_now().await;
        let now = Instant::now();
        let mut stale = Vec::new();
        {
            let mut inner = self.inner();
            for receipt in receipts {
                match inner.position(receipt) {
                    Some(at) => inner.messages[at].visible_at = now + visibility,
                    None => stale.push(receipt.clone()),
                }
            }
        }
        self.changed.notify_waiters();
        Ok(stale)
    }

    async fn acknowledge(&self, receipt: &Receipt) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        self.acknowledge_now(receipt);
        Ok(())
    }

    async fn dead_letter(&self, receipt: &Receipt, reason: &str) -> Result<(), BackendError> {
        tokio::task::yield_now().await;
        self.put_aside_now(receipt, reason);
        Ok(())
    }

    async fn depth(&self) -> Result<QueueDepth, BackendError> {
        tokio::task::yield_now().await;
        let now = Instant::now();
        let inner = self.inner();
        let mut depth = QueueDepth { dead: inner.dead.len() as u64, ..QueueDepth::default() };
        for message in &inner.messages {
            if message.visible_at <= now {
                depth.visible += 1;
            } else {
                depth.in_flight += 1;
            }
        }
        Ok(depth)
    }
}
