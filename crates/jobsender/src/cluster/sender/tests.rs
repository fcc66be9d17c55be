//! Every job is sent or named, whatever the queue answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::failure::BackendError;
use longbow_core::port::{Delivery, QueueDepth, Receipt, SendReport};
use longbow_testkit::fake::FakeQueue;
use proptest::prelude::*;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::cluster::NoRecord;

/// Refuses each body as often as it is told, and calls as they are told.
#[derive(Default)]
struct Moody {
    refuse: Mutex<BTreeMap<String, u32>>,
    fail: Mutex<Vec<Option<BackendError>>>,
    batches: Mutex<Vec<Vec<String>>>,
    taken: Mutex<Vec<String>>,
    now: AtomicUsize,
    most: AtomicUsize,
    slow: Duration,
}

#[async_trait]
impl JobQueue for Moody {
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(self.slow).await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.batches.lock().unwrap().push(jobs.iter().map(|j| j.body.clone()).collect());
        if let Some(Some(error)) = self.fail.lock().unwrap().pop() {
            return Err(error);
        }
        let mut report = SendReport::default();
        for (index, job) in jobs.into_iter().enumerate() {
            match self.refuse.lock().unwrap().get_mut(&job.body) {
                Some(left) if *left > 0 => {
                    *left -= 1;
                    report.failed.push((index, "ServiceUnavailable".into()));
                }
                _ => self.taken.lock().unwrap().push(job.body),
            }
        }
        Ok(report)
    }
    async fn receive(&self, _: usize, _: Duration, _: Duration) -> Result<Vec<Delivery>, BackendError> {
        Ok(Vec::new())
    }
    async fn change_visibility(&self, _: &[Receipt], _: Duration) -> Result<Vec<Receipt>, BackendError> {
        Ok(Vec::new())
    }
    async fn acknowledge(&self, _: &Receipt) -> Result<(), BackendError> {
        Ok(())
    }
    async fn dead_letter(&self, _: &Receipt, _: &str) -> Result<(), BackendError> {
        Ok(())
    }
    async fn depth(&self) -> Result<QueueDepth, BackendError> {
        Ok(QueueDepth::default())
    }
}

fn job(name: impl std::fmt::Display) -> OutgoingJob {
    OutgoingJob { subject: ObjectKey::from(name.to_string()), body: format!("job {name}") }
}

fn sender(queue: &Arc<Moody>, options: SendOptions) -> Sender {
    let leave = Leave::until(CancellationToken::new());
    Sender::new(queue.clone(), options, leave, Arc::new(NoRecord))
}

async fn send_all(
    sender: &mut Sender,
    jobs: impl IntoIterator<Item = OutgoingJob>,
) -> Result<(), JobsenderError> {
    for job in jobs {
        sender.push(job).await?;
    }
    sender.flush().await?;
    sender.settle().await
}

fn three() -> SendOptions {
    SendOptions { tries: 3, at_once: 1, ..SendOptions::default() }
}

/// LB-26: ten entries a call.
#[tokio::test(start_paused = true)]
async fn lb_26_twenty_five_jobs_are_three_calls() {
    let queue = Arc::new(Moody::default());
    let mut sender = sender(&queue, three());
    send_all(&mut sender, (0..25).map(job)).await.unwrap();
    assert_eq!(queue.batches.lock().unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [10, 10, 5]);
    assert_eq!(sender.counts(), &SendCounts { sent: 25, ..SendCounts::default() });
}

/// LBB-23: `Failed` of SendMessageBatch was not read, so jobs were missing until the next comparison.
#[tokio::test(start_paused = true)]
async fn lbb_23_failed_entries_are_sent_again_and_only_those_and_what_stays_refused_is_counted() {
    let queue = Arc::new(Moody::default());
    queue.refuse.lock().unwrap().extend([("job 3".to_owned(), 2), ("job 7".to_owned(), 9)]);
    let mut sender = sender(&queue, three());
    send_all(&mut sender, (0..12).map(job)).await.unwrap();
    let mut batches = queue.batches.lock().unwrap().clone();
    batches.sort_by_key(|b| std::cmp::Reverse(b.len()));
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [10, 2, 2, 2], "{batches:?}");
    let counts = sender.counts();
    assert_eq!((counts.sent, counts.unsent, counts.again), (11, 1, 4));
    let unsent = UnsentJob { subject: "7".into(), reason: "ServiceUnavailable".into() };
    assert_eq!(counts.named, [unsent]);
    assert!(sender.left_behind());
    assert_eq!(queue.taken.lock().unwrap().len(), 11);
}

