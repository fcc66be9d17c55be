//! A death and a lost reply together: the call took effect, and who made it is told that it failed.
//!
//! Either the first run is killed behind its write and a reply of the second one is lost, or a reply behind the write is
//! lost and the same run is killed later. The next run without faults brings the scenario to its end.

use longbow_core::failure::StoreErrorKind;
use longbow_testkit::fault::{CallRecord, Fault, Faults, Rule};
use tokio::task::{LocalSet, spawn_local};

use super::checks::{History, nothing_half_is_visible, undisturbed};
use super::every_call::killed_in;
use super::moments::Moment;
use super::pairs::{finish, killed, tail_moments};
use super::scenarios::{self, Scale, Scenario};

/// The reply to this call of a journal is lost.
fn lose(journal: &[CallRecord], call: &CallRecord) -> Rule {
    let same = |c: &&CallRecord| (c.call, &c.port) == (call.call, &call.port) && c.number <= call.number;
    let nth = u32::try_from(journal.iter().filter(same).count()).expect("few calls");
    Rule::new(call.call, Fault::ErrorAfter(StoreErrorKind::Transient)).on(&call.port).nth(nth)
}

/// Killed behind the write, and then a reply is lost.
async fn killed_then_lost(scenario: &Scenario) -> usize {
    let known = undisturbed(scenario, Scale::Light).await;
    let mut pairs = 0;
    for first in tail_moments(scenario, &known) {
        let (stage, _) = killed(scenario, &known, &first).await;
        let faults = Faults::new();
        assert_eq!(stage.play(&faults).await, Some(Ok(())), "{}: {first}", scenario.name);
        let second = faults.journal();
        for call in &second {
            let (stage, mut history) = killed(scenario, &known, &first).await;
            history.told += &format!(", then the reply to call {} ({}) is lost", call.number, call.call);
            let faults = Faults::new();
            faults.add(lose(&second, call));
            // Where queue or state fail, the worker of one route ends; whoever started it starts it again.
            assert!(stage.play(&faults).await.is_some(), "{}", history.told);
            history.disturbed((&stage, scenario), &known, &faults, call.call);
            history.lost(scenario, &known, call.call);
            finish(&stage, scenario, &known, &mut history).await;
            pairs += 1;
        }
    }
    pairs
}

/// A reply behind the write is lost, and the run is killed at any moment after it.
async fn lost_then_killed(scenario: &Scenario) -> usize {
    let known = undisturbed(scenario, Scale::Light).await;
    let tail = &known.journal[known.journal.len() - scenario.tail.len()..];
    let mut pairs = 0;
    for call in tail {
        let stage = (scenario.build)(Scale::Light).await;
        let faults = Faults::new();
        faults.add(lose(&known.journal, call));
        assert!(stage.play(&faults).await.is_some(), "{}: nobody was killed", scenario.name);
        let journal = faults.journal();
        let later: Vec<_> = journal.into_iter().filter(|c| c.number > call.number).collect();
        for then in Moment::around(&later) {
            let stage = (scenario.build)(Scale::Light).await;
            let mut history = History::new(scenario);
            history.told +=
                &format!("the reply to call {} ({}) is lost, then {then}", call.number, call.call);
            let faults = then.plan();
            faults.add(lose(&known.journal, call));
            assert_eq!(stage.play(&faults).await, None, "{}: nobody was killed", history.told);
            history.disturbed((&stage, scenario), &known, &faults, &killed_in(&faults, &then));
            history.lost(scenario, &known, call.call);
            nothing_half_is_visible(&stage, &history).await;
            finish(&stage, scenario, &known, &mut history).await;
            pairs += 1;
        }
    }
    pairs
}

/// At least so many pairs there are: killed and then lost, lost and then killed.
const LEAST: [usize; 2] = [1600, 800];

#[tokio::test(start_paused = true)]
async fn a_stop_and_a_lost_reply_together_are_recovered_from() {
    let (mut all, mut wrong) = ([0, 0], Vec::new());
    // A fleet's worker that cannot read the record goes on without it, and leaves what is remembered of parts to expire.
    let without = "an event of an object in parts";
    let rows = scenarios::all().into_iter().filter(|row| !row.tail.is_empty() && row.name != without);
    for scenario in rows {
        let (name, tail) = (scenario.name, scenario.tail.len());
        // A row of its own task, so that one that fails does not hide the others.
        let row = async move { [killed_then_lost(&scenario).await, lost_then_killed(&scenario).await] };
        match LocalSet::new().run_until(async { spawn_local(row).await }).await {
            Ok(pairs) => {
                assert!(pairs.iter().all(|pairs| *pairs >= 2 * tail), "{name}: {pairs:?}");
                all = [all[0] + pairs[0], all[1] + pairs[1]];
            }
            Err(_) => wrong.push(name),
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(all[0] >= LEAST[0] && all[1] >= LEAST[1], "only {all:?} pairs were visited");
}
