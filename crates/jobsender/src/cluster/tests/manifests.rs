//! Manifests instead of listings.

use longbow_core::failure::StoreErrorKind;
use longbow_core::job::Observation;
use longbow_core::manifest::ManifestOptions;
use longbow_core::object::VersionId;
use longbow_core::port::{GetRequest, ObjectStore};
use longbow_testkit::fake::Content;
use longbow_testkit::fault::{BodyFault, Fault, FaultyStore, Rule};

use crate::JobsenderError;
use crate::cluster::fixture::{Cluster, named};
use crate::cluster::{Input, Manifest, RouteReport};

fn manifest(text: &str, chunk: usize) -> Input {
    let frames = text.as_bytes().chunks(chunk).map(|piece| piece.to_vec().into()).collect();
    let source = named("r", "s3://elsewhere", "s3://there").route.source;
    Input::Manifest(Manifest {
        options: ManifestOptions::of(source),
        bytes: Box::pin(Content::of_frames(frames).frames()),
    })
}

async fn run(cluster: &Cluster, input: Input) -> RouteReport {
    let mut route = named("r", "s3://src/p", "s3://dst/q");
    route.selection.exclude("*.tmp").unwrap();
    let mut task = cluster.task(route);
    task.input = input;
    cluster.run(vec![task]).await.unwrap().routes.remove(0)
}

/// DS-06, DS-07, DS-08: a CSV with versions; folders and doubles are left out, wrong lines are named by number.
#[tokio::test(start_paused = true)]
async fn ds_08_every_line_gives_a_job_or_is_accounted_for() {
    let text = "src,p/a,v1\nsrc,p/b%20c\nsrc,p/dir/\nsrc,p/a,v1\nother,p/x\nsrc,elsewhere/x\nsrc,p/x.tmp\n";
    for chunk in [1, 7, 1_000] {
        let cluster = Cluster::new();
        let report = run(&cluster, manifest(text, chunk)).await;
        let found = report.manifest.as_ref().unwrap();
        let lines: Vec<u64> = found.faults.iter().map(|fault| fault.line).collect();
        assert_eq!(lines, [5, 6], "{:?}", found.faults);
        assert_eq!((found.counts.folders, found.counts.duplicates, found.ignored), (1, 1, 1));
        assert_eq!((report.jobs.sent, report.is_success()), (2, false), "wrong lines are no success");
        let mut jobs: Vec<_> = cluster.jobs().into_iter().map(|(_, job)| job).collect();
        jobs.sort_by(|a, b| a.source.cmp(&b.source));
        assert_eq!((jobs[0].source.as_str(), jobs[0].destination.as_str()), ("p/a", "q/a"));
        assert_eq!(jobs[0].object.version, Some(VersionId("v1".into())));
        assert_eq!(jobs[1].destination.as_str(), "q/b c");
        assert!(jobs.iter().all(|job| job.observed == Observation::Unknown));
        // No store is asked for anything.
        assert!(
            cluster.faults.journal().iter().all(|call| call.port == "queue"),
            "{:?}",
            cluster.faults.journal()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn many_wrong_lines_are_counted_and_a_hundred_are_shown() {
    let cluster = Cluster::new();
    let text: String =
        std::iter::once("src,p/a\n".to_owned()).chain((0..500).map(|n| format!("no,{n}\n"))).collect();
    let report = run(&cluster, manifest(&text, 4_096)).await;
    let found = report.manifest.unwrap();
    assert_eq!((found.counts.faults, found.faults.len(), report.jobs.sent), (500, 100, 1));
}

#[tokio::test(start_paused = true)]
async fn a_manifest_that_breaks_off_is_an_error_and_what_was_sent_is_counted() {
    let cluster = Cluster::new();
    let text: String = (0..100).map(|n| format!("src,p/{n}\n")).collect();
    let stored = cluster.bucket("manifests", &[]);
    stored.put_bytes("m.csv", text.as_bytes());
    let broken = Fault::Body(800, BodyFault::Break(StoreErrorKind::Transient));
    cluster.faults.add(Rule::new("get", broken));
    let stored = FaultyStore::new("manifests", stored, &cluster.faults);
    let bytes = stored.get(&"m.csv".into(), &GetRequest::default()).await.unwrap().stream;
    let source = named("r", "s3://src", "s3://dst").route.source;
    let input = Input::Manifest(Manifest { options: ManifestOptions::of(source), bytes });
    let report = run(&cluster, input).await;
    assert!(matches!(report.error, Some(JobsenderError::Manifest(_))), "{report:?}");
    assert!((50..100).contains(&(report.jobs.sent + report.jobs.dropped)), "{report:?}");
    assert_eq!(cluster.queue.bodies().len() as u64, report.jobs.sent);
}

/// Nothing is removed on the word of a manifest.
#[tokio::test(start_paused = true)]
async fn a_manifest_removes_nothing() {
    let cluster = Cluster::new();
    let dst = cluster.bucket("dst", &["q/old"]);
    let mut task = cluster.task(named("r", "s3://src/p", "s3://dst/q"));
    (task.input, task.removals) = (manifest("src,p/a\n", 100), Some(10));
    let report = cluster.run(vec![task]).await.unwrap().routes.remove(0);
    assert!(report.removals.unwrap().refused.is_some());
    assert_eq!(dst.keys(), ["q/old"]);
}
