//! What S3 says happened to an object, whichever way it came: notification, SNS or EventBridge.
//!
//! Only the meaning is here; [`super::notification`] and [`super::eventbridge`] read the forms. An event is a hint that
//! a key is worth a look: where it leads is decided by the configured routes, and what is copied is what the source
//! has when the job is carried out.

use super::Sequencer;
use crate::object::{ETag, ObjectKey, Timestamp, VersionId};

/// One record of an S3 event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectEvent {
    /// The bucket that it happened in.
    pub bucket: String,
    /// The key, decoded.
    pub key: ObjectKey,
    /// What happened.
    pub kind: EventKind,
    /// The name of the event as S3 wrote it, for logs.
    pub name: String,
    /// Bytes, where stated. A hint: the object may have been replaced since.
    pub size: Option<u64>,
    /// The tag, where stated.
    pub etag: Option<ETag>,
    /// The version, in versioned buckets; never the text `null`.
    pub version: Option<VersionId>,
    /// The place among the events about this key, where stated.
    pub sequencer: Option<Sequencer>,
    /// When it happened, where stated. Not the object's time.
    pub time: Option<Timestamp>,
}

/// What happened to an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// It was written: put, post, copied or completed.
    Created,
    /// Something of it was removed.
    Removed(Removal),
    /// Nothing that concerns its bytes: tags, access lists, restores, storage classes.
    Other,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// The object, from a bucket that keeps no versions.
    Object,
    /// A delete marker hides the object now.
    Marker,
    /// One version is gone for good. It may have been an old one, or a marker whose removal brings the object back:
    /// only a look at the source tells whether the key still names an object.
    Version(VersionId),
}

impl EventKind {
    /// What an event name of S3's notifications means (S3 User Guide, "Supported event types").
    ///
    /// | name | meaning |
    /// |---|---|
    /// | `ObjectCreated:*` | created |
    /// | `ObjectRemoved:Delete`, `LifecycleExpiration:Delete` | the object, or one version of it, is gone |
    /// | `ObjectRemoved:DeleteMarkerCreated`, `LifecycleExpiration:DeleteMarkerCreated` | hidden by a marker |
    /// | anything else | does not concern the bytes |
    ///
    /// Lifecycle expirations are removals as well: EventBridge tells both by one name.
    pub fn of_notification(name: &str, version: Option<&VersionId>) -> Self {
        let name = name.strip_prefix("s3:").unwrap_or(name);
        match name.split_once(':') {
            Some(("ObjectCreated", _)) => Self::Created,
            Some(("ObjectRemoved" | "LifecycleExpiration", "Delete")) => Self::Removed(gone(version)),
            Some(("ObjectRemoved" | "LifecycleExpiration", "DeleteMarkerCreated")) => {
                Self::Removed(Removal::Marker)
            }
            _ => Self::Other,
        }
    }

    /// What a `detail-type` of EventBridge and its `deletion-type` mean (S3 User Guide, "EventBridge event message
    /// structure").
    pub fn of_eventbridge(detail_type: &str, deletion: Option<&str>, version: Option<&VersionId>) -> Self {
        match detail_type {
            "Object Created" => Self::Created,
            "Object Deleted" if deletion == Some("Delete Marker Created") => Self::Removed(Removal::Marker),
            "Object Deleted" => Self::Removed(gone(version)),
            _ => Self::Other,
        }
    }
}

fn gone(version: Option<&VersionId>) -> Removal {
    version.map_or(Removal::Object, |version| Removal::Version(version.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_name_has_its_meaning() {
        let v = VersionId("v1".into());
        let removed = |removal| EventKind::Removed(removal);
        let rows = [
            ("ObjectCreated:Put", None, EventKind::Created),
            ("s3:ObjectCreated:CompleteMultipartUpload", Some(&v), EventKind::Created),
            ("ObjectCreated:SomethingNew", None, EventKind::Created),
            ("ObjectRemoved:Delete", None, removed(Removal::Object)),
            ("ObjectRemoved:Delete", Some(&v), removed(Removal::Version(v.clone()))),
            ("ObjectRemoved:DeleteMarkerCreated", Some(&v), removed(Removal::Marker)),
            ("LifecycleExpiration:Delete", None, removed(Removal::Object)),
            ("LifecycleExpiration:DeleteMarkerCreated", Some(&v), removed(Removal::Marker)),
            ("ObjectRemoved:NoOP", None, EventKind::Other),
            ("ObjectTagging:Put", None, EventKind::Other),
            ("ObjectRestore:Completed", None, EventKind::Other),
            ("ReducedRedundancyLostObject", None, EventKind::Other),
            ("", None, EventKind::Other),
        ];
        for (name, version, expected) in rows {
            assert_eq!(EventKind::of_notification(name, version), expected, "{name}");
        }
    }

    #[test]
    fn every_detail_type_has_its_meaning() {
        let v = VersionId("v1".into());
        let rows = [
            ("Object Created", None, None, EventKind::Created),
            ("Object Deleted", Some("Permanently Deleted"), None, EventKind::Removed(Removal::Object)),
            (
                "Object Deleted",
                Some("Permanently Deleted"),
                Some(&v),
                EventKind::Removed(Removal::Version(v.clone())),
            ),
            ("Object Deleted", Some("Delete Marker Created"), Some(&v), EventKind::Removed(Removal::Marker)),
            ("Object Deleted", None, None, EventKind::Removed(Removal::Object)),
            ("Object Tags Added", None, None, EventKind::Other),
            ("Object Restore Completed", None, None, EventKind::Other),
        ];
        for (name, deletion, version, expected) in rows {
            assert_eq!(EventKind::of_eventbridge(name, deletion, version), expected, "{name} {deletion:?}");
        }
    }
}
