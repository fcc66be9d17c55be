//! I14: nothing is written or removed at the source; every write at the destination has a condition; nothing is removed
//! there but what was removed at the source, and only where that was asked for. I6: every read of a range is pinned.

use std::collections::BTreeMap;

use super::story::{Story, is_ours};
use super::{Breaches, Checker};
use crate::journal::{Call, Detail, Entry, Key, Place, What};

#[derive(Default)]
pub(super) struct Permitted {
    /// How often each key became empty.
    emptied: BTreeMap<Key, u32>,
}

impl Checker for Permitted {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        match entry.what {
            What::Called(Place::Source, call, key, ..)
                if call.is_write() || matches!(call, Call::CreateUpload | Call::PutPart | Call::Abort) =>
            {
                breaches.add("I14", format!("{call:?} of {key} at the source"));
            }
            What::Called(Place::Destination, call, key, Detail::Write { conditional: false }, _)
                // The trial of a store that is not known goes wrong when its object is removed twice in the middle of it.
                if story.rules.conditions || self.emptied.values().all(|times| *times < 2) =>
            {
                breaches.add("I14", format!("{call:?} of {key} without a condition"));
            }
            What::Called(Place::Source, Call::Get, key, Detail::Read { pinned: false, ranged: true }, _) => {
                breaches.add("I6", format!("a range of {key} is read, whatever version it is of"));
            }
            What::Visible(key, None) => {
                *self.emptied.entry(key).or_default() += 1;
                if !is_ours(entry) {
                    return;
                }
                let Some(of) = story.key(key) else { return };
                if !story.rules.propagate {
                    breaches.add("I14", format!("{key} is removed, and nobody asked for it"));
                }
                let removed = of.before.map_or(0, |(bytes, _)| of.newest(bytes));
                let later = of.versions.iter().any(|(serial, bytes)| bytes.is_none() && *serial > removed);
                // The jobsender, where it is asked to, removes whatever the source does not have.
                let later = later || of.source().1.is_none();
                if !later {
                    breaches
                        .add("I14", format!("{key} v{removed} is removed, and the source has had it since"));
                }
            }
            _ => {}
        }
    }
}
