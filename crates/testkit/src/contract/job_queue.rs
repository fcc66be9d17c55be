//! The contract of [`JobQueue`]: nothing is lost, nothing is removed without proof of holding it.
//!
//! The checks use real time as far as visibility goes, and wait by receiving; with tokio's time paused a queue in
//! memory takes none. A queue that several checks share must be used by nobody else.

use std::collections::BTreeSet;
use std::time::Duration;

use longbow_core::object::ObjectKey;
use longbow_core::port::{Delivery, JobQueue, OutgoingJob, QueueDepth, Receipt};
use tokio::time::Instant;

use super::verdict::{Check, Verdict, Violation, checks, demand, judge};

/// What the checks run against.
pub type Queue = dyn JobQueue;

/// Facts about a queue that the checks have to allow for.
#[derive(Debug, Clone)]
pub struct QueueQuirks {
    /// A visibility that is short enough to wait for, and long enough for a few calls: SQS has whole seconds.
    pub short: Duration,
    /// Whether one waiting message a subject is kept, the newest.
    pub replacing: bool,
    /// Whether old receipts are noticed by `change_visibility`.
    pub notices_stale_receipts: bool,
    /// Whether depths are exact at once.
    pub exact_depth: bool,
}

impl Default for QueueQuirks {
    fn default() -> Self {
        Self {
            short: Duration::from_secs(1),
            replacing: false,
            notices_stale_receipts: true,
            exact_depth: true,
        }
    }
}

/// A visibility that no check outlives.
const LONG: Duration = Duration::from_secs(300);

/// Runs every check and panics with those that failed.
pub async fn suite(queue: &Queue, quirks: &QueueQuirks) {
    judge(queue, quirks, "the job queue", checks()).await;
}

/// The checks by name.
pub fn checks() -> Vec<Check<Queue, QueueQuirks>> {
    checks![
        what_was_sent_is_received_and_acknowledged,
        a_held_message_is_hidden_and_comes_back,
        the_heartbeat_keeps_it_hidden,
        handed_back_it_is_visible_at_once,
        an_old_receipt_changes_nothing,
        receptions_are_counted,
        dead_letters_are_put_aside,
        many_are_received_each_once,
        a_waiting_receive_wakes_up,
        an_empty_queue_answers_in_time,
        one_waiting_message_a_subject,
        bodies_are_kept_exactly,
        depth_tells_what_is_where,
    ]
}

fn job(subject: &str, body: &str) -> OutgoingJob {
    OutgoingJob { subject: ObjectKey::from(subject), body: body.to_owned() }
}

async fn send(queue: &Queue, jobs: Vec<OutgoingJob>) -> Verdict {
    let report = queue.send(jobs).await?;
    demand!(report.failed.is_empty(), "not sent: {:?}", report.failed);
    Ok(())
}

/// Empties the queue of whatever an earlier check left behind.
async fn empty(queue: &Queue) -> Verdict {
    loop {
        let left = queue.receive(10, Duration::ZERO, LONG).await?;
        if left.is_empty() {
            return Ok(());
        }
        for delivery in left {
            queue.acknowledge(&delivery.receipt).await?;
        }
    }
}

/// The next message, waiting for several short visibilities.
async fn next(queue: &Queue, quirks: &QueueQuirks, visibility: Duration) -> Result<Delivery, Violation> {
    let wait = quirks.short * 20;
    let mut found = queue.receive(1, wait, visibility).await?;
    demand!(found.len() <= 1, "one message was asked for, {} came", found.len());
    found.pop().ok_or_else(|| Violation(format!("no message came within {wait:?}")))
}

async fn nothing(queue: &Queue, why: &str) -> Verdict {
    let found = queue.receive(10, Duration::ZERO, LONG).await?;
    demand!(found.is_empty(), "{why}, but this was received: {found:?}");
    Ok(())
}

async fn what_was_sent_is_received_and_acknowledged(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    send(queue, vec![job("s", "body")]).await?;
    let delivery = next(queue, quirks, LONG).await?;
    demand!(delivery.body == "body", "the body is {:?}", delivery.body);
    demand!(delivery.receive_count == 1, "the first reception is number {}", delivery.receive_count);
    queue.acknowledge(&delivery.receipt).await?;
    // A second time is harmless.
    queue.acknowledge(&delivery.receipt).await?;
    nothing(queue, "it was acknowledged").await
}

