//! Deletes.

use longbow_core::failure::StoreErrorKind;
use longbow_core::object::ETag;

use super::Store;
use crate::contract::calls::{get, head, put, refused, tag};
use crate::contract::quirks::Quirks;
use crate::contract::verdict::{Check, Verdict, checks, demand};
use crate::generate;

pub(super) fn checks() -> Vec<Check<Store, Quirks>> {
    checks![a_delete_removes_one_object, a_stale_delete_removes_nothing]
}

async fn a_delete_removes_one_object(store: &Store, quirks: &Quirks) -> Verdict {
    let key = quirks.key("delete", "object");
    let sibling = quirks.key("delete", "object-2");
    put(store, &key, &generate::bytes(50, 10)).await?;
    put(store, &sibling, &generate::bytes(51, 10)).await?;
    store.delete(&key, None).await?;
    refused(head(store, &key).await, StoreErrorKind::NotFound, "a HEAD of what was deleted")?;
    demand!(get(store, &sibling).await?.len() == 10, "the sibling is gone too");
    // Deleting nothing is no error: S3 answers 204.
    store.delete(&key, None).await?;
    Ok(())
}

async fn a_stale_delete_removes_nothing(store: &Store, quirks: &Quirks) -> Verdict {
    if !quirks.conditional_delete {
        return Ok(());
    }
    let key = quirks.key("stale-delete", "object");
    let old = tag(put(store, &key, &generate::bytes(52, 10)).await?)?;
    let new = tag(put(store, &key, &generate::bytes(53, 11)).await?)?;
    let stale: Result<(), _> = store.delete(&key, Some(&old)).await;
    refused(stale, StoreErrorKind::PreconditionFailed, "a delete of another tag")?;
    let never = store.delete(&key, Some(&ETag::new("00"))).await;
    refused(never, StoreErrorKind::PreconditionFailed, "a delete of a tag that never was")?;
    demand!(head(store, &key).await?.etag == Some(new.clone()), "the refused delete changed the object");
    store.delete(&key, Some(&new)).await?;
    refused(head(store, &key).await, StoreErrorKind::NotFound, "a HEAD of what was deleted")
}
