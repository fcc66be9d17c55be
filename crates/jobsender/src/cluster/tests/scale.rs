//! A million keys on each side, made as they are asked for: constant memory, and no work that grows faster than the keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use async_trait::async_trait;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::job::Report;
use longbow_core::object::{ETag, KeyOrder, ObjectHead, ObjectKey, ObjectMeta, Prefix, Tag, VersionId};
use longbow_core::port::{
    CopyRequest, GetRequest, HeadRequest, ListPage, ObjectBody, ObjectStore, Observer, PutBody, PutRequest,
    StoreTraits, Written,
};

use crate::cluster::NoRecord;
use crate::cluster::fixture::{Cluster, named};

const KEYS: u64 = 1_000_000;
const PAGE: u64 = 1_000;

/// `logs/0000000` and so on, without those that are missing.
struct Made {
    missing: fn(u64) -> bool,
    pages: AtomicU64,
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
        self.pages.fetch_add(1, Ordering::Relaxed);
        let key = |n: u64| format!("logs/{n:07}");
        let first = match (page, after) {
            (Some(page), _) => page.parse().unwrap(),
            // The first number whose key comes after that one.
            (None, Some(after)) => {
                let (mut low, mut high) = (0, KEYS);
                while low < high {
                    let middle = (low + high) / 2;
                    if key(middle).as_str() > after.as_str() { high = middle } else { low = middle + 1 }
                }
                low
            }
            (None, None) => 0,
        };
        let last = (first + PAGE).min(KEYS);
        let object = |n: u64| ObjectMeta {
            key: key(n).into(),
            size: n,
            etag: Some(ETag::new(&format!("{n:032x}"))),
            modified: None,
            storage_class: None,
            version: None,
        };
        let objects = (first..last).filter(|n| !(self.missing)(*n)).map(object).collect();
        Ok(ListPage { objects, next: (last < KEYS).then(|| last.to_string()), skipped: Vec::new() })
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

struct Blind;

impl Observer for Blind {
    fn notice(&self, _: &str) {}
    fn finished(&self, _: &Report) {}
}

/// LBB-26: the comparison held three full lists and compared each name with all.
#[tokio::test]
async fn lbb_26_a_million_keys_a_side() {
    for requests in [1, 8] {
        let mut cluster = Cluster::new();
        cluster.options.requests = requests;
        cluster.checkpointed = true;
        let mut task = cluster.task(named("r", "s3://src", "s3://dst"));
        let source = Arc::new(Made { missing: |_| false, pages: AtomicU64::new(0) });
        let destination = Arc::new(Made { missing: |n| n % 100 == 7, pages: AtomicU64::new(0) });
        task.source = source.clone();
        task.destination = destination.clone();
        (task.observer, task.record) = (Arc::new(Blind), Arc::new(NoRecord));
        let began = Instant::now();
        let report = cluster.run(vec![task]).await.unwrap();
        let took = began.elapsed();
        assert!(report.is_success(), "{report:?}");
        let route = &report.routes[0];
        assert_eq!((route.source_listed, route.destination_listed), (KEYS, KEYS - KEYS / 100));
        assert_eq!((route.jobs.sent, cluster.queue.bodies().len()), (KEYS / 100, 10_000));
        let pages = source.pages.load(Ordering::Relaxed) + destination.pages.load(Ordering::Relaxed);
        println!("{requests} requests at once: {took:?} for {KEYS} keys a side in {pages} pages");
        assert!(pages < 4 * KEYS / PAGE, "{pages}");
    }
}
