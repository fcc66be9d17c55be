//! I3: the versions that a destination key shows never go back. I7: who has read that a version was copied
//! does not write it over itself.
//!
//! Versions of the same bytes are counted so that the fewest breaches are found. After nothing was there (it was removed at
//! the source, or by somebody else), the count begins anew: nothing newer can be lost then.

use std::collections::BTreeMap;

use super::story::{Story, is_ours};
use super::{Breaches, Checker};
use crate::journal::{Bytes, Call, Entry, Key, Place, Stands, What, Who};

#[derive(Default)]
pub(super) struct Monotone {
    reached: BTreeMap<Key, u32>,
    /// Who has read a record that says that the version which was then shown was copied: a second delivery that does not
    /// overlap the first.
    knows: BTreeMap<(Who, Key), Bytes>,
}

impl Monotone {
    fn loads(&mut self, story: &Story, who: Who, key: Key) {
        let Some(of) = story.key(key) else { return };
        let copied = of.record.filter(|(stands, ..)| *stands == Stands::Copied).map(|(_, serial, _)| serial);
        match of.shown {
            Some((bytes, _)) if copied == Some(of.newest(bytes)) => self.knows.insert((who, key), bytes),
            _ => self.knows.remove(&(who, key)),
        };
    }
}

impl Checker for Monotone {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        if let What::Called(Place::State, Call::Load, key, _, Ok(())) = entry.what {
            self.loads(story, entry.who, key);
        }
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
        let knew = self.knows.get(&(entry.who, key)) == Some(&bytes);
        if knew && is_ours(entry) && story.rules.tells && !twice && of.before.map(|(b, _)| b) == Some(bytes) {
            breaches.add("I7", format!("{key} v{reached} is written over by itself"));
        }
    }
}
