//! I11: no upload of our own is left at the end, and nobody else's is touched.
//!
//! An upload of which the state store could not be told is left to a lifecycle rule of the bucket (decision 0016): where a
//! write of the key's record failed, nothing is said of its uploads.

use std::collections::{BTreeMap, BTreeSet};

use super::story::Story;
use super::{Breaches, Checker};
use crate::journal::{Call, Detail, Entry, Key, Place, What};

#[derive(Default)]
pub(super) struct Orphans {
    ours: BTreeMap<u32, Key>,
    strangers: Vec<u32>,
    left: Vec<u32>,
    untold: BTreeSet<Key>,
}

impl Checker for Orphans {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        match entry.what {
            What::UploadBegun(key, upload) => {
                self.ours.insert(upload, key);
            }
            What::StrangersUpload(upload) => self.strangers.push(upload),
            What::Called(Place::State, Call::Swap | Call::AddPart, key, _, Err("failed")) => {
                self.untold.insert(key);
            }
            What::Called(Place::Destination, Call::Abort, _, Detail::Upload(upload), Ok(()))
                if self.strangers.contains(&upload) =>
            {
                breaches.add("I11", format!("upload {upload} of somebody else is aborted"));
            }
            What::UploadLeft(upload) => {
                self.left.push(upload);
                if let Some(key) = self.ours.get(&upload)
                    && story.rules.traces
                    && !self.untold.contains(key)
                {
                    breaches.add("I11", format!("upload {upload} of {key} is left behind"));
                }
            }
            _ => {}
        }
    }
}
