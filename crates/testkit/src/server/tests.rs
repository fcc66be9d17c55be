//! The server over raw connections, without a client library. Signatures are tested by real clients elsewhere; here
//! requests are not signed, save one that has to be refused for that.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{Server, ServerOptions, listen, serve};
use crate::fake::{FakeS3, FakeStore};
use crate::generate;
use std::sync::Arc;

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One request on a connection of its own. `head` is the request line and the headers.
async fn ask(addr: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    let (line, headers) = head.split_once('\n').unwrap_or((head, ""));
    let headers: String = headers.lines().map(|line| format!("{}\r\n", line.trim())).collect();
    let head = format!("{line} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n{length}{headers}\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let headers = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = headers.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, headers, body: answer[end + 4..].to_vec() }
}

async fn world() -> (Arc<FakeStore>, Server) {
    let fake = FakeS3::new();
    let store = fake.create_bucket("bucket");
    let server = listen(fake, None, None).await.unwrap();
    (store, server)
}

#[tokio::test]
async fn objects_go_in_and_out() {
    let (store, server) = world().await;
    let bytes = generate::bytes(1, 300_000);
    let head = "PUT /bucket/a%20b/%2541%0A//x\ncontent-type: text/x\nx-amz-meta-Who: me\nx-amz-tagging: a=b%20c\ncontent-length: 300000";
    let put = ask_with_length(server.addr, head, &bytes).await;
    assert_eq!(put.status, 200, "{}", put.text());
    let object = store.object("a b/%41\n//x").expect("the key arrived as it is");
    assert_eq!(put.header("etag"), Some(object.etag.quoted().as_str()));
    assert_eq!(object.content.to_vec().unwrap(), bytes);
    assert_eq!(object.attributes.user, [("who".to_owned(), "me".to_owned())]);

    let got = ask(server.addr, "GET /bucket/a%20b/%2541%0A//x\nx-amz-checksum-mode: ENABLED", b"").await;
    assert_eq!((got.status, got.body == bytes), (200, true));
    assert_eq!(got.header("content-length"), Some("300000"));
    assert_eq!(got.header("x-amz-tagging-count"), Some("1"));
    assert_eq!(got.header("x-amz-checksum-type"), Some("FULL_OBJECT"));

    let range = ask(server.addr, "GET /bucket/a%20b/%2541%0A//x\nrange: bytes=65530-65545", b"").await;
    assert_eq!((range.status, &range.body[..]), (206, &bytes[65_530..65_546]));
    assert_eq!(range.header("content-range"), Some("bytes 65530-65545/300000"));
    let beyond = ask(server.addr, "GET /bucket/a%20b/%2541%0A//x\nrange: bytes=300000-", b"").await;
    assert_eq!(beyond.status, 416);
    let stale =
        ask(server.addr, "GET /bucket/a%20b/%2541%0A//x\nif-match: \"00\"\nrange: bytes=0-1", b"").await;
    assert_eq!(stale.status, 412);
    let headed = ask(server.addr, "HEAD /bucket/a%20b/%2541%0A//x", b"").await;
    assert_eq!((headed.status, headed.header("content-length")), (200, Some("300000")));
    assert_eq!(ask(server.addr, "HEAD /bucket/nothing", b"").await.status, 404);
    assert_eq!(ask(server.addr, "GET /nowhere/nothing", b"").await.status, 404);
}

/// As [`ask`] for heads that state the length themselves.
async fn ask_with_length(addr: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let head = head.lines().filter(|line| !line.starts_with("content-length")).collect::<Vec<_>>().join("\n");
    ask(addr, &head, body).await
}

#[tokio::test]
async fn what_is_not_right_is_not_stored() {
    let (store, server) = world().await;
    let wrong = ask(server.addr, "PUT /bucket/key\ncontent-md5: 1B2M2Y8AsgTpgAmY7PhCfg==", b"abc").await;
    assert_eq!((wrong.status, wrong.text().contains("BadDigest")), (400, true));
    let wrong = ask(server.addr, "PUT /bucket/key\nx-amz-checksum-crc32c: AAAAAA==", b"abc").await;
    assert_eq!((wrong.status, wrong.text().contains("BadDigest")), (400, true));
    assert!(store.keys().is_empty());

    // A connection that breaks off in mid-body.
    let mut stream = TcpStream::connect(server.addr).await.unwrap();
    let head = format!("PUT /bucket/cut HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000\r\n\r\n", server.addr);
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&[7; 500]).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert!(store.keys().is_empty());

    assert_eq!(ask(server.addr, "PUT /bucket/key\nif-none-match: *", b"abc").await.status, 200);
    assert_eq!(ask(server.addr, "PUT /bucket/key\nif-none-match: *", b"def").await.status, 412);
    assert_eq!(ask(server.addr, "PUT /bucket/key\nif-match: \"00\"", b"def").await.status, 412);
    assert_eq!(ask(server.addr, "PUT /bucket/gone\nif-match: \"00\"", b"def").await.status, 404);
    assert_eq!(store.get_bytes("key").unwrap(), b"abc");
}

