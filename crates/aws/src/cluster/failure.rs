//! From the SDK's errors about queue, table and parameters to core's `BackendError`.
//!
//! Apart from `crate::failure`, which reads S3's codes: these services have other codes, and what a caller can do about
//! them is only whether to wait. It says what a fault is; whether to try again is decided elsewhere.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use longbow_core::failure::{BackendError, BackendErrorKind as FaultKind};

use crate::failure::{chain, printable, sources};
use crate::plain_http::PlainHttp;

/// What was asked, for the message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About<'a> {
    /// The call's name in the API reference.
    pub(crate) call: &'a str,
    /// `the queue https://…`, `the table longbow`.
    pub(crate) thing: &'a str,
    /// The permission that an IAM policy grants the call by.
    pub(crate) right: &'a str,
    /// What to do when the thing is not there.
    pub(crate) if_missing: &'a str,
}

/// A classified fault.
#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// The service's code, when there was an answer.
    pub(crate) code: String,
    /// What failed, fit to follow "failed to …: ".
    pub(crate) message: String,
}

impl From<Fault> for BackendError {
    fn from(fault: Fault) -> Self {
        Self::new(fault.kind, fault.message)
    }
}

/// Classifies a failed call.
pub(crate) fn translate<E>(about: &About<'_>, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let subject = format!("{} of {}", about.call, about.thing);
    let SdkError::ServiceError(answered) = error else {
        return unanswered(&subject, error);
    };
    let meta = answered.err().meta();
    let status = answered.raw().status().as_u16();
    let code = meta.code().unwrap_or_default();
    let kind = kind_of_code(code).unwrap_or(match status {
        401 => FaultKind::Credentials,
        403 => FaultKind::Denied,
        404 => FaultKind::Missing,
        429 | 503 => FaultKind::Throttled,
        200..=299 | 408 | 500.. => FaultKind::Transient,
        _ => FaultKind::Permanent,
    });
    let mut message = format!("{subject}: {status} {}", printable(code)).trim_end().to_owned();
    if let Some(said) = meta.message().filter(|said| !said.is_empty()) {
        message.push_str(": ");
        message.push_str(&printable(said));
    } else if code.is_empty() {
        message.push_str(": ");
        message.push_str(&chain(error));
    }
    if let Some(id) = answered.raw().headers().get("x-amzn-requestid") {
        message.push_str(&format!(" (request {})", printable(id)));
    }
    if let Some(remedy) = remedy(about, kind, code) {
        message.push_str("; ");
        message.push_str(&remedy);
    }
    Fault { kind, code: code.to_owned(), message }
}

fn unanswered<E>(subject: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: Error + Send + Sync + 'static,
{
    let text = chain(error);
    let credentials = sources(error).any(|e| e.downcast_ref::<CredentialsError>().is_some());
    let refused = sources(error).any(|e| e.downcast_ref::<PlainHttp>().is_some());
    let lower = text.to_ascii_lowercase();
    let (kind, message) = if credentials {
        (FaultKind::Credentials, format!("the credentials cannot be loaded or renewed: {text}"))
    } else if refused || matches!(error, SdkError::ConstructionFailure(_)) {
        (FaultKind::Permanent, format!("the request cannot be made: {text}"))
    } else if lower.contains("certificate") {
        let remedy = "the server's certificate is not trusted: name your authority's in SSL_CERT_FILE";
        (FaultKind::Permanent, format!("no answer: {text}; {remedy}"))
    } else if lower.contains("refused") || lower.contains("dns") {
        (
            FaultKind::Transient,
            format!("no answer: {text}; are region and endpoint right, and does the server run?"),
        )
    } else {
        (FaultKind::Transient, format!("no answer: {text}"))
    };
    Fault { kind, code: String::new(), message: format!("{subject}: {message}") }
}

/// The table: codes of the API references of SQS, DynamoDB and Systems Manager and of "Common errors", without the
/// `AWS.SimpleQueueService.` that SQS's older protocol puts before them.
pub(crate) fn kind_of_code(code: &str) -> Option<FaultKind> {
    use FaultKind as K;
    let code = code.rsplit('#').next().unwrap_or(code);
    Some(match code.strip_prefix("AWS.SimpleQueueService.").unwrap_or(code) {
        "QueueDoesNotExist"
        | "NonExistentQueue"
        | "QueueDeletedRecently"
        | "ResourceNotFoundException"
        | "TableNotFoundException"
        | "ParameterNotFound"
        | "ParameterVersionNotFound" => K::Missing,
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "OverLimit"
        | "SlowDown"
        | "KmsThrottled"
        | "KMS.ThrottlingException"
        | "TooManyUpdates" => K::Throttled,
        "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "TransactionInProgressException"
        | "ReplicatedWriteConflictException"
        | "ResourceInUseException" => K::Transient,
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "OptInRequired"
        | "InvalidToken" => K::Credentials,
        "AccessDenied"
        | "AccessDeniedException"
        | "NotAuthorized"
        | "KmsAccessDenied"
        | "KMS.AccessDeniedException" => K::Denied,
        "KmsDisabled"
        | "KMS.DisabledException"
        | "KmsNotFound"
        | "KMS.NotFoundException"
        | "KmsInvalidState"
        | "KMS.InvalidStateException"
        | "KmsInvalidKeyUsage"
        | "KmsOptInRequired"
        | "ValidationException"
        | "InvalidParameterValue"
        | "InvalidMessageContents"
        | "UnsupportedOperation" => K::Permanent,
        _ => return None,
    })
}

fn remedy(about: &About<'_>, kind: FaultKind, code: &str) -> Option<String> {
    let kms = code.to_ascii_lowercase().contains("kms");
    Some(match kind {
        FaultKind::Missing => about.if_missing.to_owned(),
        FaultKind::Denied if kms => {
            "the identity lacks a right on the key that encrypts it: kms:Decrypt and kms:GenerateDataKey".to_owned()
        }
        FaultKind::Denied => format!("the identity lacks the right {}", about.right),
        FaultKind::Permanent if kms => {
            "the key that encrypts it is disabled or gone: enable it, or choose another".to_owned()
        }
        FaultKind::Credentials if matches!(code, "RequestExpired" | "RequestTimeTooSkewed") => {
            "this machine's clock and the server's differ by more than some minutes: set the clock".to_owned()
        }
        FaultKind::Credentials => "the credentials have expired or are not valid here: renew them".to_owned(),
        FaultKind::Throttled if code.ends_with("OverLimit") => {
            "120,000 messages are in flight, the most that a queue has: fewer workers, or a shorter visibility"
                .to_owned()
        }
        FaultKind::Throttled | FaultKind::Transient | FaultKind::Permanent => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_by_any_of_their_names() {
        for (code, kind) in [
            ("AWS.SimpleQueueService.NonExistentQueue", Some(FaultKind::Missing)),
            ("QueueDoesNotExist", Some(FaultKind::Missing)),
            (
                "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
                Some(FaultKind::Throttled),
            ),
            ("KMS.ThrottlingException", Some(FaultKind::Throttled)),
            ("ExpiredTokenException", Some(FaultKind::Credentials)),
            ("AccessDeniedException", Some(FaultKind::Denied)),
            ("ValidationException", Some(FaultKind::Permanent)),
            ("WhateverComesNext", None),
        ] {
            assert_eq!(kind_of_code(code), kind, "{code}");
        }
    }
}
