//! What the jobsender itself costs, without a network: keys compared and jobs sent a CPU second, and the peak of memory.
//!
//! ```text
//! cargo run --release -p longbow-jobsender --example figures -- [KEYS] [REQUESTS] [MISSING IN 100]
//! ```
//!
//! Both listings are made as they are asked for, and their making is measured alone first and taken off. The queue takes
//! everything and forgets it. One line of JSON comes out. Linux only, since it reads `/proc/self`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use longbow_core::diff::Comparison;
use longbow_core::failure::{BackendError, StoreError, StoreErrorKind};
use longbow_core::job::{Report, TransferId, WhenBusy};
use longbow_core::object::{
    ETag, KeyOrder, Location, ObjectHead, ObjectKey, ObjectMeta, Prefix, Tag, VersionId,
};
use longbow_core::port::{
    CopyRequest, Delivery, GetRequest, HeadRequest, JobQueue, ListPage, ObjectBody, ObjectStore, Observer,
    OutgoingJob, PutBody, PutRequest, QueueDepth, Receipt, SendReport, StoreTraits, Written,
};
use longbow_core::route::Route;
use longbow_core::routes::{KeyMapping, NamedRoute, RouteName, RouteTable};
use longbow_jobsender::cluster::{ClusterJobsender, Input, NoRecord, RouteTask, RunOptions, SendOptions};
use longbow_testkit::fake::{FakeClock, FakeState};
use tokio_util::sync::CancellationToken;

const PAGE: u64 = 1_000;

/// `logs/000000000` and so on; of a hundred names as many are missing as wanted.
struct Made {
    keys: u64,
    missing: u64,
}

impl Made {
    fn first(&self, after: Option<&ObjectKey>, page: Option<&str>) -> u64 {
        if let Some(page) = page {
            return page.parse().unwrap_or(0);
        }
        let Some(after) = after else { return 0 };
        let (mut low, mut high) = (0, self.keys);
        while low < high {
            let middle = (low + high) / 2;
            if key(middle).as_str() > after.as_str() { high = middle } else { low = middle + 1 }
        }
        low
    }
}

fn key(number: u64) -> String {
    format!("logs/{number:09}")
}

fn unasked<T>() -> Result<T, StoreError> {
    Err(StoreError::new(StoreErrorKind::Permanent, "a comparison asks for listings only"))
}

#[async_trait]
impl ObjectStore for Made {
    fn traits(&self) -> StoreTraits {
        StoreTraits {
            name: "s3://made".into(),
            order: Some(KeyOrder::Bytes),
            folder: false,
            amazon: true,
            encryption: None,
            copy_domain: None,
            container: "made".into(),
        }
    }
    async fn list(&self, prefix: &Prefix, page: Option<&str>) -> Result<ListPage, StoreError> {
        self.list_from(prefix, None, page).await
    }
    async fn list_from(
        &self,
        _: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
    ) -> Result<ListPage, StoreError> {
        tokio::task::yield_now().await;
        let first = self.first(after, page);
        let last = (first + PAGE).min(self.keys);
        let object = |n: u64| ObjectMeta {
            key: key(n).into(),
            size: n,
            etag: Some(ETag::new(&format!("{n:032x}"))),
            modified: None,
            storage_class: None,
            version: None,
        };
        let objects = (first..last).filter(|n| n % 100 >= self.missing).map(object).collect();
        Ok(ListPage { objects, next: (last < self.keys).then(|| last.to_string()), skipped: Vec::new() })
    }
    async fn head(&self, _: &ObjectKey, _: &HeadRequest) -> Result<ObjectHead, StoreError> {
        unasked()
    }
    async fn get(&self, _: &ObjectKey, _: &GetRequest) -> Result<ObjectBody, StoreError> {
        unasked()
    }
    async fn put(&self, _: &ObjectKey, _: PutBody, _: &PutRequest) -> Result<Written, StoreError> {
        unasked()
    }
    async fn copy(&self, _: &ObjectKey, _: &CopyRequest) -> Result<Written, StoreError> {
        unasked()
    }
    async fn delete(&self, _: &ObjectKey, _: Option<&ETag>) -> Result<(), StoreError> {
        unasked()
    }
    async fn tags(&self, _: &ObjectKey, _: Option<&VersionId>) -> Result<Vec<Tag>, StoreError> {
        unasked()
    }
}

