//! From a message to the work that the configured routes allow.
//!
//! A pure decision: what it allows is always from a configured source to the place that the route gives to the key.
//! Everything else is refused with a reason (and belongs in the dead-letter queue) or needs nothing done.

use std::fmt;

use super::{NamedRoute, OnRemoval, RouteName, RouteTable};
use crate::excerpt::excerpt;
use crate::job::{
    CopyJob, EventKind, HubJob, LegacyJob, Message, ObjectEvent, Observation, Removal, RoutedJob, Sequencer,
    SourceVersion, TransferId,
};
use crate::object::{Location, ObjectKey, Timestamp};

/// The most characters of a bucket's or an event's name that are repeated: S3's have 63 at most, but anybody can
/// write a message.
const FOREIGN: usize = 255;

/// A copy along a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutedCopy {
    /// The route.
    pub route: RouteName,
    /// The job. For events and foreign jobs its `object` is what the message says, which is a hint, and nobody has
    /// looked at the destination.
    pub job: CopyJob,
    /// The place among the events about the source key, where an event made the job: an older one must not win.
    pub sequencer: Option<Sequencer>,
    /// When the event happened that made the job.
    pub happened: Option<Timestamp>,
}

/// A removal to carry on along a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutedRemoval {
    /// The route.
    pub route: RouteName,
    /// The full source key.
    pub source: ObjectKey,
    /// The full destination key.
    pub destination: ObjectKey,
    /// What was removed. Unless the source has no object of this key any more, nothing is to be removed.
    pub removal: Removal,
    /// The place among the events about the source key.
    pub sequencer: Option<Sequencer>,
}

/// What a message asks for, once per route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Copy an object.
    Copy(Box<RoutedCopy>),
    /// Remove an object.
    Remove(RoutedRemoval),
    /// Nothing, and why.
    Ignore(IgnoreReason),
}

/// Why an event needs nothing done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IgnoreReason {
    /// S3's trial message.
    #[error("a trial message of S3")]
    Test,
    /// Tags, access lists, restores.
    #[error("the event {} does not concern an object's bytes", excerpt(.0, FOREIGN))]
    NotAboutBytes(String),
    /// The bucket is watched as a whole, the routes take parts of it.
    #[error("no route takes the key {0}")]
    OutsidePrefixes(ObjectKey),
    /// The route does not follow events.
    #[error("route {0} does not follow events")]
    EventsOff(RouteName),
    /// Left out by globs or the ignore list.
    #[error("route {0} leaves this key out")]
    NotSelected(RouteName),
    /// Removals are not propagated.
    #[error("route {0} does not propagate removals")]
    RemovalsKept(RouteName),
}

/// Why a message is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A bucket that no route reads from.
    #[error("no configured route reads from the bucket {:?}{}", excerpt(.bucket, FOREIGN), Record(.record))]
    UnknownBucket {
        /// The bucket.
        bucket: String,
        /// The record of the event that names it, from 1.
        record: Option<usize>,
    },
    /// A route that the configuration does not have (any more).
    #[error("the job is for the route {0}, which is not configured")]
    UnknownRoute(RouteName),
    /// The route of this name goes elsewhere by now.
    #[error("the job was made for {made}; the route {route} goes {now}: run the jobsender again")]
    RouteMoved {
        /// The route.
        route: RouteName,
        /// From where to where it went.
        made: String,
        /// From where to where it goes.
        now: String,
    },
    /// No route leads this key there.
    #[error("no configured route copies {source_object} to {destination}{}", Instead(.instead))]
    NotRouted {
        /// Bucket and key, as far as the message names them.
        source_object: String,
        /// Bucket and key, as far as the message names them.
        destination: String,
        /// Where a configured route takes the source object, if one does.
        instead: Option<String>,
    },
    /// Several routes would do, and the message does not say which.
    #[error("the job names no route, and {0} all take the key {1}")]
    Ambiguous(String, ObjectKey),
}

