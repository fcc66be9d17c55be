//! Everything that longbow reads from others, fed with what nobody would write.
//!
//! Each [`target`] is one reader and what it promises for any bytes at all. [`hunt()`] changes inputs that are known
//! and runs them; in a build with `instrument` it keeps those that reach branches which none has reached. [`run`] is
//! the program, `tests/fuzz/run` starts it.
//!
//! An engine of its own, because it has to run on the stable compiler, beside libraries that are not built again,
//! and because it has to count time and memory for each input (docs/decisions/0025).

mod command;
mod corpus;
mod coverage;
mod crew;
mod hunt;
mod memory;
mod mutate;
mod probe;
mod random;
pub mod target;

use std::process::ExitCode;
use std::time::Duration;

pub use hunt::{Budget, CostSeen, Finding, Hunted, essence, hunt};
pub use mutate::Form;
pub use probe::Failure;
pub use random::Random;

use command::{Action, Command, USAGE};
use coverage::Coverage;
use target::{ALL, Target};

/// What a target's file may hold, so that the corpus stays small.
const CORPUS_BYTES: usize = 48 * 1024;
const CORPUS_INPUT: usize = 3 * 1024;

/// The program: hunts as its arguments say. The last line says how many targets failed.
pub fn run() -> ExitCode {
    let command = match command::read(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(why) => {
            eprintln!("longbow-fuzz: {why}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match carry_out(&command) {
        Ok(code) => code,
        Err(why) => {
            eprintln!("longbow-fuzz: {why}");
            ExitCode::from(2)
        }
    }
}

fn carry_out(command: &Command) -> Result<ExitCode, String> {
    match &command.action {
        Action::Help => println!("{USAGE}"),
        Action::List => ALL.iter().for_each(|target| println!("{}", target.name)),
        Action::Replay(file) => {
            let input = std::fs::read(file).map_err(|e| format!("{} cannot be read: {e}", file.display()))?;
            for target in &command.targets {
                match probe::probe(target, &input) {
                    Ok(cost) => {
                        println!("{}: ok, {} us, {} bytes", target.name, cost.time.as_micros(), cost.memory)
                    }
                    Err(failure) => {
                        println!("{}: FAILED: {failure}", target.name);
                        return Ok(ExitCode::FAILURE);
                    }
                }
            }
        }
        Action::Hunt => {
            let failed = crew::run(command).map_err(|e| e.to_string())?;
            println!("{} targets, {failed} failed", command.targets.len());
            return Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Action::Grow if !Coverage::is_guided() => {
            return Err("--grow needs a build that counts branches: tests/fuzz/run, with GUIDE_ALL=1 for settings and command-line".to_owned());
        }
        Action::HuntHere | Action::Grow => {
            for target in &command.targets {
                if !hunt_here(command, target)? {
                    return Ok(ExitCode::FAILURE);
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn hunt_here(command: &Command, target: &'static Target) -> Result<bool, String> {
    std::fs::create_dir_all(corpus::scratch()).map_err(|e| e.to_string())?;
    let known = known(target)?;
    let budget = Budget { time: command.time, executions: command.executions };
    let hunted = hunt(target, &known, budget, command.seed, true);
    let Hunted { executions, time, features, cost, .. } = &hunted;
    let a_second = u128::from(*executions) * 1000 / time.as_millis().max(1);
    println!(
        "{}: {executions} inputs{}, {a_second} a second, {} known, {} new, {features} features, at most {} ms and {} KiB: {}",
        target.name,
        if Coverage::is_guided() { "" } else { " (blind)" },
        hunted.known,
        hunted.pool.len() - hunted.known,
        cost.time.as_millis(),
        cost.memory / 1024,
        if hunted.finding.is_none() { "ok" } else { "FAILED" },
    );
    if let Some(Finding { input, failure }) = &hunted.finding {
        crew::tell(target.name, &failure.to_string(), input).map_err(|e| e.to_string())?;
        return Ok(false);
    }
    if command.action == Action::Grow {
        let kept = essence(target, hunted.pool, CORPUS_INPUT, CORPUS_BYTES);
        println!("{}: {} inputs kept", target.name, kept.len());
        corpus::save(target.name, &kept).map_err(|e| e.to_string())?;
    }
    Ok(true)
}

/// What is known of a target: its corpus, and what it makes by itself.
pub fn known(target: &Target) -> Result<Vec<Vec<u8>>, String> {
    let mut known = corpus::load(target.name, target.folders)?;
    known.extend((target.large)());
    Ok(known)
}

/// A hunt of a moment, for the ordinary tests: what is known, and some changes of it.
pub fn glance(target: &Target) -> Result<u64, String> {
    let known = known(target)?;
    let budget =
        Budget { executions: u64::try_from(known.len()).unwrap_or(0) + 2_000, time: Duration::from_secs(20) };
    let hunted = hunt(target, &known, budget, 1, false);
    match hunted.finding {
        None => Ok(hunted.executions),
        Some(Finding { input, failure }) => Err(format!("{failure}; input: {}", corpus::escape(&input))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, PoisonError};

    use super::*;

    /// Memory is counted for the whole process: one target at a time.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

    fn glance_at(name: &str) {
        let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let target = ALL.iter().find(|target| target.name == name).expect("a target of this name");
        let executions = glance(target).unwrap_or_else(|why| panic!("{name}: {why}"));
        assert!(executions > 100, "{name}: {executions} inputs only");
    }

    /// One test a target: its corpus, and two thousand changes of it.
    macro_rules! glances {
        ($($test:ident: $name:literal,)*) => {
            $(#[test] fn $test() { glance_at($name); })*

            #[test]
            fn every_target_has_a_test() {
                let mut names: Vec<&str> = ALL.iter().map(|target| target.name).collect();
                let mut tested = vec![$($name),*];
                names.sort_unstable();
                tested.sort_unstable();
                assert_eq!(names, tested);
            }
        };
    }

    glances! {
        any_message_keeps_its_promises: "message",
        any_notification_keeps_its_promises: "notification",
        any_event_of_eventbridge_keeps_its_promises: "eventbridge",
        any_envelope_of_sns_keeps_its_promises: "sns",
        any_manifest_keeps_its_promises: "manifest",
        any_packed_manifest_keeps_its_promises: "gzip",
        any_old_configuration_keeps_its_promises: "legacy",
        any_settings_keep_their_promises: "settings",
        any_listing_keeps_its_promises: "listing",
        any_key_keeps_its_promises_as_a_path: "key-path",
        any_command_line_keeps_its_promises: "command-line",
        any_routes_keep_their_promises: "routes",
        any_percent_encoding_keeps_its_promises: "percent",
        any_selection_keeps_its_promises: "selection",
    }
}
