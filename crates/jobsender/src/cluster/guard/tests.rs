//! The look at the queue: what waits, what is a trial message, and what the look leaves behind.

use longbow_core::port::OutgoingJob;
use longbow_testkit::fake::FakeQueue;
use longbow_testkit::fault::{Fault, Faults, FaultyQueue, Rule};

use super::*;
use longbow_core::failure::StoreErrorKind;
use std::sync::Arc;

const TEST: &str = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#;
const HUB: &str = r#"{"key":"a","size":3}"#;

async fn asked(queue: &FakeQueue, when_busy: WhenBusy) -> Start {
    look(queue, when_busy, &CancellationToken::new()).await.unwrap()
}

fn of(bodies: &[&str]) -> FakeQueue {
    let queue = FakeQueue::new();
    bodies.iter().for_each(|body| queue.push("s", body));
    queue
}

#[tokio::test(start_paused = true)]
async fn an_idle_queue_is_free() {
    assert_eq!(asked(&of(&[]), WhenBusy::Refuse).await, Start::Go);
}

/// LB-22, with the trial message that Longbow took for granted really looked at.
#[tokio::test(start_paused = true)]
async fn lb_22_trial_messages_are_acknowledged_and_block_nothing() {
    let queue = of(&[TEST, TEST, TEST]);
    assert_eq!(asked(&queue, WhenBusy::Refuse).await, Start::Go);
    assert_eq!((queue.bodies().len(), queue.acknowledged().len()), (0, 3));
}

/// LBB-27: one waiting message passed for a trial message, so a real job was doubled.
#[tokio::test(start_paused = true)]
async fn lbb_27_one_real_job_refuses_and_is_back_at_once() {
    let queue = of(&[HUB]);
    assert!(matches!(asked(&queue, WhenBusy::Refuse).await, Start::Refuse(_)));
    let depth = queue.depth().await.unwrap();
    assert_eq!((depth.visible, depth.in_flight), (1, 0), "a worker can take it now");
}

/// LBB-27: what is taken counts too.
#[tokio::test(start_paused = true)]
async fn lbb_27_a_message_in_flight_refuses() {
    let queue = of(&[HUB]);
    queue.receive(1, Duration::ZERO, Duration::from_secs(60)).await.unwrap();
    assert!(matches!(asked(&queue, WhenBusy::Refuse).await, Start::Refuse(_)));
    assert_eq!(asked(&queue, WhenBusy::Append).await, Start::Go);
}

#[tokio::test(start_paused = true)]
async fn a_trial_message_beside_a_job_goes_and_the_job_stays() {
    let queue = of(&[TEST, HUB, TEST]);
    assert!(matches!(asked(&queue, WhenBusy::Refuse).await, Start::Refuse(_)));
    assert_eq!(queue.bodies(), [HUB, TEST], "what lies behind the first job need not be looked at");
    assert_eq!(queue.depth().await.unwrap().visible, 2);
}

/// A queue puts aside what was received too often: a run every few minutes must not use that up for jobs that wait.
#[tokio::test(start_paused = true)]
async fn a_look_costs_one_reception_of_one_job() {
    let queue = of(&[HUB; 10]);
    for _ in 0..3 {
        assert!(matches!(asked(&queue, WhenBusy::Refuse).await, Start::Refuse(_)));
    }
    let found = queue.receive(10, Duration::ZERO, Duration::ZERO).await.unwrap();
    let receptions: u32 = found.iter().map(|delivery| delivery.receive_count).sum();
    assert_eq!((found.len(), receptions), (10, 10 + 3));
}

#[tokio::test(start_paused = true)]
async fn as_many_trial_messages_as_are_looked_at_are_acknowledged_in_one_look() {
    let queue = of(&[TEST; 10]);
    assert_eq!(asked(&queue, WhenBusy::Refuse).await, Start::Go);
    assert_eq!(queue.bodies().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_refuses_and_stays_for_a_worker() {
    let queue = of(&["?", TEST]);
    match asked(&queue, WhenBusy::Refuse).await {
        Start::Refuse(why) => assert!(why.contains("no jobs that longbow knows"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(queue.bodies(), ["?", TEST]);
    assert_eq!(queue.depth().await.unwrap().visible, 2);
}

#[tokio::test(start_paused = true)]
async fn many_messages_are_not_even_looked_at() {
    let queue = of(&[HUB; 11]);
    assert!(matches!(asked(&queue, WhenBusy::Refuse).await, Start::Refuse(_)));
    let untouched = queue.receive(10, Duration::ZERO, Duration::ZERO).await.unwrap();
    assert!(untouched.iter().all(|delivery| delivery.receive_count == 1));
}

#[tokio::test(start_paused = true)]
async fn appending_looks_at_nothing() {
    let queue = of(&[HUB, TEST]);
    assert_eq!(asked(&queue, WhenBusy::Append).await, Start::Go);
    assert_eq!(queue.bodies().len(), 2);
}

/// A worker takes the job between the count and the look.
#[tokio::test(start_paused = true)]
async fn a_job_that_is_taken_meanwhile_refuses() {
    let queue = Arc::new(of(&[HUB]));
    let faults = Faults::new();
    let faulty = FaultyQueue::new(queue.clone(), &faults);
    let worker = queue.clone();
    faults.add(
        Rule::new(
            "depth",
            Fault::After(Arc::new(move || {
                let worker = worker.clone();
                tokio::spawn(async move { worker.receive(1, Duration::ZERO, Duration::from_secs(60)).await });
            })),
        )
        .nth(1),
    );
    // The worker's own call runs while the look waits for its first message.
    let end = look(faulty.as_ref(), WhenBusy::Refuse, &CancellationToken::new()).await.unwrap();
    assert!(matches!(end, Start::Refuse(_)), "{end:?}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_cannot_be_asked_is_an_error_and_a_passing_fault_is_not() {
    for (kind, lasting) in [(StoreErrorKind::Denied, true), (StoreErrorKind::Transient, false)] {
        for call in ["depth", "receive", "acknowledge", "change_visibility"] {
            let queue = Arc::new(FakeQueue::new());
            for body in [TEST, HUB] {
                queue.send(vec![OutgoingJob { subject: "s".into(), body: body.into() }]).await.unwrap();
            }
            let faults = Faults::new();
            faults.add(Rule::new(call, Fault::Error(kind)).nth(1));
            let faulty = FaultyQueue::new(queue, &faults);
            let end = look(faulty.as_ref(), WhenBusy::Refuse, &CancellationToken::new()).await;
            assert_eq!(end.is_err(), lasting, "{call} {end:?}");
        }
    }
}
