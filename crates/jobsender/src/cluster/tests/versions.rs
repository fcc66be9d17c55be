//! Comparing by version: what was copied is what the records say, read along with the listings.

use std::collections::BTreeSet;
use std::sync::Arc;

use longbow_core::diff::Comparison;
use longbow_core::failure::StoreErrorKind;
use longbow_core::job::{CopyJob, ObjectRecord, Proof, RecordState, SourceVersion, WhenBusy};
use longbow_core::object::{Checksums, ETag, KeyOrder, Timestamp};
use longbow_core::port::StateStore;
use longbow_testkit::fault::{Fault, Faults, Manner, Rule, When};

use crate::JobsenderError;
use crate::cluster::fixture::{Cluster, named};
use crate::cluster::{Input, RouteReport, RouteTask};

fn task(cluster: &Cluster) -> RouteTask {
    let mut task = cluster.task(named("r", "s3://src/p", "s3://dst/q"));
    task.input = Input::Listings(Comparison::Version);
    task
}

async fn run(cluster: &Cluster) -> RouteReport {
    cluster.run(vec![task(cluster)]).await.unwrap().routes.remove(0)
}

/// A versioned source and a destination, with so many objects.
fn world(count: usize) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.options.when_busy = WhenBusy::Append;
    let source = cluster.bucket("src", &[]);
    source.configure(|settings| settings.versioned = true);
    for n in 0..count {
        source.put_bytes(&format!("p/{n:03}"), format!("{n:03}").as_bytes());
    }
    cluster.bucket("dst", &[]);
    cluster
}

/// Does all jobs in the queue as workers do, under tags that no comparison of tags could match.
async fn work(cluster: &Cluster) -> Vec<CopyJob> {
    let jobs: Vec<CopyJob> = cluster.jobs().into_iter().map(|(_, job)| job).collect();
    for job in &jobs {
        settle(cluster, job, |etag| RecordState::Copied {
            destination_etag: Some(etag),
            checksums: Checksums::default(),
            proof: Proof::Written,
        })
        .await;
    }
    cluster.drain().await;
    jobs
}

async fn settle(cluster: &Cluster, job: &CopyJob, state: impl Fn(ETag) -> RecordState) {
    let (source, destination) = (cluster.bucket("src", &[]), cluster.bucket("dst", &[]));
    let bytes = source.get_bytes(job.source.as_str()).unwrap();
    destination.put_bytes(job.destination.as_str(), &bytes);
    let etag = format!("{}-9", job.source.as_str().replace('/', "-"));
    destination.set_etag(job.destination.as_str(), &etag);
    let subject = job.source.strip(&named("r", "s3://src/p", "s3://dst/q").route.source_prefix()).unwrap();
    let record = ObjectRecord {
        source: job.object.clone(),
        attempts: 0,
        updated: Timestamp(0),
        state: state(ETag::new(&etag)),
        sequencer: None,
        transfer: None,
        found: false,
    };
    let stored = cluster.state.load(&subject.into()).await.unwrap();
    cluster.state.swap(&subject.into(), stored.map(|s| s.version), record).await.unwrap();
}

/// LB-59, LB-12: an overwrite of the same size is seen, and its job names the version. LB-21: a second run sends nothing.
#[tokio::test(start_paused = true)]
async fn lb_59_a_new_version_of_the_same_size_gets_a_job_that_names_it() {
    for requests in [1, 4] {
        let mut cluster = world(60);
        cluster.options.requests = requests;
        let source = cluster.bucket("src", &[]);
        source.configure(|settings| settings.page_size = 7);
        let first = run(&cluster).await;
        assert!(first.is_success(), "{first:?}");
        assert_eq!((first.decisions.missing.count, first.jobs.sent), (60, 60));
        for job in work(&cluster).await {
            assert_eq!(job.object.version, source.object(job.source.as_str()).unwrap().version);
        }
        let second = run(&cluster).await;
        assert_eq!((second.decisions.recorded.count, second.jobs.sent), (60, 0), "{second:?}");
        // Other bytes, the very same bytes, a delete marker, and a delete marker with an object behind it.
        source.put_bytes("p/010", b"xyz");
        source.put_bytes("p/020", b"020");
        source.remove("p/030");
        source.remove("p/040");
        source.put_bytes("p/040", b"040");
        let third = run(&cluster).await;
        let sent = cluster.keys();
        assert_eq!(sent.iter().collect::<Vec<_>>(), ["p/010", "p/020", "p/040"], "{third:?}");
        assert_eq!((third.decisions.version_differs.count, third.extra.count), (3, 1));
        for job in work(&cluster).await {
            assert_eq!(job.object.version, source.object(job.source.as_str()).unwrap().version);
        }
        assert_eq!(run(&cluster).await.jobs.sent, 0);
    }
}

