//! The notifications that S3 sends about objects of the bucket `source`.

use longbow_testkit::fake::FakeStore;

/// One record about a key.
fn record(name: &str, key: &str, sequencer: &str, more: &str) -> String {
    format!(
        r#"{{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"{name}","eventTime":"2026-01-01T00:00:00.000Z","s3":{{"bucket":{{"name":"source"}},"object":{{"key":"{key}","sequencer":"{sequencer}"{more}}}}}}}"#
    )
}

/// The record of what the bucket holds now under the key.
pub(super) fn created(source: &FakeStore, key: &str, sequencer: &str) -> String {
    let object = source.object(key).expect("the source object");
    let more = format!(r#","size":{},"eTag":"{}""#, object.content.length(), object.etag);
    record("ObjectCreated:Put", key, sequencer, &more)
}

/// The record of a removal.
pub(super) fn removed(key: &str, sequencer: &str) -> String {
    record("ObjectRemoved:Delete", key, sequencer, "")
}

/// One message of these records.
pub(super) fn message(records: &[String]) -> String {
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
}
