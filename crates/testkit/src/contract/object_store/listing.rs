//! Listings: complete, in the promised order, and of nothing else.

use bytes::Bytes;
use longbow_core::failure::{Feature, StoreErrorKind};
use longbow_core::object::{KeyOrder, ObjectKey, Prefix};

use super::Store;
use crate::contract::calls::{keys, list, put};
use crate::contract::quirks::{KeyFate, Quirks, Starts};
use crate::contract::verdict::{Check, Verdict, Violation, checks, demand};

pub(super) fn checks() -> Vec<Check<Store, Quirks>> {
    checks![
        pages_are_complete_and_in_order,
        a_prefix_is_not_its_siblings,
        nothing_is_an_empty_listing,
        a_listing_begins_after_any_key,
    ]
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

/// Names whose order differs in bytes, in letters without case, in UTF-16 and as they are encoded.
const FLAT: &[&str] = &[
    "a",
    "a b",
    "a!b",
    "a%41",
    "a&b=c",
    "a+b",
    "a\u{1}b",
    "a\nb",
    "aA",
    "a\u{e9}",
    "B",
    "b",
    "b+",
    "~",
    "\u{ff5e}",
    "\u{1f3f9}",
];

/// Names in folders and beside them.
const DEEP: &[&str] = &["f-x", "f.", "f/x", "f/y/z", "f/yy", "f0", "g/x"];

/// Starts that are no names: above, below and between them, and folders.
const BETWEEN: &[&str] =
    &["", "\u{1}", "a ", "a%", "a+", "aB", "e", "f", "f/", "f/y", "f/y/", "f/y/zz", "g/", "\u{10ffff}"];

/// The keys of a listing that begins after a key; `None` where it can only begin at its start.
async fn after(
    store: &Store,
    prefix: &Prefix,
    start: Option<&ObjectKey>,
) -> Result<Option<Vec<String>>, Violation> {
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let page = match store.list_from(prefix, start, token.as_deref()).await {
            Err(error) if error.kind == StoreErrorKind::Unsupported(Feature::Other) => return Ok(None),
            page => page?,
        };
        found.extend(page.objects.into_iter().map(|object| object.key.as_str().to_owned()));
        token = page.next;
        if token.is_none() {
            return Ok(Some(found));
        }
    }
}

/// A start need not be a key, nor lie under the prefix.
async fn a_listing_begins_after_any_key(store: &Store, quirks: &Quirks) -> Verdict {
    let base = quirks.key("after", "");
    let base = base.as_str();
    let deep = quirks.starts != Starts::OutsideFolders;
    let kept = |key: &String| (quirks.fate)(key) == KeyFate::Kept;
    let names = FLAT.iter().chain(if deep { DEEP } else { &[] });
    let mut keys: Vec<String> = names.map(|name| format!("{base}{name}")).filter(kept).collect();
    for key in &keys {
        put_entry(store, key.clone()).await?;
    }
    keys.sort();
    let whole = after(store, &Prefix::raw(base), None).await?.unwrap_or_default();
    if store.traits().order != Some(KeyOrder::Bytes) && deep && whole != keys {
        // For stores in byte order only.
        return Ok(());
    }
    let between = BETWEEN.iter().filter(|name| deep || !name.contains('/'));
    let mut starts: Vec<String> = between.map(|name| format!("{base}{name}")).collect();
    starts.extend(keys.iter().cloned());
    starts.extend([" ".to_owned(), base[..base.len() - 1].to_owned(), "\u{10ffff}".to_owned()]);
    for prefix in [base.to_owned(), format!("{base}a"), format!("{base}f"), format!("{base}f/")] {
        for start in &starts {
            let found = after(store, &Prefix::raw(&prefix), Some(&start.as_str().into())).await?;
            let able = quirks.starts != Starts::AtTheBeginning;
            demand!(found.is_some() == able, "a listing that begins after {start:?} gives {found:?}");
            let Some(mut found) = found else { continue };
            if !deep {
                found.sort();
            }
            let expected: Vec<&String> =
                keys.iter().filter(|key| key.starts_with(&prefix) && *key > start).collect();
            let same = found.iter().eq(expected.iter().copied());
            demand!(same, "under {prefix:?} after {start:?} there is {found:?}, not {expected:?}");
        }
    }
    Ok(())
}
