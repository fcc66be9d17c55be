//! Small facts about the two stores of a route, found out once and remembered: the order of a listing, a missing
//! feature.
//!
//! Text by name; what a fact means is known to whoever notes it.

use longbow_core::failure::BackendError;
use rusqlite::OptionalExtension as _;

use crate::database::Database;

/// Facts by name.
#[derive(Clone)]
pub struct Notes {
    database: Database,
}

impl Notes {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// What was noted under this name.
    pub async fn get(&self, name: &str) -> Result<Option<String>, BackendError> {
        let name = name.to_owned();
        self.database
            .read(move |group| {
                let mut found = group.connection.prepare_cached("SELECT value FROM note WHERE name = ?1")?;
                found.query_row([name], |row| row.get(0)).optional()
            })
            .await
    }

    /// Notes a fact in place of an earlier one.
    pub async fn set(&self, name: &str, value: &str) -> Result<(), BackendError> {
        let (name, value) = (name.to_owned(), value.to_owned());
        self.database
            .write(move |group| {
                let sql = "INSERT OR REPLACE INTO note (name, value) VALUES (?1, ?2)";
                group.connection.prepare_cached(sql)?.execute((name, value)).map(drop)
            })
            .await
    }

    /// Forgets a fact.
    pub async fn remove(&self, name: &str) -> Result<(), BackendError> {
        let name = name.to_owned();
        self.database
            .write(move |group| {
                group.connection.prepare_cached("DELETE FROM note WHERE name = ?1")?.execute([name]).map(drop)
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Bench;

    #[tokio::test]
    async fn a_fact_stays_until_it_is_replaced_or_removed() {
        let bench = Bench::new();
        let database = bench.open();
        let notes = database.notes();
        assert_eq!(notes.get("order").await.unwrap(), None);
        notes.set("order", "bytes").await.unwrap();
        notes.set("order", "folders").await.unwrap();
        drop((notes, database));
        let notes = bench.open().notes();
        assert_eq!(notes.get("order").await.unwrap().as_deref(), Some("folders"));
        notes.remove("order").await.unwrap();
        assert_eq!(notes.get("order").await.unwrap(), None);
    }
}
