//! Tests of `failure`.

use super::*;
use longbow_core::object::ETag;

const KEY: &str = "dir/key";

fn about<'a>(call: Call, key: Option<&'a ObjectKey>, condition: Option<&'a WriteCondition>) -> About<'a> {
    About { call, bucket: "bucket", region: "us-east-1", place: "there", key, condition }
}

fn kind(call: Call, status: u16, code: &str) -> StoreErrorKind {
    let reply = Reply { status, code: Some(code).filter(|c| !c.is_empty()), ..Reply::default() };
    kind_of(&about(call, None, None), &reply)
}

#[test]
fn codes_and_statuses_have_one_meaning_each() {
    use StoreErrorKind as K;
    for (call, status, code, expected) in [
        (Call::GetObject, 404, "NoSuchKey", K::NotFound),
        (Call::GetObject, 404, "NoSuchVersion", K::NotFound),
        (Call::HeadObject, 404, "", K::NotFound),
        (Call::HeadObject, 404, "NotFound", K::NotFound),
        (Call::ListObjects, 404, "", K::NoSuchBucket),
        (Call::ListObjects, 404, "NoSuchBucket", K::NoSuchBucket),
        (Call::UploadPart, 404, "NoSuchUpload", K::NoSuchUpload),
        (Call::ListParts, 404, "", K::NoSuchUpload),
        (Call::PutObject, 412, "PreconditionFailed", K::PreconditionFailed),
        (Call::PutObject, 409, "ConditionalRequestConflict", K::PreconditionFailed),
        (Call::HeadObject, 412, "", K::PreconditionFailed),
        (Call::PutObject, 409, "OperationAborted", K::Transient),
        (Call::GetObject, 403, "AccessDenied", K::Denied),
        (Call::HeadObject, 403, "", K::Denied),
        (Call::GetObject, 403, "InvalidAccessKeyId", K::Credentials),
        (Call::GetObject, 403, "SignatureDoesNotMatch", K::Credentials),
        (Call::GetObject, 400, "ExpiredToken", K::Credentials),
        (Call::GetObject, 403, "RequestTimeTooSkewed", K::Credentials),
        (Call::HeadObject, 400, "", K::Credentials),
        (Call::GetObject, 401, "", K::Credentials),
        (Call::PutObject, 503, "SlowDown", K::Throttled),
        (Call::GetObject, 400, "KMS.ThrottlingException", K::Throttled),
        (Call::GetObject, 400, "KMS.DisabledException", K::Permanent),
        (Call::PutObject, 503, "", K::Throttled),
        (Call::PutObject, 429, "", K::Throttled),
        (Call::CompleteMultipartUpload, 200, "InternalError", K::Transient),
        (Call::CompleteMultipartUpload, 200, "SlowDown", K::Throttled),
        (Call::PutObject, 500, "", K::Transient),
        (Call::PutObject, 502, "", K::Transient),
        (Call::PutObject, 504, "", K::Transient),
        (Call::PutObject, 599, "", K::Transient),
        (Call::PutObject, 400, "RequestTimeout", K::Transient),
        (Call::PutObject, 400, "IncompleteBody", K::Transient),
        (Call::PutObject, 400, "BadDigest", K::Corrupt),
        (Call::PutObject, 400, "InvalidDigest", K::Corrupt),
        (Call::PutObject, 400, "XAmzContentSHA256Mismatch", K::Corrupt),
        (Call::CompleteMultipartUpload, 400, "InvalidPart", K::Corrupt),
        (Call::PutObject, 400, "KeyTooLongError", K::InvalidKey),
        (Call::PutObject, 400, "XMinioInvalidObjectName", K::InvalidKey),
        (Call::GetObject, 403, "InvalidObjectState", K::Archived),
        (Call::PutObject, 400, "EntityTooLarge", K::Permanent),
        (Call::PutObject, 507, "XMinioStorageFull", K::Full),
        (Call::GetObject, 301, "PermanentRedirect", K::Permanent),
        (Call::GetObject, 416, "InvalidRange", K::PreconditionFailed),
        (Call::GetObjectTagging, 501, "NotImplemented", K::Unsupported(Feature::Tags)),
        (Call::CreateMultipartUpload, 501, "", K::Unsupported(Feature::Multipart)),
        (Call::CopyObject, 405, "MethodNotAllowed", K::Unsupported(Feature::ServerSideCopy)),
        (Call::PutObject, 501, "NotImplemented", K::Unsupported(Feature::Other)),
        (Call::PutObject, 400, "", K::Permanent),
    ] {
        assert_eq!(kind(call, status, code), expected, "{call:?} {status} {code}");
    }
}

