//! The SQL of messages, one statement or one decision a function; each runs inside somebody's transaction.
//!
//! Who waits, who is woken and what becomes of the answers is not known here.

use std::time::Duration;

use longbow_core::object::Timestamp;
use longbow_core::port::{Clock, OutgoingJob};

use super::DeadLetter;
use super::body;
use super::receipts::Held;
use crate::database::Group;

/// A moment of the process's own clock, as the column `visible_at` has it: milliseconds, from 1, since 0 means
/// "never hidden in this run".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment(i64);

impl Moment {
    pub(super) fn now(clock: &dyn Clock) -> Self {
        Self(milliseconds(clock.elapsed()).saturating_add(1))
    }

    /// Rounded up: nothing shows before its time.
    pub(super) fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(time.saturating_add(Duration::from_nanos(999_999)))))
    }

    pub(super) fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// A message that can be received.
pub(super) struct Visible {
    pub(super) id: i64,
    pub(super) body: String,
    /// Receptions so far; 0 for a body that nobody has received.
    pub(super) receive_count: u32,
    /// The body came later than the reception before.
    pending: bool,
}

/// Sends one message:
///
/// | the subject has | same body | another body |
/// |---|---|---|
/// | no message | stored | stored |
/// | one that waits | kept | replaced, counted anew |
/// | one in flight | a successor is dropped | becomes the successor |
///
/// A dead letter of the subject is superseded.
pub(super) fn send(group: &mut Group<'_>, now: Moment, job: &OutgoingJob) -> rusqlite::Result<()> {
    let subject = job.subject.as_str();
    let body = body::shorten(subject, &job.body);
    let insert = "INSERT INTO job (subject, body) VALUES (?1, ?2) ON CONFLICT (subject) DO NOTHING";
    if group.connection.prepare_cached(insert)?.execute((subject, &*body))? == 1 {
        group.counts.jobs += 1;
        group.arrived = true;
    } else {
        replace(group, now, subject, &body)?;
    }
    if group.counts.dead > 0 {
        let mut unbury = group.connection.prepare_cached("DELETE FROM dead_letter WHERE subject = ?1")?;
        group.counts.dead -= i64::from(unbury.execute([subject])? > 0);
    }
    Ok(())
}

fn replace(group: &mut Group<'_>, now: Moment, subject: &str, body: &str) -> rusqlite::Result<()> {
    let successor = "UPDATE job SET pending = nullif(?2, body) WHERE subject = ?1 AND visible_at > ?3";
    if group.connection.prepare_cached(successor)?.execute((subject, body, now.0))? == 1 {
        return Ok(());
    }
    // The receipt of a reception whose time is over must not reach the new body.
    let replaced = "UPDATE job SET body = ?2, pending = NULL, receive_count = 0, lease = NULL
                    WHERE subject = ?1 AND (body <> ?2 OR pending IS NOT NULL)";
    group.connection.prepare_cached(replaced)?.execute((subject, body))?;
    Ok(())
}

/// Up to `most` messages that can be received now: those that came back by their time, then the others as sent.
pub(super) fn visible(group: &Group<'_>, now: Moment, most: usize) -> rusqlite::Result<Vec<Visible>> {
    let back = "SELECT id, subject, coalesce(pending, body), receive_count, pending IS NOT NULL FROM job
                WHERE visible_at BETWEEN 1 AND ?1 ORDER BY visible_at, id LIMIT ?2";
    let fresh = "SELECT id, subject, body, receive_count, 0 FROM job
                 WHERE visible_at = 0 AND ?1 > 0 ORDER BY id LIMIT ?2";
    let mut seen = Vec::new();
    for sql in [back, fresh] {
        let room = i64::try_from(most.saturating_sub(seen.len())).unwrap_or(i64::MAX);
        if room == 0 {
            break;
        }
        let mut statement = group.connection.prepare_cached(sql)?;
        let mut rows = statement.query((now.0, room))?;
        while let Some(row) = rows.next()? {
            let body = body::restore(row.get_ref(1)?.as_str()?, row.get(2)?);
            let pending = row.get(4)?;
            let receive_count = if pending { 0 } else { row.get(3)? };
            seen.push(Visible { id: row.get(0)?, body, receive_count, pending });
        }
    }
    Ok(seen)
}