/// LBB-15: a version that was begun, and whose copy failed, passed for copied. LBB-16: and so did one of another place.
#[tokio::test(start_paused = true)]
async fn lbb_15_only_a_copy_that_was_verified_and_is_still_there_counts() {
    let cluster = world(6);
    run(&cluster).await;
    work(&cluster).await;
    let source = cluster.bucket("src", &[]);
    source.put_bytes("p/002", b"new");
    run(&cluster).await;
    let (_, begun) = cluster.jobs().remove(0);
    settle(&cluster, &begun, |_| RecordState::Waiting {
        upload: None,
        class: longbow_core::failure::FailureClass::Transient,
        reason: "the node died".into(),
    })
    .await;
    cluster.drain().await;
    let destination = cluster.bucket("dst", &[]);
    destination.set_etag("q/003", "written by somebody else");
    destination.remove("q/004");
    let found = run(&cluster).await;
    assert_eq!(cluster.keys().into_iter().collect::<Vec<_>>(), ["p/002", "p/003", "p/004"], "{found:?}");
    assert_eq!((found.decisions.version_differs.count, found.decisions.missing.count), (2, 1));
}

/// LBB-52: what was written without versioning has the version `null`, and asking for that may get old bytes.
#[tokio::test(start_paused = true)]
async fn lbb_52_no_job_asks_for_the_version_null() {
    let cluster = Cluster::new();
    let source = cluster.bucket("src", &["p/old", "p/same"]);
    source.configure(|settings| settings.versioned = true);
    source.put_bytes("p/new", b"new");
    cluster.bucket("dst", &[]).put_bytes("q/same", b"p/same");
    let report = run(&cluster).await;
    let versions: Vec<_> = cluster
        .jobs()
        .into_iter()
        .map(|(_, job)| (job.source.to_string(), job.object.version.is_some()))
        .collect();
    let expected = [("p/new".to_owned(), true), ("p/old".to_owned(), false)];
    assert_eq!(versions, expected, "{report:?}");
    assert_eq!(report.decisions.same.count, 1, "without a version, tags tell");
}

#[tokio::test(start_paused = true)]
async fn versions_are_listed_only_when_asked_for() {
    let mut cluster = world(10);
    cluster.options.requests = 4;
    let mut by_tags = cluster.task(named("r", "s3://src/p", "s3://dst/q"));
    by_tags.input = Input::Listings(Comparison::Etag);
    cluster.run(vec![by_tags]).await.unwrap();
    let (source, destination) = (cluster.bucket("src", &[]), cluster.bucket("dst", &[]));
    assert_eq!((source.count("list_versions"), source.count("list") > 0), (0, true));
    assert!(cluster.jobs().iter().all(|(_, job)| job.object.version.is_none()));
    let before = source.count("list");
    run(&cluster).await;
    assert_eq!((source.count("list"), destination.count("list_versions")), (before, 0));
}

/// A page of records that cannot be read is neither "copied" nor "not copied".
#[tokio::test(start_paused = true)]
async fn records_that_cannot_be_read_fail_the_route_and_send_nothing_on_their_word() {
    for (call, nth) in [("records_after", 1), ("record", 1), ("record", 25), ("record", 50)] {
        let cluster = world(50);
        run(&cluster).await;
        work(&cluster).await;
        // It passes once asked again.
        cluster.faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Transient)).on("state").nth(nth));
        let report = run(&cluster).await;
        assert_eq!(
            (report.decisions.recorded.count, report.jobs.sent, report.error.is_none()),
            (50, 0, true)
        );
        let mut cluster = cluster;
        cluster.faults = Faults::new();
        cluster.faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Denied)).on("state").nth(nth));
        let report = run(&cluster).await;
        assert!(matches!(report.error, Some(JobsenderError::State(_))), "{call} {nth}: {report:?}");
        assert_eq!(report.jobs.sent, 0, "{call} {nth}");
    }
    // For ever: given up after some tries, and told.
    let cluster = world(5);
    run(&cluster).await;
    work(&cluster).await;
    let always = Rule::new("records_after", Fault::Error(StoreErrorKind::Transient));
    cluster.faults.add(always.on("state"));
    assert!(matches!(run(&cluster).await.error, Some(JobsenderError::State(_))));
}

