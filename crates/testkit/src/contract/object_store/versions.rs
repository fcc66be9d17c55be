//! Listings by versions: what each key has now, and what its version is.
//!
//! In a bucket without versioning they are plain listings. Which of both the bucket is, its own answers to writes say.

use bytes::Bytes;
use longbow_core::failure::StoreErrorKind;
use longbow_core::object::{ObjectKey, ObjectMeta, Prefix, VersionId};
use longbow_core::port::GetRequest;

use super::Store;
use crate::contract::calls::{put, read};
use crate::contract::quirks::Quirks;
use crate::contract::verdict::{Check, Verdict, Violation, checks, demand};

pub(super) fn checks() -> Vec<Check<Store, Quirks>> {
    checks![
        versions_are_those_that_writes_answered,
        what_is_deleted_is_in_no_listing_of_versions,
        pages_of_versions_are_complete,
        a_listing_of_versions_begins_after_a_key,
    ]
}

/// All pages; `None` by a store without versions, which must say so.
async fn list(
    store: &Store,
    quirks: &Quirks,
    prefix: &str,
    after: Option<&ObjectKey>,
) -> Result<Option<Vec<ObjectMeta>>, Violation> {
    let prefix = Prefix::raw(prefix);
    let mut objects = Vec::new();
    let mut page: Option<String> = None;
    loop {
        let found = match store.list_versions(&prefix, after, page.as_deref()).await {
            Err(error) if matches!(error.kind, StoreErrorKind::Unsupported(_)) && !quirks.lists_versions => {
                return Ok(None);
            }
            found => found?,
        };
        objects.extend(found.objects);
        match found.next {
            None => break,
            Some(next) => {
                demand!(page.as_ref() != Some(&next), "the listing goes round in a circle at {next:?}");
                page = Some(next);
            }
        }
    }
    demand!(quirks.lists_versions, "the store lists versions, though none was expected to");
    let sorted = objects.windows(2).find(|pair| pair[0].key.as_str() >= pair[1].key.as_str());
    demand!(sorted.is_none(), "not in byte order: {sorted:?}");
    demand!(objects.iter().all(|o| o.version != Some(VersionId("null".into()))), "null is no version");
    Ok(Some(objects))
}

async fn versions_are_those_that_writes_answered(store: &Store, quirks: &Quirks) -> Verdict {
    let key = |name: &str| quirks.key("versions", name);
    // Odd ones too: they come encoded, and decoded once.
    for name in ["a", "b+ %41", "c/d", "\u{e9}"] {
        put(store, &key(name), &Bytes::from_static(b"the first")).await?;
        let body = Bytes::from(format!("the second of {name}"));
        let written = put(store, &key(name), &body).await?;
        let Some(listed) = list(store, quirks, key("").as_str(), None).await? else { return Ok(()) };
        let found: Vec<_> = listed.iter().filter(|object| object.key == key(name)).collect();
        let [found] = found[..] else {
            return Err(Violation(format!("{name:?} is listed {} times", found.len())));
        };
        demand!(found.size == body.len() as u64, "{name:?} has {} bytes", found.size);
        demand!(found.version == written.version, "{:?} was written, {found:?} listed", written.version);
        demand!(found.etag == written.etag, "{:?} was written, {found:?} listed", written.etag);
        if found.version.is_some() {
            let mut request = GetRequest::default();
            request.pin.version.clone_from(&found.version);
            let (_, bytes) = read(store, &key(name), &request).await?;
            demand!(bytes == body, "the version that is listed holds other bytes");
        }
    }
    Ok(())
}

async fn what_is_deleted_is_in_no_listing_of_versions(store: &Store, quirks: &Quirks) -> Verdict {
    let key = |name: &str| quirks.key("versions-deleted", name);
    for name in ["a", "b", "c"] {
        put(store, &key(name), &Bytes::from_static(b"1")).await?;
    }
    store.delete(&key("b"), None).await?;
    store.delete(&key("c"), None).await?;
    put(store, &key("c"), &Bytes::from_static(b"2")).await?;
    let Some(listed) = list(store, quirks, key("").as_str(), None).await? else { return Ok(()) };
    let listed: Vec<_> = listed.into_iter().map(|object| object.key).collect();
    demand!(listed == [key("a"), key("c")], "there is {listed:?}");
    Ok(())
}

async fn pages_of_versions_are_complete(store: &Store, quirks: &Quirks) -> Verdict {
    let prefix = quirks.key("versions-pages", "");
    let names: Vec<ObjectKey> =
        (0..quirks.listed_objects).map(|n| format!("{}{n:05}", prefix.as_str()).into()).collect();
    for some in names.chunks(16) {
        let body = Bytes::from_static(b"1");
        let puts = some.iter().map(|key| put(store, key, &body));
        futures_util::future::try_join_all(puts).await?;
    }
    // Some have older versions, where there are such, and lie about the ends of pages.
    for key in names.iter().step_by(3) {
        put(store, key, &Bytes::from_static(b"2")).await?;
    }
    let Some(listed) = list(store, quirks, prefix.as_str(), None).await? else { return Ok(()) };
    let listed: Vec<_> = listed.into_iter().map(|object| object.key).collect();
    demand!(listed == names, "{} keys were put, {} listed", names.len(), listed.len());
    Ok(())
}

async fn a_listing_of_versions_begins_after_a_key(store: &Store, quirks: &Quirks) -> Verdict {
    let key = |name: &str| quirks.key("versions-after", name);
    for name in ["a", "a", "b", "b", "c d+", "c d+", "e"] {
        put(store, &key(name), &Bytes::from_static(b"1")).await?;
    }
    for (after, expected) in [
        ("a", &["b", "c d+", "e"][..]),
        ("b", &["c d+", "e"]),
        ("bb", &["c d+", "e"]),
        ("c d+", &["e"]),
        ("e", &[]),
    ] {
        let after = key(after);
        let found = list(store, quirks, key("").as_str(), Some(&after)).await?;
        let Some(found) = found else { return Ok(()) };
        let found: Vec<_> = found.into_iter().map(|object| object.key).collect();
        let expected: Vec<_> = expected.iter().map(|name| key(name)).collect();
        demand!(found == expected, "after {after} there is {found:?}");
    }
    Ok(())
}
