//! The world of a schedule: the services, what is true of the source, the journal, and chance.
//!
//! One value, shared by everybody who acts; it decides what each call meets and writes down what came of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longbow_core::job::{EventKind, Message, Sequencer, SourceVersion, decode_message};
use longbow_core::object::{ETag, ObjectKey};
use longbow_testkit::fake::{FakeCheckpoints, FakeLock, FakeQueue, FakeS3, FakeState, FakeStore};
use tokio::time::Instant;

use crate::dice::Dice;
use crate::fault::{Fault, KINDS, of_call};
use crate::journal::{About, Asks, Bytes, Call, Entry, Key, Place, Role, What, Who};
use crate::plan::{LEAST_PART, Plan};

/// Names of keys: a space, a plus, a letter of two bytes, a folder.
const NAMES: [&str; 4] = ["a", "b/c d", "b/+é", "z"];

/// No schedule has so many lines: one that had would go round in a circle without time passing.
const MOST_LINES: usize = 60_000;

/// Everything that a schedule has.
pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) s3: FakeS3,
    pub(crate) source: Arc<FakeStore>,
    pub(crate) destination: Arc<FakeStore>,
    pub(crate) queue: Arc<FakeQueue>,
    pub(crate) state: Arc<FakeState>,
    pub(crate) lock: Arc<FakeLock>,
    pub(crate) checkpoints: Arc<FakeCheckpoints>,
    start: Instant,
    inner: Mutex<Inner>,
}

/// One version of a source key; the last one is current.
#[derive(Debug, Clone)]
pub(crate) struct Version {
    pub(crate) serial: u32,
    pub(crate) etag: Option<ETag>,
    pub(crate) body: bytes::Bytes,
}

/// What changes.
pub(crate) struct Inner {
    pub(crate) dice: Dice,
    pub(crate) journal: Vec<Entry>,
    pub(crate) took: [u32; KINDS],
    pub(crate) calm: bool,
    pub(crate) blows: u8,
    pub(crate) state_away: u64,
    pub(crate) queue_away: u64,
    /// By key.
    pub(crate) versions: Vec<Vec<Version>>,
    /// Bodies of messages by their number.
    pub(crate) sent: BTreeMap<u64, (About, u64)>,
    /// Things on their way: events, and effects of calls that were given up.
    pub(crate) on_way: usize,
    pub(crate) lives: BTreeMap<(u8, u8), u16>,
    hits: Vec<u32>,
    pub(crate) strangers: u32,
    pub(crate) strangers_uploads: Vec<u32>,
    /// Runs of the jobsender that have not ended.
    pub(crate) running: usize,
}

/// What a call meets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fate {
    pub(crate) fault: Option<Fault>,
    pub(crate) delay: Duration,
    pub(crate) echo: Duration,
}

impl World {
    pub(crate) fn new(plan: Plan) -> Arc<Self> {
        let s3 = FakeS3::new();
        let (source, destination) = (s3.create_bucket("source"), s3.create_bucket("destination"));
        source.configure(|s| {
            s.versioned = plan.versioned;
            s.min_part = LEAST_PART;
            s.default_checksum = plan.checksums;
            s.amazon = plan.amazon;
            // Several pages, so that a jobsender may die between them.
            s.page_size = 2;
        });
        destination.configure(|s| {
            s.versioned = plan.versioned;
            s.min_part = LEAST_PART;
            s.amazon = plan.amazon;
            s.page_size = 2;
            s.encryption = plan.kms.then_some(longbow_core::object::Encryption::Kms { key: None });
        });
        let queue = if plan.replacing { FakeQueue::replacing() } else { FakeQueue::new() };
        let mut dice = Dice::new(plan.seed);
        let mut took = [0; KINDS];
        if plan.rates[Fault::Disorder.index()] > 0 {
            queue.shuffle(dice.word());
            took[Fault::Disorder.index()] = 1;
        }
        let inner = Inner {
            dice,
            journal: Vec::with_capacity(512),
            took,
            calm: false,
            blows: plan.blows,
            state_away: 0,
            queue_away: 0,
            versions: vec![Vec::new(); plan.keys.into()],
            sent: BTreeMap::new(),
            on_way: 0,
            lives: BTreeMap::new(),
            hits: vec![0; plan.script.len()],
            strangers: 0,
            strangers_uploads: Vec::new(),
            running: 0,
        };
        Arc::new(Self {
            s3,
            source,
            destination,
            queue: Arc::new(queue),
            state: Arc::new(FakeState::new()),
            lock: Arc::new(FakeLock::new()),
            checkpoints: Arc::new(FakeCheckpoints::new()),
            start: Instant::now(),
            inner: Mutex::new(inner),
            plan,
        })
    }

    pub(crate) fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the beginning.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes a line.
    pub(crate) fn note(&self, who: Who, what: What) {
        let at = self.now();
        self.inner().journal.push(Entry { at, who, what });
    }

    /// Writes down a fault that took effect.
    pub(crate) fn struck(&self, who: Who, fault: Fault) {
        self.inner().took[fault.index()] += 1;
        self.note(who, What::Fault(fault));
    }

    /// A line of nobody in particular.
    pub(crate) fn tell(&self, what: What) {
        self.note(Who { role: Role::World, life: 0 }, what);
    }

