//! The wrappers do what their plan says, and the contract suites notice what a liar does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::{GetRequest, JobQueue as _, ObjectStore as _, PutBody, PutRequest};
use longbow_testkit::contract::{self, Quirks, multipart, object_store};
use longbow_testkit::fake::{FakeQueue, FakeS3, FakeState, FakeStore};
use longbow_testkit::fault::{
    BodyFault, Fault, Faults, FaultyQueue, FaultyState, FaultyStore, Manner, Occurrence, Rule, When,
};

fn world() -> (Arc<FakeStore>, Faults, Arc<FaultyStore>) {
    let fake = FakeS3::new().create_bucket("bucket");
    let faults = Faults::new();
    let faulty = FaultyStore::new("destination", fake.clone(), &faults);
    (fake, faults, faulty)
}

async fn put(store: &FaultyStore, key: &str, bytes: &'static [u8]) -> Result<(), StoreError> {
    let body = PutBody::Kept(vec![Bytes::from_static(bytes)]);
    store.put(&ObjectKey::from(key), body, &PutRequest::default()).await.map(|_| ())
}

async fn get(store: &FaultyStore, key: &str) -> Result<Vec<u8>, StoreError> {
    let mut body = store.get(&ObjectKey::from(key), &GetRequest::default()).await?;
    let mut out = Vec::new();
    while let Some(frame) = body.stream.next().await {
        out.extend_from_slice(&frame?);
    }
    Ok(out)
}

#[tokio::test]
async fn without_rules_the_contracts_hold() {
    let (fake, faults, faulty) = world();
    fake.configure(|settings| settings.min_part = 100_000);
    let quirks = Quirks { part_size: 100_000, ..Quirks::default() };
    object_store::suite(&*faulty, &quirks).await;
    multipart::suite(&*faulty, &quirks).await;
    assert!(faults.calls() > 100);
    let state = FaultyState::new(Arc::new(FakeState::new()), &faults);
    contract::state_store::suite(&*state, "s/").await;
}

#[tokio::test(start_paused = true)]
async fn without_rules_the_queue_contract_holds() {
    let queue = FaultyQueue::new(Arc::new(FakeQueue::new()), &Faults::new());
    contract::job_queue::suite(&*queue, &Default::default()).await;
}

