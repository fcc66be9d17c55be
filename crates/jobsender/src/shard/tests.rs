//! A sharded listing is the plain listing: every key once and in order, whatever the keys and wherever the cuts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use longbow_core::object::Prefix;
use longbow_core::port::{ObjectStore, Side};
use longbow_testkit::fake::FakeS3;
use longbow_testkit::fault::{Fault, Faults, FaultyStore, Occurrence, Rule};
use proptest::prelude::*;
use tokio::sync::mpsc;

use super::*;
use crate::listing::{Listing, Way};

/// All keys that a listing gives, or its fault.
async fn listed(source: SideSource, requests: usize) -> Result<Vec<String>, String> {
    let way = Way::Checked(KeyOrder::Bytes);
    let mut listing = Listing::start(source, way, requests, CancellationToken::new());
    let mut keys = Vec::new();
    loop {
        match listing.next().await.map_err(|error| format!("{error:?}"))? {
            Item::End => return Ok(keys),
            Item::Chunk(chunk) => {
                assert_eq!(chunk.listed, chunk.entries.len() as u64);
                keys.extend(chunk.entries.into_iter().map(|entry| entry.key.as_str().to_owned()));
            }
        }
    }
}

fn source(store: Arc<dyn ObjectStore>, prefix: &str) -> SideSource {
    SideSource { side: Side::Source, store, prefix: Prefix::raw(prefix), after: None, versions: false }
}

fn store(keys: &[String], page: usize) -> (FakeS3, Arc<longbow_testkit::fake::FakeStore>) {
    let s3 = FakeS3::new();
    let store = s3.create_bucket("b");
    store.configure(|settings| settings.page_size = page);
    for key in keys {
        store.put_virtual(key, 1, 1);
    }
    (s3, store)
}

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn any_keys_and_any_requests_give_the_plain_listing(
        keys in prop::collection::btree_set(
            prop_oneof!["[ab/]{1,6}", "[0-9a-f]{4}", "p/[a-z]{1,3}", "\\PC{1,4}", "[\u{0}-\u{ffff}]{1,3}"], 0..120),
        page in 1usize..7,
        requests in 2usize..9,
        latency in 0u64..3,
        prefix in prop_oneof!["", "p/", "a"],
        after in prop::option::of("[a-f0-9p/]{1,3}"),
    ) {
        let keys: Vec<String> = keys.into_iter().collect();
        block(async {
            let (_s3, store) = store(&keys, page);
            store.configure(|settings| settings.latency = Duration::from_millis(latency));
            let mut source = source(store, &prefix);
            source.after = after.as_ref().map(|after| source.prefix.join(after));
            let first = source.after.clone();
            let expected: Vec<&String> = keys
                .iter()
                .filter(|key| key.starts_with(&prefix))
                .filter(|key| first.as_ref().is_none_or(|first| key.as_str() > first.as_str()))
                .collect();
            let found = listed(source, requests).await.unwrap();
            prop_assert_eq!(found.iter().collect::<Vec<_>>(), expected);
            Ok(())
        })?;
    }

    /// The shards tile the key space wherever their boundaries are.
    #[test]
    fn any_boundaries_give_each_key_once(
        keys in prop::collection::btree_set("[abc]{1,4}|\\PC{1,3}", 0..80),
        boundaries in prop::collection::btree_set("[abc]{1,4}|\\PC{1,3}", 0..12),
        page in 1usize..6,
        requests in 1usize..6,
    ) {
        let keys: Vec<String> = keys.into_iter().collect();
        block(async {
            let (_s3, store) = store(&keys, page);
            let (sender, mut items) = mpsc::channel(1_000);
            let mut shards = Shards::new(source(store, ""), requests, CancellationToken::new());
            shards.cut_at(&boundaries);
            let found = tokio::spawn(async move { run(shards, &sender).await.map_err(|e| format!("{e:?}")) });
            let mut given = Vec::new();
            while let Some(item) = items.recv().await {
                if let Ok(Item::Chunk(chunk)) = item {
                    given.extend(chunk.entries.into_iter().map(|entry| entry.key.as_str().to_owned()));
                }
            }
            prop_assert_eq!(found.await.unwrap(), Ok(()));
            prop_assert_eq!(&given, &keys);
            Ok(())
        })?;
    }
}

