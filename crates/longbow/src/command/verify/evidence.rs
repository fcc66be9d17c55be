//! The evidence for one pair of objects: the strongest that there is without reading, or by reading when asked to.
//!
//! | evidence | costs | says |
//! |---|---|---|
//! | sizes differ | nothing | they differ |
//! | tags are equal digests | nothing | they are equal |
//! | stored checksums (two stores) | a HEAD on both sides | equal or different |
//! | MD5 tags differ, and neither is from KMS | the same HEADs | they differ |
//! | a record of the copy | a look into the state | they are equal |
//! | both tags are known, differ, and nothing of the above decides | nothing | unknown: reading would tell |
//! | sizes, times (folders, stores without tags) | nothing | nothing against it |

use std::sync::Arc;

use longbow_core::diff::{Comparison, Decision, Pair, SkipReason, compare};
use longbow_core::failure::StoreError;
use longbow_core::job::Proof;
use longbow_core::object::{ETag, ETagKind, Encryption, ObjectHead, ObjectKey, ObjectMeta};
use longbow_core::port::{HeadRequest, MultipartStore, ReadPin, StateStore as _};
use longbow_core::route::Route;
use longbow_local::SqliteState;

use super::finding::{Finding, Verdict};
use super::reading::{self, Comparison as Reading};

/// How often a HEAD is tried.
const ATTEMPTS: u32 = 3;

/// Finds evidence.
pub(super) struct Examiner {
    pub(super) source: Arc<dyn MultipartStore>,
    pub(super) destination: Arc<dyn MultipartStore>,
    /// Folders keep no checksums: asking is no use.
    pub(super) both_are_buckets: bool,
    /// What longbow copied before.
    pub(super) records: Option<SqliteState>,
    pub(super) route: Route,
    /// Read both sides.
    pub(super) read: bool,
}

impl Examiner {
    /// Examines one pair.
    pub(super) async fn examine(&self, source: &ObjectMeta, destination: &ObjectMeta) -> Finding {
        if source.size != destination.size {
            let reason = format!("sizes differ: {} and {} bytes", source.size, destination.size);
            return Finding::about(Some(source), Some(destination), Verdict::Differs, reason);
        }
        if self.read {
            return self.read(source, destination).await;
        }
        let pair = Pair { source, destination, record: None };
        if compare(Comparison::Etag, pair) == Decision::Skip(SkipReason::Same) {
            return Finding::same(source, destination, Proof::ETag);
        }
        let mut unknown = None;
        if self.both_are_buckets {
            match self.by_headers(source, destination).await {
                Ok(Some(finding)) => return finding,
                Ok(None) => {}
                Err(reason) => unknown = Some(reason),
            }
        }
        if let Some(finding) = self.by_record(source, destination).await {
            return finding;
        }
        if let Some(reason) = unknown {
            return Finding::about(Some(source), Some(destination), Verdict::Unknown, reason);
        }
        if self.both_are_buckets && source.etag.is_some() && destination.etag.is_some() {
            // Other part sizes, or KMS, or other bytes: sizes alone must not pass for an answer.
            let reason = "sizes are equal, but the tags cannot be compared and no checksum is stored on both sides; \
                          `longbow verify --read` reads the bytes";
            return Finding::about(Some(source), Some(destination), Verdict::Unknown, reason);
        }
        let times_agree = matches!(
            (source.modified, destination.modified),
            (Some(a), Some(b)) if a.second() == b.second()
        );
        Finding::same(source, destination, if times_agree { Proof::SizeAndTime } else { Proof::Size })
    }

