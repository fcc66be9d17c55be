//! The state table of the cluster against a server that nobody here wrote.

mod servers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use longbow_aws::{DynamoState, Recorded, StateCount, StateTable, TableSchema};
use longbow_core::failure::FailureClass;
use longbow_core::job::{ObjectRecord, Proof, RecordState, SourceVersion};
use longbow_core::object::{Checksums, ETag, ObjectKey, Timestamp, VersionId};
use longbow_core::port::{Checkpoint, CheckpointStore as _, Clock as _, RunLock as _, StateStore as _};
use longbow_core::routes::RouteName;
use longbow_testkit::contract::run_lock::{self, LockQuirks};
use longbow_testkit::contract::{checkpoint_store, state_store, transfer_log};
use longbow_testkit::fake::FakeClock;
use servers::cluster::route;

const HERE: [Option<&str>; 2] = [None, None];

fn clock() -> Arc<FakeClock> {
    Arc::new(FakeClock::from_system())
}

async fn table(name: &str) -> Option<StateTable> {
    Some(servers::ministack()?.table(name, clock()).await)
}

fn record(version: &str, state: RecordState) -> ObjectRecord {
    let source = SourceVersion {
        size: 10,
        etag: Some(ETag::new("e")),
        version: Some(VersionId(version.into())),
        modified: Some(Timestamp(5)),
    };
    ObjectRecord {
        source,
        attempts: 0,
        updated: Timestamp(6),
        state,
        sequencer: None,
        transfer: None,
        found: false,
    }
}

fn copied() -> RecordState {
    RecordState::Copied { destination_etag: None, checksums: Checksums::default(), proof: Proof::ETag }
}

fn failed(reason: &str) -> RecordState {
    RecordState::Failed { class: FailureClass::Permanent, reason: reason.to_owned() }
}

/// Stores `count` records side by side; every tenth is of a failed object.
async fn fill(state: &DynamoState, count: usize) {
    let put = |n: usize| async move {
        let now = if n.is_multiple_of(10) { failed("gone") } else { copied() };
        let subject = ObjectKey::new(format!("folder/{n:05}"));
        state.swap(&subject, None, record(&n.to_string(), now)).await.unwrap();
    };
    stream::iter(0..count).for_each_concurrent(16, put).await;
}

#[tokio::test]
async fn ministack_keeps_the_contract() {
    let Some(table) = table("contract").await else { return };
    let state = table.state(&route("s3://source", "s3://destination"), HERE);
    state_store::suite(&state, "").await;
    state_store::suite(&state, "prefix/").await;
}

#[tokio::test]
async fn ministack_keeps_the_notes_of_runs() {
    let Some(table) = table("runs").await else { return };
    transfer_log::suite(&table).await;
    // They are no records of any route.
    assert_eq!(
        table.state(&route("s3://source", "s3://destination"), HERE).count().await.unwrap(),
        StateCount::default()
    );
}

/// LBB-16: an object copied to two destinations overwrote its own record.
#[tokio::test]
async fn lbb_16_each_destination_has_its_own_record() {
    let Some(table) = table("lbb16").await else { return };
    let one = table.state(&route("s3://source", "s3://one"), HERE);
    let two = table.state(&route("s3://source", "s3://two"), HERE);
    let elsewhere = table.state(&route("s3://source", "s3://one"), [None, Some("http://store.example")]);
    let key = ObjectKey::from("k");
    one.swap(&key, None, record("1", copied())).await.unwrap();
    for other in [&two, &elsewhere] {
        assert!(other.load(&key).await.unwrap().is_none());
        other.swap(&key, None, record("2", failed("no room"))).await.unwrap();
    }
    assert_eq!(one.load(&key).await.unwrap().unwrap().record, record("1", copied()));
}

