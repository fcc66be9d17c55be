//! What the journal tells of the world, as far as it was read: the versions of the source, what the destination shows.
//!
//! Only retold here; what must be true of it is the checkers' business.

use super::Rules;
use crate::journal::{Bytes, Entry, Key, Role, What};

/// The world so far.
pub(super) struct Story {
    pub(super) rules: Rules,
    keys: Vec<KeyStory>,
}

/// One key so far.
#[derive(Debug, Default)]
pub(super) struct KeyStory {
    /// What the source had, by number; `None`: nothing.
    pub(super) versions: Vec<(u32, Option<Bytes>)>,
    /// What others wrote to the destination.
    pub(super) strangers: Vec<Bytes>,
    /// Whether somebody else wrote or removed at the destination.
    pub(super) meddled: bool,
    /// What the destination shows.
    pub(super) shown: Option<(Bytes, u32)>,
    /// What it showed before the last change.
    pub(super) before: Option<(Bytes, u32)>,
    /// The newest version that it ever showed.
    pub(super) best: u32,
    /// The record: where it stands, about which version, and which event it counts as settled.
    pub(super) record: Option<(crate::journal::Stands, u32, u32)>,
}

impl KeyStory {
    /// The newest version that has these bytes; 0 if none has.
    pub(super) fn newest(&self, bytes: Bytes) -> u32 {
        self.versions.iter().rev().find(|(_, b)| *b == Some(bytes)).map_or(0, |(serial, _)| *serial)
    }

    /// The oldest version from `from` on that has these bytes.
    pub(super) fn oldest_from(&self, bytes: Bytes, from: u32) -> Option<u32> {
        let fits = |(serial, b): &&(u32, Option<Bytes>)| *serial >= from && *b == Some(bytes);
        self.versions.iter().find(fits).map(|(serial, _)| *serial)
    }

    /// What the source has now: the number, and the bytes.
    pub(super) fn source(&self) -> (u32, Option<Bytes>) {
        self.versions.last().copied().unwrap_or((0, None))
    }

    /// The newest version that the destination shows now; 0 if it shows none.
    pub(super) fn shown_version(&self) -> u32 {
        self.shown.map_or(0, |(bytes, _)| self.newest(bytes))
    }
}

impl Story {
    pub(super) fn new(rules: Rules) -> Self {
        Self { rules, keys: Vec::new() }
    }

    pub(super) fn key(&self, key: Key) -> Option<&KeyStory> {
        self.keys.get(usize::from(key.0))
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = (Key, &KeyStory)> {
        (0..).map(Key).zip(&self.keys)
    }

    fn of(&mut self, key: Key) -> Option<&mut KeyStory> {
        if key == Key::NONE {
            return None;
        }
        let index = usize::from(key.0);
        if self.keys.len() <= index {
            self.keys.resize_with(index + 1, KeyStory::default);
        }
        self.keys.get_mut(index)
    }

    pub(super) fn read(&mut self, entry: &Entry) {
        match entry.what {
            What::Written(key, serial, bytes) => {
                if let Some(story) = self.of(key) {
                    story.versions.push((serial, Some(bytes)));
                    story.best = story.best.max(story.shown_version());
                }
            }
            What::Gone(key, serial) => {
                if let Some(story) = self.of(key) {
                    story.versions.push((serial, None));
                }
            }
            What::Stranger(key, bytes) => {
                if let Some(story) = self.of(key) {
                    story.strangers.extend(bytes);
                    story.meddled = true;
                }
            }
            What::Visible(key, shown) => {
                if let Some(story) = self.of(key) {
                    story.before = story.shown;
                    story.shown = shown;
                    story.best = story.best.max(story.shown_version());
                }
            }
            What::Recorded(key, _, stands, serial, event) => {
                if let Some(story) = self.of(key) {
                    story.record = Some((stands, serial, event));
                }
            }
            _ => {}
        }
    }
}

/// Whether a line is about a process of longbow's own.
pub(super) fn is_ours(entry: &Entry) -> bool {
    entry.who.role != Role::World
}
