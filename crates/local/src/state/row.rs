//! How a record lies in the columns of `object`, and back.
//!
//! Columns, so that a person can ask with `sqlite3`, and because JSON would say its field names a million times.
//! Only the upload that may be resumed is JSON: few records have one. A value that cannot be read is an error,
//! never a guess.

use longbow_core::failure::FailureClass;
use longbow_core::job::{ObjectRecord, Proof, RecordState, SourceVersion, TransferId, UploadRecord};
use longbow_core::object::{Checksums, ETag, ObjectKey, Timestamp, VersionId};
use longbow_core::port::Stored;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::{Row, Statement};

use crate::columns;

/// The record of `?1`, in the order that [`read`] expects.
pub(super) const SELECT: &str =
    "SELECT version, state, source_size, source_etag, source_version, source_modified,
        attempts, updated, destination_etag, proof, class, reason, upload, crc64nvme, crc32c, crc32, transfer, found
    FROM object WHERE subject = ?1";

/// Stores a record where there is none. Parameters as [`bind`] gives them.
pub(super) const INSERT: &str = "INSERT INTO object (subject, version, state, source_size, source_etag,
        source_version, source_modified, attempts, updated, destination_etag, proof, class, reason, upload,
        crc64nvme, crc32c, crc32, transfer, found)
    VALUES (?1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
    ON CONFLICT (subject) DO NOTHING";

/// Replaces a record of the version `?2`. Parameters as [`bind`] gives them.
pub(super) const UPDATE: &str =
    "UPDATE object SET version = ?3, state = ?4, source_size = ?5, source_etag = ?6,
        source_version = ?7, source_modified = ?8, attempts = ?9, updated = ?10, destination_etag = ?11,
        proof = ?12, class = ?13, reason = ?14, upload = ?15, crc64nvme = ?16, crc32c = ?17, crc32 = ?18,
        transfer = ?19, found = ?20
    WHERE subject = ?1 AND version = ?2";

/// What the state says beyond its name.
#[derive(Default)]
struct Details<'a> {
    destination_etag: Option<&'a ETag>,
    checksums: Checksums,
    proof: Option<Proof>,
    class: Option<FailureClass>,
    reason: Option<&'a str>,
    upload: Option<&'a UploadRecord>,
}

fn details(state: &RecordState) -> (&'static str, Details<'_>) {
    let none = Details::default();
    match state {
        RecordState::Copying { upload } => ("copying", Details { upload: Some(upload), ..none }),
        RecordState::Waiting { upload, class, reason } => {
            let upload = upload.as_ref();
            ("waiting", Details { upload, class: Some(*class), reason: Some(reason), ..none })
        }
        RecordState::Copied { destination_etag, checksums, proof } => {
            let destination_etag = destination_etag.as_ref();
            let details = Details { destination_etag, checksums: *checksums, proof: Some(*proof), ..none };
            ("copied", details)
        }
        RecordState::Failed { class, reason } => {
            ("failed", Details { class: Some(*class), reason: Some(reason), ..none })
        }
        RecordState::Removed => ("removed", none),
    }
}

/// Fills in [`INSERT`] or [`UPDATE`].
pub(super) fn bind(
    statement: &mut Statement<'_>,
    subject: &ObjectKey,
    expected: Option<u64>,
    version: u64,
    record: &ObjectRecord,
) -> rusqlite::Result<()> {
    // No events come here, so that there are no sequencers to keep.
    let ObjectRecord { source, attempts, updated, state, sequencer: _, transfer, found } = record;
    let SourceVersion { size, etag, version: source_version, modified } = source;
    let (state, Details { destination_etag, checksums, proof, class, reason, upload }) = details(state);
    let upload = upload.map(serde_json::to_string).transpose();
    let upload = upload.map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
    let (crc64nvme, crc32c, crc32) = columns::of_checksums(&checksums);

    statement.raw_bind_parameter(1, subject.as_str())?;
    if let Some(expected) = expected {
        statement.raw_bind_parameter(2, expected.cast_signed())?;
    }
    statement.raw_bind_parameter(3, version.cast_signed())?;
    statement.raw_bind_parameter(4, state)?;
    statement.raw_bind_parameter(5, size.cast_signed())?;
    statement.raw_bind_parameter(6, etag.as_ref().map(ETag::as_str))?;
    statement.raw_bind_parameter(7, source_version.as_ref().map(|v| &v.0))?;
    statement.raw_bind_parameter(8, modified.map(|m| m.0))?;
    statement.raw_bind_parameter(9, attempts)?;
    statement.raw_bind_parameter(10, updated.0)?;
    statement.raw_bind_parameter(11, destination_etag.map(ETag::as_str))?;
    statement.raw_bind_parameter(12, proof.map(proof_name))?;
    statement.raw_bind_parameter(13, class.map(class_name))?;
    statement.raw_bind_parameter(14, reason)?;
    statement.raw_bind_parameter(15, upload)?;
    statement.raw_bind_parameter(16, crc64nvme)?;
    statement.raw_bind_parameter(17, crc32c)?;
    statement.raw_bind_parameter(18, crc32)?;
    statement.raw_bind_parameter(19, transfer.as_ref().map(|t| &t.0))?;
    statement.raw_bind_parameter(20, found.then_some(1))?;
    Ok(())
}

