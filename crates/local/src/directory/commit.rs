//! Giving a finished temporary file its own name, if the condition of the write holds.
//!
//! A rename is atomic: nobody sees less than the whole file. "Only if nothing is there" is decided by the file
//! system itself through a hard link, also against other programs. "Only if it is still that file" is a look just
//! before the rename, under a lock that all writes of this program take; no system offers more.

use std::fs::File;
use std::io::{self, ErrorKind};

use cap_fs_ext::OpenOptionsMaybeDirExt;
use cap_std::fs::{Dir, OpenOptions};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectKey};
use longbow_core::port::WriteCondition;

use super::fault;
use super::names::{self, KeyPath};
use super::tree::{Identity, Occupant, Tree, occupant};

/// A finished file that waits for its name.
pub(super) struct Finished<'a> {
    pub(super) tree: &'a Tree,
    pub(super) path: &'a KeyPath,
    pub(super) dir: &'a Dir,
    pub(super) temporary: &'a str,
    pub(super) file: &'a File,
}

impl Finished<'_> {
    /// Renames, and gives the new tag. On an error the temporary file is as before. Blocks.
    pub(super) fn commit(&self, condition: &WriteCondition, durable: bool) -> Result<ETag, StoreError> {
        let key = self.path.key();
        if durable {
            self.file.sync_all().map_err(|e| fault::failed_key("write to the disk", key, &e))?;
        }
        let identity = Identity::of_file(self.file)
            .map_err(|e| fault::failed_key("look at", key, &e))?
            .ok_or_else(|| StoreError::new(StoreErrorKind::Permanent, "a temporary file is no file"))?;
        let lock = self.tree.lock(key);
        match condition {
            WriteCondition::Absent => self.link()?,
            WriteCondition::Always | WriteCondition::Matches(_) => {
                self.check(condition)?;
                self.rename()?;
            }
        }
        drop(lock);
        if durable {
            sync_folder(self.dir).map_err(|e| fault::failed_key("write to the disk", key, &e))?;
        }
        Ok(identity.etag())
    }

    /// Whether the condition holds now. Also tells what can never be replaced by a file.
    pub(super) fn check(&self, condition: &WriteCondition) -> Result<(), StoreError> {
        if matches!(occupant(self.dir, self.path.file()), Ok(Occupant::File(_))) {
            self.check_letters()?;
        }
        check(self.dir, self.path, condition)
    }

    fn rename(&self) -> Result<(), StoreError> {
        self.dir
            .rename(self.temporary, self.dir, self.path.file())
            .map_err(|e| fault::failed_key("give the written file the name", self.path.key(), &e))
    }

    fn link(&self) -> Result<(), StoreError> {
        match self.dir.hard_link(self.temporary, self.dir, self.path.file()) {
            Ok(()) => {
                // The file has its name; a second name that stays is swept one day and never listed.
                if let Err(error) = self.dir.remove_file(self.temporary) {
                    tracing::warn!(file = %self.temporary, %error, "cannot remove a temporary file");
                }
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                self.check(&WriteCondition::Absent)?;
                Err(exists(self.path.key()))
            }
            Err(error) if fault::no_hard_links(&error) => {
                self.check(&WriteCondition::Absent)?;
                self.rename()
            }
            Err(error) => Err(fault::failed_key("give the written file the name", self.path.key(), &error)),
        }
    }

    /// A file system that takes `a` and `A` for one name must not merge two keys. Whether it does so is told by
    /// our own temporary file.
    fn check_letters(&self) -> Result<(), StoreError> {
        let folds =
            occupant(self.dir, &names::in_other_case(self.temporary)).is_ok_and(|o| o != Occupant::Nothing);
        if folds
            && !is_listed(self.dir, self.path.file())
                .map_err(|e| fault::failed("list folder", &ObjectKey::from(self.path.folder()), &e))?
        {
            return Err(StoreError::new(
                StoreErrorKind::InvalidKey,
                format!(
                    "the key {} cannot be a file: this file system does not tell it from another file's name",
                    self.path.key()
                ),
            ));
        }
        Ok(())
    }
}

/// Whether `condition` holds for what stands under the key's name.
pub(super) fn check(dir: &Dir, path: &KeyPath, condition: &WriteCondition) -> Result<(), StoreError> {
    let key = path.key();
    let found = occupant(dir, path.file()).map_err(|e| fault::failed_key("look at", key, &e))?;
    match (condition, found) {
        (_, Occupant::Folder | Occupant::Link | Occupant::Other) => Err(StoreError::new(
            StoreErrorKind::InvalidKey,
            format!("the key {key} cannot be a file: {} has that name", found.describe()),
        )),
        (WriteCondition::Always, _) | (WriteCondition::Absent, Occupant::Nothing) => Ok(()),
        (WriteCondition::Absent, Occupant::File(_)) => Err(exists(key)),
        (WriteCondition::Matches(_), Occupant::Nothing) => Err(StoreError::new(
            StoreErrorKind::PreconditionFailed,
            format!("the file {key} that was to be replaced is gone"),
        )),
        (WriteCondition::Matches(etag), Occupant::File(now)) => match now.etag() == *etag {
            true => Ok(()),
            false => Err(StoreError::new(
                StoreErrorKind::PreconditionFailed,
                format!("the file {key} that was to be replaced has changed"),
            )),
        },
    }
}

fn exists(key: &ObjectKey) -> StoreError {
    StoreError::new(StoreErrorKind::PreconditionFailed, format!("the file {key} exists already"))
}

/// Whether the folder lists exactly this name.
fn is_listed(dir: &Dir, name: &str) -> io::Result<bool> {
    for entry in dir.entries()? {
        if entry?.file_name() == name {
            return Ok(true);
        }
    }
    Ok(false)
}

fn sync_folder(dir: &Dir) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).maybe_dir(true);
    dir.open_with(".", &options)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_name_counts_as_listed() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("Readme"), "").unwrap();
        let dir = Dir::open_ambient_dir(temp.path(), cap_std::ambient_authority()).unwrap();
        assert!(is_listed(&dir, "Readme").unwrap());
        assert!(!is_listed(&dir, "README").unwrap());
        sync_folder(&dir).unwrap();
    }
}
