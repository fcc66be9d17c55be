//! Jobs sent a second to a queue of a running server, by batches of ten and eight calls at once as the jobsender does it,
//! with the CPU seconds of this process and, if its number is given, of the server.
//!
//! ```text
//! cargo run --release -p longbow-aws --example send_rate -- http://127.0.0.1:PORT [JOBS] [PROCESS OF THE SERVER]
//! ```
//!
//! The keys are those of the environment. `QUEUE_URL` names a queue that may be filled. Linux only.

use std::time::Instant;

use futures_util::{StreamExt as _, stream};
use longbow_aws::{ClusterOptions, ClusterSession, SqsOptions, SqsQueue};
use longbow_core::job::{CopyJob, Observation, SourceVersion, TransferId, encode};
use longbow_core::object::{ETag, ObjectKey, Timestamp};
use longbow_core::port::{JobQueue as _, OutgoingJob};

/// CPU seconds of a process so far.
fn cpu(process: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    // utime and stime, in hundredths of a second (proc(5)).
    after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn job(number: u64) -> OutgoingJob {
    let key = ObjectKey::new(format!("logs/{number:09}"));
    let job = CopyJob {
        source: key.clone(),
        destination: key.clone(),
        object: SourceVersion {
            size: number,
            etag: Some(ETag::new(&format!("{number:032x}"))),
            version: None,
            modified: Some(Timestamp(1_700_000_000_000)),
        },
        observed: Observation::Absent,
        inspect: false,
        transfer: TransferId("t-0".into()),
    };
    OutgoingJob { subject: key, body: encode(&job) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().expect("the server's URL");
    let jobs: u64 = arguments.next().map_or(20_000, |text| text.parse().expect("a number of jobs"));
    let server = arguments.next();
    let options = ClusterOptions { endpoint_url: Some(url), ..ClusterOptions::default() };
    let session = ClusterSession::open(&options).await.expect("keys in the environment");
    let options = SqsOptions {
        queue: std::env::var("QUEUE_URL").expect("QUEUE_URL names a queue that may be filled"),
        dead_letters: None,
        patience: std::time::Duration::from_secs(10),
    };
    let queue = SqsQueue::connect(&session, &options).await.expect("the queue exists");
    let servers = || server.as_deref().map_or(0.0, cpu);
    let (own, theirs, began) = (cpu("self"), servers(), Instant::now());
    let batches: Vec<Vec<OutgoingJob>> =
        (0..jobs).step_by(10).map(|first| (first..(first + 10).min(jobs)).map(job).collect()).collect();
    let refused: usize = stream::iter(batches)
        .map(|batch| queue.send(batch))
        .buffer_unordered(8)
        .map(|report| report.expect("the queue takes the call").failed.len())
        .fold(0, |sum, failed| async move { sum + failed })
        .await;
    let (own, theirs, wall) = (cpu("self") - own, servers() - theirs, began.elapsed().as_secs_f64());
    println!(
        "{{\"jobs\": {jobs}, \"refused\": {refused}, \"wall_seconds\": {wall:.2}, \"jobs_a_second\": {:.0}, \
         \"cpu_seconds\": {own:.2}, \"jobs_a_cpu_second\": {:.0}, \"server_cpu_seconds\": {theirs:.2}}}",
        jobs as f64 / wall,
        jobs as f64 / own.max(0.01)
    );
}