struct Record<'a>(&'a Option<usize>);

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |n| write!(f, " (record {n} of the event)"))
    }
}

struct Instead<'a>(&'a Option<String>);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |to| write!(f, "; it goes to {to}"))
    }
}

impl RouteTable {
    /// The work that a message means here, all of it or none.
    ///
    /// | message | needs | else |
    /// |---|---|---|
    /// | longbow's, with a route | that route, with the same buckets, maps source to destination | refused |
    /// | longbow's, without | exactly one route maps source to destination | refused |
    /// | Longbow 0.98's | a route of these buckets maps source to destination | refused |
    /// | Data Transfer Hub's | exactly one route takes the key | refused |
    /// | event, bucket of no route | – | the whole message is refused |
    /// | event, key outside all prefixes, left out, not about bytes | – | nothing to do |
    /// | event, created | each route that takes the key | a copy for each |
    /// | event, removed | each route that takes the key and propagates | a removal for each |
    pub fn admit(&self, message: Message) -> Result<Vec<Work>, Refusal> {
        match message {
            Message::Test => Ok(vec![Work::Ignore(IgnoreReason::Test)]),
            Message::Copy(job) => self.own(job).map(one),
            Message::Legacy(job) => self.legacy(job).map(one),
            Message::Hub(job) => self.hub(job).map(one),
            Message::Events(events) => {
                let mut work = Vec::new();
                for (index, event) in events.iter().enumerate() {
                    if !self.knows_source(&event.bucket) {
                        let record = (events.len() > 1).then_some(index + 1);
                        return Err(Refusal::UnknownBucket { bucket: event.bucket.clone(), record });
                    }
                    self.event(event, &mut work);
                }
                Ok(work)
            }
        }
    }

    fn own(&self, RoutedJob { route, job }: RoutedJob) -> Result<RoutedCopy, Refusal> {
        let leads = |r: &&NamedRoute| r.route.map(&job.source).as_ref() == Some(&job.destination);
        let named = match &route {
            Some(stamp) => {
                let named = self.get(&stamp.name).ok_or_else(|| Refusal::UnknownRoute(stamp.name.clone()))?;
                if !named.reads_from(&stamp.from) || !named.writes_to(&stamp.to) {
                    return Err(Refusal::RouteMoved {
                        route: stamp.name.clone(),
                        made: format!("{} → {}", excerpt(&stamp.from, FOREIGN), excerpt(&stamp.to, FOREIGN)),
                        now: format!("{} → {}", named.route.source, named.route.destination),
                    });
                }
                Some(named).filter(leads)
            }
            None => {
                let mut all = self.routes().iter().filter(leads);
                let first = all.next();
                if let (Some(first), Some(second)) = (first, all.next()) {
                    let names = format!("{} and {}", first.name, second.name);
                    return Err(Refusal::Ambiguous(names, job.source));
                }
                first
            }
        };
        let Some(named) = named else {
            return Err(Refusal::NotRouted {
                source_object: job.source.to_string(),
                destination: job.destination.to_string(),
                instead: None,
            });
        };
        Ok(RoutedCopy { route: named.name.clone(), job, sequencer: None, happened: None })
    }

    fn legacy(&self, job: LegacyJob) -> Result<RoutedCopy, Refusal> {
        if !self.knows_source(&job.source_bucket) {
            return Err(Refusal::UnknownBucket { bucket: job.source_bucket, record: None });
        }
        let mut instead = None;
        for (named, destination) in self.of_object(&job.source_bucket, &job.source) {
            if named.writes_to(&job.destination_bucket) && destination == job.destination {
                let object = hint(job.size, None, job.version.clone());
                return Ok(copy("legacy", named, &job.source, destination, object, None));
            }
            instead.get_or_insert_with(|| place(&named.route.destination, &destination));
        }
        Err(Refusal::NotRouted {
            source_object: format!("s3://{}/{}", excerpt(&job.source_bucket, FOREIGN), job.source),
            destination: format!("s3://{}/{}", excerpt(&job.destination_bucket, FOREIGN), job.destination),
            instead,
        })
    }

