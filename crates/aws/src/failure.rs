//! From the SDK's errors to longbow's: the only place that reads status and error codes.
//!
//! Apart, because the classification decides what becomes of a job, and because servers differ in their codes
//! more than in anything else. It says what a fault is; whether to try again is decided elsewhere.

use std::error::Error;
use std::time::SystemTime;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId as _;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::WriteCondition;

use crate::call::Call;
use crate::identity::may_pass;

pub(crate) const BUCKET_REGION: &str = "x-amz-bucket-region";

/// What was asked, for the classification and for the message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    pub(crate) call: Call,
    pub(crate) bucket: &'a str,
    pub(crate) region: &'a str,
    /// The endpoint, or the region of Amazon's.
    pub(crate) place: &'a str,
    pub(crate) key: Option<&'a ObjectKey>,
    /// The condition of a write.
    pub(crate) condition: Option<&'a WriteCondition>,
}

impl About<'_> {
    /// A fault that this crate found itself, in the words of the call.
    pub(crate) fn fault(&self, kind: StoreErrorKind, text: &str) -> StoreError {
        StoreError::new(kind, format!("{}: {text}", self.subject()))
    }

    fn subject(&self) -> String {
        match self.key {
            Some(key) => format!("{} of s3://{}/{key}", self.call.name(), self.bucket),
            None => format!("{} of s3://{}", self.call.name(), self.bucket),
        }
    }

    fn must_match(&self) -> bool {
        matches!(self.condition, Some(WriteCondition::Matches(_)))
    }

    /// Whether the key has segments that servers which keep objects in folders cannot have.
    fn key_is_a_path(&self) -> bool {
        self.key.is_some_and(|key| key.as_str().split('/').any(|s| matches!(s, "." | "..") || s.len() > 255))
    }

    fn is_conditional(&self) -> bool {
        matches!(self.condition, Some(WriteCondition::Matches(_) | WriteCondition::Absent))
    }
}

/// The parts of an error reply that matter.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reply<'a> {
    pub(crate) status: u16,
    pub(crate) code: Option<&'a str>,
    pub(crate) message: Option<&'a str>,
    /// Where the bucket is, as `x-amz-bucket-region` says.
    pub(crate) bucket_region: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
    pub(crate) delete_marker: bool,
    pub(crate) body: &'a [u8],
}

/// Classifies a failed call.
pub(crate) fn translate<E>(about: &About<'_>, error: SdkError<E, HttpResponse>) -> StoreError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    match &error {
        SdkError::ServiceError(answered) => {
            let raw = answered.raw();
            let meta = answered.err().meta();
            let status = raw.status().as_u16();
            let code = meta.code().filter(|c| !c.is_empty());
            let reply = Reply {
                status,
                code: code.or_else(|| code_by_clock(status, raw.headers().get("date"))),
                message: meta.message().filter(|m| !m.is_empty()),
                bucket_region: raw.headers().get(BUCKET_REGION),
                request_id: meta.request_id(),
                delete_marker: raw.headers().get("x-amz-delete-marker") == Some("true"),
                body: raw.body().bytes().unwrap_or_default(),
            };
            if raw.status().is_success() && reply.code.is_none() {
                // A 200 whose body or headers are not what the protocol says.
                return about.fault(
                    StoreErrorKind::Transient,
                    &format!("the {} reply cannot be read: {}", reply.status, chain(&error)),
                );
            }
            from_reply(about, &reply)
        }
        SdkError::ResponseError(broken) => about.fault(
            StoreErrorKind::Transient,
            &format!("the {} reply cannot be read: {}", broken.raw().status().as_u16(), chain(&error)),
        ),
        SdkError::TimeoutError(_) => unsent(about, &error, StoreErrorKind::Transient),
        SdkError::ConstructionFailure(_) => {
            about.fault(StoreErrorKind::Permanent, &format!("the request cannot be made: {}", chain(&error)))
        }
        _ => unsent(about, &error, StoreErrorKind::Transient),
    }
}

