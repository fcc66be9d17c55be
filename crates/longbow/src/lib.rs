//! The longbow program: the command line, the settings, the wiring of use cases and adapters, and what a user hears.
//!
//! What is copied and how is decided in `longbow-jobsender`, `longbow-worker` and `longbow-core`; how stores and state
//! are reached, in `longbow-aws` and `longbow-local`. Only `backend` knows both adapters.

#![forbid(unsafe_code)]

mod amounts;
mod backend;
mod cli;
mod command;
mod core_dump;
mod exit;
mod ledger;
mod memory_limit;
mod metrics;
mod progress;
mod report;
mod screen;
mod settings;
mod shutdown;
mod summary;
mod telemetry;
#[doc(hidden)]
pub mod texts;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;
use serde_json::json;

use cli::{Cli, Command};
use command::Surrounding;
use exit::{CommandError, Exit};
use screen::Screen;
use settings::ProcessEnvironment;
use telemetry::LogFormat;

/// Threads that move bytes. Digests have threads of their own.
const THREADS: usize = 2;

/// The program, from its arguments to its exit code.
pub fn program() -> ExitCode {
    core_dump::forbid();
    // clap ends the program itself on a wrong command line, with exit code 2, and after --help with 0.
    let Cli { command, log_format } = Cli::parse();
    let environment = ProcessEnvironment::of_this_process();
    let (format, fault) = LogFormat::chosen(log_format, environment.get("LONGBOW_LOG_FORMAT"));
    let around = Surrounding { screen: Screen::of(format), environment };
    telemetry::start(verbosity(&command), around.environment.get("LONGBOW_LOG"), format, &around.screen);
    if let Some(fault) = fault {
        tracing::warn!("{fault}");
    }
    let json = speaks_json(&command);
    let exit = run(command, &around).unwrap_or_else(|error| {
        around.screen.show(None);
        around.screen.error_line(&format!("longbow: {error}"));
        if json {
            let event = json!({"event": "error", "message": error.to_string(), "exit": error.exit().code()});
            around.screen.output_line(&event.to_string());
        }
        error.exit()
    });
    exit.into()
}

fn run(command: Command, around: &Surrounding) -> Result<Exit, CommandError> {
    match command {
        Command::Sync(args) => in_runtime(command::sync::run(&args, around)),
        Command::Verify(args) => in_runtime(command::verify::run(&args, around)),
        Command::Jobsender(args) => in_runtime(command::jobsender::run(&args, around)),
        Command::Worker(args) => in_runtime(command::worker::run(&args, around)),
        Command::Status(args) => in_runtime(command::status::run(&args, around)),
        Command::Jobs(args) => in_runtime(command::jobs::run(&args, around)),
        Command::Report(args) => in_runtime(command::report::run(&args, around)),
        Command::Doctor(args) => in_runtime(command::doctor::run(&args, around)),
        Command::State(args) => in_runtime(command::state::run(&args, around)),
        Command::Dlq(args) => in_runtime(command::dlq::run(&args, around)),
        Command::Settings(args) => in_runtime(command::settings::run(&args, around)),
        Command::Demo(args) => in_runtime(command::demo::run(&args, around)),
        Command::Completions { shell } => Ok(command::completions::run(shell, &around.screen)),
        Command::Man { command, dir } => {
            command::man::run(command.as_deref(), dir.as_deref(), &around.screen)
        }
    }
}

fn in_runtime(work: impl Future<Output = Result<Exit, CommandError>>) -> Result<Exit, CommandError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS.min(cores))
        .enable_all()
        .build()
        .map_err(|e| CommandError::Failed(format!("failed to start the runtime: {e}")))?;
    let result = runtime.block_on(work);
    // Reads of slow disks may still be under way; nobody waits for them any more.
    runtime.shutdown_background();
    result
}

fn verbosity(command: &Command) -> u8 {
    match command {
        Command::Sync(args) => args.transfer.surroundings.verbose,
        Command::Verify(args) => args.surroundings.verbose,
        Command::Settings(args) => args.transfer.surroundings.verbose,
        Command::Jobsender(args) => args.transfer.surroundings.verbose,
        Command::Worker(args) => args.transfer.surroundings.verbose,
        Command::Status(args) => args.fleet.surroundings.verbose,
        Command::Jobs(args) => args.fleet().surroundings.verbose,
        Command::Report(args) => args.fleet.surroundings.verbose,
        Command::Doctor(args) => args.fleet.surroundings.verbose,
        Command::State(args) => args.service().map_or(0, |service| service.surroundings.verbose),
        Command::Dlq(args) => args.letters().service.surroundings.verbose,
        Command::Demo(_) | Command::Completions { .. } | Command::Man { .. } => 0,
    }
}

fn speaks_json(command: &Command) -> bool {
    match command {
        Command::Sync(args) => args.output.json,
        Command::Verify(args) => args.output.json,
        Command::Jobsender(args) => args.output.json,
        Command::Worker(args) => args.output.json,
        Command::Status(args) => args.fleet.json,
        Command::Jobs(args) => args.fleet().json,
        Command::Report(args) => args.fleet.json,
        Command::Doctor(args) => args.fleet.json,
        Command::State(args) => args.service().is_some_and(|service| service.json),
        Command::Dlq(args) => args.letters().service.json,
        Command::Settings(_) | Command::Demo(_) | Command::Completions { .. } | Command::Man { .. } => false,
    }
}
