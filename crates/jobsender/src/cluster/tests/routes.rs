//! Several routes in one run, the look at the queue, the lock, and what is written down.

use std::time::Duration;

use longbow_core::failure::StoreErrorKind;
use longbow_core::job::{Observation, WhenBusy, decode_message};
use longbow_testkit::fault::{Fault, Occurrence, Rule};
use std::sync::Arc;

use crate::JobsenderError;
use crate::cluster::StartError;
use crate::cluster::fixture::{Cluster, named};

fn two() -> (Cluster, Vec<crate::cluster::RouteTask>) {
    let cluster = Cluster::new();
    cluster.bucket("src-a", &["p/1", "p/2", "other/x"]);
    cluster.bucket("src-b", &["1", "2", "3"]);
    cluster.bucket("dst", &["b/3"]);
    let tasks = vec![
        cluster.task(named("a", "s3://src-a/p", "s3://dst/a")),
        cluster.task(named("b", "s3://src-b", "s3://dst/b")),
    ];
    (cluster, tasks)
}

#[tokio::test(start_paused = true)]
async fn each_route_sends_its_own_jobs_with_its_stamp() {
    let (cluster, tasks) = two();
    let report = cluster.run(tasks).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    let mut jobs: Vec<_> = cluster
        .jobs()
        .into_iter()
        .map(|(route, job)| (route, job.source.to_string(), job.destination.to_string()))
        .collect();
    jobs.sort();
    let expected = [
        ("a", "p/1", "a/1"),
        ("a", "p/2", "a/2"),
        ("b", "1", "b/1"),
        ("b", "2", "b/2"),
        // The destination's object holds another key's bytes.
        ("b", "3", "b/3"),
    ];
    assert_eq!(jobs, expected.map(|(a, b, c)| (a.to_owned(), b.to_owned(), c.to_owned())));
    let b3 =
        cluster.jobs().into_iter().map(|(_, job)| job).find(|job| job.destination == "b/3".into()).unwrap();
    assert!(matches!(b3.observed, Observation::Present(_)), "{b3:?}");
    let sent: Vec<u64> = report.routes.iter().map(|route| route.jobs.sent).collect();
    assert_eq!((sent, report.missing()), (vec![2, 3], 0));
    assert_eq!(report.routes[1].decisions.to_copy().count, 3);
}

/// LB-21: a second run over equal sides sends nothing. LBB-24 and LBB-25: nor does a slash at the end of a prefix, nor a
/// sibling of it, make it send.
#[tokio::test(start_paused = true)]
async fn lb_21_lbb_24_lbb_25_equal_sides_give_no_job() {
    let cluster = Cluster::new();
    cluster.bucket("src", &["p/1", "p/2", "pp/x"]);
    let dst = cluster.bucket("dst", &[]);
    dst.put_bytes("q/1", b"p/1");
    dst.put_bytes("q/2", b"p/2");
    for (source, destination) in [("s3://src/p", "s3://dst/q"), ("s3://src/p/", "s3://dst/q/")] {
        let report = cluster.run(vec![cluster.task(named("r", source, destination))]).await.unwrap();
        assert!(report.is_success() && cluster.queue.bodies().is_empty(), "{report:?}");
        assert_eq!((report.routes[0].source_listed, report.routes[0].decisions.same.count), (2, 2));
    }
}

/// LBB-17: a change that keeps the size was never noticed.
#[tokio::test(start_paused = true)]
async fn lbb_17_a_change_of_equal_size_gets_its_job() {
    let cluster = Cluster::new();
    cluster.bucket("src", &[]).put_bytes("k", b"new");
    cluster.bucket("dst", &[]).put_bytes("k", b"old");
    cluster.run(vec![cluster.task(named("r", "s3://src", "s3://dst"))]).await.unwrap();
    assert_eq!(cluster.keys(), ["k".to_owned()].into());
}

/// LBB-18: keys went through a path library, so that some were changed and some met.
#[tokio::test(start_paused = true)]
async fn lbb_18_keys_arrive_in_jobs_as_they_are() {
    let odd = longbow_testkit::generate::odd_keys(4);
    let cluster = Cluster::new();
    cluster.bucket("src", &odd.iter().map(String::as_str).collect::<Vec<_>>());
    cluster.bucket("dst", &[]);
    let report = cluster.run(vec![cluster.task(named("r", "s3://src", "s3://dst/pre"))]).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    assert_eq!(cluster.keys(), odd.iter().cloned().collect());
    for (_, job) in cluster.jobs() {
        assert_eq!(job.destination.as_str(), format!("pre/{}", job.source.as_str()));
    }
}

