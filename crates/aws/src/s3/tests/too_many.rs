//! Requests that a store refuses because there are too many, by both paths.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use longbow_core::failure::StoreErrorKind;
use longbow_core::object::{ETag, ObjectKey, Prefix};
use longbow_core::port::{
    CompleteRequest, CopyRequest, CreateRequest, GetRequest, MultipartStore as _, ObjectStore as _,
    PartRequest, PutBody, PutRequest, ReadPin, UploadId, WriteCondition,
};

use crate::canned::{Canned, Reply, keys};
use crate::s3::S3Store;
use crate::session::SideOptions;

const SLOW_DOWN: &str = "<Error><Code>SlowDown</Code><Message>less</Message></Error>";

async fn open(canned: &Canned, sdk_only: bool) -> S3Store {
    let options = SideOptions { endpoint_url: Some("http://127.0.0.1:1".into()), sdk_only, ..keys() };
    canned.store_with(&options).await
}

fn reply(status: u16, body: &str) -> Option<Reply> {
    Some((status, Vec::new(), body.as_bytes().to_vec()))
}

/// Layers of retries multiply: a storm of refusals would become three by the SDK's own.
#[tokio::test(start_paused = true)]
async fn what_is_refused_for_being_too_much_is_asked_once() {
    let key = ObjectKey::from("k");
    let kept = || PutBody::Kept(vec![Bytes::from_static(b"abc")]);
    let copy = CopyRequest {
        source_container: "source".into(),
        source: ObjectKey::from("s"),
        pin: ReadPin::default(),
        attributes: None,
        keep_tags: true,
        condition: WriteCondition::Always,
    };
    let upload = UploadId("u".into());
    let part = PartRequest { number: 1, offset: 0, md5: None };
    let whole = CompleteRequest { parts: vec![(1, ETag::new("x"))], size: 3, ..Default::default() };
    for (status, body) in [(503, SLOW_DOWN), (503, ""), (429, ""), (400, SLOW_DOWN), (200, SLOW_DOWN)] {
        for sdk_only in [false, true] {
            let canned = Canned::new(move |_| reply(status, body));
            let store = open(&canned, sdk_only).await;
            let mut errors = Vec::new();
            // An error inside a reply of success: where the server works before it knows.
            if status != 200 {
                errors.push(store.put(&key, kept(), &PutRequest::default()).await.unwrap_err());
                errors.push(store.put_part(&key, &upload, kept(), &part).await.unwrap_err());
                errors.push(store.get(&key, &GetRequest::default()).await.unwrap_err());
                errors.push(store.list(&Prefix::default(), None).await.unwrap_err());
                errors.push(store.create_upload(&key, &CreateRequest::default()).await.unwrap_err());
                errors.push(store.delete(&key, None).await.unwrap_err());
                errors.push(store.tags(&key, None).await.unwrap_err());
            }
            errors.push(store.copy(&key, &copy).await.unwrap_err());
            errors.push(store.complete_upload(&key, &upload, &whole).await.unwrap_err());
            for error in &errors {
                assert_eq!(error.kind, StoreErrorKind::Throttled, "{status}: {}", error.message);
            }
            assert_eq!(canned.asked().len(), errors.len(), "{status} {body:?}, sdk only: {sdk_only}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_start_of_a_run_waits_for_a_store_that_has_too_many_requests() {
    for sdk_only in [false, true] {
        let left = AtomicUsize::new(3);
        let canned = Canned::new(move |_| {
            match left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)) {
                Ok(_) => reply(503, ""),
                Err(_) => reply(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>"),
            }
        });
        open(&canned, sdk_only).await.check().await.unwrap();
        assert_eq!(canned.asked().len(), 4);
    }
}
