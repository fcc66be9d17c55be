//! Opening, closing, grouping and failing.

use std::fs;
use std::time::Duration;

use longbow_core::port::{JobQueue as _, OutgoingJob, StateStore as _};
use rusqlite::Connection;

use super::{Database, OpenError};
use crate::testing::{Bench, ROUTE};

fn jobs(from: usize, to: usize) -> Vec<OutgoingJob> {
    let job = |n| OutgoingJob { subject: format!("{n:09}").into(), body: format!("{n:0200}") };
    (from..to).map(job).collect()
}

fn side_file(bench: &Bench, end: &str) -> std::path::PathBuf {
    let mut name = bench.file().into_os_string();
    name.push(end);
    name.into()
}

#[tokio::test]
async fn one_handle_at_a_time_works_on_a_route() {
    let bench = Bench::new();
    let database = bench.open();
    let error = bench.try_open().err().unwrap();
    let text = error.to_string();
    assert!(
        matches!(error, OpenError::Locked { process: Some(id), .. } if id == std::process::id()),
        "{text}"
    );
    assert!(text.contains("route.sqlite.lock") && text.contains("stop it"), "{text}");
    // An adapter keeps it open, and the last of them closes it.
    let queue = database.queue();
    drop(database);
    assert!(bench.try_open().is_err());
    drop(queue);
    bench.open();
}

#[tokio::test]
async fn after_closing_the_file_is_free_and_other_handles_are_refused() {
    let bench = Bench::new();
    let database = bench.open();
    let queue = database.queue();
    let sent = queue.send(jobs(0, 10));
    let (sent, ()) = tokio::join!(sent, database.close());
    sent.unwrap();
    let again = bench.open();
    assert_eq!(again.queue().depth().await.unwrap().visible, 10);
    let error = queue.send(jobs(0, 1)).await.unwrap_err();
    assert!(error.message.contains("closed") && !error.transient, "{error}");
    assert!(database.notes().get("x").await.is_err());
    // A second time is harmless, and the log is gone with the last.
    database.close().await;
    again.close().await;
    assert!(!side_file(&bench, "-wal").exists());
}

#[tokio::test]
async fn a_read_sees_what_was_answered_before_it_was_asked() {
    let bench = Bench::new();
    let database = bench.open();
    let (began, has_begun) = tokio::sync::oneshot::channel();
    let (go_on, wait) = std::sync::mpsc::channel();
    let slow = tokio::spawn({
        let database = database.clone();
        async move {
            let read = database.read(move |group| {
                let sql = "SELECT count(*) FROM note";
                let count: i64 = group.connection.query_row(sql, [], |row| row.get(0))?;
                began.send(()).unwrap();
                wait.recv().unwrap();
                Ok(count)
            });
            read.await.unwrap()
        }
    });
    has_begun.await.unwrap();
    let notes = database.notes();
    notes.set("a", "b").await.unwrap();
    // Asked while the reader's transaction, which began before, is still open.
    let mut asked = Box::pin(notes.get("a"));
    assert!(futures_util::poll!(asked.as_mut()).is_pending());
    go_on.send(()).unwrap();
    assert_eq!(slow.await.unwrap(), 0);
    assert_eq!(asked.await.unwrap().as_deref(), Some("b"));
}

#[test]
fn a_file_of_another_route_is_refused() {
    let bench = Bench::new();
    drop(bench.open());
    let error = Database::open(&bench.file(), "s3://x -> /y", bench.clock.clone()).err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, OpenError::OtherRoute { .. }), "{text}");
    assert!(text.contains(ROUTE) && text.contains("--state-dir"), "{text}");
    drop(bench.open());
}

#[test]
fn a_file_of_a_later_release_is_refused_and_left_alone() {
    let bench = Bench::new();
    drop(bench.open());
    Connection::open(bench.file()).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let before = fs::read(bench.file()).unwrap();
    let error = bench.try_open().err().unwrap();
    assert!(matches!(error, OpenError::Newer { found: 99, known: 2, .. }), "{error}");
    assert_eq!(fs::read(bench.file()).unwrap(), before);
}

