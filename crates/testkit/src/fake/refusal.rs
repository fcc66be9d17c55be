//! How the fake says no: the kind for callers of the port, S3's code for the server's clients.

use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;

/// A refusal with S3's code.
pub(super) fn refuse(kind: StoreErrorKind, code: &str, message: impl Into<String>) -> StoreError {
    StoreError::new(kind, message).with_code(code)
}

/// No such key.
pub(super) fn no_such_key(key: &ObjectKey) -> StoreError {
    refuse(StoreErrorKind::NotFound, "NoSuchKey", format!("the key {key} does not exist"))
}

/// No such upload.
pub(super) fn no_such_upload(upload: &str) -> StoreError {
    let message = format!("the multipart upload {upload} does not exist: it was completed or aborted");
    refuse(StoreErrorKind::NoSuchUpload, "NoSuchUpload", message)
}

/// A condition that does not hold.
pub(super) fn precondition(key: &ObjectKey, what: &str) -> StoreError {
    refuse(StoreErrorKind::PreconditionFailed, "PreconditionFailed", format!("{key}: {what} does not hold"))
}

/// An argument out of bounds.
pub(super) fn invalid(code: &str, message: impl Into<String>) -> StoreError {
    refuse(StoreErrorKind::Permanent, code, message)
}

/// A feature that this bucket was told to lack.
pub(super) fn lacking(feature: Feature) -> StoreError {
    let message = format!("this store does not have {feature}");
    refuse(StoreErrorKind::Unsupported(feature), "NotImplemented", message)
}