/// Reads a row of [`SELECT`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let etag =
        |column: usize| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?.map(columns::etag));
    let class = || {
        let name = row.get_ref(10)?.as_str()?;
        by_name(&CLASSES, class_name, name).ok_or_else(|| unknown(10, "failure class", name))
    };
    let upload = || {
        let Some(json) = row.get_ref(12)?.as_str_or_null()? else { return Ok(None) };
        let read = serde_json::from_str::<UploadRecord>(json);
        read.map(Some).map_err(|e| rusqlite::Error::FromSqlConversionFailure(12, Type::Text, e.into()))
    };
    let state = match row.get_ref(1)?.as_str()? {
        "copying" => RecordState::Copying { upload: upload()?.ok_or_else(|| unknown(12, "upload", "NULL"))? },
        "waiting" => RecordState::Waiting { upload: upload()?, class: class()?, reason: row.get(11)? },
        "copied" => {
            let name = row.get_ref(9)?.as_str()?;
            let proof = by_name(&PROOFS, proof_name, name).ok_or_else(|| unknown(9, "proof", name))?;
            RecordState::Copied { destination_etag: etag(8)?, checksums: columns::checksums(row, 13)?, proof }
        }
        "failed" => RecordState::Failed { class: class()?, reason: row.get(11)? },
        "removed" => RecordState::Removed,
        other => return Err(unknown(1, "state", other)),
    };
    let source = SourceVersion {
        size: row.get::<_, i64>(2)?.cast_unsigned(),
        etag: etag(3)?,
        version: row.get::<_, Option<String>>(4)?.map(VersionId),
        modified: row.get::<_, Option<i64>>(5)?.map(Timestamp),
    };
    let record = ObjectRecord {
        source,
        attempts: row.get(6)?,
        updated: Timestamp(row.get(7)?),
        state,
        sequencer: None,
        transfer: row.get::<_, Option<String>>(16)?.map(TransferId),
        found: row.get::<_, Option<i64>>(17)?.is_some(),
    };
    Ok(Stored { version: row.get::<_, i64>(0)?.cast_unsigned(), record })
}

fn unknown(column: usize, what: &str, text: &str) -> rusqlite::Error {
    let message = format!("the record has an unknown {what}: {text}");
    rusqlite::Error::FromSqlConversionFailure(
        column,
        Type::Text,
        Box::new(FromSqlError::Other(message.into())),
    )
}

const CLASSES: [FailureClass; 6] = [
    FailureClass::Transient,
    FailureClass::Throttled,
    FailureClass::Corrupt,
    FailureClass::Denied,
    FailureClass::Permanent,
    FailureClass::Interrupted,
];

fn class_name(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Throttled => "throttled",
        FailureClass::Corrupt => "corrupt",
        FailureClass::Denied => "denied",
        FailureClass::Permanent => "permanent",
        FailureClass::Interrupted => "interrupted",
    }
}

const PROOFS: [Proof; 7] = [
    Proof::Size,
    Proof::SizeAndTime,
    Proof::Recorded,
    Proof::Written,
    Proof::Checksum,
    Proof::ETag,
    Proof::Read,
];

fn proof_name(proof: Proof) -> &'static str {
    match proof {
        Proof::Size => "size",
        Proof::SizeAndTime => "size-and-time",
        Proof::Recorded => "recorded",
        Proof::Written => "written",
        Proof::Checksum => "checksum",
        Proof::ETag => "etag",
        Proof::Read => "read",
    }
}

fn by_name<T: Copy>(all: &[T], name_of: fn(T) -> &'static str, name: &str) -> Option<T> {
    all.iter().copied().find(|value| name_of(*value) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        for class in CLASSES {
            assert_eq!(by_name(&CLASSES, class_name, class_name(class)), Some(class));
        }
        for proof in PROOFS {
            assert_eq!(by_name(&PROOFS, proof_name, proof_name(proof)), Some(proof));
        }
        assert_eq!(by_name(&PROOFS, proof_name, "hearsay"), None);
    }
}
