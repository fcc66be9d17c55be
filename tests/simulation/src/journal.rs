//! The journal of a schedule: every call of everybody, every fault and every change of the world, in order.
//!
//! The checkers read nothing else. Entries are small values, made into text only for a reader, since a run of a hundred
//! thousand schedules writes some hundred million of them.

use std::fmt;
use std::hash::{Hash, Hasher};

use crc_fast::{CrcAlgorithm, Digest};

use crate::fault::Fault;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Milliseconds of virtual time since the schedule began.
    pub at: u64,
    /// Who did it.
    pub who: Who,
    /// What was done.
    pub what: What,
}

/// Somebody: a process is named by its machine and by how often it was started there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Who {
    /// Which kind.
    pub role: Role,
    /// Which life of it, from 1.
    pub life: u16,
}

/// Kinds of actors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Whoever else changes the buckets, and the services themselves.
    World,
    /// A worker's machine.
    Worker(u8),
    /// A place where the jobsender runs.
    Jobsender(u8),
    /// The look at uploads that were left behind.
    Janitor,
}

/// A key of the world: an index, or none where a call is about more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub u8);

impl Key {
    /// For calls that are about no single key.
    pub const NONE: Key = Key(u8::MAX);
}

/// The digest of somebody's bytes, and of nobody else's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Bytes(pub u64);

/// Where a call goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the ports")]
pub enum Place {
    Source,
    Destination,
    Queue,
    State,
    Lock,
    Checkpoints,
}

/// The ports' calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the ports' calls")]
pub enum Call {
    List,
    ListVersions,
    Head,
    Get,
    Put,
    Copy,
    Delete,
    Tags,
    CreateUpload,
    PutPart,
    CopyPart,
    ListParts,
    ListUploads,
    Complete,
    Abort,
    Send,
    Receive,
    Extend,
    Acknowledge,
    DeadLetter,
    Depth,
    Load,
    LoadMany,
    Records,
    Swap,
    AddPart,
    Parts,
    ForgetParts,
    Lock,
    Renew,
    Unlock,
    Resume,
    Save,
    Clear,
}

impl Call {
    /// Whether it changes what others see in a bucket.
    pub fn is_write(self) -> bool {
        matches!(self, Self::Put | Self::Copy | Self::Delete | Self::Complete)
    }
}

/// What is worth knowing of a request, beside its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Detail {
    /// Nothing.
    None,
    /// A read: whether it insists on a tag or version, and whether it is of a range.
    Read {
        /// It insists.
        pinned: bool,
        /// Of a range.
        ranged: bool,
    },
    /// A write: whether it has a condition.
    Write {
        /// It has.
        conditional: bool,
    },
    /// About this upload.
    Upload(u32),
}

/// What a message asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct About {
    /// Of which key.
    pub key: Key,
    /// In which way.
    pub kind: Asks,
    /// Which version of the source it names, by its number; 0 if it names none that ever was.
    pub serial: u32,
}

/// Kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    /// A job of the jobsender.
    Job,
    /// An event: the source was written.
    Created,
    /// An event: the source was removed.
    Removed,
    /// Nothing that anybody understands.
    Poison,
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the record's states")]
pub enum Stands {
    Copying,
    Waiting,
    Copied,
    Failed,
    Removed,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// A call that changes a bucket was begun, at this time by the clock of whoever began it.
    Begun(Call, Key, u64),
    /// A call was carried out, or failed for this reason.
    Called(Place, Call, Key, Detail, Result<(), &'static str>),
    /// A call whose caller had given up waiting, or was on its way for longer than a lease lasts, takes effect now.
    CameLate(Call, Key),
    /// A message was sent.
    Sent(u64, About),
    /// A message was received: its number, the how-manyth time, until when it is hidden.
    Received(u64, u32, About, u64),
    /// A lease now lasts until then; `false`: the receipt was not current.
    Extended(u64, u32, u64, bool),
    /// A message was removed; `false`: the receipt was not current.
    Acknowledged(u64, u32, bool),
    /// A message was put aside; whether the receipt was current, and whether the body is as it was sent.
    PutAside(u64, u32, bool, bool),
    /// A record was written: the version that it has now, where it stands, the source's version that it is about, and
    /// the place among the events.
    Recorded(Key, u64, Stands, u32, u32),
    /// The source has this version now.
    Written(Key, u32, Bytes),
    /// The source has nothing now.
    Gone(Key, u32),
    /// Somebody else wrote these bytes to the destination, or removed what was there.
    Stranger(Key, Option<Bytes>),
    /// What anybody sees at the destination from now on: the bytes, and the number in their metadata.
    Visible(Key, Option<(Bytes, u32)>),
    /// An upload was begun.
    UploadBegun(Key, u32),
    /// Somebody else's upload was begun.
    StrangersUpload(u32),
    /// An upload that is still there at the end.
    UploadLeft(u32),
    /// A fault that took effect.
    Fault(Fault),
    /// A process begins.
    Born,
    /// A process has ended by itself, well or not.
    Ended(bool),
    /// A run of the jobsender began its listings.
    Listing,
    /// It stands still until then.
    Still(u64),
    /// From here on no more faults.
    Calm,
    /// Everything is settled, before the jobsender's last run (`false`) or after it (`true`).
    Settled(bool),
    /// It did not come to rest in time.
    Restless,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.role {
            Role::World => f.write_str("world"),
            Role::Worker(n) => write!(f, "worker{n}.{}", self.life),
            Role::Jobsender(n) => write!(f, "jobsender{n}.{}", self.life),
            Role::Janitor => f.write_str("janitor"),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NONE { f.write_str("-") } else { write!(f, "key{}", self.0) }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0 >> 32)
    }
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of {} v{}", self.kind, self.key, self.serial)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>9} {:<13} ", self.at, self.who.to_string())?;
        let held = |held: &bool| if *held { "" } else { ", not held any more" };
        match &self.what {
            What::Begun(call, key, at) => write!(f, "begins {call:?} {key} at {at} of its clock"),
            What::Called(place, call, key, detail, end) => {
                write!(f, "{place:?}.{call:?} {key}")?;
                match detail {
                    Detail::None => {}
                    Detail::Read { pinned, ranged } => write!(f, " pinned={pinned} ranged={ranged}")?,
                    Detail::Write { conditional } => write!(f, " conditional={conditional}")?,
                    Detail::Upload(upload) => write!(f, " upload {upload}")?,
                }
                match end {
                    Ok(()) => f.write_str(": ok"),
                    Err(why) => write!(f, ": {why}"),
                }
            }
            What::CameLate(call, key) => write!(f, "{call:?} {key} arrives, and nobody waits for it"),
            What::Sent(number, about) => write!(f, "sent message {number}: {about}"),
            What::Received(number, count, about, until) => {
                write!(f, "received message {number}/{count}: {about}, until {until}")
            }
            What::Extended(number, count, until, current) => {
                write!(f, "message {number}/{count} hidden until {until}{}", held(current))
            }
            What::Acknowledged(number, count, current) => {
                write!(f, "acknowledged message {number}/{count}{}", held(current))
            }
            What::PutAside(number, count, current, same) => {
                write!(f, "put aside message {number}/{count}, unharmed: {same}{}", held(current))
            }
            What::Recorded(key, version, stands, serial, sequencer) => {
                write!(f, "record {version} of {key}: {stands:?} v{serial}, event {sequencer}")
            }
            What::Written(key, serial, bytes) => write!(f, "SOURCE {key} v{serial} ({bytes})"),
            What::Gone(key, serial) => write!(f, "SOURCE {key} gone (v{serial})"),
            What::Stranger(key, Some(bytes)) => write!(f, "STRANGER writes {key} ({bytes})"),
            What::Stranger(key, None) => write!(f, "STRANGER removes {key}"),
            What::Visible(key, Some((bytes, mark))) => {
                write!(f, "DESTINATION {key} = {bytes}, marked v{mark}")
            }
            What::Visible(key, None) => write!(f, "DESTINATION {key} = nothing"),
            What::UploadBegun(key, upload) => write!(f, "upload {upload} of {key}"),
            What::StrangersUpload(upload) => write!(f, "upload {upload} of somebody else"),
            What::UploadLeft(upload) => write!(f, "upload {upload} is left"),
            What::Fault(fault) => write!(f, "FAULT {fault}"),
            What::Born => f.write_str("begins"),
            What::Ended(well) => write!(f, "ends, well: {well}"),
            What::Listing => f.write_str("lists"),
            What::Still(until) => write!(f, "stands still until {until}"),
            What::Calm => f.write_str("no more faults"),
            What::Settled(last) => write!(f, "settled, after the last run: {last}"),
            What::Restless => f.write_str("does not come to rest"),
        }
    }
}

/// Feeds the bytes of a value to a digest; the `finish` of the trait is not used.
struct Feed(Vec<u8>);

impl Hasher for Feed {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

/// The hash of a journal: CRC-64/NVME over all that its entries say.
pub fn hash(entries: &[Entry]) -> u64 {
    let mut digest = Digest::new(CrcAlgorithm::Crc64Nvme);
    let mut feed = Feed(Vec::with_capacity(16 << 10));
    for entry in entries {
        entry.hash(&mut feed);
        if feed.0.len() > 15 << 10 {
            digest.update(&feed.0);
            feed.0.clear();
        }
    }
    digest.update(&feed.0);
    digest.finalize()
}
