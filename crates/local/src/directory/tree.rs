//! The folder on disk: going down to a key's own folder without following a link, and what stands there.
//!
//! Every step opens one name relative to the folder opened before, never a path, so that no link and no `..`
//! can lead out of the root or make one file appear under two keys. Nothing is read or written here.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{self, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectKey, Timestamp};

use super::fault;
use super::names::KeyPath;

const LOCKS: usize = 64;

/// The root folder, shared by all calls.
pub(super) struct Tree {
    root: Arc<Dir>,
    path: PathBuf,
    locks: [Mutex<()>; LOCKS],
    pruning: RwLock<()>,
}

/// What tells one state of a file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) size: u64,
    modified: i128,
    inode: u64,
}

impl Identity {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let modified = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
        Self { size: metadata.len(), modified, inode: metadata.ino() }
    }

    /// Of an open file, which must be a regular one.
    pub(super) fn of_file(file: &std::fs::File) -> io::Result<Option<Self>> {
        let metadata = Metadata::from_file(file)?;
        Ok(metadata.is_file().then(|| Self::of(&metadata)))
    }

    pub(super) fn etag(&self) -> ETag {
        ETag::of_file(self.size, self.modified, self.inode)
    }

    pub(super) fn modified(&self) -> Timestamp {
        let milliseconds = self.modified.div_euclid(1_000_000);
        Timestamp(i64::try_from(milliseconds).unwrap_or(if milliseconds < 0 { i64::MIN } else { i64::MAX }))
    }
}

/// What stands under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occupant {
    Nothing,
    File(Identity),
    Folder,
    Link,
    Other,
}

impl Occupant {
    pub(super) fn of(metadata: &Metadata) -> Self {
        if metadata.is_file() {
            Self::File(Identity::of(metadata))
        } else if metadata.is_dir() {
            Self::Folder
        } else if metadata.is_symlink() {
            Self::Link
        } else {
            Self::Other
        }
    }

    /// What to call it.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::File(_) => "a file",
            Self::Folder => "a folder",
            Self::Link => "a symbolic link, which is not followed",
            Self::Other => "a socket, pipe or device",
        }
    }
}

/// Why a key's folder was not reached.
#[derive(Debug)]
pub(super) enum Blocked {
    /// A folder on the way does not exist.
    Missing,
    /// Something on the way is no folder.
    InTheWay { path: String, what: Occupant },
    /// The system refused.
    Failed { path: String, error: io::Error },
}

impl Blocked {
    /// As the answer to a read of `key`: what lies under something that is no folder does not exist.
    pub(super) fn on_read(self, key: &ObjectKey) -> StoreError {
        match self {
            Self::Missing => missing(key),
            Self::InTheWay { path, what } => StoreError::new(
                StoreErrorKind::NotFound,
                format!("there is no file {key}: {} is {}", ObjectKey::from(path), what.describe()),
            ),
            Self::Failed { path, error } => fault::failed("open folder", &ObjectKey::from(path), &error),
        }
    }

    /// As the answer to a write of `key`.
    pub(super) fn on_write(self, key: &ObjectKey) -> StoreError {
        match self {
            Self::Missing => StoreError::new(
                StoreErrorKind::Transient,
                format!("the folder for {key} was removed while the file was written"),
            ),
            Self::InTheWay { path, what } => StoreError::new(
                StoreErrorKind::InvalidKey,
                format!(
                    "the key {key} needs a folder where {} is in the way: {}",
                    what.describe(),
                    ObjectKey::from(path)
                ),
            ),
            Self::Failed { path, error } => {
                fault::failed("open or make folder", &ObjectKey::from(path), &error)
            }
        }
    }
}

fn no_folder(shown: &ObjectKey) -> StoreError {
    StoreError::new(StoreErrorKind::NoSuchBucket, format!("{shown} is or lies below a file; give a folder"))
}

/// No such file.
pub(super) fn missing(key: &ObjectKey) -> StoreError {
    StoreError::new(StoreErrorKind::NotFound, format!("there is no file {key}"))
}