#[tokio::test]
async fn listings_are_encoded_and_paged() {
    let (store, server) = world().await;
    let mut expected = generate::odd_keys(0);
    for key in &expected {
        store.put_bytes(key, b"");
    }
    expected.sort();
    let mut found = Vec::new();
    let mut token = String::new();
    loop {
        let query = format!("GET /bucket?list-type=2&encoding-type=url&max-keys=7{token}");
        let page = ask(server.addr, &query, b"").await;
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        for piece in text.split("<Key>").skip(1) {
            let key = piece.split("</Key>").next().unwrap().replace('+', " ");
            found.push(percent_encoding::percent_decode_str(&key).decode_utf8().unwrap().into_owned());
        }
        match text.split("<NextContinuationToken>").nth(1) {
            Some(rest) => {
                let next = rest.split('<').next().unwrap();
                token = format!("&continuation-token={next}");
            }
            None => break,
        }
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn parts_become_an_object() {
    let (store, server) = world().await;
    store.configure(|settings| settings.min_part = 1000);
    let created = ask(server.addr, "POST /bucket/k?uploads\nx-amz-checksum-algorithm: CRC64NVME", b"").await;
    let text = created.text();
    let id = text.split("<UploadId>").nth(1).unwrap().split('<').next().unwrap();
    let mut named = String::new();
    for (number, size) in [(1, 1000), (2, 10)] {
        let head = format!("PUT /bucket/k?partNumber={number}&uploadId={id}");
        let sent = ask(server.addr, &head, &generate::bytes(number, size)).await;
        assert_eq!(sent.status, 200, "{}", sent.text());
        let etag = sent.header("etag").unwrap();
        named.push_str(&format!("<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"));
    }
    let listed = ask(server.addr, &format!("GET /bucket/k?uploadId={id}&max-parts=1"), b"").await.text();
    assert!(
        listed.contains("<IsTruncated>true</IsTruncated>") && listed.contains("<Size>1000</Size>"),
        "{listed}"
    );
    let uploads = ask(server.addr, "GET /bucket?uploads&prefix=k", b"").await.text();
    assert!(uploads.contains(id), "{uploads}");
    let body = format!("<CompleteMultipartUpload>{named}</CompleteMultipartUpload>");
    let ended = ask(server.addr, &format!("POST /bucket/k?uploadId={id}"), body.as_bytes()).await;
    assert_eq!(ended.status, 200, "{}", ended.text());
    assert!(ended.text().contains("-2"), "{}", ended.text());
    let part = ask(server.addr, "HEAD /bucket/k?partNumber=2", b"").await;
    assert_eq!(part.header("content-length"), Some("10"));
    assert_eq!(part.header("x-amz-mp-parts-count"), Some("2"));
    let again = ask(server.addr, &format!("POST /bucket/k?uploadId={id}"), body.as_bytes()).await;
    assert_eq!((again.status, again.text().contains("NoSuchUpload")), (404, true));
}

#[tokio::test]
async fn nobody_without_a_signature_gets_in_and_dropping_closes() {
    let fake = FakeS3::new();
    fake.create_bucket("bucket").put_bytes("key", b"secret");
    let options = ServerOptions { access_key: "ak".into(), secret_key: "sk".into() };
    assert!(!format!("{options:?}").contains("sk"));
    let server = serve(fake, options).await.unwrap();
    let refused = ask(server.addr, "GET /bucket/key", b"").await;
    assert_eq!((refused.status, refused.text().contains("secret")), (403, false));

    let addr = server.addr;
    let mut open = TcpStream::connect(addr).await.unwrap();
    drop(server);
    let mut rest = Vec::new();
    // The connection ends one way or the other.
    let _ = open.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
    assert!(TcpStream::connect(addr).await.is_err(), "the port is still open");
}
