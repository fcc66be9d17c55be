//! The contract suites of both ports, against servers that nobody here wrote.

mod servers;

use longbow_core::port::{MultipartStore, ObjectStore, PutBody, PutRequest};
use longbow_testkit::contract::{Quirks, Violation, failures, multipart, object_store};
use servers::Server;

/// Checks that ministack fails by itself, whoever asks it.
const MINISTACK_IS_WRONG: &[(&str, &str)] = &[
    ("a_write_replaces_attributes_and_tags", "tags of the object before stay on the new one"),
    ("a_copy_takes_everything_along", "REPLACE keeps the source's Content-Encoding"),
    ("keys_too_long_are_refused", "keys of 1,025 bytes are taken"),
    ("attributes_and_tags_arrive", "tags of CreateMultipartUpload are lost"),
    ("parts_too_small_are_refused", "parts below 5 MiB are taken"),
    ("a_full_object_checksum_is_proved", "a right CRC-64/NVME of the whole is refused"),
    ("parts_can_be_headed", "HEAD ignores the part number"),
];

/// Checks that SeaweedFS fails by itself.
const SEAWEEDFS_IS_WRONG: &[(&str, &str)] = &[(
    "a_part_sent_again_replaces_the_first",
    "all parts of a number are listed in any order, with times in whole seconds: the last cannot be told",
)];

async fn keeps_the_contract(server: Option<Server>, quirks: Quirks, wrong: &[(&str, &str)]) {
    let Some(server) = server else { return };
    let store = server.bucket("contract").await;
    let store: &dyn MultipartStore = &store;
    let mut broken = failures(store as &dyn ObjectStore, &quirks, object_store::checks()).await;
    broken.extend(failures(store, &quirks, multipart::checks()).await);
    broken.retain(|(check, _)| !wrong.iter().any(|(name, _)| name == check));
    let told: Vec<String> = broken.iter().map(|(check, Violation(why))| format!("{check}: {why}")).collect();
    assert!(told.is_empty(), "{}:\n{}", server.name, told.join("\n"));
}

#[tokio::test]
async fn seaweedfs_keeps_the_contract() {
    keeps_the_contract(servers::seaweedfs(), Quirks::seaweedfs(), SEAWEEDFS_IS_WRONG).await;
}

#[tokio::test]
async fn ministack_keeps_the_contract() {
    keeps_the_contract(servers::ministack(), Quirks::ministack(), MINISTACK_IS_WRONG).await;
}

/// What the lean path leaves to the SDK, the SDK must do as well.
#[tokio::test]
async fn both_keep_the_contract_by_the_sdk_alone() {
    let (seaweedfs, ministack) = (servers::seaweedfs(), servers::ministack());
    keeps_the_contract(seaweedfs.map(Server::by_the_sdk), Quirks::seaweedfs(), SEAWEEDFS_IS_WRONG).await;
    keeps_the_contract(ministack.map(Server::by_the_sdk), Quirks::ministack(), MINISTACK_IS_WRONG).await;
}

/// Buckets that keep versions list them; the suites above have asked those that keep none.
#[tokio::test]
async fn versioned_buckets_list_their_versions() {
    for (server, quirks) in
        [(servers::seaweedfs(), Quirks::seaweedfs()), (servers::ministack(), Quirks::ministack())]
    {
        let Some(server) = server else { continue };
        let store = server.versioned_bucket("versions").await;
        let store: &dyn ObjectStore = &store;
        let written = store.put(&"v".into(), PutBody::Kept(Vec::new()), &PutRequest::default()).await;
        assert!(written.unwrap().version.is_some(), "{} keeps no versions", server.name);
        let checks = object_store::checks().into_iter().filter(|check| check.name.contains("versions"));
        let broken = failures(store, &quirks, checks.collect()).await;
        let told: Vec<String> =
            broken.iter().map(|(check, Violation(why))| format!("{check}: {why}")).collect();
        assert!(told.is_empty(), "{}:\n{}", server.name, told.join("\n"));
    }
}
