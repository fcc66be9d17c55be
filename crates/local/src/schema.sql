-- What longbow remembers about one route. Safe to read with sqlite3 while longbow runs, for example:
--   SELECT state, count(*) FROM object GROUP BY state;
--   SELECT subject, reason FROM dead_letter;
--   SELECT subject, class, reason, datetime(updated / 1000, 'unixepoch') FROM object WHERE state = 'waiting';
-- Times are milliseconds since 1970, except job.visible_at.

CREATE TABLE about (
    name  TEXT PRIMARY KEY NOT NULL,    -- route: whose file this is; run: how often it was opened
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE job (
    id            INTEGER PRIMARY KEY,  -- in the order of sending
    subject       TEXT NOT NULL UNIQUE,
    body          TEXT NOT NULL,        -- the message; U+0001 stands for the subject
    pending       TEXT,                 -- a newer body, sent while this one is in flight
    receive_count INTEGER NOT NULL DEFAULT 0,
    visible_at    INTEGER NOT NULL DEFAULT 0, -- 0: never hidden in this run; else milliseconds of the run's own clock
    lease         INTEGER               -- of the newest reception; the receipt repeats it
);
CREATE INDEX job_visible ON job (visible_at);

CREATE TABLE dead_letter (
    subject       TEXT PRIMARY KEY NOT NULL,
    body          TEXT NOT NULL,
    reason        TEXT NOT NULL,
    receive_count INTEGER NOT NULL,
    buried        INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE object (
    subject          TEXT PRIMARY KEY NOT NULL,
    version          INTEGER NOT NULL,  -- grows with every change
    state            TEXT NOT NULL,     -- copying, waiting, copied, failed, removed
    source_size      INTEGER NOT NULL,
    source_etag      TEXT,
    source_version   TEXT,
    source_modified  INTEGER,
    attempts         INTEGER NOT NULL,  -- failed ones that count
    updated          INTEGER NOT NULL,
    destination_etag TEXT,              -- from here on: what the state says more
    crc64nvme        INTEGER,
    crc32c           INTEGER,
    crc32            INTEGER,
    proof            TEXT,
    class            TEXT,
    reason           TEXT,
    upload           TEXT,              -- JSON: the upload that may be resumed, and how the object is cut
    transfer         TEXT,              -- the run that counts it
    found            INTEGER            -- 1: copied, and that run had nothing to copy
) WITHOUT ROWID;

CREATE TABLE part (
    subject   TEXT NOT NULL,
    upload    TEXT NOT NULL,
    number    INTEGER NOT NULL,
    size      INTEGER NOT NULL,
    md5       TEXT NOT NULL,
    etag      TEXT NOT NULL,
    crc64nvme INTEGER,
    crc32c    INTEGER,
    crc32     INTEGER,
    PRIMARY KEY (subject, upload, number)
) WITHOUT ROWID;

CREATE TABLE deletion (
    key  TEXT PRIMARY KEY NOT NULL,     -- at the destination, absent from the source
    etag TEXT,
    size INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE note (
    name  TEXT PRIMARY KEY NOT NULL,    -- what was found out about the two stores
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE transfer (
    id       TEXT NOT NULL UNIQUE,
    route    TEXT NOT NULL,
    started  INTEGER NOT NULL,
    finished INTEGER,                   -- absent: it runs, or it was killed
    outcome  TEXT,
    summary  TEXT                       -- JSON
);
