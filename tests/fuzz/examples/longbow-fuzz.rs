//! The fuzzer. An example and no program of the workspace, so that it is built with the features of the tests, and shares
//! their libraries (docs/decisions/0025).

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    longbow_fuzz::run()
}
