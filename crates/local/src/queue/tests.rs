//! The queue's promises, on a clock set by hand.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::port::{Delivery, JobQueue as _, OutgoingJob, QueueDepth, Receipt};

use super::SqliteQueue;
use crate::clock::SystemClock;
use crate::database::Database;
use crate::testing::{Bench, ROUTE};

const NONE: Duration = Duration::ZERO;
const HOLD: Duration = Duration::from_secs(30);

async fn send(queue: &SqliteQueue, jobs: &[(&str, &str)]) {
    let jobs =
        jobs.iter().map(|(subject, body)| OutgoingJob { subject: (*subject).into(), body: (*body).into() });
    assert_eq!(queue.send(jobs.collect()).await.unwrap().failed, []);
}

async fn receive(queue: &SqliteQueue) -> Vec<Delivery> {
    queue.receive(10, NONE, HOLD).await.unwrap()
}

async fn one(queue: &SqliteQueue) -> Delivery {
    let mut all = receive(queue).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn seen(deliveries: &[Delivery]) -> Vec<(&str, u32)> {
    deliveries.iter().map(|d| (d.body.as_str(), d.receive_count)).collect()
}

fn depth(visible: u64, in_flight: u64, dead: u64) -> QueueDepth {
    QueueDepth { visible, in_flight, delayed: 0, dead }
}

#[tokio::test]
async fn messages_come_as_sent_hide_while_held_and_come_back() {
    let bench = Bench::new();
    let queue = bench.open().queue();
    send(&queue, &[("c", "1"), ("a", "2"), ("b", "3")]).await;
    assert_eq!(queue.depth().await.unwrap(), depth(3, 0, 0));
    let first = queue.receive(2, NONE, HOLD).await.unwrap();
    assert_eq!(seen(&first), [("1", 1), ("2", 1)]);
    assert_eq!(queue.depth().await.unwrap(), depth(1, 2, 0));
    bench.clock.advance(HOLD);
    // Those that come back go first.
    assert_eq!(seen(&receive(&queue).await), [("1", 2), ("2", 2), ("3", 1)]);
    assert_eq!(seen(&receive(&queue).await), []);
    assert_eq!(queue.receive(0, NONE, HOLD).await.unwrap(), []);
}

#[tokio::test]
async fn a_receipt_is_good_until_its_visibility_ends() {
    let bench = Bench::new();
    let queue = bench.open().queue();
    send(&queue, &[("a", "1")]).await;
    let old = one(&queue).await.receipt;
    bench.clock.advance(HOLD - Duration::from_millis(1));
    assert_eq!(queue.change_visibility(std::slice::from_ref(&old), HOLD).await.unwrap(), []);
    bench.clock.advance(HOLD - Duration::from_millis(1));
    assert_eq!(seen(&receive(&queue).await), []);
    bench.clock.advance(Duration::from_millis(1));
    let new = one(&queue).await;
    assert_eq!(new.receive_count, 2);

    queue.acknowledge(&old).await.unwrap();
    queue.dead_letter(&old, "stale").await.unwrap();
    let foreign = Receipt("no receipt".into());
    queue.acknowledge(&foreign).await.unwrap();
    let stale = queue.change_visibility(&[old.clone(), foreign.clone()], NONE).await.unwrap();
    assert_eq!(stale, [old, foreign]);
    assert_eq!(queue.depth().await.unwrap(), depth(0, 1, 0));
    queue.acknowledge(&new.receipt).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), depth(0, 0, 0));
}

#[tokio::test]
async fn a_message_handed_back_is_visible_at_once_or_after_its_delay() {
    let bench = Bench::new();
    let queue = bench.open().queue();
    send(&queue, &[("a", "1")]).await;
    let first = one(&queue).await.receipt;
    queue.change_visibility(&[first], NONE).await.unwrap();
    let second = one(&queue).await.receipt;
    queue.change_visibility(&[second], Duration::from_millis(200)).await.unwrap();
    bench.clock.advance(Duration::from_millis(199));
    assert_eq!(seen(&receive(&queue).await), []);
    bench.clock.advance(Duration::from_millis(1));
    assert_eq!(seen(&receive(&queue).await), [("1", 3)]);
}

