//! Listings: complete, in the promised order, and of nothing else.

use bytes::Bytes;
use longbow_core::object::{KeyOrder, ObjectKey, Prefix};

use super::Store;
use crate::contract::calls::{keys, list, put};
use crate::contract::quirks::Quirks;
use crate::contract::verdict::{Check, Verdict, checks, demand};

pub(super) fn checks() -> Vec<Check<Store, Quirks>> {
    checks![pages_are_complete_and_in_order, a_prefix_is_not_its_siblings, nothing_is_an_empty_listing,]
}

/// Names in folders and beside them, so that byte order and folder order differ.
fn names(count: usize) -> Vec<String> {
    (0..count)
        .map(|i| match i % 5 {
            0 => format!("a/{i:05}"),
            1 => format!("a-b{i:05}"),
            2 => format!("a.c/d/{i:05}"),
            3 => format!("a0{i:05}/e"),
            _ => format!("b/c/{i:05}"),
        })
        .collect()
}

async fn put_entry(store: &Store, key: String) -> Verdict {
    put(store, &ObjectKey::new(key), &Bytes::from_static(b"entry")).await?;
    Ok(())
}

async fn pages_are_complete_and_in_order(store: &Store, quirks: &Quirks) -> Verdict {
    let prefix = quirks.key("pages", "");
    let mut expected: Vec<String> =
        names(quirks.listed_objects).iter().map(|name| format!("{prefix}{name}")).collect();
    expected.sort();
    let there = keys(store, prefix.as_str()).await?;
    let missing: Vec<String> = expected.iter().filter(|key| !there.contains(key)).cloned().collect();
    for some in missing.chunks(16) {
        let puts = some.iter().map(|key| put_entry(store, key.clone()));
        futures_util::future::try_join_all(puts).await?;
    }

    let listed = list(store, prefix.as_str()).await?;
    demand!(listed.iter().all(|entry| entry.size == 5), "an entry has another size");
    let mut found: Vec<String> = listed.iter().map(|entry| entry.key.as_str().to_owned()).collect();
    if let Some(order) = store.traits().order {
        let sorted = found.windows(2).find(|pair| order.compare(&pair[0], &pair[1]).is_ge());
        demand!(sorted.is_none(), "the order {order:?} is promised, but {sorted:?} follow each other");
    }
    found.sort();
    let doubled = found.windows(2).find(|pair| pair[0] == pair[1]);
    demand!(doubled.is_none(), "listed twice: {doubled:?}");
    demand!(found == expected, "{} keys were put, {} listed", expected.len(), found.len());

    // A page's own objects are in order too when nothing is promised: either one or the other.
    let first = store.list(&Prefix::raw(prefix.as_str()), None).await?;
    let page: Vec<&str> = first.objects.iter().map(|object| object.key.as_str()).collect();
    let ordered = |order: KeyOrder| page.windows(2).all(|pair| order.compare(pair[0], pair[1]).is_lt());
    demand!(
        ordered(KeyOrder::Bytes) || ordered(KeyOrder::Folders),
        "the first page is in no order that longbow knows"
    );
    Ok(())
}

async fn a_prefix_is_not_its_siblings(store: &Store, quirks: &Quirks) -> Verdict {
    let base = quirks.key("prefix", "");
    for name in ["p/x", "p/y/z", "pp/x", "p-x"] {
        put(store, &ObjectKey::new(format!("{base}{name}")), &Bytes::from_static(b"1")).await?;
    }
    for (prefix, expected) in [
        (Prefix::folder(&format!("{base}p")), vec!["p/x", "p/y/z"]),
        (Prefix::raw(&format!("{base}p")), vec!["p-x", "p/x", "p/y/z", "pp/x"]),
        (Prefix::folder(&format!("{base}p/y")), vec!["p/y/z"]),
    ] {
        let mut found = keys(store, prefix.as_str()).await?;
        found.sort();
        let expected: Vec<String> = expected.iter().map(|name| format!("{base}{name}")).collect();
        demand!(found == expected, "under {prefix:?} there is {found:?}");
    }
    Ok(())
}

async fn nothing_is_an_empty_listing(store: &Store, quirks: &Quirks) -> Verdict {
    let page = store.list(&Prefix::raw(quirks.key("no-such-thing", "").as_str()), None).await?;
    demand!(page.objects.is_empty() && page.next.is_none(), "there is something: {page:?}");
    Ok(())
}
