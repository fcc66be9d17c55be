//! The contract of [`ObjectStore`]: reading, listing and writing whole objects.
//!
//! Folders pass it too: what they cannot have (attributes, tags, tags that are digests) is left out when the
//! store's traits say so.

mod attributes;
mod listing;
mod naming;
mod reading;
mod removing;
mod versions;
mod writing;

use longbow_core::object::{ObjectAttributes, Tag};
use longbow_core::port::ObjectStore;

use super::quirks::Quirks;
use super::verdict::{Check, judge};

/// What the checks run against.
pub type Store = dyn ObjectStore;

/// Runs every check and panics with those that failed.
pub async fn suite(store: &Store, quirks: &Quirks) {
    let name = store.traits().name;
    judge(store, quirks, &format!("whole objects by {name}"), checks()).await;
}

/// The checks by name. They may run in any order and leave their objects behind.
pub fn checks() -> Vec<Check<Store, Quirks>> {
    let mut all = reading::checks();
    all.extend(writing::checks());
    all.extend(attributes::checks());
    all.extend(listing::checks());
    all.extend(naming::checks());
    all.extend(removing::checks());
    all.extend(versions::checks());
    all
}

/// Every attribute and some tags, for checks elsewhere.
pub(super) fn expected_attributes(redirect: bool) -> (ObjectAttributes, Vec<Tag>) {
    (attributes::attributes(redirect), attributes::tags())
}
