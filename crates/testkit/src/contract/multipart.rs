//! The contract of [`MultipartStore`]: parts in any order become one object at once, or none.

use bytes::Bytes;
use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ETag, ObjectKey, Prefix};
use longbow_core::port::{
    ByteRange, CompleteRequest, CopyRequest, CreateRequest, HeadRequest, MultipartStore, PartRequest,
    UploadId, WriteCondition,
};
use longbow_core::transfer::{PartPlan, composite_etag};

use super::calls::{
    broken, completion, get, get_range, head, kept, keys, md5_of, put, put_part, refused, tag,
};
use super::object_store::expected_attributes;
use super::quirks::Quirks;
use super::verdict::{Check, Verdict, Violation, checks, demand, judge};
use crate::generate;

/// What the checks run against.
pub type Store = dyn MultipartStore;

/// Runs every check and panics with those that failed.
pub async fn suite(store: &Store, quirks: &Quirks) {
    let name = store.traits().name;
    judge(store, quirks, &format!("multipart uploads by {name}"), checks()).await;
}

/// The checks by name.
pub fn checks() -> Vec<Check<Store, Quirks>> {
    checks![
        parts_in_any_order_become_one_object,
        a_part_sent_again_replaces_the_first,
        an_upload_of_one_empty_part_is_an_empty_object,
        nothing_is_seen_before_the_end,
        attributes_and_tags_arrive,
        parts_that_were_not_sent_are_refused,
        parts_too_small_are_refused,
        an_aborted_upload_is_gone,
        unfinished_uploads_are_listed,
        the_end_is_conditional,
        a_wrong_part_md5_is_refused,
        a_broken_part_body_is_no_part,
        a_full_object_checksum_is_proved,
        parts_can_be_headed,
        parts_are_copied_from_ranges,
        odd_keys_take_parts,
    ]
}

/// The three parts of the checks: two of the least size and a small last one.
fn three(seed: u64, quirks: &Quirks) -> (Bytes, PartPlan) {
    let size = quirks.part_size * 2 + 1_234;
    (generate::bytes(seed, size as usize), PartPlan::new(size, quirks.part_size))
}

fn piece(bytes: &Bytes, plan: &PartPlan, number: u32) -> Result<(u64, Bytes), Violation> {
    let part = plan.part(number).ok_or_else(|| Violation(format!("no part {number}")))?;
    Ok((part.offset, bytes.slice(part.offset as usize..(part.offset + part.length) as usize)))
}

async fn begin(store: &Store, key: &ObjectKey, size: u64) -> Result<UploadId, StoreError> {
    store.create_upload(key, &CreateRequest { size, ..CreateRequest::default() }).await
}

/// Sends the parts of `numbers` in that order and gives their tags by number.
async fn send(
    store: &Store,
    key: &ObjectKey,
    upload: &UploadId,
    (bytes, plan): (&Bytes, &PartPlan),
    numbers: &[u32],
) -> Result<Vec<(u32, ETag)>, Violation> {
    let mut tags = Vec::new();
    for number in numbers {
        let (offset, piece) = piece(bytes, plan, *number)?;
        tags.push((*number, put_part(store, key, upload, (*number, offset), &piece).await?));
    }
    tags.sort_by_key(|(number, _)| *number);
    Ok(tags)
}

async fn parts_in_any_order_become_one_object(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("parts", "object");
    let (bytes, plan) = three(60, quirks);
    let upload = begin(store, &key, plan.size).await?;
    let tags = send(store, &key, &upload, (&bytes, &plan), &[3, 1, 2]).await?;
    let md5s: Vec<_> =
        plan.parts().map(|p| md5_of(&bytes[p.offset as usize..(p.offset + p.length) as usize])).collect();
    let folder = store.traits().folder;
    for ((number, tag), md5) in tags.iter().zip(&md5s) {
        demand!(folder || *tag == ETag::of_md5(*md5), "part {number} has the tag {tag}, not its MD5 {md5}");
    }
    let listed = store.list_parts(&key, &upload, &plan).await?;
    let numbers: Vec<_> = listed.iter().map(|part| (part.number, part.size)).collect();
    let expected: Vec<_> = plan.parts().map(|part| (part.number, part.length)).collect();
    demand!(numbers == expected, "the parts are listed as {numbers:?}");
    for (part, (_, tag)) in listed.iter().zip(&tags) {
        demand!(part.etag == *tag, "part {} is listed with {}, not {tag}", part.number, part.etag);
    }
    let written = tag(store.complete_upload(&key, &upload, &completion(tags, plan.size)).await?)?;
    demand!(folder || written == composite_etag(md5s), "the object has the tag {written}");
    demand!(get(store, &key).await? == bytes, "other bytes came back");
    let headed = head(store, &key).await?;
    demand!(headed.etag == Some(written), "HEAD states {:?}", headed.etag);
    let across = get_range(store, &key, quirks.part_size - 5, 10).await?;
    let at = quirks.part_size as usize;
    demand!(across == bytes[at - 5..at + 5], "a range across two parts differs");
    Ok(())
}

