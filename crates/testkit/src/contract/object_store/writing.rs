//! Conditions, wrong digests and bodies that break: what must not be stored is not.

use bytes::Bytes;
use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ETag};
use longbow_core::port::{GetRequest, HeadRequest, PutRequest, WriteCondition};

use super::Store;
use crate::contract::calls::{
    broken, get, head, kept, keys, md5_of, put, put_if, read, refused, streamed, tag,
};
use crate::contract::quirks::Quirks;
use crate::contract::verdict::{Check, Verdict, Violation, checks, demand};
use crate::generate;

pub(super) fn checks() -> Vec<Check<Store, Quirks>> {
    checks![
        a_streamed_body_arrives_whole,
        if_absent_never_overwrites,
        if_match_overwrites_only_what_was_seen,
        of_two_writers_at_once_one_wins,
        a_wrong_md5_stores_nothing,
        a_wrong_checksum_stores_nothing,
        a_right_checksum_is_kept,
        a_failing_body_stores_nothing,
        a_short_body_stores_nothing,
        readers_see_old_or_new_and_nothing_between,
    ]
}

async fn a_streamed_body_arrives_whole(store: &Store, quirks: &Quirks) -> Verdict {
    for (seed, length, frame) in [(20, 1, 1), (21, 70_000, 999), (22, 3_000_000, 65_536)] {
        let key = quirks.key("streamed", &format!("{length}-by-{frame}"));
        let bytes = generate::bytes(seed, length);
        let request = PutRequest { md5: Some(md5_of(&bytes)), ..PutRequest::default() };
        store.put(&key, streamed(&bytes, frame), &request).await?;
        demand!(get(store, &key).await? == bytes, "{length} bytes in frames of {frame} came back different");
    }
    let (key, empty) = (quirks.key("streamed", "empty"), Bytes::new());
    store.put(&key, streamed(&empty, 1), &PutRequest::default()).await?;
    demand!(get(store, &key).await?.is_empty(), "an empty stream left bytes");
    Ok(())
}

async fn if_absent_never_overwrites(store: &Store, quirks: &Quirks) -> Verdict {
    if !quirks.has(Feature::ConditionalWrites) {
        return Ok(());
    }
    let key = quirks.key("if-absent", "object");
    store.delete(&key, None).await?;
    let (first, second) = (generate::bytes(23, 3_000), generate::bytes(24, 3_000));
    put_if(store, &key, &first, WriteCondition::Absent).await?;
    let again = put_if(store, &key, &second, WriteCondition::Absent).await;
    refused(again, StoreErrorKind::PreconditionFailed, "a write over an object that had to be absent")?;
    demand!(get(store, &key).await? == first, "the refused write changed the object");
    Ok(())
}

async fn if_match_overwrites_only_what_was_seen(store: &Store, quirks: &Quirks) -> Verdict {
    if !quirks.has(Feature::ConditionalWrites) {
        return Ok(());
    }
    let key = quirks.key("if-match", "object");
    let (first, second, third) =
        (generate::bytes(25, 3_000), generate::bytes(26, 3_000), generate::bytes(27, 9));
    let seen = tag(put(store, &key, &first).await?)?;
    let now = tag(put_if(store, &key, &second, WriteCondition::Matches(seen.clone())).await?)?;
    let stale = put_if(store, &key, &third, WriteCondition::Matches(seen)).await;
    refused(stale, StoreErrorKind::PreconditionFailed, "a write over another tag")?;
    demand!(get(store, &key).await? == second, "the refused write changed the object");
    store.delete(&key, None).await?;
    let gone = put_if(store, &key, &third, WriteCondition::Matches(now)).await;
    refused(gone, StoreErrorKind::PreconditionFailed, "a write over a removed object by its tag")?;
    refused(head(store, &key).await, StoreErrorKind::NotFound, "the refused write")
}

async fn of_two_writers_at_once_one_wins(store: &Store, quirks: &Quirks) -> Verdict {
    if !quirks.has(Feature::ConditionalWrites) || !quirks.atomic_conditions {
        return Ok(());
    }
    for round in 0..10 {
        let key = quirks.key("race", &format!("object-{round}"));
        store.delete(&key, None).await?;
        let (a, b) = (generate::bytes(28, 20_000), generate::bytes(29, 20_000));
        let (first, second) = futures_util::future::join(
            put_if(store, &key, &a, WriteCondition::Absent),
            put_if(store, &key, &b, WriteCondition::Absent),
        )
        .await;
        let winner = match (first, second) {
            (Ok(_), Err(e)) if e.kind == StoreErrorKind::PreconditionFailed => a,
            (Err(e), Ok(_)) if e.kind == StoreErrorKind::PreconditionFailed => b,
            other => return Err(Violation(format!("not exactly one writer won: {other:?}"))),
        };
        demand!(get(store, &key).await? == winner, "the loser's bytes are there");
    }
    Ok(())
}

async fn a_wrong_md5_stores_nothing(store: &Store, quirks: &Quirks) -> Verdict {
    let bytes = generate::bytes(30, 50_000);
    let request = PutRequest { md5: Some(md5_of(b"something else")), ..PutRequest::default() };
    let kind = StoreErrorKind::Corrupt;
    let fresh = quirks.key("wrong-md5", "fresh");
    store.delete(&fresh, None).await?;
    refused(store.put(&fresh, kept(&bytes), &request).await, kind, "a body with a wrong MD5")?;
    refused(store.put(&fresh, streamed(&bytes, 7_000), &request).await, kind, "a stream with a wrong MD5")?;
    refused(head(store, &fresh).await, StoreErrorKind::NotFound, "a HEAD of the refused object")?;
    nothing_listed(store, fresh.as_str()).await?;

    let there = quirks.key("wrong-md5", "there");
    put(store, &there, &Bytes::from_static(b"before")).await?;
    refused(store.put(&there, kept(&bytes), &request).await, kind, "a body with a wrong MD5")?;
    demand!(get(store, &there).await? == b"before", "the refused write changed the object");
    Ok(())
}

