//! Killed twice: anywhere between the write that makes an object visible and the end of the run, and then anywhere in
//! the run that follows. The third run brings the scenario to its end.

use longbow_testkit::fault::Faults;

use super::checks::{History, Undisturbed, nothing_half_is_visible, the_end_is_the_same, undisturbed};
use super::every_call::killed_in;
use super::moments::Moment;
use super::scenarios::{self, Scale, Scenario};
use super::stage::Stage;

/// The stage after a first run that was killed at this moment.
pub(super) async fn killed(scenario: &Scenario, known: &Undisturbed, first: &Moment) -> (Stage, History) {
    let stage = (scenario.build)(Scale::Light).await;
    let mut history = History::new(scenario);
    history.told += &first.to_string();
    let faults = first.plan();
    assert_eq!(stage.play(&faults).await, None, "{}: nobody was killed", history.told);
    history.disturbed((&stage, scenario), known, &faults, &killed_in(&faults, first));
    nothing_half_is_visible(&stage, &history).await;
    (stage, history)
}

/// Runs the program to its end, without faults, and checks that.
pub(super) async fn finish(stage: &Stage, scenario: &Scenario, known: &Undisturbed, history: &mut History) {
    let faults = Faults::new();
    assert_eq!(stage.play(&faults).await, Some(Ok(())), "{}", history.told);
    history.undisturbed(&faults.journal());
    the_end_is_the_same(stage, scenario, known, history).await;
}

/// The moments of the tail of an undisturbed run.
pub(super) fn tail_moments(scenario: &Scenario, known: &Undisturbed) -> Vec<Moment> {
    let tail = known.journal.len() - scenario.tail.len();
    Moment::around(&known.journal[tail..])
}

/// Kills a scenario at all pairs. Gives how many there are.
async fn kill_twice(scenario: &Scenario) -> usize {
    let known = undisturbed(scenario, Scale::Light).await;
    let mut pairs = 0;
    for first in tail_moments(scenario, &known) {
        let (stage, _) = killed(scenario, &known, &first).await;
        let faults = Faults::new();
        assert_eq!(stage.play(&faults).await, Some(Ok(())), "{}: {first}", scenario.name);
        for then in Moment::around(&faults.journal()) {
            let (stage, mut history) = killed(scenario, &known, &first).await;
            history.told += &format!(", then {then}");
            let faults = then.plan();
            assert_eq!(stage.play(&faults).await, None, "{}: nobody was killed", history.told);
            history.disturbed((&stage, scenario), &known, &faults, &killed_in(&faults, &then));
            nothing_half_is_visible(&stage, &history).await;
            finish(&stage, scenario, &known, &mut history).await;
            pairs += 1;
        }
    }
    pairs
}

async fn kill_all_twice(rows: Vec<Scenario>) {
    let mut wrong = Vec::new();
    for scenario in rows.iter().filter(|row| !row.tail.is_empty()) {
        let pairs = kill_twice(scenario).await;
        if pairs != scenario.pairs {
            wrong.push(format!("{}: {pairs} pairs, the table says {}", scenario.name, scenario.pairs));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn every_pair_of_stops_behind_the_write_is_recovered_from() {
    kill_all_twice(scenarios::of_one_route()).await;
}

#[tokio::test(start_paused = true)]
async fn every_pair_of_stops_behind_the_write_is_recovered_from_with_a_folder() {
    kill_all_twice(scenarios::of_one_machine()).await;
}

#[tokio::test(start_paused = true)]
async fn every_pair_of_stops_behind_the_write_is_recovered_from_in_a_fleet() {
    kill_all_twice(scenarios::of_a_fleet()).await;
}