impl Shards {
    /// Shards of these upper ends, before anything is asked.
    fn cut_at<'a>(&mut self, boundaries: impl IntoIterator<Item = &'a String>) {
        for boundary in boundaries {
            let at = self.shards.len() - 1;
            self.shards[at].upto = Some(boundary.clone());
            let after = Some(self.source.prefix.join(boundary));
            let source = SideSource { after, ..self.source.clone() };
            self.shards.push_back(Shard {
                id: self.next_id,
                pages: Some(Pages::new(source, self.stop.clone())),
                upto: None,
                last: Some(boundary.clone()),
                ready: VecDeque::new(),
                ended: false,
                unproved: true,
                page: None,
                since_cut: 0,
            });
            self.next_id += 1;
        }
    }
}

/// How long a listing of 100 ms a page takes, and how many requests: plain and sharded.
fn cost(keys: &[String], requests: usize) -> (Duration, usize) {
    block(async {
        let (_s3, store) = store(keys, 20);
        store.configure(|settings| settings.latency = Duration::from_millis(100));
        let began = tokio::time::Instant::now();
        let found = listed(source(store.clone(), ""), requests).await.unwrap();
        assert_eq!(found.len(), keys.len());
        (began.elapsed(), store.count("list"))
    })
}

#[test]
fn every_kind_of_key_is_listed_side_by_side_for_few_requests_more() {
    let hex = |n: u64| format!("{:016x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let kinds: [(&str, Vec<String>); 6] = [
        ("hashes", (0..4_000).map(hex).collect()),
        (
            "one flat prefix",
            (0..4_000).map(|n| format!("a/very/long/prefix/that/all/share-{n:07}")).collect(),
        ),
        (
            "dates",
            (0..4_000).map(|n| format!("{}/{:02}/{:02}/{n:05}", 2020 + n % 6, n % 12, n % 28)).collect(),
        ),
        ("numbers", (0..4_000).map(|n| format!("{}/{n}", n % 10)).collect()),
        ("other alphabets", (0..4_000).map(|n| format!("\u{4e00}写真/\u{3042}{n}")).collect()),
        (
            "most in one place",
            (0..4_000).map(|n| if n < 40 { hex(n) } else { format!("log/{n:06}") }).collect(),
        ),
    ];
    let mut slow = Vec::new();
    for (kind, mut keys) in kinds {
        keys.sort();
        let (plain, pages) = cost(&keys, 1);
        let (sharded, requests) = cost(&keys, 8);
        println!("{kind}: {plain:?} in {pages} requests, sharded {sharded:?} in {requests}");
        // Many small folders are guessed worst.
        let times = if kind == "dates" { 15 } else { 25 };
        slow.extend((sharded * times >= plain * 10 || requests >= pages * 2).then_some(kind));
    }
    assert_eq!(slow, [] as [&str; 0]);
}

#[test]
fn a_listing_of_one_page_costs_one_request() {
    let keys: Vec<String> = (0..20).map(|n| format!("{n:02}")).collect();
    assert_eq!(cost(&keys, 8).1, 1);
}

/// LBB-66: the successor in Go printed errors of its concurrent listing and took what it had for everything.
#[tokio::test(start_paused = true)]
async fn lbb_66_a_lost_page_of_any_shard_fails_the_listing() {
    let keys: Vec<String> = (0..600).map(|n| format!("{n:04}")).collect();
    for nth in 1..60 {
        let (_s3, store) = store(&keys, 20);
        store.configure(|settings| settings.latency = Duration::from_millis(10));
        let faults = Faults::new();
        faults.add(Rule::new("list", Fault::Error(StoreErrorKind::Denied)).nth(nth));
        let faulty = FaultyStore::new("store", store, &faults);
        let end = listed(source(faulty, ""), 8).await;
        let met = faults.journal().iter().any(|call| !call.faults.is_empty());
        assert_eq!(end.is_err(), met, "page {nth}");
        assert!(nth > 30 || met, "{nth}");
    }
}

