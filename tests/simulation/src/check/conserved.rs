//! I2: when everything is at rest, the destination is what the source is.
//!
//! Looked at twice. Before the jobsender's last run, of the keys whose last change was told by an event that came, which
//! nobody meddled with and which were not given up: what was asked for is done. Left out are keys to which a write came when
//! nobody waited for it any more: where the key was empty, written and emptied again meanwhile, its condition holds as well.
//! And keys whose writer found, when it had written, that another delivery of the same message had settled the object
//! meanwhile: if that was a removal, it had looked before the bytes came, and no lease is left to remove them under.
//! After the run, of all keys, without exception: the comparison finds what was lost.

use std::collections::{BTreeMap, BTreeSet};

use super::story::{KeyStory, Story};
use super::{Breaches, Checker};
use crate::journal::{About, Asks, Call, Entry, Key, Place, Stands, What, Who};

#[derive(Default)]
pub(super) struct Conserved {
    told: BTreeSet<(Key, u32)>,
    aside: BTreeSet<Key>,
    late: BTreeSet<Key>,
    writer: BTreeMap<Key, Who>,
}

fn differs(of: &KeyStory, propagate: bool) -> Option<String> {
    match of.source() {
        (0, _) => None,
        (serial, Some(bytes)) => {
            let shown = of.shown.map(|(bytes, _)| bytes);
            (shown != Some(bytes))
                .then(|| format!("the source has v{serial}, the destination v{}", of.shown_version()))
        }
        (serial, None) => (propagate && of.shown.is_some())
            .then(|| format!("the source has nothing (v{serial}), the destination v{}", of.shown_version())),
    }
}

impl Checker for Conserved {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        match &entry.what {
            What::Sent(_, About { key, kind: Asks::Created | Asks::Removed, serial }) => {
                self.told.insert((*key, *serial));
            }
            What::CameLate(call, key) if call.is_write() => {
                self.late.insert(*key);
            }
            What::Visible(key, Some(_)) => {
                self.writer.insert(*key, entry.who);
            }
            What::Called(Place::State, Call::Swap, key, _, Err("conflict"))
                if self.writer.get(key) == Some(&entry.who) =>
            {
                self.late.insert(*key);
            }
            What::PutAside(..) => {
                self.aside.extend(story.keys().filter(|(_, of)| failed(of)).map(|(key, _)| key));
            }
            What::Settled(last) => {
                for (key, of) in story.keys() {
                    let asked = self.told.contains(&(key, of.source().0));
                    let excused =
                        of.meddled || failed(of) || self.aside.contains(&key) || self.late.contains(&key);
                    if !last && (!asked || excused) {
                        continue;
                    }
                    if let Some(text) = differs(of, story.rules.propagate) {
                        breaches.add("I2", format!("{key}: {text}"));
                    }
                }
            }
            _ => {}
        }
    }
}

fn failed(of: &KeyStory) -> bool {
    of.record.is_some_and(|(stands, ..)| stands == Stands::Failed)
}
