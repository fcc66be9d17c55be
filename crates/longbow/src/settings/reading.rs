//! Reading one value: sizes, durations, choices. Each error says what would be right.

use std::time::Duration;

const SIZES: [(&str, u64); 9] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
];

/// The longest duration that means anything.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// A size such as `16MiB`; a bare number is bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "give a size as 16MiB, 1GiB, 500MB or a number of bytes".to_owned();
    let (number, unit) = split(text);
    let unit = match unit {
        "" => 1,
        unit => SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).ok_or_else(wrong)?.1,
    };
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(unit).ok_or_else(|| "too large: give a size that 64 bits can hold".to_owned())
}

/// A duration such as `200ms`, `30s`, `2m` or `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "give a duration as 200ms, 30s, 2m or 1h".to_owned();
    let (number, unit) = split(text);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let time = number.checked_mul(milliseconds).map(Duration::from_millis).ok_or_else(wrong)?;
    // A clock to which centuries are added overflows.
    if time > LONGEST { Err("give 8760h (a year) at most".to_owned()) } else { Ok(time) }
}

/// `true` or `false`.
pub(super) fn truth(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("give true or false".to_owned()),
    }
}

/// A whole number in bounds.
pub(super) fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    match text.parse() {
        Ok(n) if (least..=most).contains(&n) => Ok(n),
        _ if most == u64::MAX => Err(format!("give a whole number, at least {least}")),
        _ => Err(format!("give a whole number from {least} to {most}")),
    }
}

/// Any text but the empty one, which means: not set.
pub(super) fn optional(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A text without the byte order mark that some editors put in front.
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// One of some words.
pub(super) fn choice<T: Copy>(text: &str, choices: &[(&str, T)]) -> Result<T, String> {
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    Err(format!("give one of {}", words.join(", ")))
}

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let at = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (&text[..at], text[at..].trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        for (text, bytes) in
            [("0", 0), ("17", 17), ("16MiB", 16 << 20), ("1 GiB", 1 << 30), ("5mb", 5_000_000)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "MiB", "16M", "-1", "1.5GiB", "99999999999TiB"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for text in ["", "2", "s", "1d", "-1s", "8761h", "18446744073709551615ms", "18446744073709551615h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
