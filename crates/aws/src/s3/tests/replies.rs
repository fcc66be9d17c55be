//! What is done with replies that no honest server sends today, but that some server has sent: by the lean path and by the SDK.

use bytes::Bytes;
use longbow_core::failure::{Feature, StoreErrorKind};
use longbow_core::object::{
    Checksums, ETag, Encryption, Md5, ObjectAttributes, ObjectKey, Prefix, Tag, VersionId,
};
use longbow_core::port::{
    ByteRange, CompleteRequest, CopyRequest, CreateRequest, GetRequest, HeadRequest, MultipartStore as _,
    ObjectStore as _, PartRequest, PutBody, PutRequest, ReadPin, UploadId, WriteCondition,
};
use longbow_core::transfer::PartPlan;

use crate::canned::{Canned, OWNER, OWNER_OF_SOURCE, Reply, keys};
use crate::s3::S3Store;
use crate::session::SideOptions;

const MD5: Md5 = Md5([0x11; 16]);

async fn open(canned: &Canned) -> S3Store {
    open_with(canned, SideOptions { endpoint_url: Some("http://127.0.0.1:1".into()), ..keys() }).await
}

async fn open_with(canned: &Canned, options: SideOptions) -> S3Store {
    let sdk_only = module_path!().contains("by_the_sdk");
    canned.store_with(&SideOptions { sdk_only, ..options }).await
}

fn key() -> ObjectKey {
    ObjectKey::from("k")
}

fn pinned(tag: &str) -> ReadPin {
    ReadPin { etag: Some(ETag::new(tag)), version: None }
}

fn copy_of(source: &str) -> CopyRequest {
    CopyRequest {
        source_container: "source".into(),
        source: ObjectKey::from(source),
        pin: pinned("x"),
        attributes: None,
        keep_tags: true,
        condition: WriteCondition::Always,
    }
}

fn complete() -> CompleteRequest {
    CompleteRequest { parts: vec![(1, ETag::new("p1"))], ..Default::default() }
}

fn upload() -> UploadId {
    UploadId("u1".into())
}

fn kept(text: &'static str) -> PutBody {
    PutBody::Kept(vec![Bytes::from_static(text.as_bytes())])
}

fn reply(status: u16, body: &str) -> Option<Reply> {
    Some((status, vec![], body.as_bytes().to_vec()))
}

