//! I3: the versions that a destination key shows never go back. I7: nothing is written over by the same bytes.
//!
//! Versions of the same bytes are counted so that the fewest breaches are found. After nothing was there (it was removed at
//! the source, or by somebody else), the count begins anew: nothing newer can be lost then.

use std::collections::BTreeMap;

use super::story::{Story, is_ours};
use super::{Breaches, Checker};
use crate::journal::{Entry, Key, What};

#[derive(Default)]
pub(super) struct Monotone {
    reached: BTreeMap<Key, u32>,
}

impl Checker for Monotone {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        let What::Visible(key, shown) = entry.what else { return };
        let Some(of) = story.key(key) else { return };
        let Some((bytes, _)) = shown else {
            self.reached.remove(&key);
            return;
        };
        if of.newest(bytes) == 0 {
            return;
        }
        let reached = self.reached.entry(key).or_insert(0);
        match of.oldest_from(bytes, *reached) {
            Some(serial) => *reached = serial,
            None => {
                let newest = of.newest(bytes);
                breaches.add("I3", format!("{key} goes back from v{reached} to v{newest}"));
            }
        }
        let twice = of.versions.iter().filter(|(_, b)| *b == Some(bytes)).count() > 1;
        if is_ours(entry) && story.rules.tells && !twice && of.before.map(|(b, _)| b) == Some(bytes) {
            breaches.add("I7", format!("{key} v{reached} is written over by itself"));
        }
    }
}
