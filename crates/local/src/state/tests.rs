//! Records survive their columns, and only the newest version is replaced.

use longbow_core::failure::FailureClass;
use longbow_core::job::{ObjectRecord, Proof, RecordState, SourceVersion, UploadRecord};
use longbow_core::object::{Checksums, ETag, ObjectKey, Timestamp, VersionId};
use longbow_core::port::{StateStore as _, Stored, SwapError, UploadId};
use longbow_core::transfer::{PartPlan, PartProof};

use super::StateCount;
use crate::testing::Bench;

fn upload() -> UploadRecord {
    UploadRecord {
        upload: UploadId("u\"1".into()),
        plan: PartPlan::new(48 << 40, 5 << 30),
        crc64nvme: true,
        begun: Some(Timestamp(7)),
        outdated: false,
    }
}

fn record(state: RecordState) -> ObjectRecord {
    let source = SourceVersion {
        size: u64::MAX,
        etag: Some(ETag::new("\"\"odd\"\"")),
        version: Some(VersionId("v".into())),
        modified: Some(Timestamp(-1)),
    };
    ObjectRecord {
        source,
        attempts: u32::MAX,
        updated: Timestamp(7),
        state,
        sequencer: None,
        transfer: None,
        found: false,
    }
}

fn every_state() -> Vec<RecordState> {
    let checksums = Checksums { crc64nvme: Some(u64::MAX), crc32c: Some(u32::MAX), crc32: Some(0) };
    let reason = || "it's \0 broken".to_owned();
    vec![
        RecordState::Copying { upload: upload() },
        RecordState::Waiting { upload: Some(upload()), class: FailureClass::Throttled, reason: reason() },
        RecordState::Waiting { upload: None, class: FailureClass::Transient, reason: reason() },
        RecordState::Copied { destination_etag: Some(ETag::new("d")), checksums, proof: Proof::ETag },
        RecordState::Copied {
            destination_etag: None,
            checksums: Checksums::default(),
            proof: Proof::SizeAndTime,
        },
        RecordState::Failed { class: FailureClass::Denied, reason: reason() },
    ]
}

#[tokio::test]
async fn every_state_and_every_key_comes_back_after_reopening() {
    let bench = Bench::new();
    let state = bench.open().state();
    let keys: Vec<ObjectKey> = ["a//b", "/a", "a/../b", "%41", "a\0b", "a\0", "a", "\u{1}\n", "é", "dir/"]
        .map(ObjectKey::from)
        .into();
    let mut expected = Vec::new();
    for (key, kind) in keys.iter().zip(every_state().into_iter().cycle()) {
        let record = record(kind);
        assert_eq!(state.swap(key, None, record.clone()).await.unwrap(), 1);
        expected.push(Some(Stored { version: 1, record }));
    }
    drop(state);

    let state = bench.open().state();
    assert_eq!(state.load(&keys[4]).await.unwrap(), expected[4]);
    let mut asked = keys;
    asked.reverse();
    asked.push("absent".into());
    expected.reverse();
    expected.push(None);
    assert_eq!(state.load_many(asked).await.unwrap(), expected);
    let count = state.count().await.unwrap();
    assert_eq!(count, StateCount { copying: 2, waiting: 4, copied: 3, failed: 1 });
}

#[tokio::test]
async fn only_the_version_that_was_read_is_replaced() {
    let bench = Bench::new();
    let state = bench.open().state();
    let key = ObjectKey::from("k");
    let mut states = every_state().into_iter().map(record);
    let mut next = || states.next().unwrap();
    let conflict = |swapped| matches!(swapped, Err(SwapError::Conflict));

    assert!(conflict(state.swap(&key, Some(1), next()).await), "there is none yet");
    assert_eq!(state.swap(&key, None, next()).await.unwrap(), 1);
    assert!(conflict(state.swap(&key, None, next()).await), "there is one now");
    let kept = next();
    assert_eq!(state.swap(&key, Some(1), kept.clone()).await.unwrap(), 2);
    assert!(conflict(state.swap(&key, Some(1), next()).await), "it was replaced");
    assert_eq!(state.load(&key).await.unwrap(), Some(Stored { version: 2, record: kept }));
}

#[tokio::test]
async fn of_many_that_swap_at_once_one_wins() {
    let bench = Bench::new();
    let state = bench.open().state();
    let key = ObjectKey::from("k");
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (state, key) = (state.clone(), key.clone());
            let record = record(RecordState::Copying { upload: upload() });
            tokio::spawn(async move { state.swap(&key, None, record).await.is_ok() })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        won += usize::from(task.await.unwrap());
    }
    assert_eq!(won, 1);
}

#[tokio::test]
async fn parts_belong_to_their_upload() {
    let bench = Bench::new();
    let state = bench.open().state();
    let key = ObjectKey::from("k\0");
    let (first, second) = (UploadId("1".into()), UploadId("2".into()));
    let proof = |number, tag: &str| PartProof {
        number,
        size: 5 << 30,
        md5: "d41d8cd98f00b204e9800998ecf8427e".into(),
        etag: ETag::new(tag),
        checksums: Checksums { crc64nvme: Some(u64::MAX), ..Checksums::default() },
    };
    for (upload, number, tag) in [(&first, 10, "j"), (&first, 2, "x"), (&first, 2, "b"), (&second, 1, "a")] {
        state.add_part(&key, upload, proof(number, tag)).await.unwrap();
    }
    assert_eq!(state.parts(&key, &first).await.unwrap(), [proof(2, "b"), proof(10, "j")]);
    assert_eq!(state.parts(&"other".into(), &first).await.unwrap(), []);
    state.forget_parts(&key, &first).await.unwrap();
    assert_eq!(state.parts(&key, &first).await.unwrap(), []);
    assert_eq!(state.parts(&key, &second).await.unwrap(), [proof(1, "a")]);
}
