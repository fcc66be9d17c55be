//! I12: a record is changed only as the one that was read, and never goes back.

use std::collections::BTreeMap;

use super::story::Story;
use super::{Breaches, Checker};
use crate::journal::{Entry, Key, Stands, What};

#[derive(Default)]
pub(super) struct Records {
    last: BTreeMap<Key, Last>,
}

#[derive(Default)]
struct Last {
    version: u64,
    event: u32,
    copied: u32,
}

impl Checker for Records {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        if let What::Visible(key, None) = entry.what {
            // Where nothing is any more, nothing newer can be lost.
            self.last.entry(key).or_default().copied = 0;
        }
        let What::Recorded(key, version, stands, serial, event) = entry.what else { return };
        let last = self.last.entry(key).or_default();
        if version != last.version + 1 {
            let before = last.version;
            breaches.add("I12", format!("the record of {key} goes from {before} to {version}"));
        }
        if event < last.event {
            let before = last.event;
            breaches.add("I12", format!("the record of {key} goes back from event {before} to {event}"));
        }
        if stands == Stands::Copied && serial > 0 {
            let bytes = |serial: u32| {
                let of = story.key(key)?;
                of.versions.iter().find(|(one, _)| *one == serial)?.1
            };
            // Of two versions of the same bytes either may be named.
            if serial < last.copied && bytes(serial) != bytes(last.copied) {
                let before = last.copied;
                breaches.add("I12", format!("the record of {key} goes back from v{before} to v{serial}"));
            }
            last.copied = serial;
        }
        last.version = version;
        last.event = last.event.max(event);
    }
}