/// LBB-22: a listing that failed counted as read, for exit code 0: missing jobs, or all of them again.
#[tokio::test(start_paused = true)]
async fn lbb_22_a_failed_listing_fails_its_route_and_no_other() {
    for side in ["a-source", "a-destination"] {
        let (cluster, tasks) = two();
        let denied = Fault::Error(StoreErrorKind::Denied);
        cluster.faults.add(Rule::new("list", denied).on(side));
        let report = cluster.run(tasks).await.unwrap();
        assert!(!report.is_success());
        assert!(matches!(report.routes[0].error, Some(JobsenderError::Listing { .. })), "{report:?}");
        assert!(report.routes[1].is_success());
        assert_eq!((report.routes[0].jobs.sent, report.routes[1].jobs.sent), (0, 3));
        assert_eq!(cluster.jobs().len(), 3, "nothing of the route that failed");
    }
}

#[tokio::test(start_paused = true)]
async fn routes_side_by_side_do_as_routes_in_a_row() {
    let (mut cluster, tasks) = two();
    cluster.options.routes_at_once = 2;
    cluster.options.requests = 8;
    let report = cluster.run(tasks).await.unwrap();
    assert!(report.is_success());
    assert_eq!(cluster.jobs().len(), 5);
}

/// LB-22: nothing is listed while the last batch waits.
#[tokio::test(start_paused = true)]
async fn lb_22_a_busy_queue_is_left_alone_unless_asked_to_append() {
    let (mut cluster, tasks) = two();
    cluster.queue.push("s", r#"{"key":"a","size":3}"#);
    assert!(matches!(cluster.run(tasks).await, Err(StartError::Busy(_))));
    assert_eq!(cluster.faults.count("list"), 0);
    cluster.options.when_busy = WhenBusy::Append;
    let again = vec![cluster.task(named("a", "s3://src-a/p", "s3://dst/a"))];
    assert!(cluster.run(again).await.unwrap().is_success());
    assert_eq!(cluster.queue.bodies().len(), 3);
}

/// LBB-29: several jobsenders at once were not prevented.
#[tokio::test(start_paused = true)]
async fn lbb_29_a_second_jobsender_does_not_start() {
    let (mut cluster, tasks) = two();
    cluster.locked = true;
    cluster.lock.steal("jobsender", "another", Duration::from_secs(60));
    assert!(matches!(cluster.run(tasks).await, Err(StartError::Lock(_))));
    assert_eq!(cluster.faults.count("list"), 0);
    tokio::time::sleep(Duration::from_secs(61)).await;
    let again = vec![cluster.task(named("a", "s3://src-a/p", "s3://dst/a"))];
    assert!(cluster.run(again).await.unwrap().is_success());
    assert_eq!(cluster.lock.holder("jobsender"), None, "given up at the end");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_loses_its_lock_sends_no_more() {
    let mut cluster = Cluster::new();
    cluster.locked = true;
    let keys: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    let source = cluster.bucket("src", &keys.iter().map(String::as_str).collect::<Vec<_>>());
    source.configure(|settings| (settings.page_size, settings.latency) = (10, Duration::from_secs(5)));
    let lock = cluster.lock.clone();
    let steal = Fault::After(Arc::new(move || lock.steal("jobsender", "another", Duration::from_secs(600))));
    cluster.faults.add(Rule::new("list", steal).on("r-source").nth(5));
    let report = cluster.run(vec![cluster.task(named("r", "s3://src", "s3://dst"))]).await.unwrap();
    assert!(report.lock_lost && report.routes[0].stopped && !report.is_success(), "{report:?}");
    let sent = report.routes[0].jobs.sent;
    assert!(sent < 120, "{sent} of 200 were sent, though the lock was lost after 50");
    assert_eq!(cluster.queue.bodies().len() as u64, sent);
    assert_eq!(cluster.lock.holder("jobsender").as_deref(), Some("another"));
}

/// LB-27: the lists of jobs and of ignored keys, in memory that does not grow.
#[tokio::test(start_paused = true)]
async fn lb_27_what_is_sent_and_what_is_ignored_is_written_down() {
    let cluster = Cluster::new();
    cluster.bucket("src", &["a.txt", "b.tmp", "c.txt"]);
    cluster.bucket("dst", &[]);
    let mut route = named("r", "s3://src", "s3://dst");
    route.selection.ignore_file("ignore", "*.tmp").unwrap();
    assert!(cluster.run(vec![cluster.task(route)]).await.unwrap().is_success());
    let mut sent = cluster.record.sent.lock().unwrap().clone();
    let mut queued = cluster.queue.bodies();
    sent.sort();
    queued.sort();
    assert_eq!(sent, queued);
    assert_eq!(*cluster.record.ignored.lock().unwrap(), ["b.tmp"]);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_written_fails_the_route() {
    let cluster = Cluster::new();
    cluster.bucket("src", &["a"]);
    cluster.bucket("dst", &[]);
    *cluster.record.full.lock().unwrap() = true;
    let report = cluster.run(vec![cluster.task(named("r", "s3://src", "s3://dst"))]).await.unwrap();
    assert!(matches!(report.routes[0].error, Some(JobsenderError::Sink(_))), "{report:?}");
}

/// LBB-43: faults ended in exit code 0. A refused job must be seen by the caller.
#[tokio::test(start_paused = true)]
async fn lbb_43_a_run_whose_queue_takes_nothing_is_no_success_and_counts_every_job() {
    let (cluster, tasks) = two();
    cluster.faults.add(Rule::new("send", Fault::Error(StoreErrorKind::Denied)).at(Occurrence::First(1)));
    let report = cluster.run(tasks).await.unwrap();
    assert!(!report.is_success());
    assert!(matches!(report.routes[0].error, Some(JobsenderError::Queue(_))), "{report:?}");
    assert_eq!((report.routes[0].jobs.unsent, report.missing()), (2, 2));
    let named: Vec<_> =
        report.routes[0].jobs.named.iter().map(|job| job.subject.as_str().to_owned()).collect();
    assert_eq!(named, ["a/1", "a/2"]);
    assert_eq!(report.routes[1].jobs.sent, 3);
}

#[tokio::test(start_paused = true)]
async fn a_trial_decides_and_touches_nothing() {
    let (mut cluster, tasks) = two();
    (cluster.options.dry_run, cluster.locked, cluster.checkpointed) = (true, true, true);
    cluster.queue.push("s", r#"{"key":"a","size":3}"#);
    let report = cluster.run(tasks).await.unwrap();
    assert_eq!(report.routes[1].decisions.to_copy().count, 3);
    assert_eq!((cluster.queue.bodies().len(), cluster.checkpoints.saves()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_prompt_and_no_failure() {
    let (cluster, tasks) = two();
    cluster.stop.cancel();
    // The look at the queue has no time left either, and asks once.
    let report = cluster.run(tasks).await.unwrap();
    assert!(report.routes.iter().all(|route| route.stopped && route.error.is_none()), "{report:?}");
    assert!(cluster.queue.bodies().is_empty());
}

/// The jobs are such that a worker with the same routes takes them.
#[tokio::test(start_paused = true)]
async fn what_is_sent_is_admitted_by_the_table_it_was_made_with() {
    let (cluster, tasks) = two();
    let table =
        longbow_core::routes::RouteTable::new(tasks.iter().map(|task| task.route.clone()).collect()).unwrap();
    cluster.run(tasks).await.unwrap();
    for body in cluster.queue.bodies() {
        table.admit(decode_message(&body).unwrap()).unwrap();
    }
}

/// LBB-19 and LB-24: a prefix is a folder of keys and not the beginning of a name; a full key stands below the
/// destination's prefix where a configuration of Longbow 0.98 says so.
#[tokio::test(start_paused = true)]
async fn lb_24_prefixes_end_at_their_slash_and_keys_are_mapped_as_the_route_says() {
    use longbow_core::routes::{KeyMapping, NamedRoute, RouteName};
    for requests in [1, 4] {
        for (mapping, expected) in [
            (KeyMapping::Relative, ["q/", "q/a", "q/a//b"]),
            (KeyMapping::FullKey, ["q/p/", "q/p/a", "q/p/a//b"]),
        ] {
            let mut cluster = Cluster::new();
            cluster.options.requests = requests;
            let source = cluster.bucket("src", &["p", "p-b", "p/", "p/a", "p/a//b", "p0", "pp/x", "P/x"]);
            source.configure(|settings| settings.page_size = 1);
            // Beside the destination's prefix, and of no concern.
            let destination = cluster.bucket("dst", &["qq/a", "q", "q-a"]);
            let route = named("r", "s3://src/p", "s3://dst/q").route;
            let mut task = cluster.task(NamedRoute::new(RouteName::new("r").unwrap(), route, mapping));
            task.removals = Some(100);
            let report = cluster.run(vec![task]).await.unwrap();
            assert!(report.is_success(), "{report:?}");
            let mut found: Vec<_> =
                cluster.jobs().into_iter().map(|(_, job)| job.destination.to_string()).collect();
            found.sort();
            assert_eq!(found, expected);
            assert_eq!(destination.keys(), ["q", "q-a", "qq/a"]);
        }
    }
}