#[test]
fn a_condition_gives_codes_another_meaning() {
    let matches = WriteCondition::Matches(ETag::new("x"));
    let absent = WriteCondition::Absent;
    let of = |condition: &WriteCondition, status, code, body: &str| {
        let reply = Reply { status, code: Some(code), body: body.as_bytes(), ..Reply::default() };
        kind_of(&about(Call::PutObject, None, Some(condition)), &reply)
    };
    assert_eq!(of(&matches, 404, "NoSuchKey", ""), StoreErrorKind::PreconditionFailed);
    assert_eq!(of(&absent, 404, "NoSuchBucket", ""), StoreErrorKind::NoSuchBucket);
    let conditional = StoreErrorKind::Unsupported(Feature::ConditionalWrites);
    assert_eq!(of(&absent, 501, "NotImplemented", ""), conditional);
    assert_eq!(of(&absent, 501, "NotImplemented", "<Header>If-None-Match</Header>"), conditional);
    assert_eq!(of(&matches, 400, "InvalidArgument", "If-Match is not known"), conditional);
    let always = WriteCondition::Always;
    assert_eq!(of(&always, 400, "InvalidArgument", "If-Match"), StoreErrorKind::Permanent);
    let checksums = StoreErrorKind::Unsupported(Feature::Checksums);
    assert_eq!(of(&always, 400, "InvalidRequest", "x-amz-checksum-crc64nvme: unknown Checksum"), checksums);
    let tags = StoreErrorKind::Unsupported(Feature::Tags);
    assert_eq!(of(&absent, 501, "NotImplemented", "<Header>x-amz-tagging</Header>"), tags);
}

#[test]
fn a_token_of_a_listing_that_is_not_known_any_more_is_told_from_other_wrong_arguments() {
    let of = |call, message| {
        let reply =
            Reply { status: 400, code: Some("InvalidArgument"), message: Some(message), ..Reply::default() };
        kind_of(&about(call, None, None), &reply)
    };
    let expired = "The continuation token provided is incorrect";
    assert_eq!(of(Call::ListObjects, expired), StoreErrorKind::NoSuchPage);
    assert_eq!(of(Call::ListObjects, "max-keys is no number"), StoreErrorKind::Permanent);
    assert_eq!(of(Call::ListParts, expired), StoreErrorKind::Permanent);
}

#[test]
fn a_delete_marker_is_no_object() {
    let reply =
        Reply { status: 405, code: Some("MethodNotAllowed"), delete_marker: true, ..Reply::default() };
    assert_eq!(kind_of(&about(Call::GetObject, None, None), &reply), StoreErrorKind::NotFound);
    let reply = Reply { status: 405, delete_marker: true, ..Reply::default() };
    assert_eq!(kind_of(&about(Call::HeadObject, None, None), &reply), StoreErrorKind::NotFound);
}

#[test]
fn messages_name_the_call_the_thing_the_words_and_the_remedy() {
    let key = ObjectKey::from(KEY);
    let reply = Reply {
        status: 403,
        code: Some("AccessDenied"),
        message: Some("Access\nDenied\u{1b}[2J"),
        request_id: Some("R1"),
        ..Reply::default()
    };
    let error = from_reply(&about(Call::GetObject, Some(&key), None), &reply);
    assert_eq!(
        error.message,
        "GetObject of s3://bucket/dir/key: 403 AccessDenied: Access Denied [2J (request R1); the identity lacks \
         the right s3:GetObject"
    );
    assert_eq!(error.code.as_deref(), Some("AccessDenied"));

    let skewed = Reply { status: 403, code: Some("RequestTimeTooSkewed"), ..Reply::default() };
    assert!(from_reply(&about(Call::ListObjects, None, None), &skewed).message.contains("set the clock"));

    let elsewhere = Reply {
        status: 301,
        code: Some("PermanentRedirect"),
        bucket_region: Some("eu-west-1"),
        ..Reply::default()
    };
    let error = from_reply(&about(Call::ListObjects, None, None), &elsewhere);
    assert!(error.message.contains("is in the region eu-west-1: give it with --region"), "{}", error.message);
    assert_eq!(error.kind, StoreErrorKind::Permanent);

    let long = "x".repeat(5000);
    let endless = Reply { status: 400, code: Some("Odd"), message: Some(&long), ..Reply::default() };
    assert!(from_reply(&about(Call::ListObjects, None, None), &endless).message.len() < 600);
}

#[test]
fn causes_are_said_once() {
    let inner = std::io::Error::other("connection refused");
    let outer = std::io::Error::other(inner);
    assert_eq!(chain(&outer), "connection refused");
}

#[test]
fn clocks_are_compared_where_a_refusal_says_nothing() {
    let now = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_792_584_000);
    for (date, differ) in [
        (Some("Wed, 21 Oct 2026 12:00:00 GMT"), false),
        (Some("Wed, 21 Oct 2026 12:14:00 GMT"), false),
        (Some("Wed, 21 Oct 2026 12:16:00 GMT"), true),
        (Some("Wed, 21 Oct 2026 11:40:00 GMT"), true),
        (Some("yesterday"), false),
        (None, false),
    ] {
        assert_eq!(clocks_differ(date, now), differ, "{date:?}");
    }
}
