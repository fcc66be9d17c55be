//! Walking a folder in the order of its keys, one file at a time, with at most one sorted folder a level in memory.
//!
//! It knows nothing of pages. A folder that cannot be read ends the walk with an error: what a listing leaves
//! out would be taken for deleted.

use std::cmp::Ordering;
use std::io::ErrorKind;
use std::sync::Arc;

use cap_fs_ext::DirExt;
use cap_std::fs::Dir;
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{KeyOrder, ObjectKey};

use super::entries::{Entries, Kind, compare_keys};
use super::fault;
use super::names;
use super::tree::{Blocked, Identity, Occupant, Tree, occupant};

/// Levels whose folders stay open. Above them a folder is opened anew when the walk comes back to it.
const OPEN_LEVELS: usize = 32;

/// What to look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Files that are objects; what is passed over is told.
    Objects,
    /// Files of longbow's own: unfinished uploads and what crashed writes left.
    Own,
}

/// One thing found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    File { key: String, identity: Identity },
    /// Something that is no object, with the reason, fit to print.
    Skipped(String),
}

/// A walk, stopped between two files.
pub(super) struct Walk {
    tree: Arc<Tree>,
    order: KeyOrder,
    wanted: Wanted,
    levels: Vec<Level>,
    /// Path of what was found last; may not be UTF-8.
    last: Vec<u8>,
}

struct Level {
    /// Empty for the root, else ending in `/`.
    path: String,
    dir: Option<Arc<Dir>>,
    entries: Entries,
}

impl Walk {
    /// Starts before everything under `prefix`, or after the path `after`. The second value tells what already
    /// the prefix leads to and is passed over.
    pub(super) fn start(
        tree: &Arc<Tree>,
        order: KeyOrder,
        wanted: Wanted,
        prefix: &str,
        after: Option<&[u8]>,
    ) -> Result<(Self, Option<String>), StoreError> {
        let mut walk = Self {
            tree: Arc::clone(tree),
            order,
            wanted,
            levels: Vec::new(),
            last: after.map(<[u8]>::to_vec).unwrap_or_default(),
        };
        tree.check_root()?;
        let (path, names) = prefix.split_at(prefix.rfind('/').map_or(0, |at| at + 1));
        let segments = || path.split_terminator('/');
        // No file can have such a key.
        if segments().any(|s| names::segment_fault(s).is_some() || s.contains('\0')) {
            return Ok((walk, None));
        }
        match tree.folder(segments()) {
            Ok(dir) => walk.enter(dir, path.to_owned(), names.as_bytes(), after)?,
            Err(Blocked::Missing) => {}
            Err(Blocked::InTheWay { path, what: what @ (Occupant::Link | Occupant::Other) }) => {
                return Ok((walk, Some(format!("{}: {}", ObjectKey::from(path), what.describe()))));
            }
            Err(Blocked::InTheWay { .. }) => {}
            Err(Blocked::Failed { path, error }) => {
                return Err(fault::failed("list folder", &ObjectKey::from(path), &error));
            }
        }
        Ok((walk, None))
    }

    /// The next thing, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Found>, StoreError> {
        while let Some(level) = self.levels.last_mut() {
            let Some((name, kind)) = level.entries.peek() else {
                self.levels.pop();
                continue;
            };
            let name = name.to_vec();
            level.entries.advance();
            self.last = [level.path.as_bytes(), &name].concat();
            if let Some(found) = self.look(&name, kind)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Whether nothing can follow.
    pub(super) fn is_done(&self) -> bool {
        self.levels.iter().all(|level| level.entries.is_done())
    }

    /// The path of what was found last: where a later walk can go on.
    pub(super) fn last(&self) -> &[u8] {
        &self.last
    }

    fn look(&mut self, name: &[u8], kind: Kind) -> Result<Option<Found>, StoreError> {
        let Ok(name) = std::str::from_utf8(name) else {
            return Ok(self.skipped("its name is not UTF-8"));
        };
        if name.len() > names::MAX_NAME || self.last.len() > names::MAX_PATH {
            return Ok(self.skipped("its path is too long"));
        }
        let reason = match kind {
            Kind::File if self.wanted == Wanted::Objects && names::is_own(name.as_bytes()) => return Ok(None),
            Kind::File => return self.file(name),
            Kind::Folder if names::is_own(name.as_bytes()) => "its name is of the form of longbow's temporary files",
            Kind::Folder => return self.folder(name),
            Kind::Link => "symbolic link, not followed",
            Kind::Socket => "a socket",
            Kind::Pipe => "a named pipe",
            Kind::Device => "a device",
        };
        Ok(self.skipped(reason))
    }

    fn skipped(&self, reason: &str) -> Option<Found> {
        if self.wanted == Wanted::Own {
            return None;
        }
        let path = match std::str::from_utf8(&self.last) {
            Ok(path) => ObjectKey::from(path).to_string(),
            Err(_) => self.last.escape_ascii().to_string(),
        };
        Some(Found::Skipped(format!("{path}: {reason}")))
    }

    fn file(&mut self, name: &str) -> Result<Option<Found>, StoreError> {
        let Some((dir, path)) = self.here()? else { return Ok(None) };
        let key = format!("{path}{name}");
        match occupant(&dir, name) {
            Ok(Occupant::File(identity)) => Ok(Some(Found::File { key, identity })),
            Ok(Occupant::Nothing) => Ok(None),
            Ok(Occupant::Link | Occupant::Other) => Ok(self.skipped("no regular file any more")),
            Ok(Occupant::Folder) => Err(changed(&key)),
            Err(error) => Err(fault::failed("read the size of", &ObjectKey::from(key), &error)),
        }
    }

    fn folder(&mut self, name: &str) -> Result<Option<Found>, StoreError> {
        let Some((dir, path)) = self.here()? else { return Ok(None) };
        let path = format!("{path}{name}/");
        match dir.open_dir_nofollow(name) {
            Ok(child) => {
                let after = std::mem::take(&mut self.last);
                // A walk that goes on in the middle has `last` below this folder only while it enters it.
                let resume = self.resume_below(&path, &after).then_some(after.as_slice());
                self.enter(Arc::new(child), path, b"", resume)?;
                self.last = after;
                Ok(None)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => match occupant(&dir, name) {
                Ok(Occupant::Nothing) => Ok(None),
                Ok(Occupant::Link | Occupant::Other) => Ok(self.skipped("no folder any more")),
                Ok(Occupant::File(_)) => Err(changed(&path)),
                _ => Err(fault::failed("list folder", &ObjectKey::from(path), &error)),
            },
        }
    }

    fn resume_below(&self, _path: &str, _after: &[u8]) -> bool {
        false
    }

    fn here(&mut self) -> Result<Option<(Arc<Dir>, String)>, StoreError> {
        let Some(level) = self.levels.last_mut() else { return Ok(None) };
        if level.dir.is_none() {
            match self.tree.folder(level.path.split_terminator('/')) {
                Ok(dir) => level.dir = Some(dir),
                Err(Blocked::Missing) => return Ok(None),
                Err(Blocked::InTheWay { path, .. }) => return Err(changed(&path)),
                Err(Blocked::Failed { path, error }) => {
                    return Err(fault::failed("list folder", &ObjectKey::from(path), &error));
                }
            }
        }
        Ok(level.dir.clone().map(|dir| (dir, level.path.clone())))
    }
}

fn changed(path: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Transient,
        format!("{} was replaced while the folder was listed; run again", ObjectKey::from(path)),
    )
}
