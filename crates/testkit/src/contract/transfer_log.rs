//! The contract of [`TransferLog`]: one note a transfer and route, the last of them counts, the latest come first.

use longbow_core::job::{RunPlan, TransferId, TransferRun};
use longbow_core::object::Timestamp;
use longbow_core::port::TransferLog;
use longbow_core::routes::RouteName;

use super::verdict::{Check, Verdict, Violation, checks, demand, judge};

/// What the checks run against.
pub type Log = dyn TransferLog;

/// Runs every check and panics with those that failed. The log must have no notes.
pub async fn suite(log: &Log) {
    judge(log, &String::new(), "the log of transfers", checks()).await;
}

/// The checks by name; they follow each other.
pub fn checks() -> Vec<Check<Log, String>> {
    checks![notes_are_kept_by_transfer_and_route]
}

fn run(transfer: &str, route: &str) -> Result<TransferRun, Violation> {
    let route = RouteName::new(route).map_err(|error| Violation(error.to_string()))?;
    let sides = ("s3://a/\u{1f3f9}", "s3://b");
    Ok(TransferRun::begin(
        TransferId(transfer.to_owned()),
        route,
        sides,
        "etag",
        Timestamp(1_700_000_000_123),
    ))
}

async fn notes_are_kept_by_transfer_and_route(log: &Log, _: &str) -> Verdict {
    demand!(log.latest(5).await?.is_empty(), "there are notes already");
    demand!(log.get(&TransferId("t1".into())).await?.is_empty(), "a transfer of which nothing was noted");
    for n in 1..=9 {
        log.note(&run(&format!("t{n}"), "one")?).await?;
    }
    log.note(&run("t5", "two")?).await?;
    // A name that begins with another is another transfer.
    log.note(&run("t50", "one")?).await?;
    let plan = RunPlan {
        listed: u64::from(u32::MAX) + 9,
        jobs: 7,
        bytes: u64::MAX >> 8,
        skipped: 2,
        skipped_bytes: 0,
        removed: 3,
    };
    let ended = run("t5", "one")?.end(Timestamp(1_700_000_009_999), Some(plan), None);
    log.note(&ended).await?;
    let failed = run("t6", "one")?.end(Timestamp(1_700_000_009_999), None, Some("\"why\"\n\u{1}".into()));
    log.note(&failed).await?;

    let found = log.get(&TransferId("t5".into())).await?;
    demand!(found == [ended, run("t5", "two")?], "of t5 there is {found:?}");
    let found = log.get(&TransferId("t6".into())).await?;
    demand!(found == [failed], "of t6 there is {found:?}");
    let latest = log.latest(3).await?;
    let names: Vec<&str> = latest.iter().map(|run| run.transfer.0.as_str()).collect();
    demand!(names == ["t9", "t8", "t7"], "the latest are {names:?}");
    demand!(log.latest(100).await?.len() == 11, "not all are there");
    Ok(())
}
