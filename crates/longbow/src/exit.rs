//! How the program ends: its exit codes, and the errors that lead to them. The only place that knows the numbers.

use std::fmt;
use std::process::ExitCode;

use crate::settings::Faults;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything was done.
    Done,
    /// Some objects failed, or the run could not go on.
    Failed,
    /// The command line or the settings are wrong, or name a bucket or credentials that do not exist.
    Usage,
    /// `verify` found differences.
    Differences,
    /// Refused for safety.
    Refused,
    /// Stopped by a signal; what was done is kept.
    Stopped(Signal),
}

/// A signal that asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What service managers send.
    Terminate,
}

impl Exit {
    /// How a run over objects ended. A listing that was not read to its end is a trouble, too.
    ///
    /// | stopped by a signal | refused for safety | objects failed or left over, or troubles | exit |
    /// |---|---|---|---|
    /// | yes | – | – | stopped |
    /// | no | yes | – | refused |
    /// | no | no | some | failed |
    /// | no | no | none | done |
    pub(crate) fn of_run(signal: Option<Signal>, refused: bool, unsettled: u64, troubles: &[String]) -> Self {
        match signal {
            Some(signal) => Self::Stopped(signal),
            None if refused => Self::Refused,
            None if unsettled > 0 || !troubles.is_empty() => Self::Failed,
            None => Self::Done,
        }
    }

    /// The number that the shell sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Differences => 3,
            Self::Refused => 4,
            // 128 and the signal's number, as shells have it.
            Self::Stopped(Signal::Interrupt) => 130,
            Self::Stopped(Signal::Terminate) => 143,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// Why a command could not do its work at all. The message says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// Settings, flags or locations are wrong.
    #[error(transparent)]
    Settings(#[from] Faults),
    /// What was asked for does not fit what is there: no such bucket, wrong credentials.
    #[error("{0}")]
    Usage(String),
    /// Doing it would be dangerous.
    #[error("{0}")]
    Refused(String),
    /// Something outside failed.
    #[error("{0}")]
    Failed(String),
}

impl CommandError {
    /// The same, said of one route of several.
    pub(crate) fn of_route(self, name: &impl std::fmt::Display) -> Self {
        let said = |text: String| format!("route {name}: {text}");
        match self {
            Self::Settings(faults) => Self::Settings(faults),
            Self::Usage(text) => Self::Usage(said(text)),
            Self::Refused(text) => Self::Refused(said(text)),
            Self::Failed(text) => Self::Failed(said(text)),
        }
    }

    /// The exit that belongs to it.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Settings(_) | Self::Usage(_) => Exit::Usage,
            Self::Refused(_) => Exit::Refused,
            Self::Failed(_) => Exit::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_codes() {
        let table = [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::Differences, 3),
            (Exit::Refused, 4),
            (Exit::Stopped(Signal::Interrupt), 130),
            (Exit::Stopped(Signal::Terminate), 143),
        ];
        for (exit, code) in table {
            assert_eq!(exit.code(), code);
        }
    }

    #[test]
    fn a_run_is_done_only_when_nothing_failed_and_nothing_is_left() {
        let trouble = ["the source's listing was not read to its end".to_owned()];
        let signal = Some(Signal::Terminate);
        let table = [
            (signal, true, 1, &trouble[..], Exit::Stopped(Signal::Terminate)),
            (None, true, 1, &trouble[..], Exit::Refused),
            (None, false, 1, &[][..], Exit::Failed),
            (None, false, 0, &trouble[..], Exit::Failed),
            (None, false, 0, &[][..], Exit::Done),
        ];
        for (signal, refused, unsettled, troubles, exit) in table {
            assert_eq!(Exit::of_run(signal, refused, unsettled, troubles), exit);
        }
    }

    #[test]
    fn errors_have_their_exits() {
        assert_eq!(CommandError::Settings(Faults::default()).exit(), Exit::Usage);
        assert_eq!(CommandError::Usage(String::new()).exit(), Exit::Usage);
        assert_eq!(CommandError::Refused(String::new()).exit(), Exit::Refused);
        assert_eq!(CommandError::Failed(String::new()).exit(), Exit::Failed);
    }
}
