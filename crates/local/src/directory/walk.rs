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
const OPEN_LEVELS: usize = 8;

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
    File {
        key: String,
        identity: Identity,
    },
    /// Something that is no object, with the reason, fit to print.
    Skipped(String),
}

/// A walk, stopped between two files.
pub(super) struct Walk {
    tree: Arc<Tree>,
    order: KeyOrder,
    wanted: Wanted,
    levels: Vec<Level>,
    /// Everything up to this path was found before.
    after: Vec<u8>,
    /// Path of what was found last; need not be UTF-8. A folder's ends in `/`.
    last: Vec<u8>,
}

struct Level {
    /// Empty for the root, else ending in `/`.
    path: String,
    dir: Option<Arc<Dir>>,
    entries: Entries,
}

impl Walk {
    /// Starts after the path `after`, or, when that is empty, before everything under `prefix`. The second value
    /// tells what the prefix itself leads to when that is passed over.
    pub(super) fn start(
        tree: &Arc<Tree>,
        order: KeyOrder,
        wanted: Wanted,
        prefix: &str,
        after: &[u8],
    ) -> Result<(Self, Option<String>), StoreError> {
        let mut walk = Self {
            tree: Arc::clone(tree),
            order,
            wanted,
            levels: Vec::new(),
            after: after.to_vec(),
            last: Vec::new(),
        };
        tree.check_root()?;
        let (path, names) = prefix.split_at(prefix.rfind('/').map_or(0, |at| at + 1));
        let segments = || path.split_terminator('/');
        // No file can have such a key.
        if segments().any(|s| names::segment_fault(s).is_some() || s.contains('\0')) {
            return Ok((walk, None));
        }
        match tree.folder(segments()) {
            Ok(dir) => walk.enter(dir, path.to_owned(), names.as_bytes())?,
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
            self.last.clear();
            self.last.extend_from_slice(level.path.as_bytes());
            self.last.extend_from_slice(&name);
            if kind == Kind::Folder {
                self.last.push(b'/');
            }
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
            Kind::File if self.wanted == Wanted::Objects && names::is_own(name.as_bytes()) => {
                return Ok(None);
            }
            Kind::File => return self.file(name),
            Kind::Folder if names::is_own(name.as_bytes()) => {
                "its name is of the form of longbow's temporary files"
            }
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
        let Some(dir) = self.here()? else { return Ok(None) };
        let key = self.last_key();
        match occupant(&dir, name) {
            Ok(Occupant::File(identity)) => Ok(Some(Found::File { key, identity })),
            Ok(Occupant::Nothing) => Ok(None),
            Ok(Occupant::Link | Occupant::Other) => Ok(self.skipped("no regular file any more")),
            Ok(Occupant::Folder) => Err(changed(&key)),
            Err(error) => Err(fault::failed("read the size of", &ObjectKey::from(key), &error)),
        }
    }

    fn folder(&mut self, name: &str) -> Result<Option<Found>, StoreError> {
        let Some(dir) = self.here()? else { return Ok(None) };
        let path = self.last_key();
        match dir.open_dir_nofollow(name) {
            Ok(child) => {
                self.enter(Arc::new(child), path, b"")?;
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

    fn last_key(&self) -> String {
        String::from_utf8_lossy(&self.last).into_owned()
    }

    /// Reads a folder's names: those that begin with `names` and come after where the walk goes on.
    fn enter(&mut self, dir: Arc<Dir>, path: String, names: &[u8]) -> Result<(), StoreError> {
        let (order, wanted) = (self.order, self.wanted);
        let rest = self.after.strip_prefix(path.as_bytes()).filter(|rest| !rest.is_empty());
        let mut full = Vec::new();
        let entries = Entries::read(&dir, order, |name, kind| {
            let own = kind == Kind::File && names::is_own(name);
            let sought = match wanted {
                Wanted::Objects => !own,
                Wanted::Own => own || kind == Kind::Folder,
            };
            // The name of an own file says nothing about the key that it will have.
            let named = name.starts_with(names) || (own && wanted == Wanted::Own);
            sought
                && named
                && rest.is_none_or(|rest| {
                    full.clear();
                    full.extend_from_slice(name);
                    if kind == Kind::Folder {
                        full.push(b'/');
                    }
                    let leads_there = kind == Kind::Folder && rest.starts_with(&full) && rest != full;
                    leads_there || compare_keys(order, &full, rest) == Ordering::Greater
                })
        })
        .map_err(|e| fault::failed("list folder", &folder_name(&self.tree, &path), &e))?;
        self.levels.push(Level { path, dir: Some(dir), entries });
        if let Some(above) = self.levels.len().checked_sub(OPEN_LEVELS + 1) {
            self.levels[above].dir = None;
        }
        Ok(())
    }

    /// The folder that the walk is in; `None` if it was removed meanwhile.
    fn here(&mut self) -> Result<Option<Arc<Dir>>, StoreError> {
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
        Ok(level.dir.clone())
    }
}

fn folder_name(tree: &Tree, path: &str) -> ObjectKey {
    if path.is_empty() { ObjectKey::from(tree.name()) } else { ObjectKey::from(path) }
}

fn changed(path: &str) -> StoreError {
    StoreError::new(
        StoreErrorKind::Transient,
        format!("{} was replaced while the folder was listed; run again", ObjectKey::from(path)),
    )
}
