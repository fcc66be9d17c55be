//! The fakes keep the contracts that the real adapters have to keep.

use std::sync::Arc;
use std::time::Duration;

use longbow_core::failure::Feature;
use longbow_core::object::{Encryption, KeyOrder};
use longbow_testkit::contract::{
    Quirks, checkpoint_store, job_queue, multipart, object_store, parameter_store, run_lock, state_store,
    transfer_log,
};
use longbow_testkit::fake::{
    BucketSettings, FakeCheckpoints, FakeClock, FakeLock, FakeParameters, FakeQueue, FakeS3, FakeState,
    FakeStore, FakeTransferLog,
};

/// Runs both suites on a bucket of this behaviour.
async fn suites(quirks: Quirks, change: impl FnOnce(&mut BucketSettings)) {
    let service = FakeS3::new();
    let store: std::sync::Arc<FakeStore> = service.create_bucket("bucket");
    store.configure(|settings| {
        // Small parts and small pages make the same rules quick to check.
        settings.min_part = quirks.part_size;
        settings.page_size = 7;
        change(settings);
    });
    object_store::suite(&*store, &quirks).await;
    multipart::suite(&*store, &quirks).await;
    assert!(!service.journal().is_empty());
}

fn quick() -> Quirks {
    Quirks { part_size: 100_000, listed_objects: 100, ..Quirks::default() }
}

#[tokio::test]
async fn the_fake_store_is_amazon_s3() {
    suites(Quirks::default(), |settings| *settings = BucketSettings::default()).await;
}

#[tokio::test]
async fn with_small_pages() {
    suites(quick(), |_| {}).await;
}

#[tokio::test]
async fn in_folder_order() {
    suites(quick(), BucketSettings::in_folder_order).await;
    suites(quick(), |settings| {
        settings.order = KeyOrder::Folders;
        settings.promised_order = Some(KeyOrder::Folders);
    })
    .await;
}

#[tokio::test]
async fn with_versions() {
    suites(quick(), |settings| settings.versioned = true).await;
}

#[tokio::test]
async fn without_what_a_store_may_lack() {
    let lacks = vec![Feature::Checksums, Feature::Tags, Feature::ServerSideCopy, Feature::ConditionalWrites];
    let quirks = Quirks { lacks: lacks.clone(), ..quick() };
    suites(quirks, |settings| settings.lacks = lacks).await;
}

#[tokio::test]
async fn under_kms_tags_are_no_digests() {
    let service = FakeS3::new();
    let store = service.create_bucket("bucket");
    store.configure(|settings| settings.encryption = Some(Encryption::Kms { key: None }));
    object_store::suite(&*store, &quick()).await;
    let first = store.put_bytes("key", b"same");
    assert_ne!(first, store.put_bytes("key", b"same"));
}

#[tokio::test(start_paused = true)]
async fn the_fake_queue_is_a_queue() {
    job_queue::suite(&FakeQueue::new(), &job_queue::QueueQuirks::default()).await;
    let replacing = job_queue::QueueQuirks { replacing: true, ..Default::default() };
    job_queue::suite(&FakeQueue::replacing(), &replacing).await;
}

#[tokio::test]
async fn the_fake_queue_works_in_real_time_too() {
    let quirks = job_queue::QueueQuirks { short: Duration::from_millis(40), ..Default::default() };
    job_queue::suite(&FakeQueue::new(), &quirks).await;
}

#[tokio::test]
async fn the_fake_log_is_a_log_of_transfers() {
    transfer_log::suite(&FakeTransferLog::new()).await;
}

#[tokio::test]
async fn the_fake_state_is_a_state_store() {
    state_store::suite(&FakeState::new(), "state/").await;
}

#[tokio::test(start_paused = true)]
async fn the_fake_lock_is_a_lock() {
    let quirks = run_lock::LockQuirks {
        prefix: String::new(),
        skew: Duration::ZERO,
        pass: Box::new(|time| Box::pin(tokio::time::sleep(time))),
    };
    run_lock::suite(&FakeLock::new(), &quirks).await;
}

#[tokio::test]
async fn the_fake_parameters_are_parameters() {
    let parameters = Arc::new(FakeParameters::new(FakeClock::new()));
    let kept = Arc::clone(&parameters);
    let quirks = parameter_store::ParameterQuirks {
        prefix: "/fake/".into(),
        put: Box::new(move |name, value, secure| {
            kept.put(&name, &value, secure).expect("a value that the service takes");
            Box::pin(std::future::ready(()))
        }),
        versions: true,
    };
    parameter_store::suite(&*parameters, &quirks).await;
}

#[tokio::test]
async fn the_fake_checkpoints_are_checkpoints() {
    checkpoint_store::suite(&FakeCheckpoints::new()).await;
}
