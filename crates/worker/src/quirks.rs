//! What was learnt about the two stores while working: features they lack, and what is done instead.
//!
//! Each fact is learnt from a store's own answer, said once to the user, and kept for the rest of the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longbow_core::failure::Feature;
use longbow_core::port::{Observer, StoreTraits};

use crate::WorkerPorts;

/// Facts about source and destination.
pub(crate) struct Quirks {
    pub(crate) source: StoreTraits,
    pub(crate) destination: StoreTraits,
    observer: Arc<dyn Observer>,
    no_conditions: AtomicBool,
    no_checksums: AtomicBool,
    no_tags: AtomicBool,
    tags_suspected: AtomicBool,
    no_multipart: AtomicBool,
    no_server_side: AtomicBool,
    source_tags_are_no_digests: AtomicBool,
    destination_tags_are_no_digests: AtomicBool,
}

impl Quirks {
    pub(crate) fn new(ports: &WorkerPorts) -> Self {
        let (source, destination) = (ports.source.traits(), ports.destination.traits());
        let no_digests = destination.encryption.as_ref().is_some_and(|e| !e.etag_is_md5());
        Self {
            no_checksums: AtomicBool::new(destination.folder),
            no_tags: AtomicBool::new(destination.folder),
            source_tags_are_no_digests: AtomicBool::new(source.folder),
            destination_tags_are_no_digests: AtomicBool::new(no_digests || destination.folder),
            tags_suspected: AtomicBool::new(false),
            no_conditions: AtomicBool::new(false),
            no_multipart: AtomicBool::new(false),
            no_server_side: AtomicBool::new(false),
            observer: Arc::clone(&ports.observer),
            source,
            destination,
        }
    }

    /// Whether the destination still counts as having the feature.
    pub(crate) fn has(&self, feature: Feature) -> bool {
        self.flag(feature).is_none_or(|missing| !missing.load(Ordering::Relaxed))
    }

    /// Remembers that the destination lacks a feature and says so once. `false`: that was known, or nothing can be
    /// done instead.
    pub(crate) fn lacks(&self, feature: Feature) -> bool {
        let Some(flag) = self.flag(feature) else { return false };
        if flag.swap(true, Ordering::Relaxed) {
            return false;
        }
        let instead = match feature {
            Feature::ConditionalWrites => {
                "a writer that changes the same object at the same moment is noticed only by a look before each write"
            }
            Feature::Checksums => "MD5 alone proves what arrives",
            Feature::Tags => "tags are left behind and reported for each object that has some",
            Feature::Multipart => "every object is written whole",
            Feature::ServerSideCopy => "bytes go through this machine",
            Feature::Other => "the request is left out",
        };
        self.observer.notice(&format!("{} does not have {feature}: {instead}", self.destination.name));
        true
    }

    fn flag(&self, feature: Feature) -> Option<&AtomicBool> {
        match feature {
            Feature::ConditionalWrites => Some(&self.no_conditions),
            Feature::Checksums => Some(&self.no_checksums),
            Feature::Tags => Some(&self.no_tags),
            Feature::Multipart => Some(&self.no_multipart),
            Feature::ServerSideCopy => Some(&self.no_server_side),
            Feature::Other => None,
        }
    }

    /// A refusal of a write that carried both tags and a condition: tags are left out first, and if that does not help
    /// they were not to blame.
    pub(crate) fn tags_or_conditions(&self, tagged: bool) {
        if tagged && self.has(Feature::Tags) {
            self.no_tags.store(true, Ordering::Relaxed);
            self.tags_suspected.store(true, Ordering::Relaxed);
            return;
        }
        if self.tags_suspected.swap(false, Ordering::Relaxed) {
            self.no_tags.store(false, Ordering::Relaxed);
        }
        self.lacks(Feature::ConditionalWrites);
    }

    /// A write without tags went well: they were to blame, which is said once.
    pub(crate) fn tags_are_proved_missing(&self) {
        if self.tags_suspected.load(Ordering::Relaxed) && self.tags_suspected.swap(false, Ordering::Relaxed) {
            self.no_tags.store(false, Ordering::Relaxed);
            self.lacks(Feature::Tags);
        }
    }

    /// Whether a source tag of the form of an MD5 is taken for one.
    pub(crate) fn source_tags_are_digests(&self) -> bool {
        !self.source_tags_are_no_digests.load(Ordering::Relaxed)
    }

    /// Remembers that the source's tags are no digests (SSE-KMS, SSE-C, or a store of its own ways).
    pub(crate) fn source_tags_proved_no_digests(&self) {
        self.source_tags_are_no_digests.store(true, Ordering::Relaxed);
    }

    /// Whether the destination's tags are MD5s.
    pub(crate) fn destination_tags_are_digests(&self) -> bool {
        !self.destination_tags_are_no_digests.load(Ordering::Relaxed)
    }

    /// Remembers that the destination's tags are no MD5s: digests go before the bytes from now on.
    pub(crate) fn destination_tags_proved_no_digests(&self) {
        if !self.destination_tags_are_no_digests.swap(true, Ordering::Relaxed) {
            self.observer.notice(&format!(
                "{} encrypts with keys of its own (its ETags are no MD5s): each part's MD5 is sent ahead and checked there",
                self.destination.name
            ));
        }
    }
}
