//! What the lean path does itself: connections, repetition, and leaving to the SDK what is not its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::StreamExt as _;
use longbow_core::failure::StoreErrorKind;
use longbow_core::object::{ObjectKey, Prefix};
use longbow_core::port::{
    CompleteRequest, CopyRequest, GetRequest, HeadRequest, MultipartStore as _, ObjectStore as _, PutBody,
    PutRequest, UploadId,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::canned::{Canned, Reply, keys};
use crate::s3::S3Store;
use crate::session::{SideOptions, connect};

fn key() -> ObjectKey {
    ObjectKey::from("k")
}

fn kept(text: &'static str) -> PutBody {
    PutBody::Kept(vec![Bytes::from_static(text.as_bytes())])
}

fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Option<Reply> {
    let headers = headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
    Some((status, headers, body.as_bytes().to_vec()))
}

async fn open(canned: &Canned) -> S3Store {
    let options = SideOptions { endpoint_url: Some("http://127.0.0.1:1".into()), ..keys() };
    canned.store_with(&options).await
}

fn by_the_sdk(user_agent: Option<&str>) -> bool {
    !user_agent.unwrap_or_default().starts_with("longbow/")
}

#[tokio::test(start_paused = true)]
async fn reads_are_repeated_as_often_as_the_sdk_would() {
    for failing in [500, 502, 504] {
        let left = AtomicUsize::new(2);
        let canned = Canned::new(move |_| {
            let left = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
            match left {
                Ok(_) => reply(failing, &[], ""),
                Err(_) => reply(200, &[("etag", "\"x\"")], "bytes"),
            }
        });
        assert_eq!(open(&canned).await.get(&key(), &GetRequest::default()).await.unwrap().length, 5);
        assert_eq!(canned.asked().len(), 3);
        assert!(canned.asked().iter().all(|asked| !by_the_sdk(asked.header("user-agent"))));
        let canned = Canned::always(failing, &[], "");
        let error = open(&canned).await.list(&Prefix::default(), None).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Transient);
        assert_eq!(canned.asked().len(), 3);
    }
}

#[tokio::test]
async fn a_token_that_has_expired_is_told_by_both_paths() {
    let words = "<Error><Code>InvalidArgument</Code><Message>The continuation token provided is incorrect</Message></Error>";
    for sdk_only in [false, true] {
        let canned = Canned::always(400, &[], words);
        let options = SideOptions { endpoint_url: Some("http://127.0.0.1:1".into()), sdk_only, ..keys() };
        let store = canned.store_with(&options).await;
        let error = store.list(&Prefix::default(), Some("token")).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::NoSuchPage, "{}", error.message);
        assert_eq!(canned.asked().len(), 1, "what has expired is not asked for again");
        assert_eq!(by_the_sdk(canned.asked()[0].header("user-agent")), sdk_only);
    }
}

/// What the log of an object and Amazon's support call a request.
#[tokio::test]
async fn replies_tell_the_name_of_their_request_by_both_paths() {
    for sdk_only in [false, true] {
        let canned = Canned::new(|asked| {
            let headers = [("etag", "\"x\""), ("x-amz-request-id", "R7")];
            let completed = "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>";
            let copied = "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>";
            match asked.method.as_str() {
                "POST" => reply(200, &headers, completed),
                "PUT" if asked.header("x-amz-copy-source").is_some() => reply(200, &headers, copied),
                "PUT" => reply(200, &headers, ""),
                _ => reply(200, &headers, "bytes"),
            }
        });
        let options = SideOptions { endpoint_url: Some("http://127.0.0.1:1".into()), sdk_only, ..keys() };
        let store = canned.store_with(&options).await;
        let got = store.get(&key(), &GetRequest::default()).await.unwrap().head.request_id;
        let head = store.head(&key(), &HeadRequest::default()).await.unwrap().request_id;
        let put = store.put(&key(), kept("bytes"), &PutRequest::default()).await.unwrap().request_id;
        let parts = vec![(1, longbow_core::object::ETag::new("x"))];
        let whole = CompleteRequest { parts, size: 5, ..Default::default() };
        let upload = UploadId("u".into());
        let completed = store.complete_upload(&key(), &upload, &whole).await.unwrap().request_id;
        let copy = CopyRequest {
            source_container: "other".into(),
            source: key(),
            pin: Default::default(),
            attributes: None,
            keep_tags: true,
            condition: Default::default(),
        };
        let copied = store.copy(&key(), &copy).await.unwrap().request_id;
        for (call, id) in [("get", got), ("head", head), ("put", put), ("end", completed), ("copy", copied)] {
            assert_eq!(id.as_deref(), Some("R7"), "{call}, sdk only: {sdk_only}");
        }
    }
}