/// Hides a message for its receiver. Gives the receptions so far, this one included.
pub(super) fn hold(group: &Group<'_>, seen: &Visible, held: Held, until: Moment) -> rusqlite::Result<u32> {
    if seen.pending {
        let adopt = "UPDATE job SET body = pending, pending = NULL WHERE id = ?1";
        group.connection.prepare_cached(adopt)?.execute([seen.id])?;
    }
    let count = seen.receive_count.saturating_add(1);
    let sql = "UPDATE job SET visible_at = ?2, lease = ?3, receive_count = ?4 WHERE id = ?1";
    group.connection.prepare_cached(sql)?.execute((held.id, until.0, held.lease, count))?;
    Ok(count)
}

/// Undoes a reception that never reached its receiver.
pub(super) fn give_back(group: &mut Group<'_>, held: Held) -> rusqlite::Result<()> {
    let sql = "UPDATE job SET visible_at = 0, lease = NULL, receive_count = max(receive_count - 1, 0)
               WHERE id = ?1 AND lease = ?2";
    group.arrived |= group.connection.prepare_cached(sql)?.execute((held.id, held.lease))? == 1;
    Ok(())
}

/// When the next hidden message shows: the earliest of all, so ask only when none is visible.
pub(super) fn next_visible(group: &Group<'_>) -> rusqlite::Result<Option<Moment>> {
    let sql = "SELECT min(visible_at) FROM job";
    let next: Option<i64> = group.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
    Ok(next.map(Moment))
}

/// Hides a message for longer or shorter. False when the receipt is no longer good.
pub(super) fn change(
    group: &mut Group<'_>,
    held: Held,
    now: Moment,
    until: Moment,
) -> rusqlite::Result<bool> {
    let sql = "UPDATE job SET visible_at = ?3 WHERE id = ?1 AND lease = ?2 AND visible_at > ?4";
    let changed = group.connection.prepare_cached(sql)?.execute((held.id, held.lease, until.0, now.0))?;
    // Sooner than those who wait had counted with, perhaps.
    group.arrived |= changed == 1;
    Ok(changed == 1)
}

/// Settles a message: removes it, or shows its successor. False when the receipt is no longer good.
pub(super) fn settle(group: &mut Group<'_>, held: Held, now: Moment) -> rusqlite::Result<bool> {
    let remove = "DELETE FROM job WHERE id = ?1 AND lease = ?2 AND visible_at > ?3 AND pending IS NULL";
    let row = (held.id, held.lease, now.0);
    if group.connection.prepare_cached(remove)?.execute(row)? == 1 {
        group.counts.jobs -= 1;
        return Ok(true);
    }
    let succeed =
        "UPDATE job SET body = pending, pending = NULL, receive_count = 0, lease = NULL, visible_at = 0
                   WHERE id = ?1 AND lease = ?2 AND visible_at > ?3";
    let succeeded = group.connection.prepare_cached(succeed)?.execute(row)? == 1;
    group.arrived |= succeeded;
    Ok(succeeded)
}

/// Puts a message aside. One with a successor is only settled: what is said of the old body is of no use, and the
/// new one comes at once.
pub(super) fn bury(
    group: &mut Group<'_>,
    held: Held,
    now: Moment,
    reason: &str,
    buried: Timestamp,
) -> rusqlite::Result<()> {
    let copy = "INSERT INTO dead_letter (subject, body, reason, receive_count, buried)
                SELECT subject, body, ?4, receive_count, ?5 FROM job
                WHERE id = ?1 AND lease = ?2 AND visible_at > ?3 AND pending IS NULL
                ON CONFLICT (subject) DO NOTHING";
    let row = (held.id, held.lease, now.0, reason, buried.0);
    let copied = group.connection.prepare_cached(copy)?.execute(row)?;
    group.counts.dead += i64::from(copied > 0);
    settle(group, held, now).map(drop)
}

/// How many messages are hidden.
pub(super) fn hidden(group: &Group<'_>, now: Moment) -> rusqlite::Result<i64> {
    let sql = "SELECT count(*) FROM job WHERE visible_at > ?1";
    group.connection.prepare_cached(sql)?.query_row([now.0], |row| row.get(0))
}

/// Up to `most` dead letters after a subject.
pub(super) fn dead_letters(group: &Group<'_>, after: &str, most: usize) -> rusqlite::Result<Vec<DeadLetter>> {
    let sql = "SELECT subject, body, reason, receive_count, buried FROM dead_letter
               WHERE subject > ?1 ORDER BY subject LIMIT ?2";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let mut statement = group.connection.prepare_cached(sql)?;
    statement
        .query_map((after, most), |row| {
            let subject = row.get::<_, String>(0)?;
            Ok(DeadLetter {
                body: body::restore(&subject, row.get(1)?),
                subject: subject.into(),
                reason: row.get(2)?,
                receive_count: row.get(3)?,
                buried: Timestamp(row.get(4)?),
            })
        })?
        .collect()
}
