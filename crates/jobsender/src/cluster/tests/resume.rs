//! A run that is killed anywhere and started again loses no job, and begins where it had come to.

use std::collections::BTreeSet;

use longbow_core::failure::StoreErrorKind;
use longbow_core::job::WhenBusy;
use longbow_core::port::{Checkpoint, CheckpointStore};
use longbow_core::routes::RouteName;
use longbow_testkit::fault::{Fault, Faults, Manner, Rule, When};

use crate::cluster::fixture::{Cluster, named};

fn world(requests: usize) -> (Cluster, BTreeSet<String>) {
    let mut cluster = Cluster::new();
    cluster.checkpointed = true;
    cluster.options.when_busy = WhenBusy::Append;
    cluster.options.requests = requests;
    let keys: Vec<String> = (0..60).map(|n| format!("p/{n:03}")).collect();
    let source = cluster.bucket("src", &keys.iter().map(String::as_str).collect::<Vec<_>>());
    let destination = cluster.bucket("dst", &[]);
    let mut missing = BTreeSet::new();
    for (n, key) in keys.iter().enumerate() {
        // Every third is there already; some names are only there.
        if n % 3 == 0 {
            destination.put_bytes(&key.replace('p', "q"), key.as_bytes());
        } else {
            missing.insert(key.clone());
        }
        if n % 7 == 0 {
            destination.put_bytes(&format!("q/{n:03}-extra"), b"x");
        }
    }
    source.configure(|settings| settings.page_size = 5);
    destination.configure(|settings| settings.page_size = 4);
    (cluster, missing)
}

async fn run(cluster: &Cluster) -> Option<Option<String>> {
    let task = cluster.task(named("r", "s3://src/p", "s3://dst/q"));
    let faults = cluster.faults.clone();
    let report = faults.run(cluster.run(vec![task])).await?.unwrap();
    assert!(report.is_success(), "{report:?}");
    Some(report.routes.into_iter().next().unwrap().resumed_after)
}

fn checkpoint(cluster: &Cluster) -> Option<Checkpoint> {
    cluster.checkpoints.of(&RouteName::new("r").unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_at_any_call_and_started_again_loses_no_job() {
    let mut resumed = 0;
    for requests in [1, 4] {
        let (cluster, missing) = world(requests);
        assert_eq!(run(&cluster).await, Some(None));
        assert_eq!(cluster.keys(), missing);
        assert_eq!(checkpoint(&cluster), None, "a run that has ended leaves none");
        let calls = cluster.faults.calls();
        assert!(calls > 30, "{calls}");
        for call in 0..calls {
            for when in [When::Before, When::After] {
                let (mut cluster, missing) = world(requests);
                cluster.faults.stop_at(call, when, Manner::Hang);
                assert_eq!(run(&cluster).await, None, "the run was to be killed at call {call}");
                // The tasks of the killed run end as soon as they are polled.
                for _ in 0..20 {
                    tokio::task::yield_now().await;
                }
                let before = cluster.queue.bodies().len();
                if let Some(checkpoint) = checkpoint(&cluster) {
                    // What it promises is true: every job up to there is in the queue.
                    let upto = format!("p/{}", checkpoint.upto);
                    let due = missing.iter().filter(|key| **key <= upto);
                    let keys = cluster.keys();
                    assert!(due.into_iter().all(|key| keys.contains(key)), "{call} {when:?} {checkpoint:?}");
                }
                cluster.faults = Faults::new();
                let after = run(&cluster).await.unwrap();
                assert_eq!(cluster.keys(), missing, "killed at call {call}, {when:?}");
                if let Some(after) = after {
                    resumed += 1;
                    let again = cluster.queue.bodies().len() - before;
                    let left = missing.iter().filter(|key| key.as_str() > format!("p/{after}").as_str());
                    assert_eq!(again, left.count(), "only what lies behind the checkpoint is sent again");
                }
                assert_eq!(checkpoint(&cluster), None);
            }
        }
    }
    assert!(resumed > 60, "{resumed} runs went on where they were");
}

/// LBB-23 and checkpoints: what could not be sent keeps every later checkpoint back, so the next run sends it.
#[tokio::test(start_paused = true)]
async fn a_job_that_was_left_behind_is_found_by_the_next_run() {
    let (mut cluster, missing) = world(1);
    cluster.options.send.limits.entries = 1;
    let task = cluster.task(named("r", "s3://src/p", "s3://dst/q"));
    let mut victim = None;
    // Refused as often as it is tried, whenever it comes.
    let first = missing.iter().nth(10).unwrap().clone();
    {
        let (other, _) = world(1);
        run(&other).await;
        for body in other.queue.bodies() {
            if body.contains(&format!("\"source\":\"{first}\"")) {
                victim = Some(body);
            }
        }
    }
    let victim = victim.unwrap();
    for _ in 0..3 {
        cluster.queue.refuse_once(&victim);
    }
    let report = cluster.run(vec![task]).await.unwrap();
    assert_eq!((report.missing(), report.is_success()), (1, false));
    assert_eq!(cluster.keys().len(), missing.len() - 1);
    let kept = checkpoint(&cluster).unwrap();
    assert!(format!("p/{}", kept.upto) < first, "{kept:?} lies behind {first}");
    let resumed = run(&cluster).await.unwrap();
    assert_eq!(resumed, Some(kept.upto));
    assert_eq!(cluster.keys(), missing);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_of_another_comparison_or_of_long_ago_is_not_gone_on_with() {
    let (cluster, missing) = world(1);
    cluster.faults.stop_at(30, When::Before, Manner::Hang);
    run(&cluster).await;
    let kept = checkpoint(&cluster).unwrap();
    let route = RouteName::new("r").unwrap();
    let old = Checkpoint { began: kept.began.plus(-200_000_000), ..kept.clone() };
    let other = Checkpoint { about: "something else".into(), ..kept };
    for wrong in [old, other] {
        let (cluster, _) = world(1);
        cluster.checkpoints.save(&route, &wrong).await.unwrap();
        assert_eq!(run(&cluster).await, Some(None));
        assert_eq!(cluster.keys(), missing);
    }
}

/// A checkpoint store that fails costs time, not jobs.
#[tokio::test(start_paused = true)]
async fn faults_of_the_checkpoints_are_told_once_and_end_nothing() {
    for call in ["load", "save", "clear"] {
        let (cluster, missing) = world(1);
        cluster.faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Denied)).on("checkpoints"));
        assert_eq!(run(&cluster).await, Some(None));
        assert_eq!(cluster.keys(), missing);
        assert_eq!(cluster.observer.notices().len(), 1, "{call}: {:?}", cluster.observer.notices());
    }
}

