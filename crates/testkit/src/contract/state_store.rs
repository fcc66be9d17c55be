//! The contract of [`StateStore`]: records change by compare-and-swap only, parts are remembered by upload.

use futures_util::TryStreamExt as _;
use longbow_core::failure::FailureClass;
use longbow_core::job::{ObjectRecord, Proof, RecordState, SourceVersion, TransferId, UploadRecord};
use longbow_core::object::{Checksums, ETag, ObjectKey, Timestamp, VersionId};
use longbow_core::port::{StateStore, SwapError, UploadId};
use longbow_core::transfer::{PartPlan, PartProof};

use super::verdict::{Check, Verdict, Violation, checks, demand, judge};
use crate::generate;

/// What the checks run against.
pub type Store = dyn StateStore;

/// Runs every check and panics with those that failed. All subjects lie under `prefix`, and the store must know
/// none of them.
pub async fn suite(store: &Store, prefix: &str) {
    judge(store, &prefix.to_owned(), "the state store", checks()).await;
}

/// The checks by name, each with the prefix of its subjects.
pub fn checks() -> Vec<Check<Store, String>> {
    checks![
        nothing_is_known_at_first,
        a_swap_needs_the_version_that_is_there,
        of_many_swaps_at_once_one_wins,
        every_state_survives,
        the_run_that_counts_an_object_survives,
        many_are_loaded_in_the_order_asked,
        odd_subjects_are_kept_apart,
        records_come_in_byte_order,
        parts_are_remembered_by_upload,
        parts_are_forgotten,
        ten_thousand_parts_fit,
    ]
}

fn subject(prefix: &str, name: &str) -> ObjectKey {
    ObjectKey::new(format!("{prefix}{name}"))
}

fn record(reason: &str) -> ObjectRecord {
    ObjectRecord {
        source: SourceVersion {
            size: 123,
            etag: Some(ETag::new("d41d8cd98f00b204e9800998ecf8427e")),
            version: None,
            modified: Some(Timestamp(1_700_000_000_123)),
        },
        attempts: 2,
        updated: Timestamp(1_700_000_001_456),
        state: RecordState::Failed { class: FailureClass::Transient, reason: reason.to_owned() },
        sequencer: None,
        transfer: None,
        found: false,
    }
}

fn proof(number: u32, seed: u8) -> PartProof {
    PartProof {
        number,
        size: 5 << 20,
        md5: format!("{seed:02x}").repeat(16),
        etag: ETag::new(&format!("{seed:02x}").repeat(16)),
        checksums: Checksums { crc64nvme: Some(u64::MAX - u64::from(seed)), crc32c: Some(7), crc32: None },
    }
}

async fn nothing_is_known_at_first(store: &Store, prefix: &str) -> Verdict {
    let key = subject(prefix, "unknown");
    demand!(store.load(&key).await?.is_none(), "there is a record already");
    demand!(store.parts(&key, &UploadId("none".into())).await?.is_empty(), "there are parts already");
    store.forget_parts(&key, &UploadId("none".into())).await?;
    Ok(())
}

async fn a_swap_needs_the_version_that_is_there(store: &Store, prefix: &str) -> Verdict {
    let key = subject(prefix, "swapped");
    let conflict =
        async |expected: Option<u64>, what: &str| match store.swap(&key, expected, record("lost")).await {
            Err(SwapError::Conflict) => Ok(()),
            other => Err(Violation(format!("{what} gave {other:?}, not a conflict"))),
        };
    conflict(Some(1), "a swap of a record that is not there").await?;
    let first = store.swap(&key, None, record("first")).await?;
    conflict(None, "a second first record").await?;
    let second = store.swap(&key, Some(first), record("second")).await?;
    demand!(second > first, "the version went from {first} to {second}");
    conflict(Some(first), "a swap of a replaced version").await?;
    conflict(Some(second + 1), "a swap of a version to come").await?;
    let stored = store.load(&key).await?;
    let Some(stored) = stored else { return Err(Violation("the record is gone".into())) };
    demand!(stored.version == second, "the version loaded is {}, not {second}", stored.version);
    demand!(stored.record == record("second"), "the record loaded is {:?}", stored.record);
    Ok(())
}