#[tokio::test]
async fn what_is_sent_elsewhere_is_asked_by_the_sdk() {
    let skewed = "<Error><Code>RequestTimeTooSkewed</Code><Message>late</Message></Error>";
    for (status, body) in [(307, ""), (301, ""), (403, skewed)] {
        let canned = Canned::new(move |asked| match by_the_sdk(asked.header("user-agent")) {
            true => reply(200, &[("etag", "\"x\"")], "bytes"),
            false => reply(status, &[], body),
        });
        let store = open(&canned).await;
        assert_eq!(store.get(&key(), &GetRequest::default()).await.unwrap().length, 5);
        store.put(&key(), kept("bytes"), &PutRequest::default()).await.unwrap();
        if status != 403 {
            // Without a body, the reply to HEAD does not say why.
            store.head(&key(), &HeadRequest::default()).await.unwrap();
        }
        assert_eq!(canned.asked().len(), if status == 403 { 4 } else { 6 }, "{status}");
        assert!(canned.asked().iter().filter(|a| a.method == "PUT").all(|a| a.body == "bytes"));
    }
    // It says when: the server's clock tells that ours is wrong.
    let canned = Canned::new(|asked| match by_the_sdk(asked.header("user-agent")) {
        true => reply(200, &[("etag", "\"x\"")], ""),
        false => reply(403, &[("date", "Wed, 21 Oct 2015 07:28:00 GMT")], ""),
    });
    open(&canned).await.head(&key(), &HeadRequest::default()).await.unwrap();
}

#[tokio::test]
async fn refusals_are_final_at_once() {
    for (status, code, kind) in [
        (404, "NoSuchKey", StoreErrorKind::NotFound),
        (403, "AccessDenied", StoreErrorKind::Denied),
        (412, "PreconditionFailed", StoreErrorKind::PreconditionFailed),
        (403, "ExpiredToken", StoreErrorKind::Credentials),
    ] {
        let body = format!("<Error><Code>{code}</Code><Message>no &amp; never</Message></Error>");
        let canned = Canned::always(status, &[("x-amz-request-id", "r7")], &body);
        let error = open(&canned).await.get(&key(), &GetRequest::default()).await.unwrap_err();
        assert_eq!((error.kind, error.code.as_deref()), (kind, Some(code)));
        let told = format!("GetObject of s3://bucket/k: {status} {code}: no & never (request r7)");
        assert!(error.message.starts_with(&told), "{}", error.message);
        assert_eq!(canned.asked().len(), 1);
    }
}

/// A server that reads one request at a time from each connection and does with it what the test says.
async fn server<F, A>(act: A) -> (S3Store, Arc<AtomicUsize>)
where
    A: Fn(usize, TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(act(count.fetch_add(1, Ordering::Relaxed), stream));
        }
    });
    let options = SideOptions {
        endpoint_url: Some(url),
        stall_timeout: std::time::Duration::from_millis(300),
        ..keys()
    };
    (connect("bucket", &options).await.unwrap(), connections)
}