    async fn by_headers(
        &self,
        source: &ObjectMeta,
        destination: &ObjectMeta,
    ) -> Result<Option<Finding>, String> {
        let (ours, theirs) =
            futures_util::future::join(head(&*self.source, source), head(&*self.destination, destination))
                .await;
        let ours = ours.map_err(|e| format!("the source could not be asked: {e}"))?;
        let theirs = theirs.map_err(|e| format!("the destination could not be asked: {e}"))?;
        if let Some(agrees) = ours.checksums.agrees(&theirs.checksums) {
            let reason = format!("checksums differ: {} and {}", ours.checksums, theirs.checksums);
            return Ok(Some(match agrees {
                true => Finding::same(source, destination, Proof::Checksum),
                false => Finding::about(Some(source), Some(destination), Verdict::Differs, reason),
            }));
        }
        if let (Some(a), Some(b)) = (whole_md5(&ours), whole_md5(&theirs)) {
            // Equal ones were found before.
            let reason = format!("MD5 tags differ: {a} and {b}");
            return Ok(Some(Finding::about(Some(source), Some(destination), Verdict::Differs, reason)));
        }
        Ok(None)
    }

    async fn by_record(&self, source: &ObjectMeta, destination: &ObjectMeta) -> Option<Finding> {
        let name = ObjectKey::new(source.key.strip(&self.route.source_prefix())?);
        let stored = self.records.as_ref()?.load(&name).await.ok()??;
        let pair = Pair { source, destination, record: Some(&stored.record) };
        let recorded = compare(Comparison::Etag, pair) == Decision::Skip(SkipReason::Recorded);
        recorded.then(|| Finding::same(source, destination, Proof::Recorded))
    }

    async fn read(&self, source: &ObjectMeta, destination: &ObjectMeta) -> Finding {
        let mut finding = match reading::compare(&*self.source, source, &*self.destination, destination).await
        {
            Ok(Reading::Equal) => Finding::same(source, destination, Proof::Read),
            Ok(Reading::DiffersAt(offset)) => {
                let reason = format!("the bytes differ from byte {offset} on");
                Finding::about(Some(source), Some(destination), Verdict::Differs, reason)
            }
            Err(reason) => {
                return Finding::about(Some(source), Some(destination), Verdict::Unknown, reason);
            }
        };
        finding.bytes_read = source.size;
        finding
    }
}

