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
    let mut moments = Moment::around(&known.journal);
    let bodies = Moment::amid_bodies(&known.journal);
    assert_eq!(!bodies.is_empty(), scenario.bodies || bodies.len() == 1, "{}: bodies", scenario.name);
    if scenario.bodies {
        moments.extend(bodies);
    }
    for moment in &moments {
        kill_once(scenario, &known, moment).await;
    }
    moments.len()
}

async fn kill_once(scenario: &Scenario, known: &Undisturbed, moment: &Moment) {
    let stage = (scenario.build)(Scale::Full).await;
    let mut history = History::new(scenario);
    history.told += &moment.to_string();
    let faults = moment.plan();
    assert_eq!(stage.play(&faults).await, None, "{}: nobody was killed", history.told);
    history.disturbed(&stage, scenario, &faults, &killed_in(&faults, moment));
    nothing_half_is_visible(&stage, &history).await;
    let faults = Faults::new();
    assert_eq!(stage.play(&faults).await, Some(Ok(())), "{}", history.told);
    history.undisturbed(&faults.journal());
    the_end_is_the_same(&stage, scenario, known, &history).await;
}

/// Kills all rows everywhere, and compares how often with what the rows are known to have.
async fn kill_all(rows: Vec<Scenario>, least: usize) {
    let mut all = 0;
    for scenario in &rows {
        let moments = kill_everywhere(scenario).await;
        println!("{:40} {moments:4} moments", scenario.name);
        all += moments;
    }
    println!("{all} moments in all");
    assert!(all >= least, "only {all} moments were visited");
}

#[tokio::test(start_paused = true)]
async fn every_stop_is_recovered_from() {
    kill_all(scenarios::of_one_route(), 300).await;
}

#[tokio::test(start_paused = true)]
async fn every_stop_is_recovered_from_with_a_folder_and_in_a_whole_sync() {
    kill_all(scenarios::of_one_machine(), 100).await;
}

#[tokio::test(start_paused = true)]
async fn every_stop_is_recovered_from_in_a_fleet() {
    kill_all(scenarios::of_a_fleet(), 100).await;
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
