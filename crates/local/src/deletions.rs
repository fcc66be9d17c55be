//! The objects that `--delete` would remove: gathered on disk while the listings are compared, shown, and only
//! then removed.
//!
//! Gathering and removing only; whether a listing was complete, and how many may go, is decided by the caller.

use longbow_core::failure::BackendError;
use longbow_core::object::{ETag, ObjectKey};

use crate::columns;
use crate::database::Database;

/// An object at the destination that the source does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Its key at the destination.
    pub key: ObjectKey,
    /// The tag that was listed: what is deleted is deleted only while it still has it.
    pub etag: Option<ETag>,
    /// Bytes.
    pub size: u64,
}

/// How much is to be deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeletionCount {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The list, in byte order of the keys.
#[derive(Clone)]
pub struct DeletionList {
    database: Database,
}

impl DeletionList {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// Forgets what an earlier run gathered.
    pub async fn begin(&self) -> Result<(), BackendError> {
        self.database.write(|group| group.connection.execute("DELETE FROM deletion", []).map(drop)).await
    }

    /// Adds objects. One that is there is replaced.
    pub async fn add(&self, batch: Vec<Deletion>) -> Result<(), BackendError> {
        self.database
            .write(move |group| {
                let sql = "INSERT OR REPLACE INTO deletion (key, etag, size) VALUES (?1, ?2, ?3)";
                let mut insert = group.connection.prepare_cached(sql)?;
                for Deletion { key, etag, size } in &batch {
                    let etag = etag.as_ref().map(ETag::as_str);
                    insert.execute((key.as_str(), etag, size.cast_signed()))?;
                }
                Ok(())
            })
            .await
    }

    /// Counts what is on the list; reads all of it.
    pub async fn count(&self) -> Result<DeletionCount, BackendError> {
        self.database
            .read(|group| {
                let sql = "SELECT count(*), coalesce(sum(size), 0) FROM deletion";
                group.connection.query_row(sql, [], |row| {
                    let number = |column| row.get(column).map(i64::cast_unsigned);
                    Ok(DeletionCount { objects: number(0)?, bytes: number(1)? })
                })
            })
            .await
    }

    /// Up to `most` objects whose keys come after `after`; fewer only at the end.
    pub async fn page(&self, after: Option<&ObjectKey>, most: usize) -> Result<Vec<Deletion>, BackendError> {
        // Keys are never empty, so all come after the empty one.
        let after = after.map(|key| key.as_str().to_owned()).unwrap_or_default();
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        self.database
            .read(move |group| {
                let sql = "SELECT key, etag, size FROM deletion WHERE key > ?1 ORDER BY key LIMIT ?2";
                let mut page = group.connection.prepare_cached(sql)?;
                page.query_map((after, most), |row| {
                    Ok(Deletion {
                        key: ObjectKey::from(row.get::<_, String>(0)?),
                        etag: row.get_ref(1)?.as_str_or_null()?.map(columns::etag),
                        size: row.get::<_, i64>(2)?.cast_unsigned(),
                    })
                })?
                .collect()
            })
            .await
    }

    /// Takes an object off the list: it is deleted, or is to stay.
    pub async fn remove(&self, key: &ObjectKey) -> Result<(), BackendError> {
        let key = key.clone();
        self.database
            .write(move |group| {
                let mut delete = group.connection.prepare_cached("DELETE FROM deletion WHERE key = ?1")?;
                delete.execute([key.as_str()]).map(drop)
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn deletion(key: &str, size: u64) -> Deletion {
        Deletion { key: key.into(), etag: Some(ETag::new("t")), size }
    }

    #[tokio::test]
    async fn pages_come_in_byte_order_and_survive_a_restart() {
        let bench = Bench::new();
        let list = bench.open().deletions();
        list.add(vec![deletion("old", 9)]).await.unwrap();
        list.begin().await.unwrap();
        assert_eq!(list.count().await.unwrap(), DeletionCount::default());
        let bare = Deletion { etag: None, ..deletion("a/é", 3) };
        list.add(vec![deletion("b", 1), deletion("a\0z", 2), bare.clone()]).await.unwrap();
        list.add(vec![deletion("b", 4)]).await.unwrap();
        drop(list);

        let list = bench.open().deletions();
        assert_eq!(list.count().await.unwrap(), DeletionCount { objects: 3, bytes: 9 });
        let first = list.page(None, 2).await.unwrap();
        assert_eq!(first, [deletion("a\0z", 2), bare]);
        let rest = list.page(Some(&first[1].key), 2).await.unwrap();
        assert_eq!(rest, [deletion("b", 4)]);
        list.remove(&"a\0z".into()).await.unwrap();
        assert_eq!(list.count().await.unwrap(), DeletionCount { objects: 2, bytes: 7 });
    }
}
