//! The walk over both sides through the real streams: tiny pages, every order, faults, stops.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use longbow_core::failure::StoreErrorKind;
use longbow_core::object::{KeyOrder, ObjectMeta, Prefix};
use longbow_core::port::Side;
use proptest::prelude::*;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::fixture::{A, B, FakeStore, World, entry, route};
use crate::pairs::{WalkPlan, compare_planned, compare_sides};
use crate::{JobsenderError, PairEvent, PairSink, SidesSummary};

/// Keeps the events since the last restart.
#[derive(Default)]
struct Kept {
    events: Vec<PairEvent>,
    excluded: Vec<String>,
    restarts: usize,
}

#[async_trait]
impl PairSink for Kept {
    async fn pairs(&mut self, batch: Vec<PairEvent>) -> Result<(), JobsenderError> {
        self.events.extend(batch);
        Ok(())
    }
    async fn restart(&mut self) -> Result<(), JobsenderError> {
        *self = Self { restarts: self.restarts + 1, ..Self::default() };
        Ok(())
    }
    fn excluded(&mut self, source: &ObjectMeta, _: Option<&ObjectMeta>) {
        self.excluded.push(source.key.as_str().to_owned());
    }
}

impl Kept {
    /// What each name has, checked to come once.
    fn by_name(&self, source: &Prefix, destination: &Prefix) -> BTreeMap<String, char> {
        let mut names = BTreeMap::new();
        for event in &self.events {
            let (name, what) = match event {
                PairEvent::Both(s, d) => {
                    assert_eq!(s.key.strip(source), d.key.strip(destination));
                    (s.key.strip(source), 'b')
                }
                PairEvent::SourceOnly(s) => (s.key.strip(source), 's'),
                PairEvent::DestinationOnly(d) => (d.key.strip(destination), 'd'),
            };
            assert_eq!(names.insert(name.unwrap().to_owned(), what), None, "{name:?} came twice");
        }
        names
    }
}

async fn compare(world: &World) -> (Kept, Result<SidesSummary, JobsenderError>) {
    let mut kept = Kept::default();
    let end = compare_sides(&world.sides(), &CancellationToken::new(), &mut kept).await;
    (kept, end)
}

const BYTES: &[&str] = &["a", "a-b", "a.b", "a/b", "a0", "c"];
const FOLDERS: &[&str] = &["a", "a/b", "a-b", "a.b", "a0", "d"];

fn expected() -> BTreeMap<String, char> {
    let both = ["a", "a-b", "a.b", "a/b", "a0"].map(|n| (n.to_owned(), 'b'));
    both.into_iter().chain([("c".to_owned(), 's'), ("d".to_owned(), 'd')]).collect()
}

fn all(kept: &Kept) -> BTreeMap<String, char> {
    kept.by_name(&Prefix::default(), &Prefix::default())
}

#[tokio::test]
async fn two_folder_ordered_sides_are_walked_in_folder_order_after_one_restart() {
    let source = FakeStore::of(&["a", "a/b", "a-b", "a.b", "a0", "c"]);
    let world = World::new(source, FakeStore::of(FOLDERS));
    let (kept, end) = compare(&world).await;
    let summary = end.unwrap();
    assert_eq!(all(&kept), expected());
    assert_eq!((summary.source_order, summary.destination_order), (KeyOrder::Folders, KeyOrder::Folders));
    assert_eq!(summary.sorted_on_disk, []);
    assert_eq!(kept.restarts, 1);
    assert_eq!(world.observer.restarts.load(Ordering::SeqCst), 1);
    assert_eq!(world.observer.notices.lock().unwrap().len(), 1);
    assert_eq!(world.observer.listed.lock().unwrap()[&Side::Source], 6);
    assert_eq!((summary.source_listed, summary.destination_listed), (6, 6));
}

#[tokio::test]
async fn remembered_orders_save_the_restart() {
    let mut world = World::new(FakeStore::of(&["a", "a/b", "a-b", "a.b", "a0", "c"]), FakeStore::of(FOLDERS));
    world.options.source_order = Some(KeyOrder::Folders);
    world.options.destination_order = Some(KeyOrder::Folders);
    let (kept, end) = compare(&world).await;
    assert_eq!((all(&kept), kept.restarts), (expected(), 0));
    assert_eq!(end.unwrap().source_order, KeyOrder::Folders);
    assert_eq!(*world.observer.notices.lock().unwrap(), [] as [String; 0]);
}