    pub(crate) fn dice<T>(&self, draw: impl FnOnce(&mut Dice) -> T) -> T {
        draw(&mut self.inner().dice)
    }

    /// The name of a key.
    pub(crate) fn name(key: Key) -> &'static str {
        NAMES.get(usize::from(key.0)).copied().unwrap_or("?")
    }

    /// The key of a name.
    pub(crate) fn key(name: &str) -> Key {
        NAMES.iter().position(|n| *n == name).and_then(|n| u8::try_from(n).ok()).map_or(Key::NONE, Key)
    }

    pub(crate) fn key_of(name: &ObjectKey) -> Key {
        Self::key(name.as_str())
    }

    /// Which version of a key a source tag or version means.
    pub(crate) fn serial_of(&self, key: Key, source: &SourceVersion) -> u32 {
        self.serial_of_tag(key, source.etag.as_ref())
    }

    pub(crate) fn serial_of_tag(&self, key: Key, tag: Option<&ETag>) -> u32 {
        let inner = self.inner();
        let versions = inner.versions.get(usize::from(key.0)).map_or(&[][..], Vec::as_slice);
        versions.iter().find(|v| v.etag.is_some() && v.etag.as_ref() == tag).map_or(0, |v| v.serial)
    }

    /// Whether an upload is somebody else's.
    pub(crate) fn is_strangers(&self, upload: u32) -> bool {
        self.inner().strangers_uploads.contains(&upload)
    }

    /// Another life of somebody.
    pub(crate) fn born(&self, role: Role) -> Who {
        let place = match role {
            Role::World => (0, 0),
            Role::Worker(n) => (1, n),
            Role::Jobsender(n) => (2, n),
            Role::Janitor => (3, 0),
        };
        let mut inner = self.inner();
        let life = inner.lives.entry(place).or_insert(0);
        *life += 1;
        let who = Who { role, life: *life };
        drop(inner);
        self.note(who, What::Born);
        who
    }

    /// What a message asks for.
    pub(crate) fn about(&self, body: &str) -> About {
        const POISON: About = About { key: Key::NONE, kind: Asks::Poison, serial: 0 };
        match decode_message(body) {
            Ok(Message::Copy(routed)) => {
                let key = Self::key_of(&routed.job.source);
                About { key, kind: Asks::Job, serial: self.serial_of(key, &routed.job.object) }
            }
            Ok(Message::Events(events)) => events.first().map_or(POISON, |event| {
                let kind = if event.kind == EventKind::Created { Asks::Created } else { Asks::Removed };
                let serial = event.sequencer.as_ref().map_or(0, serial_of_sequencer);
                About { key: Self::key_of(&event.key), kind, serial }
            }),
            _ => POISON,
        }
    }

    /// Draws what a call meets. Everything that is drawn for it is drawn here, whatever it meets.
    pub(crate) fn fate(&self, who: Who, place: Place, call: Call) -> Fate {
        let now = self.now();
        let mut inner = self.inner();
        let inner = &mut *inner;
        assert!(inner.journal.len() < MOST_LINES, "the schedule does not come to rest");
        let pace = inner.dice.below(100);
        let spread = inner.dice.word();
        let long = |end: u64| Duration::from_millis((spread >> 8) % end.max(1));
        let (delay, echo) = match pace {
            0..35 => (Duration::ZERO, Duration::ZERO),
            35..70 => (long(12), Duration::ZERO),
            70..90 => (long(200), Duration::ZERO),
            90..96 => (long(20), long(300)),
            _ if inner.calm => (long(100), Duration::ZERO),
            _ => (long(4_000), Duration::ZERO),
        };
        let mut fault = None;
        let roll = inner.dice.below(10_000);
        if !inner.calm {
            let mut sum = 0;
            for kind in of_call(call, place) {
                sum += u64::from(self.plan.rates[kind.index()]);
                if roll < sum {
                    fault = Some(*kind);
                    break;
                }
            }
            let away = match place {
                Place::State | Place::Checkpoints => inner.state_away > now,
                Place::Queue => inner.queue_away > now,
                _ => false,
            };
            if away {
                fault = Some(Fault::ServerError);
            }
        }
        for (strike, hits) in self.plan.script.iter().zip(&mut inner.hits) {
            if strike.role == who.role && strike.place == place && strike.call == call {
                *hits += 1;
                if *hits == strike.nth {
                    fault = Some(strike.fault);
                }
            }
        }
        let blow = matches!(
            fault,
            Some(Fault::CrashBefore | Fault::CrashAfter | Fault::StallBefore | Fault::StallAfter)
        );
        if blow {
            if inner.blows == 0 || who.role == Role::Janitor {
                fault = None;
            }
            inner.blows = inner.blows.saturating_sub(1);
        }
        Fate { fault, delay, echo }
    }
}

/// The place of a version among the events of its key.
pub(crate) fn sequencer(serial: u32) -> String {
    format!("{serial:08x}")
}

/// The version of a place among the events; its form has lost the zeros at its end.
pub(crate) fn serial_of_sequencer(sequencer: &Sequencer) -> u32 {
    u32::from_str_radix(&format!("{:0<8}", sequencer.as_str()), 16).unwrap_or(0)
}

/// The digest by which the journal knows bytes.
pub(crate) fn digest(bytes: &[u8]) -> Bytes {
    Bytes(crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Nvme, bytes))
}