/// LBB-65, as far as it is about sending: the successor in Go ignored `Failed` as well.
#[tokio::test(start_paused = true)]
async fn lbb_65_a_batch_that_is_refused_whole_is_sent_again_whole() {
    let queue = Arc::new(Moody::default());
    queue.refuse.lock().unwrap().extend((0..10).map(|n| (format!("job {n}"), 1)));
    let mut sender = sender(&queue, three());
    send_all(&mut sender, (0..10).map(job)).await.unwrap();
    assert_eq!(sender.counts(), &SendCounts { sent: 10, again: 10, ..SendCounts::default() });
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_for_a_while_is_made_again_and_one_that_fails_for_good_ends_the_run() {
    for (errors, transient, sent, unsent) in [(2, true, 10, 0), (3, true, 0, 10), (1, false, 0, 10)] {
        let queue = Arc::new(Moody::default());
        let error = || match transient {
            true => BackendError::transient("no queue"),
            false => BackendError::fatal("no queue"),
        };
        queue.fail.lock().unwrap().extend((0..errors).map(|_| Some(error())));
        let mut sender = sender(&queue, three());
        let end = send_all(&mut sender, (0..10).map(job)).await;
        assert_eq!(end.is_ok(), unsent == 0, "{end:?}");
        assert_eq!((sender.counts().sent, sender.counts().unsent), (sent, unsent));
        assert_eq!(sender.counts().missing(), unsent);
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_no_call_can_carry_is_named_and_holds_up_nothing() {
    let queue = Arc::new(Moody::default());
    let mut sender = sender(&queue, three());
    let large = OutgoingJob { subject: "large".into(), body: "x".repeat(300_000) };
    send_all(&mut sender, [job(1), large, job(2)]).await.unwrap();
    let counts = sender.counts();
    assert_eq!((counts.sent, counts.too_large, counts.missing()), (2, 1, 1));
    assert_eq!(counts.named[0].subject.as_str(), "large");
    assert!(counts.named[0].reason.contains("300000 bytes"), "{:?}", counts.named);
    // Another run could not send it either: it keeps no checkpoint back.
    assert!(!sender.left_behind());
}

#[tokio::test(start_paused = true)]
async fn calls_run_side_by_side_within_their_bound() {
    let queue = Arc::new(Moody { slow: Duration::from_secs(1), ..Moody::default() });
    let mut sender = sender(&queue, SendOptions { at_once: 4, ..SendOptions::default() });
    let began = tokio::time::Instant::now();
    send_all(&mut sender, (0..160).map(job)).await.unwrap();
    assert_eq!(began.elapsed(), Duration::from_secs(4));
    assert_eq!((queue.most.load(Ordering::SeqCst), sender.counts().sent), (4, 160));
}

#[tokio::test(start_paused = true)]
async fn a_stop_drops_what_is_not_sent_and_counts_it() {
    let queue = Arc::new(Moody::default());
    queue.refuse.lock().unwrap().insert("job 1".into(), 1);
    let stop = CancellationToken::new();
    let mut sender = Sender::new(queue.clone(), three(), Leave::until(stop.clone()), Arc::new(NoRecord));
    for n in 0..10 {
        sender.push(job(n)).await.unwrap();
    }
    // The first call has refused one entry, and its repetition waits.
    while queue.taken.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    send_all(&mut sender, (10..25).map(job)).await.unwrap();
    let counts = sender.counts();
    assert_eq!((counts.sent, counts.dropped), (9, 16));
    assert!(sender.left_behind());
}

/// A queue that answers nothing useful must not make the counts wrong.
/// The list cannot be written, or the queue fails for good, while more batches wait: each job is counted once all the same.
#[tokio::test(start_paused = true)]
async fn jobs_are_counted_when_a_run_ends_by_an_error() {
    struct Full;
    impl RunRecord for Full {
        fn sent(&self, _: &OutgoingJob) -> Result<(), BackendError> {
            Err(BackendError::fatal("no room for the list"))
        }
        fn unsent(&self, _: &ObjectKey, _: &str) -> Result<(), BackendError> {
            Err(BackendError::fatal("no room for the list"))
        }
    }
    for fatal in [false, true] {
        let queue = Arc::new(Moody { slow: Duration::from_millis(5), ..Moody::default() });
        for n in 0..7 {
            queue.refuse.lock().unwrap().insert(n.to_string(), 99);
        }
        if fatal {
            *queue.fail.lock().unwrap() = (0..3).map(|_| Some(BackendError::fatal("gone"))).collect();
        }
        let options = SendOptions { at_once: 2, ..three() };
        let leave = Leave::until(CancellationToken::new());
        let mut sender = Sender::new(queue.clone(), options, leave, Arc::new(Full));
        let mut pushed = 0;
        let mut end = Ok(());
        for n in 0..100 {
            pushed += 1;
            end = sender.push(job(n)).await;
            if end.is_err() {
                break;
            }
        }
        assert!(end.is_err());
        sender.abandon().await;
        let counts = sender.counts();
        assert_eq!(counts.sent + counts.missing(), pushed, "{fatal}: {counts:?}");
        assert_eq!(counts.sent, queue.taken.lock().unwrap().len() as u64);
        assert!(sender.left_behind());
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_dies_is_counted_and_an_error() {
    struct Dies(FakeQueue);
    #[async_trait]
    impl JobQueue for Dies {
        async fn send(&self, _: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
            panic!("as the test wants it")
        }
        async fn receive(&self, a: usize, b: Duration, c: Duration) -> Result<Vec<Delivery>, BackendError> {
            self.0.receive(a, b, c).await
        }
        async fn change_visibility(&self, r: &[Receipt], v: Duration) -> Result<Vec<Receipt>, BackendError> {
            self.0.change_visibility(r, v).await
        }
        async fn acknowledge(&self, r: &Receipt) -> Result<(), BackendError> {
            self.0.acknowledge(r).await
        }
        async fn dead_letter(&self, r: &Receipt, why: &str) -> Result<(), BackendError> {
            self.0.dead_letter(r, why).await
        }
        async fn depth(&self) -> Result<QueueDepth, BackendError> {
            self.0.depth().await
        }
    }
    let leave = Leave::until(CancellationToken::new());
    let mut sender = Sender::new(Arc::new(Dies(FakeQueue::new())), three(), leave, Arc::new(NoRecord));
    let end = send_all(&mut sender, (0..7).map(job)).await;
    assert!(matches!(end, Err(JobsenderError::Unsent { count: 7, .. })), "{end:?}");
    assert_eq!((sender.counts().dropped, sender.has_arrived(Some(0))), (7, true));
}

proptest! {
    #[test]
    fn every_job_is_sent_once_or_counted_as_missing(
        jobs in 0usize..80,
        refusals in prop::collection::btree_map(0usize..80, 1u32..6, 0..30),
        at_once in 1usize..5,
        entries in 1usize..12,
    ) {
        let queue = Arc::new(Moody::default());
        queue.refuse.lock().unwrap().extend(refusals.iter().map(|(n, times)| (format!("job {n}"), *times)));
        let limits = BatchLimits { entries, ..BatchLimits::default() };
        let mut sender = sender(&queue, SendOptions { tries: 3, at_once, limits });
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(send_all(&mut sender, (0..jobs).map(job))).unwrap();
        let taken = queue.taken.lock().unwrap().clone();
        let all: BTreeSet<String> = taken.iter().cloned().collect();
        prop_assert_eq!(taken.len(), all.len());
        let lost = refusals.iter().filter(|(n, times)| **n < jobs && **times >= 3).count();
        prop_assert_eq!(sender.counts().sent, (jobs - lost) as u64);
        prop_assert_eq!(sender.counts().unsent, lost as u64);
        prop_assert_eq!(taken.len(), jobs - lost);
    }
}
