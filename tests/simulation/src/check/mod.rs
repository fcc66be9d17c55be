//! The checkers: they read the journal, and nothing else, and say which invariant was broken where.

mod conserved;
mod leases;
mod monotone;
mod orphans;
mod permitted;
mod records;
mod settled;
mod story;
mod whole;

use story::Story;

use crate::journal::{Entry, What};

/// The rules of a schedule that the journal does not say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rules {
    /// What is removed at the source is removed at the destination.
    pub propagate: bool,
    /// Tags and checksums tell, so that nothing has to be copied twice.
    pub tells: bool,
    /// The store is known to look at conditions, so that every write has one. Another is tried, and may be misjudged (decision 0021).
    pub conditions: bool,
    /// Uploads are recorded, so that none is left.
    pub traces: bool,
}

/// An invariant that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// Its name in docs/RELIABILITY.md.
    pub invariant: &'static str,
    /// The line of the journal.
    pub line: usize,
    /// What is wrong.
    pub text: String,
}

/// A checker of one invariant or two.
trait Checker {
    /// Reads the next line; the story is told up to it and with it.
    fn read(&mut self, story: &Story, entry: &Entry, breaches: &mut Breaches);
}

/// Breaches as they are found.
struct Breaches {
    line: usize,
    found: Vec<Breach>,
}

impl Breaches {
    fn add(&mut self, invariant: &'static str, text: String) {
        self.found.push(Breach { invariant, line: self.line, text });
    }
}

/// Which invariants are checked, each in one line.
pub const CHECKED: &[(&str, &str)] = &[
    (
        "I1",
        "no message is removed or put aside without a proof or a recorded end; no record says more than is there",
    ),
    ("I2", "at rest the destination is what the source is"),
    ("I3", "the destination never goes back to an older version"),
    ("I4", "each version that was ever visible is the whole of one source version, with its own metadata"),
    ("I6", "every read of a range insists on a tag or a version"),
    ("I7", "no object is written over by the same bytes"),
    ("I8", "no write begins under a lease that has ended"),
    ("I10", "what is no job is put aside as it is, and nothing else waits for it"),
    ("I11", "no upload of our own is left; those of others stay"),
    ("I12", "records are changed one by one and never go back"),
    (
        "I14",
        "nothing is removed or written at the source; each write has a condition; only what was removed is removed",
    ),
    ("I22", "everything comes to rest soon after the last fault"),
];

/// Reads a journal from its beginning to its end.
pub fn check(journal: &[Entry], rules: Rules) -> Vec<Breach> {
    let mut story = Story::new(rules);
    let mut settled = settled::Settled::default();
    let mut conserved = conserved::Conserved::default();
    let mut monotone = monotone::Monotone::default();
    let mut leases = leases::Leases::default();
    let mut orphans = orphans::Orphans::default();
    let mut records = records::Records::default();
    let mut checkers: [&mut dyn Checker; 8] = [
        &mut settled,
        &mut conserved,
        &mut monotone,
        &mut whole::Whole,
        &mut leases,
        &mut permitted::Permitted::default(),
        &mut orphans,
        &mut records,
    ];
    let mut breaches = Breaches { line: 0, found: Vec::new() };
    for (line, entry) in journal.iter().enumerate() {
        breaches.line = line;
        story.read(entry);
        if entry.what == What::Restless {
            breaches.add("I22", "work is left long after the last fault".to_owned());
        }
        for checker in &mut checkers {
            checker.read(&story, entry, &mut breaches);
        }
    }
    breaches.found
}