/// Before format 2 no run was noted with an object.
#[tokio::test]
async fn a_file_of_an_earlier_release_is_taken_on_with_all_that_is_in_it() {
    let bench = Bench::new();
    drop(bench.open());
    let old = Connection::open(bench.file()).unwrap();
    old.execute_batch(
        "ALTER TABLE object DROP COLUMN transfer; ALTER TABLE object DROP COLUMN found;
         INSERT INTO object (subject, version, state, source_size, attempts, updated)
            VALUES ('k', 7, 'removed', 5, 0, 9);",
    )
    .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    drop(old);
    for _ in 0..2 {
        let database = bench.open();
        let stored = database.state().load(&"k".into()).await.unwrap().unwrap();
        assert_eq!((stored.version, stored.record.source.size, stored.record.transfer), (7, 5, None));
    }
}

#[test]
fn a_database_of_another_program_is_refused_and_left_alone() {
    let bench = Bench::new();
    fs::create_dir_all(bench.file().parent().unwrap()).unwrap();
    Connection::open(bench.file()).unwrap().execute_batch("CREATE TABLE job (x)").unwrap();
    let before = fs::read(bench.file()).unwrap();
    let error = bench.try_open().err().unwrap();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    assert_eq!(fs::read(bench.file()).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_is_told_as_such() {
    let bench = Bench::new();
    let database = bench.open();
    database.queue().send(jobs(0, 2000)).await.unwrap();
    drop(database);
    let whole = fs::read(bench.file()).unwrap();

    // Not a database at all, cut off, and overwritten in its first page.
    let mut garbled = whole.clone();
    garbled[100..4096].fill(0x5a);
    for damaged in [b"not a database, and long enough".repeat(100), whole[..5000].to_vec(), garbled] {
        fs::write(bench.file(), damaged).unwrap();
        let error = bench.try_open().err().unwrap();
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
        assert!(error.to_string().contains("move it away"), "{error}");
    }

    // Overwritten where the opening does not look: found when it is read, and told the same.
    let mut garbled = whole;
    let late = garbled.len() / 2;
    garbled[late..].fill(0x5a);
    fs::write(bench.file(), garbled).unwrap();
    let said = match bench.try_open() {
        Err(error) => error.to_string(),
        Ok(database) => {
            let hold = Duration::from_secs(1);
            database.queue().receive(2000, Duration::ZERO, hold).await.unwrap_err().message
        }
    };
    assert!(said.contains("is damaged") && said.contains("move it away"), "{said}");
}

#[test]
fn a_folder_in_place_of_the_file_is_told_as_such() {
    let bench = Bench::new();
    fs::create_dir_all(bench.file()).unwrap();
    let error = bench.try_open().err().unwrap();
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
    // And a file in place of a folder.
    let clock = bench.clock.clone();
    fs::write(bench.folder.path().join("plain"), "").unwrap();
    let error = Database::open(&bench.folder.path().join("plain/r.sqlite"), ROUTE, clock).err().unwrap();
    assert!(matches!(error, OpenError::NotWritable { .. }), "{error:?}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let database = bench.open();
    database.notes().set("a", "b").await.unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&bench.file()), 0o600);
    assert_eq!(mode(&side_file(&bench, ".lock")), 0o600);
    assert_eq!(mode(&side_file(&bench, "-wal")), 0o600);
    assert_eq!(mode(bench.file().parent().unwrap()), 0o700);
    assert_eq!(mode(bench.file().parent().unwrap().parent().unwrap()), 0o700);
}

#[tokio::test]
async fn others_can_read_it_meanwhile() {
    let bench = Bench::new();
    let database = bench.open();
    database.queue().send(jobs(0, 3)).await.unwrap();
    let other = Connection::open(bench.file()).unwrap();
    let count: i64 = other.query_row("SELECT count(*) FROM job", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 3);
    database.queue().send(jobs(3, 5)).await.unwrap();
    let count: i64 = other.query_row("SELECT count(*) FROM job", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 5);
}

#[tokio::test]
async fn what_is_asked_at_once_shares_a_transaction() {
    let bench = Bench::new();
    let database = bench.open();
    let notes = database.notes();
    let asks: Vec<_> = (0..500)
        .map(|n| {
            let notes = notes.clone();
            tokio::spawn(async move { notes.set(&n.to_string(), "x").await })
        })
        .collect();
    for ask in asks {
        ask.await.unwrap().unwrap();
    }
    // Each transaction writes at least one page of 4 KiB to the log.
    let log = fs::metadata(side_file(&bench, "-wal")).unwrap().len();
    assert!(log < 100 * 4096, "{log}");
}

#[tokio::test]
async fn what_was_answered_is_on_disk_when_the_process_dies() {
    let bench = Bench::new();
    let database = bench.open();
    let queue = database.queue();
    queue.send(jobs(0, 3)).await.unwrap();
    let held = queue.receive(2, Duration::ZERO, Duration::from_secs(30)).await.unwrap();
    queue.acknowledge(&held[0].receipt).await.unwrap();

    // The files as a killed process leaves them.
    let after = Bench::new();
    fs::create_dir_all(after.file().parent().unwrap()).unwrap();
    for end in ["", "-wal"] {
        fs::copy(side_file(&bench, end), side_file(&after, end)).unwrap();
    }
    let queue = after.open().queue();
    let again = queue.receive(9, Duration::ZERO, Duration::from_secs(30)).await.unwrap();
    assert_eq!(again.iter().map(|d| d.receive_count).collect::<Vec<_>>(), [2, 1]);
}

/// Lets the file grow by so many pages and no more, as a full disk would.
async fn room(database: &Database, pages: i64) {
    database
        .write(move |group| {
            let now: i64 = group.connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let sql = format!("PRAGMA max_page_count = {}", now.saturating_add(pages));
            group.connection.query_row(&sql, [], |_| Ok(()))
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn a_full_disk_fails_the_whole_group_and_keeps_what_was_there() {
    let bench = Bench::new();
    let database = bench.open();
    let queue = database.queue();
    queue.send(jobs(0, 100)).await.unwrap();
    room(&database, 4).await;
    // Small ones that would have had room, and one that has not: in one group with it they share its fate.
    let small = |n| queue.send(jobs(n, n + 1));
    let (a, big, b) = tokio::join!(small(100), queue.send(jobs(1000, 3000)), small(101));
    let error = big.unwrap_err();
    assert!(!error.transient && error.message.contains("--state-dir"), "{error}");
    assert!(error.message.contains("no room") && error.message.contains("route.sqlite"), "{error}");
    let kept = 100 + u64::from(a.is_ok()) + u64::from(b.is_ok());
    assert_eq!(queue.depth().await.unwrap().visible, kept);
    // What is there can still be read, and with room again all goes on.
    room(&database, 10_000).await;
    queue.send(jobs(1000, 1100)).await.unwrap();
    drop((queue, database));
    assert_eq!(bench.open().queue().depth().await.unwrap().visible, kept + 100);
}

#[tokio::test]
async fn a_failed_group_leaves_nothing_behind() {
    let bench = Bench::new();
    let database = bench.open();
    let failing = database.write(|group| {
        group.connection.execute("INSERT INTO note (name, value) VALUES ('a', 'b')", [])?;
        group.counts.jobs += 5;
        group.connection.execute("INSERT INTO note (name, value) VALUES (NULL, NULL)", [])
    });
    failing.await.unwrap_err();
    assert_eq!(database.notes().get("a").await.unwrap(), None);
    assert_eq!(database.queue().depth().await.unwrap().visible, 0);
    database.notes().set("a", "c").await.unwrap();
}

#[tokio::test]
async fn a_failing_thread_is_an_error_to_all_who_ask() {
    let bench = Bench::new();
    let database = bench.open();
    let panics = database.write(|_| -> rusqlite::Result<()> { panic!("the test's own") });
    assert!(panics.await.unwrap_err().message.contains("thread"));
    assert!(database.notes().set("a", "b").await.is_err());
}