async fn of_many_swaps_at_once_one_wins(store: &Store, prefix: &str) -> Verdict {
    let key = subject(prefix, "raced");
    let mut expected = None;
    for round in 0..5 {
        let swaps = (0..8).map(|i| store.swap(&key, expected, record(&format!("{round}-{i}"))));
        let results = futures_util::future::join_all(swaps).await;
        let won: Vec<u64> = results.iter().filter_map(|result| result.as_ref().ok().copied()).collect();
        demand!(won.len() == 1, "{} swaps of one version succeeded: {results:?}", won.len());
        let lost = results.iter().filter(|result| matches!(result, Err(SwapError::Conflict))).count();
        demand!(lost == 7, "a lost swap is no conflict: {results:?}");
        expected = won.first().copied();
    }
    Ok(())
}

async fn every_state_survives(store: &Store, prefix: &str) -> Verdict {
    let upload = UploadRecord {
        upload: UploadId("id with spaces/and+signs=".into()),
        plan: PartPlan::new(1 << 45, 5 << 30),
        crc64nvme: true,
        begun: None,
        outdated: true,
    };
    let checksums = Checksums { crc64nvme: Some(u64::MAX), crc32c: Some(u32::MAX), crc32: Some(0) };
    let states = [
        RecordState::Copying { upload: upload.clone() },
        RecordState::Waiting {
            upload: Some(upload),
            class: FailureClass::Throttled,
            reason: "slow\ndown \u{1}".into(),
        },
        RecordState::Waiting { upload: None, class: FailureClass::Denied, reason: String::new() },
        RecordState::Copied { destination_etag: Some(ETag::new("x-2")), checksums, proof: Proof::Checksum },
        RecordState::Copied { destination_etag: None, checksums: Checksums::default(), proof: Proof::Size },
        RecordState::Failed { class: FailureClass::Permanent, reason: "\u{1f3f9} \"quoted\"".into() },
    ];
    let key = subject(prefix, "states");
    let mut version = None;
    for state in states {
        let mut written = record("");
        written.state = state;
        written.source.version = Some(VersionId("v/1".into()));
        version = Some(store.swap(&key, version, written.clone()).await?);
        let read = store.load(&key).await?.map(|stored| stored.record);
        demand!(read.as_ref() == Some(&written), "{written:?} was read as {read:?}");
    }
    Ok(())
}

async fn the_run_that_counts_an_object_survives(store: &Store, prefix: &str) -> Verdict {
    let key = subject(prefix, "counted");
    let mut version = None;
    for (transfer, found) in
        [(None, false), (Some("20260102T030405678Z-9"), true), (Some("events:r \u{1f3f9}"), false)]
    {
        let mut written = record("");
        written.transfer = transfer.map(|id| TransferId(id.to_owned()));
        written.found = found;
        version = Some(store.swap(&key, version, written.clone()).await?);
        let read = store.load(&key).await?.map(|stored| stored.record);
        demand!(read.as_ref() == Some(&written), "{written:?} was read as {read:?}");
    }
    Ok(())
}

async fn many_are_loaded_in_the_order_asked(store: &Store, prefix: &str) -> Verdict {
    // More than the 100 that one request of DynamoDB reads, with gaps, from the last to the first.
    let name = |i: usize| subject(prefix, &format!("many/{i:04}"));
    for i in (0..230).filter(|i| i % 3 != 0) {
        store.swap(&name(i), None, record(&i.to_string())).await?;
    }
    let asked: Vec<usize> = (0..230).rev().collect();
    let found = store.load_many(asked.iter().map(|i| name(*i)).collect()).await?;
    demand!(found.len() == asked.len(), "{} were asked for, {} came", asked.len(), found.len());
    for (i, stored) in asked.iter().zip(&found) {
        let expected = (i % 3 != 0).then(|| record(&i.to_string()));
        let read = stored.as_ref().map(|stored| stored.record.clone());
        demand!(read == expected, "at the place of {i} there is {read:?}");
    }
    demand!(store.load_many(Vec::new()).await?.is_empty(), "nothing asked for, something given");
    Ok(())
}

async fn odd_subjects_are_kept_apart(store: &Store, prefix: &str) -> Verdict {
    let keys = generate::odd_keys(prefix.len());
    for key in &keys {
        store.swap(&subject(prefix, key), None, record(key)).await?;
    }
    for key in &keys {
        let read = store.load(&subject(prefix, key)).await?.map(|stored| stored.record);
        demand!(read == Some(record(key)), "under {key:?} there is {read:?}");
    }
    Ok(())
}

