//! Round trips, ranges and pins.

use bytes::Bytes;
use longbow_core::failure::StoreErrorKind;
use longbow_core::object::ETag;
use longbow_core::port::{ByteRange, GetRequest, HeadRequest};

use super::Store;
use crate::contract::calls::{get, get_range, head, list, md5_of, pin, put, read, refused, tag};
use crate::contract::quirks::Quirks;
use crate::contract::verdict::{Check, Verdict, checks, demand};
use crate::generate;

pub(super) fn checks() -> Vec<Check<Store, Quirks>> {
    checks![
        what_was_put_is_read_listed_and_headed,
        an_empty_object_is_an_object,
        ranges_are_exact,
        a_pin_that_does_not_hold_reads_nothing,
        a_replaced_object_is_no_longer_the_pinned_one,
        a_missing_object_is_not_found,
    ]
}

async fn what_was_put_is_read_listed_and_headed(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("round-trip", "object.bin");
    let bytes = generate::bytes(1, 300_001);
    let etag = tag(put(store, &key, &bytes).await?)?;
    let (got, body) = read(store, &key, &GetRequest::default()).await?;
    demand!(body == bytes, "other bytes came back");
    let headed = head(store, &key).await?;
    for (what, head) in [("GET", &got), ("HEAD", &headed)] {
        demand!(head.size == 300_001, "{what} states {} bytes", head.size);
        demand!(head.etag.as_ref() == Some(&etag), "{what} states {:?}, the write {etag}", head.etag);
        demand!(head.modified.is_some(), "{what} states no modification time");
    }
    if !store.traits().folder && headed.encryption.as_ref().is_none_or(|e| e.etag_is_md5()) {
        let md5 = ETag::of_md5(md5_of(&bytes));
        demand!(etag == md5, "the tag is {etag}, not the MD5 {md5}");
    }
    let listed = list(store, key.as_str()).await?;
    demand!(listed.len() == 1, "it is listed {} times", listed.len());
    let entry = &listed[0];
    demand!(entry.key == key && entry.size == 300_001, "the listing says {entry:?}");
    demand!(entry.etag.as_ref() == Some(&etag), "the listing says {entry:?}, the write {etag}");
    demand!(entry.modified.is_some(), "the listing states no modification time");
    Ok(())
}

async fn an_empty_object_is_an_object(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("empty", "nothing");
    put(store, &key, &Bytes::new()).await?;
    demand!(get(store, &key).await?.is_empty(), "bytes came from nowhere");
    demand!(head(store, &key).await?.size == 0, "HEAD states bytes");
    let listed = list(store, key.as_str()).await?;
    demand!(listed.len() == 1 && listed[0].size == 0, "the listing says {listed:?}");
    Ok(())
}

async fn ranges_are_exact(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("ranges", "object");
    let bytes = generate::bytes(2, 200_000);
    put(store, &key, &bytes).await?;
    for (start, length) in [(0, 1), (0, 200_000), (1, 65_536), (65_535, 70_000), (199_999, 1)] {
        let got = get_range(store, &key, start, length).await?;
        demand!(got == bytes[start as usize..(start + length) as usize], "range {start}+{length} differs");
    }
    // Up to the end and no further, and the length is announced before.
    let request =
        GetRequest { range: Some(ByteRange { start: 199_990, length: 100 }), ..GetRequest::default() };
    let (head, got) = read(store, &key, &request).await?;
    demand!(got == bytes[199_990..], "a range over the end gives {} bytes", got.len());
    demand!(head.size == 200_000, "a ranged GET states {} bytes for the whole object", head.size);
    let beyond = get_range(store, &key, 200_000, 1).await;
    demand!(beyond.is_err(), "a range beyond the end was accepted");
    Ok(())
}

async fn a_pin_that_does_not_hold_reads_nothing(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("pins", "object");
    let bytes = generate::bytes(3, 5_000);
    let etag = tag(put(store, &key, &bytes).await?)?;
    let wrong = ETag::new("00000000000000000000000000000000");
    let range = Some(ByteRange { start: 10, length: 20 });
    for range in [None, range] {
        let right = GetRequest { pin: pin(&etag), range, checksums: false };
        let got = read(store, &key, &right).await?.1;
        demand!(got == bytes[if range.is_some() { 10..30 } else { 0..5_000 }], "a pinned read differs");
        let stale = GetRequest { pin: pin(&wrong), range, checksums: false };
        let what = if range.is_some() { "a ranged GET of another tag" } else { "a GET of another tag" };
        refused(read(store, &key, &stale).await, StoreErrorKind::PreconditionFailed, what)?;
    }
    store.head(&key, &HeadRequest { pin: pin(&etag), ..HeadRequest::default() }).await?;
    let stale = store.head(&key, &HeadRequest { pin: pin(&wrong), ..HeadRequest::default() }).await;
    refused(stale, StoreErrorKind::PreconditionFailed, "a HEAD of another tag")
}

async fn a_replaced_object_is_no_longer_the_pinned_one(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("replaced", "object");
    let old = tag(put(store, &key, &generate::bytes(4, 4_000)).await?)?;
    let bytes = generate::bytes(5, 4_000);
    let new = tag(put(store, &key, &bytes).await?)?;
    demand!(old != new, "two contents have the same tag {old}");
    let range = Some(ByteRange { start: 0, length: 100 });
    let stale = GetRequest { pin: pin(&old), range, checksums: false };
    refused(
        read(store, &key, &stale).await,
        StoreErrorKind::PreconditionFailed,
        "a GET of what was replaced",
    )?;
    demand!(get(store, &key).await? == bytes, "the new bytes are not there");
    Ok(())
}

async fn a_missing_object_is_not_found(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("missing", "nobody/wrote/this");
    refused(get(store, &key).await, StoreErrorKind::NotFound, "a GET of nothing")?;
    refused(get_range(store, &key, 0, 1).await, StoreErrorKind::NotFound, "a ranged GET of nothing")?;
    refused(head(store, &key).await, StoreErrorKind::NotFound, "a HEAD of nothing")?;
    let pinned = HeadRequest { pin: pin(&ETag::new("x")), ..HeadRequest::default() };
    match store.head(&key, &pinned).await {
        Err(e) if matches!(e.kind, StoreErrorKind::NotFound | StoreErrorKind::PreconditionFailed) => Ok(()),
        other => refused(other, StoreErrorKind::NotFound, "a pinned HEAD of nothing"),
    }
}
