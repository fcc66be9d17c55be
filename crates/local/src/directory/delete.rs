//! Removing files: objects that are no more, and what crashed writes left.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::SystemTime;

use longbow_core::failure::StoreError;
use longbow_core::object::{ETag, KeyOrder, ObjectKey, Timestamp};
use longbow_core::port::WriteCondition;

use super::commit;
use super::fault;
use super::names::{self, KeyPath};
use super::tree::{Blocked, Occupant, Tree, occupant};
use super::walk::{Found, Walk, Wanted};

/// Removes a file, if `if_match` (when given) is still its tag, and the folders that are empty without it. A file
/// that is gone already is no error; what is no file is not touched. Blocks.
pub(super) fn delete(tree: &Tree, path: &KeyPath, if_match: Option<&ETag>) -> Result<(), StoreError> {
    let key = path.key();
    let dir = match tree.folder_of(path) {
        Ok(dir) => dir,
        Err(failed @ Blocked::Failed { .. }) => return Err(failed.on_read(key)),
        Err(Blocked::Missing | Blocked::InTheWay { .. }) => return Ok(()),
    };
    let _lock = tree.lock(key);
    match occupant(&dir, path.file()).map_err(|e| fault::failed_key("look at", key, &e))? {
        Occupant::File(_) => {}
        _ => return Ok(()),
    }
    if let Some(etag) = if_match {
        commit::check(&dir, path, &WriteCondition::Matches(etag.clone()))?;
    }
    match dir.remove_file(path.file()) {
        Ok(()) => tree.prune(path, usize::MAX),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(fault::failed_key("remove", key, &error)),
    }
    Ok(())
}

/// Removes the temporary files of whole writes, and of uploads that nobody can list since their names do not tell
/// the key, that were last written before `before`. Gives how many. Blocks.
pub(super) fn sweep(tree: &Arc<Tree>, before: SystemTime) -> Result<u64, StoreError> {
    let since = |d: std::time::Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
    let before = Timestamp(match before.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(after) => since(after),
        Err(earlier) => -since(earlier.duration()),
    });
    let (mut walk, _) = Walk::start(tree, KeyOrder::Folders, Wanted::Own, "", b"")?;
    let mut removed = 0;
    while let Some(found) = walk.next()? {
        let Found::File { key: path, identity } = found else { continue };
        let (folder, name) = path.split_at(path.rfind('/').map_or(0, |at| at + 1));
        let useless = names::is_whole(name.as_bytes()) || names::upload_target(name).is_none();
        if !useless || identity.modified() >= before {
            continue;
        }
        let Ok(dir) = tree.folder(folder.split_terminator('/')) else { continue };
        match dir.remove_file(name) {
            Ok(()) => removed += 1,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(fault::failed("remove", &ObjectKey::from(path), &error)),
        }
    }
    Ok(removed)
}
