//! From messages to work: what is carried out, refused, passed over, and when a delivery is removed.

use std::time::Duration;

use longbow_core::failure::StoreErrorKind;
use longbow_core::job::{CopyJob, Observation, RouteStamp, SourceVersion, TransferId, encode, encode_for};
use longbow_core::port::Counted;
use longbow_testkit::fault::{Fault, Rule};
use longbow_worker::{Drain, Stopping};

use crate::world::{Record, World, created, notification, removed};

fn record(key: &str, size: usize) -> Record<'_> {
    Record { name: "ObjectCreated:Put", key, sequencer: "0065A0", more: format!(r#","size":{size}"#) }
}

#[tokio::test(start_paused = true)]
async fn an_event_goes_along_every_route_with_its_own_store_and_state() {
    let world = World::of_two();
    world.source.put_bytes("a/b", b"hello");
    world.send(&created(&world, "a/b", "0065A0"));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (2, 0));
    assert_eq!(world.destination.get_bytes("a/b").as_deref(), Some(&b"hello"[..]));
    assert_eq!(world.second.get_bytes("copy/a/b").as_deref(), Some(&b"hello"[..]));
    // LBB-16: one item an object for all destinations was overwritten by the second.
    for state in [&world.one, &world.two] {
        let record = state.record("a/b").expect("a record of each route");
        assert_eq!(record.sequencer.expect("the event's place").as_str(), "0065a");
    }
    world.assert_nothing_left();
}

/// LBB-09: of several records only the last was copied. LBB-61: the message was removed although a transfer had failed.
#[tokio::test(start_paused = true)]
async fn lbb_09_lbb_61_a_message_is_removed_only_when_all_its_records_are_settled_and_no_work_is_done_twice()
{
    let world = World::of_two();
    for key in ["a", "b", "c"] {
        world.source.put_bytes(key, key.as_bytes());
    }
    let fault = Fault::Error(StoreErrorKind::Transient);
    world.faults.add(Rule::new("put", fault).on("second").about("copy/b").nth(1));
    world.send(&notification(&[record("a", 1), record("b", 1), record("c", 1)]));
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (6, 0));
    assert_eq!(world.queue.acknowledged().len(), 1);
    assert_eq!(
        world.faults.journal().iter().filter(|c| c.call == "put").count(),
        7,
        "only one put was repeated"
    );
    assert_eq!(world.observer.reports().len(), 6, "each object is told of once");
    world.assert_nothing_left();
}

#[tokio::test(start_paused = true)]
async fn what_is_no_job_of_a_route_goes_to_the_dead_letters_as_it_is_and_at_once() {
    let world = World::new();
    let foreign = created_elsewhere();
    let job = CopyJob {
        source: "a".into(),
        destination: "elsewhere".into(),
        object: SourceVersion { size: 1, etag: None, version: None, modified: None },
        observed: Observation::Absent,
        inspect: false,
        transfer: TransferId("t".into()),
    };
    let bodies = [" not a job\u{e9}".to_owned(), foreign, encode(&job), r#"{"longbow":9}"#.to_owned()];
    for body in &bodies {
        world.send(body);
    }
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (0, 0));
    assert!(world.s3.journal().is_empty(), "no store is asked about a refused message");
    assert_eq!(world.faults.count("change_visibility"), 0, "no attempts are made");
    let dead = world.queue.dead_letters();
    let mut found: Vec<&String> = dead.iter().map(|(body, _)| body).collect();
    let mut sent: Vec<&String> = bodies.iter().collect();
    found.sort();
    sent.sort();
    assert_eq!(found, sent, "bodies are byte for byte what was sent");
    assert!(dead.iter().all(|(_, reason)| !reason.is_empty()));
    assert_eq!(world.observer.counted(Counted::Refused), 4);
    assert_eq!(world.observer.notices().len(), 4, "each is said once");
}

fn created_elsewhere() -> String {
    notification(&[record("a", 1)]).replace(r#""name":"source""#, r#""name":"somebody-elses""#)
}

/// A jobsender may have newer routes than this worker, which looks at them every two minutes.
#[tokio::test(start_paused = true)]
async fn jobs_of_routes_that_are_not_known_yet_are_left_for_the_worker_that_knows_them() {
    let mut world = World::new();
    // The janitor looks at stores, whenever chance has it.
    world.options.sweep_uploads = None;
    world.source.put_bytes("a", b"x");
    let etag = world.source.object("a").expect("an object").etag.clone();
    let stamp = |name: &str, to: &str| RouteStamp {
        name: crate::world::name(name),
        from: "source".to_owned(),
        to: to.to_owned(),
    };
    let job = |destination: &str| CopyJob {
        source: "a".into(),
        destination: destination.into(),
        object: SourceVersion { size: 1, etag: Some(etag.clone()), version: None, modified: None },
        observed: Observation::Absent,
        inspect: false,
        transfer: TransferId("t".into()),
    };
    let unknown = encode_for(&stamp("two", "second"), &job("copy/a"));
    let moved = encode_for(&stamp("one", "where-it-went-before"), &job("a"));
    for body in [&unknown, &moved] {
        world.send(body);
    }
    let drain = Drain::new();
    let stop = async {
        tokio::time::sleep(Duration::from_secs(250)).await;
        drain.begin(Stopping::Reconfigured, None);
    };
    let (summary, ()) = tokio::join!(world.serve(&drain), stop);
    assert_eq!((summary.copied, summary.failed), (0, 0));
    assert!(world.s3.journal().is_empty(), "no store is asked");
    assert_eq!(world.queue.dead_letters(), Vec::new());
    let left = world.faults.count("change_visibility");
    assert!((10..=12).contains(&left), "each came five times in 250 seconds: {left}");
    // With the new routes, the job is one as any other; the one for a place that the route has left is put aside.
    let world = World { both: true, ..world };
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.failed), (1, 0));
    assert_eq!(world.second.get_bytes("copy/a").as_deref(), Some(&b"x"[..]));
    let dead = world.queue.dead_letters();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].0, moved, "byte for byte");
    assert!(dead[0].1.contains("where-it-went-before"), "{}", dead[0].1);
    assert_eq!(world.observer.counted(Counted::Refused), 1);
    assert_eq!(world.observer.notices().len(), 1, "said once, when it is put aside");
}