async fn records_come_in_byte_order(store: &Store, prefix: &str) -> Verdict {
    // More than a page of any store's, and names that other orders would take otherwise.
    let mut keys: Vec<String> = (0..620).map(|n| format!("ordered/{n:04}")).collect();
    keys.extend(
        ["ordered/a", "ordered/a-b", "ordered/a/b", "ordered/A", "ordered/\u{e9}", "ordered/\u{1f3f9}"]
            .map(String::from),
    );
    for some in keys.chunks(20) {
        let record = record("in order");
        let swaps = some.iter().map(|name| {
            let (subject, record) = (subject(prefix, name), record.clone());
            async move { store.swap(&subject, None, record).await }
        });
        futures_util::future::try_join_all(swaps).await?;
    }
    keys.sort();
    let ordered = subject(prefix, "ordered/");
    for after in
        [None, Some("ordered/0500"), Some("ordered/a"), Some("ordered/0500z"), Some("ordered/\u{ffff}")]
    {
        let from = after.map(|name| subject(prefix, name));
        let Some(mut records) = store.records_after(from.as_ref()) else {
            return Err(Violation("the records do not come in order at all".into()));
        };
        let (mut found, mut last) = (Vec::new(), from);
        while let Some((subject, stored)) = records.try_next().await? {
            let in_order = last.as_ref().is_none_or(|last| last.as_str() < subject.as_str());
            demand!(in_order, "{subject:?} comes after {last:?}");
            if subject.as_str().starts_with(ordered.as_str()) {
                demand!(stored.record == record("in order"), "{subject} has {stored:?}");
                found.push(subject.as_str()[prefix.len()..].to_owned());
            }
            last = Some(subject);
        }
        let expected: Vec<&String> =
            keys.iter().filter(|key| after.is_none_or(|after| key.as_str() > after)).collect();
        demand!(found.iter().eq(expected), "after {after:?} there are {} records", found.len());
    }
    Ok(())
}

async fn sorted_parts(
    store: &Store,
    key: &ObjectKey,
    upload: &UploadId,
) -> Result<Vec<PartProof>, Violation> {
    let mut parts = store.parts(key, upload).await?;
    parts.sort_by_key(|part| part.number);
    Ok(parts)
}

async fn parts_are_remembered_by_upload(store: &Store, prefix: &str) -> Verdict {
    let (key, sibling) = (subject(prefix, "parts"), subject(prefix, "parts-2"));
    let (one, two) = (UploadId("one".into()), UploadId("two".into()));
    for (key, upload, part) in [
        (&key, &one, proof(2, 2)),
        (&key, &one, proof(1, 1)),
        (&key, &two, proof(1, 3)),
        (&sibling, &one, proof(9, 4)),
        (&key, &one, proof(2, 5)),
    ] {
        store.add_part(key, upload, part).await?;
    }
    let found = sorted_parts(store, &key, &one).await?;
    demand!(found == [proof(1, 1), proof(2, 5)], "the parts are {found:?}");
    let found = sorted_parts(store, &key, &two).await?;
    demand!(found == [proof(1, 3)], "the parts of the other upload are {found:?}");
    Ok(())
}

async fn parts_are_forgotten(store: &Store, prefix: &str) -> Verdict {
    let key = subject(prefix, "forgotten");
    let (one, two) = (UploadId("one".into()), UploadId("two".into()));
    store.add_part(&key, &one, proof(1, 1)).await?;
    store.add_part(&key, &two, proof(1, 2)).await?;
    store.forget_parts(&key, &one).await?;
    demand!(store.parts(&key, &one).await?.is_empty(), "forgotten parts are remembered");
    demand!(store.parts(&key, &two).await? == [proof(1, 2)], "another upload's parts were forgotten");
    Ok(())
}

async fn ten_thousand_parts_fit(store: &Store, prefix: &str) -> Verdict {
    let (key, upload) = (subject(prefix, "huge"), UploadId("huge".into()));
    // Every tenth keeps the check short; the numbers reach the last that S3 has.
    for number in (10..=10_000).step_by(10) {
        store.add_part(&key, &upload, proof(number, 9)).await?;
    }
    let found = sorted_parts(store, &key, &upload).await?;
    let numbers: Vec<u32> = found.iter().map(|part| part.number).collect();
    demand!(numbers == (10..=10_000).step_by(10).collect::<Vec<_>>(), "{} parts came back", numbers.len());
    Ok(())
}
