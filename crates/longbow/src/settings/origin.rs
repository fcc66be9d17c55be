//! Where a value was written.

use std::fmt;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `config/default.toml`, compiled in.
    Default,
    /// A settings file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
    /// A flag.
    Flag(&'static str),
    /// An argument of the command line that is no flag.
    Argument(&'static str),
    /// A parameter of Systems Manager.
    Parameter(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            // Others may have put anything into the environment.
            Self::Environment(name) => write!(f, "environment {}", name.escape_debug()),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Parameter(name) => write!(f, "parameter {name}"),
            Self::Argument(name) => write!(f, "argument {name}"),
        }
    }
}
