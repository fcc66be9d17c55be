//! What is made of pages of versions, also of such as only a strange server sends.

use longbow_core::failure::StoreErrorKind;
use longbow_core::object::{ObjectKey, Prefix, VersionId};
use longbow_core::port::ObjectStore as _;

use crate::canned::{Canned, keys};
use crate::s3::S3Store;
use crate::session::SideOptions;

const HEAD: &str = "<ListVersionsResult><Name>b</Name><EncodingType>url</EncodingType>";

fn version(key: &str, id: &str, latest: &str) -> String {
    format!(
        "<Version><Key>{key}</Key><VersionId>{id}</VersionId>{latest}<ETag>&quot;e&quot;</ETag><Size>3</Size>\
         <LastModified>2024-01-02T03:04:05.000Z</LastModified></Version>"
    )
}

const NEWEST: &str = "<IsLatest>true</IsLatest>";
const OLD: &str = "<IsLatest>false</IsLatest>";

async fn open(canned: &Canned) -> S3Store {
    canned.store_with(&SideOptions { endpoint_url: Some("http://127.0.0.1:1".into()), ..keys() }).await
}

#[tokio::test(start_paused = true)]
async fn only_what_a_key_has_now_is_listed() {
    let body = format!(
        "{HEAD}<IsTruncated>true</IsTruncated><NextKeyMarker>c%2Bd+%C3%A9</NextKeyMarker>\
         <NextVersionIdMarker>v7</NextVersionIdMarker>{}{}{}{}<DeleteMarker><Key>d</Key><VersionId>v9</VersionId>\
         {NEWEST}</DeleteMarker></ListVersionsResult>",
        version("a%2Bb+c", "v2", NEWEST),
        version("a%2Bb+c", "v1", OLD),
        version("b", "null", NEWEST),
        version("d", "v8", OLD),
    );
    let canned = Canned::always(200, &[], &body);
    let store = open(&canned).await;
    let page = store.list_versions(&Prefix::default(), None, None).await.unwrap();
    let found: Vec<_> = page.objects.iter().map(|o| (o.key.as_str(), o.version.clone())).collect();
    // LBB-52: `null` is no version to ask for.
    assert_eq!(found, [("a+b c", Some(VersionId("v2".into()))), ("b", None)]);
    let first = canned.asked().remove(0).uri.to_string();
    assert!(first.contains("versions") && !first.contains("marker"), "{first}");
    // The next page is asked for by both markers, the key as it is called.
    let next = page.next.unwrap();
    let error = store.list_versions(&Prefix::default(), None, Some(&next)).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient, "the same page again: {}", error.message);
    let second = canned.asked().pop().unwrap().uri.to_string();
    assert!(
        second.contains("key-marker=c%2Bd%20%C3%A9&") && second.contains("version-id-marker=v7"),
        "{second}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_page_that_may_be_incomplete_is_an_error() {
    let entry = version("a", "v1", NEWEST);
    for (rest, why) in [
        (format!("{entry}</ListVersionsResult>"), "whether more follow"),
        (format!("<IsTruncated>true</IsTruncated>{entry}</ListVersionsResult>"), "but not where"),
        (
            format!(
                "<IsTruncated>true</IsTruncated><NextKeyMarker>%zz</NextKeyMarker>{entry}</ListVersionsResult>"
            ),
            "not encoded",
        ),
        (
            format!("<IsTruncated>false</IsTruncated>{}</ListVersionsResult>", version("a", "v1", "")),
            "whether it is the newest",
        ),
    ] {
        let store = open(&Canned::always(200, &[], &format!("{HEAD}{rest}"))).await;
        let error = store.list_versions(&Prefix::default(), None, None).await.expect_err(why);
        assert_eq!(error.kind, StoreErrorKind::Transient, "{}", error.message);
        assert!(error.message.contains(why), "{}", error.message);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_ignores_where_to_begin_is_found_out() {
    let whole = format!(
        "{HEAD}<IsTruncated>false</IsTruncated>{}{}</ListVersionsResult>",
        version("a", "v1", NEWEST),
        version("z", "v1", NEWEST)
    );
    let canned = Canned::always(200, &[], &whole);
    let store = open(&canned).await;
    let after = ObjectKey::from("m");
    let error = store.list_versions(&Prefix::default(), Some(&after), None).await.unwrap_err();
    assert!(matches!(error.kind, StoreErrorKind::Unsupported(_)), "{}", error.message);
    let asked = canned.asked().pop().unwrap().uri.to_string();
    assert!(asked.contains("key-marker=m") && !asked.contains("version-id-marker"), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_missing_right_is_named() {
    let body = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
    let store = open(&Canned::always(403, &[], body)).await;
    let error = store.list_versions(&Prefix::default(), None, None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Denied);
    assert!(error.message.contains("s3:ListBucketVersions"), "{}", error.message);
}
