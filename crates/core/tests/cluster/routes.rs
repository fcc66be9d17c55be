//! What the table of routes allows: row by row, and the defects of the predecessors that end here.

use crate::corpus::message;
use longbow_core::job::{Message, Observation, Removal, RoutedJob, decode_message};
use longbow_core::object::{Location, ObjectKey};
use longbow_core::route::Route;
use longbow_core::routes::{
    IgnoreReason, KeyMapping, NamedRoute, OnRemoval, Refusal, RouteFault, RouteName, RouteTable, Work,
};

fn named(name: &str, source: &str, destination: &str, mapping: KeyMapping) -> NamedRoute {
    let at = |text: &str| Location::parse(text, false).unwrap();
    NamedRoute::new(
        RouteName::new(name).unwrap(),
        Route { source: at(source), destination: at(destination) },
        mapping,
    )
}

fn table(routes: &[(&str, &str, &str)]) -> Result<RouteTable, Vec<RouteFault>> {
    RouteTable::new(routes.iter().map(|(n, s, d)| named(n, s, d, KeyMapping::Relative)).collect())
}

/// The routes of an old configuration: full keys below the destination prefix.
fn longbow() -> RouteTable {
    let route = named("pair-1", "s3://lab-results/raw", "s3://lab-archive/backup", KeyMapping::FullKey);
    RouteTable::new(vec![route]).unwrap()
}

fn admit(table: &RouteTable, body: &str) -> Result<Vec<Work>, Refusal> {
    table.admit(decode_message(body).unwrap())
}

fn copies(work: &[Work]) -> Vec<(&str, &str, &str)> {
    fn copy(work: &Work) -> Option<(&str, &str, &str)> {
        match work {
            Work::Copy(c) => Some((c.route.as_str(), c.job.source.as_str(), c.job.destination.as_str())),
            _ => None,
        }
    }
    work.iter().filter_map(copy).collect()
}

fn ignored(work: &[Work]) -> Vec<&IgnoreReason> {
    work.iter().filter_map(|w| if let Work::Ignore(why) = w { Some(why) } else { None }).collect()
}

#[test]
fn a_job_is_carried_out_only_along_its_route() {
    let body = message("longbow-job");
    assert_eq!(copies(&admit(&longbow(), body).unwrap()), [("pair-1", "raw/x", "backup/raw/x")]);
    let refusal = |what: &str, with: &str| {
        let body = body.replace(what, with);
        admit(&longbow(), &body).unwrap_err()
    };
    assert!(matches!(refusal("pair-1", "pair-2"), Refusal::UnknownRoute(_)));
    assert!(matches!(refusal("lab-results", "lab-secrets"), Refusal::RouteMoved { .. }));
    assert!(matches!(refusal("lab-archive", "lab-public"), Refusal::RouteMoved { .. }));
    assert!(matches!(refusal("backup/raw/x", "backup/raw/y"), Refusal::NotRouted { .. }));
    assert!(matches!(refusal("\"source\":\"raw/x\"", "\"source\":\"rawer/x\""), Refusal::NotRouted { .. }));
    assert!(matches!(
        refusal("\"destination\":\"backup/raw/x\"", "\"destination\":\"x\""),
        Refusal::NotRouted { .. }
    ));
}

#[test]
fn a_job_without_a_route_needs_exactly_one_that_fits() {
    let Ok(Message::Copy(RoutedJob { job, .. })) = decode_message(message("longbow-job")) else { panic!() };
    let plain = || Message::Copy(RoutedJob { route: None, job: job.clone() });
    assert_eq!(longbow().admit(plain()).unwrap().len(), 1);
    let two = RouteTable::new(vec![
        named("one", "s3://lab-results/raw", "s3://lab-archive/backup", KeyMapping::FullKey),
        named("two", "s3://other/raw", "s3://elsewhere/backup", KeyMapping::FullKey),
    ]);
    let refusal = two.unwrap().admit(plain()).unwrap_err();
    assert_eq!(refusal.to_string(), "the job names no route, and one and two all take the key raw/x");
    let none = table(&[("one", "s3://lab-results/raw", "s3://lab-archive")]).unwrap();
    assert!(matches!(none.admit(plain()), Err(Refusal::NotRouted { .. })));
}

#[test]
fn a_legacy_job_goes_where_a_route_leads_or_nowhere() {
    let body = message("longbow-098-job");
    let work = admit(&longbow(), body).unwrap();
    assert_eq!(copies(&work), [("pair-1", "raw/2026/a+b %41.bin", "backup/raw/2026/a+b %41.bin")]);
    for (what, with) in [
        ("lab-results", "lab-secrets"),
        ("lab-archive", "lab-public"),
        ("backup/raw", "backup/../raw"),
        ("\"raw/2026", "\"raw2/2026"),
        ("backup/raw/2026/a+b", "backup/raw/2026/a b"),
    ] {
        assert!(admit(&longbow(), &body.replace(what, with)).is_err(), "{what} → {with}");
    }
    let elsewhere = admit(&longbow(), &body.replace("backup/raw", "raw")).unwrap_err().to_string();
    assert!(elsewhere.ends_with("it goes to s3://lab-archive/backup/raw/2026/a+b %41.bin"), "{elsewhere}");
    // A route that strips the prefix leads the key elsewhere than the old jobsender did.
    let relative = table(&[("r", "s3://lab-results/raw", "s3://lab-archive/backup")]).unwrap();
    assert!(matches!(admit(&relative, body), Err(Refusal::NotRouted { instead: Some(_), .. })));
}

