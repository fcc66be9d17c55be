//! The adapters of this crate keep the contracts of their ports.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::object::KeyOrder;
use longbow_local::{Database, Directory, DirectoryOptions, SystemClock};
use longbow_testkit::contract::job_queue::{self, QueueQuirks};
use longbow_testkit::contract::{KeyFate, Quirks, multipart, object_store, state_store};

fn folder_quirks() -> Quirks {
    Quirks {
        // More than fit on two pages of a folder's listing.
        listed_objects: 2_100,
        // The file `x` stands where `x/y` and `x/y/z` need a folder.
        fate: |key| if key.contains("/x/y") { KeyFate::MayRefuse } else { (Quirks::folder().fate)(key) },
        ..Quirks::folder()
    }
}

fn folder() -> (tempfile::TempDir, Directory) {
    let root = tempfile::tempdir().unwrap();
    let store = Directory::open(root.path(), DirectoryOptions::default()).unwrap();
    (root, store)
}

#[tokio::test]
async fn a_folder_keeps_the_contract_of_object_stores() {
    let (_root, store) = folder();
    object_store::suite(&store, &folder_quirks()).await;
}

#[tokio::test]
async fn a_folder_in_folder_order_keeps_the_contract_of_object_stores() {
    let (_root, store) = folder();
    object_store::suite(&store.with_order(KeyOrder::Folders), &folder_quirks()).await;
}

#[tokio::test]
async fn a_folder_keeps_the_contract_of_multipart_stores() {
    let (_root, store) = folder();
    multipart::suite(&store, &folder_quirks()).await;
}

fn database() -> (tempfile::TempDir, Database) {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("route.sqlite");
    let database = Database::open(&file, "s3://a -> s3://b", Arc::new(SystemClock::new())).unwrap();
    (root, database)
}

#[tokio::test]
async fn the_embedded_queue_keeps_the_contract_of_job_queues() {
    let (_root, database) = database();
    let quirks = QueueQuirks { short: Duration::from_millis(100), replacing: true, ..QueueQuirks::default() };
    job_queue::suite(&database.queue(), &quirks).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_state_keeps_the_contract_of_state_stores() {
    let (_root, database) = database();
    state_store::suite(&database.state(), "s3://a/").await;
}
