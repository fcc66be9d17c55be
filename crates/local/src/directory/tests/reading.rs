//! Heads and bodies: pins, ranges, and files that change while they are read.

use std::io::Write as _;

use longbow_core::object::{ETag, VersionId};
use longbow_core::port::{ByteRange, HeadRequest, ReadPin};

use super::*;

fn pinned(etag: ETag) -> ReadPin {
    ReadPin { etag: Some(etag), version: None }
}

async fn etag(world: &World, name: &str) -> ETag {
    world.store.head(&key(name), &HeadRequest::default()).await.unwrap().etag.unwrap()
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect()
}

#[tokio::test]
async fn bodies_come_whole_and_in_ranges() {
    let world = World::new();
    for length in [0, 1, (256 << 10) - 1, 256 << 10, (256 << 10) + 1, 3_000_001] {
        let content = pattern(length);
        std::fs::write(world.root().join("f"), &content).unwrap();
        let request = GetRequest { pin: pinned(etag(&world, "f").await), ..Default::default() };
        assert!(world.get("f", request).await.unwrap() == content, "{length}");
    }
    let content = pattern(3_000_001);
    for (start, length) in [(0u64, 1u64), (3_000_000, 1), (1_000_000, 1_500_000), (0, 3_000_001)] {
        let request = GetRequest { range: Some(ByteRange { start, length }), ..Default::default() };
        let wanted = usize::try_from(start).unwrap()..usize::try_from(start + length).unwrap();
        assert!(world.get("f", request).await.unwrap() == content[wanted], "{start}+{length}");
    }
    let body = world
        .store
        .get(&key("f"), &GetRequest { range: Some(ByteRange { start: 5, length: 7 }), ..Default::default() })
        .await
        .unwrap();
    assert_eq!((body.length, body.head.size), (7, 3_000_001));
    let over =
        GetRequest { range: Some(ByteRange { start: 3_000_000, length: u64::MAX }), ..Default::default() };
    assert!(world.get("f", over).await.unwrap() == content[3_000_000..]);
    for (start, length) in [(3_000_001, 1), (u64::MAX, 2)] {
        let request = GetRequest { range: Some(ByteRange { start, length }), ..Default::default() };
        assert_eq!(kind(world.get("f", request).await), StoreErrorKind::Corrupt);
    }
}

#[tokio::test]
async fn a_pin_holds_for_one_state_of_one_file() {
    let world = World::new();
    world.put("f", "one").await.unwrap();
    let old = etag(&world, "f").await;
    world.put("f", "two").await.unwrap();
    let get = GetRequest { pin: pinned(old.clone()), ..Default::default() };
    let head = HeadRequest { pin: pinned(old), ..Default::default() };
    assert_eq!(kind(world.get("f", get.clone()).await), StoreErrorKind::PreconditionFailed);
    assert_eq!(kind(world.store.head(&key("f"), &head).await), StoreErrorKind::PreconditionFailed);
    std::fs::remove_file(world.root().join("f")).unwrap();
    assert_eq!(kind(world.get("f", get).await), StoreErrorKind::NotFound);
    assert_eq!(kind(world.store.head(&key("f"), &head).await), StoreErrorKind::NotFound);
    world.put("f", "three").await.unwrap();
    let version = ReadPin { etag: None, version: Some(VersionId("1".into())) };
    assert_eq!(
        kind(world.get("f", GetRequest { pin: version, ..Default::default() }).await),
        StoreErrorKind::NotFound
    );
}

#[tokio::test]
async fn what_is_no_file_is_not_found_and_never_waited_for() {
    let world = World::new();
    world.file("dir/f", "");
    std::os::unix::fs::symlink("dir/f", world.root().join("link")).unwrap();
    std::os::unix::fs::symlink("dir", world.root().join("dirlink")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.root().join("socket")).unwrap();
    let pipe = world.root().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    for name in ["none", "none/f", "dir", "dir/f/g", "link", "dirlink/f", "socket", "pipe"] {
        assert_eq!(kind(world.get(name, GetRequest::default()).await), StoreErrorKind::NotFound, "{name}");
        let head = world.store.head(&key(name), &HeadRequest::default()).await;
        assert_eq!(kind(head), StoreErrorKind::NotFound, "{name}");
    }
    assert_eq!(kind(world.get("a//b", GetRequest::default()).await), StoreErrorKind::InvalidKey);
}

#[tokio::test]
async fn a_file_that_grows_while_it_is_read_is_an_error_of_the_stream() {
    let world = World::new();
    let path = world.root().join("f");
    std::fs::write(&path, pattern(2_000_000)).unwrap();
    let request = GetRequest { pin: pinned(etag(&world, "f").await), ..Default::default() };
    let body = world.store.get(&key("f"), &request).await.unwrap();
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"more").unwrap();
    assert_eq!(kind(drain(body).await), StoreErrorKind::PreconditionFailed);
}

#[tokio::test]
async fn the_last_frame_of_a_changed_file_is_withheld() {
    let world = World::new();
    let path = world.root().join("f");
    std::fs::write(&path, pattern(600 << 10)).unwrap();
    let mut body = world.store.get(&key("f"), &GetRequest::default()).await.unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.set_times(std::fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH)).unwrap();
    let (mut seen, mut error) = (0, None);
    while let Some(frame) = body.stream.next().await {
        match frame {
            Ok(frame) => seen += frame.len() as u64,
            Err(e) => error = Some(e.kind),
        }
    }
    assert_eq!(error, Some(StoreErrorKind::PreconditionFailed));
    assert!(seen < body.length, "a reader that counts bytes must see the error too");
}

#[tokio::test]
async fn a_file_that_shrinks_while_it_is_read_is_corrupt() {
    let world = World::new();
    let path = world.root().join("f");
    std::fs::write(&path, pattern(2_000_000)).unwrap();
    let body = world.store.get(&key("f"), &GetRequest::default()).await.unwrap();
    std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(300_000).unwrap();
    assert_eq!(kind(drain(body).await), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn a_file_that_is_replaced_while_it_is_read_is_read_as_it_was() {
    let world = World::new();
    let content = pattern(2_000_000);
    std::fs::write(world.root().join("f"), &content).unwrap();
    let body = world.store.get(&key("f"), &GetRequest::default()).await.unwrap();
    world.put("f", "another").await.unwrap();
    assert!(drain(body).await.unwrap() == content);
}
