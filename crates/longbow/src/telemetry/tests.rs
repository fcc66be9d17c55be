//! What is logged, in which form, and that `docs/LOGGING.md` says so.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use longbow_core::failure::FailureClass;
use longbow_core::job::{CopyMethod, Proof, Report, ReportOutcome, Requests, TransferId};
use longbow_core::object::{ETag, VersionId};
use longbow_worker::{ObjectOf, log_object};
use serde_json::{Map, Value};

use super::*;
use crate::ledger::tests::report;

const DOCS: &str = include_str!("../../../../docs/LOGGING.md");

/// A writer that keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn logged(format: LogFormat, filter: &str, work: impl FnOnce()) -> String {
    let kept = Kept::default();
    let writer = kept.clone();
    let subscriber = subscriber(format, EnvFilter::new(filter), move || writer.clone());
    tracing::subscriber::with_default(subscriber, work);
    let bytes = kept.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    String::from_utf8(bytes).unwrap()
}

/// A report of which everything is known.
fn full() -> Report {
    Report {
        version: Some(VersionId("v1".into())),
        source_etag: Some(ETag::new("tag")),
        destination_etag: Some(ETag::new("tag-2")),
        method: Some(CopyMethod::Multipart),
        proof: Some(Proof::ETag),
        failure: Some(FailureClass::Denied),
        lost: vec!["2 tags".into(), "a header".into()],
        transfer: Some(TransferId("t1".into())),
        requests: Requests { source: Some("GETID".into()), destination: Some("PUTID".into()) },
        ..report("a\n\"b\"", ReportOutcome::Failed)
    }
}

const OF: ObjectOf<'_> = ObjectOf { route: Some("one"), message_id: Some("m-1"), deliveries: 2 };

fn object(report: &Report, of: &ObjectOf<'_>) -> Map<String, Value> {
    let lines = logged(LogFormat::Json, "info", || log_object(report, of));
    assert_eq!(lines.lines().count(), 1, "{lines}");
    serde_json::from_str(&lines).unwrap()
}

/// The fields that the docs list under a heading, each with whether it is always there.
fn documented(heading: &str) -> Vec<(String, bool)> {
    let section = DOCS.split(heading).nth(1).unwrap_or_else(|| panic!("{heading} is not in docs/LOGGING.md"));
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (name, rest) = row.split_once('`').unwrap();
        (name.to_owned(), rest.split('|').nth(1).unwrap().trim() == "always")
    })
    .collect()
}

fn names(fields: &Map<String, Value>) -> BTreeSet<String> {
    fields.keys().cloned().collect()
}

/// LBB-48: what the documents said was not what the program did.
#[test]
fn lbb_48_the_docs_list_every_field_of_an_object_and_no_other() {
    let all = documented("## Every line").into_iter().chain(documented("## The line of an object"));
    let all: Vec<_> = all.collect();
    let every: BTreeSet<String> = all.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(names(&object(&full(), &OF)), every);
    let always = all.into_iter().filter(|(_, always)| *always).map(|(name, _)| name).collect();
    let least = report("k", ReportOutcome::Skipped);
    assert_eq!(names(&object(&least, &ObjectOf::default())), always);
}

#[test]
fn the_line_of_an_object_is_flat_and_numbers_are_numbers() {
    let fields = object(&full(), &OF);
    for (name, expected) in [
        ("level", "INFO".into()),
        ("target", "longbow::object".into()),
        ("message", "object settled".into()),
        ("object.key", "a\n\"b\"".into()),
        ("object.size", 10.into()),
        ("object.etag", "tag".into()),
        ("route.name", "one".into()),
        ("transfer.id", "t1".into()),
        ("job.message_id", "m-1".into()),
        ("job.deliveries", 2.into()),
        ("outcome", "failed".into()),
        ("copy.method", "multipart".into()),
        ("copy.proof", "e-tag".into()),
        ("copy.bytes_sent", 10.into()),
        ("copy.lost", "2 tags; a header".into()),
        ("duration_ms", 1.into()),
        ("failure.class", "denied".into()),
        ("reason", "because".into()),
        ("source.request_id", "GETID".into()),
        ("destination.request_id", "PUTID".into()),
    ] as [(&str, Value); 20]
    {
        assert_eq!(fields[name], expected, "{name}");
    }
    assert!(fields.values().all(|value| value.is_string() || value.is_number()), "{fields:?}");
    let time = fields["timestamp"].as_str().unwrap();
    assert!(time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000Z".len(), "{time}");
}

#[test]
fn the_example_in_the_docs_is_such_a_line() {
    let example = DOCS.lines().find(|line| line.starts_with("{\"timestamp\"")).expect("an example");
    let example: Map<String, Value> = serde_json::from_str(example).unwrap();
    assert!(names(&example).is_subset(&names(&object(&full(), &OF))), "{example:?}");
}

#[test]
fn as_text_it_is_one_readable_line_and_nothing_below_its_level() {
    let text = logged(LogFormat::Text, &directives(1, None, LogFormat::Text), || log_object(&full(), &OF));
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.contains("longbow::object: object settled object.key=\"a\\n"), "{text}");
    let quiet = logged(LogFormat::Text, &directives(0, None, LogFormat::Text), || log_object(&full(), &OF));
    assert_eq!(quiet, "");
    let filtered = logged(LogFormat::Json, &directives(0, Some("error"), LogFormat::Json), || {
        log_object(&full(), &OF);
    });
    assert_eq!(filtered, "", "LONGBOW_LOG wins");
}

#[test]
fn what_is_told_to_people_is_a_record_too() {
    let told: Map<String, Value> = serde_json::from_str(&console_line("note: \"a\"\nb")).unwrap();
    let every = documented("## Every line").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names(&told), every);
    assert_eq!(told["message"], "note: \"a\"\nb");
}

#[test]
fn the_sdk_stays_quiet_unless_it_is_named() {
    use LogFormat::{Json, Text};
    assert_eq!(directives(0, None, Text), "warn,aws_config=error");
    assert_eq!(directives(0, None, Json), "warn,aws_config=error,longbow=info");
    assert_eq!(directives(1, None, Text), "warn,aws_config=error,longbow=info");
    assert_eq!(directives(0, Some("debug"), Json), "warn,aws_config=error,longbow=debug");
    assert_eq!(directives(2, Some("aws_smithy_runtime=trace"), Text), "aws_smithy_runtime=trace");
}

#[test]
fn the_flag_wins_over_the_environment_and_a_wrong_word_is_told() {
    use LogFormat::{Json, Text};
    assert_eq!(LogFormat::chosen(Some(Text), Some("json")), (Text, None));
    assert_eq!(LogFormat::chosen(None, Some("JSON")), (Json, None));
    assert_eq!(LogFormat::chosen(None, None), (Text, None));
    let (format, fault) = LogFormat::chosen(None, Some("xml"));
    assert_eq!(format, Text);
    assert!(fault.unwrap().contains("xml"));
}
