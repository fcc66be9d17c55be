//! What the contract suites leave to each adapter: pages, digests, failures in mid-write, and messages at start.

mod servers;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use longbow_aws::{S3Store, SideOptions, connect};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Md5, ObjectKey, Prefix};
use longbow_core::port::{
    CompleteRequest, CopyRequest, CreateRequest, GetRequest, HeadRequest, MultipartStore as _,
    ObjectStore as _, PartRequest, PutBody, PutRequest, ReadPin, WriteCondition,
};
use longbow_core::transfer::PartPlan;
use servers::Server;

fn kept(text: &str) -> PutBody {
    PutBody::Kept(vec![Bytes::copy_from_slice(text.as_bytes())])
}

async fn put(store: &S3Store, key: &str) {
    store.put(&ObjectKey::from(key), kept(key), &PutRequest::default()).await.unwrap();
}

#[tokio::test]
async fn pages_together_are_the_whole_listing() {
    for server in servers::all() {
        let store = server.bucket("pages").await;
        let wanted: BTreeSet<String> = (0..1203).map(|n| format!("p/{:04}+ %/{n}", n / 3)).collect();
        let store = &store;
        stream::iter(&wanted).for_each_concurrent(24, |key| put(store, key)).await;
        put(store, "outside").await;
        let mut found = Vec::new();
        let mut page = None;
        let mut pages = 0;
        loop {
            let got = store.list(&Prefix::folder("p"), page.as_deref()).await.unwrap();
            found.extend(got.objects.into_iter().map(|o| o.key.as_str().to_owned()));
            pages += 1;
            page = got.next;
            if page.is_none() {
                break;
            }
        }
        assert!(pages >= 2, "{}", server.name);
        assert_eq!(found.len(), wanted.len(), "{}", server.name);
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), wanted, "{}", server.name);
    }
}

#[tokio::test]
async fn pages_of_uploads_together_are_all_of_them() {
    for server in servers::all() {
        let store = server.bucket("uploads").await;
        let store = &store;
        let begin = |n: usize| async move {
            // Some keys have several uploads.
            let key = ObjectKey::new(format!("p/{:04}+ %", n / 2 * 2));
            let upload = store.create_upload(&key, &CreateRequest::default()).await.unwrap();
            (key.as_str().to_owned(), upload.0)
        };
        let mut begun: BTreeSet<_> = stream::iter(0..1003).map(begin).buffer_unordered(24).collect().await;
        store.create_upload(&ObjectKey::from("outside"), &CreateRequest::default()).await.unwrap();
        let (mut marker, mut pages) = (None, 0);
        loop {
            let page = store.uploads_page(&Prefix::folder("p"), marker.as_ref()).await.unwrap();
            pages += 1;
            for found in page.uploads {
                assert!(found.initiated.is_some(), "{}", server.name);
                let name = (found.key.as_str().to_owned(), found.upload.0);
                assert!(begun.remove(&name), "{}: {name:?} twice, or never begun", server.name);
            }
            marker = page.next;
            if marker.is_none() {
                break;
            }
        }
        // SeaweedFS gives them all at once; the wire tests have the pages.
        assert!(begun.is_empty(), "{}: {} are missing after {pages} pages", server.name, begun.len());
    }
}

#[tokio::test]
async fn bytes_that_do_not_fit_their_digest_are_refused() {
    for server in servers::all() {
        let store = server.bucket("digest").await;
        let key = ObjectKey::from("k");
        let wrong = Some(Md5([1; 16]));
        let request = PutRequest { md5: wrong, ..PutRequest::default() };
        let error = store.put(&key, kept("bytes"), &request).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "{}: {}", server.name, error.message);
        let upload = store.create_upload(&key, &CreateRequest::default()).await.unwrap();
        let request = PartRequest { number: 1, offset: 0, md5: wrong };
        let error = store.put_part(&key, &upload, kept("bytes"), &request).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Corrupt, "{}: {}", server.name, error.message);
        store.abort_upload(&key, &upload).await.unwrap();
        let gone = store.head(&key, &HeadRequest::default()).await.unwrap_err();
        assert_eq!(gone.kind, StoreErrorKind::NotFound, "{}", server.name);
    }
}

#[tokio::test]
async fn a_source_that_fails_in_mid_write_leaves_nothing() {
    for server in servers::all() {
        let store = server.bucket("midway").await;
        let key = ObjectKey::from("k");
        let failing = |good: usize| {
            let frame = Bytes::from(vec![7; 64 << 10]);
            let mut frames: Vec<Result<Bytes, StoreError>> = (0..good).map(|_| Ok(frame.clone())).collect();
            frames.push(Err(StoreError::new(StoreErrorKind::PreconditionFailed, "the source has changed")));
            PutBody::Streamed { length: (frame.len() * 8) as u64, stream: Box::pin(stream::iter(frames)) }
        };
        // After all bytes as well: the last frame waits for the end of the stream.
        for good in [0, 3, 8] {
            let error = store.put(&key, failing(good), &PutRequest::default()).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::PreconditionFailed, "{}", server.name);
            assert_eq!(error.message, "the source has changed");
            let gone = store.head(&key, &HeadRequest::default()).await.unwrap_err();
            assert_eq!(gone.kind, StoreErrorKind::NotFound, "{} after {good}", server.name);
        }
        put(&store, "k").await;
    }
}

