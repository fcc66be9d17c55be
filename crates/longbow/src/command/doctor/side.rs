//! Tries the rights that a route needs on one bucket, through the ports that the work itself goes through.
//!
//! Reading leaves no trace. Writing is tried only where that was asked for, by uploads under a reserved name that are
//! begun and aborted: no object appears. Deleting is never tried: in a versioned bucket even the removal of nothing
//! leaves a marker.

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ObjectKey, ObjectMeta, Prefix, Tag};
use longbow_core::port::{ByteRange, CreateRequest, GetRequest, HeadRequest, MultipartStore, ReadPin};
use longbow_core::transfer::PartPlan;

use super::finding::{Finding, Line};

const LIST: &str = "s3:ListBucket";
const GET: &str = "s3:GetObject";
const TAGS: &str = "s3:GetObjectTagging";
const UPLOADS: &str = "s3:ListBucketMultipartUploads";
const VERSIONS: &str = "s3:ListBucketVersions";
const GET_VERSION: &str = "s3:GetObjectVersion";
const PUT: &str = "s3:PutObject";
const PUT_TAGS: &str = "s3:PutObjectTagging";
const PARTS: &str = "s3:ListMultipartUploadParts";
const ABORT: &str = "s3:AbortMultipartUpload";
const DELETE: &str = "s3:DeleteObject";

/// One bucket, and who says what is found.
pub(super) struct Side<'a> {
    pub(super) store: &'a dyn MultipartStore,
    /// `s3://bucket/prefix`, for the lines.
    pub(super) on: String,
    pub(super) prefix: Prefix,
    /// A key that nobody has.
    pub(super) reserved: ObjectKey,
}

