//! Places and tables of routes: whatever is accepted loses no key and feeds no ring.

use std::collections::HashMap;

use longbow_core::object::{Location, ObjectKey};
use longbow_core::route::Route;
use longbow_core::routes::{KeyMapping, NamedRoute, RouteName, RouteTable};

use super::{Target, USUAL, bounds};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "routes",
    form: Form::Lines,
    tokens: &[
        "s3://",
        "s3://src",
        "s3://src/p",
        "s3://src/p/",
        "s3://src/p/q",
        "s3://dst",
        "s3://dst/p",
        "s3://b/p s3://src/p",
        "s3:///",
        "s3://My_Bucket",
        "s3://10.0.0.1",
        "s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/p",
        "arn:",
        "file:///tmp",
        "/tmp",
        "gs://x",
        " ",
        "!",
        "p/x",
        "//",
        "/",
        ".",
        "%41",
        "é",
    ],
    folders: &[],
    large,
    run,
    ..USUAL
};

fn large() -> Vec<Vec<u8>> {
    // Every route feeds the next.
    let ring: String = (0..200).map(|n| format!("s3://bucket-{n} s3://bucket-{}\n", (n + 1) % 200)).collect();
    let many: String = (0..400).map(|n| format!("s3://aaa/{n} s3://bbb/{n}\n")).collect();
    // Every route feeds every other: there are more rings than could be named.
    let mesh: String = (0..14)
        .flat_map(|a| (0..14).filter(move |b| *b != a).map(move |b| format!("s3://mesh-{a} s3://mesh-{b}\n")))
        .collect();
    vec![ring.into_bytes(), many.into_bytes(), mesh.into_bytes()]
}

/// Each line is a route, `FROM TO`; `!` in front keeps full keys. What is behind the last line is a key.
fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut routes = Vec::new();
    for (index, line) in text.lines().take(400).enumerate() {
        let (mapping, line) = match line.strip_prefix('!') {
            Some(rest) => (KeyMapping::FullKey, rest),
            None => (KeyMapping::Relative, line),
        };
        let (from, to) = line.split_once(' ').unwrap_or((line, ""));
        let places = [place(from), place(to)];
        if let [Some(source), Some(destination)] = places {
            routes.push(NamedRoute::new(RouteName::of_pair(index), Route { source, destination }, mapping));
        }
    }
    let keys: Vec<ObjectKey> = text.lines().rev().take(8).map(ObjectKey::from).collect();
    for named in &routes {
        let mut found: HashMap<ObjectKey, &ObjectKey> = HashMap::new();
        for key in &keys {
            let Some(mapped) = named.route.map(key) else { continue };
            let before = found.insert(mapped.clone(), key);
            assert!(before.is_none_or(|other| other == key), "two keys become {mapped}");
        }
    }
    let count = routes.len();
    match RouteTable::new(routes) {
        Ok(table) => assert_eq!(table.routes().len(), count),
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a reason");
            for fault in &faults {
                assert!(!fault.to_string().is_empty());
            }
        }
    }
}

fn place(text: &str) -> Option<Location> {
    match Location::parse(text, false) {
        Ok(place) => {
            if let Location::S3 { bucket, .. } = &place {
                // A name alone, never what belongs to a path, and written out it is the same place.
                let ours = bucket.starts_with("arn:") || !bucket.contains('/');
                assert!(ours && !bucket.is_empty() && !bucket.contains(char::is_whitespace), "{bucket:?}");
                assert_eq!(Location::parse(&place.to_string(), false).as_ref(), Ok(&place));
            }
            Some(place)
        }
        Err(error) => {
            bounds::showable_with(&error, text.len());
            None
        }
    }
}