#[tokio::test]
async fn a_folder_ordered_side_beside_a_promised_byte_order_is_sorted() {
    for destination_promises in [true, false] {
        let mut world = if destination_promises {
            let mut destination = FakeStore::of(&["a", "a-b", "a.b", "a/b", "a0", "d"]);
            destination.order = Some(KeyOrder::Bytes);
            World::new(FakeStore::of(&["a", "a/b", "a-b", "a.b", "a0", "c"]), destination)
        } else {
            let mut source = FakeStore::of(BYTES);
            source.order = Some(KeyOrder::Bytes);
            World::new(source, FakeStore::of(FOLDERS))
        };
        let (kept, end) = compare(&world).await;
        let summary = end.unwrap();
        let (sorted, found) = match destination_promises {
            true => (Side::Source, summary.source_order),
            false => (Side::Destination, summary.destination_order),
        };
        assert_eq!((all(&kept), kept.restarts), (expected(), 1));
        assert_eq!((&summary.sorted_on_disk[..], found), (&[sorted][..], KeyOrder::Folders));
        let notices = std::mem::take(&mut *world.observer.notices.lock().unwrap());
        assert_eq!(notices.len(), 1);
        assert!(notices[0].contains("folder order"), "{notices:?}");
        // What was found is remembered: no second time.
        world.options.source_order = Some(summary.source_order);
        world.options.destination_order = Some(summary.destination_order);
        let (kept, end) = compare(&world).await;
        assert_eq!((all(&kept), kept.restarts), (expected(), 0));
        assert_eq!(end.unwrap().sorted_on_disk, [sorted]);
    }
}

#[tokio::test]
async fn orders_that_turn_out_unlike_are_sorted_too() {
    // Neither side promises anything, and they differ: found out one after the other.
    let world = World::new(FakeStore::of(BYTES), FakeStore::of(FOLDERS));
    let (kept, end) = compare(&world).await;
    let summary = end.unwrap();
    assert_eq!(all(&kept), expected());
    assert_eq!(summary.sorted_on_disk, [Side::Destination]);
    assert_eq!((summary.source_order, summary.destination_order), (KeyOrder::Bytes, KeyOrder::Folders));
}

#[tokio::test]
async fn a_name_listed_twice_is_one_name() {
    let source = FakeStore::new(vec![entry("a", A), entry("b", A), entry("b", B), entry("c", A)]);
    let world = World::new(source, FakeStore::of(&["a", "b", "c"]));
    let (kept, end) = compare(&world).await;
    assert_eq!(end.unwrap().sorted_on_disk, [Side::Source]);
    assert_eq!(all(&kept).into_values().collect::<String>(), "bbb");
    let last = PairEvent::Both(entry("b", B), entry("b", A));
    assert!(kept.events.contains(&last), "what was listed last counts: {:?}", kept.events);
}

#[tokio::test]
async fn a_wrong_memory_does_no_harm() {
    for remembered in [KeyOrder::Bytes, KeyOrder::Folders] {
        let mut world =
            World::new(FakeStore::of(&["a", "a/b", "a-b", "a.b", "a0", "c"]), FakeStore::of(FOLDERS));
        world.options.source_order = Some(remembered);
        world.options.destination_order = Some(KeyOrder::Bytes);
        let (kept, end) = compare(&world).await;
        assert_eq!(all(&kept), expected());
        assert_eq!(end.unwrap().source_order, KeyOrder::Folders);
    }
}