async fn nothing_listed(store: &Store, prefix: &str) -> Verdict {
    let listed = keys(store, prefix).await?;
    demand!(listed.is_empty(), "what was refused is listed: {listed:?}");
    Ok(())
}

fn crc(algorithm: crc_fast::CrcAlgorithm, bytes: &[u8]) -> u64 {
    crc_fast::checksum(algorithm, bytes)
}

async fn a_wrong_checksum_stores_nothing(store: &Store, quirks: &Quirks) -> Verdict {
    if !quirks.has(Feature::Checksums) {
        return Ok(());
    }
    let bytes = generate::bytes(31, 50_000);
    let none = Checksums::default();
    for (name, wrong) in [
        ("crc64nvme", Checksums { crc64nvme: Some(1), ..none }),
        ("crc32c", Checksums { crc32c: Some(1), ..none }),
        ("crc32", Checksums { crc32: Some(1), ..none }),
    ] {
        let key = quirks.key("wrong-checksum", name);
        store.delete(&key, None).await?;
        let request = PutRequest { checksums: wrong, ..PutRequest::default() };
        let what = format!("a body with a wrong {name}");
        refused(store.put(&key, kept(&bytes), &request).await, StoreErrorKind::Corrupt, &what)?;
        refused(head(store, &key).await, StoreErrorKind::NotFound, "a HEAD of the refused object")?;
    }
    Ok(())
}

async fn a_right_checksum_is_kept(store: &Store, quirks: &Quirks) -> Verdict {
    if !quirks.has(Feature::Checksums) || store.traits().folder {
        return Ok(());
    }
    let bytes = generate::bytes(32, 50_000);
    let crc64nvme = Some(crc(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes));
    let crc32c = u32::try_from(crc(crc_fast::CrcAlgorithm::Crc32Iscsi, &bytes)).ok();
    for checksums in
        [Checksums { crc64nvme, ..Checksums::default() }, Checksums { crc32c, ..Checksums::default() }]
    {
        let key = quirks.key("checksum", "object");
        store.put(&key, kept(&bytes), &PutRequest { checksums, ..PutRequest::default() }).await?;
        let headed = store.head(&key, &HeadRequest { checksums: true, ..HeadRequest::default() }).await?;
        demand!(headed.checksums.agrees(&checksums) == Some(true), "HEAD states {:?}", headed.checksums);
        let whole = GetRequest { checksums: true, ..GetRequest::default() };
        let got = read(store, &key, &whole).await?.0;
        demand!(got.checksums.agrees(&checksums) == Some(true), "GET states {:?}", got.checksums);
    }
    Ok(())
}

async fn a_failing_body_stores_nothing(store: &Store, quirks: &Quirks) -> Verdict {
    let error = || Some(StoreError::new(StoreErrorKind::Transient, "the source broke off"));
    refuse_broken(store, quirks, "failing-body", error).await
}

async fn a_short_body_stores_nothing(store: &Store, quirks: &Quirks) -> Verdict {
    refuse_broken(store, quirks, "short-body", || None).await
}

async fn refuse_broken(
    store: &Store,
    quirks: &Quirks,
    name: &str,
    end: impl Fn() -> Option<StoreError>,
) -> Verdict {
    let bytes = generate::bytes(33, 400_000);
    let fresh = quirks.key(name, "fresh");
    store.delete(&fresh, None).await?;
    let written = store.put(&fresh, broken(&bytes, end()), &PutRequest::default()).await;
    demand!(written.is_err(), "half a body was accepted");
    refused(head(store, &fresh).await, StoreErrorKind::NotFound, "a HEAD of half an object")?;
    nothing_listed(store, fresh.as_str()).await?;

    let there = quirks.key(name, "there");
    let etag: ETag = tag(put(store, &there, &Bytes::from_static(b"before")).await?)?;
    let condition = if quirks.has(Feature::ConditionalWrites) {
        WriteCondition::Matches(etag)
    } else {
        WriteCondition::Always
    };
    let request = PutRequest { condition, ..PutRequest::default() };
    demand!(store.put(&there, broken(&bytes, end()), &request).await.is_err(), "half a body was accepted");
    demand!(get(store, &there).await? == b"before", "half a body changed the object");
    Ok(())
}

async fn readers_see_old_or_new_and_nothing_between(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("atomic", "object");
    let contents = [generate::bytes(34, 700_000), generate::bytes(35, 400_000)];
    put(store, &key, &contents[0]).await?;
    let writer = async {
        for round in 1..8 {
            store.put(&key, streamed(&contents[round % 2], 10_000), &PutRequest::default()).await?;
        }
        Ok::<(), Violation>(())
    };
    let reader = async {
        for _ in 0..8 {
            // A store may break a body off when its object is replaced; it may not mix.
            if let Ok(body) = get(store, &key).await {
                let whole = contents.iter().any(|content| body == *content);
                demand!(whole, "a reader saw {} bytes that nobody wrote", body.len());
            }
        }
        Ok(())
    };
    let (written, seen) = futures_util::future::join(writer, reader).await;
    written.and(seen)
}
