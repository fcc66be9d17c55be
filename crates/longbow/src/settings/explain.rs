//! Every setting, its value and where it came from: TOML that `--config` would take again, secrets aside.

use std::fmt::Write as _;

use config::{Value, ValueKind};

use super::layers::{Layers, is_secret};
use super::routes::is_own;

/// Writes all settings, section by section.
pub(crate) fn explain(layers: &Layers) -> String {
    let lines: Vec<(String, String, String)> = layers
        .iter()
        .map(|(key, value, origin)| (key.to_owned(), show(key, value), origin.to_string()))
        .collect();
    let width = |(key, value, _): &(String, String, String)| {
        key.split_once('.').map_or(0, |(_, name)| name.len()) + value.len()
    };
    let widest = lines.iter().map(width).filter(|w| *w <= 60).max().unwrap_or(0);
    let (mut out, mut section) = (String::new(), "");
    for line in &lines {
        let (here, name) = line.0.split_once('.').unwrap_or(("", &line.0));
        if here != section {
            let _ = writeln!(out, "{}[{here}]", if out.is_empty() { "" } else { "\n" });
            section = here;
        }
        let pad = " ".repeat(widest.saturating_sub(width(line)));
        let _ = writeln!(out, "{name} = {}{pad}  # {}", line.1, line.2);
    }
    for route in layers.routes() {
        let _ = writeln!(out, "\n[routes.{}]", name_of(&route.name));
        for (key, (value, origin)) in &route.values {
            // A secret may stand under a mistyped name.
            let known = layers.knows(key) || is_own(key);
            let value = if known { show(key, value) } else { quote("(hidden)") };
            let _ = writeln!(out, "{key} = {value}  # {origin}");
        }
    }
    out
}

/// A name as a TOML key.
fn name_of(name: &str) -> String {
    let bare = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if bare { name.to_owned() } else { quote(name) }
}

fn show(key: &str, value: &Value) -> String {
    match &value.kind {
        ValueKind::String(text) if is_secret(key) && !text.is_empty() => quote("(hidden)"),
        _ if is_secret(key) => quote(""),
        ValueKind::Array(list) => {
            let entries: Vec<_> = list.iter().map(|v| quote(&v.to_string())).collect();
            format!("[{}]", entries.join(", "))
        }
        // The environment and flags give text: numbers and truth values are shown as such; accounts are no numbers.
        ValueKind::String(text) if is_number(text) || text == "true" || text == "false" => text.clone(),
        ValueKind::String(text) => quote(text),
        other => other.to_string(),
    }
}

fn is_number(text: &str) -> bool {
    text.len() < 12 && (text == "0" || !text.starts_with('0')) && text.parse::<u64>().is_ok()
}

/// A TOML basic string.
fn quote(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