#[tokio::test(start_paused = true)]
async fn an_error_inside_a_200_reply_is_an_error() {
    let body = "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    let store = open(&Canned::always(200, &[("etag", "\"x\"")], body)).await;
    let range = ByteRange { start: 0, length: 1 };
    for error in [
        store.complete_upload(&key(), &upload(), &complete()).await.unwrap_err(),
        store.copy(&key(), &copy_of("s")).await.unwrap_err(),
        store.copy_part(&key(), &upload(), 1, range, &copy_of("s")).await.unwrap_err(),
        store.list(&Prefix::default(), None).await.unwrap_err(),
    ] {
        assert_eq!((error.kind, error.code.as_deref()), (StoreErrorKind::Denied, Some("AccessDenied")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_200_reply_without_a_tag_is_no_success() {
    for body in ["<CompleteMultipartUploadResult/>", "", "<CopyObjectResult></CopyObjectResult>"] {
        let store = open(&Canned::always(200, &[], body)).await;
        let range = ByteRange { start: 0, length: 1 };
        for error in [
            store.complete_upload(&key(), &upload(), &complete()).await.unwrap_err(),
            store.copy(&key(), &copy_of("s")).await.unwrap_err(),
            store.copy_part(&key(), &upload(), 1, range, &copy_of("s")).await.unwrap_err(),
            store.create_upload(&key(), &CreateRequest::default()).await.unwrap_err(),
        ] {
            assert_eq!(error.kind, StoreErrorKind::Transient, "{body:?}: {}", error.message);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_listing_that_is_cut_short_is_an_error() {
    let whole = "<ListBucketResult><Name>b</Name><EncodingType>url</EncodingType><KeyCount>2</KeyCount>\
                 <IsTruncated>false</IsTruncated>\
                 <Contents><Key>a%2Bb+c</Key><Size>1</Size></Contents>\
                 <Contents><Key>z</Key><Size>2</Size></Contents></ListBucketResult>";
    let store = open(&Canned::always(200, &[], whole)).await;
    let page = store.list(&Prefix::default(), None).await.unwrap();
    assert_eq!(page.objects.iter().map(|o| o.key.as_str()).collect::<Vec<_>>(), ["a+b c", "z"]);
    for cut in (0..whole.len()).step_by(7) {
        let store = open(&Canned::always(200, &[], &whole[..cut])).await;
        let error = store.list(&Prefix::default(), None).await.expect_err(&whole[..cut]);
        assert_eq!(error.kind, StoreErrorKind::Transient, "{}", &whole[..cut]);
    }
}

#[tokio::test]
async fn stores_that_ignore_conditions_or_ranges_are_found_out() {
    let canned = Canned::always(200, &[("etag", "\"new\"")], "0123456789");
    let store = open(&canned).await;
    let request = GetRequest { pin: pinned("old"), ..Default::default() };
    assert_eq!(store.get(&key(), &request).await.unwrap_err().kind, StoreErrorKind::PreconditionFailed);
    let head = HeadRequest { pin: pinned("old"), ..Default::default() };
    assert_eq!(store.head(&key(), &head).await.unwrap_err().kind, StoreErrorKind::PreconditionFailed);
    let range = Some(ByteRange { start: 2, length: 3 });
    let request = GetRequest { pin: pinned("new"), range, ..Default::default() };
    let error = store.get(&key(), &request).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Unsupported(Feature::Other));
    assert!(error.message.contains("ignores ranges"), "{}", error.message);
    assert_eq!(canned.asked()[2].header("range"), Some("bytes=2-4"));
    assert_eq!(canned.asked()[2].header("if-match"), Some("\"new\""));
    let whole = GetRequest { pin: pinned("new"), ..Default::default() };
    assert_eq!(store.get(&key(), &whole).await.unwrap().length, 10);
    let no_tag = open(&Canned::always(200, &[], "x")).await;
    assert_eq!(no_tag.get(&key(), &whole).await.unwrap_err().kind, StoreErrorKind::Permanent);
}

#[tokio::test]
async fn checksums_are_asked_for_whole_objects_only() {
    let canned = Canned::always(
        206,
        &[("content-range", "bytes 0-0/9"), ("etag", "\"x\""), ("x-amz-checksum-crc32", "AAAAAQ==")],
        "0",
    );
    let store = open(&canned).await;
    let range = Some(ByteRange { start: 0, length: 1 });
    let got = store.get(&key(), &GetRequest { range, checksums: true, ..Default::default() }).await.unwrap();
    assert_eq!((got.head.size, got.length, got.head.checksums.crc32), (9, 1, Some(1)));
    assert_eq!(canned.asked()[0].header("x-amz-checksum-mode"), None);
    let _ = store.head(&key(), &HeadRequest { checksums: true, ..Default::default() }).await;
    assert_eq!(canned.asked()[1].header("x-amz-checksum-mode"), Some("ENABLED"));
}

#[tokio::test]
async fn a_write_says_all_that_it_should() {
    let canned = Canned::always(200, &[("etag", "\"t\""), ("x-amz-version-id", "v9")], "");
    let options = SideOptions {
        endpoint_url: Some("http://127.0.0.1:1".into()),
        storage_class: Some("STANDARD_IA".into()),
        encryption: Some(Encryption::Kms { key: Some("alias/k".into()) }),
        requester_pays: true,
        ..keys()
    };
    let store = open_with(&canned, options).await;
    let request = PutRequest {
        attributes: ObjectAttributes {
            content_type: Some("text/x".into()),
            cache_control: Some("no-store".into()),
            content_disposition: Some("inline".into()),
            content_encoding: Some("gzip".into()),
            content_language: Some("de".into()),
            expires: Some("next year".into()),
            website_redirect: Some("/else".into()),
            user: vec![("a".into(), "1".into()), ("b".into(), "é".into())],
            unreadable: 0,
        },
        tags: vec![Tag { key: "k 1".into(), value: "v+".into() }],
        condition: WriteCondition::Absent,
        md5: Some(MD5),
        checksums: Checksums { crc64nvme: Some(1), ..Default::default() },
        modified: None,
    };
    let stream = futures_util::stream::iter([Ok(Bytes::from_static(b"bytes"))]);
    for body in [PutBody::Streamed { length: 5, stream: Box::pin(stream) }, kept("bytes")] {
        let written = store.put(&key(), body, &request).await.unwrap();
        assert_eq!(written.etag, Some(ETag::new("t")));
        assert_eq!(written.version, Some(VersionId("v9".into())));
    }
    for asked in canned.asked() {
        assert_eq!((asked.method.as_str(), &asked.body[..]), ("PUT", &b"bytes"[..]));
        for (name, value) in [
            ("content-length", "5"),
            ("content-type", "text/x"),
            ("cache-control", "no-store"),
            ("content-disposition", "inline"),
            ("content-encoding", "gzip"),
            ("content-language", "de"),
            ("expires", "next year"),
            ("content-md5", "EREREREREREREREREREREQ=="),
            ("if-none-match", "*"),
            ("x-amz-website-redirect-location", "/else"),
            ("x-amz-meta-a", "1"),
            ("x-amz-meta-b", "é"),
            ("x-amz-tagging", "k%201=v%2B"),
            ("x-amz-storage-class", "STANDARD_IA"),
            ("x-amz-server-side-encryption", "aws:kms"),
            ("x-amz-server-side-encryption-aws-kms-key-id", "alias/k"),
            ("x-amz-expected-bucket-owner", OWNER),
            ("x-amz-request-payer", "requester"),
            ("x-amz-checksum-crc64nvme", "AAAAAAAAAAE="),
            ("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        ] {
            assert_eq!(asked.header(name), Some(value), "{name}");
        }
        for absent in ["x-amz-trailer", "x-amz-sdk-checksum-algorithm", "if-match", "transfer-encoding"] {
            assert_eq!(asked.header(absent), None, "{absent}");
        }
    }
}

#[tokio::test]
async fn parts_are_plain_uploads() {
    let canned = Canned::always(200, &[("etag", "\"t\"")], "");
    let store = open(&canned).await;
    let request = PartRequest { number: 7, offset: 0, md5: Some(MD5) };
    store.put_part(&key(), &upload(), kept("abc"), &request).await.unwrap();
    let asked = &canned.asked()[0];
    assert!(asked.uri.contains("partNumber=7") && asked.uri.contains("uploadId=u1"), "{}", asked.uri);
    assert_eq!(asked.header("x-amz-content-sha256"), Some("UNSIGNED-PAYLOAD"));
    assert_eq!(asked.header("content-md5"), Some("EREREREREREREREREREREQ=="));
    assert_eq!(asked.header("x-amz-checksum-crc32"), None);
}

#[tokio::test]
async fn a_whole_is_completed_under_its_condition_and_checksum() {
    let body = "<CompleteMultipartUploadResult><ETag>\"e-1\"</ETag></CompleteMultipartUploadResult>";
    let canned = Canned::always(200, &[], body);
    let store = open(&canned).await;
    let request = CompleteRequest {
        condition: WriteCondition::Matches(ETag::new("before")),
        checksums: Checksums { crc64nvme: Some(1), crc32: Some(1), ..Default::default() },
        size: 9,
        ..complete()
    };
    let written = store.complete_upload(&key(), &upload(), &request).await.unwrap();
    assert_eq!(written.etag, Some(ETag::new("e-1")));
    let asked = &canned.asked()[0];
    assert_eq!(asked.header("if-match"), Some("\"before\""));
    assert_eq!(asked.header("x-amz-checksum-crc64nvme"), Some("AAAAAAAAAAE="));
    assert_eq!(asked.header("x-amz-checksum-type"), Some("FULL_OBJECT"));
    assert_eq!(asked.header("x-amz-checksum-crc32"), None);
    let text = String::from_utf8_lossy(&asked.body);
    assert!(text.contains("<PartNumber>1</PartNumber>") && text.contains("&quot;p1&quot;"), "{text}");
}

#[tokio::test]
async fn a_part_listed_twice_counts_once_or_not_at_all() {
    let canned = Canned::new(|asked| {
        let part = |number: u32, tag: &str, second: u32| {
            format!(
                "<Part><PartNumber>{number}</PartNumber><Size>5</Size><ETag>\"{tag}\"</ETag>\
                 <LastModified>2024-01-02T03:04:{second:02}Z</LastModified></Part>"
            )
        };
        let (more, parts) = if asked.uri.contains("part-number-marker=4") {
            // Number 3 came twice within one second; what came later is known again.
            let parts = [part(3, "x", 3), part(4, "x", 3), part(4, "later", 4), part(5, "e", 1)];
            ("<IsTruncated>false</IsTruncated>", parts.concat())
        } else {
            (
                "<IsTruncated>true</IsTruncated><NextPartNumberMarker>4</NextPartNumberMarker>",
                [part(2, "b", 1), part(1, "last", 2), part(1, "first", 1), part(2, "b", 1)].concat()
                    + &[part(3, "c", 3), part(4, "d", 3)].concat(),
            )
        };
        reply(200, &format!("<ListPartsResult>{more}{parts}</ListPartsResult>"))
    });
    let store = open(&canned).await;
    let parts = store.list_parts(&key(), &upload(), &PartPlan::new(25, 5)).await.unwrap();
    let parts: Vec<_> = parts.iter().map(|p| (p.number, p.etag.as_str())).collect();
    assert_eq!(parts, [(1, "last"), (2, "b"), (4, "later"), (5, "e")]);
}

#[tokio::test]
async fn unfinished_uploads_are_listed_to_the_end() {
    let upload = |key: &str, id: &str| {
        let begun = "<Initiated>2024-01-02T03:04:05.000Z</Initiated>";
        format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId>{begun}</Upload>")
    };
    for (endpoint, sent) in
        [("https://s3.us-east-1.amazonaws.com", "p/a+b%2Bc"), ("http://127.0.0.1:1", "p/a b+c")]
    {
        let canned = Canned::new(move |asked| {
            let rest = if asked.uri.contains("key-marker=p%2Fa%20b%2Bc") {
                format!(
                    "<IsTruncated>false</IsTruncated>{}{}",
                    upload("p/z", "u2"),
                    upload("elsewhere", "u3")
                )
            } else {
                let next = format!(
                    "<NextKeyMarker>{sent}</NextKeyMarker><NextUploadIdMarker>u1</NextUploadIdMarker>"
                );
                format!("<IsTruncated>true</IsTruncated>{next}{}", upload(sent, "u1"))
            };
            let body = format!("<EncodingType>url</EncodingType>{rest}");
            reply(200, &format!("<ListMultipartUploadsResult>{body}</ListMultipartUploadsResult>"))
        });
        let options = SideOptions { endpoint_url: Some(endpoint.into()), ..keys() };
        let store = open_with(&canned, options).await;
        let found = store.list_uploads(&Prefix::folder("p")).await.unwrap();
        let names: Vec<_> = found.iter().map(|u| (u.key.as_str(), u.upload.0.as_str())).collect();
        assert_eq!(names, [("p/a b+c", "u1"), ("p/z", "u2")], "{endpoint}");
        assert!(found[0].initiated.is_some());
    }
}

#[tokio::test]
async fn headers_of_a_part_tell_part_and_whole() {
    let canned = Canned::new(|asked| {
        let tag = ("etag", "\"x-3\"".to_owned());
        if asked.uri.contains("partNumber=1") {
            let parts = ("x-amz-mp-parts-count", "3".to_owned());
            let range = ("content-range", "bytes 0-4/12".to_owned());
            Some((206, vec![tag, parts, range, ("content-length", "5".into())], vec![]))
        } else if asked.uri.contains("partNumber") {
            Some((206, vec![tag, ("content-length", "5".into())], vec![]))
        } else {
            Some((200, vec![tag, ("content-length", "12".into())], vec![]))
        }
    });
    let store = open(&canned).await;
    let first = HeadRequest { part: Some(1), ..Default::default() };
    let head = store.head(&key(), &first).await.unwrap();
    assert_eq!((head.size, head.part_size, head.parts), (12, Some(5), Some(3)));
    let second = HeadRequest { part: Some(2), ..Default::default() };
    let head = store.head(&key(), &second).await.unwrap();
    assert_eq!(
        (head.size, head.part_size),
        (12, Some(5)),
        "asked twice where the store does not tell the whole"
    );
    assert_eq!(canned.asked().len(), 3);
}

#[tokio::test]
async fn metadata_that_is_no_utf_8_is_counted_and_the_object_still_read() {
    let headers = [("etag", "\"x\""), ("x-amz-meta-a", "caf\u{e9}"), ("x-amz-meta-b", "ok")];
    let store = open(&Canned::always(200, &headers, "bytes")).await;
    let got = store.get(&key(), &GetRequest::default()).await.unwrap();
    assert_eq!(got.head.attributes.unreadable, 1);
    assert_eq!(got.head.attributes.user, [("b".to_owned(), "ok".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn requests_whose_bytes_are_at_hand_are_repeated_and_streams_are_not() {
    let canned =
        Canned::new(|_| reply(500, "<Error><Code>InternalError</Code><Message>no</Message></Error>"));
    let store = open(&canned).await;
    let stream = futures_util::stream::iter([Ok(Bytes::from_static(b"abc"))]);
    let streamed = PutBody::Streamed { length: 3, stream: Box::pin(stream) };
    let error = store.put(&key(), streamed, &PutRequest::default()).await.unwrap_err();
    assert_eq!((error.kind, canned.asked().len()), (StoreErrorKind::Transient, 1));
    let error = store.put(&key(), kept("abc"), &PutRequest::default()).await.unwrap_err();
    assert_eq!((error.kind, canned.asked().len()), (StoreErrorKind::Transient, 3));
    assert!(canned.asked().iter().all(|asked| asked.body == "abc"));
}

#[tokio::test]
async fn conditional_copies_and_deletes_look_first_where_the_store_may_not() {
    let canned = Canned::new(|asked| match asked.method.as_str() {
        "HEAD" => Some((200, vec![("etag", "\"now\"".into()), ("content-length", "1".into())], vec![])),
        "DELETE" => reply(204, ""),
        _ => reply(200, "<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>"),
    });
    let store = open(&canned).await;
    let before = ETag::new("before");
    let error = store.delete(&key(), Some(&before)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::PreconditionFailed);
    for condition in [WriteCondition::Absent, WriteCondition::Matches(before)] {
        let request = CopyRequest { condition, ..copy_of("s") };
        let error = store.copy(&key(), &request).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::PreconditionFailed);
    }
    assert!(canned.asked().iter().all(|asked| asked.method == "HEAD"));
    let now = ETag::new("now");
    store.delete(&key(), Some(&now)).await.unwrap();
    store
        .copy(&key(), &CopyRequest { condition: WriteCondition::Matches(now), ..copy_of("s") })
        .await
        .unwrap();
    let copy = canned.asked().last().cloned().unwrap();
    assert_eq!(copy.header("x-amz-copy-source"), Some("source/s"));
    assert_eq!(copy.header("x-amz-copy-source-if-match"), Some("\"x\""));
    assert_eq!(copy.header("x-amz-metadata-directive"), None);
}

#[tokio::test]
async fn what_is_gone_is_no_error_to_remove() {
    let none = "<Error><Code>NoSuchKey</Code></Error>";
    let store = open(&Canned::always(404, &[], none)).await;
    store.delete(&key(), None).await.unwrap();
    store.delete(&key(), Some(&ETag::new("x"))).await.unwrap();
    let store = open(&Canned::always(404, &[], "<Error><Code>NoSuchUpload</Code></Error>")).await;
    store.abort_upload(&key(), &upload()).await.unwrap();
}

#[tokio::test]
async fn an_object_without_a_name_is_refused_before_the_bucket_is_meant() {
    let canned = Canned::always(200, &[("etag", "\"x\"")], "");
    let store = open(&canned).await;
    let none = ObjectKey::from("");
    for error in [
        store.delete(&none, None).await.unwrap_err(),
        store.get(&none, &GetRequest::default()).await.unwrap_err(),
        store.head(&none, &HeadRequest::default()).await.unwrap_err(),
        store.put(&none, kept("x"), &PutRequest::default()).await.unwrap_err(),
    ] {
        assert_eq!(error.kind, StoreErrorKind::InvalidKey);
    }
    assert!(canned.asked().is_empty());
}

#[tokio::test]
async fn keys_reach_the_server_byte_for_byte() {
    let canned = Canned::always(200, &[("etag", "\"x\"")], "");
    let store = open(&canned).await;
    for (name, path) in [
        ("a//b", "/bucket/a//b"),
        ("/a", "/bucket//a"),
        ("a/./b", "/bucket/a/./b"),
        ("a/../b", "/bucket/a/../b"),
        ("..", "/bucket/.."),
        ("+ %41", "/bucket/%2B%20%2541"),
        ("é\n\u{1}?#", "/bucket/%C3%A9%0A%01%3F%23"),
        ("dir/", "/bucket/dir/"),
    ] {
        store.head(&ObjectKey::from(name), &HeadRequest::default()).await.unwrap();
        let uri = canned.asked().last().unwrap().uri.clone();
        assert_eq!(uri.split('?').next().unwrap().strip_prefix("http://127.0.0.1:1"), Some(path));
    }
}

/// The SDK takes such keys for none; every call has to name them all the same, and to sign what it sends.
#[tokio::test]
async fn keys_of_white_space_alone_are_named_by_every_call_and_so_is_the_owner() {
    let canned = Canned::new(|asked| {
        let body = match (asked.method.as_str(), asked.uri.split_once('?').map_or("", |(_, query)| query)) {
            ("DELETE", _) => return reply(204, ""),
            ("POST", query) if query.starts_with("uploads") => {
                "<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>"
            }
            ("POST", _) => {
                "<CompleteMultipartUploadResult><ETag>\"x\"</ETag></CompleteMultipartUploadResult>"
            }
            ("GET", query) if query.contains("tagging") => "<Tagging><TagSet/></Tagging>",
            ("GET", query) if query.contains("uploadId") => {
                "<ListPartsResult><IsTruncated>false</IsTruncated></ListPartsResult>"
            }
            ("PUT", query) if query.contains("x-id=UploadPartCopy") => {
                "<CopyPartResult><ETag>\"x\"</ETag></CopyPartResult>"
            }
            ("PUT", _) if asked.header("x-amz-copy-source").is_some() => {
                "<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>"
            }
            _ => "",
        };
        let headers = vec![("etag", "\"x\"".to_owned())];
        Some((200, headers, body.as_bytes().to_vec()))
    });
    let store = open(&canned).await;
    for (name, path) in [(" ", "%20"), ("\t", "%09"), ("\u{2003}\n", "%E2%80%83%0A"), ("  ", "%20%20")] {
        let (key, part) = (ObjectKey::from(name), PartRequest { number: 1, offset: 0, md5: None });
        let range = ByteRange { start: 0, length: 1 };
        let attributes = ObjectAttributes { expires: Some("later".into()), ..Default::default() };
        let replaced = CopyRequest { attributes: Some(attributes.clone()), ..copy_of(name) };
        let before = canned.asked().len();
        store.put(&key, kept("x"), &PutRequest::default()).await.unwrap();
        store.get(&key, &GetRequest::default()).await.unwrap();
        store.head(&key, &HeadRequest::default()).await.unwrap();
        let _ = store.head(&key, &HeadRequest { part: Some(1), ..Default::default() }).await;
        store.tags(&key, None).await.unwrap();
        store.copy(&key, &copy_of(name)).await.unwrap();
        store.copy(&key, &replaced).await.unwrap();
        store.create_upload(&key, &CreateRequest { attributes, ..Default::default() }).await.unwrap();
        store.put_part(&key, &upload(), kept("x"), &part).await.unwrap();
        store.copy_part(&key, &upload(), 1, range, &copy_of(name)).await.unwrap();
        store.list_parts(&key, &upload(), &PartPlan::new(5, 5)).await.unwrap();
        store.complete_upload(&key, &upload(), &complete()).await.unwrap();
        store.abort_upload(&key, &upload()).await.unwrap();
        store.delete(&key, None).await.unwrap();
        let asked = canned.asked();
        assert!(asked.len() >= before + 14, "each call asks at least once");
        for asked in &asked[before..] {
            let sent = asked.uri.split('?').next().unwrap();
            assert_eq!(sent, format!("http://127.0.0.1:1/bucket/{path}"), "{}", asked.method);
            assert!(asked.header("authorization").is_some());
            let source = asked.header("x-amz-copy-source");
            assert!(source.is_none_or(|source| source == format!("source/{path}")), "{source:?}");
            // Every call says whose the bucket must be, and a copy of both.
            assert_eq!(asked.header("x-amz-expected-bucket-owner"), Some(OWNER), "{}", asked.uri);
            let other = asked.header("x-amz-source-expected-bucket-owner");
            assert_eq!(other, source.map(|_| OWNER_OF_SOURCE), "{}", asked.uri);
        }
    }
}
