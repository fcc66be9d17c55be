//! Keys and links that would lead out of the folder, or make two keys one file.

use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use longbow_core::object::ETag;
use longbow_core::port::{CreateRequest, MultipartStore, PartRequest, UploadId, WriteCondition};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::*;

const HOSTILE: [&str; 13] = [
    "../x",
    "..",
    ".",
    "a/../../x",
    "a/..",
    "/x",
    "/etc/x",
    "a//x",
    "a/./x",
    "a/",
    "dir/",
    "a\0b",
    ".longbow-0123456789abcdef.tmp",
];

#[tokio::test]
async fn keys_that_cannot_be_files_are_refused_and_nothing_is_written() {
    let world = World::new();
    let long = "x".repeat(256);
    for name in HOSTILE.into_iter().chain([long.as_str(), ""]) {
        for content in ["", "content"] {
            let error = world.put(name, content).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::InvalidKey, "{name:?}");
        }
        let upload = world.store.create_upload(&key(name), &CreateRequest::default()).await;
        assert_eq!(kind(upload), StoreErrorKind::InvalidKey, "{name:?}");
        assert_eq!(
            kind(world.get(name, GetRequest::default()).await),
            StoreErrorKind::InvalidKey,
            "{name:?}"
        );
    }
    assert_eq!(world.on_disk(), ["root/"]);
}

#[tokio::test]
async fn the_longest_and_oddest_names_arrive_as_they_are() {
    let world = World::new();
    let long = format!("{}/{}", "x".repeat(255), "é".repeat(127));
    let names =
        ["+", "%41", " ", "a b", "\u{1}\n\u{1b}", "...", "-rf", "\\..\\x", "日本", "Readme", "README", &long];
    for name in names {
        world
            .put_with(name, name, PutRequest { condition: WriteCondition::Absent, ..Default::default() })
            .await
            .unwrap();
    }
    let page = world.store.list(&Default::default(), None).await.unwrap();
    let mut sorted: Vec<&str> = names.to_vec();
    sorted.sort_unstable();
    assert_eq!(keys(&page), sorted);
    for name in names {
        assert_eq!(world.get(name, GetRequest::default()).await.unwrap(), name.as_bytes());
    }
}

#[tokio::test]
async fn a_file_beside_a_folder_of_its_name_is_refused() {
    let world = World::new();
    world.put("a", "file").await.unwrap();
    world.put("b/c", "file").await.unwrap();
    let message = async |name: &str, condition: WriteCondition| {
        let error =
            world.put_with(name, "x", PutRequest { condition, ..Default::default() }).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::InvalidKey, "{name}");
        error.message
    };
    for condition in [WriteCondition::Always, WriteCondition::Absent, WriteCondition::Matches(ETag::new("x"))]
    {
        assert!(message("a/b", condition.clone()).await.contains("a file is in the way: a"));
        assert!(message("b", condition.clone()).await.contains("a folder has that name"));
    }
    let upload = world.store.create_upload(&key("b"), &CreateRequest::default()).await;
    assert_eq!(kind(upload), StoreErrorKind::InvalidKey);
    assert_eq!(world.on_disk(), ["root/", "root/a", "root/b/", "root/b/c"]);
}

