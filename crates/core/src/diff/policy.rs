//! Copy or skip: one truth table.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::job::{ObjectRecord, RecordState, SourceVersion};
use crate::object::{ETag, ETagKind, ObjectMeta, Timestamp};

/// How two objects of one name are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// By size alone.
    Size,
    /// By size and modification time.
    SizeMtime,
    /// By size and tag, from listings alone.
    Etag,
    /// By size and tag, and where tags cannot tell by stored checksums (a HEAD on both sides) or, for a folder,
    /// by reading the file.
    Checksum,
    /// By size and version: the source, listed by versions, has the version that the record says was copied. For stores
    /// with versions, and where records are kept in order.
    Version,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "size",
            Self::SizeMtime => "size-mtime",
            Self::Etag => "etag",
            Self::Checksum => "checksum",
            Self::Version => "version",
        })
    }
}

/// The strongest comparison that listings alone allow: tags between two stores, times where a folder takes part.
pub fn default_comparison(source_is_folder: bool, destination_is_folder: bool) -> Comparison {
    if source_is_folder || destination_is_folder { Comparison::SizeMtime } else { Comparison::Etag }
}

/// Why an object is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CopyReason {
    /// The destination has no object of this name.
    Missing,
    /// The sizes differ.
    SizeDiffers,
    /// The source is newer than the destination, or was changed since it was copied.
    Newer,
    /// The tags differ, and no record says that they should.
    EtagDiffers,
    /// The source has another version than the one that was copied, or none was, or its copy was changed since.
    VersionDiffers,
    /// Listings cannot tell: the worker compares checksums first.
    Inspect,
}

impl fmt::Display for CopyReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "missing at the destination",
            Self::SizeDiffers => "size differs",
            Self::Newer => "modification time differs",
            Self::EtagDiffers => "etag differs",
            Self::VersionDiffers => "version is not the one that was copied",
            Self::Inspect => "to be compared by checksum",
        })
    }
}

/// Why an object is not copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// The comparison finds both equal.
    Same,
    /// This program copied exactly this source to exactly this destination before.
    Recorded,
    /// The selection leaves it out.
    Excluded,
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "unchanged",
            Self::Recorded => "unchanged since it was copied",
            Self::Excluded => "excluded",
        })
    }
}

/// What comparing two sides says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// Copy it.
    Copy(CopyReason),
    /// Leave it.
    Skip(SkipReason),
}

/// Both sides of one name, and what is remembered of the last copy.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// The source's entry.
    pub source: &'a ObjectMeta,
    /// The destination's entry.
    pub destination: &'a ObjectMeta,
    /// The record, when one was loaded.
    pub record: Option<&'a ObjectRecord>,
}

/// Decides about a name that both sides have.
///
/// | comparison | equal sizes and … | decision |
/// |---|---|---|
/// | any | sizes differ | copy: size differs |
/// | any but size, version | the record says: this source tag (and time) became this destination tag | skip: recorded |
/// | size | – | skip: same |
/// | size-mtime, to a folder | times equal to the second | skip: same |
/// | size-mtime, to a folder | times differ | copy: newer |
/// | size-mtime, to a store | source not newer | skip: same |
/// | size-mtime, to a store | source newer | copy: newer |
/// | etag, checksum | digest tags equal | skip: same |
/// | etag | tags differ or are no digests | copy: etag differs |
/// | checksum | tags differ or are no digests | inspect |
/// | version | the source has no version (written without versioning) | as by etag |
/// | version | copied, this version, to what the destination has now | skip: recorded |
/// | version | copied without a version known; tag and time are the source's now; to what the destination has now | skip: recorded |
/// | version | anything else: no record, not copied to its end, another version, another destination tag | copy: version differs |
///
/// Equal tags count only where they are digests: two stores may give one opaque tag to different bytes.
pub fn compare(comparison: Comparison, pair: Pair<'_>) -> Decision {
    let Pair { source, destination, record } = pair;
    if source.size != destination.size {
        return Decision::Copy(CopyReason::SizeDiffers);
    }
    if comparison == Comparison::Size {
        return Decision::Skip(SkipReason::Same);
    }
    if comparison == Comparison::Version && source.version.is_some() {
        return match record.is_some_and(|r| is_recorded_version(r, source, destination)) {
            true => Decision::Skip(SkipReason::Recorded),
            false => Decision::Copy(CopyReason::VersionDiffers),
        };
    }
    if record.is_some_and(|r| is_recorded(r, source, destination)) {
        return Decision::Skip(SkipReason::Recorded);
    }
    match comparison {
        Comparison::Size => Decision::Skip(SkipReason::Same),
        Comparison::SizeMtime => by_time(source, destination),
        Comparison::Etag | Comparison::Version => match tags_agree(source, destination) {
            true => Decision::Skip(SkipReason::Same),
            false => Decision::Copy(CopyReason::EtagDiffers),
        },
        Comparison::Checksum => match tags_agree(source, destination) {
            true => Decision::Skip(SkipReason::Same),
            false => Decision::Copy(CopyReason::Inspect),
        },
    }
}