impl Tree {
    /// Opens the root, through links as the user wrote it.
    pub(super) fn open(path: PathBuf, create: bool) -> Result<Self, StoreError> {
        let shown = ObjectKey::from(path.display().to_string());
        if create {
            Dir::create_ambient_dir_all(&path, ambient_authority()).map_err(|error| match error.kind() {
                ErrorKind::AlreadyExists | ErrorKind::NotADirectory => no_folder(&shown),
                _ => fault::failed("make folder", &shown, &error),
            })?;
        }
        let root = Dir::open_ambient_dir(&path, ambient_authority()).map_err(|error| match error.kind() {
            ErrorKind::NotFound => StoreError::new(
                StoreErrorKind::NoSuchBucket,
                format!("the folder {shown} does not exist; create it or correct the path"),
            ),
            ErrorKind::NotADirectory => no_folder(&shown),
            _ => fault::failed("open folder", &shown, &error),
        })?;
        Ok(Self {
            root: Arc::new(root),
            path,
            locks: std::array::from_fn(|_| Mutex::new(())),
            pruning: RwLock::new(()),
        })
    }

    /// How the user calls the root.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// Whether the root still has its name: a removed one lists as empty, which would be a lie.
    pub(super) fn check_root(&self) -> Result<(), StoreError> {
        let shown = ObjectKey::from(self.name());
        let metadata = self.root.dir_metadata().map_err(|e| fault::failed("read folder", &shown, &e))?;
        if metadata.nlink() == 0 {
            return Err(StoreError::new(
                StoreErrorKind::NoSuchBucket,
                format!("the folder {shown} was removed; nothing is known of its files"),
            ));
        }
        Ok(())
    }

    /// Opens the folder that holds `path`'s file.
    pub(super) fn folder_of(&self, path: &KeyPath) -> Result<Arc<Dir>, Blocked> {
        self.folder(path.folders())
    }

    /// Opens a folder by its segments from the root.
    pub(super) fn folder<'a>(&self, segments: impl Iterator<Item = &'a str>) -> Result<Arc<Dir>, Blocked> {
        self.descend(segments, false).map(|(dir, _)| dir)
    }

    /// Opens the folder that holds `path`'s file, made where it is missing. Says how many levels were made.
    pub(super) fn make_folder_of(&self, path: &KeyPath) -> Result<(Arc<Dir>, usize), Blocked> {
        self.descend(path.folders(), true)
    }

    fn descend<'a>(
        &self,
        segments: impl Iterator<Item = &'a str>,
        make: bool,
    ) -> Result<(Arc<Dir>, usize), Blocked> {
        let mut dir = Arc::clone(&self.root);
        let mut walked = String::new();
        let mut made = 0;
        for segment in segments {
            walked.push_str(segment);
            let next = match dir.open_dir_nofollow(segment) {
                Err(error) if make && error.kind() == ErrorKind::NotFound => {
                    match dir.create_dir(segment) {
                        Ok(()) => made += 1,
                        // Somebody else was faster: as good.
                        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                        // The folder that we hold was removed (pruned) meanwhile.
                        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Blocked::Missing),
                        Err(error) => return Err(Blocked::Failed { path: walked, error }),
                    }
                    dir.open_dir_nofollow(segment)
                }
                other => other,
            };
            dir = match next {
                Ok(next) => Arc::new(next),
                Err(error) if error.kind() == ErrorKind::NotFound => return Err(Blocked::Missing),
                Err(error) => return Err(blocked(&dir, segment, walked, error)),
            };
            walked.push('/');
        }
        Ok((dir, made))
    }

    /// Removes up to `levels` folders on the way to `path`'s file, the deepest first, as far as they are empty.
    pub(super) fn prune(&self, path: &KeyPath, levels: usize) {
        let _alone = self.pruning.write().unwrap_or_else(PoisonError::into_inner);
        let segments: Vec<&str> = path.folders().collect();
        for depth in (0..segments.len()).rev().take(levels) {
            let Ok(parent) = self.folder(segments[..depth].iter().copied()) else { return };
            if parent.remove_dir(segments[depth]).is_err() {
                return;
            }
        }
    }

    /// While this is held, this program removes no empty folders: one can be made and a file put into it.
    pub(super) fn no_pruning(&self) -> RwLockReadGuard<'_, ()> {
        self.pruning.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps other writers of this key (and of a few other keys) out between a look and the rename after it.
    pub(super) fn lock(&self, key: &ObjectKey) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        let at = usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0);
        self.locks[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why `segment` did not open as a folder.
fn blocked(dir: &Dir, segment: &str, path: String, error: io::Error) -> Blocked {
    match occupant(dir, segment) {
        Ok(Occupant::Nothing) => Blocked::Missing,
        Ok(Occupant::Folder) | Err(_) => Blocked::Failed { path, error },
        Ok(what) => Blocked::InTheWay { path, what },
    }
}

/// What stands under `name` in `dir`.
pub(super) fn occupant(dir: &Dir, name: &str) -> io::Result<Occupant> {
    match dir.symlink_metadata(name) {
        Ok(metadata) => Ok(Occupant::of(&metadata)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Occupant::Nothing),
        Err(error) => Err(error),
    }
}

/// How to open a file that exists: never through a link, and never waiting for the other end of a pipe.
pub(super) fn existing(write: bool) -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(write).follow(FollowSymlinks::No).nonblock(true);
    options
}

