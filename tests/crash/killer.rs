//! A job that kills every worker that takes it: the queue's own redrive ends that, and nothing is lost.

use std::sync::Arc;

use longbow_testkit::fake::FakeQueue;
use longbow_testkit::fault::{Fault, Faults, Manner, Rule};

use super::objects::{Made, SMALL};
use super::stage::Stage;

/// Receptions that the queue allows.
const MOST: u32 = 4;

#[tokio::test(start_paused = true)]
async fn a_job_that_kills_every_worker_ends_among_the_dead_letters_as_it_was() {
    for fleet in [false, true] {
        let mut stage = if fleet { Stage::of_fleet() } else { Stage::new() };
        stage.queue = Arc::new(FakeQueue::redriving(MOST));
        stage.put("killer", Made::Whole(SMALL), 1);
        stage.put("k", Made::Whole(SMALL), 2);
        stage.ask_for("killer").await;
        stage.ask_for("k").await;
        let message = stage.queue.bodies().remove(0);
        let mut deaths = 0;
        let stage = stage.ready();
        loop {
            let faults = Faults::new();
            let plan = faults.clone();
            let kill = Arc::new(move || plan.stop_now(Manner::Hang));
            faults.add(Rule::new("get", Fault::After(kill)).on("source").about("killer"));
            match stage.play(&faults).await {
                None => deaths += 1,
                Some(ended) => break assert_eq!(ended, Ok(())),
            }
        }
        assert_eq!(deaths, MOST, "once for each reception");
        let dead = stage.queue.dead_letters();
        assert_eq!(dead.iter().map(|(body, _)| body).collect::<Vec<_>>(), [&message]);
        assert!(stage.queue.bodies().is_empty());
        let copied = stage.destination.contents();
        assert!(copied.contains_key("k") && !copied.contains_key("killer"), "the other job is done");
    }
}
