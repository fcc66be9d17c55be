//! The contract of [`RunLock`]: one holder a name, for a time, with tokens that grow.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use longbow_core::port::{LockError, RunLease, RunLock};

use super::verdict::{Check, Verdict, Violation, checks, demand, judge};

/// What the checks run against.
pub type Lock = dyn RunLock;

/// Lets time pass for the store of locks.
pub type Pass = dyn Fn(Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// How time passes for the store, and what it allows for clocks that differ.
pub struct LockQuirks {
    /// All names begin with it; none may be known to the store.
    pub prefix: String,
    /// A lock is free so long after its end.
    pub skew: Duration,
    /// Lets time pass.
    pub pass: Box<Pass>,
}

impl fmt::Debug for LockQuirks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockQuirks").field("skew", &self.skew).finish_non_exhaustive()
    }
}

impl LockQuirks {
    fn name(&self, check: &str) -> String {
        format!("{}{check}", self.prefix)
    }

    /// Until a lock taken for [`TIME`] is free.
    async fn pass_the_end(&self) {
        (self.pass)(TIME + self.skew + Duration::from_secs(1)).await;
    }
}

/// For how long the checks take locks.
const TIME: Duration = Duration::from_secs(60);

/// Runs every check and panics with those that failed.
pub async fn suite(lock: &Lock, quirks: &LockQuirks) {
    judge(lock, quirks, "the locks", checks()).await;
}

/// The checks by name.
pub fn checks() -> Vec<Check<Lock, LockQuirks>> {
    checks![
        of_many_at_once_one_holds_it,
        names_are_kept_apart,
        it_is_held_as_long_as_it_is_renewed,
        after_its_end_it_is_free,
        a_late_holder_is_told_and_takes_nothing_away,
        given_up_it_is_free_at_once,
        given_up_it_cannot_be_renewed,
        one_never_taken_is_nobodys,
    ]
}

/// Who holds the lock, as somebody is told who may not have it.
async fn refused(lock: &Lock, name: &str) -> Result<String, Violation> {
    told(name, lock.acquire(name, "somebody late", TIME).await)
}

fn told<T: fmt::Debug>(name: &str, result: Result<T, LockError>) -> Result<String, Violation> {
    match result {
        Err(LockError::Held { name: said, holder, .. }) if said == name => Ok(holder),
        other => Err(Violation(format!("of the held lock {name} is said {other:?}"))),
    }
}

async fn take(lock: &Lock, name: &str, holder: &str) -> Result<RunLease, Violation> {
    match lock.acquire(name, holder, TIME).await {
        Ok(lease) if lease.name == name && lease.holder == holder => Ok(lease),
        other => Err(Violation(format!("{holder} takes the free lock {name} and is told {other:?}"))),
    }
}

async fn renew(lock: &Lock, lease: &RunLease) -> Verdict {
    lock.renew(lease, TIME).await.map_err(|error| Violation(format!("{lease:?} is not renewed: {error}")))
}

async fn of_many_at_once_one_holds_it(lock: &Lock, quirks: &LockQuirks) -> Verdict {
    let name = quirks.name("raced");
    let holders: Vec<String> = (0..12).map(|n| format!("holder {n}")).collect();
    let tries = holders.iter().map(|holder| lock.acquire(&name, holder, TIME));
    let results = futures_util::future::join_all(tries).await;
    let won: Vec<&RunLease> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
    demand!(won.len() == 1, "{} of {} hold it: {results:?}", won.len(), holders.len());
    let holder = won[0].holder.clone();
    for result in results.into_iter().filter(Result::is_err) {
        let said = told(&name, result)?;
        demand!(said == holder, "{said} is told, not {holder}");
    }
    let said = refused(lock, &name).await?;
    demand!(said == holder, "{said} is told later, not {holder}");
    Ok(())
}

async fn names_are_kept_apart(lock: &Lock, quirks: &LockQuirks) -> Verdict {
    for name in ["apart", "apart ", "apart/https://sqs.eu-west-1.amazonaws.com/1/jobs", "\u{1f3f9}"] {
        take(lock, &quirks.name(name), name).await?;
    }
    let said = refused(lock, &quirks.name("apart")).await?;
    demand!(said == "apart", "{said} is told");
    Ok(())
}

async fn it_is_held_as_long_as_it_is_renewed(lock: &Lock, quirks: &LockQuirks) -> Verdict {
    let name = quirks.name("renewed");
    let lease = take(lock, &name, "the holder").await?;
    for _ in 0..4 {
        (quirks.pass)(TIME * 2 / 3).await;
        renew(lock, &lease).await?;
        refused(lock, &name).await?;
    }
    // Renewed late, and nobody has taken it meanwhile.
    quirks.pass_the_end().await;
    renew(lock, &lease).await?;
    refused(lock, &name).await?;
    Ok(())
}

async fn after_its_end_it_is_free(lock: &Lock, quirks: &LockQuirks) -> Verdict {
    let name = quirks.name("ended");
    let mut last = take(lock, &name, "the first").await?;
    for n in 0..3 {
        (quirks.pass)(TIME - Duration::from_secs(5)).await;
        refused(lock, &name).await?;
        quirks.pass_the_end().await;
        let next = take(lock, &name, &format!("the next, {n}")).await?;
        demand!(next.token > last.token, "token {} follows {}", next.token, last.token);
        last = next;
    }
    Ok(())
}

async fn a_late_holder_is_told_and_takes_nothing_away(lock: &Lock, quirks: &LockQuirks) -> Verdict {
    let name = quirks.name("late");
    let first = take(lock, &name, "the first").await?;
    quirks.pass_the_end().await;
    take(lock, &name, "the second").await?;
    let said = told(&name, lock.renew(&first, TIME).await)?;
    demand!(said == "the second", "{said} is told");
    lock.release(&first).await?;
    let said = refused(lock, &name).await?;
    demand!(said == "the second", "{said} is told after a late release");
    Ok(())
}

async fn given_up_it_is_free_at_once(lock: &Lock, quirks: &LockQuirks) -> Verdict {
    let name = quirks.name("given-up");
    let first = take(lock, &name, "the first").await?;
    lock.release(&first).await?;
    let second = take(lock, &name, "the second").await?;
    demand!(second.token > first.token, "token {} follows {}", second.token, first.token);
    // A second time is no error, and not the second's.
    lock.release(&first).await?;
    refused(lock, &name).await?;
    Ok(())
}

/// A renewal that was on its way when the lock was given up would keep others out for nothing.
async fn given_up_it_cannot_be_renewed(lock: &Lock, quirks: &LockQuirks) -> Verdict {
    let name = quirks.name("given-up-and-renewed");
    let lease = take(lock, &name, "the holder").await?;
    lock.release(&lease).await?;
    demand!(lock.renew(&lease, TIME).await.is_err(), "it is renewed");
    take(lock, &name, "the next").await?;
    Ok(())
}

async fn one_never_taken_is_nobodys(lock: &Lock, quirks: &LockQuirks) -> Verdict {
    let lease = RunLease { name: quirks.name("never"), holder: "nobody".into(), token: 1 };
    demand!(lock.renew(&lease, TIME).await.is_err(), "it is renewed");
    lock.release(&lease).await?;
    take(lock, &lease.name, "the first").await?;
    Ok(())
}
