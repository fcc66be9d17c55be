//! The fuzzer.

use std::process::ExitCode;

fn main() -> ExitCode {
    longbow_fuzz::run()
}
