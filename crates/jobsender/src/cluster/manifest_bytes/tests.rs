//! Every byte of a manifest once and in order, or an error in words.

use std::time::Duration;

use longbow_testkit::fake::{FakeS3, FakeStore};
use longbow_testkit::fault::{BodyFault, Fault, Faults, FaultyStore, Rule};

use super::*;

async fn all(mut stream: BodyStream) -> Result<Vec<u8>, StoreError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk?);
    }
    Ok(bytes)
}

fn text(lines: usize) -> Vec<u8> {
    (0..lines).flat_map(|n| format!("bucket,key/{n:06}\n").into_bytes()).collect()
}

fn stored(bytes: &[u8]) -> (Arc<FakeStore>, Faults) {
    let store = FakeS3::new().create_bucket("lists");
    store.put_bytes("m.csv", bytes);
    (store, Faults::new())
}

fn open(store: &Arc<FakeStore>, faults: &Faults) -> BodyStream {
    let store = FaultyStore::new("lists", store.clone(), faults);
    manifest_of_object(store, "m.csv".into(), CancellationToken::new())
}

#[tokio::test]
async fn a_file_comes_whole_and_a_wrong_path_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.csv");
    for size in [0, 1, 2, CHUNK, CHUNK + 1, 3 * CHUNK] {
        let bytes: Vec<u8> = text(60_000).into_iter().take(size).collect();
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(all(manifest_of_file(&path).await.unwrap()).await.unwrap(), bytes);
    }
    let gone = folder.path().join("none.csv");
    let error = manifest_of_file(&gone).await.err().unwrap();
    assert_eq!(error.kind, StoreErrorKind::NotFound);
    assert!(error.message.contains("none.csv"), "{}", error.message);
    let error = manifest_of_file(folder.path()).await.err().unwrap();
    assert!(error.message.contains("folder"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn an_object_that_breaks_off_is_read_on_with_its_tag() {
    let bytes = text(3_000);
    for fault in [
        BodyFault::Break(StoreErrorKind::Transient),
        BodyFault::Break(StoreErrorKind::Throttled),
        BodyFault::Cut,
    ] {
        let (store, faults) = stored(&bytes);
        faults.add(Rule::new("get", Fault::Body(20_000, fault.clone())).nth(1));
        faults.add(Rule::new("get", Fault::Error(StoreErrorKind::Transient)).nth(2));
        faults.add(Rule::new("get", Fault::Body(9_000, fault)).nth(3));
        assert_eq!(all(open(&store, &faults)).await.unwrap(), bytes);
        assert_eq!(faults.count("get"), 4);
        let pins: Vec<bool> = store
            .journal()
            .into_iter()
            .filter_map(|entry| match entry.call {
                longbow_testkit::fake::Call::Get { pin, range } => {
                    Some(pin.etag.is_some() && range.is_some())
                }
                _ => None,
            })
            .collect();
        assert_eq!(pins, [false, true, true]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_manifests_are_never_read_as_one() {
    let (store, faults) = stored(&text(3_000));
    let other = store.clone();
    let replace = BodyFault::Do(Arc::new(move || {
        other.put_bytes("m.csv", &vec![b'x'; 60_000]);
    }));
    faults.add(Rule::new("get", Fault::Body(15_000, replace)).nth(1));
    faults.add(Rule::new("get", Fault::Body(20_000, BodyFault::Break(StoreErrorKind::Transient))).nth(1));
    let error = all(open(&store, &faults)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::PreconditionFailed);
    assert!(error.message.contains("replaced"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn faults_that_last_end_it_and_those_that_move_on_do_not() {
    let bytes = text(3_000);
    let (store, faults) = stored(&bytes);
    faults.add(Rule::new("get", Fault::Body(0, BodyFault::Break(StoreErrorKind::Transient))));
    assert!(all(open(&store, &faults)).await.is_err());
    assert_eq!(faults.count("get"), patience::ATTEMPTS as usize);
    // Each try brings some bytes: as many tries as it takes.
    let (store, faults) = stored(&bytes);
    faults.add(Rule::new("get", Fault::Body(2_000, BodyFault::Break(StoreErrorKind::Transient))));
    assert_eq!(all(open(&store, &faults)).await.unwrap(), bytes);
    assert!(faults.count("get") > 20);
    let (store, faults) = stored(&bytes);
    faults.add(Rule::new("get", Fault::Error(StoreErrorKind::Denied)));
    assert_eq!(all(open(&store, &faults)).await.unwrap_err().kind, StoreErrorKind::Denied);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_waiting() {
    let (store, faults) = stored(&text(10));
    faults.add(Rule::new("get", Fault::Error(StoreErrorKind::Transient)));
    let stop = CancellationToken::new();
    let faulty = FaultyStore::new("lists", store, &faults);
    let reading = tokio::spawn(all(manifest_of_object(faulty, "m.csv".into(), stop.clone())));
    tokio::time::sleep(Duration::from_millis(1)).await;
    stop.cancel();
    assert!(reading.await.unwrap().is_err());
    assert!(faults.count("get") <= 2);
}