#[test]
fn a_job_without_buckets_needs_one_route_for_its_key() {
    let work = admit(&longbow(), message("hub-job")).unwrap();
    assert_eq!(copies(&work), [("pair-1", "raw/2026/x.bin", "backup/raw/2026/x.bin")]);
    let two = table(&[("a", "s3://aaa/raw", "s3://bbb"), ("b", "s3://ccc", "s3://ddd")]).unwrap();
    assert!(matches!(admit(&two, message("hub-job")), Err(Refusal::Ambiguous(..))));
    let none = table(&[("a", "s3://aaa/p", "s3://bbb")]).unwrap();
    assert!(matches!(admit(&none, message("hub-job")), Err(Refusal::NotRouted { .. })));
}

/// LB-29, and decision 0009: an event goes along every route that takes its key, as listings would. Each is work of its
/// own with its own route's name (LBB-16: Longbow's one record an object was overwritten by the second destination).
#[test]
fn an_event_goes_along_every_route_that_takes_its_key() {
    let all = table(&[
        ("whole", "s3://lab-results", "s3://copy-of-all"),
        ("raw", "s3://lab-results/raw", "s3://copy-of-raw"),
        ("year", "s3://lab-results/raw/2026/", "s3://copy-of-year/y"),
        ("other", "s3://lab-results/r", "s3://copy-of-r"),
        ("images", "s3://lab-images", "s3://copy-of-images"),
    ]);
    let work = admit(&all.unwrap(), message("s3-put")).unwrap();
    let key = "raw/2026/red flower+100% é.bin";
    assert_eq!(
        copies(&work),
        [
            ("whole", key, key),
            ("raw", key, "2026/red flower+100% é.bin"),
            ("year", key, "y/red flower+100% é.bin"),
        ]
    );
    let Work::Copy(copy) = &work[0] else { panic!() };
    assert!(copy.sequencer.is_some() && copy.job.object.version.is_some());
    assert_eq!(copy.job.transfer.0, "events:whole");
    // LBB-12: what the message says of the object is a hint; the destination has to be looked at.
    assert_eq!(copy.job.observed, Observation::Unknown);
}

#[test]
fn an_event_of_a_bucket_that_no_route_reads_is_refused_as_a_whole() {
    let foreign = message("s3-three-records").replacen("lab-results", "lab-secrets", 1);
    let refusal = admit(&longbow(), &foreign).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "no configured route reads from the bucket \"lab-secrets\" (record 1 of the event)"
    );
    // The destination is no source: its events start nothing.
    assert!(admit(&longbow(), &message("s3-put").replace("lab-results", "lab-archive")).is_err());
}

/// LBB-09, LBB-10: three records are three pieces of work, and a removal is no copy.
#[test]
fn lbb_10_removals_are_carried_on_only_when_asked() {
    let body = message("s3-three-records");
    let work = admit(&longbow(), body).unwrap();
    assert_eq!(copies(&work).len(), 2);
    assert!(matches!(ignored(&work)[..], [IgnoreReason::RemovalsKept(_)]));

    let mut route = longbow().routes()[0].clone();
    route.on_removal = OnRemoval::Propagate;
    let asked = RouteTable::new(vec![route]).unwrap();
    let work = admit(&asked, body).unwrap();
    let Work::Remove(removal) = &work[1] else { panic!("{work:?}") };
    assert_eq!(
        (removal.source.as_str(), removal.destination.as_str()),
        ("raw/old.bin", "backup/raw/old.bin")
    );
    assert_eq!(removal.removal, Removal::Object);
    // LBB-65 and DTH-04: removals and copies of a key can be put in order.
    let Work::Copy(first) = &work[0] else { panic!() };
    assert!(removal.sequencer > first.sequencer);
}

/// LBB-28: the ignore list was not applied to jobs from events.
#[test]
fn lbb_28_events_obey_the_selection() {
    let mut route = longbow().routes()[0].clone();
    route.selection.exclude("*.bin").unwrap();
    let work = admit(&RouteTable::new(vec![route]).unwrap(), message("s3-put")).unwrap();
    assert!(matches!(ignored(&work)[..], [IgnoreReason::NotSelected(_)]), "{work:?}");
}