/// LBB-22 for versions: a failed page is no end.
#[tokio::test(start_paused = true)]
async fn a_lost_page_of_versions_fails_the_route() {
    for nth in 1..9 {
        let cluster = world(50);
        cluster.bucket("src", &[]).configure(|settings| settings.page_size = 7);
        cluster.faults.add(Rule::new("list_versions", Fault::Error(StoreErrorKind::Denied)).nth(nth));
        let report = run(&cluster).await;
        assert!(matches!(report.error, Some(JobsenderError::Listing { .. })), "{nth}: {report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_without_versions_and_records_without_order_are_refused_in_words() {
    let cluster = world(3);
    cluster.bucket("dst", &["q/000"]).set_etag("q/000", "x");
    // Sizes are equal, so that the record decides.
    cluster.bucket("dst", &[]).put_bytes("q/000", b"000");
    let mut without = task(&cluster);
    without.state = Arc::new(crate::fixture::FakeState::default());
    let report = cluster.run(vec![without]).await.unwrap().routes.remove(0);
    assert!(report.error.as_ref().is_some_and(|e| e.to_string().contains("in order")), "{report:?}");
    let mut plain = task(&cluster);
    plain.source = Arc::new(crate::fixture::FakeStore::of(&["p/a"]));
    let report = cluster.run(vec![plain]).await.unwrap().routes.remove(0);
    assert!(report.error.as_ref().is_some_and(|e| e.to_string().contains("no versions")), "{report:?}");
}

/// Records are kept in byte order; a destination in another order is sorted to meet them.
#[tokio::test(start_paused = true)]
async fn a_destination_in_the_order_of_folders_is_compared_all_the_same() {
    let cluster = world(0);
    let (source, destination) = (cluster.bucket("src", &[]), cluster.bucket("dst", &[]));
    destination.configure(|settings| {
        settings.in_folder_order();
        settings.page_size = 4;
    });
    for n in 0..40 {
        source.put_bytes(&format!("p/d{}/x{n}", n % 5), b"1");
        source.put_bytes(&format!("p/d{}-{n}", n % 5), b"1");
    }
    assert_eq!(run(&cluster).await.jobs.sent, 80);
    work(&cluster).await;
    source.put_bytes("p/d3/x8", b"2");
    let report = run(&cluster).await;
    assert_eq!((report.decisions.recorded.count, report.decisions.to_copy().count), (79, 1), "{report:?}");
    // Some more were sent before the order was found out; a worker finds them done.
    assert!(cluster.keys().contains("p/d3/x8"));
}

/// A source whose promise of byte order turns out wrong: the comparison begins again, and so do the records.
#[tokio::test(start_paused = true)]
async fn a_comparison_that_begins_again_reads_the_records_again() {
    for requests in [1, 4] {
        let mut cluster = world(0);
        cluster.options.requests = requests;
        let source = cluster.bucket("src", &[]);
        for n in 0..30 {
            source.put_bytes(&format!("p/a{n:02}"), b"1");
            source.put_bytes(&format!("p/z{n:02}/x"), b"1");
            source.put_bytes(&format!("p/z{n:02}-x"), b"1");
        }
        assert_eq!(run(&cluster).await.jobs.sent, 90);
        work(&cluster).await;
        source.configure(|settings| {
            settings.order = KeyOrder::Folders;
            settings.page_size = 5;
        });
        let report = run(&cluster).await;
        assert_eq!((report.decisions.recorded.count, report.jobs.sent), (90, 0), "{report:?}");
        assert!(report.error.is_none());
    }
}

/// Killed at every call of every port: the runs together send what is due, and the second begins where the first was.
#[tokio::test(start_paused = true)]
async fn a_comparison_by_version_that_is_killed_goes_on() {
    async fn killed(requests: usize, at: Option<(u64, When)>) -> (u64, Option<Cluster>) {
        let mut cluster = world(40);
        cluster.options.requests = requests;
        run(&cluster).await;
        work(&cluster).await;
        let source = cluster.bucket("src", &[]);
        for n in (0..40).filter(|n| n % 3 == 0) {
            source.put_bytes(&format!("p/{n:03}"), b"new");
        }
        source.configure(|settings| settings.page_size = 6);
        cluster.checkpointed = true;
        cluster.faults = Faults::new();
        if let Some((call, when)) = at {
            cluster.faults.stop_at(call, when, Manner::Hang);
        }
        let faults = cluster.faults.clone();
        let end = faults.run(run(&cluster)).await;
        assert_eq!(end.is_none(), at.is_some());
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        (faults.calls(), Some(cluster))
    }
    let due: BTreeSet<String> = (0..40).filter(|n| n % 3 == 0).map(|n| format!("p/{n:03}")).collect();
    let mut resumed = 0;
    for requests in [1, 4] {
        let (calls, cluster) = killed(requests, None).await;
        assert_eq!(cluster.unwrap().keys(), due);
        assert!(calls > 40, "{calls}");
        for call in 0..calls {
            let (_, cluster) = killed(requests, Some((call, When::After))).await;
            let mut cluster = cluster.unwrap();
            cluster.faults = Faults::new();
            let report = run(&cluster).await;
            assert!(report.is_success(), "{report:?}");
            assert_eq!(cluster.keys(), due, "killed at call {call}");
            resumed += u32::from(report.resumed_after.is_some());
        }
    }
    assert!(resumed > 10, "{resumed}");
}

/// An object copied while nobody asked for versions is not copied again when somebody does.
#[tokio::test(start_paused = true)]
async fn copies_from_before_versions_were_asked_for_are_known_by_tag_and_time() {
    let cluster = world(4);
    let source = cluster.bucket("src", &[]);
    run(&cluster).await;
    for (_, mut job) in cluster.jobs() {
        job.object = SourceVersion { version: None, ..job.object };
        settle(&cluster, &job, |etag| RecordState::Copied {
            destination_etag: Some(etag),
            checksums: Checksums::default(),
            proof: Proof::ETag,
        })
        .await;
    }
    cluster.drain().await;
    cluster.clock.advance(std::time::Duration::from_secs(5));
    source.put_bytes("p/002", b"002");
    let report = run(&cluster).await;
    assert_eq!(report.decisions.recorded.count, 3, "{report:?}");
    assert_eq!(cluster.keys().into_iter().collect::<Vec<_>>(), ["p/002"], "the same bytes, written anew");
}
