//! Command lines: a command that could begin, a text that was asked for, or an error with exit code 2.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

use longbow::texts::command_line;

use super::{Target, USUAL, settings};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "command-line",
    form: Form::Lines,
    tokens: &[
        "sync",
        "verify",
        "jobsender",
        "worker",
        "status",
        "jobs",
        "show",
        "report",
        "doctor",
        "state",
        "create-table",
        "schema",
        "dlq",
        "list",
        "redrive",
        "purge",
        "settings",
        "demo",
        "completions",
        "bash",
        "man",
        "help",
        "s3://src/p",
        "s3://dst",
        "/tmp/x",
        "--",
        "-",
        "-h",
        "--help",
        "-V",
        "--version",
        "-v",
        "-vvv",
        "-q",
        "--json",
        "--dry-run",
        "--delete",
        "--max-delete",
        "--concurrency",
        "--max-objects",
        "--max-requests",
        "--part-size",
        "--memory",
        "--include",
        "--exclude",
        "--compare",
        "--method",
        "--config",
        "--state-dir",
        "--source-endpoint-url",
        "--destination-endpoint-url",
        "--source-region",
        "--endpoint",
        "--allow-http",
        "--queue-url",
        "--table",
        "--routes-parameter",
        "--route",
        "--when-busy",
        "--prefix-match",
        "raw",
        "--key-mapping",
        "full-key",
        "--log-format",
        "json",
        "--limit",
        "--reason",
        "--manifest",
        "--manifest-columns",
        "0",
        "-1",
        "4MB",
        "1000000000",
        "18446744073709551616",
        "8MiB",
        "http://example.com",
        "=",
    ],
    longest: 4 * 1024,
    memory: 16 * 1024 * 1024,
    memory_a_byte: 2000,
    large: || vec![b"\n".repeat(2_000), b"-v\n".repeat(1_000), b"sync\n--include\n*\n".repeat(200)],
    run,
    ..USUAL
};

/// Each line is an argument.
fn run(input: &[u8]) {
    let arguments = input.split(|b| *b == b'\n').map(|argument| OsString::from_vec(argument.to_vec()));
    let all: Vec<OsString> = std::iter::once("longbow".into()).chain(arguments).collect();
    let answer = command_line(&all);
    match answer.exit {
        None => {}
        Some(0) => assert!(answer.text.contains("longbow"), "{}", answer.text),
        Some(2) if answer.faults.is_empty() => {
            let text = answer.text.trim_start();
            let told = text.starts_with("error: ") || text.contains("Usage: longbow");
            assert!(told, "{text:?}");
        }
        Some(2) => settings::told(&answer, input.len()),
        Some(other) => panic!("exit code {other} of a command line"),
    }
}