#[tokio::test]
async fn a_part_sent_again_is_the_one_that_counts() {
    for server in servers::all() {
        let store = server.bucket("again").await;
        let key = ObjectKey::from("k");
        let upload = store.create_upload(&key, &CreateRequest::default()).await.unwrap();
        let request = PartRequest { number: 1, offset: 0, md5: None };
        let mut last = None;
        for text in ["first", "second", "third"] {
            last = store.put_part(&key, &upload, kept(text), &request).await.unwrap().etag;
        }
        let last = last.expect("parts have tags");
        let listed = store.list_parts(&key, &upload, &PartPlan::new(5, 5)).await.unwrap();
        assert!(listed.iter().all(|part| part.etag == last), "{}: {listed:?} is not {last}", server.name);
        let request = CompleteRequest { parts: vec![(1, last)], size: 5, ..CompleteRequest::default() };
        store.complete_upload(&key, &upload, &request).await.unwrap();
        let body = store.get(&key, &GetRequest::default()).await.unwrap();
        let frames: Vec<_> = body.stream.map(|frame| frame.unwrap()).collect().await;
        assert_eq!(frames.concat(), b"third", "{}", server.name);
    }
}

/// The servers check the signatures of names that the SDK does not take (`s3/naming.rs`).
#[tokio::test]
async fn keys_of_white_space_alone_are_objects_like_others() {
    let by_both = servers::all().into_iter().chain(servers::all().into_iter().map(Server::by_the_sdk));
    for server in by_both {
        let store = server.bucket("blank").await;
        let container = store.traits().container;
        let names = ["  ", "\t", "\u{2003}", "\u{3000} "];
        for (key, other) in names.iter().zip(names.iter().cycle().skip(1)) {
            let (key, other) = (ObjectKey::from(*key), ObjectKey::from(*other));
            let said = format!("{} {key:?}", server.name);
            let etag = store.put(&key, kept("blank"), &PutRequest::default()).await.unwrap().etag;
            assert_eq!(store.head(&key, &HeadRequest::default()).await.unwrap().etag, etag, "{said}");
            assert_eq!(store.get(&key, &GetRequest::default()).await.unwrap().length, 5, "{said}");
            assert!(store.tags(&key, None).await.unwrap().is_empty(), "{said}");
            let copy = CopyRequest {
                source_container: container.clone(),
                source: key.clone(),
                pin: ReadPin { etag: etag.clone(), version: None },
                attributes: None,
                keep_tags: true,
                condition: WriteCondition::Always,
            };
            assert_eq!(store.copy(&other, &copy).await.unwrap().etag, etag, "{said}");
            store.delete(&other, etag.as_ref()).await.unwrap();
            let upload = store.create_upload(&other, &CreateRequest::default()).await.unwrap();
            let part = PartRequest { number: 1, offset: 0, md5: None };
            let sent = store.put_part(&other, &upload, kept("in parts"), &part).await.unwrap();
            let listed = store.list_parts(&other, &upload, &PartPlan::new(8, 8)).await.unwrap();
            assert_eq!(listed.len(), 1, "{said}");
            let found = store.list_uploads(&Prefix::raw(other.as_str())).await.unwrap();
            assert!(found.iter().any(|u| u.key == other && u.upload == upload), "{said}: {found:?}");
            let request =
                CompleteRequest { parts: vec![(1, sent.etag.unwrap())], size: 8, ..Default::default() };
            store.complete_upload(&other, &upload, &request).await.unwrap();
            let part = HeadRequest { part: Some(1), ..Default::default() };
            assert_eq!(store.head(&other, &part).await.unwrap().size, 8, "{said}");
            let page = store.list(&Prefix::default(), None).await.unwrap();
            let keys: BTreeSet<_> = page.objects.into_iter().map(|o| o.key).collect();
            assert_eq!(keys, BTreeSet::from([key.clone(), other.clone()]), "{said}");
            let upload = store.create_upload(&key, &CreateRequest::default()).await.unwrap();
            store.abort_upload(&key, &upload).await.unwrap();
            store.delete(&key, None).await.unwrap();
            store.delete(&other, None).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_missing_bucket_is_named() {
    for server in servers::all() {
        let error = server.open("lb-there-is-no-such-bucket").await.check().await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::NoSuchBucket, "{}: {}", server.name, error.message);
        assert!(error.message.contains("s3://lb-there-is-no-such-bucket"), "{}", error.message);
    }
}

#[tokio::test]
async fn wrong_keys_are_told_without_showing_them() {
    let Some(server) = servers::seaweedfs() else { return };
    let right = server.options();
    let unknown = SideOptions { access_key: Some("UNKNOWNKEY".into()), ..right.clone() };
    let wrong = SideOptions { secret_key: Some("not-the-secret".into()), ..right };
    for (options, words) in
        [(unknown, "unknown to this endpoint"), (wrong, "does not belong to this access key")]
    {
        let error = connect("any", &options).await.unwrap().check().await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Credentials, "{}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
        assert!(!error.message.contains("not-the-secret"));
    }
}

#[tokio::test]
async fn nobody_is_denied() {
    let Some(server) = servers::seaweedfs() else { return };
    let store = server.bucket("private").await;
    let options = SideOptions { anonymous: true, access_key: None, secret_key: None, ..server.options() };
    let bucket = store.traits().container;
    let error = connect(&bucket, &options).await.unwrap().check().await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied, "{}", error.message);
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens_is_told_soon() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = SideOptions {
        endpoint_url: Some(format!("http://127.0.0.1:{port}")),
        access_key: Some("a".into()),
        secret_key: Some("b".into()),
        ..SideOptions::default()
    };
    let begun = Instant::now();
    let error = connect("any", &options).await.unwrap().check().await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient, "{}", error.message);
    assert!(error.message.contains("refused") && error.message.contains("endpoint"), "{}", error.message);
    assert!(begun.elapsed() < Duration::from_secs(10));
}