async fn head(store: &dyn MultipartStore, object: &ObjectMeta) -> Result<ObjectHead, StoreError> {
    let request = HeadRequest {
        pin: ReadPin { etag: object.etag.clone(), version: None },
        part: None,
        checksums: true,
    };
    let mut attempt = 1;
    loop {
        match store.head(&object.key, &request).await {
            Err(error) if attempt < ATTEMPTS && reading::may_pass(&error) => {
                reading::pause(attempt).await;
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// The tag, if it is the MD5 of the whole object.
fn whole_md5(head: &ObjectHead) -> Option<&ETag> {
    let tag = head.etag.as_ref()?;
    let plain = head.encryption.as_ref().is_none_or(Encryption::etag_is_md5);
    (plain && matches!(tag.kind(), ETagKind::Md5(_))).then_some(tag)
}

#[cfg(test)]
mod tests {
    use longbow_core::job::{ObjectRecord, RecordState, SourceVersion};
    use longbow_core::object::{Checksums, Location, Timestamp};
    use longbow_testkit::fake::{FakeS3, FakeStore};

    use super::*;
    use crate::backend;

    struct Stage {
        source: Arc<FakeStore>,
        destination: Arc<FakeStore>,
        examiner: Examiner,
        _folder: tempfile::TempDir,
    }

    fn stage() -> Stage {
        let fake = FakeS3::new();
        let (source, destination) = (fake.create_bucket("src"), fake.create_bucket("dst"));
        let folder = tempfile::tempdir().unwrap();
        let (database, _) = backend::open_state(&folder.path().join("s.sqlite"), "r").unwrap();
        let location = |text| Location::parse(text, false).unwrap();
        let examiner = Examiner {
            source: source.clone(),
            destination: destination.clone(),
            both_are_buckets: true,
            records: Some(database.state()),
            route: Route { source: location("s3://src"), destination: location("s3://dst") },
            read: false,
        };
        Stage { source, destination, examiner, _folder: folder }
    }

    impl Stage {
        async fn examine(&self) -> (Verdict, Option<Proof>) {
            let meta = |store: &FakeStore| store.object("k").unwrap().meta("k");
            let finding = self.examiner.examine(&meta(&self.source), &meta(&self.destination)).await;
            (finding.verdict, finding.evidence)
        }
    }

    #[tokio::test]
    async fn the_strongest_evidence_that_there_is() {
        let stage = stage();
        stage.source.put_bytes("k", b"abcd");
        stage.destination.put_bytes("k", b"abcd");
        assert_eq!(stage.examine().await, (Verdict::Same, Some(Proof::ETag)));
        assert_eq!(stage.source.count("head"), 0, "tags cost nothing");
        // Another tag for the same bytes: the stored checksum tells.
        stage.destination.set_etag("k", "0123456789abcdef0123456789abcdef-2");
        assert_eq!(stage.examine().await, (Verdict::Same, Some(Proof::Checksum)));
        stage.destination.alter("k", |object| object.checksums.crc64nvme = Some(1));
        assert_eq!(stage.examine().await, (Verdict::Differs, None));
        // Nothing decides.
        stage.destination.alter("k", |object| object.checksums = Checksums::default());
        assert_eq!(stage.examine().await, (Verdict::Unknown, None));
        let (ours, theirs) = (stage.source.object("k").unwrap(), stage.destination.object("k").unwrap());
        let record = ObjectRecord {
            source: SourceVersion { size: 4, etag: Some(ours.etag.clone()), version: None, modified: None },
            attempts: 0,
            updated: Timestamp(0),
            state: RecordState::Copied {
                destination_etag: Some(theirs.etag.clone()),
                checksums: Checksums::default(),
                proof: Proof::Written,
            },
            sequencer: None,
            transfer: None,
            found: false,
        };
        let records = stage.examiner.records.as_ref().unwrap();
        records.swap(&"k".into(), None, record).await.unwrap();
        assert_eq!(stage.examine().await, (Verdict::Same, Some(Proof::Recorded)));
    }

    #[tokio::test]
    async fn different_bytes_of_equal_size_differ() {
        let stage = stage();
        stage.source.put_bytes("k", b"abcd");
        stage.destination.put_bytes("k", b"dcba");
        assert_eq!(stage.examine().await, (Verdict::Differs, None));
        // Without checksums the MD5 tags tell, but not under KMS, where they are none.
        for store in [&stage.source, &stage.destination] {
            store.alter("k", |object| object.checksums = Checksums::default());
        }
        assert_eq!(stage.examine().await, (Verdict::Differs, None));
        stage.destination.alter("k", |object| object.encryption = Some(Encryption::Kms { key: None }));
        assert_eq!(stage.examine().await, (Verdict::Unknown, None));
        stage.destination.put_bytes("k", b"longer");
        assert_eq!(stage.examine().await, (Verdict::Differs, None));
    }

    #[tokio::test]
    async fn reading_decides_whatever_the_tags_say() {
        let mut stage = stage();
        stage.examiner.read = true;
        stage.source.put_bytes("k", b"abcd");
        stage.destination.put_bytes("k", b"abcd");
        stage.destination.set_etag("k", "opaque");
        assert_eq!(stage.examine().await, (Verdict::Same, Some(Proof::Read)));
        let tag = stage.source.object("k").unwrap().etag.clone();
        stage.destination.put_bytes("k", b"abcX");
        stage.destination.set_etag("k", tag.as_str());
        assert_eq!(stage.examine().await, (Verdict::Differs, None));
    }

    #[tokio::test]
    async fn where_there_are_no_tags_sizes_and_times_are_said_to_be_all() {
        let mut stage = stage();
        stage.examiner.both_are_buckets = false;
        stage.examiner.records = None;
        stage.source.put_bytes("k", b"abcd");
        stage.destination.put_bytes("k", b"dcba");
        stage.destination.set_modified("k", Timestamp(5_000));
        stage.source.set_modified("k", Timestamp(5_900));
        assert_eq!(stage.examine().await, (Verdict::Same, Some(Proof::SizeAndTime)));
        stage.source.set_modified("k", Timestamp(6_000));
        assert_eq!(stage.examine().await, (Verdict::Same, Some(Proof::Size)));
    }
}