#[tokio::test]
async fn a_waiting_message_is_replaced_by_a_newer_one() {
    let bench = Bench::new();
    let queue = bench.open().queue();
    send(&queue, &[("a", "1"), ("b", "x")]).await;
    send(&queue, &[("a", "1")]).await;
    let held = queue.receive(1, NONE, HOLD).await.unwrap().remove(0);
    bench.clock.advance(HOLD);
    // The same body keeps its count, another one starts anew, and the old receipt does not reach it.
    send(&queue, &[("a", "1")]).await;
    assert_eq!(seen(&queue.receive(1, NONE, HOLD).await.unwrap()), [("1", 2)]);
    bench.clock.advance(HOLD);
    send(&queue, &[("a", "2")]).await;
    queue.acknowledge(&held.receipt).await.unwrap();
    assert_eq!(seen(&receive(&queue).await), [("2", 1), ("x", 1)]);
    assert_eq!(queue.depth().await.unwrap(), depth(0, 2, 0));
}

#[tokio::test]
async fn a_newer_message_waits_for_the_one_in_flight() {
    let bench = Bench::new();
    let queue = bench.open().queue();
    // Acknowledged: the successor comes.
    send(&queue, &[("a", "1")]).await;
    let held = one(&queue).await;
    send(&queue, &[("a", "2")]).await;
    send(&queue, &[("a", "3")]).await;
    assert_eq!(seen(&receive(&queue).await), []);
    queue.acknowledge(&held.receipt).await.unwrap();
    let held = one(&queue).await;
    assert_eq!((held.body.as_str(), held.receive_count), ("3", 1));
    // Comes back: the successor comes in its place.
    send(&queue, &[("a", "4")]).await;
    bench.clock.advance(HOLD);
    let late = held;
    let held = one(&queue).await;
    assert_eq!((held.body.as_str(), held.receive_count), ("4", 1));
    queue.acknowledge(&late.receipt).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), depth(0, 1, 0));
    // The newest is what is in flight: nothing follows.
    send(&queue, &[("a", "5")]).await;
    send(&queue, &[("a", "4")]).await;
    queue.acknowledge(&held.receipt).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), depth(0, 0, 0));
    // Put aside: the successor comes, and no dead letter stays.
    send(&queue, &[("a", "6")]).await;
    let held = one(&queue).await;
    send(&queue, &[("a", "7")]).await;
    queue.dead_letter(&held.receipt, "broken").await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), depth(1, 0, 0));
    assert_eq!(one(&queue).await.body, "7");
}

#[tokio::test]
async fn a_successor_that_waits_is_replaced_too() {
    let bench = Bench::new();
    let queue = bench.open().queue();
    send(&queue, &[("a", "1")]).await;
    one(&queue).await;
    send(&queue, &[("a", "2")]).await;
    bench.clock.advance(HOLD);
    send(&queue, &[("a", "1")]).await;
    let held = one(&queue).await;
    assert_eq!((held.body.as_str(), held.receive_count), ("1", 1));
    queue.acknowledge(&held.receipt).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), depth(0, 0, 0));
}

#[tokio::test]
async fn dead_letters_keep_their_reason_until_the_object_is_sent_again() {
    let bench = Bench::new();
    let database = bench.open();
    let queue = database.queue();
    send(&queue, &[("a\0\u{1}", "1"), ("b", "2")]).await;
    for delivery in receive(&queue).await {
        queue.dead_letter(&delivery.receipt, &format!("bad {}", delivery.body)).await.unwrap();
        queue.dead_letter(&delivery.receipt, "twice").await.unwrap();
    }
    assert_eq!(queue.depth().await.unwrap(), depth(0, 0, 2));
    drop((queue, database));

    let queue = bench.open().queue();
    assert_eq!(queue.depth().await.unwrap(), depth(0, 0, 2));
    let dead = queue.dead_letters(None, 1).await.unwrap();
    assert_eq!((dead[0].subject.as_str(), dead[0].reason.as_str()), ("a\0\u{1}", "bad 1"));
    assert_eq!((dead[0].body.as_str(), dead[0].receive_count), ("1", 1));
    assert_eq!(queue.dead_letters(Some(&dead[0].subject), 9).await.unwrap()[0].body, "2");
    send(&queue, &[("b", "3")]).await;
    assert_eq!(queue.depth().await.unwrap(), depth(1, 0, 1));
}