impl Side<'_> {
    fn line(&self, action: &str, needed_by: &'static str, answer: Result<(), StoreError>) -> Line {
        match answer {
            Ok(()) => Line::new(action, &self.on, needed_by, Finding::Ok, ""),
            Err(error) => Line::of_refusal(action, &self.on, needed_by, &error),
        }
    }

    fn not_tried(&self, action: &str, needed_by: &'static str, why: &str) -> Line {
        Line::new(action, &self.on, needed_by, Finding::NotTried, why)
    }

    /// What a source needs.
    pub(super) async fn try_source(&self) -> Vec<Line> {
        let (listed, sample) = self.list().await;
        let mut lines = vec![listed];
        lines.push(self.get(sample.as_ref(), lines[0].finding, "worker").await);
        let key = sample.as_ref().map_or(&self.reserved, |object| &object.key);
        let tags = self.store.tags(key, None).await;
        lines.push(self.of_key(TAGS, "worker", sample.is_some(), lines[0].finding, tags.map(drop)));
        lines
    }

    /// What a source needs besides, where versions are compared.
    pub(super) async fn try_versions(&self) -> Vec<Line> {
        let page = match self.store.list_versions(&self.prefix, None, None).await {
            Ok(page) => page,
            Err(error) => {
                let why = "no version could be listed";
                let listed = self.line(VERSIONS, "jobsender", Err(error));
                return vec![listed, self.not_tried(GET_VERSION, "worker", why)];
            }
        };
        let sample = page.objects.iter().find(|object| object.version.is_some());
        let read = match sample {
            Some(object) => {
                let pin = ReadPin { etag: None, version: object.version.clone() };
                let request = HeadRequest { pin, ..HeadRequest::default() };
                self.line(GET_VERSION, "worker", self.store.head(&object.key, &request).await.map(drop))
            }
            None => self.not_tried(GET_VERSION, "worker", "no object listed has a version"),
        };
        vec![self.line(VERSIONS, "jobsender", Ok(())), read]
    }

    /// What a destination needs.
    pub(super) async fn try_destination(&self, write: bool, deletes: bool) -> Vec<Line> {
        let (listed, sample) = self.list().await;
        let mut lines = vec![listed];
        let key = sample.as_ref().map_or(&self.reserved, |object| &object.key);
        let head = self.store.head(key, &HeadRequest::default()).await;
        lines.push(self.of_key(GET, "worker", sample.is_some(), lines[0].finding, head.map(drop)));
        let uploads = self.store.list_uploads(&Prefix::raw(self.reserved.as_str())).await;
        lines.push(self.line(UPLOADS, "worker", uploads.map(drop)));
        if write {
            self.write(&mut lines).await;
        } else {
            for action in [PUT, PUT_TAGS, PARTS, ABORT] {
                let why = "it cannot be tried without a trace: ask for it with --write";
                lines.push(self.not_tried(action, "worker", why));
            }
        }
        if deletes {
            let why = "even the removal of nothing leaves a marker in a versioned bucket";
            lines.push(self.not_tried(DELETE, "worker", why));
        }
        lines
    }

    /// Lists, and finds an object to try reading on.
    async fn list(&self) -> (Line, Option<ObjectMeta>) {
        match self.store.list(&self.prefix, None).await {
            Ok(page) => {
                // Of nothing, no byte can be read.
                let some = page.objects.iter().find(|object| object.size > 0).or(page.objects.first());
                (self.line(LIST, "jobsender and worker", Ok(())), some.cloned())
            }
            Err(error) => (self.line(LIST, "jobsender and worker", Err(error)), None),
        }
    }

    /// Reads the first byte of an object: its key of encryption is asked, too.
    async fn get(&self, sample: Option<&ObjectMeta>, listed: Finding, needed_by: &'static str) -> Line {
        let answer = match sample {
            Some(object) if object.size > 0 => {
                let range = Some(ByteRange { start: 0, length: 1 });
                let request = GetRequest { range, ..GetRequest::default() };
                self.store.get(&object.key, &request).await.map(drop)
            }
            Some(object) => self.store.head(&object.key, &HeadRequest::default()).await.map(drop),
            None => self.store.head(&self.reserved, &HeadRequest::default()).await.map(drop),
        };
        self.of_key(GET, needed_by, sample.is_some(), listed, answer)
    }

    /// S3 says 403 of a missing object to whoever may not list (API reference, GetObject, "Permissions"), so that 403
    /// about a key that nobody has tells nothing then.
    fn of_key(
        &self,
        action: &str,
        needed_by: &'static str,
        exists: bool,
        listed: Finding,
        answer: Result<(), StoreError>,
    ) -> Line {
        match answer {
            Err(error) if matches!(error.kind, StoreErrorKind::NotFound | StoreErrorKind::Archived) => {
                self.line(action, needed_by, Ok(()))
            }
            Err(error) if error.kind == StoreErrorKind::Denied && !exists && listed != Finding::Ok => {
                let why = "without s3:ListBucket, 403 does not tell a missing right from a missing object";
                self.not_tried(action, needed_by, why)
            }
            answer => self.line(action, needed_by, answer),
        }
    }

    async fn write(&self, lines: &mut Vec<Line>) {
        let plain = self.store.create_upload(&self.reserved, &CreateRequest::default()).await;
        let tag = Tag { key: "longbow".to_owned(), value: "doctor".to_owned() };
        let request = CreateRequest { tags: vec![tag], ..CreateRequest::default() };
        let tagged = self.store.create_upload(&self.reserved, &request).await;
        let upload = plain.as_ref().ok().or(tagged.as_ref().ok()).cloned();
        let uploads: Vec<_> =
            [&plain, &tagged].into_iter().filter_map(|u| u.as_ref().ok().cloned()).collect();
        lines.push(self.line(PUT, "worker", plain.map(drop)));
        lines.push(self.line(PUT_TAGS, "worker", tagged.map(drop)));
        let Some(upload) = upload else {
            for action in [PARTS, ABORT] {
                lines.push(self.not_tried(action, "worker", "no upload could be begun"));
            }
            return;
        };
        let parts = self.store.list_parts(&self.reserved, &upload, &PartPlan::new(1, 5 << 20)).await;
        lines.push(self.line(PARTS, "worker", parts.map(drop)));
        let mut aborted = Ok(());
        for upload in &uploads {
            let one = self.store.abort_upload(&self.reserved, upload).await;
            aborted = aborted.and(one);
        }
        lines.push(self.line(ABORT, "worker", aborted));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use longbow_testkit::fake::{FakeS3, FakeStore};
    use longbow_testkit::fault::{Fault, Faults, FaultyStore, Rule};

    use super::*;

    async fn found(calls: &[&'static str], of_destination: bool, filled: bool) -> Vec<(String, Finding)> {
        let s3 = FakeS3::new();
        let bucket: Arc<FakeStore> = s3.create_bucket("bucket");
        if filled {
            bucket.put_bytes("p/a", b"hello");
        }
        let faults = Faults::new();
        for call in calls {
            faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Denied)).on("bucket"));
        }
        let store = FaultyStore::new("bucket", bucket.clone(), &faults);
        let side = Side {
            store: store.as_ref(),
            on: "s3://bucket/p/".into(),
            prefix: Prefix::folder("p"),
            reserved: "p/.longbow-doctor-1".into(),
        };
        let lines =
            if of_destination { side.try_destination(true, true).await } else { side.try_source().await };
        assert_eq!(bucket.keys().len(), usize::from(filled), "no object appears");
        if !calls.contains(&"abort_upload") {
            assert!(bucket.uploads().is_empty(), "no upload stays");
        }
        lines.into_iter().map(|line| (line.action, line.finding)).collect()
    }

    fn finding(all: &[(String, Finding)], action: &str) -> Finding {
        all.iter().find(|(name, _)| name == action).map(|(_, finding)| *finding).expect(action)
    }

    #[tokio::test]
    async fn with_every_right_every_line_is_well_and_nothing_is_left() {
        for filled in [true, false] {
            let source = found(&[], false, filled).await;
            assert!(source.iter().all(|(_, finding)| *finding == Finding::Ok), "{source:?}");
            let destination = found(&[], true, filled).await;
            let other: Vec<_> = destination.iter().filter(|(_, f)| *f != Finding::Ok).collect();
            assert_eq!(other, [&(DELETE.to_owned(), Finding::NotTried)]);
        }
    }

    #[tokio::test]
    async fn each_missing_right_is_named_and_no_other() {
        for (call, action, of_destination) in [
            ("list", LIST, false),
            ("get", GET, false),
            ("tags", TAGS, false),
            ("head", GET, true),
            ("list_parts", PARTS, true),
            ("abort_upload", ABORT, true),
        ] {
            let all = found(&[call], of_destination, true).await;
            for (name, finding) in &all {
                let expected = match name.as_str() {
                    name if name == action => Finding::Missing,
                    DELETE => Finding::NotTried,
                    // Without a listing there is no object to read: HEAD of nothing tells here.
                    _ => Finding::Ok,
                };
                assert_eq!(*finding, expected, "{name} where {call} is refused: {all:?}");
            }
        }
    }

    #[tokio::test]
    async fn versions_are_tried_on_one_of_them() {
        for (refused, filled, expected) in [
            (None, true, [Finding::Ok, Finding::Ok]),
            (None, false, [Finding::Ok, Finding::NotTried]),
            (Some("list_versions"), true, [Finding::Missing, Finding::NotTried]),
            (Some("head"), true, [Finding::Ok, Finding::Missing]),
        ] {
            let s3 = FakeS3::new();
            let bucket = s3.create_bucket("bucket");
            bucket.configure(|settings| settings.versioned = true);
            if filled {
                bucket.put_bytes("p/a", b"hello");
            }
            let faults = Faults::new();
            if let Some(call) = refused {
                faults.add(Rule::new(call, Fault::Error(StoreErrorKind::Denied)).on("bucket"));
            }
            let store = FaultyStore::new("bucket", bucket, &faults);
            let side = Side {
                store: store.as_ref(),
                on: "s3://bucket/p/".into(),
                prefix: Prefix::folder("p"),
                reserved: "p/.longbow-doctor-1".into(),
            };
            let found: Vec<Finding> = side.try_versions().await.iter().map(|line| line.finding).collect();
            assert_eq!(found, expected, "{refused:?}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_told_is_not_said_to_be_missing() {
        let blind = found(&["list", "head", "tags"], false, true).await;
        assert_eq!(finding(&blind, LIST), Finding::Missing);
        assert_eq!((finding(&blind, GET), finding(&blind, TAGS)), (Finding::NotTried, Finding::NotTried));
        // In an empty bucket that can be listed, 403 is about the right.
        assert_eq!(finding(&found(&["head"], false, false).await, GET), Finding::Missing);
        let no_uploads = found(&["create_upload"], true, true).await;
        assert_eq!(
            (finding(&no_uploads, PUT), finding(&no_uploads, PUT_TAGS)),
            (Finding::Missing, Finding::Missing)
        );
        assert_eq!(finding(&no_uploads, ABORT), Finding::NotTried);
    }
}