async fn a_held_message_is_hidden_and_comes_back(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    send(queue, vec![job("s", "body")]).await?;
    next(queue, quirks, quirks.short).await?;
    nothing(queue, "it is held").await?;
    let again = next(queue, quirks, LONG).await?;
    demand!(again.body == "body" && again.receive_count == 2, "it came back as {again:?}");
    Ok(queue.acknowledge(&again.receipt).await?)
}

async fn the_heartbeat_keeps_it_hidden(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    send(queue, vec![job("s", "body")]).await?;
    let delivery = next(queue, quirks, quirks.short).await?;
    let extended = quirks.short * 4;
    let before = Instant::now();
    let stale = queue.change_visibility(std::slice::from_ref(&delivery.receipt), extended).await?;
    demand!(stale.is_empty(), "a current receipt is called stale");
    let again = next(queue, quirks, LONG).await?;
    let hidden = before.elapsed();
    // A queue of whole seconds may be up to one early.
    let least = extended.saturating_sub(quirks.short);
    demand!(hidden >= least, "it was extended to {extended:?} and came back after {hidden:?}");
    Ok(queue.acknowledge(&again.receipt).await?)
}

async fn handed_back_it_is_visible_at_once(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    send(queue, vec![job("s", "body")]).await?;
    let delivery = next(queue, quirks, LONG).await?;
    let stale = queue.change_visibility(&[delivery.receipt], Duration::ZERO).await?;
    demand!(stale.is_empty(), "a current receipt is called stale");
    let again = next(queue, quirks, LONG).await?;
    demand!(again.receive_count == 2, "it came back as {again:?}");
    Ok(queue.acknowledge(&again.receipt).await?)
}

async fn an_old_receipt_changes_nothing(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    send(queue, vec![job("s", "body")]).await?;
    let old = next(queue, quirks, quirks.short).await?;
    let new = next(queue, quirks, LONG).await?;
    demand!(old.receipt != new.receipt, "two receptions have the same receipt");
    queue.acknowledge(&old.receipt).await?;
    queue.dead_letter(&old.receipt, "an old receipt").await?;
    let stale = queue.change_visibility(std::slice::from_ref(&old.receipt), Duration::ZERO).await?;
    if quirks.notices_stale_receipts {
        demand!(stale == [old.receipt], "the old receipt was taken: stale are {stale:?}");
        nothing(queue, "its new holder has it").await?;
    }
    let stale = queue.change_visibility(std::slice::from_ref(&new.receipt), LONG).await?;
    demand!(stale.is_empty(), "the new holder has lost it to the old receipt");
    queue.acknowledge(&new.receipt).await?;
    let unknown = Receipt("no such receipt".into());
    if quirks.notices_stale_receipts {
        let stale = queue.change_visibility(std::slice::from_ref(&unknown), LONG).await?;
        demand!(stale == [unknown], "an unknown receipt was taken");
    }
    Ok(())
}

async fn receptions_are_counted(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    send(queue, vec![job("s", "body")]).await?;
    for count in 1..=4 {
        let delivery = next(queue, quirks, LONG).await?;
        demand!(delivery.receive_count == count, "reception {count} is told as {delivery:?}");
        if count < 4 {
            queue.change_visibility(&[delivery.receipt], Duration::ZERO).await?;
        } else {
            queue.acknowledge(&delivery.receipt).await?;
        }
    }
    Ok(())
}

async fn dead_letters_are_put_aside(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    let before = queue.depth().await?.dead;
    send(queue, vec![job("s", "poison \u{1f480}")]).await?;
    let delivery = next(queue, quirks, LONG).await?;
    queue.dead_letter(&delivery.receipt, "it cannot be read: \"x\"").await?;
    nothing(queue, "it was put aside").await?;
    let depth = queue.depth().await?;
    if quirks.exact_depth {
        demand!(depth.dead == before + 1, "{before} were dead before, now {}", depth.dead);
        demand!(depth.is_idle(), "a dead letter is counted as work: {depth:?}");
    }
    Ok(())
}