/// LBB-22: an exception in a listing counted as its end.
#[tokio::test(start_paused = true)]
async fn lbb_22_passing_faults_of_pages_lose_no_key() {
    let keys: Vec<String> = (0..600).map(|n| format!("{n:04}")).collect();
    let (_s3, store) = store(&keys, 20);
    let faults = Faults::new();
    let share = Occurrence::Share { percent: 10, seed: 7 };
    faults.add(Rule::new("list", Fault::Error(StoreErrorKind::Transient)).at(share));
    let faulty = FaultyStore::new("store", store, &faults);
    assert_eq!(listed(source(faulty, ""), 8).await, Ok(keys));
}

/// A store whose order turns out to be another one is told by the listing, not by missing keys.
#[tokio::test(start_paused = true)]
async fn a_broken_promise_of_order_is_a_violation() {
    let keys: Vec<String> = (0..200).flat_map(|n| [format!("d{n}/x"), format!("d{n}-y")]).collect();
    let (_s3, store) = store(&keys, 5);
    store.configure(|settings| settings.order = KeyOrder::Folders);
    let end = listed(source(store, ""), 4).await;
    assert!(end.as_ref().is_err_and(|error| error.contains("Order")), "{end:?}");
}

/// What had come already is not asked for again: the order is promised.
#[tokio::test]
async fn a_listing_whose_token_has_expired_goes_on_behind_its_last_key() {
    use longbow_core::failure::StoreError;
    use longbow_core::object::*;
    use longbow_core::port::*;
    /// Knows two of three tokens.
    struct Forgetful(Arc<longbow_testkit::fake::FakeStore>, AtomicUsize);
    #[async_trait::async_trait]
    impl ObjectStore for Forgetful {
        fn traits(&self) -> StoreTraits {
            self.0.traits()
        }
        async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
            self.list_from(prefix, None, page).await
        }
        async fn list_from(
            &self,
            prefix: &Prefix,
            after: Option<&ObjectKey>,
            page: Option<&str>,
        ) -> Result<ListPage, StoreError> {
            if page.is_some() && self.1.fetch_add(1, Ordering::Relaxed).is_multiple_of(3) {
                return Err(StoreError::new(StoreErrorKind::NoSuchPage, "a token that has expired"));
            }
            self.0.list_from(prefix, after, page).await
        }
        async fn head(&self, key: &ObjectKey, request: &HeadRequest) -> Result<ObjectHead, StoreError> {
            self.0.head(key, request).await
        }
        async fn get(&self, key: &ObjectKey, request: &GetRequest) -> Result<ObjectBody, StoreError> {
            self.0.get(key, request).await
        }
        async fn put(&self, key: &ObjectKey, body: PutBody, r: &PutRequest) -> Result<Written, StoreError> {
            self.0.put(key, body, r).await
        }
        async fn copy(&self, key: &ObjectKey, request: &CopyRequest) -> Result<Written, StoreError> {
            self.0.copy(key, request).await
        }
        async fn delete(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError> {
            self.0.delete(key, if_match).await
        }
        async fn tags(&self, key: &ObjectKey, v: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
            self.0.tags(key, v).await
        }
    }
    let keys: Vec<String> = (0..100).map(|n| format!("{n:04}")).collect();
    for requests in [1, 4] {
        let (_s3, store) = store(&keys, 5);
        let forgetful = Arc::new(Forgetful(store.clone(), AtomicUsize::new(0)));
        assert_eq!(listed(source(forgetful.clone(), ""), requests).await, Ok(keys.clone()));
        assert!(forgetful.1.load(Ordering::Relaxed) > 1, "no token was ever given");
        assert!(requests > 1 || store.count("list") == 20, "a page was listed twice");
    }
}