#[tokio::test]
async fn prefixes_are_boundaries_and_their_own_markers_no_objects_of_the_other_side() {
    let mut world = World::on(
        route("s3://src/p", "s3://dst/q/r"),
        FakeStore::of(&["p/", "p//x", "p/a"]),
        FakeStore::of(&["q/r/a", "q/r/b"]),
    );
    let (kept, end) = compare(&world).await;
    let names = kept.by_name(&Prefix::folder("p"), &Prefix::folder("q/r"));
    let pairs = [("", 's'), ("/x", 's'), ("a", 'b'), ("b", 'd')].map(|(n, c)| (n.to_owned(), c));
    assert_eq!(names, pairs.into_iter().collect());
    assert_eq!(end.unwrap().skipped_count, 0);
    // To the root of a bucket the marker has no name; it is told, not dropped.
    world.jobsender.route = route("s3://src/p", "s3://dst");
    world.jobsender.destination = Arc::new(FakeStore::of(&["a"]));
    let (kept, end) = compare(&world).await;
    let names = kept.by_name(&Prefix::folder("p"), &Prefix::default());
    assert_eq!(names, [("/x", 's'), ("a", 'b')].map(|(n, c)| (n.to_owned(), c)).into_iter().collect());
    let summary = end.unwrap();
    assert_eq!(summary.skipped_count, 1);
    assert!(summary.skipped_names[0].starts_with("p/: "), "{:?}", summary.skipped_names);
    // And the marker of the destination's prefix is nothing that a deletion may take.
    world.jobsender.route = route("s3://src", "s3://dst/q");
    world.jobsender.source = Arc::new(FakeStore::of(&["a"]));
    world.jobsender.destination = Arc::new(FakeStore::of(&["q/", "q/a"]));
    let (kept, _) = compare(&world).await;
    assert!(matches!(&kept.events[..], [PairEvent::Both(..)]), "{:?}", kept.events);
}