/// Takes and forgets.
#[derive(Default)]
struct Sink {
    jobs: AtomicU64,
    bytes: AtomicU64,
}

#[async_trait]
impl JobQueue for Sink {
    async fn send(&self, jobs: Vec<OutgoingJob>) -> Result<SendReport, BackendError> {
        self.jobs.fetch_add(jobs.len() as u64, Ordering::Relaxed);
        let bytes: usize = jobs.iter().map(|job| job.body.len()).sum();
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(SendReport::default())
    }
    async fn receive(&self, _: usize, _: Duration, _: Duration) -> Result<Vec<Delivery>, BackendError> {
        Ok(Vec::new())
    }
    async fn change_visibility(&self, _: &[Receipt], _: Duration) -> Result<Vec<Receipt>, BackendError> {
        Ok(Vec::new())
    }
    async fn acknowledge(&self, _: &Receipt) -> Result<(), BackendError> {
        Ok(())
    }
    async fn dead_letter(&self, _: &Receipt, _: &str) -> Result<(), BackendError> {
        Ok(())
    }
    async fn depth(&self) -> Result<QueueDepth, BackendError> {
        Ok(QueueDepth::default())
    }
}

struct Blind;

impl Observer for Blind {
    fn notice(&self, _: &str) {}
    fn finished(&self, _: &Report) {}
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after_name = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
    // utime and stime, in hundredths of a second (proc(5)).
    after_name.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

fn peak_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// The cost of making both listings.
async fn making(keys: u64, missing: u64) -> f64 {
    let began = cpu();
    for store in [Made { keys, missing: 0 }, Made { keys, missing }] {
        let mut page = None;
        loop {
            match store.list(&Prefix::default(), page.as_deref()).await {
                Ok(found) if found.next.is_some() => page = found.next,
                _ => break,
            }
        }
    }
    cpu() - began
}

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let keys = numbers.next().unwrap_or(1_000_000);
    let requests = numbers.next().unwrap_or(8);
    let missing = numbers.next().unwrap_or(1).min(100);
    let made = making(keys, missing).await;
    let at = |text| Location::parse(text, false).expect("a location");
    let route = Route { source: at("s3://src"), destination: at("s3://dst") };
    let route = NamedRoute::new(RouteName::new("r").expect("a name"), route, KeyMapping::Relative);
    let table = RouteTable::new(vec![route.clone()]).expect("one route");
    let queue = Arc::new(Sink::default());
    let task = RouteTask {
        route,
        source: Arc::new(Made { keys, missing: 0 }),
        destination: Arc::new(Made { keys, missing }),
        state: Arc::new(FakeState::new()),
        input: Input::Listings(Comparison::Etag),
        removals: None,
        record: Arc::new(NoRecord),
        observer: Arc::new(Blind),
    };
    let options = RunOptions {
        transfer: TransferId("t-0".into()),
        when_busy: WhenBusy::Append,
        send: SendOptions::default(),
        requests: usize::try_from(requests).unwrap_or(8),
        routes_at_once: 1,
        spill: std::env::temp_dir(),
        dry_run: false,
    };
    let jobsender = ClusterJobsender {
        queue: queue.clone(),
        clock: Arc::new(FakeClock::from_system()),
        lock: None,
        checkpoints: None,
    };
    let began = cpu();
    let report = jobsender.run(&table, vec![task], options, CancellationToken::new()).await;
    let all = cpu() - began;
    let report = report.expect("nothing keeps it from starting");
    assert!(report.is_success(), "{report:?}");
    let listed = report.routes[0].source_listed + report.routes[0].destination_listed;
    let own = (all - made).max(0.01);
    println!(
        "{{\"keys_listed\": {listed}, \"jobs\": {}, \"bytes_of_jobs\": {}, \"cpu_seconds\": {all:.2}, \
         \"of_it_making_the_listings\": {made:.2}, \"keys_a_cpu_second\": {:.0}, \"peak_mib\": {}}}",
        queue.jobs.load(Ordering::Relaxed),
        queue.bytes.load(Ordering::Relaxed),
        listed as f64 / own,
        peak_mib()
    );
}
