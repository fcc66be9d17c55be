//! The adapters of this crate keep the contracts of their ports.

use longbow_core::object::KeyOrder;
use longbow_local::{Directory, DirectoryOptions};
use longbow_testkit::contract::{KeyFate, Quirks, multipart, object_store};

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
