//! Between the words of the protocol and those of the fake: errors, tags, times, checksums.

use std::time::{Duration, SystemTime};

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{Checksums, ETag, Encryption, Md5, Timestamp, VersionId};
use longbow_core::port::WriteCondition;
use s3s::dto;
use s3s::{S3Error, S3ErrorCode, S3Result};

/// The error that a client gets.
pub(super) fn error(error: StoreError) -> S3Error {
    let code = match (&error.code, error.kind) {
        (Some(code), _) => code.clone(),
        (None, StoreErrorKind::Throttled) => "SlowDown".to_owned(),
        (None, _) => "InternalError".to_owned(),
    };
    let status = match code.as_str() {
        // Codes that the protocol crate does not know, or knows without a status.
        "InvalidPartNumber" => Some(http::StatusCode::RANGE_NOT_SATISFIABLE),
        "NoSuchUpload" => Some(http::StatusCode::NOT_FOUND),
        "EntityTooLarge" | "BadRequest" | "InvalidURI" => Some(http::StatusCode::BAD_REQUEST),
        _ => None,
    };
    let code = S3ErrorCode::from_bytes(code.as_bytes()).unwrap_or(S3ErrorCode::InternalError);
    let mut answer = S3Error::with_message(code, error.message);
    if let Some(status) = status {
        answer.set_status_code(status);
    }
    answer
}

/// A request that this server does not understand, rather than one it understands wrongly.
pub(super) fn not_implemented(what: &str) -> S3Error {
    S3Error::with_message(S3ErrorCode::NotImplemented, format!("this server does not have {what}"))
}

/// A request that contradicts itself or S3.
pub(super) fn invalid(message: impl Into<String>) -> S3Error {
    S3Error::with_message(S3ErrorCode::InvalidArgument, message.into())
}

/// Refuses what is asked for in a way that this server would have to ignore.
pub(super) fn refuse_if(present: bool, what: &str) -> S3Result<()> {
    if present { Err(not_implemented(what)) } else { Ok(()) }
}

pub(super) fn etag_out(etag: &ETag) -> dto::ETag {
    dto::ETag::Strong(etag.as_str().to_owned())
}

pub(super) fn etag_in(etag: &dto::ETag) -> ETag {
    ETag::new(etag.value())
}

/// `If-Match` of a read: `*` holds for every object.
pub(super) fn match_in(condition: Option<&dto::ETagCondition>) -> Option<ETag> {
    condition.and_then(dto::ETagCondition::as_etag).map(etag_in)
}

/// The condition of a write.
pub(super) fn condition_in(
    if_match: Option<&dto::ETagCondition>,
    if_none_match: Option<&dto::ETagCondition>,
) -> S3Result<WriteCondition> {
    match (if_match, if_none_match) {
        (None, None) => Ok(WriteCondition::Always),
        (None, Some(dto::ETagCondition::Any)) => Ok(WriteCondition::Absent),
        (Some(dto::ETagCondition::ETag(etag)), None) => Ok(WriteCondition::Matches(etag_in(etag))),
        _ => Err(not_implemented("this combination of If-Match and If-None-Match")),
    }
}

pub(super) fn time_out(time: Timestamp) -> dto::Timestamp {
    let milliseconds = u64::try_from(time.0).unwrap_or(0);
    (SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)).into()
}

pub(super) fn version_out(version: Option<&VersionId>) -> Option<String> {
    version.map(|version| version.0.clone())
}

pub(super) fn number_out(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn small_out(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

pub(super) fn encryption_out(
    encryption: Option<&Encryption>,
) -> (Option<dto::ServerSideEncryption>, Option<String>) {
    match encryption {
        None => (None, None),
        Some(Encryption::S3) => {
            (Some(dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AES256)), None)
        }
        Some(Encryption::Kms { key }) => {
            (Some(dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AWS_KMS)), key.clone())
        }
        Some(Encryption::Other) => {
            (Some(dto::ServerSideEncryption::from_static(dto::ServerSideEncryption::AWS_KMS_DSSE)), None)
        }
    }
}

pub(super) fn encryption_in(
    asked: Option<&dto::ServerSideEncryption>,
    key: Option<String>,
) -> S3Result<Option<Encryption>> {
    match asked.map(dto::ServerSideEncryption::as_str) {
        None => Ok(None),
        Some(dto::ServerSideEncryption::AES256) => Ok(Some(Encryption::S3)),
        Some(dto::ServerSideEncryption::AWS_KMS) => Ok(Some(Encryption::Kms { key })),
        Some(other) => Err(not_implemented(&format!("the encryption {other}"))),
    }
}

/// `Content-MD5`.
pub(super) fn md5_in(text: Option<&str>) -> S3Result<Option<Md5>> {
    let Some(text) = text else { return Ok(None) };
    match Checksums::from_base64::<16>(text) {
        Some(bytes) => Ok(Some(Md5(bytes))),
        None => {
            Err(S3Error::with_message(S3ErrorCode::InvalidDigest, "Content-MD5 is not 16 bytes in base64"))
        }
    }
}

/// The three cyclic checksums from their headers' text.
pub(super) fn checksums_in(
    crc64nvme: Option<&str>,
    crc32c: Option<&str>,
    crc32: Option<&str>,
) -> S3Result<Checksums> {
    fn read<const N: usize>(text: Option<&str>) -> S3Result<Option<[u8; N]>> {
        let Some(text) = text else { return Ok(None) };
        let wrong = || {
            S3Error::with_message(
                S3ErrorCode::InvalidRequest,
                "a checksum is not base64 of the right length; composite checksums cannot be stated",
            )
        };
        Checksums::from_base64::<N>(text).map(Some).ok_or_else(wrong)
    }
    Ok(Checksums {
        crc64nvme: read(crc64nvme)?.map(u64::from_be_bytes),
        crc32c: read(crc32c)?.map(u32::from_be_bytes),
        crc32: read(crc32)?.map(u32::from_be_bytes),
    })
}

/// The text of each checksum that is known: CRC-64/NVME, CRC-32C, CRC-32.
pub(super) fn checksums_out(checksums: &Checksums) -> (Option<String>, Option<String>, Option<String>) {
    (
        checksums.crc64nvme.map(|c| Checksums::to_base64(&c.to_be_bytes())),
        checksums.crc32c.map(|c| Checksums::to_base64(&c.to_be_bytes())),
        checksums.crc32.map(|c| Checksums::to_base64(&c.to_be_bytes())),
    )
}

/// Every checksum here covers the whole object.
pub(super) fn checksum_type_out(checksums: &Checksums) -> Option<dto::ChecksumType> {
    (!checksums.is_empty()).then(|| dto::ChecksumType::from_static(dto::ChecksumType::FULL_OBJECT))
}
