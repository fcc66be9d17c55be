//! The order, the pages and the edges of listings.

use std::os::unix::ffi::OsStrExt;

use longbow_core::object::{KeyOrder, Prefix, Timestamp};
use proptest::prelude::*;

use super::*;

async fn all(store: &Directory, prefix: &Prefix) -> (Vec<String>, Vec<String>, usize) {
    let (mut found, mut skipped, mut pages, mut token) = (Vec::new(), Vec::new(), 0, None);
    loop {
        let page = store.list(prefix, token.as_deref()).await.unwrap();
        assert!(page.objects.len() + page.skipped.len() <= 1001);
        found.extend(page.objects.iter().map(|o| o.key.as_str().to_owned()));
        skipped.extend(page.skipped);
        pages += 1;
        token = page.next;
        if token.is_none() {
            return (found, skipped, pages);
        }
    }
}

/// As a later process would list: every page from its token alone.
async fn all_forgetting(store: &Directory, prefix: &Prefix) -> Vec<String> {
    let (mut found, mut token) = (Vec::new(), None);
    loop {
        store.waiting.forget();
        let page = store.list(prefix, token.as_deref()).await.unwrap();
        found.extend(page.objects.iter().map(|o| o.key.as_str().to_owned()));
        token = page.next;
        if token.is_none() {
            return found;
        }
    }
}

#[tokio::test]
async fn both_orders_are_kept() {
    let world = World::new();
    for name in ["a-b", "a.b", "a/b", "a/-", "a0", "a-/x", "b", "a/b-/c"] {
        world.file(name, name);
    }
    let page = world.store.list(&Prefix::default(), None).await.unwrap();
    assert_eq!(keys(&page), ["a-/x", "a-b", "a.b", "a/-", "a/b", "a/b-/c", "a0", "b"]);
    assert_eq!((page.next, page.skipped.len()), (None, 0));
    let folders = world.store.clone().with_order(KeyOrder::Folders);
    assert_eq!(folders.traits().order, Some(KeyOrder::Folders));
    let page = folders.list(&Prefix::default(), None).await.unwrap();
    assert_eq!(keys(&page), ["a/-", "a/b", "a/b-/c", "a-/x", "a-b", "a.b", "a0", "b"]);
}

#[tokio::test]
async fn entries_say_what_a_head_says() {
    let world = World::new();
    world
        .put_with(
            "a",
            "12345",
            PutRequest { modified: Some(Timestamp(1_700_000_000_123)), ..Default::default() },
        )
        .await
        .unwrap();
    let page = world.store.list(&Prefix::default(), None).await.unwrap();
    let head = world.store.head(&key("a"), &Default::default()).await.unwrap();
    assert_eq!(page.objects[0].size, 5);
    assert_eq!(page.objects[0].etag, head.etag);
    assert_eq!(page.objects[0].modified, Some(Timestamp(1_700_000_000_123)));
    assert_eq!(head.modified, page.objects[0].modified);
}

#[tokio::test]
async fn prefixes_are_folders_or_raw() {
    let world = World::new();
    for name in ["p/a", "p/b/c", "pp/x", "p.txt", "q"] {
        world.file(name, "");
    }
    let list = async |prefix: Prefix| all(&world.store, &prefix).await.0;
    assert_eq!(list(Prefix::folder("p")).await, ["p/a", "p/b/c"]);
    assert_eq!(list(Prefix::raw("p")).await, ["p.txt", "p/a", "p/b/c", "pp/x"]);
    assert_eq!(list(Prefix::raw("p/b")).await, ["p/b/c"]);
    assert_eq!(list(Prefix::folder("q")).await, [""; 0]);
    for nothing in ["none/", "p//", "../", "./", "/", "p/../p/", "p/a/"] {
        assert_eq!(list(Prefix::raw(nothing)).await, [""; 0], "{nothing}");
    }
}

#[tokio::test]
async fn a_flat_folder_of_20_000_is_read_once_and_paged() {
    let world = World::new();
    let mut expected: Vec<String> = (0..20_000).map(|n| format!("file-{n}")).collect();
    for name in &expected {
        std::fs::File::create(world.root().join(name)).unwrap();
    }
    expected.sort();
    let (found, _, pages) = all(&world.store, &Prefix::default()).await;
    assert_eq!(found, expected);
    assert_eq!(pages, 20);
    assert_eq!(all_forgetting(&world.store, &Prefix::default()).await, expected);
}

#[tokio::test]
async fn what_appears_behind_the_walk_is_not_told_and_what_vanished_before_it_neither() {
    let world = World::new();
    for n in 0..1500 {
        world.file(&format!("d{:02}/f{n:04}", n / 100), "");
    }
    let first = world.store.list(&Prefix::default(), None).await.unwrap();
    assert_eq!(first.objects.len(), 1000);
    std::fs::remove_dir_all(world.root().join("d12")).unwrap();
    std::fs::remove_file(world.root().join("d11/f1150")).unwrap();
    world.file("a-late-one", "");
    let second = world.store.list(&Prefix::default(), first.next.as_deref()).await.unwrap();
    assert_eq!(second.objects.len(), 399);
    assert_eq!(keys(&second)[0], "d10/f1000");
    assert_eq!(second.next, None);
}

