//! The use cases over the adapters of a cluster, against servers that nobody here wrote. Skipped where no server is named
//! (`tests/run` starts and names them).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use longbow_aws::{ClusterOptions, ClusterSession, S3Store, SideOptions, StateTable, TableOptions, connect};
use longbow_core::job::{ObjectRecord, RecordState, SourceVersion, UploadRecord};
use longbow_core::object::{Checksums, ETag, Location, ObjectKey};
use longbow_core::port::{
    Clock as _, CreateRequest, MultipartStore as _, PartRequest, PutBody, StateStore, UploadId,
};
use longbow_core::route::Route;
use longbow_core::transfer::{PartPlan, PartProof};
use longbow_testkit::fake::{FakeClock, FakeObserver, FakeQueue};
use longbow_worker::{SweepReport, WorkerPorts, sweep_uploads};
use tokio_util::sync::CancellationToken;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn fresh(name: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    format!("lb-{name}-{:x}", now.as_nanos())
}

async fn bucket(server: &str, name: &str) -> S3Store {
    let options = SideOptions {
        endpoint_url: variable(server),
        access_key: variable("LONGBOW_TEST_ACCESS_KEY"),
        secret_key: variable("LONGBOW_TEST_SECRET_KEY"),
        ..SideOptions::default()
    };
    let store = connect(&fresh(name), &options).await.expect("the server's keys are given");
    store.create_bucket().await.expect("a new bucket");
    store
}

async fn table(clock: Arc<FakeClock>) -> StateTable {
    let options = ClusterOptions {
        endpoint_url: variable("LONGBOW_TEST_MINISTACK"),
        access_key: variable("LONGBOW_TEST_ACCESS_KEY"),
        secret_key: variable("LONGBOW_TEST_SECRET_KEY"),
        ..ClusterOptions::default()
    };
    let session = ClusterSession::open(&options).await.expect("a session");
    let table = StateTable::open(&session, TableOptions::new(fresh("janitor")), clock).expect("a table");
    table.create(Duration::from_secs(60)).await.expect("a new table");
    table
}

async fn begin(store: &S3Store, key: &str) -> UploadId {
    let key = ObjectKey::from(key);
    let upload = store.create_upload(&key, &CreateRequest::default()).await.expect("an upload");
    let body = PutBody::Kept(vec![Bytes::from_static(b"part")]);
    let request = PartRequest { number: 1, offset: 0, md5: None };
    store.put_part(&key, &upload, body, &request).await.expect("a part");
    upload
}

async fn record(state: &dyn StateStore, clock: &FakeClock, name: &str, upload: UploadRecord) {
    let etag = Some(ETag::new("00000000000000000000000000000001-2"));
    let source = SourceVersion { size: 100, etag, version: None, modified: None };
    let now = RecordState::Copying { upload };
    let record = ObjectRecord {
        source,
        attempts: 0,
        updated: clock.now(),
        state: now,
        sequencer: None,
        transfer: None,
        found: false,
    };
    state.swap(&ObjectKey::from(name), None, record).await.expect("a swap");
}

/// LBB-38, LBB-40: uploads were left behind for ever, and the tool to clean them up did nothing.
#[tokio::test]
async fn the_janitor_aborts_own_uploads_on_real_servers_and_leaves_all_others() {
    if variable("LONGBOW_TEST_MINISTACK").is_none() {
        eprintln!("skipped: LONGBOW_TEST_MINISTACK does not name a running server");
        return;
    }
    for server in ["LONGBOW_TEST_MINISTACK", "LONGBOW_TEST_SEAWEEDFS"] {
        if variable(server).is_none() {
            continue;
        }
        let store = Arc::new(bucket(server, "left").await);
        let clock = Arc::new(FakeClock::from_system());
        let location = |text: &str| Location::parse(text, false).expect("a location");
        let route =
            Route { source: location("s3://source/from"), destination: location("s3://destination/to") };
        let state = Arc::new(table(Arc::clone(&clock)).await.state(&route, [None, None]));
        let plan = PartPlan::new(100, 50);
        let intended = UploadRecord::intended(plan, false, clock.now());
        let named = begin(&store, "to/named é+").await;
        let superseded = begin(&store, "to/superseded").await;
        let lost = begin(&store, "to/lost").await;
        let alive = begin(&store, "to/alive").await;
        let foreign = [begin(&store, "to/foreign").await, begin(&store, "to/named é+").await];
        let outside = begin(&store, "too/outside").await;
        let known = |upload: &UploadId| UploadRecord {
            upload: upload.clone(),
            plan,
            crc64nvme: false,
            begun: Some(clock.now()),
            outdated: false,
        };
        record(&*state, &clock, "named é+", known(&named)).await;
        record(&*state, &clock, "lost", intended).await;
        let md5 = "00000000000000000000000000000002".to_owned();
        let etag = ETag::new(&md5);
        let proof = PartProof { number: 1, size: 4, md5, etag, checksums: Checksums::default() };
        state.add_part(&ObjectKey::from("superseded"), &superseded, proof).await.expect("a part");
        let ports = WorkerPorts {
            source: store.clone(),
            destination: store.clone(),
            route,
            queue: Arc::new(FakeQueue::new()),
            state: state.clone(),
            clock: clock.clone(),
            observer: Arc::new(FakeObserver::new()),
        };
        let go = CancellationToken::new();
        let young = sweep_uploads(&ports, DAY, &go).await.expect("a sweep");
        assert_eq!(young, SweepReport { seen: 6, left: 6, ..SweepReport::default() }, "{server}");
        clock.advance(2 * DAY);
        record(&*state, &clock, "alive", known(&alive)).await;
        let swept = sweep_uploads(&ports, DAY, &go).await.expect("a sweep");
        let expected = SweepReport { seen: 6, own: 4, aborted: 3, left: 3, ..SweepReport::default() };
        assert_eq!(swept, expected, "{server}");
        let mut left: Vec<_> = store
            .list_uploads(&longbow_core::object::Prefix::default())
            .await
            .expect("a listing")
            .into_iter()
            .map(|upload| upload.upload.0)
            .collect();
        let mut expected = vec![alive.0, outside.0];
        expected.extend(foreign.into_iter().map(|upload| upload.0));
        left.sort();
        expected.sort();
        assert_eq!(left, expected, "{server}");
        assert!(!left.contains(&named.0) && !left.contains(&lost.0));
        let parts = state.parts(&ObjectKey::from("superseded"), &superseded).await.expect("a look");
        assert!(parts.is_empty(), "{server}");
    }
}