#[test]
fn what_needs_nothing_done_says_why() {
    let mut quiet = longbow().routes()[0].clone();
    quiet.events = false;
    let quiet = RouteTable::new(vec![quiet]).unwrap();
    assert!(matches!(ignored(&admit(&quiet, message("s3-put")).unwrap())[..], [IgnoreReason::EventsOff(_)]));
    let outside = message("s3-put").replace("raw/2026", "cooked/2026");
    let work = admit(&longbow(), &outside).unwrap();
    assert!(matches!(ignored(&work)[..], [IgnoreReason::OutsidePrefixes(_)]));
    let work = admit(&longbow(), message("s3-tagging")).unwrap();
    assert!(matches!(ignored(&work)[..], [IgnoreReason::NotAboutBytes(_)]));
    let work = admit(&longbow(), message("s3-test-event")).unwrap();
    assert!(matches!(ignored(&work)[..], [IgnoreReason::Test]));
}

/// LBB-25: a prefix is not its siblings, for events either.
#[test]
fn lbb_25_an_event_beside_a_prefix_is_outside_it() {
    let sibling = message("s3-put").replace("raw/2026", "raw2/2026");
    assert!(copies(&admit(&longbow(), &sibling).unwrap()).is_empty());
}

#[test]
fn all_faults_of_a_table_are_named() {
    let faults = table(&[
        ("a", "s3://one", "s3://two"),
        ("a", "s3://three", "s3://four"),
        ("c", "s3://one", "s3://two/"),
        ("d", "s3://five", "s3://five/p"),
        ("e", "s3://six", "s3://seven"),
        ("f", "s3://seven", "s3://eight/x"),
        ("g", "s3://eight", "s3://six/deep/"),
        ("h", "/srv/data", "s3://nine"),
    ])
    .unwrap_err();
    let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults.len(), 5, "{texts:#?}");
    assert!(texts[0].starts_with("the name a is given to two routes"));
    assert!(texts[1].starts_with("the routes a and c have the same source"));
    assert!(texts[2].starts_with("route d: source s3://five/ and destination s3://five/p/ overlap"));
    assert!(texts[3].starts_with("route h has a folder on one side"));
    assert!(texts[4].starts_with("the routes e → f → g → e read what they write"), "{}", texts[4]);
}

#[test]
fn rings_need_common_objects_in_one_store() {
    let two = |a: &str, b: &str, c: &str, d: &str| table(&[("x", a, b), ("y", c, d)]);
    assert!(matches!(
        two("s3://aaa", "s3://bbb", "s3://bbb", "s3://aaa").unwrap_err()[..],
        [RouteFault::Loop(ref names)] if names.len() == 2
    ));
    assert!(two("s3://aaa/p", "s3://bbb/q", "s3://bbb/q/r", "s3://aaa").is_err());
    assert!(two("s3://aaa/p", "s3://bbb/p", "s3://bbb/q", "s3://aaa/q").is_ok());
    assert!(two("s3://aaa/p", "s3://bbb", "s3://bbb", "s3://aaa/pp").is_ok(), "pp/ lies beside p/");
    assert!(two("s3://aaa", "s3://bbb", "s3://bbb", "s3://ccc").is_ok(), "a chain ends");
    // Two partitions may each have a bucket of one name.
    let mut there = named("x", "s3://aaa", "s3://bbb", KeyMapping::Relative);
    let mut back = named("y", "s3://bbb", "s3://aaa", KeyMapping::Relative);
    there.stores.destination = "aws-cn".into();
    back.stores.destination = "aws-us-gov".into();
    assert!(RouteTable::new(vec![there, back]).is_ok());
    // Full keys: what is written lies below q/p/, so q/other/ is free.
    let full = |source| named("y", source, "s3://aaa/p", KeyMapping::Relative);
    let first = || named("x", "s3://aaa/p", "s3://bbb/q", KeyMapping::FullKey);
    assert!(RouteTable::new(vec![first(), full("s3://bbb/q/other")]).is_ok());
    assert!(RouteTable::new(vec![first(), full("s3://bbb/q/p/deep")]).is_err());
}

#[test]
fn routes_that_write_into_one_place_are_warned_of() {
    let merge = table(&[("x", "s3://aaa", "s3://ccc"), ("y", "s3://bbb", "s3://ccc/p")]).unwrap();
    assert_eq!(merge.warnings().len(), 1);
    let nested = table(&[("x", "s3://aaa", "s3://ccc"), ("y", "s3://aaa/p", "s3://ccc/p")]).unwrap();
    assert_eq!(nested.warnings(), [""; 0]);
    let apart = table(&[("x", "s3://aaa", "s3://ccc/a"), ("y", "s3://bbb", "s3://ccc/b")]).unwrap();
    assert_eq!(apart.warnings(), [""; 0]);
    assert_eq!(apart.of_object("bbb", &ObjectKey::from("k")).count(), 1);
    assert!(apart.knows_source("aaa") && !apart.knows_source("ccc"));
}
