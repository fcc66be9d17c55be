//! Killed once, at every moment: the next run brings the scenario to its end.

use longbow_testkit::fault::Faults;

use super::checks::{History, Undisturbed, nothing_half_is_visible, the_end_is_the_same, undisturbed};
use super::moments::{Moment, names};
use super::scenarios::{self, Scale, Scenario};

/// The call during which a plan stopped the world.
pub(super) fn killed_in(faults: &Faults, moment: &Moment) -> String {
    match moment {
        Moment::Before(call) | Moment::After(call) => {
            let journal = faults.journal();
            journal.iter().find(|c| c.number == call.number).expect("the call was made").call.to_owned()
        }
        Moment::Amid(call, _) => call.call.to_owned(),
    }
}

/// Kills a scenario at every moment of an undisturbed run. Gives how often.
async fn kill_everywhere(scenario: &Scenario) -> usize {
    let known = undisturbed(scenario, Scale::Full).await;
    let mut killed = 0;
    for moment in Moment::around(&known.journal) {
        assert!(kill_once(scenario, &known, &moment).await, "{}: {moment}: nobody was killed", scenario.name);
        killed += 1;
    }
    for moment in Moment::amid_bodies(&known.journal) {
        // A refused read has no body.
        killed += usize::from(kill_once(scenario, &known, &moment).await);
    }
    killed
}

/// Gives whether the run came to that moment.
async fn kill_once(scenario: &Scenario, known: &Undisturbed, moment: &Moment) -> bool {
    let stage = (scenario.build)(Scale::Full).await;
    let mut history = History::new(scenario);
    history.told += &moment.to_string();
    let faults = moment.plan();
    if stage.play(&faults).await.is_some() {
        return false;
    }
    history.disturbed((&stage, scenario), known, &faults, &killed_in(&faults, moment));
    nothing_half_is_visible(&stage, &history).await;
    let faults = Faults::new();
    assert_eq!(stage.play(&faults).await, Some(Ok(())), "{}", history.told);
    history.undisturbed(&faults.journal());
    the_end_is_the_same(&stage, scenario, known, &history).await;
    true
}

/// Kills all rows everywhere, as often as the table says.
async fn kill_all(rows: Vec<Scenario>) {
    let mut wrong = Vec::new();
    for scenario in &rows {
        let moments = kill_everywhere(scenario).await;
        if moments != scenario.moments {
            wrong.push(format!("{}: {moments} moments, the table says {}", scenario.name, scenario.moments));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(start_paused = true)]
async fn every_stop_is_recovered_from() {
    kill_all(scenarios::of_one_route()).await;
}

#[tokio::test(start_paused = true)]
async fn every_stop_is_recovered_from_with_a_folder_and_in_a_whole_sync() {
    kill_all(scenarios::of_one_machine()).await;
}

#[tokio::test(start_paused = true)]
async fn every_stop_is_recovered_from_in_a_fleet() {
    kill_all(scenarios::of_a_fleet()).await;
}

/// The table is what the pairs go by: the last calls of each row are those that it says.
#[tokio::test(start_paused = true)]
async fn the_table_tells_the_last_calls_of_every_scenario() {
    let rows = scenarios::all();
    assert!(rows.len() >= 24, "{} scenarios", rows.len());
    for scenario in &rows {
        for scale in [Scale::Full, Scale::Light] {
            let known = undisturbed(scenario, scale).await;
            let journal = names(&known.journal);
            assert!(journal.ends_with(scenario.tail), "{}: {journal:?}", scenario.name);
        }
    }
}
