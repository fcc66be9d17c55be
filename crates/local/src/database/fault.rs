//! What SQLite and the file system say when something is wrong, in words that name the remedy.
//!
//! The only place that reads their error codes.

use std::io;
use std::path::{Path, PathBuf};

use longbow_core::failure::BackendError;
use rusqlite::ErrorCode;

/// Why the state of a route cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "another longbow{} works on this route: wait until it has ended or stop it (it holds {})",
        process.map(|id| format!(" (process {id})")).unwrap_or_default(),
        lock.display()
    )]
    Locked {
        /// The lock file.
        lock: PathBuf,
        /// Who holds it, if that could be read.
        process: Option<u32>,
    },
    /// Written by a later release.
    #[error(
        "the state file {} is of format {found}, and this release knows formats up to {known}: use the newer longbow that wrote it, or another place with --state-dir",
        file.display()
    )]
    Newer {
        /// The state file.
        file: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that can be read.
        known: i64,
    },
    /// The file remembers another route.
    #[error(
        "the state file {} belongs to the route {theirs}, not to {ours}: choose another place with --state-dir",
        file.display()
    )]
    OtherRoute {
        /// The state file.
        file: PathBuf,
        /// The route it belongs to.
        theirs: String,
        /// The route asked for.
        ours: String,
    },
    /// A database of some other program.
    #[error(
        "{} was not written by longbow: move it away or choose another place with --state-dir",
        file.display()
    )]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// No room.
    #[error(
        "there is no room for the state file {}: free space there or choose another place with --state-dir",
        file.display()
    )]
    Full {
        /// The state file.
        file: PathBuf,
    },
    /// A read-only disk or file.
    #[error(
        "the state file {} is on a read-only disk or is itself read-only: make it writable or choose another place with --state-dir",
        file.display()
    )]
    ReadOnly {
        /// The state file.
        file: PathBuf,
    },
    /// The rights are missing.
    #[error(
        "the state file {} cannot be created or written ({cause}): correct the rights of its folder or choose another place with --state-dir",
        file.display()
    )]
    NotWritable {
        /// The state file.
        file: PathBuf,
        /// What the system said.
        cause: String,
    },
    /// The file is no longer a database.
    #[error(
        "the state file {} is damaged ({cause}): move it away; the next run then compares everything anew",
        file.display()
    )]
    Damaged {
        /// The state file.
        file: PathBuf,
        /// What SQLite said.
        cause: String,
    },
    /// Another program keeps writing to it.
    #[error(
        "another program keeps the state file {} locked: end it (an open sqlite3?) and run the same command again",
        file.display()
    )]
    Busy {
        /// The state file.
        file: PathBuf,
    },
    /// Anything else.
    #[error(
        "the state file {} cannot be used ({cause}): choose a local disk that works with --state-dir",
        file.display()
    )]
    Io {
        /// The state file.
        file: PathBuf,
        /// What the system said.
        cause: String,
    },
}

impl OpenError {
    /// Sorts a fault of SQLite.
    pub(crate) fn of_sqlite(file: &Path, error: &rusqlite::Error) -> Self {
        let file = file.to_path_buf();
        let cause = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { file },
            Some(ErrorCode::ReadOnly) => Self::ReadOnly { file },
            Some(
                ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::AuthorizationForStatementDenied,
            ) => Self::NotWritable { file, cause },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { file, cause },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { file },
            // A table or column that should be there and is not, or a value that cannot be read.
            Some(ErrorCode::Unknown) | None => Self::Damaged { file, cause },
            Some(_) => Self::Io { file, cause },
        }
    }

    /// Sorts a fault of the file system.
    pub(crate) fn of_io(file: &Path, error: &io::Error) -> Self {
        let file = file.to_path_buf();
        let cause = error.to_string();
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { file },
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly { file },
            io::ErrorKind::PermissionDenied
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::AlreadyExists
            | io::ErrorKind::NotFound => Self::NotWritable { file, cause },
            _ => Self::Io { file, cause },
        }
    }
}

/// A fault while running. The words are those of [`OpenError`]; only a lock that another program holds may pass.
pub(crate) fn backend_error(file: &Path, error: &rusqlite::Error) -> BackendError {
    let error = OpenError::of_sqlite(file, error);
    match error {
        OpenError::Busy { .. } => BackendError::transient(error.to_string()),
        _ => BackendError::fatal(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn every_fault_names_the_file_and_the_remedy() {
        let rows = [
            (ffi::SQLITE_FULL, "no room", "--state-dir"),
            (ffi::SQLITE_READONLY, "read-only", "--state-dir"),
            (ffi::SQLITE_CANTOPEN, "rights", "--state-dir"),
            (ffi::SQLITE_CORRUPT, "damaged", "move it away"),
            (ffi::SQLITE_NOTADB, "damaged", "move it away"),
            (ffi::SQLITE_BUSY, "locked", "run the same command again"),
            (ffi::SQLITE_IOERR, "cannot be used", "--state-dir"),
        ];
        for (code, what, remedy) in rows {
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let said = backend_error(Path::new("/s/r.sqlite"), &error);
            assert!(said.message.contains("/s/r.sqlite"), "{}", said.message);
            assert!(said.message.contains(what) && said.message.contains(remedy), "{}", said.message);
            assert_eq!(said.transient, code == ffi::SQLITE_BUSY);
        }
        let full = OpenError::of_io(Path::new("f"), &io::ErrorKind::StorageFull.into());
        assert!(matches!(full, OpenError::Full { .. }));
        let fixed = OpenError::of_io(Path::new("f"), &io::ErrorKind::ReadOnlyFilesystem.into());
        assert!(matches!(fixed, OpenError::ReadOnly { .. }));
    }
}
