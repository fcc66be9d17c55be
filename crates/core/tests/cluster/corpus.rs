//! Messages of each kind, as their writers write them, with values of our own.

/// Every message that is understood, by name.
pub(crate) const ALL: &[(&str, &str)] = &[
    ("s3-put", include_str!("../corpus/messages/s3-put.json")),
    ("s3-three-records", include_str!("../corpus/messages/s3-three-records.json")),
    ("s3-delete-marker", include_str!("../corpus/messages/s3-delete-marker.json")),
    ("s3-delete-version", include_str!("../corpus/messages/s3-delete-version.json")),
    ("s3-tagging", include_str!("../corpus/messages/s3-tagging.json")),
    ("s3-test-event", include_str!("../corpus/messages/s3-test-event.json")),
    ("minio-put", include_str!("../corpus/messages/minio-put.json")),
    ("s3trans-job", include_str!("../corpus/messages/s3trans-job.json")),
    ("sns-three-records", include_str!("../corpus/messages/sns-three-records.json")),
    ("sns-test-event", include_str!("../corpus/messages/sns-test-event.json")),
    ("sns-eventbridge", include_str!("../corpus/messages/sns-eventbridge.json")),
    ("eventbridge-created", include_str!("../corpus/messages/eventbridge-created.json")),
    ("eventbridge-deleted", include_str!("../corpus/messages/eventbridge-deleted.json")),
    (
        "eventbridge-marker-by-lifecycle",
        include_str!("../corpus/messages/eventbridge-marker-by-lifecycle.json"),
    ),
    ("longbow-098-job", include_str!("../corpus/messages/longbow-098-job.json")),
    ("longbow-job", include_str!("../corpus/messages/longbow-job.json")),
    ("hub-job", include_str!("../corpus/messages/hub-job.json")),
];

/// One of them.
pub(crate) fn message(name: &str) -> &'static str {
    ALL.iter().find(|(n, _)| *n == name).expect("a message of the corpus").1
}
