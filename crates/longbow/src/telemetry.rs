//! Logs: to standard error, quiet by default, never on standard output.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::screen::Screen;

/// Begins logging. `verbose` is the number of `-v`; `filter` is `LONGBOW_LOG`, which wins.
pub(crate) fn start(verbose: u8, filter: Option<&str>, screen: &Screen) {
    let directives = directives(verbose, filter);
    let (parsed, fault) = match EnvFilter::try_new(&directives) {
        Ok(parsed) => (parsed, None),
        Err(error) => (EnvFilter::new("warn"), Some(error)),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(screen.clone())
        .with_ansi(std::io::stderr().is_terminal())
        .finish();
    // A second subscriber in one process (tests) is no fault.
    let _ = tracing::subscriber::set_global_default(subscriber);
    if let Some(error) = fault {
        tracing::warn!("LONGBOW_LOG is no filter and is passed over: {error}");
    }
}

/// A bare level means longbow's own crates: the SDK tells its requests at `debug`, headers and all.
fn directives(verbose: u8, filter: Option<&str>) -> String {
    let own = |level: &str| format!("warn,longbow={level}");
    match filter {
        Some(level) if level.parse::<LevelFilter>().is_ok() => own(level),
        Some(filter) => filter.to_owned(),
        None => match verbose {
            0 => "warn".to_owned(),
            1 => own("info"),
            2 => own("debug"),
            _ => own("trace"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sdk_stays_quiet_unless_it_is_named() {
        assert_eq!(directives(0, None), "warn");
        assert_eq!(directives(1, None), "warn,longbow=info");
        assert_eq!(directives(0, Some("debug")), "warn,longbow=debug");
        assert_eq!(directives(2, Some("aws_smithy_runtime=trace")), "aws_smithy_runtime=trace");
    }
}