async fn a_part_sent_again_replaces_the_first(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("part-again", "object");
    let (bytes, plan) = three(61, quirks);
    let (other, _) = three(62, quirks);
    let upload = begin(store, &key, plan.size).await?;
    send(store, &key, &upload, (&other, &plan), &[2]).await?;
    let tags = send(store, &key, &upload, (&bytes, &plan), &[1, 2, 3]).await?;
    let listed = store.list_parts(&key, &upload, &plan).await?;
    let seen: Vec<_> = listed.iter().map(|part| (part.number, part.etag.clone())).collect();
    demand!(seen == tags, "the parts are listed as {seen:?}, the last sent were {tags:?}");
    store.complete_upload(&key, &upload, &completion(tags, plan.size)).await?;
    demand!(get(store, &key).await? == bytes, "the replaced part is in the object");
    Ok(())
}

async fn an_upload_of_one_empty_part_is_an_empty_object(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("empty-part", "object");
    let upload = begin(store, &key, 0).await?;
    let etag = put_part(store, &key, &upload, (1, 0), &Bytes::new()).await?;
    store.complete_upload(&key, &upload, &completion(vec![(1, etag)], 0)).await?;
    demand!(get(store, &key).await?.is_empty(), "there are bytes");
    Ok(())
}

async fn nothing_is_seen_before_the_end(store: &Store, quirks: &Quirks) -> Verdict {
    let fresh = quirks.key("unfinished", "fresh");
    let there = quirks.key("unfinished", "there");
    store.delete(&fresh, None).await?;
    put(store, &there, &Bytes::from_static(b"before")).await?;
    let (bytes, plan) = three(63, quirks);
    for key in [&fresh, &there] {
        let upload = begin(store, key, plan.size).await?;
        let tags = send(store, key, &upload, (&bytes, &plan), &[1, 2, 3]).await?;
        if *key == fresh {
            refused(head(store, key).await, StoreErrorKind::NotFound, "a HEAD of an unfinished object")?;
        } else {
            demand!(get(store, key).await? == b"before", "an unfinished upload changed the object");
        }
        let listed = keys(store, quirks.key("unfinished", "").as_str()).await?;
        let expected = if *key == fresh { 1 } else { 2 };
        demand!(listed.len() == expected, "an unfinished upload is listed as an object: {listed:?}");
        store.complete_upload(key, &upload, &completion(tags, plan.size)).await?;
        demand!(get(store, key).await? == bytes, "the finished object differs");
    }
    store.delete(&fresh, None).await?;
    Ok(())
}

async fn attributes_and_tags_arrive(store: &Store, quirks: &Quirks) -> Verdict {
    if store.traits().folder {
        return Ok(());
    }
    let key = quirks.key("part-attributes", "object");
    let (attributes, tags) = expected_attributes(quirks.keeps_redirect);
    let tags = if quirks.has(Feature::Tags) { tags } else { Vec::new() };
    let request =
        CreateRequest { attributes: attributes.clone(), tags: tags.clone(), crc64nvme: false, size: 4 };
    let upload = store.create_upload(&key, &request).await?;
    let etag = put_part(store, &key, &upload, (1, 0), &Bytes::from_static(b"four")).await?;
    store.complete_upload(&key, &upload, &completion(vec![(1, etag)], 4)).await?;
    let headed = head(store, &key).await?.attributes;
    demand!(headed == attributes, "HEAD states {headed:?}");
    if !tags.is_empty() {
        let mut found = store.tags(&key, None).await?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        demand!(found == tags, "the tags are {found:?}");
    }
    Ok(())
}

