//! A list that is there is whole; one that cannot be written is told.

use longbow_core::failure::StoreErrorKind;
use longbow_testkit::fake::FakeS3;
use longbow_testkit::fault::{Fault, Faults, FaultyStore, Rule};

use super::*;
use crate::cluster::fixture::{Cluster, named};

fn name(text: &str) -> RouteName {
    RouteName::new(text).unwrap()
}

fn job(subject: &str) -> OutgoingJob {
    OutgoingJob { subject: subject.into(), body: format!("{{\"source\":{}}}", quoted(subject)) }
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// LB-27: the lists hold the same jobs as the queue.
#[tokio::test(start_paused = true)]
async fn lb_27_a_run_writes_its_jobs_and_what_it_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, ignored) = (folder.path().join("made/jobs.jsonl"), folder.path().join("ignored.jsonl"));
    std::fs::write(&ignored, b"yesterday's").unwrap();
    let plan = ListPlan {
        jobs: Some(ListTarget::File(jobs.clone())),
        ignored: Some(ListTarget::File(ignored.clone())),
        spill: folder.path().join("spill"),
    };
    let lists = Lists::open(&plan).unwrap();
    let cluster = Cluster::new();
    cluster.bucket("src", &["p/a", "p/b \"\n\u{1f3f9}", "p/x.tmp"]);
    cluster.bucket("dst", &[]);
    let mut route = named("r", "s3://src/p", "s3://dst/q");
    route.selection.exclude("*.tmp").unwrap();
    let mut task = cluster.task(route);
    task.record = lists.of_route(&name("r"));
    let report = cluster.run(vec![task]).await.unwrap();
    assert!(report.is_success(), "{report:?}");
    assert!(!jobs.exists(), "not before it is whole");
    assert_eq!(std::fs::read(&ignored).unwrap(), b"yesterday's");
    let written = lists.finish().await.unwrap();
    assert_eq!(written.iter().map(|list| list.lines).collect::<Vec<_>>(), [2, 1]);
    let found = lines(&std::fs::read(&jobs).unwrap());
    let mut bodies: Vec<Value> =
        cluster.queue.bodies().iter().map(|body| serde_json::from_str(body).unwrap()).collect();
    bodies.sort_by_key(ToString::to_string);
    let mut listed: Vec<Value> = found.iter().map(|line| line["job"].clone()).collect();
    listed.sort_by_key(ToString::to_string);
    assert_eq!(listed, bodies);
    assert!(found.iter().all(|line| line["status"] == "sent" && line["route"] == "r"));
    let found = lines(&std::fs::read(&ignored).unwrap());
    assert_eq!((found.len(), &found[0]["key"]), (1, &Value::from("p/x.tmp")));
    let left = std::fs::read_dir(folder.path())
        .unwrap()
        .chain(std::fs::read_dir(folder.path().join("made")).unwrap());
    assert!(
        left.map(|entry| entry.unwrap().file_name()).all(|name| !name.to_string_lossy().contains("partial"))
    );
}

#[tokio::test]
async fn a_list_that_is_not_finished_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let target = ListTarget::File(folder.path().join("jobs.jsonl"));
    let plan = ListPlan { jobs: Some(target), ignored: None, spill: folder.path().into() };
    let lists = Lists::open(&plan).unwrap();
    let record = lists.of_route(&name("r"));
    record.sent(&job("a")).unwrap();
    record.ignored(&"b".into()).unwrap();
    drop((lists, record));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn wrong_places_are_told_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"").unwrap();
    for path in [folder.path().to_owned(), file.join("below/jobs.jsonl"), PathBuf::from("/")] {
        let plan =
            ListPlan { jobs: Some(ListTarget::File(path)), ignored: None, spill: folder.path().into() };
        assert!(matches!(Lists::open(&plan), Err(ListError::File { .. })));
    }
    let both = Some(ListTarget::File(folder.path().join("both")));
    let plan = ListPlan { jobs: both.clone(), ignored: both, spill: folder.path().into() };
    assert!(matches!(Lists::open(&plan), Err(ListError::Same(_))));
}

