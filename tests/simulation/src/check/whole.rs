//! I4: whoever reads a destination key gets one version of the source, whole and with its own metadata, or what somebody
//! else wrote.

use super::story::Story;
use super::{Breaches, Checker};
use crate::journal::{Entry, What};

pub(super) struct Whole;

impl Checker for Whole {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        let What::Visible(key, Some((bytes, mark))) = entry.what else { return };
        let Some(of) = story.key(key) else {
            breaches.add("I4", format!("{key} is no key of the source, and is written"));
            return;
        };
        if of.strangers.contains(&bytes) {
            return;
        }
        if of.newest(bytes) == 0 {
            breaches.add("I4", format!("{key} shows bytes ({bytes}) that no version has"));
        } else if !of.versions.contains(&(mark, Some(bytes))) {
            breaches.add(
                "I4",
                format!("{key} shows the bytes of v{} with the metadata of v{mark}", of.newest(bytes)),
            );
        }
    }
}
