//! The contract of [`CheckpointStore`]: one checkpoint a route, given back as it was saved.

use longbow_core::object::Timestamp;
use longbow_core::port::{Checkpoint, CheckpointStore};
use longbow_core::routes::RouteName;

use super::verdict::{Check, Verdict, Violation, checks, demand, judge};

/// What the checks run against.
pub type Store = dyn CheckpointStore;

/// Runs every check and panics with those that failed. The store must have no checkpoints of the checks' routes.
pub async fn suite(store: &Store) {
    judge(store, &(), "the checkpoints", checks()).await;
}

/// The checks by name.
pub fn checks() -> Vec<Check<Store, ()>> {
    checks![none_at_first, the_last_one_counts, routes_are_kept_apart, anything_is_given_back_as_it_was]
}

fn route(name: &str) -> Result<RouteName, Violation> {
    RouteName::new(name).map_err(|error| Violation(error.to_string()))
}

fn checkpoint(upto: &str) -> Checkpoint {
    Checkpoint { upto: upto.into(), about: "a comparison".into(), began: Timestamp(1_767_225_600_123) }
}

async fn is(store: &Store, route: &RouteName, expected: Option<&Checkpoint>) -> Verdict {
    let found = store.load(route).await?;
    demand!(found.as_ref() == expected, "of route {route}, {found:?} is there and not {expected:?}");
    Ok(())
}

async fn none_at_first(store: &Store, (): &()) -> Verdict {
    let route = route("none")?;
    is(store, &route, None).await?;
    store.clear(&route).await?;
    is(store, &route, None).await
}

async fn the_last_one_counts(store: &Store, (): &()) -> Verdict {
    let route = route("last")?;
    for upto in ["b", "a", "c"] {
        store.save(&route, &checkpoint(upto)).await?;
        is(store, &route, Some(&checkpoint(upto))).await?;
    }
    store.clear(&route).await?;
    is(store, &route, None).await?;
    store.save(&route, &checkpoint("again")).await?;
    is(store, &route, Some(&checkpoint("again"))).await
}

async fn routes_are_kept_apart(store: &Store, (): &()) -> Verdict {
    let names = ["apart", "Apart", "apart.1", "apart-1", "apart_1", &"x".repeat(64)];
    for name in names {
        store.save(&route(name)?, &checkpoint(name)).await?;
    }
    store.clear(&route("apart")?).await?;
    is(store, &route("apart")?, None).await?;
    for name in &names[1..] {
        is(store, &route(name)?, Some(&checkpoint(name))).await?;
    }
    Ok(())
}

async fn anything_is_given_back_as_it_was(store: &Store, (): &()) -> Verdict {
    let route = route("odd")?;
    let names = crate::generate::odd_keys(0);
    for upto in names.iter().map(String::as_str).chain(["", "\u{ffff}\u{fffe}", &"k".repeat(1024)]) {
        let about = format!("sizes of {upto:?}; {}", "and more ".repeat(300));
        for began in [Timestamp(-1), Timestamp(0), Timestamp(i64::MAX / 2)] {
            let odd = Checkpoint { upto: upto.into(), about: about.clone(), began };
            store.save(&route, &odd).await?;
            is(store, &route, Some(&odd)).await?;
        }
    }
    Ok(())
}
