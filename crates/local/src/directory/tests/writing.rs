//! Whole writes: atomic, proved, conditional, and gone without a trace when they fail.

use std::os::unix::fs::MetadataExt;

use longbow_core::object::{Checksums, ETag, Md5, Timestamp};
use longbow_core::port::{HeadRequest, WriteCondition};

use super::*;

fn on(condition: WriteCondition) -> PutRequest {
    PutRequest { condition, ..Default::default() }
}

fn failure() -> StoreError {
    StoreError::new(StoreErrorKind::Transient, "the source broke")
}

#[tokio::test]
async fn a_file_arrives_with_its_bytes_time_and_tag() {
    let world = World::new();
    let modified = Some(Timestamp(1_600_000_000_250));
    let written =
        world.put_with("a/b/f", "hello", PutRequest { modified, ..Default::default() }).await.unwrap();
    assert_eq!(world.content("a/b/f").as_deref(), Some("hello"));
    let head = world.store.head(&key("a/b/f"), &HeadRequest::default()).await.unwrap();
    assert_eq!((head.size, head.modified, head.etag), (5, modified, written.etag));
    world
        .put_with("old", "", PutRequest { modified: Some(Timestamp(-1500)), ..Default::default() })
        .await
        .unwrap();
    let head = world.store.head(&key("old"), &HeadRequest::default()).await.unwrap();
    assert_eq!((head.size, head.modified), (0, Some(Timestamp(-1500))));
}

#[tokio::test]
async fn many_batches_arrive_in_order() {
    let world = World::new();
    let frames: Vec<Bytes> = (0..100u8).map(|n| Bytes::from(vec![n; 70_001])).collect();
    let whole: Vec<u8> = frames.concat();
    let body = streamed(whole.len() as u64, frames.clone().into_iter().map(Ok).collect());
    world.store.put(&key("streamed"), body, &PutRequest::default()).await.unwrap();
    world.store.put(&key("kept"), PutBody::Kept(frames), &PutRequest::default()).await.unwrap();
    for name in ["streamed", "kept"] {
        assert!(world.get(name, GetRequest::default()).await.unwrap() == whole, "{name}");
    }
    let tiny = (0..5000).map(|n: u32| Ok(Bytes::from(vec![u8::try_from(n % 256).unwrap()]))).collect();
    world.store.put(&key("tiny"), streamed(5000, tiny), &PutRequest::default()).await.unwrap();
    assert_eq!(world.get("tiny", GetRequest::default()).await.unwrap().len(), 5000);
}

#[tokio::test]
async fn a_failing_stream_leaves_nothing() {
    let world = World::new();
    world.put("there", "before").await.unwrap();
    let disk = world.on_disk();
    for good in [0, 1, 3] {
        let mut frames: Vec<_> = (0..good).map(|_| Ok(Bytes::from(vec![1; 1 << 20]))).collect();
        frames.push(Err(failure()));
        for name in ["there", "new/folder/f"] {
            let frames = frames
                .iter()
                .map(|f| match f {
                    Ok(frame) => Ok(Bytes::clone(frame)),
                    Err(_) => Err(failure()),
                })
                .collect();
            let put = world.store.put(&key(name), streamed(10 << 20, frames), &PutRequest::default()).await;
            assert_eq!(put.unwrap_err().message, "the source broke");
            assert_eq!(world.on_disk(), disk, "{good} frames, {name}");
        }
    }
    assert_eq!(world.content("there").as_deref(), Some("before"));
}

#[tokio::test]
async fn a_body_of_another_length_is_corrupt_and_leaves_nothing() {
    let world = World::new();
    for announced in [0, 4, 6, 3 << 20] {
        let frames = vec![Ok(Bytes::from_static(b"hello"))];
        let put = world.store.put(&key("f"), streamed(announced, frames), &PutRequest::default()).await;
        assert_eq!(kind(put), StoreErrorKind::Corrupt, "{announced}");
    }
    let large = || vec![Ok(Bytes::from(vec![0; 3 << 20]))];
    for announced in [(3 << 20) - 1, (3 << 20) + 1] {
        let put = world.store.put(&key("d/f"), streamed(announced, large()), &PutRequest::default()).await;
        assert_eq!(kind(put), StoreErrorKind::Corrupt, "{announced}");
    }
    assert_eq!(world.on_disk(), ["root/"]);
}