/// The code of a refusal that tells none, as replies to HEAD have no body: the server's clock may explain it.
pub(crate) fn code_by_clock(status: u16, date: Option<&str>) -> Option<&'static str> {
    (status == 403 && clocks_differ(date, SystemTime::now())).then_some("RequestTimeTooSkewed")
}

/// By more than signatures allow (Amazon S3 API Reference, "RequestTimeTooSkewed").
fn clocks_differ(date: Option<&str>, now: SystemTime) -> bool {
    let theirs = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
    theirs.is_some_and(|theirs| theirs.secs().abs_diff(DateTime::from(now).secs()) > 15 * 60)
}

/// Where the bucket is, as a reply that refuses says all the same.
pub(crate) fn bucket_region<E>(error: &SdkError<E, HttpResponse>) -> Option<String> {
    error.raw_response().and_then(|reply| reply.headers().get(BUCKET_REGION)).map(str::to_owned)
}

/// Credentials that are not to be had.
pub(crate) fn credentials_fault(about: &About<'_>, error: &(dyn Error + 'static)) -> StoreError {
    let text = format!("the credentials cannot be loaded or renewed: {}", chain(error));
    let kind = if may_pass(error) { StoreErrorKind::Transient } else { StoreErrorKind::Credentials };
    about.fault(kind, &text)
}