/// A full disk ends the route that writes to the list, and the list never gets its name.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_full_disk_is_an_error_and_no_list() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
    let path = folder.path().join("jobs.jsonl");
    let file = Arc::new(ListFile::on(full, ListTarget::File(path.clone()), folder.path().join("partial")));
    let record = RouteLists { route: quoted("r"), jobs: Some(file.clone()), ignored: None };
    let mut end = Ok(());
    let mut written = 0;
    while end.is_ok() && written < 10_000 {
        end = record.sent(&job("some/name"));
        written += 1;
    }
    let why = end.unwrap_err();
    assert!(why.message.contains("jobs.jsonl") && why.message.contains("Free some room"), "{}", why.message);
    assert!(record.sent(&job("b")).is_err(), "and so are all that follow");
    assert!(file.finish().await.is_err());
    assert!(!path.exists());
    // Too little for the buffer: told in the end.
    let full = std::fs::OpenOptions::new().read(true).write(true).open("/dev/full").unwrap();
    let file = ListFile::on(full, ListTarget::File(path.clone()), folder.path().join("partial"));
    file.write("{}\n").unwrap();
    assert!(matches!(file.finish().await, Err(ListError::File { .. })));
    assert!(!path.exists());
}

fn as_object(store: Arc<dyn MultipartStore>, spill: &std::path::Path) -> ListPlan {
    ListPlan {
        jobs: Some(ListTarget::Object { store, key: "lists/jobs.jsonl".into() }),
        ignored: None,
        spill: spill.join("made"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_becomes_an_object_whole_or_in_parts() {
    let folder = tempfile::tempdir().unwrap();
    for count in [0_u64, 3, 250_000] {
        let store = FakeS3::new().create_bucket("b");
        store.put_bytes("lists/jobs.jsonl", b"yesterday's");
        let faults = Faults::new();
        for call in ["put", "create_upload", "put_part", "complete_upload"] {
            // Once before, once after it took effect.
            faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Transient)).nth(1));
            faults.add(Rule::new(call, Fault::ErrorAfter(StoreErrorKind::Transient)).nth(2));
        }
        let faulty = FaultyStore::new("b", store.clone(), &faults);
        let lists = Lists::open(&as_object(faulty, folder.path())).unwrap();
        let record = lists.of_route(&name("r"));
        for n in 0..count {
            record.sent(&job(&format!("a/name/of/some/length/{n:07}"))).unwrap();
        }
        let written = lists.finish().await.unwrap().remove(0);
        assert_eq!(written.lines, count);
        let bytes = store.get_bytes("lists/jobs.jsonl").unwrap();
        assert_eq!(bytes.len() as u64, written.bytes);
        assert_eq!(lines(&bytes).len() as u64, count);
        assert_eq!(written.bytes > upload::PART, count > 1_000, "{written:?}");
        // The upload whose creation was not answered is left, and nothing else.
        assert!(store.uploads().len() <= 1);
        assert_eq!(std::fs::read_dir(folder.path().join("made")).unwrap().count(), 1);
        drop(record);
        assert_eq!(std::fs::read_dir(folder.path().join("made")).unwrap().count(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_stored_is_told_and_its_upload_aborted() {
    let folder = tempfile::tempdir().unwrap();
    for (count, call) in [(3, "put"), (250_000, "put_part"), (250_000, "complete_upload")] {
        let store = FakeS3::new().create_bucket("b");
        let faults = Faults::new();
        faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Denied)));
        let faulty = FaultyStore::new("b", store.clone(), &faults);
        let lists = Lists::open(&as_object(faulty, folder.path())).unwrap();
        let record = lists.of_route(&name("r"));
        for n in 0..count {
            record.unsent(&format!("a/name/of/some/length/{n:07}").into(), "too long a reason").unwrap();
        }
        let error = lists.finish().await.unwrap_err().to_string();
        assert!(error.contains("lists/jobs.jsonl") && error.contains("could not be stored"), "{error}");
        assert!(store.uploads().is_empty() && store.keys().is_empty(), "{call}");
    }
}