#[tokio::test]
async fn links_lead_nowhere() {
    let world = World::new();
    let outside = world.around.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    world.file("real/f", "inside");
    symlink(&outside, world.root().join("out")).unwrap();
    symlink("../outside", world.root().join("relative")).unwrap();
    symlink("real", world.root().join("in")).unwrap();
    symlink(outside.join("secret"), world.root().join("file")).unwrap();
    symlink("nowhere", world.root().join("dangling")).unwrap();
    let disk = world.on_disk();
    for name in [
        "out/x",
        "out/deep/x",
        "relative/x",
        "in/x",
        "out/secret",
        "file",
        "file/x",
        "dangling",
        "dangling/x",
    ] {
        for condition in [WriteCondition::Always, WriteCondition::Absent] {
            let request = PutRequest { condition, ..Default::default() };
            let put = world.put_with(name, "x", request.clone()).await;
            assert_eq!(kind(put), StoreErrorKind::InvalidKey, "{name}");
            let large = streamed(3 << 20, vec![Ok(Bytes::from(vec![0; 3 << 20]))]);
            assert_eq!(
                kind(world.store.put(&key(name), large, &request).await),
                StoreErrorKind::InvalidKey,
                "{name}"
            );
        }
        let upload = world.store.create_upload(&key(name), &CreateRequest::default()).await;
        assert_eq!(kind(upload), StoreErrorKind::InvalidKey, "{name}");
        assert_eq!(kind(world.get(name, GetRequest::default()).await), StoreErrorKind::NotFound, "{name}");
        world.store.delete(&key(name), None).await.unwrap();
    }
    assert_eq!(world.on_disk(), disk);
    assert_eq!(std::fs::read_to_string(outside.join("secret")).unwrap(), "secret");
    let page = world.store.list(&Default::default(), None).await.unwrap();
    assert_eq!(keys(&page), ["real/f"]);
    assert_eq!(page.skipped.len(), 5);
}

/// Somebody exchanges a folder and a link that leads outside all the time: what is opened is never the link.
#[tokio::test]
async fn a_folder_that_becomes_a_link_between_look_and_open_leads_nowhere() {
    let world = World::new();
    let outside = world.around.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("f"), "secret").unwrap();
    world.file("a/f", "inside");
    let (folder, link) = (world.root().join("a"), world.root().join("l"));
    symlink(&outside, &link).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let swapping = std::thread::spawn({
        let done = Arc::clone(&done);
        move || {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &folder, CWD, &link, RenameFlags::EXCHANGE).unwrap();
                std::thread::yield_now();
            }
        }
    });
    let (mut written, mut refused) = (0, 0);
    let until = Instant::now() + Duration::from_secs(60);
    while (written < 200 || refused < 200) && Instant::now() < until {
        if let Ok(read) = world.get("a/f", GetRequest::default()).await {
            assert_eq!(read, b"inside");
        }
        match world.put("a/f", "inside").await {
            Ok(_) => written += 1,
            Err(_) => refused += 1,
        }
    }
    done.store(true, Ordering::Relaxed);
    swapping.join().unwrap();
    assert!(written > 0 && refused > 0, "{written} written, {refused} refused");
    assert_eq!(std::fs::read_to_string(outside.join("f")).unwrap(), "secret");
    let names: Vec<_> = std::fs::read_dir(&outside).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["f"], "nothing was written outside");
}

#[tokio::test]
async fn upload_ids_name_longbows_own_files_only() {
    let world = World::new();
    world.file("a/f", "content");
    std::fs::write(world.around.path().join(".longbow-0123456789abcdef.part"), "outside").unwrap();
    world.file(".longbow-0123456789abcdef.part", "elsewhere");
    let disk = world.on_disk();
    for id in [
        "",
        "a/f",
        "f",
        "a/",
        "../.longbow-0123456789abcdef.part",
        ".longbow-0123456789abcdef.part",
        "a/../.longbow-0123456789abcdef.part",
    ] {
        let id = UploadId(id.into());
        let part = PartRequest { number: 1, offset: 0, md5: None };
        let put = world.store.put_part(&key("a/g"), &id, PutBody::Kept(vec![]), &part).await;
        assert_eq!(kind(put), StoreErrorKind::NoSuchUpload, "{id:?}");
        let done = world.store.complete_upload(&key("a/g"), &id, &Default::default()).await;
        assert_eq!(kind(done), StoreErrorKind::NoSuchUpload, "{id:?}");
        world.store.abort_upload(&key("a/g"), &id).await.unwrap();
    }
    assert_eq!(world.on_disk(), disk);
}

#[test]
fn a_root_may_be_reached_through_a_link() {
    let world = World::new();
    symlink(world.root(), world.around.path().join("alias")).unwrap();
    let store = Directory::open(world.around.path().join("alias"), DirectoryOptions::default()).unwrap();
    let traits = store.traits();
    assert!(traits.folder && !traits.amazon && traits.copy_domain.is_none());
    assert_eq!(traits.name, world.around.path().join("alias").display().to_string());
}