/// A store without a way to begin after a key is read as ever.
#[tokio::test(start_paused = true)]
async fn a_store_that_lists_from_its_first_key_only_is_read_so() {
    struct Plain(Arc<longbow_testkit::fake::FakeStore>);
    use longbow_core::failure::StoreError;
    use longbow_core::object::*;
    use longbow_core::port::*;
    #[async_trait::async_trait]
    impl ObjectStore for Plain {
        fn traits(&self) -> StoreTraits {
            self.0.traits()
        }
        async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
            self.0.list(prefix, page).await
        }
        async fn head(&self, key: &ObjectKey, request: &HeadRequest) -> Result<ObjectHead, StoreError> {
            self.0.head(key, request).await
        }
        async fn get(&self, key: &ObjectKey, request: &GetRequest) -> Result<ObjectBody, StoreError> {
            self.0.get(key, request).await
        }
        async fn put(&self, key: &ObjectKey, body: PutBody, r: &PutRequest) -> Result<Written, StoreError> {
            self.0.put(key, body, r).await
        }
        async fn copy(&self, key: &ObjectKey, request: &CopyRequest) -> Result<Written, StoreError> {
            self.0.copy(key, request).await
        }
        async fn delete(&self, key: &ObjectKey, if_match: Option<&ETag>) -> Result<(), StoreError> {
            self.0.delete(key, if_match).await
        }
        async fn tags(&self, key: &ObjectKey, v: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
            self.0.tags(key, v).await
        }
    }
    let keys: Vec<String> = (0..200).map(|n| format!("{n:04}")).collect();
    let (_s3, store) = store(&keys, 5);
    assert_eq!(listed(source(Arc::new(Plain(store.clone())), ""), 4).await, Ok(keys));
    assert_eq!(store.count("list"), 40);
}

/// Memory: when the comparison does not go on, so many pages are read ahead and no more.
#[tokio::test(start_paused = true)]
async fn what_is_read_ahead_is_bounded() {
    let keys: Vec<String> = (0..40_000).map(|n| format!("{n:07}")).collect();
    let (_s3, store) = store(&keys, 10);
    let requests = 8;
    let way = Way::Checked(KeyOrder::Bytes);
    let mut listing = Listing::start(source(store.clone(), ""), way, requests, CancellationToken::new());
    for _ in 0..400 {
        listing.next().await.unwrap();
    }
    let before = store.count("list");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let held = store.count("list") - before;
    assert!(held <= (requests + FAR) * (AHEAD + 1), "{held} more pages of 4,000 were read");
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(store.count("list") - before, held, "and then it waits");
}

/// A storm of refusals stops a listing and ends none: of all its pages one at a time is asked for again.
#[tokio::test(start_paused = true)]
async fn a_storm_in_a_listing_costs_a_tenth_more_requests_and_no_page() {
    let keys: Vec<String> = (0..20_000).map(|n| format!("{n:06}")).collect();
    let mut costs = Vec::new();
    for storms in [false, true] {
        let (_s3, store) = store(&keys, 20);
        store.configure(|settings| settings.latency = Duration::from_millis(100));
        let faults = Faults::new();
        let began = tokio::time::Instant::now();
        let refuses = move || {
            let at = began.elapsed();
            let storm = storms && at > Duration::from_secs(4) && at < Duration::from_secs(304);
            storm.then_some(StoreErrorKind::Throttled)
        };
        faults.add(Rule::new("list", Fault::When(Arc::new(refuses))));
        let found = listed(source(FaultyStore::new("store", store, &faults), ""), 16).await.unwrap();
        assert_eq!(found, keys);
        costs.push((faults.count("list"), began.elapsed()));
    }
    println!("{costs:?}");
    let [(calm, short), (stormy, long)] = costs[..] else { unreachable!() };
    assert!(stormy * 10 <= calm * 11, "{stormy} requests instead of {calm}");
    assert!(long < short + Duration::from_secs(300 + 15), "{long:?} after {short:?}");
}