/// Reads a request's head; its end comes in one piece from a client on this machine.
async fn head_of(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await.ok()?);
    }
    String::from_utf8(text).ok()
}

const WHOLE: &[u8] = b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 5\r\n\r\nbytes";

async fn read(store: &S3Store) -> Result<Vec<u8>, longbow_core::failure::StoreError> {
    let mut stream = store.get(&key(), &GetRequest::default()).await?.stream;
    let mut whole = Vec::new();
    while let Some(frame) = stream.next().await {
        whole.extend_from_slice(&frame?);
    }
    Ok(whole)
}

#[tokio::test]
async fn connections_are_used_again_until_the_server_closes_them() {
    let (store, connections) = server(|_, mut stream| async move {
        // Two requests a connection, and the second is followed by a close that nobody announced.
        for _ in 0..2 {
            let Some(_) = head_of(&mut stream).await else { return };
            stream.write_all(WHOLE).await.unwrap();
        }
    })
    .await;
    for _ in 0..6 {
        assert_eq!(read(&store).await.unwrap(), b"bytes");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn a_body_that_is_not_read_to_its_end_costs_its_connection_only() {
    let (store, connections) = server(|_, mut stream| async move {
        while head_of(&mut stream).await.is_some() {
            stream.write_all(WHOLE).await.unwrap();
        }
    })
    .await;
    for _ in 0..3 {
        drop(store.get(&key(), &GetRequest::default()).await.unwrap());
        assert_eq!(read(&store).await.unwrap(), b"bytes");
    }
    assert_eq!(connections.load(Ordering::Relaxed), 4, "the last connection serves on");
}

#[tokio::test]
async fn many_requests_at_once_do_not_disturb_each_other() {
    let (store, _) = server(|number, mut stream| async move {
        while let Some(head) = head_of(&mut stream).await {
            let name = head.split_whitespace().nth(1).unwrap().rsplit('/').next().unwrap().to_owned();
            // In two pieces, and every third connection closes after its first answer.
            let (first, second) = name.split_at(1);
            let head =
                format!("HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: {}\r\n\r\n{first}", name.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            tokio::task::yield_now().await;
            stream.write_all(second.as_bytes()).await.unwrap();
            if number % 3 == 0 {
                return;
            }
        }
    })
    .await;
    let store = &store;
    let read = |n: u32| async move {
        let name = format!("name-{n}");
        let body = store.get(&ObjectKey::from(name.as_str()), &GetRequest::default()).await.unwrap();
        let frames: Vec<Bytes> = body.stream.map(Result::unwrap).collect().await;
        assert_eq!(frames.concat(), name.as_bytes());
    };
    futures_util::stream::iter(0..300).map(read).buffer_unordered(20).collect::<Vec<()>>().await;
}

#[tokio::test]
async fn a_body_that_stands_still_or_breaks_off_is_an_error() {
    for (closes, words) in [(true, "broke off"), (false, "nothing came for 0.3 seconds")] {
        let (store, _) = server(move |_, mut stream| async move {
            head_of(&mut stream).await;
            stream.write_all(&WHOLE[..WHOLE.len() - 2]).await.unwrap();
            if !closes {
                std::future::pending::<()>().await;
            }
        })
        .await;
        let error = read(&store).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Transient);
        assert!(error.message.contains(words), "{}", error.message);
        assert!(error.message.contains("3 of 5 bytes"), "{}", error.message);
    }
}

#[tokio::test]
async fn a_server_that_takes_no_bytes_is_told() {
    let (store, _) = server(|_, stream| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let frames = futures_util::stream::repeat_with(|| Ok(Bytes::from(vec![0; 1 << 20]))).take(64);
    let body = PutBody::Streamed { length: 64 << 20, stream: Box::pin(frames) };
    let error = store.put(&key(), body, &PutRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient);
    assert!(error.message.contains("took no bytes for 0.3 seconds"), "{}", error.message);
}

#[tokio::test]
async fn an_early_refusal_of_a_write_is_read_and_its_connection_given_up() {
    let (store, connections) = server(|number, mut stream| async move {
        head_of(&mut stream).await;
        if number == 0 {
            let body = "<Error><Code>AccessDenied</Code></Error>";
            let head = format!("HTTP/1.1 403 Forbidden\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        }
        stream.write_all(WHOLE).await.unwrap();
    })
    .await;
    let frames = futures_util::stream::repeat_with(|| Ok(Bytes::from(vec![0; 1 << 20]))).take(64);
    let body = PutBody::Streamed { length: 64 << 20, stream: Box::pin(frames) };
    let error = store.put(&key(), body, &PutRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied, "{}", error.message);
    assert_eq!(read(&store).await.unwrap(), b"bytes");
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn replies_that_are_no_xml_are_told_and_bounded() {
    let page = |key: &str| {
        let entry = format!("<Contents>{key}<Size>1</Size></Contents>");
        format!("<ListBucketResult><IsTruncated>false</IsTruncated>{entry}</ListBucketResult>")
    };
    for body in [
        "",
        "no XML",
        "<a><b></a>",
        "<ListBucketResult/><x/>",
        &"<a>".repeat(100),
        // Each of these was taken for the key `c`, or for a page without keys.
        &page("<Key>a<b>x</b>c</Key>"),
        &page("<Key>a<b/>c</Key>"),
        &page("<Key><b>x</b>c</Key>"),
        &page("<Key>c</Key>a"),
        &page("<Key>a]]>c</Key>"),
        &page("<Key>c</Key><ETag>]]></ETag>"),
        &(page("<Key>c</Key>") + "a"),
        &page("<Key>c</Key>").replace("Contents>", "Contents/Key>"),
        // What is wrong repeats the name of the element.
        &format!("<a{0}></b{0}>", "\u{7f}".repeat(50_000)),
    ] {
        let canned = Canned::always(200, &[], body);
        let error = open(&canned).await.list(&Prefix::default(), None).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Transient, "{body}: {}", error.message);
        assert!(error.message.contains("cannot be read") || error.message.contains("does not say"));
        assert!(!error.message.contains(char::is_control) && error.message.len() < 1000, "{}", error.message);
    }
}

/// The start of a listing is encoded as any parameter, and given with the first page only: S3 goes on from a token.
#[tokio::test]
async fn a_listing_begins_after_a_key_by_both_ways() {
    let page =
        |more: &str| format!("<ListBucketResult><EncodingType>url</EncodingType>{more}</ListBucketResult>");
    for sdk_only in [false, true] {
        let last = page("<IsTruncated>false</IsTruncated>");
        let first =
            page("<IsTruncated>true</IsTruncated><NextContinuationToken>t/+=</NextContinuationToken>");
        let canned = Canned::new(move |asked| match asked.uri.contains("continuation-token") {
            true => reply(200, &[], &last),
            false => reply(200, &[], &first),
        });
        let options = SideOptions { endpoint_url: Some("http://127.0.0.1:1".into()), sdk_only, ..keys() };
        let store = canned.store_with(&options).await;
        let after = ObjectKey::from("p/a+b c%41&x=é\n/");
        let found = store.list_from(&Prefix::raw("p/"), Some(&after), None).await.unwrap();
        store.list_from(&Prefix::raw("p/"), Some(&after), found.next.as_deref()).await.unwrap();
        let asked: Vec<String> = canned.asked().into_iter().map(|asked| asked.uri).collect();
        let start = "start-after=p%2Fa%2Bb%20c%2541%26x%3D%C3%A9%0A%2F";
        assert!(asked[0].split(['?', '&']).any(|part| part == start), "{}", asked[0]);
        assert!(!asked[1].contains("start-after"), "{}", asked[1]);
        assert!(asked[1].contains("continuation-token=t%2F%2B%3D"), "{}", asked[1]);
    }
}
