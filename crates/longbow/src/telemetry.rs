//! Logs: to standard error, quiet by default, never on standard output. As text for people, or as JSON lines for a
//! collector. What the lines hold is `docs/LOGGING.md`.

use std::fmt;
use std::io::IsTerminal as _;

use clap::ValueEnum;
use serde_json::json;
use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::SubscriberExt as _;

use crate::metrics::log_lines::LogLines;
use crate::screen::Screen;
use crate::watch::now;

/// How standard error is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line, whatever is said.
    Json,
}

impl LogFormat {
    /// What the flag says, else what `LONGBOW_LOG_FORMAT` says; and what is wrong with the latter.
    pub(crate) fn chosen(flag: Option<Self>, variable: Option<&str>) -> (Self, Option<String>) {
        match (flag, variable.map(|text| (Self::from_str(text, true), text))) {
            (Some(flag), _) => (flag, None),
            (None, Some((Ok(format), _))) => (format, None),
            (None, Some((Err(_), text))) => {
                let fault =
                    format!("LONGBOW_LOG_FORMAT is {text:?} and is passed over: it takes text or json");
                (Self::default(), Some(fault))
            }
            (None, None) => (Self::default(), None),
        }
    }
}

/// Begins logging. `verbose` is the number of `-v`; `filter` is `LONGBOW_LOG`, which wins.
pub(crate) fn start(verbose: u8, filter: Option<&str>, format: LogFormat, screen: &Screen) {
    let directives = directives(verbose, filter, format);
    let (parsed, fault) = match EnvFilter::try_new(&directives) {
        Ok(parsed) => (parsed, None),
        Err(error) => (EnvFilter::new("warn"), Some(error)),
    };
    // A second subscriber in one process (tests) is no fault.
    let counted = subscriber(format, parsed, screen.clone()).with(LogLines);
    let _ = tracing::subscriber::set_global_default(counted);
    if let Some(error) = fault {
        tracing::warn!("LONGBOW_LOG is no filter and is passed over: {error}");
    }
}

fn subscriber<W>(format: LogFormat, filter: EnvFilter, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_timer(Milliseconds);
    match format {
        LogFormat::Text => Box::new(builder.with_ansi(std::io::stderr().is_terminal()).finish()),
        LogFormat::Json => {
            let flat = builder.json().flatten_event(true).with_current_span(false).with_span_list(false);
            Box::new(flat.finish())
        }
    }
}

/// A line for people as a record for a collector.
pub(crate) fn console_line(text: &str) -> String {
    let timestamp = now().to_string();
    json!({"timestamp": timestamp, "level": "INFO", "target": "longbow::console", "message": text})
        .to_string()
}

/// RFC 3339 in UTC with milliseconds.
struct Milliseconds;

impl FormatTime for Milliseconds {
    fn format_time(&self, w: &mut Writer<'_>) -> fmt::Result {
        write!(w, "{}", now())
    }
}

/// A bare level means longbow's own crates: the SDK tells its requests at `debug`, headers and all. A collector gets the
/// line of each object unless it is told otherwise.
fn directives(verbose: u8, filter: Option<&str>, format: LogFormat) -> String {
    // What the SDK found no credentials in, it warns of one by one; if none are found at all, the error says so.
    let quiet = "warn,aws_config=error";
    let own = |level: &str| format!("{quiet},longbow={level}");
    match filter {
        Some(level) if level.parse::<LevelFilter>().is_ok() => own(level),
        Some(filter) => filter.to_owned(),
        None => match verbose {
            0 if format == LogFormat::Json => own("info"),
            0 => quiet.to_owned(),
            1 => own("info"),
            2 => own("debug"),
            _ => own("trace"),
        },
    }
}

#[cfg(test)]
mod tests;