async fn parts_that_were_not_sent_are_refused(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("wrong-parts", "object");
    store.delete(&key, None).await?;
    let (bytes, plan) = three(64, quirks);
    let upload = begin(store, &key, plan.size).await?;
    let tags = send(store, &key, &upload, (&bytes, &plan), &[1, 2]).await?;
    let mut wrong = tags.clone();
    wrong[1].1 = ETag::new("00000000000000000000000000000000");
    let size = plan.part_size * 2;
    let missing = vec![tags[0].clone(), (3, tags[1].1.clone())];
    for (what, parts) in [("another tag", wrong), ("a part that was never sent", missing)] {
        let result = store.complete_upload(&key, &upload, &completion(parts, size)).await;
        demand!(result.is_err(), "an upload was completed with {what}");
        refused(head(store, &key).await, StoreErrorKind::NotFound, "a HEAD of the refused object")?;
    }
    Ok(store.abort_upload(&key, &upload).await?)
}

async fn parts_too_small_are_refused(store: &Store, quirks: &Quirks) -> Verdict {
    if !quirks.refuses_small_parts {
        return Ok(());
    }
    let key = quirks.key("small-parts", "object");
    store.delete(&key, None).await?;
    let (bytes, plan) = (generate::bytes(65, 3_000), PartPlan::new(3_000, 1_000));
    let upload = begin(store, &key, plan.size).await?;
    let tags = send(store, &key, &upload, (&bytes, &plan), &[1, 2, 3]).await?;
    let result = store.complete_upload(&key, &upload, &completion(tags, plan.size)).await;
    refused(result, StoreErrorKind::Permanent, "an upload of parts below 5 MiB")?;
    refused(head(store, &key).await, StoreErrorKind::NotFound, "a HEAD of the refused object")?;
    Ok(store.abort_upload(&key, &upload).await?)
}

async fn an_aborted_upload_is_gone(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("aborted", "object");
    store.delete(&key, None).await?;
    let (bytes, plan) = three(66, quirks);
    let upload = begin(store, &key, plan.size).await?;
    let tags = send(store, &key, &upload, (&bytes, &plan), &[1, 2, 3]).await?;
    store.abort_upload(&key, &upload).await?;
    let gone = StoreErrorKind::NoSuchUpload;
    let request = PartRequest { number: 1, offset: 0, md5: None };
    let (_, first) = piece(&bytes, &plan, 1)?;
    refused(
        store.put_part(&key, &upload, kept(&first), &request).await,
        gone,
        "a part of an aborted upload",
    )?;
    refused(store.list_parts(&key, &upload, &plan).await, gone, "listing an aborted upload")?;
    let end = store.complete_upload(&key, &upload, &completion(tags, plan.size)).await;
    refused(end, gone, "completing an aborted upload")?;
    refused(head(store, &key).await, StoreErrorKind::NotFound, "a HEAD of an aborted object")?;
    // The second abort finds nothing and is content.
    Ok(store.abort_upload(&key, &upload).await?)
}

async fn unfinished_uploads_are_listed(store: &Store, quirks: &Quirks) -> Verdict {
    let prefix = Prefix::raw(quirks.key("uploads", "in/").as_str());
    for left in store.list_uploads(&prefix).await? {
        store.abort_upload(&left.key, &left.upload).await?;
    }
    let inside = quirks.key("uploads", "in/side +é");
    let outside = quirks.key("uploads", "out/side");
    let first = begin(store, &inside, 10).await?;
    let other = begin(store, &outside, 10).await?;
    let found = store.list_uploads(&prefix).await?;
    let seen: Vec<_> = found.iter().map(|upload| (&upload.key, &upload.upload)).collect();
    demand!(seen == [(&inside, &first)], "the uploads under {prefix:?} are {seen:?}");
    store.abort_upload(&inside, &first).await?;
    store.abort_upload(&outside, &other).await?;
    let left = store.list_uploads(&prefix).await?;
    demand!(left.is_empty(), "aborted uploads are still listed: {left:?}");
    Ok(())
}

