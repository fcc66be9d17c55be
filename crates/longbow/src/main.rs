//! The longbow program. All of it is in the library beside it, so that tests can feed its readers.

#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Many small buffers come and go on several threads: a third less processor time for small objects than with the
/// system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    longbow::program()
}
