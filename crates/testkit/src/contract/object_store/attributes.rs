//! What is stored beside the bytes, and copies that take it along.

use longbow_core::failure::{Feature, StoreErrorKind};
use longbow_core::object::{ETag, ObjectAttributes, Tag};
use longbow_core::port::{CopyRequest, GetRequest, PutRequest, WriteCondition};

use super::Store;
use crate::contract::calls::{get, head, kept, pin, put, read, refused, tag};
use crate::contract::quirks::Quirks;
use crate::contract::verdict::{Check, Verdict, checks, demand};
use crate::generate;

pub(super) fn checks() -> Vec<Check<Store, Quirks>> {
    checks![
        attributes_are_kept,
        tags_are_kept,
        a_write_replaces_attributes_and_tags,
        a_copy_takes_everything_along,
        a_copy_is_pinned,
    ]
}

/// Every attribute, with values that parsers like to touch.
pub(super) fn attributes(redirect: bool) -> ObjectAttributes {
    ObjectAttributes {
        content_type: Some("text/csv; charset=utf-8".into()),
        cache_control: Some("max-age=60, must-revalidate".into()),
        content_disposition: Some("attachment; filename=\"a b.csv\"".into()),
        content_encoding: Some("gzip".into()),
        content_language: Some("de-CH".into()),
        expires: Some("Wed, 21 Oct 2037 07:28:00 GMT".into()),
        website_redirect: redirect.then(|| "/elsewhere".into()),
        user: vec![("mtime".into(), "1700000000.25".into()), ("owner-name".into(), "A B=c".into())],
        unreadable: 0,
    }
}

pub(super) fn tags() -> Vec<Tag> {
    vec![
        Tag { key: "class".into(), value: "a b+c/d=e".into() },
        Tag { key: "stage@1".into(), value: String::new() },
    ]
}

async fn attributes_are_kept(store: &Store, quirks: &Quirks) -> Verdict {
    if store.traits().folder {
        return Ok(());
    }
    let key = quirks.key("attributes", "object");
    let attributes = attributes(quirks.keeps_redirect);
    let request = PutRequest { attributes: attributes.clone(), ..PutRequest::default() };
    store.put(&key, kept(&generate::bytes(40, 100)), &request).await?;
    let headed = head(store, &key).await?.attributes;
    demand!(headed == attributes, "HEAD states {headed:?}");
    let got = read(store, &key, &GetRequest::default()).await?.0.attributes;
    demand!(got == attributes, "GET states {got:?}");
    Ok(())
}

async fn tags_are_kept(store: &Store, quirks: &Quirks) -> Verdict {
    if store.traits().folder || !quirks.has(Feature::Tags) {
        return Ok(());
    }
    let key = quirks.key("tags", "object");
    let request = PutRequest { tags: tags(), ..PutRequest::default() };
    store.put(&key, kept(&generate::bytes(41, 100)), &request).await?;
    let mut found = store.tags(&key, None).await?;
    found.sort_by(|a, b| a.key.cmp(&b.key));
    demand!(found == tags(), "the tags are {found:?}");
    let count = read(store, &key, &GetRequest::default()).await?.0.tag_count;
    demand!(count == 2, "GET counts {count} tags");
    let missing = store.tags(&quirks.key("tags", "nothing"), None).await;
    refused(missing, StoreErrorKind::NotFound, "asking for the tags of nothing")
}

async fn a_write_replaces_attributes_and_tags(store: &Store, quirks: &Quirks) -> Verdict {
    if store.traits().folder {
        return Ok(());
    }
    let key = quirks.key("replaced-attributes", "object");
    let with_tags = if quirks.has(Feature::Tags) { tags() } else { Vec::new() };
    let request =
        PutRequest { attributes: attributes(false), tags: with_tags.clone(), ..PutRequest::default() };
    store.put(&key, kept(&generate::bytes(42, 100)), &request).await?;
    put(store, &key, &generate::bytes(43, 100)).await?;
    let after = head(store, &key).await?;
    demand!(after.attributes.user.is_empty(), "old metadata is left: {:?}", after.attributes.user);
    demand!(after.attributes.cache_control.is_none(), "an old header is left");
    if !with_tags.is_empty() {
        let left = store.tags(&key, None).await?;
        demand!(left.is_empty(), "old tags are left: {left:?}");
    }
    Ok(())
}