async fn the_end_is_conditional(store: &Store, quirks: &Quirks) -> Verdict {
    if !quirks.has(Feature::ConditionalWrites) {
        return Ok(());
    }
    let key = quirks.key("conditional-end", "object");
    let body = Bytes::from_static(b"made of one part");
    let size = body.len() as u64;
    let end = async |condition: WriteCondition| {
        let upload = begin(store, &key, size).await?;
        let etag = put_part(store, &key, &upload, (1, 0), &body).await?;
        let request = CompleteRequest { condition, ..completion(vec![(1, etag)], size) };
        let ended = store.complete_upload(&key, &upload, &request).await;
        if ended.is_err() {
            store.abort_upload(&key, &upload).await?;
        }
        Ok::<_, Violation>(ended)
    };
    let kind = StoreErrorKind::PreconditionFailed;
    let there = tag(put(store, &key, &Bytes::from_static(b"before")).await?)?;
    refused(end(WriteCondition::Absent).await?, kind, "an upload over an object that had to be absent")?;
    refused(end(WriteCondition::Matches(ETag::new("00"))).await?, kind, "an upload over another tag")?;
    demand!(get(store, &key).await? == b"before", "the refused upload changed the object");
    let new = tag(end(WriteCondition::Matches(there)).await??)?;
    demand!(get(store, &key).await? == body, "the accepted upload is not there");
    store.delete(&key, None).await?;
    refused(end(WriteCondition::Matches(new)).await?, kind, "an upload over a removed object by its tag")?;
    end(WriteCondition::Absent).await??;
    demand!(get(store, &key).await? == body, "the accepted upload is not there");
    Ok(())
}

async fn a_wrong_part_md5_is_refused(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("part-md5", "object");
    let bytes = generate::bytes(67, 10_000);
    let plan = PartPlan::new(10_000, 10_000);
    let upload = begin(store, &key, plan.size).await?;
    let request = PartRequest { number: 1, offset: 0, md5: Some(md5_of(b"other")) };
    let sent = store.put_part(&key, &upload, kept(&bytes), &request).await;
    refused(sent, StoreErrorKind::Corrupt, "a part with a wrong MD5")?;
    let right = PartRequest { md5: Some(md5_of(&bytes)), ..request };
    let etag = tag(store.put_part(&key, &upload, kept(&bytes), &right).await?)?;
    store.complete_upload(&key, &upload, &completion(vec![(1, etag)], 10_000)).await?;
    demand!(get(store, &key).await? == bytes, "other bytes came back");
    Ok(())
}

async fn a_broken_part_body_is_no_part(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("part-broken", "object");
    let (bytes, plan) = three(68, quirks);
    let upload = begin(store, &key, plan.size).await?;
    let (offset, first) = piece(&bytes, &plan, 1)?;
    let request = PartRequest { number: 1, offset, md5: None };
    for end in [None, Some(StoreError::new(StoreErrorKind::Transient, "the source broke off"))] {
        let sent = store.put_part(&key, &upload, broken(&first, end), &request).await;
        demand!(sent.is_err(), "half a part was accepted");
    }
    if !store.traits().folder {
        let listed = store.list_parts(&key, &upload, &plan).await?;
        demand!(listed.is_empty(), "half a part is listed: {listed:?}");
    }
    let tags = send(store, &key, &upload, (&bytes, &plan), &[1, 2, 3]).await?;
    store.complete_upload(&key, &upload, &completion(tags, plan.size)).await?;
    demand!(get(store, &key).await? == bytes, "the object differs after a broken part");
    Ok(())
}