#[tokio::test]
async fn the_world_stops_before_or_after_an_effect() {
    for (when, expected) in [(When::Before, 2), (When::After, 3)] {
        for manner in [Manner::Hang, Manner::Fail] {
            let (fake, faults, faulty) = world();
            faults.stop_at(2, when, manner);
            let ended = faults
                .run(async {
                    for key in ["0", "1", "2", "3"] {
                        if put(&faulty, key, b"x").await.is_err() {
                            std::future::pending::<()>().await;
                        }
                    }
                })
                .await;
            assert!(ended.is_none() && faults.is_stopped());
            assert_eq!(fake.keys().len(), expected, "{when:?} {manner:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_stand_still_when_the_world_stops() {
    let (fake, faults, faulty) = world();
    fake.put_bytes("key", &[7; 200_000]);
    let mut body = faulty.get(&ObjectKey::from("key"), &GetRequest::default()).await.unwrap();
    assert!(body.stream.next().await.unwrap().is_ok());
    faults.stop_now(Manner::Hang);
    let next = tokio::time::timeout(Duration::from_secs(60), body.stream.next()).await;
    assert!(next.is_err(), "a body went on after the stop");
}

#[tokio::test]
async fn rules_meet_the_calls_they_name() {
    let (fake, faults, faulty) = world();
    faults.add(Rule::new("put", Fault::Error(StoreErrorKind::Denied)).about("b").nth(2));
    faults.add(Rule::new("put", Fault::ErrorAfter(StoreErrorKind::Transient)).on("destination").about("c"));
    faults.add(Rule::new("put", Fault::Error(StoreErrorKind::Full)).on("source"));
    put(&faulty, "a", b"1").await.unwrap();
    put(&faulty, "b", b"1").await.unwrap();
    assert_eq!(put(&faulty, "b", b"2").await.unwrap_err().kind, StoreErrorKind::Denied);
    put(&faulty, "b", b"3").await.unwrap();
    assert_eq!(put(&faulty, "c", b"1").await.unwrap_err().kind, StoreErrorKind::Transient);
    assert_eq!(fake.get_bytes("b").unwrap(), b"3");
    assert_eq!(fake.get_bytes("c").unwrap(), b"1", "the reply was lost, not the effect");
    let journal = faults.journal();
    assert_eq!(journal[2].faults, ["Denied before acting"]);
    assert_eq!((journal[4].number, journal[4].call, journal[4].subject.as_str()), (4, "put", "c"));
}

#[tokio::test]
async fn a_share_is_met_and_always_the_same() {
    let mut counts = Vec::new();
    for _ in 0..2 {
        let (fake, faults, faulty) = world();
        let rule = Rule::new("put", Fault::Error(StoreErrorKind::Throttled));
        faults.add(rule.at(Occurrence::Share { percent: 30, seed: 5 }));
        for i in 0..1000 {
            let _ = put(&faulty, &i.to_string(), b"x").await;
        }
        counts.push(fake.keys());
    }
    assert_eq!(counts[0], counts[1]);
    assert!((600..800).contains(&counts[0].len()), "{} of 1,000 passed", counts[0].len());
}

#[tokio::test]
async fn bodies_are_harmed_at_the_byte() {
    let bytes: Vec<u8> = (0..200_000u32).map(|i| i as u8).collect();
    for at in [0, 1, 65_535, 65_536, 199_999] {
        let (fake, faults, faulty) = world();
        fake.put_bytes("key", &bytes);
        let done = Arc::new(AtomicBool::new(false));
        let action = Arc::clone(&done);
        for (n, what) in [
            (1, BodyFault::Cut),
            (2, BodyFault::Flip),
            (3, BodyFault::Break(StoreErrorKind::Transient)),
            (4, BodyFault::Do(Arc::new(move || action.store(true, Ordering::SeqCst)))),
        ] {
            faults.add(Rule::new("get", Fault::Body(at, what)).nth(n));
        }
        assert_eq!(get(&faulty, "key").await.unwrap(), bytes[..at as usize]);
        let flipped = get(&faulty, "key").await.unwrap();
        let wrong: Vec<usize> = (0..bytes.len()).filter(|i| flipped[*i] != bytes[*i]).collect();
        assert_eq!(wrong, [at as usize]);
        assert_eq!(get(&faulty, "key").await.unwrap_err().kind, StoreErrorKind::Transient);
        assert_eq!(get(&faulty, "key").await.unwrap(), bytes);
        assert!(done.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn what_is_sent_is_harmed_too() {
    let (fake, faults, faulty) = world();
    faults.add(Rule::new("put", Fault::Body(2, BodyFault::Flip)).nth(1));
    faults.add(Rule::new("put", Fault::Body(2, BodyFault::Cut)).nth(2));
    put(&faulty, "key", b"abcd").await.unwrap();
    assert_eq!(fake.get_bytes("key").unwrap(), b"abbd");
    assert_eq!(put(&faulty, "key", b"abcd").await.unwrap_err().kind, StoreErrorKind::Transient);
    assert_eq!(fake.get_bytes("key").unwrap(), b"abbd");
}

#[tokio::test]
async fn the_contract_names_what_a_liar_breaks() {
    let (_, faults, faulty) = world();
    faults.add(Rule::new("put", Fault::LyingEtag));
    faults.add(Rule::new("get", Fault::Body(0, BodyFault::Flip)).about("contract/empty/nothing"));
    let quirks = Quirks::default();
    let failed = contract::failures(&*faulty as &object_store::Store, &quirks, object_store::checks()).await;
    let names: Vec<_> = failed.iter().map(|(name, _)| *name).collect();
    assert!(names.contains(&"what_was_put_is_read_listed_and_headed"), "{names:?}");
    assert!(names.contains(&"a_pin_that_does_not_hold_reads_nothing"), "{names:?}");
    assert!(!names.contains(&"an_empty_object_is_an_object"), "{names:?}");
}

#[tokio::test]
async fn the_queue_and_the_state_fail_as_told() {
    let faults = Faults::new();
    let queue = FaultyQueue::new(Arc::new(FakeQueue::new()), &faults);
    faults.add(Rule::new("depth", Fault::Error(StoreErrorKind::Throttled)).nth(1));
    faults.add(Rule::new("depth", Fault::Error(StoreErrorKind::Denied)).nth(2));
    assert!(queue.depth().await.unwrap_err().transient);
    assert!(!queue.depth().await.unwrap_err().transient);
    assert!(queue.depth().await.is_ok());
}