/// LBB-26, LB-59: the versions copied were read from one page of an index.
#[tokio::test]
async fn lbb_26_records_are_read_to_the_last_page() {
    let Some(table) = table("pages").await else { return };
    let state = table.state(&route("s3://source/p", "s3://destination"), HERE);
    let other = table.state(&route("s3://source/q", "s3://destination"), HERE);
    fill(&state, 2500).await;
    fill(&other, 20).await;
    // What is no sort key is a record all the same.
    let odd = [String::new(), "folder/0".to_owned() + &"x".repeat(1500)];
    for subject in &odd {
        state.swap(&subject.as_str().into(), None, record("odd", copied())).await.unwrap();
    }
    let mut expected: BTreeMap<ObjectKey, String> =
        (0..2500).map(|n| (ObjectKey::new(format!("folder/{n:05}")), n.to_string())).collect();
    expected.extend(odd.iter().map(|subject| (ObjectKey::from(subject.as_str()), "odd".to_owned())));
    let version =
        |recorded: Recorded| (recorded.subject, recorded.stored.record.source.version.expect("a version").0);

    let pages: Vec<Vec<Recorded>> = state.records().try_collect().await.unwrap();
    let found: BTreeMap<_, _> = pages.into_iter().flatten().map(version).collect();
    assert_eq!(found, expected);

    let in_order: Vec<_> = state.in_order(None).map_ok(version).try_collect().await.unwrap();
    assert_eq!(in_order, expected.clone().into_iter().collect::<Vec<_>>());
    for after in ["folder/01234", odd[1].as_str(), "zzz"] {
        let after = ObjectKey::from(after);
        let rest: Vec<_> = state.in_order(Some(&after)).map_ok(version).try_collect().await.unwrap();
        let expected: Vec<_> = expected.clone().into_iter().filter(|(key, _)| *key > after).collect();
        assert_eq!(rest, expected, "after {after}");
    }

    state.swap(&"gone".into(), None, record("3", RecordState::Removed)).await.unwrap();
    let count = state.count().await.unwrap();
    assert_eq!(
        count,
        StateCount { copied: 2252, failed: 250, removed: 1, copied_bytes: 22_520, ..StateCount::default() }
    );
}

#[tokio::test]
async fn the_index_holds_what_was_given_up_until_it_is_copied() {
    let Some(table) = table("failed").await else { return };
    let state = table.state(&route("s3://source", "s3://destination"), HERE);
    fill(&state, 200).await;
    let failures = async || {
        let pages: Vec<Vec<Recorded>> = state.failed().try_collect().await.unwrap();
        pages.into_iter().flatten().collect::<Vec<_>>()
    };
    let found = failures().await;
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|recorded| recorded.stored.record.state == failed("gone")));
    let one = &found[0];
    state.swap(&one.subject, Some(one.stored.version), record("1", copied())).await.unwrap();
    assert_eq!(failures().await.len(), 19);
}

#[tokio::test]
async fn a_table_is_made_once_and_checked_after() {
    let Some(server) = servers::ministack() else { return };
    let name = servers::cluster::fresh("made");
    let table = server.open_table(&name, clock()).await;
    let missing = table.check().await.unwrap_err();
    for words in [name.as_str(), "longbow state create-table", "--table"] {
        assert!(missing.message.contains(words), "{}", missing.message);
    }
    assert!(!missing.transient);
    let patience = Duration::from_secs(60);
    assert!(table.create(patience).await.unwrap());
    assert!(!table.create(patience).await.unwrap(), "the second time it is there");
    table.check().await.unwrap();
}

#[tokio::test]
async fn a_new_table_is_what_the_schema_says() {
    let Some(server) = servers::ministack() else { return };
    let name = servers::cluster::fresh("schema");
    let table = server.open_table(&name, clock()).await;
    table.create(Duration::from_secs(60)).await.unwrap();
    let (client, schema) = (server.dynamodb(), TableSchema::current());
    let made = client.describe_table().table_name(&name).send().await.unwrap().table.unwrap();
    let billing = made.billing_mode_summary.unwrap().billing_mode.unwrap();
    assert_eq!(billing.as_str(), schema.billing_mode);
    let index = &made.global_secondary_indexes.unwrap()[0];
    assert_eq!(index.index_name(), Some(schema.indexes[0].name));
    let projection = index.projection().and_then(|p| p.projection_type()).unwrap();
    assert_eq!(projection.as_str(), schema.indexes[0].projection);
    let ttl = client.describe_time_to_live().table_name(&name).send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name(), Some(schema.ttl_attribute));
    let backups = client.describe_continuous_backups().table_name(&name).send().await.unwrap();
    let backups = backups.continuous_backups_description.unwrap().point_in_time_recovery_description.unwrap();
    assert_eq!(backups.point_in_time_recovery_status.unwrap().as_str(), "ENABLED");
}

