//! Removals: only when asked, capped, after everything else, and never what has changed.

use std::sync::Arc;

use longbow_core::failure::StoreErrorKind;
use longbow_testkit::fake::FakeStore;
use longbow_testkit::fault::{Fault, Rule};

use crate::cluster::RemovalReport;
use crate::cluster::fixture::{Cluster, named};

fn world() -> (Cluster, Arc<FakeStore>) {
    let cluster = Cluster::new();
    cluster.bucket("src", &["a", "new"]);
    let destination = cluster.bucket("dst", &["a", "x1", "x2", "x3"]);
    (cluster, destination)
}

async fn run(cluster: &Cluster, most: Option<u64>) -> (bool, Option<RemovalReport>) {
    let mut task = cluster.task(named("r", "s3://src", "s3://dst"));
    task.removals = most;
    let report = cluster.run(vec![task]).await.unwrap();
    let success = report.is_success();
    let route = report.routes.into_iter().next().unwrap();
    assert!(route.error.is_some() || route.extra.count >= 3 || route.stopped, "{route:?}");
    (success, route.removals)
}

/// LBB-19: deletes were never propagated. Here they are when asked for, and else not.
#[tokio::test(start_paused = true)]
async fn lbb_19_only_what_the_source_has_not_is_removed_and_only_when_asked() {
    let (cluster, destination) = world();
    assert_eq!(run(&cluster, None).await, (true, None));
    assert_eq!(destination.keys().len(), 4);
    cluster.drain().await;
    let (success, removals) = run(&cluster, Some(3)).await;
    assert_eq!((success, removals), (true, Some(RemovalReport { removed: 3, ..RemovalReport::default() })));
    assert_eq!(destination.keys(), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn more_than_the_cap_removes_nothing() {
    let (cluster, destination) = world();
    let (success, removals) = run(&cluster, Some(2)).await;
    assert!(!success && removals.unwrap().refused.unwrap().contains("at most 2"));
    assert_eq!(destination.keys().len(), 4);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_after_a_listing_or_a_send_that_failed() {
    for (call, port) in [("list", "r-source"), ("list", "r-destination"), ("send", "queue")] {
        let (cluster, destination) = world();
        cluster.faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Denied)).on(port));
        let (success, removals) = run(&cluster, Some(9)).await;
        assert!(!success && removals.unwrap().refused.is_some(), "{call} {port}");
        assert_eq!(destination.keys().len(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn what_changes_meanwhile_stays_and_is_named() {
    let (cluster, destination) = world();
    let (source, written) = (cluster.s3.create_bucket("src"), destination.clone());
    // After the listings: one comes back at the source, one is written anew at the destination.
    let change = Fault::Before(Arc::new(move || {
        source.put_bytes("x1", b"again");
        written.put_bytes("x2", b"newer");
    }));
    cluster.faults.add(Rule::new("send", change).nth(1));
    let (success, removals) = run(&cluster, Some(9)).await;
    let removals = removals.unwrap();
    assert_eq!((success, removals.removed, removals.kept, removals.named.len()), (true, 1, 2, 2));
    assert_eq!(destination.keys(), ["a", "x1", "x2"]);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_removes_nothing_and_is_no_success() {
    let (cluster, destination) = world();
    cluster.faults.add(Rule::new("head", Fault::Error(StoreErrorKind::Denied)).on("r-source"));
    let (success, removals) = run(&cluster, Some(9)).await;
    assert_eq!((success, removals.unwrap().failed), (false, 3));
    assert_eq!(destination.keys().len(), 4);
}

/// What only the destination has may be the copies of another route.
#[tokio::test(start_paused = true)]
async fn a_destination_that_two_routes_share_is_never_cleaned() {
    let cluster = Cluster::new();
    cluster.bucket("src-a", &["1"]);
    cluster.bucket("src-b", &["2"]);
    let destination = cluster.bucket("dst", &["1", "2", "old"]);
    let mut tasks = vec![
        cluster.task(named("a", "s3://src-a", "s3://dst")),
        cluster.task(named("b", "s3://src-b", "s3://dst")),
    ];
    tasks.iter_mut().for_each(|task| task.removals = Some(100));
    let report = cluster.run(tasks).await.unwrap();
    assert!(!report.is_success());
    for route in &report.routes {
        assert!(
            route.removals.as_ref().unwrap().refused.as_ref().unwrap().contains("writes below"),
            "{route:?}"
        );
    }
    assert_eq!(destination.keys().len(), 3);
}
