//! A folder on disk as one side of a stage: what readers see in it, and what a killed process leaves in it.
//!
//! A process that is killed removes nothing. A future that is dropped does: it cleans up behind itself. So at the moment
//! of death every file is given a second name in a new folder, which from then on is the one that counts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use longbow_core::port::MultipartStore;
use longbow_local::{Directory, DirectoryOptions};
use tempfile::TempDir;

/// How the names of longbow's own temporary files begin.
const OWN: &str = ".longbow-";

/// A folder and the folders that it was before each death.
pub(super) struct Folder {
    lives: Mutex<Vec<TempDir>>,
}

fn new_folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

impl Folder {
    pub(super) fn new() -> Self {
        Self { lives: Mutex::new(vec![new_folder()]) }
    }

    pub(super) fn path(&self) -> PathBuf {
        let lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
        lives.last().expect("there is always one").path().to_path_buf()
    }

    /// The folder as a process that begins now opens it: nothing is remembered of earlier processes.
    pub(super) fn open(&self) -> Arc<dyn MultipartStore> {
        Arc::new(self.directory())
    }

    pub(super) fn directory(&self) -> Directory {
        Directory::open(self.path(), DirectoryOptions::default()).expect("the folder can be opened")
    }

    /// The process that used the folder dies: what is there now stays, whatever its remains do to it.
    pub(super) fn die(&self) {
        let next = new_folder();
        link_all(&self.path(), next.path());
        self.lives.lock().unwrap_or_else(PoisonError::into_inner).push(next);
    }

    pub(super) fn write(&self, key: &str, bytes: &[u8]) {
        let path = self.path().join(key);
        std::fs::create_dir_all(path.parent().expect("below the folder")).expect("a folder");
        std::fs::write(path, bytes).expect("a file");
    }

    /// The files by key, without longbow's own.
    pub(super) fn contents(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.files().into_iter().filter(|key| !is_own(key));
        files.map(|key| (key.clone(), std::fs::read(self.path().join(&key)).expect("a file"))).collect()
    }

    /// Longbow's own temporary files.
    pub(super) fn remains(&self) -> Vec<String> {
        self.files().into_iter().filter(|key| is_own(key)).collect()
    }

    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.path(), "", &mut found);
        found.sort();
        found
    }
}

fn is_own(key: &str) -> bool {
    key.rsplit('/').next().is_some_and(|name| name.starts_with(OWN))
}

fn walk(folder: &Path, above: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let entry = entry.expect("an entry");
        let key = format!("{above}{}", entry.file_name().to_str().expect("a name of text"));
        if entry.path().is_dir() {
            walk(&entry.path(), &format!("{key}/"), found);
        } else {
            found.push(key);
        }
    }
}

fn link_all(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a readable folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir(&target).expect("a folder");
            link_all(&entry.path(), &target);
        } else {
            std::fs::hard_link(entry.path(), &target).expect("a second name");
        }
    }
}