/// Faults without any reply.
pub(crate) fn unsent(
    about: &About<'_>,
    error: &(dyn Error + 'static),
    otherwise: StoreErrorKind,
) -> StoreError {
    if sources(error).any(|e| e.downcast_ref::<CredentialsError>().is_some()) {
        return credentials_fault(about, error);
    }
    let text = chain(error);
    let (kind, remedy) = match text.to_ascii_lowercase() {
        t if t.contains("certificate") => (
            StoreErrorKind::Permanent,
            "; the server's certificate is not trusted: name your authority's in SSL_CERT_FILE",
        ),
        t if t.contains("invalidcontenttype") => (
            StoreErrorKind::Permanent,
            "; the server speaks no TLS there: should the endpoint begin with http://?",
        ),
        t if t.contains("refused") || t.contains("dns") => {
            (otherwise, "; is the endpoint right, and does the server run?")
        }
        _ => (otherwise, ""),
    };
    about.fault(kind, &format!("no answer from {}: {text}{remedy}", about.place))
}

/// Faults that a server told.
pub(crate) fn from_reply(about: &About<'_>, reply: &Reply<'_>) -> StoreError {
    let kind = kind_of(about, reply);
    let code = reply.code.unwrap_or_default();
    let mut text = format!("{}: {} {}", about.subject(), reply.status, code).trim_end().to_owned();
    if let Some(message) = reply.message {
        text.push_str(": ");
        text.push_str(&printable(message));
    }
    if let Some(id) = reply.request_id {
        text.push_str(" (request ");
        text.push_str(&printable(id));
        text.push(')');
    }
    if let Some(remedy) = remedy(about, reply, kind) {
        text.push_str("; ");
        text.push_str(&remedy);
    }
    let error = StoreError::new(kind, text);
    match reply.code {
        Some(code) => error.with_code(code),
        None => error,
    }
}

/// The table. Codes first, since they say more than the status; the status where there is no code (replies to
/// HEAD have no body) or an unknown one. Codes of the S3 API reference, "Error responses", and of MinIO, Ceph
/// and SeaweedFS where they have their own.
fn kind_of(about: &About<'_>, reply: &Reply<'_>) -> StoreErrorKind {
    use StoreErrorKind as K;
    match reply.code.unwrap_or_default() {
        // `If-Match` on a write to a key that is gone answers 404.
        "NoSuchKey" | "NoSuchVersion" | "NoSuchObject" if about.must_match() => K::PreconditionFailed,
        "NoSuchKey" | "NoSuchVersion" | "NoSuchObject" => K::NotFound,
        "NoSuchBucket" => K::NoSuchBucket,
        "NoSuchUpload" => K::NoSuchUpload,
        "PreconditionFailed" | "ConditionalRequestConflict" => K::PreconditionFailed,
        "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "InvalidToken"
        | "TokenRefreshRequired"
        | "RequestTimeTooSkewed"
        | "RequestExpired"
        | "InvalidSecurity"
        | "MissingSecurityHeader"
        | "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "CredentialsNotSupported"
        | "NotSignedUp" => K::Credentials,
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "UnauthorizedAccess"
        | "AccessForbidden" => K::Denied,
        code if asks_for_less(code) => K::Throttled,
        "InternalError"
        | "InternalServerError"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "IncompleteBody"
        | "OperationAborted"
        | "503" => K::Transient,
        "BadDigest"
        | "InvalidDigest"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "InvalidPart"
        | "InvalidPartOrder" => K::Corrupt,
        "NotImplemented" | "UnsupportedOperation" => K::Unsupported(missing_feature(about, reply)),
        "MethodNotAllowed" if reply.delete_marker => K::NotFound,
        "MethodNotAllowed" => K::Unsupported(missing_feature(about, reply)),
        "KeyTooLongError"
        | "KeyTooLong"
        | "InvalidObjectName"
        | "XMinioInvalidObjectName"
        | "InvalidURI"
        | "XMinioInvalidResourceName"
        | "XMinioObjectExistsAsDirectory"
        | "XMinioParentIsObject" => K::InvalidKey,
        "InvalidObjectState" => K::Archived,
        "InvalidRange" => K::PreconditionFailed,
        "XMinioStorageFull" | "XMinioAdminBucketQuotaExceeded" | "QuotaExceeded" | "InsufficientCapacity" => {
            K::Full
        }
        "EntityTooLarge"
        | "EntityTooSmall"
        | "MetadataTooLarge"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "AuthorizationHeaderMalformed"
        | "IllegalLocationConstraintException"
        | "InvalidBucketName"
        | "InvalidTag"
        | "InvalidStorageClass"
        | "BucketAlreadyExists"
        | "BucketAlreadyOwnedByYou" => K::Permanent,
        "InvalidRequest" | "InvalidArgument" => refused(about, reply),
        _ => by_status(about, reply),
    }
}

/// The codes of servers that have too many requests.
pub(crate) fn asks_for_less(code: &str) -> bool {
    matches!(
        code,
        "SlowDown"
            | "ServiceUnavailable"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "KMS.ThrottlingException"
            | "RequestLimitExceeded"
            | "TooManyRequests"
            | "TooManyRequestsException"
            | "BandwidthLimitExceeded"
            | "SlowDownRead"
            | "SlowDownWrite"
            | "RequestThrottled"
    )
}

/// The statuses of servers that have too many requests, where no code says otherwise.
pub(crate) fn is_too_many(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// `InvalidRequest` and `InvalidArgument` are what servers say of whatever they do not know.
fn refused(about: &About<'_>, reply: &Reply<'_>) -> StoreErrorKind {
    let words = words(reply);
    if about.call == Call::ListObjects && words.contains("continuation") {
        return StoreErrorKind::NoSuchPage;
    }
    if about.key_is_a_path() {
        return StoreErrorKind::InvalidKey;
    }
    if words.contains("checksum") {
        StoreErrorKind::Unsupported(Feature::Checksums)
    } else if about.is_conditional() && (words.contains("if-match") || words.contains("if-none-match")) {
        StoreErrorKind::Unsupported(Feature::ConditionalWrites)
    } else {
        StoreErrorKind::Permanent
    }
}

fn by_status(about: &About<'_>, reply: &Reply<'_>) -> StoreErrorKind {
    use StoreErrorKind as K;
    match reply.status {
        400 if reply.code.is_none() && about.call.is_head() && about.key_is_a_path() => K::InvalidKey,
        // HEAD says 400 for expired tokens and for wrong regions alike.
        400 if reply.code.is_none()
            && about.call.is_head()
            && reply.bucket_region.is_none_or(|r| r == about.region) =>
        {
            K::Credentials
        }
        401 => K::Credentials,
        403 => K::Denied,
        404 if about.call.is_about_bucket() => K::NoSuchBucket,
        404 if about.call.names_upload() => K::NoSuchUpload,
        404 if about.must_match() => K::PreconditionFailed,
        404 | 410 => K::NotFound,
        405 if reply.delete_marker => K::NotFound,
        405 | 501 => K::Unsupported(missing_feature(about, reply)),
        408 | 500 | 502 | 504 => K::Transient,
        409 | 412 if about.is_conditional() || reply.status == 412 => K::PreconditionFailed,
        409 => K::Transient,
        414 => K::InvalidKey,
        416 => K::PreconditionFailed,
        status if is_too_many(status) => K::Throttled,
        507 => K::Full,
        status if status >= 500 => K::Transient,
        _ => K::Permanent,
    }
}

/// S3 names the header that it does not know in the body (`<Header>If-None-Match</Header>`); where nothing is
/// named, the call itself is what is missing.
fn missing_feature(about: &About<'_>, reply: &Reply<'_>) -> Feature {
    let words = words(reply);
    if words.contains("if-match") || words.contains("if-none-match") {
        Feature::ConditionalWrites
    } else if words.contains("tagging") {
        Feature::Tags
    } else if words.contains("checksum") {
        Feature::Checksums
    } else {
        match about.call.feature() {
            Feature::Other if about.is_conditional() => Feature::ConditionalWrites,
            feature => feature,
        }
    }
}

fn words(reply: &Reply<'_>) -> String {
    let body = &reply.body[..reply.body.len().min(4096)];
    let mut words = String::from_utf8_lossy(body).to_ascii_lowercase();
    words.push_str(&reply.message.unwrap_or_default().to_ascii_lowercase());
    words
}

/// What a user can do about it.
fn remedy(about: &About<'_>, reply: &Reply<'_>, kind: StoreErrorKind) -> Option<String> {
    if let Some(region) = reply.bucket_region
        && region != about.region
        && matches!(reply.status, 301 | 307 | 400)
    {
        return Some(format!("the bucket is in the region {}: give it with --region", printable(region)));
    }
    let text = match (kind, reply.code.unwrap_or_default()) {
        (StoreErrorKind::Credentials, "RequestTimeTooSkewed" | "RequestExpired") => {
            "this machine's clock and the server's differ by more than 15 minutes: set the clock"
        }
        (StoreErrorKind::Credentials, "SignatureDoesNotMatch") => {
            "the secret key does not belong to this access key"
        }
        (StoreErrorKind::Credentials, "InvalidAccessKeyId" | "InvalidClientTokenId") => {
            "the access key is unknown to this endpoint: check the profile, AWS_ACCESS_KEY_ID and the endpoint"
        }
        (StoreErrorKind::Credentials, _) => "the credentials have expired or are not valid here: renew them",
        (StoreErrorKind::Denied, _) if about.call.is_head() => {
            "the identity may not read this, or the object is missing and the identity may not list the bucket"
        }
        (StoreErrorKind::Denied, _) => {
            return Some(format!("the identity lacks the right {}", about.call.right()));
        }
        (StoreErrorKind::NoSuchBucket, _) => "check the bucket's name and the endpoint",
        _ if matches!(reply.status, 301 | 307) => "the bucket is elsewhere: give its region or endpoint",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The server's words on one line of bounded length, without anything that a terminal would obey.
pub(crate) fn printable(text: &str) -> String {
    let mut out: String =
        text.trim().chars().take(400).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if out.len() < text.trim().len() {
        out.push('…');
    }
    out
}

pub(crate) fn sources<'a>(
    error: &'a (dyn Error + 'static),
) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&e| e.source())
}

/// What the SDK says of errors that have a cause, which says more.
const HOLLOW: [&str; 8] = [
    "dispatch failure",
    "service error",
    "unhandled error",
    "io error",
    "other",
    "client error",
    "request has timed out",
    "an error occurred while loading credentials",
];

/// An error and its causes on one line, each said once.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for cause in sources(error) {
        let said = printable(&cause.to_string());
        let hollow = HOLLOW.contains(&said.as_str()) && cause.source().is_some();
        if !said.is_empty() && !hollow && !text.contains(&said) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
    }
    text
}

#[cfg(test)]
mod tests;