/// How to open a file that must not exist yet.
pub(super) fn fresh() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).follow(FollowSymlinks::No);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(key: &str) -> KeyPath {
        KeyPath::parse(&ObjectKey::from(key)).unwrap()
    }

    #[test]
    fn times_before_1970_and_between_milliseconds_round_down() {
        let identity = |modified| Identity { size: 0, modified, inode: 0 };
        assert_eq!(identity(1_999_999).modified(), Timestamp(1));
        assert_eq!(identity(-1).modified(), Timestamp(-1));
    }

    #[test]
    fn links_are_not_followed_inside_the_root_either() {
        let temp = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(temp.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", temp.path().join("link")).unwrap();
        std::fs::write(temp.path().join("file"), "").unwrap();
        let tree = Tree::open(temp.path().into(), false).unwrap();
        assert!(tree.folder_of(&path("real/x")).is_ok());
        let blocked = |key| match tree.make_folder_of(&path(key)).unwrap_err() {
            Blocked::InTheWay { path, what } => (path, what.describe()),
            other => panic!("{other:?}"),
        };
        assert_eq!(blocked("link/x"), ("link".into(), "a symbolic link, which is not followed"));
        assert_eq!(blocked("file/x/y"), ("file".into(), "a file"));
        assert!(matches!(tree.folder_of(&path("gone/x")), Err(Blocked::Missing)));
    }

    #[test]
    fn folders_are_made_and_pruned_only_while_empty() {
        let temp = tempfile::tempdir().unwrap();
        let tree = Tree::open(temp.path().into(), false).unwrap();
        assert_eq!(tree.make_folder_of(&path("a/b/c/f")).unwrap().1, 3);
        assert_eq!(tree.make_folder_of(&path("a/b/d/f")).unwrap().1, 1);
        tree.prune(&path("a/b/c/f"), usize::MAX);
        assert!(!temp.path().join("a/b/c").exists() && temp.path().join("a/b/d").exists());
        tree.prune(&path("a/b/d/f"), 1);
        assert!(temp.path().join("a/b").exists() && !temp.path().join("a/b/d").exists());
        tree.prune(&path("a/b/f"), usize::MAX);
        assert!(!temp.path().join("a").exists() && temp.path().exists());
    }

    #[test]
    fn a_root_that_is_missing_or_removed_is_said_so() {
        let temp = tempfile::tempdir().unwrap();
        let at = temp.path().join("x/y");
        let kind = |r: Result<Tree, StoreError>| r.map(|_| ()).unwrap_err().kind;
        assert_eq!(kind(Tree::open(at.clone(), false)), StoreErrorKind::NoSuchBucket);
        std::fs::write(temp.path().join("f"), "").unwrap();
        for (file, create) in [("f", false), ("f", true), ("f/x", false), ("f/x", true)] {
            assert_eq!(
                kind(Tree::open(temp.path().join(file), create)),
                StoreErrorKind::NoSuchBucket,
                "{file}"
            );
        }
        let tree = Tree::open(at.clone(), true).unwrap();
        tree.check_root().unwrap();
        std::fs::remove_dir(&at).unwrap();
        assert_eq!(tree.check_root().unwrap_err().kind, StoreErrorKind::NoSuchBucket);
    }
}
