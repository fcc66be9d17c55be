//! What a schedule is made of: drawn from its seed, or written down by hand for a regression.

use crate::dice::Dice;
use crate::fault::{Fault, KINDS};
use crate::journal::{Call, Key, Place, Role};

/// A schedule before it runs. What happens by chance on the way comes from `seed` too.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where chance comes from.
    pub seed: u64,
    /// Workers of a fleet; otherwise workers of one route, as one machine has them.
    pub fleet: bool,
    /// How many workers.
    pub workers: u8,
    /// Objects that a worker has in work at once.
    pub objects: usize,
    /// How many keys.
    pub keys: u8,
    /// The source keeps versions, and the destination too.
    pub versioned: bool,
    /// The jobsender compares versions.
    pub by_version: bool,
    /// Events of the source come to the queue.
    pub events: bool,
    /// What is removed at the source is removed at the destination.
    pub propagate: bool,
    /// The store may copy by itself.
    pub server_side: bool,
    /// The stores say that they are Amazon's.
    pub amazon: bool,
    /// The destination's tags are no digests.
    pub kms: bool,
    /// The source keeps checksums.
    pub checksums: bool,
    /// Only ends are recorded.
    pub ends_only: bool,
    /// The queue keeps the newest message of a subject.
    pub replacing: bool,
    /// The jobsender takes a lock.
    pub locked: bool,
    /// How many calls of ten thousand meet each fault, of those calls that can.
    pub rates: [u16; KINDS],
    /// Changes of the world, each so many milliseconds after the one before.
    pub acts: Vec<(u64, Act)>,
    /// Faults at chosen calls.
    pub script: Vec<Strike>,
    /// Crashes and stalls at most.
    pub blows: u8,
}

/// Something that happens to the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// The source is written.
    Write(Key, Shape),
    /// The source is written again with the bytes that it has.
    Rewrite(Key),
    /// The source is removed.
    Remove(Key),
    /// Somebody else writes the destination.
    Stranger(Key),
    /// Somebody else removes at the destination.
    StrangerRemoves(Key),
    /// A message that is no job.
    Poison,
    /// The jobsender runs, at this place.
    Jobsender(u8),
    /// A worker is told to stop.
    Drain(u8),
    /// The calendar of a worker's machine jumps.
    Jump(u8, i64),
}

/// How an object is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Bytes.
    pub size: u16,
    /// Written in parts of so many bytes; 0: whole.
    pub part: u16,
}

/// A fault at a chosen call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// Whose call, whichever life of it.
    pub role: Role,
    /// Where it goes.
    pub place: Place,
    /// Which call.
    pub call: Call,
    /// The how-manyth of these, from 1, by everybody of this role.
    pub nth: u32,
    /// What it meets.
    pub fault: Fault,
}

/// Bytes of a part where the route chooses.
pub const PART: u64 = 64;
/// The smallest part that the buckets take.
pub const LEAST_PART: u64 = 16;
/// What is larger goes in parts.
pub const WHOLE_UP_TO: u64 = 100;

/// The smallest and the largest delay before an act.
const DELAYS: &[(u64, u64)] = &[(0, 10), (0, 300), (0, 3_000), (0, 20_000)];

impl Plan {
    /// A schedule in which nothing happens.
    pub fn quiet(seed: u64) -> Self {
        Self {
            seed,
            fleet: true,
            workers: 1,
            objects: 1,
            keys: 1,
            versioned: false,
            by_version: false,
            events: true,
            propagate: false,
            server_side: false,
            amazon: true,
            kms: false,
            checksums: true,
            ends_only: false,
            replacing: false,
            locked: true,
            rates: [0; KINDS],
            acts: Vec::new(),
            script: Vec::new(),
            blows: 4,
        }
    }

