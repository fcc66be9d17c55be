//! What was learnt about the two stores while working: features they lack, and what is done instead.
//!
//! Each fact is learnt from a store's own answer, said once to the user, and kept for the rest of the run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::port::{Observer, StoreTraits};
use tokio::sync::OnceCell;

use crate::WorkerPorts;

/// How tags reach a store. Some keep those of one way and lose those of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TagsBy {
    /// With an object that is written whole.
    Put,
    /// With the begin of an upload.
    Upload,
}

/// What is done without conditional writes.
const LOOK_INSTEAD: &str =
    "a writer that changes the same object at the same moment is noticed only by a look before each write";

/// The right to try whether the destination looks at conditions: one in a run, for the next who asks if it was not used.
pub(crate) struct Trial<'a> {
    taken: &'a AtomicBool,
}

impl Trial<'_> {
    /// It is used, whatever comes of it.
    pub(crate) fn made(self) {
        std::mem::forget(self);
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        self.taken.store(false, Ordering::Relaxed);
    }
}

/// Facts about source and destination.
pub(crate) struct Quirks {
    pub(crate) source: StoreTraits,
    pub(crate) destination: StoreTraits,
    observer: Arc<dyn Observer>,
    no_conditions: AtomicBool,
    conditions_tried: AtomicBool,
    no_checksums: AtomicBool,
    no_tags: AtomicBool,
    tags_suspected: AtomicBool,
    tags_kept_by_put: OnceCell<bool>,
    tags_kept_by_upload: OnceCell<bool>,
    no_hidden_tags: AtomicBool,
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
            tags_kept_by_put: OnceCell::new(),
            tags_kept_by_upload: OnceCell::new(),
            no_hidden_tags: AtomicBool::new(source.amazon || source.folder),
            no_conditions: AtomicBool::new(false),
            // Amazon's looks at them, and so does a folder here.
            conditions_tried: AtomicBool::new(destination.amazon || destination.folder),
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
            Feature::ConditionalWrites => LOOK_INSTEAD,
            Feature::Checksums => "MD5 alone proves what arrives",
            Feature::Tags => "tags are left behind and reported for each object that has some",
            Feature::Multipart => "every object is written whole",
            Feature::ServerSideCopy => "bytes go through this machine",
            Feature::Other => "the request is left out",
        };
        self.observer.notice(&format!("{} does not have {feature}: {instead}", self.destination.name));
        true
    }

    /// The right to try whether conditions are looked at, unless that is known or somebody has it.
    pub(crate) fn trial(&self) -> Option<Trial<'_>> {
        let free =
            self.has(Feature::ConditionalWrites) && !self.conditions_tried.swap(true, Ordering::Relaxed);
        free.then(|| Trial { taken: &self.conditions_tried })
    }

    /// Remembers that the destination takes conditions and does not look at them, and says so once.
    pub(crate) fn ignores_conditions(&self) {
        if !self.no_conditions.swap(true, Ordering::Relaxed) {
            self.observer.notice(&format!(
                "{} ignores the conditions of conditional writes: {LOOK_INSTEAD}",
                self.destination.name
            ));
        }
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

    /// Whether the destination keeps the tags that it took, found out once for each way by `ask`: whether it kept all
    /// those of one object. Amazon's keeps them; a folder gets none.
    pub(crate) async fn keeps_tags(
        &self,
        by: TagsBy,
        ask: impl Future<Output = Result<bool, StoreError>>,
    ) -> bool {
        if self.destination.amazon || self.destination.folder {
            return true;
        }
        let (known, way) = match by {
            TagsBy::Put => (&self.tags_kept_by_put, "written whole"),
            TagsBy::Upload => (&self.tags_kept_by_upload, "uploaded in parts"),
        };
        let find_out = async {
            let name = &self.destination.name;
            match ask.await {
                Ok(true) => true,
                Err(error) if !matches!(error.kind, StoreErrorKind::Unsupported(_)) => {
                    self.observer.notice(&format!(
                        "whether {name} keeps the tags of objects {way} cannot be told, and none are reported as lost: {error}"
                    ));
                    true
                }
                _ => {
                    self.observer.notice(&format!(
                        "{name} takes the tags of objects {way} and does not keep them: they are reported for each object that has some"
                    ));
                    false
                }
            }
        };
        *known.get_or_init(|| find_out).await
    }

    /// Whether an object of the source can have tags though a reply to HEAD counts none (ministack's do not count).
    pub(crate) fn hides_tags(&self) -> bool {
        !self.no_hidden_tags.load(Ordering::Relaxed)
    }

    /// Remembers that the source counts tags in replies to HEAD.
    pub(crate) fn counts_tags(&self) {
        self.no_hidden_tags.store(true, Ordering::Relaxed);
    }

    /// Remembers that the source cannot be asked for tags that it does not speak of, and says so once.
    pub(crate) fn cannot_tell_tags(&self, error: &StoreError) {
        if !self.no_hidden_tags.swap(true, Ordering::Relaxed) {
            self.observer.notice(&format!(
                "{} counts no tags, and cannot be asked for them; large objects are taken to have none: {error}",
                self.source.name
            ));
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