#[tokio::test]
async fn what_is_no_object_is_told_with_the_reason() {
    let world = World::new();
    world.file("ok", "");
    world.file(".longbow-0123456789abcdef.tmp", "left over");
    world.file(".longbow-0123456789abcdef-x.part", "unfinished");
    world.file(".longbow-note", "a user's own");
    world.file(".longbow-fedcba9876543210.tmp/inside", "");
    std::fs::create_dir(world.root().join("empty")).unwrap();
    std::os::unix::fs::symlink("ok", world.root().join("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(world.root().join("socket")).unwrap();
    std::fs::write(world.root().join(std::ffi::OsStr::from_bytes(b"\xff\x1b")), "").unwrap();
    let (found, skipped, _) = all(&world.store, &Prefix::default()).await;
    assert_eq!(found, [".longbow-note", "ok"]);
    assert_eq!(
        skipped,
        [
            ".longbow-fedcba9876543210.tmp/: its name is of the form of longbow's temporary files",
            "link: symbolic link, not followed",
            "socket: a socket",
            "\\xff\\x1b: its name is not UTF-8",
        ]
    );
    let page = world.store.list(&Prefix::raw("link/"), None).await.unwrap();
    assert!(page.objects.is_empty() && page.skipped[0].contains("symbolic link"), "{:?}", page.skipped);
}

#[tokio::test]
async fn many_skipped_entries_are_paged_too() {
    let world = World::new();
    for n in 0..2500 {
        let name = [b"\xff".as_slice(), format!("{n:04}").as_bytes()].concat();
        std::os::unix::fs::symlink("x", world.root().join(std::ffi::OsStr::from_bytes(&name))).unwrap();
    }
    world.file("a/b", "");
    let (found, skipped, pages) = all(&world.store, &Prefix::default()).await;
    assert_eq!((found.len(), skipped.len(), pages), (1, 2500, 3));
    assert_eq!(all_forgetting(&world.store, &Prefix::default()).await, ["a/b"]);
}

#[tokio::test]
async fn a_deep_tree_needs_few_open_folders() {
    let world = World::new();
    let deep = format!("{}leaf", "d/".repeat(1000));
    let mut dir = world.root();
    for _ in 0..1000 {
        dir.push("d");
    }
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("leaf"), "").unwrap();
    world.file("d/z", "");
    let (found, _, _) = all(&world.store, &Prefix::default()).await;
    assert_eq!(found, [deep.as_str(), "d/z"]);
    assert_eq!(world.get(&deep, Default::default()).await.unwrap(), b"");
}

#[tokio::test]
async fn a_page_that_cannot_be_read_whole_is_an_error() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.file("a/x", "");
    world.file("shut/x", "");
    let shut = world.root().join("shut");
    std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(0o000)).unwrap();
    // The superuser may read it all the same: then there is nothing to see here.
    if std::fs::read_dir(&shut).is_err() {
        assert_eq!(kind(world.store.list(&Prefix::default(), None).await), StoreErrorKind::Denied);
    }
    std::fs::set_permissions(&shut, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(kind(world.store.list(&Prefix::default(), Some("no token")).await), StoreErrorKind::Permanent);
    std::fs::remove_dir_all(world.root()).unwrap();
    assert_eq!(kind(world.store.list(&Prefix::default(), None).await), StoreErrorKind::NoSuchBucket);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]
    #[test]
    fn any_tree_lists_in_order_and_resumes_after_any_key(
        names in proptest::collection::btree_set("[ab.0-]{1,2}(/[ab.0-]{1,2}){0,2}", 1..25),
        folders: bool,
    ) {
        let order = if folders { KeyOrder::Folders } else { KeyOrder::Bytes };
        let world = World::new();
        for name in &names {
            let path = world.root().join(name);
            // `.` and `..` are no names, and a file may stand where a folder is needed: then that key is not there.
            if !name.split('/').any(|s| s == "." || s == "..")
                && std::fs::create_dir_all(path.parent().unwrap()).is_ok()
                && !path.is_dir()
            {
                std::fs::write(path, "").unwrap();
            }
        }
        let mut expected: Vec<String> = names
            .into_iter()
            .filter(|n| !n.split('/').any(|s| s == "." || s == "..") && world.root().join(n).is_file())
            .collect();
        expected.sort_by(|a, b| order.compare(a, b));
        let store = world.store.clone().with_order(order);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            prop_assert_eq!(&all(&store, &Prefix::default()).await.0, &expected);
            for (at, after) in expected.iter().enumerate() {
                let token: String = after.bytes().map(|b| format!("{b:02x}")).collect();
                let page = store.list(&Prefix::default(), Some(&token)).await.unwrap();
                prop_assert_eq!(keys(&page), expected[at + 1..].iter().map(String::as_str).collect::<Vec<_>>());
            }
            Ok(())
        })?;
    }
}
