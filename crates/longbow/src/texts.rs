//! The readers of command lines and settings by themselves, from texts: for those who feed them with anything
//! (`tests/fuzz`).
//!
//! Apart, because nothing of the program needs it. What is read here is read by the same code as in a run, but no
//! file is opened, no variable of the process looked at, and nothing done.

use std::ffi::OsString;
use std::path::Path;

use clap::Parser as _;

use crate::cli::{Cli, Command, Flags as _};
use crate::exit::CommandError;
use crate::settings::{Faults, FlagLayer, Layers, ProcessEnvironment, explain, of_json, resolve};

/// What becomes of something that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// What is printed.
    pub text: String,
    /// The exit code; `None` where a run would begin.
    pub exit: Option<u8>,
    /// What is wrong with settings: the key, where it was written, and the whole line.
    pub faults: Vec<[String; 3]>,
}

impl Answer {
    fn of(text: String) -> Self {
        Self { text, exit: None, faults: Vec::new() }
    }

    fn refused(faults: Faults) -> Self {
        let all = faults.0.iter().map(|f| [f.key.clone(), f.origin.to_string(), f.to_string()]).collect();
        let error = CommandError::from(faults);
        Self { text: error.to_string(), exit: Some(error.exit().code()), faults: all }
    }
}

/// Texts with settings.
#[derive(Debug, Clone, Default)]
pub struct Texts<'a> {
    /// A settings file: its name, which tells its form, and what is in it.
    pub file: Option<(&'a str, &'a str)>,
    /// Variables.
    pub environment: &'a [(&'a str, &'a str)],
    /// What a parameter with settings holds.
    pub parameter: Option<&'a str>,
    /// What a parameter with routes holds.
    pub routes: Option<&'a str>,
}

/// Reads a command line, and the settings in its flags.
pub fn command_line(arguments: &[OsString]) -> Answer {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let exit = u8::try_from(error.exit_code()).ok();
            return Answer { text: error.to_string(), exit, faults: Vec::new() };
        }
    };
    let mut flags = FlagLayer::default();
    match &cli.command {
        Command::Sync(args) => args.write_down(&mut flags),
        Command::Verify(args) => args.write_down(&mut flags),
        Command::Jobsender(args) => args.write_down(&mut flags),
        Command::Worker(args) => args.write_down(&mut flags),
        Command::Status(args) => args.fleet.write_down(&mut flags),
        Command::Jobs(args) => args.fleet().write_down(&mut flags),
        Command::Report(args) => args.fleet.write_down(&mut flags),
        Command::Doctor(args) => args.fleet.write_down(&mut flags),
        Command::State(args) => args.service().into_iter().for_each(|args| args.write_down(&mut flags)),
        Command::Dlq(args) => args.letters().service.write_down(&mut flags),
        Command::Settings(args) => args.write_down(&mut flags),
        Command::Demo(_) | Command::Completions { .. } | Command::Man { .. } => {}
    }
    let environment = ProcessEnvironment::of(&[("HOME", "/home/nobody")]);
    let layers = Layers::of_texts(None, &environment, None, &flags);
    match resolve(&layers, &environment) {
        Ok(_) => Answer::of(explain(&layers)),
        Err(faults) => Answer::refused(faults),
    }
}

/// Reads settings and routes; what is well is printed as `longbow settings` prints it.
pub fn settings(texts: &Texts<'_>) -> Answer {
    let variables = [&[("HOME", "/home/nobody")], texts.environment].concat();
    let environment = ProcessEnvironment::of(&variables);
    let file = texts.file.map(|(name, text)| (Path::new(name), text));
    let parameter = texts.parameter.map(|text| ("/fuzz/settings", text));
    let layers = Layers::of_texts(file, &environment, parameter, &FlagLayer::default());
    let mut wrong = Faults::default();
    if let Err(faults) = resolve(&layers, &environment) {
        wrong.0.extend(faults.0);
    }
    let mut routes = layers.routes().to_vec();
    match texts.routes.map(|text| of_json(text, "/fuzz/routes")) {
        Some(Ok(found)) => routes.extend(found),
        Some(Err(faults)) => wrong.0.extend(faults.0),
        None => {}
    }
    for route in &routes {
        if let Err(faults) = layers.read_route(route, &environment) {
            wrong.0.extend(faults.0);
        }
    }
    let shown = explain(&layers);
    match wrong.check() {
        Ok(()) => Answer::of(shown),
        Err(faults) => {
            let refused = Answer::refused(faults);
            Answer { text: format!("{shown}\n{}", refused.text), ..refused }
        }
    }
}