fn copy_of(store: &Store, source: &longbow_core::object::ObjectKey) -> CopyRequest {
    CopyRequest {
        source_container: store.traits().container,
        source: source.clone(),
        pin: Default::default(),
        attributes: None,
        keep_tags: true,
        condition: WriteCondition::Always,
    }
}

async fn a_copy_takes_everything_along(store: &Store, quirks: &Quirks) -> Verdict {
    let traits = store.traits();
    if traits.folder || traits.copy_domain.is_none() || !quirks.has(Feature::ServerSideCopy) {
        return Ok(());
    }
    // A name that has to be encoded in the header that carries it.
    let source = quirks.key("copy", "source +%41 é.bin");
    let target = quirks.key("copy", "target");
    let bytes = generate::bytes(44, 90_000);
    let with_tags = if quirks.has(Feature::Tags) { tags() } else { Vec::new() };
    let request =
        PutRequest { attributes: attributes(false), tags: with_tags.clone(), ..PutRequest::default() };
    store.put(&source, kept(&bytes), &request).await?;
    store.copy(&target, &copy_of(store, &source)).await?;
    demand!(get(store, &target).await? == bytes, "other bytes arrived");
    let headed = head(store, &target).await?;
    demand!(headed.attributes == attributes(false), "the copy has {:?}", headed.attributes);
    if !with_tags.is_empty() {
        let mut found = store.tags(&target, None).await?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        demand!(found == with_tags, "the copy has the tags {found:?}");
    }
    let other = ObjectAttributes { content_type: Some("text/plain".into()), ..Default::default() };
    let replace =
        CopyRequest { attributes: Some(other.clone()), keep_tags: false, ..copy_of(store, &source) };
    store.copy(&target, &replace).await?;
    let headed = head(store, &target).await?.attributes;
    demand!(headed == other, "the copy with other metadata has {headed:?}");
    if !with_tags.is_empty() {
        let left = store.tags(&target, None).await?;
        demand!(left.is_empty(), "the copy without tags has {left:?}");
    }
    Ok(())
}

async fn a_copy_is_pinned(store: &Store, quirks: &Quirks) -> Verdict {
    let traits = store.traits();
    if traits.folder || traits.copy_domain.is_none() || !quirks.has(Feature::ServerSideCopy) {
        return Ok(());
    }
    let source = quirks.key("copy-pin", "source");
    let target = quirks.key("copy-pin", "target");
    store.delete(&target, None).await?;
    let etag = tag(put(store, &source, &generate::bytes(45, 10)).await?)?;
    let wrong = CopyRequest { pin: pin(&ETag::new("00")), ..copy_of(store, &source) };
    let kind = StoreErrorKind::PreconditionFailed;
    refused(store.copy(&target, &wrong).await, kind, "a copy of another tag")?;
    refused(head(store, &target).await, StoreErrorKind::NotFound, "a HEAD of the refused copy")?;
    let missing = copy_of(store, &quirks.key("copy-pin", "nothing"));
    refused(store.copy(&target, &missing).await, StoreErrorKind::NotFound, "a copy of nothing")?;
    store.copy(&target, &CopyRequest { pin: pin(&etag), ..copy_of(store, &source) }).await?;
    if quirks.conditional_copy {
        let absent = CopyRequest { condition: WriteCondition::Absent, ..copy_of(store, &source) };
        refused(store.copy(&target, &absent).await, kind, "a copy over an object that had to be absent")?;
    }
    Ok(())
}