#[tokio::test]
async fn other_bytes_than_promised_are_corrupt_and_leave_nothing() {
    let world = World::new();
    let right = PutRequest {
        md5: Md5::from_hex("5d41402abc4b2a76b9719d911017c592"),
        checksums: Checksums { crc32: Some(0x3610_a686), ..Default::default() },
        ..Default::default()
    };
    world.put_with("f", "hello", right.clone()).await.unwrap();
    std::fs::remove_file(world.root().join("f")).unwrap();
    assert_eq!(kind(world.put_with("f", "hellO", right.clone()).await), StoreErrorKind::Corrupt);
    let wrong = PutRequest { checksums: Checksums { crc32: Some(1), ..Default::default() }, ..right };
    assert_eq!(kind(world.put_with("f", "hello", wrong).await), StoreErrorKind::Corrupt);
    assert_eq!(world.on_disk(), ["root/"]);
}

#[tokio::test]
async fn conditions_are_kept() {
    let world = World::new();
    let one = world.put_with("f", "one", on(WriteCondition::Absent)).await.unwrap().etag.unwrap();
    assert_eq!(
        kind(world.put_with("f", "x", on(WriteCondition::Absent)).await),
        StoreErrorKind::PreconditionFailed
    );
    let two =
        world.put_with("f", "two", on(WriteCondition::Matches(one.clone()))).await.unwrap().etag.unwrap();
    assert_ne!(one, two);
    let late = world.put_with("f", "late", on(WriteCondition::Matches(one.clone()))).await;
    assert_eq!(kind(late), StoreErrorKind::PreconditionFailed);
    let gone = world.put_with("none", "x", on(WriteCondition::Matches(one))).await;
    assert_eq!(kind(gone), StoreErrorKind::PreconditionFailed);
    assert_eq!(world.content("f").as_deref(), Some("two"));
    world.put("f", "three").await.unwrap();
    assert_eq!(world.content("f").as_deref(), Some("three"));
    assert_eq!(world.on_disk(), ["root/", "root/f"]);
    assert_eq!(std::fs::metadata(world.root().join("f")).unwrap().nlink(), 1);
}

