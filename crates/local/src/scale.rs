//! What a million keys cost on disk, scaled down to a tenth: a promise to users, so it is a test.

use std::fs;
use std::path::Path;
use std::time::Duration;

use longbow_core::job::{
    CopyJob, ObjectRecord, Observation, Proof, RecordState, SourceVersion, TransferId, encode,
};
use longbow_core::object::{Checksums, ETag, ObjectKey, Timestamp};
use longbow_core::port::{JobQueue as _, OutgoingJob, StateStore as _};

use crate::testing::Bench;

const KEYS: u32 = 100_000;
const BATCH: usize = 1000;

fn key(number: u32) -> ObjectKey {
    let (folder, file) = (number / 997, number % 997);
    format!("photos/2024/{folder:03}/IMG_20240517_{file:06}_{number:08}.jpg").into()
}

fn source(number: u32) -> SourceVersion {
    SourceVersion {
        size: 2_000_000 + u64::from(number),
        etag: Some(ETag::new(&format!("{:032x}", u128::from(number) * 0x9e37_79b9_7f4a_7c15_f39c_c060))),
        version: None,
        modified: Some(Timestamp(1_700_000_000_000)),
    }
}

fn job(number: u32) -> OutgoingJob {
    let job = CopyJob {
        source: key(number),
        destination: key(number),
        object: source(number),
        observed: Observation::Absent,
        inspect: false,
        transfer: TransferId("20240517T101112Z-4711".into()),
    };
    OutgoingJob { subject: key(number), body: encode(&job) }
}

fn record(number: u32) -> ObjectRecord {
    let source = source(number);
    let state = RecordState::Copied {
        destination_etag: source.etag.clone(),
        checksums: Checksums { crc64nvme: Some(u64::MAX / 3), ..Checksums::default() },
        proof: Proof::ETag,
    };
    ObjectRecord {
        source,
        attempts: 0,
        updated: Timestamp(1_700_000_000_000),
        state,
        sequencer: None,
        transfer: None,
        found: false,
    }
}

fn bytes_a_key(folder: &Path) -> u64 {
    let sizes = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    sizes.sum::<u64>() / u64::from(KEYS)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_keys_fit_in_a_few_hundred_mebibytes() {
    let bench = Bench::new();
    let folder = bench.file().parent().unwrap().to_path_buf();
    let queue = bench.open().queue();
    for first in (0..KEYS).step_by(BATCH) {
        queue.send((first..first + BATCH as u32).map(job).collect()).await.unwrap();
    }
    drop(queue);
    let waiting = bytes_a_key(&folder);

    let database = bench.open();
    let (queue, state) = (database.queue(), database.state());
    let mut number = 0;
    loop {
        let held = queue.receive(BATCH, Duration::ZERO, Duration::from_secs(60)).await.unwrap();
        if held.is_empty() {
            break;
        }
        let settled: Vec<_> = held
            .into_iter()
            .map(|delivery| {
                let (queue, state, this) = (queue.clone(), state.clone(), number);
                number += 1;
                tokio::spawn(async move {
                    state.swap(&key(this), None, record(this)).await.unwrap();
                    queue.acknowledge(&delivery.receipt).await.unwrap();
                })
            })
            .collect();
        for settled in settled {
            settled.await.unwrap();
        }
    }
    assert!(queue.depth().await.unwrap().is_idle());
    assert_eq!(state.count().await.unwrap().copied, u64::from(KEYS));
    drop((queue, state, database));
    let done = bytes_a_key(&folder);
    assert!(waiting < 360, "{waiting} bytes a waiting key");
    assert!(done < 360, "{done} bytes a key at the end");
}
