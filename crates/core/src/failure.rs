//! How things fail: classified once, in the adapter that saw the fault, and carried unchanged from there.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a caller can do about a failed call to a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// No such key or version.
    NotFound,
    /// No such bucket, or the folder does not exist.
    NoSuchBucket,
    /// No such multipart upload: completed, aborted or expired.
    NoSuchUpload,
    /// The store does not know (any more) the place where a listing was to go on.
    NoSuchPage,
    /// `If-Match` or `If-None-Match` did not hold (412), or another conditional write ran at once (409).
    PreconditionFailed,
    /// The identity is known and may not do this (403).
    Denied,
    /// The identity is missing, unknown, wrong or expired.
    Credentials,
    /// 503 `SlowDown` and its like: come back later, slower.
    Throttled,
    /// A fault that a later attempt may not meet: 5xx, reset, timeout.
    Transient,
    /// The bytes were not what they should have been.
    Corrupt,
    /// The store does not have this feature.
    Unsupported(Feature),
    /// The store cannot have an object of this name.
    InvalidKey,
    /// The bytes are archived and must be restored before they can be read.
    Archived,
    /// No room, or read-only.
    Full,
    /// The request can never succeed.
    Permanent,
}

/// What a store may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Feature {
    /// `If-Match` and `If-None-Match` on writes.
    ConditionalWrites,
    /// Checksum headers (`x-amz-checksum-…`).
    Checksums,
    /// Object tags.
    Tags,
    /// Multipart uploads.
    Multipart,
    /// Copies inside the store.
    ServerSideCopy,
    /// Anything else.
    Other,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConditionalWrites => "conditional writes",
            Self::Checksums => "checksum headers",
            Self::Tags => "object tags",
            Self::Multipart => "multipart uploads",
            Self::ServerSideCopy => "server-side copies",
            Self::Other => "this request",
        })
    }
}

/// A failed call to a store. The message names the call, the thing and the server's own words.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What a caller can do.
    pub kind: StoreErrorKind,
    /// What failed, fit to follow "failed to copy …: ".
    pub message: String,
    /// The server's code (`SlowDown`), when there was a server.
    pub code: Option<String>,
}

impl StoreError {
    /// A fault of this kind.
    pub fn new(kind: StoreErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None }
    }

    /// The same fault with the server's code.
    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The class that decides what becomes of the job.
    pub fn class(&self) -> FailureClass {
        match self.kind {
            StoreErrorKind::Throttled => FailureClass::Throttled,
            StoreErrorKind::Transient | StoreErrorKind::NoSuchUpload => FailureClass::Transient,
            StoreErrorKind::Corrupt | StoreErrorKind::PreconditionFailed => FailureClass::Corrupt,
            StoreErrorKind::Denied | StoreErrorKind::Credentials => FailureClass::Denied,
            StoreErrorKind::NotFound
            | StoreErrorKind::NoSuchBucket
            | StoreErrorKind::NoSuchPage
            | StoreErrorKind::Unsupported(_)
            | StoreErrorKind::InvalidKey
            | StoreErrorKind::Archived
            | StoreErrorKind::Full
            | StoreErrorKind::Permanent => FailureClass::Permanent,
        }
    }
}

/// The classes of DESIGN section 7: each has one answer in [`crate::job::decide`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureClass {
    /// May pass by itself.
    Transient,
    /// The store asks for less.
    Throttled,
    /// Bytes or versions did not fit together: start again from nothing.
    Corrupt,
    /// Not allowed.
    Denied,
    /// Will never work for this object.
    Permanent,
    /// We are stopping.
    Interrupted,
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transient => "transient",
            Self::Throttled => "throttled",
            Self::Corrupt => "corrupt",
            Self::Denied => "denied",
            Self::Permanent => "permanent",
            Self::Interrupted => "interrupted",
        })
    }
}

/// A failed attempt at one object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Decides what becomes of the job.
    pub class: FailureClass,
    /// What failed, fit to follow "failed to copy KEY: ".
    pub message: String,
}

impl Failure {
    /// A failure of this class.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self { class: error.class(), message: error.message }
    }
}

/// What a caller can do about a failed call to the queue, the state store or the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BackendErrorKind {
    /// May pass by itself.
    Transient,
    /// The service asks for less.
    Throttled,
    /// The identity is known and may not do this.
    Denied,
    /// The identity is missing, unknown, wrong or expired.
    Credentials,
    /// The queue, the table or the parameter is not there.
    Missing,
    /// Stays until somebody mends it.
    Permanent,
}

impl BackendErrorKind {
    /// Whether a later attempt may succeed without anybody's doing.
    pub fn may_pass(self) -> bool {
        matches!(self, Self::Throttled | Self::Transient)
    }

    /// The class that decides about a job that met the fault.
    pub fn class(self) -> FailureClass {
        match self {
            Self::Transient => FailureClass::Transient,
            Self::Throttled => FailureClass::Throttled,
            Self::Denied | Self::Credentials => FailureClass::Denied,
            Self::Missing | Self::Permanent => FailureClass::Permanent,
        }
    }
}

/// The queue or the state store failed. Made by [`BackendError::new`] and its like only, so that its parts agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct BackendError {
    /// What a caller can do.
    pub kind: BackendErrorKind,
    /// Whether a later attempt may succeed, as the kind says.
    pub transient: bool,
    /// What failed and what can be done.
    pub message: String,
}

impl BackendError {
    /// A fault of this kind.
    pub fn new(kind: BackendErrorKind, message: impl Into<String>) -> Self {
        Self { kind, transient: kind.may_pass(), message: message.into() }
    }

    /// A fault that stays until somebody mends it.
    pub fn fatal(message: impl Into<String>) -> Self {
        Self::new(BackendErrorKind::Permanent, message)
    }

    /// A fault that may pass.
    pub fn transient(message: impl Into<String>) -> Self {
        Self::new(BackendErrorKind::Transient, message)
    }

    /// Whether the service refused who asked, and not what was asked: no other call with these rights fares better.
    pub fn is_refusal(&self) -> bool {
        self.kind.class() == FailureClass::Denied
    }
}

impl From<StoreError> for BackendError {
    /// For a store that stands in for a service, and for identities, which both have.
    fn from(error: StoreError) -> Self {
        let kind = match error.kind {
            StoreErrorKind::Throttled => BackendErrorKind::Throttled,
            StoreErrorKind::Transient | StoreErrorKind::NoSuchUpload => BackendErrorKind::Transient,
            StoreErrorKind::Denied => BackendErrorKind::Denied,
            StoreErrorKind::Credentials => BackendErrorKind::Credentials,
            StoreErrorKind::NotFound | StoreErrorKind::NoSuchBucket => BackendErrorKind::Missing,
            _ => BackendErrorKind::Permanent,
        };
        Self::new(kind, error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_does_not_pass_and_what_passes_is_not_refused() {
        use BackendErrorKind as K;
        for (kind, passes, class) in [
            (K::Transient, true, FailureClass::Transient),
            (K::Throttled, true, FailureClass::Throttled),
            (K::Denied, false, FailureClass::Denied),
            (K::Credentials, false, FailureClass::Denied),
            (K::Missing, false, FailureClass::Permanent),
            (K::Permanent, false, FailureClass::Permanent),
        ] {
            let error = BackendError::new(kind, "x");
            assert_eq!((error.transient, error.kind.class()), (passes, class), "{kind:?}");
            assert_eq!(error.is_refusal(), class == FailureClass::Denied, "{kind:?}");
        }
    }
}
