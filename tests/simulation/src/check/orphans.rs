//! I11: no upload of our own is left at the end, and nobody else's is touched.
//!
//! An upload of which nobody could be told is left to a lifecycle rule of the bucket (decision 0016). Nothing is said here of
//! - uploads of a key of which a write of the record failed;
//! - an upload that the store began after its caller had given up waiting;
//! - an upload whose maker died, or heard no answer, before it could name it, of a key that two attempts worked on at once;
//! - an upload whose abort failed, and uploads that were there when a look for them failed.

use std::collections::{BTreeMap, BTreeSet};

use super::story::Story;
use super::{Breaches, Checker};
use crate::fault::Fault;
use crate::journal::{Call, Detail, Entry, Key, Place, Stands, What, Who};

#[derive(Default)]
pub(super) struct Orphans {
    ours: BTreeMap<u32, Key>,
    strangers: Vec<u32>,
    next_is_late: bool,
    /// Keys that two attempts worked on at once.
    contested: BTreeSet<Key>,
    /// Uploads that were begun, and whose name is in no record yet.
    unnamed: Vec<(Who, Key, u32)>,
    /// Those whose maker heard no answer.
    nameless: BTreeSet<u32>,
    /// Who wrote a key's record last.
    recorder: BTreeMap<Key, Who>,
    /// Uploads that were begun when somebody else had written the record since.
    overtaken: BTreeSet<u32>,
    /// The line before was about the beginning of an upload.
    begun_now: bool,
    untold: BTreeSet<Key>,
    excused: BTreeSet<u32>,
}

impl Orphans {
    fn is_nameless(&self, upload: u32) -> bool {
        self.nameless.contains(&upload) || self.unnamed.iter().any(|(.., one)| *one == upload)
    }
}

impl Checker for Orphans {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        if !matches!(entry.what, What::Fault(_) | What::Called(_, Call::CreateUpload, ..)) {
            self.begun_now = false;
        }
        match entry.what {
            What::UploadBegun(key, upload) => {
                self.ours.insert(upload, key);
                self.begun_now = true;
                // Somebody else has looked for it before it was there, and taken the record over.
                if self.recorder.get(&key) != Some(&entry.who) {
                    self.overtaken.insert(upload);
                }
                self.unnamed.push((entry.who, key, upload));
                if std::mem::take(&mut self.next_is_late) {
                    self.excused.insert(upload);
                }
            }
            // Lines of one call follow one another.
            What::Fault(Fault::LostReply) => {
                if let Some((who, _, upload)) = self.unnamed.last()
                    && *who == entry.who
                    && self.begun_now
                {
                    self.nameless.insert(*upload);
                }
            }
            What::CameLate(Call::CreateUpload, _) => self.next_is_late = true,
            // Its writer was told that it failed, and went on without.
            What::CameLate(Call::Swap | Call::AddPart, key) => {
                self.untold.insert(key);
            }
            What::Recorded(key, _, stands, ..) => {
                self.recorder.insert(key, entry.who);
                // Two tasks of one process may work on one key; only this state names an upload.
                if stands == Stands::Copying {
                    self.unnamed.retain(|(who, of, _)| *who != entry.who || *of != key);
                }
            }
            What::Called(Place::State, Call::Swap, key, _, Err("conflict")) => {
                self.contested.insert(key);
            }
            What::Called(Place::Destination, Call::Abort, _, Detail::Upload(upload), Err(_)) => {
                self.excused.insert(upload);
            }
            What::Called(Place::Destination, Call::ListUploads, _, _, Err(_)) => {
                self.excused.extend(self.ours.keys());
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
                if let Some(key) = self.ours.get(&upload)
                    && story.rules.traces
                    && !self.untold.contains(key)
                    && !self.excused.contains(&upload)
                    && !(self.contested.contains(key) && self.is_nameless(upload))
                    && !(self.overtaken.contains(&upload) && self.is_nameless(upload))
                {
                    breaches.add("I11", format!("upload {upload} of {key} is left behind"));
                }
            }
            _ => {}
        }
    }
}