    /// The schedule of a seed.
    pub fn of(seed: u64) -> Self {
        // Other numbers than the run itself draws.
        let mut dice = Dice::new(seed ^ 0x5151_5151_0000_0000);
        let fleet = dice.percent(80);
        let versioned = dice.percent(35);
        let events = fleet && dice.percent(80);
        let mut plan = Self {
            fleet,
            workers: u8::try_from(dice.between(1, 4)).unwrap_or(1),
            objects: usize::try_from(dice.between(1, 4)).unwrap_or(1),
            keys: u8::try_from(dice.pick(&[1, 1, 1, 2, 2, 3, 4], 1)).unwrap_or(1),
            versioned,
            by_version: versioned && dice.percent(50),
            events,
            propagate: events && dice.percent(50),
            server_side: dice.percent(25),
            amazon: dice.percent(75),
            kms: dice.percent(10),
            checksums: dice.percent(70),
            ends_only: fleet && dice.percent(10),
            replacing: !fleet && dice.percent(50),
            locked: dice.percent(60),
            blows: u8::try_from(dice.between(0, 6)).unwrap_or(0),
            ..Self::quiet(seed)
        };
        plan.draw_rates(&mut dice);
        plan.draw_acts(&mut dice);
        plan
    }

    fn draw_rates(&mut self, dice: &mut Dice) {
        // A schedule has some kinds of faults and not others: those that hide one another are seen apart.
        for fault in Fault::ALL {
            if dice.percent(30) {
                let rate = dice.pick(&[30, 100, 300, 900], 0);
                self.rates[fault.index()] = match fault {
                    Fault::StateDown | Fault::QueueDown => rate / 4,
                    _ => rate,
                };
            }
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.rates[fault.index()] > 0
    }

    fn draw_acts(&mut self, dice: &mut Dice) {
        let mut acts = Vec::new();
        for key in 0..self.keys {
            if !self.events || dice.percent(80) {
                acts.push((0, Act::Write(Key(key), shape(dice))));
            }
        }
        if !self.events || dice.percent(40) {
            acts.push((0, Act::Jobsender(0)));
        }
        for _ in 0..dice.between(1, 13) {
            let key = Key(u8::try_from(dice.below(self.keys.into())).unwrap_or(0));
            let act = match dice.below(100) {
                0..45 => Act::Write(key, shape(dice)),
                45..53 if self.has(Fault::Rewritten) => Act::Rewrite(key),
                53..63 if self.has(Fault::SourceRemoved) => Act::Remove(key),
                63..73 if self.has(Fault::StrangerWrote) => Act::Stranger(key),
                73..77 if self.has(Fault::StrangerRemoved) => Act::StrangerRemoves(key),
                77..80 if self.has(Fault::Poison) && self.fleet => Act::Poison,
                80..86 if self.has(Fault::Drained) => Act::Drain(self.some_worker(dice)),
                86..88 if self.has(Fault::ClockJump) => {
                    Act::Jump(self.some_worker(dice), dice.pick(&[-600_000, -1_500, 1_500, 600_000], 0))
                }
                88.. => Act::Jobsender(u8::try_from(dice.below(2)).unwrap_or(0)),
                _ => Act::Write(key, shape(dice)),
            };
            let (from, to) = dice.pick(DELAYS, (0, 1_000));
            acts.push((dice.between(from, to), act));
        }
        if self.has(Fault::TwoJobsenders) {
            acts.push((dice.below(2_000), Act::Jobsender(0)));
            acts.push((dice.below(30), Act::Jobsender(1)));
        } else if !self.events {
            acts.push((dice.below(3_000), Act::Jobsender(0)));
        }
        self.acts = acts;
    }

    fn some_worker(&self, dice: &mut Dice) -> u8 {
        u8::try_from(dice.below(self.workers.into())).unwrap_or(0)
    }
}

/// Few sizes, so that versions often have the same one: sizes alone must tell nothing.
fn shape(dice: &mut Dice) -> Shape {
    let size = dice.pick(&[0, 7, 40, 40, 40, 100, 150, 150, 150, 256, 300], 40);
    let part = if size > 0 && dice.percent(20) { dice.pick(&[40, 50, 64], 64) } else { 0 };
    Shape { size, part }
}
