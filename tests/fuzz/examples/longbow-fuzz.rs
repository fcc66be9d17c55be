//! The fuzzer.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    longbow_fuzz::run()
}