#[tokio::test]
async fn an_entry_outside_the_prefix_is_an_error() {
    let world =
        World::on(route("s3://src/p", "s3://dst"), FakeStore::of(&["p/a", "pp/x"]), FakeStore::of(&[]));
    let (_, end) = compare(&world).await;
    let error = end.unwrap_err();
    assert!(matches!(error, JobsenderError::Listing { side: Side::Source, page: 1, .. }), "{error:?}");
    assert!(error.to_string().contains("pp/x"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_for_a_while_is_asked_for_again_from_the_same_place() {
    use StoreErrorKind::{Throttled, Transient};
    let source = FakeStore::of(BYTES).fault(1, &[Transient, Throttled, Transient, Throttled, Transient]);
    let world = World::new(source, FakeStore::of(&["a", "a-b", "a.b", "a/b", "a0", "d"]));
    let (kept, end) = compare(&world).await;
    assert_eq!((all(&kept), end.unwrap().stopped), (expected(), false));
}

#[tokio::test]
async fn a_listing_whose_token_has_expired_begins_again() {
    use StoreErrorKind::NoSuchPage;
    // At its first key where the order is found out only, whichever side is sorted; what came before is not taken twice.
    for (source, destination, order) in [
        (
            FakeStore::of(BYTES).fault(2, &[NoSuchPage]),
            FakeStore::of(&["a", "a-b", "a.b", "a/b", "a0", "d"]),
            None,
        ),
        (FakeStore::of(BYTES).fault(1, &[NoSuchPage]), FakeStore::of(FOLDERS), None),
        (FakeStore::of(BYTES), FakeStore::of(FOLDERS).fault(2, &[NoSuchPage]), Some(KeyOrder::Folders)),
    ] {
        let mut world = World::new(source, destination);
        world.options.destination_order = order;
        let (kept, end) = compare(&world).await;
        end.unwrap();
        assert_eq!(all(&kept), expected());
    }
    // Not for ever: what begins again has to come further.
    let source = FakeStore::of(BYTES).fault(1, &[NoSuchPage]).fault(2, &[NoSuchPage; 2]);
    let (_, end) = compare(&World::new(source, FakeStore::of(FOLDERS))).await;
    let error = end.unwrap_err();
    assert!(
        matches!(&error, JobsenderError::Listing { source, .. } if source.kind == NoSuchPage),
        "{error:?}"
    );
    // And a page that was asked for without a token cannot have expired.
    let (_, end) =
        compare(&World::new(FakeStore::of(BYTES).fault(0, &[NoSuchPage]), FakeStore::of(BYTES))).await;
    assert!(end.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_page_that_stays_lost_is_an_error_that_names_it() {
    use StoreErrorKind::{Denied, Transient};
    for (faults, tries) in [(vec![Transient; 6], 6), (vec![Denied], 1)] {
        for side in [Side::Source, Side::Destination] {
            let store = |s| match s == side {
                true => FakeStore::of(BYTES).fault(2, &faults),
                false => FakeStore::of(BYTES),
            };
            let world = World::new(store(Side::Source), store(Side::Destination));
            let (_, end) = compare(&world).await;
            match end.unwrap_err() {
                JobsenderError::Listing { side: s, page: 3, attempts, source, .. } => {
                    assert_eq!((s, attempts, source.kind), (side, tries, faults[0]));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn a_stop_ends_the_walk_though_a_page_never_comes() {
    let mut source = FakeStore::of(BYTES);
    source.gate = Some((1, Arc::new(Semaphore::new(0))));
    let world = World::new(source, FakeStore::of(&[]));
    let stop = CancellationToken::new();
    let mut kept = Kept::default();
    let sides = world.sides();
    let end = {
        let walk = compare_sides(&sides, &stop, &mut kept);
        tokio::pin!(walk);
        tokio::select! {
            biased;
            _ = &mut walk => panic!("the second page never comes"),
            () = async { while world.observer.listed.lock().unwrap().is_empty() { tokio::task::yield_now().await } } => {}
        }
        stop.cancel();
        walk.await.unwrap()
    };
    assert!(end.stopped);
}

#[tokio::test]
async fn an_endless_listing_is_an_error() {
    let mut source = FakeStore::of(&[]);
    source.circles = true;
    let world = World::new(source, FakeStore::of(&[]));
    let (_, end) = compare(&world).await;
    assert!(matches!(end, Err(JobsenderError::Listing { page: 2, .. })), "{end:?}");
}

fn shuffled(names: &[String], how: u8, seed: u64) -> Vec<ObjectMeta> {
    let mut names = names.to_vec();
    match how {
        0 => names.sort(),
        1 => names.sort_by(|a, b| KeyOrder::Folders.compare(a, b)),
        _ => names.sort_by_key(|n| {
            n.bytes().fold(seed, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)).rotate_left(20)
        }),
    }
    names.iter().map(|n| entry(n, A)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_two_sides_in_any_order_give_the_set_differences(
        left in proptest::collection::btree_set("[ab/-]{1,4}", 0..40),
        right in proptest::collection::btree_set("[ab/-]{1,4}", 0..40),
        orders in (0u8..3, 0u8..3),
        pages in (1usize..6, 1usize..6),
        seed: u64,
        run_bytes in 1usize..2_000,
        excluding: bool,
    ) {
        let (left, right): (Vec<_>, Vec<_>) = (left.into_iter().collect(), right.into_iter().collect());
        let mut source = FakeStore::new(shuffled(&left, orders.0, seed));
        let mut destination = FakeStore::new(shuffled(&right, orders.1, !seed));
        (source.page, destination.page) = pages;
        let mut world = World::new(source, destination);
        if excluding {
            world.options.selection.exclude("*b").unwrap();
        }
        let mut kept = Kept::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let end = runtime.block_on(compare_planned(
            &world.sides(), &CancellationToken::new(), &mut kept, WalkPlan { run_bytes, ..WalkPlan::default() }));
        let summary = end.unwrap();
        let mut expected = BTreeMap::new();
        for name in left.iter().chain(&right).filter(|n| !(excluding && n.ends_with('b'))) {
            let what = match (left.contains(name), right.contains(name)) {
                (true, true) => 'b',
                (true, false) => 's',
                _ => 'd',
            };
            expected.insert(name.clone(), what);
        }
        prop_assert_eq!(all(&kept), expected);
        kept.excluded.sort();
        let excluded: Vec<_> = left.iter().filter(|n| excluding && n.ends_with('b')).cloned().collect();
        prop_assert_eq!(&kept.excluded, &excluded);
        prop_assert_eq!(summary.source_listed, left.len() as u64);
        prop_assert_eq!(summary.destination_listed, right.len() as u64);
        prop_assert_eq!(world.observer.listed.lock().unwrap().values().sum::<u64>(), (left.len() + right.len()) as u64);
        prop_assert!(kept.restarts <= 4);
        let spilled = world.options.spill.exists();
        prop_assert!(!spilled || std::fs::read_dir(&world.options.spill).unwrap().count() == 0);
    }
}
