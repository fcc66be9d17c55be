//! Permits on paused time.

use super::*;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

fn permits(start: usize, memory: u64) -> Permits {
    Permits::new(PermitOptions {
        start_requests: start,
        min_requests: 1,
        memory_bytes: memory,
        ..Default::default()
    })
}
fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[tokio::test(start_paused = true)]
async fn slots_go_out_in_the_order_of_asking() {
    let permits = permits(1, 0);
    let first = permits.slot().await;
    let (mut second, mut third) = (pin!(permits.slot()), pin!(permits.slot()));
    assert!(poll(second.as_mut()).is_none() && poll(third.as_mut()).is_none());
    drop(first);
    assert!(poll(third.as_mut()).is_none(), "the third does not overtake the second");
    let second = poll(second.as_mut()).unwrap();
    assert_eq!(permits.snapshot().in_use, 1);
    drop(second);
    assert!(poll(third.as_mut()).is_some());
    assert_eq!(permits.snapshot().in_use, 0);
}

#[tokio::test(start_paused = true)]
async fn a_cut_takes_back_what_comes_back() {
    let permits = permits(10, 0);
    let mut held = Vec::new();
    for _ in 0..10 {
        held.push(permits.slot().await);
    }
    permits.throttled();
    permits.throttled();
    assert_eq!((permits.snapshot().limit, permits.snapshot().in_use), (7, 10));
    held.truncate(7);
    assert!(poll(pin!(permits.slot())).is_none(), "the three that came back are gone");
    held.truncate(6);
    assert!(poll(pin!(permits.slot())).is_some());
    tokio::time::advance(Duration::from_secs(1)).await;
    held.clear();
    permits.throttled();
    assert_eq!(permits.snapshot().limit, 4);
    for _ in 0..4 {
        held.push(permits.slot().await);
    }
    assert!(poll(pin!(permits.slot())).is_none());
}

#[tokio::test(start_paused = true)]
async fn grows_while_somebody_waits_and_it_pays() {
    let permits = permits(8, 0);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let permits = permits.clone();
        tasks.spawn(async move {
            for _ in 0..50 {
                let _slot = permits.slot().await;
                let began = Instant::now();
                tokio::time::sleep(Duration::from_millis(100)).await;
                permits.completed(1 << 20, began.elapsed());
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    let end = permits.snapshot();
    assert!(end.limit > 30, "{end:?}");
    assert_eq!(end.in_use, 0);
    // As many as the limit says, however often it has changed.
    let mut held = Vec::new();
    while let Some(slot) = poll(pin!(permits.slot())) {
        held.push(slot);
    }
    assert_eq!(held.len(), end.limit);
}

#[tokio::test(start_paused = true)]
async fn nobody_waiting_changes_nothing() {
    let permits = permits(8, 0);
    for _ in 0..1000 {
        let _slot = permits.slot().await;
        tokio::time::advance(Duration::from_millis(10)).await;
        permits.completed(1 << 20, Duration::from_millis(10));
    }
    assert_eq!(permits.snapshot().limit, 8);
}

#[tokio::test(start_paused = true)]
async fn memory_is_counted_and_comes_back() {
    let permits = permits(1, 10 * UNIT);
    let small = permits.memory(1).await;
    assert_eq!(permits.snapshot().memory_used, UNIT);
    let none = permits.memory(0).await;
    assert_eq!(permits.snapshot().memory_used, UNIT);
    // More than there is: all of it, once it is free.
    let mut huge = pin!(permits.memory(1 << 40));
    assert!(poll(huge.as_mut()).is_none());
    assert!(poll(pin!(permits.memory(1))).is_none(), "later ones do not overtake the huge one");
    drop((small, none));
    let huge = poll(huge.as_mut()).unwrap();
    assert_eq!(permits.snapshot().memory_used, 10 * UNIT);
    drop(huge);
    assert_eq!(permits.snapshot().memory_used, 0);
    assert_eq!(permits.snapshot().memory_total, 10 * UNIT);
}

#[tokio::test(start_paused = true)]
async fn who_exchanges_holds_nothing_while_waiting() {
    let permits = permits(1, 4 * UNIT);
    let mut a = permits.memory(2 * UNIT).await;
    let mut b = permits.memory(2 * UNIT).await;
    // Each wants all: one after the other gets it.
    let mut first = pin!(a.exchange(4 * UNIT));
    assert!(poll(first.as_mut()).is_none());
    let mut second = pin!(b.exchange(4 * UNIT));
    assert!(poll(second.as_mut()).is_none());
    assert!(poll(first.as_mut()).is_some());
}