async fn a_full_object_checksum_is_proved(store: &Store, quirks: &Quirks) -> Verdict {
    if store.traits().folder || !quirks.has(Feature::Checksums) {
        return Ok(());
    }
    let key = quirks.key("part-checksum", "object");
    store.delete(&key, None).await?;
    let (bytes, plan) = three(69, quirks);
    let crc64nvme = Some(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, &bytes));
    let create = CreateRequest { crc64nvme: true, size: plan.size, ..CreateRequest::default() };
    let upload = store.create_upload(&key, &create).await?;
    let tags = send(store, &key, &upload, (&bytes, &plan), &[1, 2, 3]).await?;
    let wrong = Checksums { crc64nvme: crc64nvme.map(|c| c ^ 1), ..Checksums::default() };
    let request = CompleteRequest { checksums: wrong, ..completion(tags.clone(), plan.size) };
    let ended = store.complete_upload(&key, &upload, &request).await;
    refused(ended, StoreErrorKind::Corrupt, "an upload with a wrong full-object checksum")?;
    refused(head(store, &key).await, StoreErrorKind::NotFound, "a HEAD of the refused object")?;
    let checksums = Checksums { crc64nvme, ..Checksums::default() };
    let request = CompleteRequest { checksums, ..completion(tags, plan.size) };
    store.complete_upload(&key, &upload, &request).await?;
    let headed = store.head(&key, &HeadRequest { checksums: true, ..HeadRequest::default() }).await?;
    demand!(headed.checksums.crc64nvme == crc64nvme, "HEAD states {:?}", headed.checksums);
    Ok(())
}

async fn parts_can_be_headed(store: &Store, quirks: &Quirks) -> Verdict {
    if store.traits().folder || !quirks.part_numbers {
        return Ok(());
    }
    let key = quirks.key("part-head", "object");
    let (bytes, plan) = three(70, quirks);
    let upload = begin(store, &key, plan.size).await?;
    let tags = send(store, &key, &upload, (&bytes, &plan), &[1, 2, 3]).await?;
    store.complete_upload(&key, &upload, &completion(tags, plan.size)).await?;
    for part in plan.parts() {
        let request = HeadRequest { part: Some(part.number), ..HeadRequest::default() };
        let headed = store.head(&key, &request).await?;
        let said = (headed.part_size, headed.parts, headed.size);
        let expected = (Some(part.length), Some(3), plan.size);
        demand!(said == expected, "HEAD of part {} says {said:?}, not {expected:?}", part.number);
    }
    Ok(())
}

async fn parts_are_copied_from_ranges(store: &Store, quirks: &Quirks) -> Verdict {
    let traits = store.traits();
    if traits.folder || traits.copy_domain.is_none() || !quirks.has(Feature::ServerSideCopy) {
        return Ok(());
    }
    let source = quirks.key("part-copy", "source +é");
    let key = quirks.key("part-copy", "target");
    let (bytes, plan) = three(71, quirks);
    let etag = tag(put(store, &source, &bytes).await?)?;
    let upload = begin(store, &key, plan.size).await?;
    let mut request = CopyRequest {
        source_container: traits.container,
        source,
        pin: super::calls::pin(&ETag::new("00")),
        attributes: None,
        keep_tags: false,
        condition: WriteCondition::Always,
    };
    let first = ByteRange { start: 0, length: quirks.part_size };
    let stale = store.copy_part(&key, &upload, 1, first, &request).await;
    refused(stale, StoreErrorKind::PreconditionFailed, "a part copied from another tag")?;
    request.pin = super::calls::pin(&etag);
    let mut tags = Vec::new();
    for part in plan.parts() {
        let range = ByteRange { start: part.offset, length: part.length };
        let copied = store.copy_part(&key, &upload, part.number, range, &request).await?;
        tags.push((part.number, tag(copied)?));
    }
    store.complete_upload(&key, &upload, &completion(tags, plan.size)).await?;
    demand!(get(store, &key).await? == bytes, "other bytes arrived");
    Ok(())
}

async fn odd_keys_take_parts(store: &Store, quirks: &Quirks) -> Verdict {
    for name in ["a b+c%41/é?x=1#y&z", "quotes \"'<>/new\u{301}"] {
        let key = quirks.key("part-odd", name);
        let upload = begin(store, &key, 4).await?;
        let etag = put_part(store, &key, &upload, (1, 0), &Bytes::from_static(b"four")).await?;
        store.complete_upload(&key, &upload, &completion(vec![(1, etag)], 4)).await?;
        demand!(get(store, &key).await? == b"four", "{key} has other bytes");
        let listed = keys(store, key.as_str()).await?;
        demand!(listed == [key.as_str()], "{key} is listed as {listed:?}");
    }
    Ok(())
}