#[tokio::test(start_paused = true)]
async fn a_route_that_stays_unknown_costs_ten_receptions_and_asks_no_store() {
    let mut world = World::new();
    world.options.sweep_uploads = None;
    let stamp = RouteStamp { name: crate::world::name("forged"), from: "source".into(), to: "theirs".into() };
    let job = CopyJob {
        source: "a".into(),
        destination: "a".into(),
        object: SourceVersion { size: 1, etag: None, version: None, modified: None },
        observed: Observation::Absent,
        inspect: false,
        transfer: TransferId("t".into()),
    };
    world.send(&encode_for(&stamp, &job));
    let began = tokio::time::Instant::now();
    world.run().await;
    assert!(world.s3.journal().is_empty());
    assert_eq!(world.faults.count("load") + world.faults.count("swap"), 0);
    assert_eq!(world.faults.count("change_visibility"), 9);
    assert!((540..560).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(world.queue.dead_letters().len(), 1);
}

/// LBB-10: the event's name was never read, so that removals and trials failed until they were dead letters.
#[tokio::test(start_paused = true)]
async fn lbb_10_what_needs_nothing_done_is_acknowledged_and_counted_by_reason() {
    let mut world = World::new();
    world.on_removal = longbow_core::routes::OnRemoval::Keep;
    world.send(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"source"}"#);
    world.send(&removed("k", "01"));
    world.send(&notification(&[Record {
        name: "ObjectTagging:Put",
        key: "k",
        sequencer: "02",
        more: String::new(),
    }]));
    world.run().await;
    assert_eq!(world.queue.acknowledged().len(), 3);
    for reason in ["test", "removals-kept", "not-about-bytes"] {
        assert_eq!(world.observer.counted(Counted::Ignored(reason)), 1, "{reason}");
    }
    assert!(world.s3.journal().is_empty());
    world.assert_nothing_left();
}

/// LBB-12: Longbow believed the size in the message. LBB-52: it asked for the version `null`, the one from before versions.
#[tokio::test(start_paused = true)]
async fn lbb_12_a_size_in_a_message_is_a_hint_and_never_cuts_an_object() {
    for (size, stated) in [(15usize, 12u64), (9, 12), (12 << 20, 6 << 20), (6 << 20, 12 << 20)] {
        for whole_up_to in [1, 64 << 20] {
            let mut world = World::new();
            world.options.whole_up_to = whole_up_to;
            let bytes: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
            world.source.put_bytes("k", &bytes);
            let job = format!(
                r#"{{"Src_bucket":"source","Src_key":"k","Des_bucket":"destination","Des_key":"k","Size":{stated},"versionId":"null"}}"#
            );
            world.send(&job);
            let etag = world.source.object("k").expect("an object").etag.clone();
            world.source.put_bytes("e", &bytes);
            let more = format!(r#","size":{stated},"eTag":"{etag}""#);
            world.send(&notification(&[Record {
                name: "ObjectCreated:Put",
                key: "e",
                sequencer: "01",
                more,
            }]));
            let summary = world.run().await;
            assert_eq!((summary.copied, summary.failed), (2, 0), "{size} stated as {stated}, {whole_up_to}");
            assert!(world.destination.get_bytes("k") == Some(bytes.clone()));
            assert!(world.destination.get_bytes("e") == Some(bytes));
            world.assert_nothing_left();
        }
    }
}

/// LBB-33: one message a call, and a minute of sleep. Here long polls follow each other.
#[tokio::test(start_paused = true)]
async fn a_worker_ends_when_the_queue_stayed_empty_for_the_looks_that_were_asked_for() {
    let mut world = World::new();
    world.options.exit_when_empty = std::num::NonZeroU32::new(3);
    world.source.put_bytes("k", b"x");
    world.send(&created(&world, "k", "01"));
    let began = tokio::time::Instant::now();
    let summary = world.run().await;
    assert_eq!((summary.copied, summary.stopped), (1, false));
    assert_eq!(world.faults.count("depth"), 3);
    assert_eq!(began.elapsed().as_secs(), 3, "three polls of a second");
    // Somebody else's work in flight is not an empty queue.
    world.source.put_bytes("l", b"y");
    world.send(&created(&world, "l", "01"));
    use longbow_core::port::JobQueue as _;
    let held = world.queue.receive(1, std::time::Duration::ZERO, std::time::Duration::from_secs(100)).await;
    assert_eq!(held.expect("a delivery").len(), 1);
    let summary = world.run().await;
    assert_eq!(summary.copied, 1, "it was waited for, and done when it came back");
}
