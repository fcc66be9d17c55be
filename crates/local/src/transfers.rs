//! The runs that worked on a route: when each began, and how it ended, if it did.
//!
//! Only kept here; what a summary says is made by the program.

use longbow_core::failure::BackendError;
use longbow_core::job::TransferId;
use longbow_core::object::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};

use crate::database::Database;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Its name.
    pub id: TransferId,
    /// The route, as text.
    pub route: String,
    /// When it began.
    pub started: Timestamp,
    /// When it ended; `None` while it runs, or when it was killed.
    pub finished: Option<Timestamp>,
    /// How it ended, in a word.
    pub outcome: Option<String>,
    /// What it did: JSON.
    pub summary: Option<String>,
}

impl Database {
    /// Notes that a run has begun. A run of the same name begins anew.
    pub async fn begin_transfer(
        &self,
        id: &TransferId,
        route: &str,
        started: Timestamp,
    ) -> Result<(), BackendError> {
        let (id, route) = (id.0.clone(), route.to_owned());
        self.write(move |group| {
            // Replaced, not updated: the newest row is the last run.
            let sql = "INSERT OR REPLACE INTO transfer (id, route, started) VALUES (?1, ?2, ?3)";
            group.connection.execute(sql, (id, route, started.0)).map(drop)
        })
        .await
    }

    /// Notes how a run ended.
    pub async fn finish_transfer(
        &self,
        id: &TransferId,
        finished: Timestamp,
        outcome: &str,
        summary: &str,
    ) -> Result<(), BackendError> {
        let (id, outcome, summary) = (id.0.clone(), outcome.to_owned(), summary.to_owned());
        self.write(move |group| {
            let sql = "UPDATE transfer SET finished = ?2, outcome = ?3, summary = ?4 WHERE id = ?1";
            group.connection.execute(sql, (id, finished.0, outcome, summary)).map(drop)
        })
        .await
    }

    /// The run that began last, the present one included.
    pub async fn last_transfer(&self) -> Result<Option<Transfer>, BackendError> {
        self.read(|group| last(group.connection)).await
    }
}

/// The run that began last.
pub(crate) fn last(connection: &Connection) -> rusqlite::Result<Option<Transfer>> {
    // By rowid: the calendar may have been set back between two runs.
    let sql =
        "SELECT id, route, started, finished, outcome, summary FROM transfer ORDER BY rowid DESC LIMIT 1";
    connection
        .query_row(sql, [], |row| {
            Ok(Transfer {
                id: TransferId(row.get(0)?),
                route: row.get(1)?,
                started: Timestamp(row.get(2)?),
                finished: row.get::<_, Option<i64>>(3)?.map(Timestamp),
                outcome: row.get(4)?,
                summary: row.get(5)?,
            })
        })
        .optional()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    #[tokio::test]
    async fn an_unfinished_run_is_known_after_reopening() {
        let bench = Bench::new();
        let database = bench.open();
        assert_eq!(database.interrupted_before(), None);
        let (a, b) = (TransferId("a".into()), TransferId("b".into()));
        database.begin_transfer(&a, "r", Timestamp(500)).await.unwrap();
        database.finish_transfer(&a, Timestamp(600), "done", "{}").await.unwrap();
        // The calendar was set back: the newer run is the newer one still.
        database.begin_transfer(&b, "r", Timestamp(100)).await.unwrap();
        assert_eq!(database.last_transfer().await.unwrap().unwrap().id, b);
        drop(database);

        let database = bench.open();
        assert_eq!(database.interrupted_before().unwrap().id, b);
        database.begin_transfer(&b, "r", Timestamp(700)).await.unwrap();
        database.finish_transfer(&b, Timestamp(800), "done", "{\"copied\":1}").await.unwrap();
        drop(database);

        let database = bench.open();
        assert_eq!(database.interrupted_before(), None);
        let last = database.last_transfer().await.unwrap().unwrap();
        assert_eq!((last.started, last.finished), (Timestamp(700), Some(Timestamp(800))));
        assert_eq!(last.outcome.as_deref(), Some("done"));
        assert_eq!(last.summary.as_deref(), Some("{\"copied\":1}"));
    }
}