/// Whether a record would decide about this pair: so that only pairs in doubt cost a look-up.
pub fn needs_record(comparison: Comparison, source: &ObjectMeta, destination: &ObjectMeta) -> bool {
    let alone = compare(comparison, Pair { source, destination, record: None });
    use CopyReason::{EtagDiffers, Inspect, Newer, VersionDiffers};
    matches!(alone, Decision::Copy(Newer | EtagDiffers | VersionDiffers | Inspect))
}

/// Whether the record says that this version was copied, verified, and to the object that the destination has.
fn is_recorded_version(record: &ObjectRecord, source: &ObjectMeta, destination: &ObjectMeta) -> bool {
    let RecordState::Copied { destination_etag, .. } = &record.state else { return false };
    let same_version = match (&record.source.version, &source.version) {
        (Some(then), Some(now)) => then == now,
        // Copied when nobody asked for versions. A newer version of equal bytes has another time.
        (None, Some(_)) => {
            let second = |time: Option<Timestamp>| time.map(Timestamp::second);
            record.source.etag.is_some()
                && record.source.etag == source.etag
                && record.source.modified.is_some()
                && second(record.source.modified) == second(source.modified)
        }
        (_, None) => false,
    };
    let untouched = match (destination_etag, &destination.etag) {
        (Some(written), Some(there)) => written == there,
        // A destination without tags: its size is all that can be seen.
        (None, None) => true,
        _ => false,
    };
    same_version && record.source.size == source.size && untouched
}

fn is_recorded(record: &ObjectRecord, source: &ObjectMeta, destination: &ObjectMeta) -> bool {
    let RecordState::Copied { destination_etag, .. } = &record.state else { return false };
    let now = SourceVersion { size: source.size, etag: source.etag.clone(), version: None, modified: None };
    let then = SourceVersion { version: None, ..record.source.clone() };
    then.is(&now) && destination_etag.is_some() && *destination_etag == destination.etag
}

fn by_time(source: &ObjectMeta, destination: &ObjectMeta) -> Decision {
    let is_file = |o: &ObjectMeta| o.etag.as_ref().is_some_and(|e| e.kind() == ETagKind::File);
    match (source.modified, destination.modified) {
        // A copy to a folder gets the source's time, so any other time means a change on one of the sides.
        (Some(s), Some(d)) if is_file(destination) && s.second() == d.second() => {
            Decision::Skip(SkipReason::Same)
        }
        (Some(s), Some(d)) if !is_file(destination) && s <= d => Decision::Skip(SkipReason::Same),
        _ => Decision::Copy(CopyReason::Newer),
    }
}

