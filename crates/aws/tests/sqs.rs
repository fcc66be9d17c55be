//! The queue of the cluster against a server that nobody here wrote.

mod servers;

use std::time::Duration;

use longbow_core::port::{JobQueue as _, OutgoingJob};
use longbow_testkit::contract::job_queue::{self, QueueQuirks};

fn job(body: impl Into<String>) -> OutgoingJob {
    OutgoingJob { subject: "s".into(), body: body.into() }
}

const LONG: Duration = Duration::from_secs(300);

#[tokio::test]
async fn ministack_keeps_the_contract() {
    let Some(server) = servers::ministack() else { return };
    let queue = server.queue("contract").await;
    job_queue::suite(&queue, &QueueQuirks::default()).await;
}