    fn hub(&self, job: HubJob) -> Result<RoutedCopy, Refusal> {
        let mut all = self.routes().iter().filter_map(|r| Some((r, r.route.map(&job.key)?)));
        match (all.next(), all.next()) {
            (Some((named, destination)), None) => {
                Ok(copy("hub", named, &job.key, destination, hint(job.size, None, None), None))
            }
            (Some((a, _)), Some((b, _))) => {
                Err(Refusal::Ambiguous(format!("{} and {}", a.name, b.name), job.key.clone()))
            }
            (None, _) => Err(Refusal::NotRouted {
                source_object: job.key.to_string(),
                destination: "anywhere".to_owned(),
                instead: None,
            }),
        }
    }

    fn event(&self, event: &ObjectEvent, work: &mut Vec<Work>) {
        if event.kind == EventKind::Other {
            work.push(Work::Ignore(IgnoreReason::NotAboutBytes(event.name.clone())));
            return;
        }
        let before = work.len();
        for (named, destination) in self.of_object(&event.bucket, &event.key) {
            work.push(along(named, destination, event));
        }
        if work.len() == before {
            work.push(Work::Ignore(IgnoreReason::OutsidePrefixes(event.key.clone())));
        }
    }
}

fn along(named: &NamedRoute, destination: ObjectKey, event: &ObjectEvent) -> Work {
    let name = || named.name.clone();
    if !named.events {
        return Work::Ignore(IgnoreReason::EventsOff(name()));
    }
    if !named.selection.selects(&event.key) {
        return Work::Ignore(IgnoreReason::NotSelected(name()));
    }
    match (&event.kind, named.on_removal) {
        (EventKind::Removed(removal), OnRemoval::Propagate) => Work::Remove(RoutedRemoval {
            route: name(),
            source: event.key.clone(),
            destination,
            removal: removal.clone(),
            sequencer: event.sequencer.clone(),
        }),
        (EventKind::Removed(_), OnRemoval::Keep) => Work::Ignore(IgnoreReason::RemovalsKept(name())),
        (EventKind::Other, _) => Work::Ignore(IgnoreReason::NotAboutBytes(event.name.clone())),
        (EventKind::Created, _) => {
            let object = hint(event.size.unwrap_or(0), event.etag.clone(), event.version.clone());
            let sequencer = event.sequencer.clone();
            let copy = copy("events", named, &event.key, destination, object, sequencer);
            Work::Copy(Box::new(RoutedCopy { happened: event.time, ..copy }))
        }
    }
}

fn hint(
    size: u64,
    etag: Option<crate::object::ETag>,
    version: Option<crate::object::VersionId>,
) -> SourceVersion {
    SourceVersion { size, etag, version, modified: None }
}

fn copy(
    origin: &str,
    named: &NamedRoute,
    source: &ObjectKey,
    destination: ObjectKey,
    object: SourceVersion,
    sequencer: Option<Sequencer>,
) -> RoutedCopy {
    let job = CopyJob {
        source: source.clone(),
        destination,
        object,
        observed: Observation::Unknown,
        inspect: false,
        transfer: TransferId(format!("{origin}:{}", named.name)),
    };
    RoutedCopy { route: named.name.clone(), job, sequencer, happened: None }
}

fn one(copy: RoutedCopy) -> Vec<Work> {
    vec![Work::Copy(Box::new(copy))]
}

fn place(location: &Location, key: &ObjectKey) -> String {
    match location {
        Location::S3 { bucket, .. } => format!("s3://{bucket}/{key}"),
        folder @ Location::Folder(_) => format!("{folder}, {key}"),
    }
}
