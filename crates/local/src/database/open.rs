//! Opening the file of a route: folders, the run lock, the schema, and what the last run left behind.
//!
//! Nothing here runs after the file is open.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _};

use super::fault::OpenError;
use super::lane::Counts;

/// `PRAGMA application_id`: "lbow". Tells `file(1)` and us whose the file is.
const APPLICATION: i64 = 0x6c62_6f77;
/// `PRAGMA user_version`: the format of the tables.
const FORMAT: i64 = 2;
/// How long another program may hold the file before we give up.
const PATIENCE: Duration = Duration::from_secs(10);
/// Statements kept prepared; more than there are.
const STATEMENTS: usize = 64;

/// A file that is open and ours.
pub(super) struct Opened {
    pub(super) writer: Connection,
    pub(super) reader: Connection,
    /// Held as long as the writer lives.
    pub(super) lock: File,
    pub(super) counts: Counts,
    /// How often the file was opened, this time included.
    pub(super) run: i64,
}

/// Opens the file, making what is missing.
pub(super) fn open(file: &Path, route: &str) -> Result<Opened, OpenError> {
    let of_io = |error| OpenError::of_io(file, &error);
    let of_sqlite = |error| OpenError::of_sqlite(file, &error);
    if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
        make_folders(folder).map_err(of_io)?;
    }
    let lock = lock(file)?;
    // SQLite gives its side files the rights of the main one.
    private_file().open(file).map_err(of_io)?;

    let writer = connect(file, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(of_sqlite)?;
    check_format(&writer, file)?;
    let (counts, run) = prepare(&writer, file, route)?;
    let reader = connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(of_sqlite)?;
    Ok(Opened { writer, reader, lock, counts, run })
}

fn make_folders(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens or makes a file that nobody else can read.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Takes the run lock: a lock of the operating system on a file beside the state, which ends with the process
/// however that ends. The file itself stays. SQLite's own locks are left alone, so that others may read.
fn lock(file: &Path) -> Result<File, OpenError> {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let mut lock = private_file().open(&path).map_err(|e| OpenError::of_io(file, &e))?;
    match lock.try_lock() {
        Ok(()) => {
            // Only told to people: the lock holds without it.
            let told = lock
                .set_len(0)
                .and_then(|()| lock.rewind())
                .and_then(|()| writeln!(lock, "{}", std::process::id()));
            if let Err(error) = told {
                tracing::debug!(%error, "failed to note the process in the lock file");
            }
            Ok(lock)
        }
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let read = lock.read_to_string(&mut text);
            let process = read.ok().and_then(|_| text.trim().parse().ok());
            Err(OpenError::Locked { lock: path, process })
        }
        Err(TryLockError::Error(error)) => Err(OpenError::Io {
            file: file.to_path_buf(),
            cause: format!("{} cannot be locked: {error}", path.display()),
        }),
    }
}

fn connect(file: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Otherwise a statement is planned anew for each value of its LIMIT, which costs more than running it.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    // KiB, as negative numbers. Memory must not grow with the file.
    let cache = if access.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) { -8192 } else { -2048 };
    connection.pragma_update(None, "cache_size", cache)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    Ok(connection)
}

/// Refuses files that are not ours to write, before anything is written.
fn check_format(connection: &Connection, file: &Path) -> Result<(), OpenError> {
    let number = |pragma: &str| {
        connection
            .pragma_query_value(None, pragma, |row| row.get::<_, i64>(0))
            .map_err(|e| OpenError::of_sqlite(file, &e))
    };
    let (application, format) = (number("application_id")?, number("user_version")?);
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(|e| OpenError::of_sqlite(file, &e))?;
    let file = file.to_path_buf();
    match application {
        APPLICATION if format > FORMAT => Err(OpenError::Newer { file, found: format, known: FORMAT }),
        APPLICATION => Ok(()),
        0 if tables == 0 && format == 0 => Ok(()),
        _ => Err(OpenError::Foreign { file }),
    }
}

/// Makes the tables of a new file, or voids what the last run held of an old one: it is dead, since we have the
/// lock.
fn prepare(writer: &Connection, file: &Path, route: &str) -> Result<(Counts, i64), OpenError> {
    let of_sqlite = |error| OpenError::of_sqlite(file, &error);
    // NORMAL: a commit survives the end of the process at once, and a loss of power after the next checkpoint.
    // What is lost then is found done, or done again; the file stays whole either way.
    writer
        .pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))
        .and_then(|()| writer.pragma_update(None, "synchronous", "NORMAL"))
        .and_then(|()| writer.pragma_update(None, "wal_autocheckpoint", 4000))
        .and_then(|()| writer.pragma_update(None, "journal_size_limit", 16 << 20))
        .map_err(of_sqlite)?;

    let transaction = writer.unchecked_transaction().map_err(of_sqlite)?;
    let empty = transaction
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get::<_, bool>(0))
        .map_err(of_sqlite)?;
    if empty {
        create(&transaction, route).map_err(of_sqlite)?;
    }
    upgrade(&transaction).map_err(of_sqlite)?;
    let theirs: Option<String> = transaction
        .query_row("SELECT value FROM about WHERE name = 'route'", [], |row| row.get(0))
        .optional()
        .map_err(of_sqlite)?;
    match theirs {
        Some(theirs) if theirs == route => {}
        theirs => {
            return Err(OpenError::OtherRoute {
                file: file.to_path_buf(),
                theirs: theirs.unwrap_or_default(),
                ours: route.to_owned(),
            });
        }
    }
    let left = take_over(&transaction).map_err(of_sqlite)?;
    transaction.commit().map_err(of_sqlite)?;
    Ok(left)
}

fn create(connection: &Connection, route: &str) -> rusqlite::Result<()> {
    connection.execute_batch(include_str!("../schema.sql"))?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    connection.execute("INSERT INTO about (name, value) VALUES ('route', ?1), ('run', '0')", [route])?;
    Ok(())
}

/// Brings the tables of an earlier release up to date; nothing in them is lost.
fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format < 2 {
        connection.execute_batch(
            "ALTER TABLE object ADD COLUMN transfer TEXT; ALTER TABLE object ADD COLUMN found INTEGER;",
        )?;
    }
    connection.pragma_update(None, "user_version", FORMAT)
}

/// Voids all leases and delays, which were measured by a clock that has ended.
fn take_over(connection: &Connection) -> rusqlite::Result<(Counts, i64)> {
    connection.execute(
        "UPDATE job SET body = pending, pending = NULL, receive_count = 0
         WHERE visible_at > 0 AND pending IS NOT NULL",
        [],
    )?;
    connection.execute("UPDATE job SET visible_at = 0 WHERE visible_at > 0", [])?;
    let run = connection.query_row(
        "UPDATE about SET value = CAST(value AS INTEGER) + 1 WHERE name = 'run' RETURNING CAST(value AS INTEGER)",
        [],
        |row| row.get(0),
    )?;
    let count = |sql| connection.query_row(sql, [], |row| row.get(0));
    let counts =
        Counts { jobs: count("SELECT count(*) FROM job")?, dead: count("SELECT count(*) FROM dead_letter")? };
    Ok((counts, run))
}
