//! Headers and attributes, there and back.

use super::*;

const TAG: &str = "d41d8cd98f00b204e9800998ecf8427e";

fn sums(text: &'static str, kind: Option<&ChecksumType>, tag: &str) -> Option<u32> {
    let headers = ChecksumHeaders { crc64nvme: None, crc32c: None, crc32: Some(text), kind };
    checksums(&headers, Some(&ETag::new(tag))).crc32
}

#[test]
fn only_checksums_of_the_whole_are_read() {
    let composite = format!("{TAG}-2");
    assert_eq!(sums("AAAAAQ==", Some(&ChecksumType::FullObject), &composite), Some(1));
    assert_eq!(sums("AAAAAQ==", Some(&ChecksumType::Composite), &composite), None);
    assert_eq!(sums("AAAAAQ==", Some(&ChecksumType::Composite), TAG), None);
    assert_eq!(sums("AAAAAQ==", None, TAG), Some(1));
    assert_eq!(sums("AAAAAQ==", None, &composite), None, "of the parts, though it does not say so");
    assert_eq!(sums("AAAAAQ==-2", None, TAG), None);
    assert_eq!(sums("?", Some(&ChecksumType::FullObject), TAG), None);
}

#[test]
fn checksums_are_written_as_they_are_read() {
    let all = Checksums { crc64nvme: Some(0x0102_0304_0506_0708), crc32c: Some(9), crc32: Some(1) };
    let texts = ChecksumTexts::from(&all);
    let headers = ChecksumHeaders {
        crc64nvme: texts.crc64nvme.as_deref(),
        crc32c: texts.crc32c.as_deref(),
        crc32: texts.crc32.as_deref(),
        kind: Some(&ChecksumType::FullObject),
    };
    assert_eq!(checksums(&headers, None), all);
}

#[test]
fn encryption_is_told() {
    let kms = Encryption::Kms { key: Some("k".into()) };
    assert_eq!(encryption(None, None, None), None);
    assert_eq!(encryption(Some(&ServerSideEncryption::Aes256), None, None), Some(Encryption::S3));
    assert_eq!(encryption(Some(&ServerSideEncryption::AwsKms), Some("k".into()), None), Some(kms));
    assert_eq!(encryption(Some(&ServerSideEncryption::AwsKmsDsse), None, None), Some(Encryption::Other));
    assert_eq!(encryption(None, None, Some("AES256")), Some(Encryption::Other));
}

#[test]
fn the_transfer_form_is_no_content_encoding() {
    for (sent, kept) in [
        ("gzip", Some("gzip")),
        ("aws-chunked", None),
        ("aws-chunked,gzip", Some("gzip")),
        ("gzip, aws-chunked", Some("gzip")),
        ("gzip, br", Some("gzip, br")),
    ] {
        assert_eq!(content_encoding(sent.into()).as_deref(), kept);
    }
}

#[test]
fn ranges_are_read() {
    assert_eq!(content_range("bytes 0-4/9"), Some((0, 4, 9)));
    for wrong in ["", "bytes */9", "bytes 0-4/*", "0-4/9", "bytes a-4/9"] {
        assert_eq!(content_range(wrong), None, "{wrong}");
    }
}

#[test]
fn tags_are_encoded() {
    let tag = |key: &str, value: &str| Tag { key: key.into(), value: value.into() };
    assert_eq!(tagging(&[]), None);
    assert_eq!(
        tagging(&[tag("a b", "1+1=2&3"), tag("é", "")]).as_deref(),
        Some("a%20b=1%2B1%3D2%263&%C3%A9=")
    );
}

#[test]
fn what_is_the_default_is_absent() {
    assert_eq!(storage_class("STANDARD"), None);
    assert_eq!(storage_class("GLACIER"), Some("GLACIER"));
    assert_eq!(version(Some("null".into())), None);
    assert_eq!(version(Some("v".into())), Some(VersionId("v".into())));
    assert_eq!(etag(Some("\"\"")), None);
}