/// LB-37: a worker waits for a table that is made after it has started.
#[tokio::test]
async fn lb_37_a_table_is_waited_for() {
    let Some(server) = servers::ministack() else { return };
    let table = server.open_table(&servers::cluster::fresh("late"), clock()).await;
    let patience = Duration::from_secs(60);
    let (waited, made) = tokio::join!(table.wait(patience), table.create(patience));
    waited.unwrap();
    assert!(made.unwrap());
}

#[tokio::test]
async fn a_table_of_another_schema_is_told_apart() {
    let Some(server) = servers::ministack() else { return };
    let name = servers::cluster::fresh("foreign");
    server.make_foreign_table(&name).await;
    let table = server.open_table(&name, clock()).await;
    for error in [table.check().await.unwrap_err(), table.create(Duration::ZERO).await.unwrap_err()] {
        for words in [name.as_str(), "Key + none", "index failed", "missing"] {
            assert!(error.message.contains(words), "{}", error.message);
        }
        assert!(!error.transient);
    }
}

/// LBB-29: nothing kept a second jobsender out.
#[tokio::test]
async fn lbb_29_locks_of_the_table_keep_the_contract() {
    let Some(server) = servers::ministack() else { return };
    let clock = clock();
    let table = server.table("lock", clock.clone()).await;
    let quirks = LockQuirks {
        prefix: "jobs ".into(),
        skew: Duration::from_secs(15),
        pass: Box::new(move |time| {
            clock.advance(time);
            Box::pin(std::future::ready(()))
        }),
    };
    run_lock::suite(&table, &quirks).await;
}

#[tokio::test]
async fn a_refused_lock_names_its_holder_and_clocks_may_differ() {
    let Some(server) = servers::ministack() else { return };
    let clock = clock();
    let table = server.table("lock", clock.clone()).await;
    let minute = Duration::from_secs(60);
    table.acquire("jobs", "the first", minute).await.unwrap();
    clock.advance(minute + Duration::from_secs(10));
    let told = table.acquire("jobs", "the second", minute).await.unwrap_err().to_string();
    assert!(told.contains("jobs") && told.contains("the first") && told.contains("until 20"), "{told}");
    clock.advance(Duration::from_secs(10));
    table.acquire("jobs", "the second", minute).await.unwrap();
}

#[tokio::test]
async fn checkpoints_of_the_table_keep_the_contract() {
    let Some(table) = table("checkpoints").await else { return };
    checkpoint_store::suite(&table.checkpoints("https://sqs.eu-west-1.amazonaws.com/1/jobs")).await;
}

/// Two configurations may share a table and have routes of the same names.
#[tokio::test]
async fn checkpoints_of_another_queue_are_others_and_forgotten_ones_end() {
    let Some(server) = servers::ministack() else { return };
    let clock = clock();
    let name = servers::cluster::fresh("scopes");
    let table = server.open_table(&name, clock.clone()).await;
    table.create(Duration::from_secs(60)).await.unwrap();
    let (one, two) = (table.checkpoints("one"), table.checkpoints("two"));
    let route = RouteName::new("photos").unwrap();
    let checkpoint = Checkpoint { upto: "m".into(), about: "sizes".into(), began: clock.now() };
    one.save(&route, &checkpoint).await.unwrap();
    assert_eq!(two.load(&route).await.unwrap(), None);
    two.clear(&route).await.unwrap();
    assert_eq!(one.load(&route).await.unwrap(), Some(checkpoint));

    let items = server.dynamodb().scan().table_name(&name).send().await.unwrap().items.unwrap();
    let expires: i64 = items[0]["expires"].as_n().unwrap().parse().unwrap();
    let day = 86_400;
    assert!((29 * day..31 * day).contains(&(expires - clock.now().0 / 1000)), "{expires}");
    clock.advance(Duration::from_secs(31 * 86_400));
    assert_eq!(one.load(&route).await.unwrap(), None, "it has ended, removed or not");
}