async fn many_are_received_each_once(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    let names: BTreeSet<String> = (0..137).map(|i| format!("body-{i}")).collect();
    send(queue, names.iter().map(|name| job(name, name)).collect()).await?;
    let mut seen = BTreeSet::new();
    let end = Instant::now() + quirks.short * 60;
    while seen.len() < names.len() && Instant::now() < end {
        let found = queue.receive(10, quirks.short, LONG).await?;
        demand!(found.len() <= 10, "10 were asked for, {} came", found.len());
        for delivery in found {
            demand!(seen.insert(delivery.body.clone()), "{} came twice while it was held", delivery.body);
            queue.acknowledge(&delivery.receipt).await?;
        }
    }
    demand!(seen == names, "{} of {} came", seen.len(), names.len());
    nothing(queue, "all were acknowledged").await
}

async fn a_waiting_receive_wakes_up(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    let wait = quirks.short * 15;
    let start = Instant::now();
    let receiver = queue.receive(1, wait, LONG);
    let sender = async {
        tokio::time::sleep(quirks.short / 4).await;
        queue.send(vec![job("s", "late")]).await
    };
    let (received, sent) = futures_util::future::join(receiver, sender).await;
    sent?;
    let received = received?;
    demand!(received.len() == 1, "the waiting receive gave {received:?}");
    demand!(start.elapsed() < wait, "the waiting receive slept through the whole {wait:?}");
    Ok(queue.acknowledge(&received[0].receipt).await?)
}

async fn an_empty_queue_answers_in_time(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    let start = Instant::now();
    let found = queue.receive(1, quirks.short, LONG).await?;
    demand!(found.is_empty(), "something came from nowhere: {found:?}");
    let slack = quirks.short * 10 + Duration::from_secs(2);
    demand!(start.elapsed() < slack, "a receive of {:?} took {:?}", quirks.short, start.elapsed());
    Ok(())
}

async fn one_waiting_message_a_subject(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    send(queue, vec![job("s", "1"), job("other", "x")]).await?;
    send(queue, vec![job("s", "2")]).await?;
    let mut found = Vec::new();
    while found.len() < 3 {
        let more = queue.receive(10, quirks.short, LONG).await?;
        if more.is_empty() {
            break;
        }
        found.extend(more);
    }
    let mut bodies: Vec<&str> = found.iter().map(|delivery| delivery.body.as_str()).collect();
    bodies.sort_unstable();
    let expected: &[&str] = if quirks.replacing { &["2", "x"] } else { &["1", "2", "x"] };
    demand!(bodies == expected, "received {bodies:?}");
    // What is held stays with its holder; a new message of the subject comes beside it or after it.
    send(queue, vec![job("s", "3")]).await?;
    for delivery in &found {
        queue.acknowledge(&delivery.receipt).await?;
    }
    let last = next(queue, quirks, LONG).await?;
    demand!(last.body == "3", "a message sent beside a held one came as {last:?}");
    Ok(queue.acknowledge(&last.receipt).await?)
}

async fn bodies_are_kept_exactly(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    empty(queue).await?;
    let long = "k".repeat(60_000);
    for body in ["{\"key\":\"a\\nb\"}", " spaces ", "\u{e9}\u{1f3f9}", "tab\tnew\nline", &long] {
        send(queue, vec![job(body.get(..5).unwrap_or("s"), body)]).await?;
        let delivery = next(queue, quirks, LONG).await?;
        demand!(delivery.body == body, "{body:?} came as {:?}", delivery.body);
        queue.acknowledge(&delivery.receipt).await?;
    }
    Ok(())
}

async fn depth_tells_what_is_where(queue: &Queue, quirks: &QueueQuirks) -> Verdict {
    if !quirks.exact_depth {
        return Ok(());
    }
    empty(queue).await?;
    let dead = queue.depth().await?.dead;
    demand!(queue.depth().await?.is_idle(), "the empty queue is not idle");
    send(queue, vec![job("a", "a"), job("b", "b"), job("c", "c")]).await?;
    let one = next(queue, quirks, LONG).await?;
    let depth = queue.depth().await?;
    let expected = QueueDepth { visible: 2, in_flight: 1, delayed: 0, dead };
    demand!(depth == expected, "the depth is {depth:?}, not {expected:?}");
    demand!(!depth.is_idle(), "a queue with work is idle");
    queue.acknowledge(&one.receipt).await?;
    empty(queue).await
}