#[tokio::test]
async fn all_leases_and_delays_are_void_after_reopening() {
    let bench = Bench::new();
    let queue = bench.open().queue();
    send(&queue, &[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]).await;
    let held = queue.receive(3, NONE, HOLD).await.unwrap();
    queue.change_visibility(&[held[1].receipt.clone()], Duration::from_secs(9999)).await.unwrap();
    send(&queue, &[("c", "5")]).await;
    drop(queue);

    let queue = bench.open().queue();
    assert_eq!(queue.depth().await.unwrap(), depth(4, 0, 0));
    queue.acknowledge(&held[0].receipt).await.unwrap();
    assert_eq!(seen(&receive(&queue).await), [("1", 2), ("2", 2), ("5", 1), ("4", 1)]);
    queue.acknowledge(&held[0].receipt).await.unwrap();
    assert_eq!(queue.depth().await.unwrap(), depth(0, 4, 0));
}

fn real(bench: &Bench) -> SqliteQueue {
    Database::open(&bench.file(), ROUTE, Arc::new(SystemClock::new())).unwrap().queue()
}

#[tokio::test]
async fn a_waiting_receive_wakes_for_a_message_and_for_the_end_of_a_delay() {
    let bench = Bench::new();
    let queue = real(&bench);
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.receive(1, Duration::from_secs(60), HOLD).await.unwrap() }
    });
    let_others_wait(&queue).await;
    send(&queue, &[("a", "1")]).await;
    let held = waiting.await.unwrap().remove(0);

    let delay = Duration::from_millis(30);
    let began = std::time::Instant::now();
    queue.change_visibility(&[held.receipt], delay).await.unwrap();
    let again = queue.receive(1, Duration::from_secs(60), HOLD).await.unwrap().remove(0);
    assert!(began.elapsed() >= delay && began.elapsed() < Duration::from_secs(30));

    // A waiter that counts with thirty seconds is told when it is less.
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.receive(1, Duration::from_secs(60), HOLD).await.unwrap() }
    });
    let_others_wait(&queue).await;
    queue.change_visibility(&[again.receipt], NONE).await.unwrap();
    assert_eq!(waiting.await.unwrap()[0].receive_count, 3);
}

/// Lets a spawned receiver look once and begin to wait: its look is queued before this one's answer.
async fn let_others_wait(queue: &SqliteQueue) {
    for _ in 0..3 {
        tokio::task::yield_now().await;
        queue.depth().await.unwrap();
    }
}

#[tokio::test]
async fn an_empty_queue_answers_when_the_wait_is_over() {
    let bench = Bench::new();
    let queue = real(&bench);
    let began = std::time::Instant::now();
    let wait = Duration::from_millis(20);
    assert_eq!(queue.receive(1, wait, HOLD).await.unwrap(), []);
    assert!(began.elapsed() >= wait);
    assert_eq!(queue.receive(1, NONE, HOLD).await.unwrap(), []);
}

#[tokio::test]
async fn what_a_cancelled_receive_took_goes_back_uncounted() {
    let bench = Bench::new();
    let database = bench.open();
    let queue = database.queue();
    send(&queue, &[("a", "1")]).await;
    for answered_first in [false, true] {
        // The thread is kept busy until the receive has been asked for.
        let (go_on, wait) = std::sync::mpsc::channel::<()>();
        let mut busy = Box::pin(database.write(move |_| {
            wait.recv().unwrap();
            Ok(())
        }));
        let mut asking = Box::pin(queue.receive(1, NONE, HOLD));
        assert!(futures_util::poll!(busy.as_mut()).is_pending());
        assert!(futures_util::poll!(asking.as_mut()).is_pending());
        if answered_first {
            // The answer lies ready, and is never looked at.
            go_on.send(()).unwrap();
            busy.await.unwrap();
            assert_eq!(queue.depth().await.unwrap(), depth(0, 1, 0));
            drop(asking);
        } else {
            drop(asking);
            go_on.send(()).unwrap();
            busy.await.unwrap();
        }
        // Two, as what goes back is asked for only when the first is answered, together with the receive.
        queue.depth().await.unwrap();
        assert_eq!(queue.depth().await.unwrap(), depth(1, 0, 0));
    }
    assert_eq!(one(&queue).await.receive_count, 1);
}
