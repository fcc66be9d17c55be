//! The meeting place without a thread: each test takes the turns itself.

use super::*;
use crate::digest::Wanted;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

#[derive(Default)]
struct Woken(AtomicUsize);
impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn enter(hub: &Hub) -> usize {
    hub.enter(Box::new(Running::new(Wanted::default())))
}
fn zeros(length: usize) -> Bytes {
    vec![0; length].into()
}
/// Does once what the thread does, if it were woken.
fn turn(hub: &Hub) {
    let mut jobs = Vec::new();
    let kernel = Kernel::best();
    let (useful, spare) = hub.take(&mut jobs, kernel).unwrap();
    lanes::run(kernel, &mut jobs, useful, spare);
    hub.give_back(&mut jobs);
}

#[test]
fn a_trickle_wakes_nobody() {
    let hub = Hub::new(24 << 20);
    let parts: Vec<_> = (0..8).map(|_| enter(&hub)).collect();
    let due = || hub.lock().due(hub.limit, hub.lanes);
    for _ in 0..16 {
        parts.iter().for_each(|part| hub.push(*part, zeros(8 << 10)));
        assert!(!due());
    }
    parts.iter().for_each(|part| hub.push(*part, zeros(8 << 10)));
    assert!(due(), "more than 128 KiB a part are worth it");
    turn(&hub);
    assert!(!due());
}

#[test]
fn who_waits_is_given_a_little_time_for_company() {
    let hub = Hub::new(24 << 20);
    let parts: Vec<_> = (0..FEW + 2).map(|_| enter(&hub)).collect();
    let due = || hub.lock().due(hub.limit, hub.lanes);
    hub.push(parts[0], zeros(LOADED));
    let Finish::There(_) = hub.finish(parts[0]) else { panic!("more than a little") };
    assert!(!due(), "others may come");
    hub.lock().waiting = Instant::now().checked_sub(PATIENCE);
    assert!(due(), "nobody came");
    let alone = Hub::new(24 << 20);
    let part = enter(&alone);
    alone.push(part, zeros(LOADED));
    let Finish::There(_) = alone.finish(part) else { panic!("more than a little") };
    assert!(alone.lock().due(alone.limit, alone.lanes), "nobody can come");
}

#[test]
fn little_is_finished_by_who_asks() {
    let hub = Hub::new(1 << 20);
    let (small, large) = (enter(&hub), enter(&hub));
    hub.push(small, zeros(FINISH_HERE));
    hub.push(large, zeros(FINISH_HERE + 1));
    assert!(matches!(hub.finish(small), Finish::Here(_)));
    let Finish::There(mut digest) = hub.finish(large) else { panic!("more than a little") };
    turn(&hub);
    assert_eq!(digest.try_recv().unwrap().length, FINISH_HERE as u64 + 1);
    assert_eq!((hub.active(), hub.pending()), (0, 0));
}

#[test]
fn the_fast_leave_room_for_the_slow() {
    let hub = Hub::new(1 << 20);
    let (fast, slow) = (enter(&hub), enter(&hub));
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut room = |part| hub.poll_room(part, &mut context).is_ready();
    while room(fast) {
        hub.push(fast, zeros(64 << 10));
    }
    assert_eq!(hub.pending(), 512 << 10, "half of the room");
    assert!(room(slow));
    turn(&hub);
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "the fast one goes on");
}

#[test]
fn who_waits_for_a_dead_thread_hears_of_it() {
    let hub = Hub::new(1000);
    let parts = [enter(&hub), enter(&hub), enter(&hub)];
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    parts.iter().for_each(|part| hub.push(*part, zeros(100_000)));
    assert!(hub.poll_room(parts[0], &mut Context::from_waker(&waker)).is_pending());
    let Finish::There(mut digest) = hub.finish(parts[1]) else { panic!("more than a little") };
    let panicked = thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let _guard = Guard(&hub);
            let mut jobs = Vec::new();
            hub.take(&mut jobs, Kernel::best());
            panic!("part of the test");
        });
        thread.join()
    });
    assert!(panicked.is_err());
    assert_eq!(woken.0.load(Ordering::SeqCst), 1);
    assert!(hub.poll_room(parts[0], &mut Context::from_waker(&waker)).is_ready());
    assert!(digest.try_recv().is_err(), "lost");
    let Finish::There(mut digest) = hub.finish(parts[0]) else { panic!("its bytes are gone") };
    assert!(digest.try_recv().is_err(), "lost");
}
