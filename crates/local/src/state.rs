//! The records of objects on disk, each replaced by compare-and-swap, and the proofs of uploaded parts.
//!
//! What a record may become is decided in `longbow_core::job`; how one is laid out in columns, in `row`.

mod row;
#[cfg(test)]
mod tests;

use async_trait::async_trait;
use futures_util::{TryStreamExt as _, stream};
use longbow_core::failure::BackendError;
use longbow_core::job::ObjectRecord;
use longbow_core::object::ObjectKey;
use longbow_core::port::{RecordStream, StateStore, Stored, SwapError, UploadId};
use longbow_core::transfer::PartProof;
use rusqlite::OptionalExtension as _;

use crate::columns;
use crate::database::{Database, Group};

/// Records that are read together, in order.
const RECORDS: u32 = 500;

/// The records in a state file. Clones are handles to the same ones.
#[derive(Clone)]
pub struct SqliteState {
    database: Database,
}

/// How many records are in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateCount {
    /// Parts are on their way, or were when the process was killed.
    pub copying: u64,
    /// An attempt failed; another was to follow.
    pub waiting: u64,
    /// Verified at the destination.
    pub copied: u64,
    /// Given up.
    pub failed: u64,
}

impl SqliteState {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Counts the records by state; reads all of them.
    pub async fn count(&self) -> Result<StateCount, BackendError> {
        self.database
            .read(|group| {
                let sql = "SELECT count(*) FILTER (WHERE state = 'copying'), count(*) FILTER (WHERE state = 'waiting'),
                                  count(*) FILTER (WHERE state = 'copied'), count(*) FILTER (WHERE state = 'failed')
                           FROM object";
                group.connection.query_row(sql, [], |row| {
                    let number = |column| row.get(column).map(i64::cast_unsigned);
                    Ok(StateCount { copying: number(0)?, waiting: number(1)?, copied: number(2)?, failed: number(3)? })
                })
            })
            .await
    }
}

fn load(group: &Group<'_>, subject: &ObjectKey) -> rusqlite::Result<Option<Stored>> {
    let mut select = group.connection.prepare_cached(row::SELECT)?;
    select.query_row([subject.as_str()], row::read).optional()
}

type Place = (Database, Option<ObjectKey>, bool);

/// The records of some subjects after a place, and the place after them; `None` at the end.
async fn next_records(place: Place) -> Result<Option<(Vec<(ObjectKey, Stored)>, Place)>, BackendError> {
    let (database, after, ended) = place;
    if ended {
        return Ok(None);
    }
    let from = after.clone();
    let page = database
        .read(move |group| {
            // The primary key is compared byte by byte, also where it holds NUL.
            let sql = "SELECT subject FROM object WHERE ?1 IS NULL OR subject > ?1 ORDER BY subject LIMIT ?2";
            let mut select = group.connection.prepare_cached(sql)?;
            let from = from.as_ref().map(ObjectKey::as_str);
            let subjects = select
                .query_map((from, RECORDS), |row| Ok(ObjectKey::from(row.get_ref(0)?.as_str()?)))?
                .collect::<Result<Vec<_>, _>>()?;
            let mut page = Vec::with_capacity(subjects.len());
            for subject in subjects {
                if let Some(stored) = load(group, &subject)? {
                    page.push((subject, stored));
                }
            }
            Ok(page)
        })
        .await?;
    let ended = page.len() < RECORDS as usize;
    let after = page.last().map(|(subject, _)| subject.clone()).or(after);
    Ok(Some((page, (database, after, ended))))
}

/// The new version, or `None` if somebody was faster.
fn swap(
    group: &Group<'_>,
    subject: &ObjectKey,
    expected: Option<u64>,
    record: &ObjectRecord,
) -> rusqlite::Result<Option<u64>> {
    let version = expected.unwrap_or(0).saturating_add(1);
    let sql = if expected.is_none() { row::INSERT } else { row::UPDATE };
    let mut statement = group.connection.prepare_cached(sql)?;
    row::bind(&mut statement, subject, expected, version, record)?;
    Ok((statement.raw_execute()? == 1).then_some(version))
}

#[async_trait]
impl StateStore for SqliteState {
    async fn load(&self, subject: &ObjectKey) -> Result<Option<Stored>, BackendError> {
        let subject = subject.clone();
        self.database.read(move |group| load(group, &subject)).await
    }

    async fn load_many(&self, subjects: Vec<ObjectKey>) -> Result<Vec<Option<Stored>>, BackendError> {
        self.database.read(move |group| subjects.iter().map(|subject| load(group, subject)).collect()).await
    }

    fn records_after(&self, after: Option<&ObjectKey>) -> Option<RecordStream> {
        let pages = stream::try_unfold((self.database.clone(), after.cloned(), false), next_records);
        Some(Box::pin(pages.map_ok(|page| stream::iter(page.into_iter().map(Ok))).try_flatten()))
    }

    async fn swap(
        &self,
        subject: &ObjectKey,
        expected: Option<u64>,
        record: ObjectRecord,
    ) -> Result<u64, SwapError> {
        let subject = subject.clone();
        let swapped = self.database.write(move |group| swap(group, &subject, expected, &record)).await?;
        swapped.ok_or(SwapError::Conflict)
    }

    async fn add_part(
        &self,
        subject: &ObjectKey,
        upload: &UploadId,
        proof: PartProof,
    ) -> Result<(), BackendError> {
        let (subject, upload) = (subject.clone(), upload.clone());
        self.database
            .write(move |group| {
                let sql = "INSERT OR REPLACE INTO part
                           (subject, upload, number, size, md5, etag, crc64nvme, crc32c, crc32)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
                let PartProof { number, size, md5, etag, checksums } = &proof;
                let (crc64nvme, crc32c, crc32) = columns::of_checksums(checksums);
                group
                    .connection
                    .prepare_cached(sql)?
                    .execute((
                        subject.as_str(),
                        &upload.0,
                        number,
                        size.cast_signed(),
                        md5,
                        etag.as_str(),
                        crc64nvme,
                        crc32c,
                        crc32,
                    ))
                    .map(drop)
            })
            .await
    }

    async fn parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<Vec<PartProof>, BackendError> {
        let (subject, upload) = (subject.clone(), upload.clone());
        self.database
            .read(move |group| {
                let sql = "SELECT number, size, md5, etag, crc64nvme, crc32c, crc32 FROM part
                           WHERE subject = ?1 AND upload = ?2 ORDER BY number";
                let mut select = group.connection.prepare_cached(sql)?;
                select
                    .query_map((subject.as_str(), &upload.0), |row| {
                        Ok(PartProof {
                            number: row.get(0)?,
                            size: row.get::<_, i64>(1)?.cast_unsigned(),
                            md5: row.get(2)?,
                            etag: columns::etag(row.get_ref(3)?.as_str()?),
                            checksums: columns::checksums(row, 4)?,
                        })
                    })?
                    .collect()
            })
            .await
    }

    async fn forget_parts(&self, subject: &ObjectKey, upload: &UploadId) -> Result<(), BackendError> {
        let (subject, upload) = (subject.clone(), upload.clone());
        self.database
            .write(move |group| {
                let sql = "DELETE FROM part WHERE subject = ?1 AND upload = ?2";
                group.connection.prepare_cached(sql)?.execute((subject.as_str(), &upload.0)).map(drop)
            })
            .await
    }
}
