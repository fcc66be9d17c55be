//! The command line of the fuzzer: which targets, how long, with what seed.

use std::path::PathBuf;
use std::time::Duration;

use crate::target::{ALL, Target};

/// What was asked for.
#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) targets: Vec<&'static Target>,
    pub(crate) time: Duration,
    pub(crate) executions: u64,
    pub(crate) jobs: usize,
    pub(crate) seed: u64,
    pub(crate) action: Action,
}

/// What to do with the targets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Hunt, each target in a process of its own.
    Hunt,
    /// Hunt in this process: what [`Action::Hunt`] starts.
    HuntHere,
    /// Hunt in this process, and write what was found into the corpus.
    Grow,
    /// Run one input.
    Replay(PathBuf),
    /// Name the targets.
    List,
    /// Show this text.
    Help,
}

pub(crate) const USAGE: &str = "\
usage: longbow-fuzz [TARGET…] [--seconds N] [--jobs N] [--seed N] [--executions N]
       longbow-fuzz TARGET --input FILE      runs one input again
       longbow-fuzz TARGET… --grow           hunts, and writes what was found into tests/fuzz/corpus
       longbow-fuzz --list                   names the targets

Without targets: all. --seconds is for each target (60). The same --seed and --executions make the same hunt.";

/// Reads arguments; a text says what is wrong with them.
pub(crate) fn read(arguments: impl Iterator<Item = String>) -> Result<Command, String> {
    let mut command = Command {
        targets: Vec::new(),
        time: Duration::from_secs(60),
        executions: u64::MAX,
        jobs: 1,
        seed: 1,
        action: Action::Hunt,
    };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut number = || -> Result<u64, String> {
            let text = arguments.next().ok_or(format!("{argument} needs a number"))?;
            text.parse().map_err(|_| format!("{argument}: {text:?} is no number"))
        };
        match argument.as_str() {
            "--seconds" => command.time = Duration::from_secs(number()?),
            "--jobs" => command.jobs = usize::try_from(number()?).unwrap_or(1).max(1),
            "--seed" => command.seed = number()?,
            "--executions" => {
                command.executions = number()?;
                command.time = Duration::from_secs(24 * 3600);
            }
            "--input" => {
                command.action = Action::Replay(arguments.next().ok_or("--input needs a file")?.into())
            }
            "--grow" => command.action = Action::Grow,
            "--here" => command.action = Action::HuntHere,
            "--list" => command.action = Action::List,
            "-h" | "--help" => command.action = Action::Help,
            name => match ALL.iter().find(|target| target.name == name) {
                Some(target) => command.targets.push(target),
                None => return Err(format!("there is no target {name:?}")),
            },
        }
    }
    if matches!(command.action, Action::Replay(_)) && command.targets.len() != 1 {
        return Err("--input needs the target that it is for, and no other".to_owned());
    }
    if command.targets.is_empty() {
        command.targets = ALL.iter().collect();
    }
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Command, String> {
        read(text.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read_or_refused() {
        let all = of("--seconds 5 --jobs 2 --seed 7").unwrap();
        assert_eq!((all.targets.len(), all.time.as_secs(), all.jobs, all.seed), (ALL.len(), 5, 2, 7));
        assert_eq!(of("message --input x").unwrap().action, Action::Replay("x".into()));
        for wrong in
            ["no-such", "--seconds", "--seconds x", "--input", "--input x", "message manifest --input x"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