/// Without byte order no name says how far a run has come.
#[tokio::test(start_paused = true)]
async fn sides_in_another_order_have_no_checkpoints() {
    let (cluster, missing) = world(4);
    cluster.s3.configure("dst", |settings| settings.in_folder_order());
    run(&cluster).await.unwrap();
    assert_eq!((cluster.keys(), cluster.checkpoints.saves()), (missing, 0));
}

/// A run that compares everything anew, since it is to remove, takes away what an earlier run had left: else a later one
/// would go on from there and skip what changed meanwhile.
#[tokio::test(start_paused = true)]
async fn a_full_comparison_that_has_ended_leaves_no_earlier_checkpoint() {
    let (mut cluster, missing) = world(1);
    cluster.faults.stop_at(30, When::Before, Manner::Hang);
    run(&cluster).await;
    assert!(checkpoint(&cluster).is_some());
    cluster.faults = Faults::new();
    let mut task = cluster.task(named("r", "s3://src/p", "s3://dst/q"));
    task.removals = Some(100);
    let report = cluster.run(vec![task]).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    assert_eq!((cluster.keys(), checkpoint(&cluster)), (missing, None));
}

/// Two buckets of one name at two endpoints are two comparisons.
#[tokio::test(start_paused = true)]
async fn a_checkpoint_of_another_endpoint_is_not_gone_on_with() {
    let (mut cluster, missing) = world(1);
    cluster.faults.stop_at(30, When::Before, Manner::Hang);
    run(&cluster).await;
    let kept = checkpoint(&cluster).unwrap();
    assert!(kept.about.contains("s3://src (in memory)"), "the store says where it is: {}", kept.about);
    let moved = Checkpoint { about: kept.about.replace("in memory", "elsewhere"), ..kept };
    cluster.faults = Faults::new();
    cluster.checkpoints.save(&RouteName::new("r").unwrap(), &moved).await.unwrap();
    assert_eq!(run(&cluster).await, Some(None));
    assert_eq!(cluster.keys(), missing);
}

/// A store whose promise of byte order breaks late, with listings in several places at once, and killed at any call: the
/// checkpoints from before the break are of no use and are not gone on with.
#[tokio::test(start_paused = true)]
async fn a_promise_that_breaks_on_the_way_loses_no_job_wherever_the_run_is_killed() {
    let world = |broken: &str, requests| {
        let mut cluster = Cluster::new();
        cluster.checkpointed = true;
        cluster.options.when_busy = WhenBusy::Append;
        cluster.options.requests = requests;
        let (source, destination) = (cluster.bucket("src", &[]), cluster.bucket("dst", &[]));
        let mut missing = BTreeSet::new();
        for n in 0..30 {
            // Byte order has all of a folder's siblings with `-` before it; folder order behind.
            let names = match n < 20 {
                true => [format!("a{n:02}"), format!("b{n:02}")],
                false => [format!("z{n:02}-x"), format!("z{n:02}/x")],
            };
            for (at, name) in names.into_iter().enumerate() {
                source.put_bytes(&format!("p/{name}"), name.as_bytes());
                match (n + at) % 3 {
                    0 => drop(destination.put_bytes(&format!("q/{name}"), name.as_bytes())),
                    _ => drop(missing.insert(format!("p/{name}"))),
                }
            }
        }
        cluster.s3.configure(broken, |settings| settings.order = longbow_core::object::KeyOrder::Folders);
        source.configure(|settings| settings.page_size = 5);
        destination.configure(|settings| settings.page_size = 4);
        (cluster, missing)
    };
    for (broken, requests) in [("src", 1), ("dst", 1), ("src", 4), ("dst", 4)] {
        let (cluster, missing) = world(broken, requests);
        run(&cluster).await.unwrap();
        assert!(missing.is_subset(&cluster.keys()), "{broken} {requests}");
        assert_eq!(checkpoint(&cluster), None);
        for call in 0..cluster.faults.calls() {
            let (mut cluster, missing) = world(broken, requests);
            cluster.faults.stop_at(call, When::After, Manner::Hang);
            // How many pages are on their way when the promise breaks, and so the number of calls, is not always the same.
            if run(&cluster).await.is_some() {
                continue;
            }
            for _ in 0..20 {
                tokio::task::yield_now().await;
            }
            cluster.faults = Faults::new();
            run(&cluster).await.unwrap();
            let lost: Vec<_> = missing.difference(&cluster.keys()).cloned().collect();
            assert!(lost.is_empty(), "{broken} {requests}, killed at call {call}: {lost:?}");
            assert_eq!(checkpoint(&cluster), None);
        }
    }
}
