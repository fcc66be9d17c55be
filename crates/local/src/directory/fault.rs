//! What the operating system says, as what a caller can do about it: the only place here that reads error codes.

use std::fmt::Display;
use std::io::{Error, ErrorKind};

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;

// Numbers that std does not name (yet). Those that differ between systems are given for each.
const EPERM: i32 = 1;
const EIO: i32 = 5;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
#[cfg(any(target_os = "linux", target_os = "android"))]
const ELOOP: i32 = 40;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const ELOOP: i32 = 62;
#[cfg(any(target_os = "linux", target_os = "android"))]
const EILSEQ: i32 = 84;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const EILSEQ: i32 = 92;
#[cfg(any(target_os = "linux", target_os = "android"))]
const EOPNOTSUPP: i32 = 95;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const EOPNOTSUPP: i32 = 45;

/// A failed call: "cannot `what` `name`: the system's words".
pub(super) fn failed(what: &str, name: &dyn Display, error: &Error) -> StoreError {
    let (kind, remedy) = classify(error);
    StoreError::new(kind, format!("cannot {what} {name}: {error}{remedy}"))
}

/// A failed call on the file of a key.
pub(super) fn failed_key(what: &str, key: &ObjectKey, error: &Error) -> StoreError {
    failed(what, key, error)
}

/// Whether the file system cannot make hard links.
pub(super) fn no_hard_links(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::TooManyLinks | ErrorKind::InvalidInput)
        || matches!(error.raw_os_error(), Some(EPERM) | Some(EOPNOTSUPP))
}

fn classify(error: &Error) -> (StoreErrorKind, &'static str) {
    match error.kind() {
        ErrorKind::NotFound => (StoreErrorKind::NotFound, ""),
        ErrorKind::PermissionDenied => {
            (StoreErrorKind::Denied, "; run longbow as a user who may, or change the permissions")
        }
        ErrorKind::StorageFull => (StoreErrorKind::Full, "; make room and run again"),
        ErrorKind::QuotaExceeded => (StoreErrorKind::Full, "; ask for a larger quota or make room"),
        ErrorKind::ReadOnlyFilesystem => (StoreErrorKind::Full, "; mount the file system for writing"),
        ErrorKind::InvalidFilename | ErrorKind::InvalidInput => {
            (StoreErrorKind::InvalidKey, "; the file system takes no such name")
        }
        ErrorKind::FileTooLarge => (StoreErrorKind::Permanent, "; the file system holds no file so large"),
        ErrorKind::NotADirectory | ErrorKind::IsADirectory => (StoreErrorKind::InvalidKey, ""),
        _ => match error.raw_os_error() {
            Some(EMFILE | ENFILE) => {
                (StoreErrorKind::Transient, "; raise the limit of open files (ulimit -n)")
            }
            Some(EIO) => (StoreErrorKind::Transient, "; the disk or its connection may be failing"),
            Some(ELOOP) => (StoreErrorKind::NotFound, "; symbolic links are not followed"),
            Some(EILSEQ) => (StoreErrorKind::InvalidKey, "; the file system takes no such name"),
            _ => (StoreErrorKind::Transient, ""),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_classified() {
        for (code, kind) in [
            (2, StoreErrorKind::NotFound),
            (1, StoreErrorKind::Denied),
            (13, StoreErrorKind::Denied),
            (28, StoreErrorKind::Full),
            (30, StoreErrorKind::Full),
            (EMFILE, StoreErrorKind::Transient),
            (EIO, StoreErrorKind::Transient),
            (27, StoreErrorKind::Permanent),
        ] {
            assert_eq!(classify(&Error::from_raw_os_error(code)).0, kind, "{code}");
        }
        assert_eq!(classify(&ErrorKind::QuotaExceeded.into()).0, StoreErrorKind::Full);
        assert_eq!(classify(&ErrorKind::InvalidFilename.into()).0, StoreErrorKind::InvalidKey);
    }

    #[test]
    fn messages_show_control_characters_harmlessly() {
        let error = failed_key("open", &ObjectKey::from("a\u{1b}b"), &ErrorKind::NotFound.into());
        assert!(error.message.starts_with("cannot open a\\u{1b}b: "), "{}", error.message);
    }
}