/// Whether the tags are equal digests. Different digests prove nothing by themselves: under KMS, or with other
/// part sizes, equal bytes have different tags.
fn tags_agree(source: &ObjectMeta, destination: &ObjectMeta) -> bool {
    use ETagKind::{Composite, Md5};
    match (source.etag.as_ref().map(ETag::kind), destination.etag.as_ref().map(ETag::kind)) {
        (Some(a @ (Md5(_) | Composite { .. })), Some(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureClass;
    use crate::job::Proof;
    use crate::object::{Checksums, VersionId};

    const A: &str = "d41d8cd98f00b204e9800998ecf8427e";
    const B: &str = "0cc175b9c0f1b6a831c399e269772661";

    fn meta(size: u64, etag: &str, modified: i64) -> ObjectMeta {
        ObjectMeta {
            key: "k".into(),
            size,
            etag: Some(ETag::new(etag)),
            modified: Some(Timestamp(modified)),
            storage_class: None,
            version: None,
        }
    }
    fn decide(comparison: Comparison, source: &ObjectMeta, destination: &ObjectMeta) -> Decision {
        compare(comparison, Pair { source, destination, record: None })
    }
    const SAME: Decision = Decision::Skip(SkipReason::Same);
    fn copy(reason: CopyReason) -> Decision {
        Decision::Copy(reason)
    }

    #[test]
    fn every_row_of_the_table() {
        use Comparison::{Checksum, Etag, Size, SizeMtime};
        for c in [Size, SizeMtime, Etag, Checksum] {
            assert_eq!(decide(c, &meta(1, A, 0), &meta(2, A, 0)), copy(CopyReason::SizeDiffers));
        }
        assert_eq!(decide(Size, &meta(1, A, 9), &meta(1, B, 0)), SAME);
        let file = "file:1-2-3";
        assert_eq!(decide(SizeMtime, &meta(1, A, 5_400), &meta(1, file, 5_000)), SAME);
        assert_eq!(decide(SizeMtime, &meta(1, A, 5_000), &meta(1, file, 9_000)), copy(CopyReason::Newer));
        assert_eq!(decide(SizeMtime, &meta(1, file, 5_000), &meta(1, A, 9_000)), SAME);
        assert_eq!(decide(SizeMtime, &meta(1, file, 9_001), &meta(1, A, 9_000)), copy(CopyReason::Newer));
        assert_eq!(decide(Etag, &meta(1, A, 9), &meta(1, A, 0)), SAME);
        assert_eq!(decide(Etag, &meta(1, A, 0), &meta(1, B, 9)), copy(CopyReason::EtagDiffers));
        let (c2, c3) = (format!("{A}-2"), format!("{A}-3"));
        assert_eq!(decide(Etag, &meta(1, &c2, 0), &meta(1, &c2, 9)), SAME);
        assert_eq!(decide(Etag, &meta(1, &c2, 0), &meta(1, &c3, 9)), copy(CopyReason::EtagDiffers));
        assert_eq!(decide(Etag, &meta(1, "opaque", 0), &meta(1, "opaque", 9)), copy(CopyReason::EtagDiffers));
        assert_eq!(decide(Checksum, &meta(1, A, 0), &meta(1, A, 9)), SAME);
        assert_eq!(decide(Checksum, &meta(1, A, 0), &meta(1, &c2, 9)), copy(CopyReason::Inspect));
    }

    #[test]
    fn a_record_of_exactly_this_pair_decides() {
        let (s, d) = (meta(1, A, 0), meta(1, &format!("{B}-2"), 9));
        let record = ObjectRecord {
            source: SourceVersion { size: 1, etag: s.etag.clone(), version: None, modified: None },
            attempts: 0,
            updated: Timestamp(0),
            state: RecordState::Copied {
                destination_etag: d.etag.clone(),
                checksums: Checksums::default(),
                proof: Proof::Written,
            },
            sequencer: None,
            transfer: None,
            found: false,
        };
        let with = |source: &ObjectMeta, destination: &ObjectMeta| {
            compare(Comparison::Etag, Pair { source, destination, record: Some(&record) })
        };
        assert!(needs_record(Comparison::Etag, &s, &d));
        assert_eq!(with(&s, &d), Decision::Skip(SkipReason::Recorded));
        assert_eq!(with(&meta(1, B, 0), &d), copy(CopyReason::EtagDiffers));
        assert_eq!(with(&s, &meta(1, B, 9)), copy(CopyReason::EtagDiffers));
        assert!(!needs_record(Comparison::Etag, &s, &s));
    }

    /// LB-12, LB-23, LB-59; LBB-15: only a copy that was verified counts.
    #[test]
    fn every_row_of_the_comparison_by_version() {
        const WRITTEN: &str = "written-2";
        let version = |id: &str| Some(VersionId(id.into()));
        let source = ObjectMeta { version: version("v2"), ..meta(1, A, 5_400) };
        let there = meta(1, WRITTEN, 9_000);
        let copied = RecordState::Copied {
            destination_etag: Some(ETag::new(WRITTEN)),
            checksums: Checksums::default(),
            proof: Proof::Written,
        };
        let of = |id: Option<VersionId>, state: &RecordState| ObjectRecord {
            source: SourceVersion {
                size: 1,
                etag: Some(ETag::new(A)),
                version: id,
                modified: Some(Timestamp(5_000)),
            },
            attempts: 0,
            updated: Timestamp(0),
            state: state.clone(),
            sequencer: None,
            transfer: None,
            found: false,
        };
        let by = |source: &ObjectMeta, destination: &ObjectMeta, record: Option<&ObjectRecord>| {
            compare(Comparison::Version, Pair { source, destination, record })
        };
        let (differs, recorded) = (copy(CopyReason::VersionDiffers), Decision::Skip(SkipReason::Recorded));
        let this = of(version("v2"), &copied);
        assert_eq!(by(&source, &there, Some(&this)), recorded);
        assert_eq!(by(&source, &meta(2, WRITTEN, 0), Some(&this)), copy(CopyReason::SizeDiffers));
        assert_eq!(by(&source, &meta(1, "other", 0), Some(&this)), differs, "somebody wrote there since");
        // Nothing is concluded from equal tags: a version may differ in its metadata alone.
        assert_eq!(by(&source, &meta(1, A, 0), None), differs);
        assert_eq!(by(&source, &there, Some(&of(version("v1"), &copied))), differs);
        for class in [FailureClass::Transient, FailureClass::Permanent] {
            let reason = String::from("r");
            for unfinished in [
                RecordState::Waiting { upload: None, class, reason: reason.clone() },
                RecordState::Failed { class, reason },
                RecordState::Removed,
            ] {
                assert_eq!(by(&source, &there, Some(&of(version("v2"), &unfinished))), differs);
            }
        }
        // Copied when nobody asked for versions.
        let unnamed = of(None, &copied);
        assert_eq!(by(&source, &there, Some(&unnamed)), recorded);
        let later = ObjectMeta { modified: Some(Timestamp(6_000)), ..source.clone() };
        assert_eq!(by(&later, &there, Some(&unnamed)), differs);
        let untimed = ObjectMeta { modified: None, ..source.clone() };
        assert_eq!(by(&untimed, &there, Some(&unnamed)), differs);
        assert_eq!(
            by(&ObjectMeta { etag: Some(ETag::new(B)), ..source.clone() }, &there, Some(&unnamed)),
            differs
        );
        assert!(needs_record(Comparison::Version, &source, &there));
        assert!(needs_record(Comparison::Version, &source, &source));
        // Written without versioning: by tags (LBB-52).
        let null = ObjectMeta { version: None, ..source };
        assert_eq!(by(&null, &meta(1, A, 0), None), SAME);
        assert_eq!(by(&null, &meta(1, B, 0), None), copy(CopyReason::EtagDiffers));
        assert_eq!(by(&null, &there, Some(&this)), recorded);
    }

    #[test]
    fn the_default_is_the_strongest_that_listings_allow() {
        assert_eq!(default_comparison(false, false), Comparison::Etag);
        assert_eq!(default_comparison(true, false), Comparison::SizeMtime);
        assert_eq!(default_comparison(false, true), Comparison::SizeMtime);
    }
}
