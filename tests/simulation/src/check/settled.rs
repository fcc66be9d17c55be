//! I1: no message is removed, and none put aside, before its object was seen at the destination or its end was recorded.
//! I10: what is no job is put aside, as it is.

use std::collections::BTreeMap;

use super::story::{KeyStory, Story};
use super::{Breaches, Checker};
use crate::journal::{About, Asks, Entry, Key, Stands, What};

#[derive(Default)]
pub(super) struct Settled {
    open: BTreeMap<u64, Open>,
    poison: Vec<u64>,
}

/// A message that was received and not removed.
struct Open {
    about: About,
    /// Since it was first received, the destination has shown what it asks for.
    shown: bool,
    /// Since then the source has had nothing.
    gone: bool,
    /// Since then the destination has had nothing.
    empty: bool,
    /// Since then the record has told of an end.
    ended: bool,
}

impl Open {
    /// Takes notice of how things stand.
    fn look(&mut self, story: &KeyStory) {
        self.shown |= story.shown_version() >= self.about.serial.max(1);
        self.gone |= story.source().1.is_none();
        self.empty |= story.shown.is_none();
    }

    /// Whether the message may go: the table of what proves an end, by what it asks for.
    fn is_settled(&self, story: &KeyStory, propagate: bool) -> bool {
        let serial = self.about.serial;
        let (stands, of, event) = story.record.unwrap_or((Stands::Copying, 0, 0));
        let ended = self.ended || (stands == Stands::Failed && of == serial);
        // A later event of the key, or this very one, was settled, and that was looked at when it was recorded.
        let overtaken = serial > 0 && event >= serial;
        match self.about.kind {
            Asks::Job => self.shown || ended,
            Asks::Created => story.best >= serial.max(1) || ended || overtaken || self.gone,
            Asks::Removed => !propagate || self.empty || story.best > serial || overtaken || ended,
            Asks::Poison => false,
        }
    }
}

impl Settled {
    fn look(&mut self, story: &Story, key: Key) {
        let Some(of) = story.key(key) else { return };
        for open in self.open.values_mut().filter(|open| open.about.key == key) {
            open.look(of);
        }
    }
}

impl Checker for Settled {
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches) {
        match &entry.what {
            What::Sent(number, About { kind: Asks::Poison, .. }) => self.poison.push(*number),
            What::Received(number, _, about, _) => {
                let fresh = Open { about: *about, shown: false, gone: false, empty: false, ended: false };
                let open = self.open.entry(*number).or_insert(fresh);
                if let Some(of) = story.key(about.key) {
                    open.look(of);
                }
            }
            What::Written(key, ..) | What::Gone(key, _) | What::Visible(key, _) => self.look(story, *key),
            What::Recorded(key, _, stands, serial, _) => {
                let ends = matches!(stands, Stands::Failed | Stands::Removed);
                for open in self.open.values_mut().filter(|open| open.about.key == *key) {
                    open.ended |= ends;
                }
                if *stands == Stands::Copied && story.key(*key).is_some_and(|of| of.best < *serial) {
                    breaches.add(
                        "I1",
                        format!("the record of {key} says that v{serial} was copied, which never was"),
                    );
                }
            }
            What::Acknowledged(number, count, true) => {
                let Some(open) = self.open.remove(number) else { return };
                let settled =
                    story.key(open.about.key).is_some_and(|of| open.is_settled(of, story.rules.propagate));
                if !settled {
                    let about = open.about;
                    breaches
                        .add("I1", format!("message {number}/{count} ({about}) was removed without proof"));
                }
            }
            What::PutAside(number, count, true, intact) => {
                let Some(open) = self.open.remove(number) else { return };
                self.poison.retain(|one| one != number);
                if !intact {
                    breaches.add("I10", format!("message {number}/{count} was put aside as another one"));
                }
                let recorded = story.key(open.about.key).and_then(|of| of.record).map(|(stands, ..)| stands);
                if open.about.kind != Asks::Poison && recorded != Some(Stands::Failed) {
                    let about = open.about;
                    breaches
                        .add("I1", format!("message {number}/{count} ({about}) was put aside unrecorded"));
                }
            }
            What::Settled(true) => {
                for number in &self.poison {
                    breaches.add("I10", format!("message {number} is no job and was not put aside"));
                }
            }
            _ => {}
        }
    }
}
