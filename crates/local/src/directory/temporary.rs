//! A file under a temporary name beside its target: gone again unless it was given its own name.

use std::fs::File;
use std::io::ErrorKind;
use std::sync::Arc;

use cap_std::fs::Dir;
use longbow_core::failure::{StoreError, StoreErrorKind};

use super::fault;
use super::names::KeyPath;
use super::tree::{Blocked, Tree, fresh};

/// How often a folder that another program removed is made again.
const TRIES: usize = 16;

/// An open temporary file. Dropping it removes it, and the folders that were made for it.
pub(super) struct Temporary {
    pub(super) file: File,
    pub(super) dir: Arc<Dir>,
    pub(super) name: String,
    tree: Arc<Tree>,
    path: KeyPath,
    made: usize,
    settled: bool,
}

impl Temporary {
    /// Creates one in the folder of `path`, which is made where it is missing. `name` makes a new name for the
    /// attempt of this number. Blocks.
    pub(super) fn create(
        tree: &Arc<Tree>,
        path: &KeyPath,
        name: impl Fn(usize) -> String,
    ) -> Result<Self, StoreError> {
        let key = path.key();
        let mut made = 0;
        for attempt in 0..TRIES {
            let no_pruning = tree.no_pruning();
            let dir = match tree.make_folder_of(path) {
                Ok((dir, levels)) => {
                    made = made.max(levels);
                    dir
                }
                Err(Blocked::Missing) => continue,
                Err(blocked) => return Err(blocked.on_write(key)),
            };
            let name = name(attempt);
            match dir.open_with(&name, &fresh()) {
                Ok(file) => {
                    let (tree, path, file) = (Arc::clone(tree), path.clone(), file.into_std());
                    return Ok(Self { file, dir, name, tree, path, made, settled: false });
                }
                // The folder was removed between the two calls, or the name is taken: once more.
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists) => {}
                // Too long for this file system, perhaps: the second name may be shorter.
                Err(e) if e.kind() == ErrorKind::InvalidFilename && attempt == 0 => {}
                Err(error) => {
                    drop(no_pruning);
                    tree.prune(path, made);
                    return Err(fault::failed_key("create a file for", key, &error));
                }
            }
        }
        Err(StoreError::new(
            StoreErrorKind::Transient,
            format!("cannot create a file for {key}: its folder is removed again and again by somebody else"),
        ))
    }

    /// Where it will go.
    pub(super) fn path(&self) -> &KeyPath {
        &self.path
    }

    /// The folder on disk that it is in.
    pub(super) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    /// It has got its own name, or is to stay: nothing is left to remove.
    pub(super) fn settle(mut self) {
        self.settled = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.settled {
            return;
        }
        if let Err(error) = self.dir.remove_file(&self.name)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(file = %self.name, folder = %self.path.folder(), %error, "cannot remove a temporary file");
        }
        if self.made > 0 {
            self.tree.prune(&self.path, self.made);
        }
    }
}

/// The modification time that a file is to have; `None` when the system cannot express it.
pub(super) fn set_modified(file: &File, modified: longbow_core::object::Timestamp) -> std::io::Result<()> {
    use std::time::{Duration, SystemTime};
    let distance = Duration::from_millis(modified.0.unsigned_abs());
    let time = if modified.0 < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    match time {
        Some(time) => file.set_times(std::fs::FileTimes::new().set_modified(time)),
        None => Ok(()),
    }
}