#[tokio::test]
async fn a_condition_is_judged_when_the_file_is_finished() {
    let world = World::new();
    let frames = futures_util::stream::iter([Ok(Bytes::from(vec![1; 2 << 20]))]);
    let path = world.root().join("f");
    let meddle = futures_util::stream::once(async move {
        std::fs::write(path, "somebody else's").unwrap();
        Ok(Bytes::from(vec![2; 2 << 20]))
    });
    let body = PutBody::Streamed { length: 4 << 20, stream: Box::pin(frames.chain(meddle)) };
    let put = world.store.put(&key("f"), body, &on(WriteCondition::Absent)).await;
    assert_eq!(kind(put), StoreErrorKind::PreconditionFailed);
    assert_eq!(world.content("f").as_deref(), Some("somebody else's"));
    assert_eq!(world.on_disk(), ["root/", "root/f"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_conditional_writes_at_once_one_wins() {
    let world = World::new();
    for round in 0..30 {
        let condition = match round % 2 {
            0 => WriteCondition::Absent,
            _ => WriteCondition::Matches(world.put("f", "before").await.unwrap().etag.unwrap()),
        };
        let puts = (0..8).map(|n| {
            let (store, request) = (world.store.clone(), on(condition.clone()));
            tokio::spawn(async move {
                store.put(&key("f"), PutBody::Kept(vec![Bytes::from(format!("{n}"))]), &request).await
            })
        });
        let results: Vec<_> = futures_util::future::join_all(puts).await;
        let won = results.iter().filter(|r| r.as_ref().unwrap().is_ok()).count();
        assert_eq!(won, 1, "round {round}");
        world.store.delete(&key("f"), None).await.unwrap();
    }
    assert_eq!(world.on_disk(), ["root/"]);
}

#[tokio::test]
async fn a_dropped_write_leaves_nothing() {
    let world = World::new();
    let disk = world.on_disk();
    let body = stalled(10 << 20, vec![Bytes::from(vec![1; 2 << 20]), Bytes::from_static(b"x")]);
    let store = world.store.clone();
    let task = tokio::spawn(async move { store.put(&key("a/b"), body, &PutRequest::default()).await });
    until("the temporary file", || world.on_disk().iter().any(|f| f.ends_with(".tmp"))).await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    until("the cleaning", || world.on_disk() == disk).await;
}

#[tokio::test]
async fn deletes_are_conditional_and_prune_what_they_emptied() {
    let world = World::new();
    world.put("a/b/c", "x").await.unwrap();
    world.put("a/d", "x").await.unwrap();
    let stale = Some(ETag::new("file:0-0-0"));
    let delete = async |name: &str, tag: Option<&ETag>| world.store.delete(&key(name), tag).await;
    assert_eq!(kind(delete("a/b/c", stale.as_ref()).await), StoreErrorKind::PreconditionFailed);
    let now = world.store.head(&key("a/b/c"), &HeadRequest::default()).await.unwrap().etag;
    delete("a/b/c", now.as_ref()).await.unwrap();
    assert_eq!(world.on_disk(), ["root/", "root/a/", "root/a/d"]);
    for nothing in ["a/b/c", "a", "a/d/e", "none/x", "a//b", "../x"] {
        delete(nothing, None).await.unwrap();
        delete(nothing, stale.as_ref()).await.unwrap();
    }
    assert_eq!(world.on_disk(), ["root/", "root/a/", "root/a/d"]);
    delete("a/d", None).await.unwrap();
    assert_eq!(world.on_disk(), ["root/"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_survive_deletes_that_prune_their_folder() {
    let world = World::new();
    let work = |half: u32| {
        let store = world.store.clone();
        tokio::spawn(async move {
            for n in 0..100 {
                let name = key(&format!("a/b/{half}-{n}"));
                store.put(&name, PutBody::Kept(vec![]), &on(WriteCondition::Absent)).await.unwrap();
                store.delete(&name, None).await.unwrap();
            }
        })
    };
    let (one, two) = (work(1), work(2));
    one.await.unwrap();
    two.await.unwrap();
    assert_eq!(world.on_disk(), ["root/"]);
}

#[tokio::test]
async fn durable_writes_work() {
    let world = World::new();
    let store = Directory::open(world.root(), DirectoryOptions { create: false, durable: true }).unwrap();
    for name in ["a/f", "a/f", "g"] {
        store
            .put(&key(name), PutBody::Kept(vec![Bytes::from_static(b"x")]), &PutRequest::default())
            .await
            .unwrap();
    }
    assert_eq!(world.on_disk(), ["root/", "root/a/", "root/a/f", "root/g"]);
}

#[tokio::test]
async fn a_full_disk_is_said_so() {
    // Writes to this device fail as on a full disk.
    let Ok(mut full) = std::fs::OpenOptions::new().write(true).open("/dev/full") else { return };
    let error = super::super::feed::write_frames(&mut full, &[Bytes::from_static(b"x")]).unwrap_err();
    let error = super::super::fault::failed_key("write", &key("f"), &error);
    assert_eq!(error.kind, StoreErrorKind::Full);
    assert!(error.message.contains("make room"), "{error}");
}

#[tokio::test]
async fn only_old_left_overs_are_swept() {
    use std::time::{Duration, SystemTime};
    let world = World::new();
    for name in ["a/.longbow-0000000000000001.tmp", ".longbow-0000000000000002.tmp", "a/keep.tmp", "a/f"] {
        world.file(name, "");
    }
    world.file("a/.longbow-0000000000000003-f.part", "");
    world.file("a/.longbow-0000000000000004.part", "");
    let hour = Duration::from_secs(3600);
    assert_eq!(world.store.sweep(SystemTime::now() - hour).await.unwrap(), 0);
    assert_eq!(world.store.sweep(SystemTime::now() + hour).await.unwrap(), 3);
    assert_eq!(
        world.on_disk(),
        ["root/", "root/a/", "root/a/.longbow-0000000000000003-f.part", "root/a/f", "root/a/keep.tmp"]
    );
}
