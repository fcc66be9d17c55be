//! The text of `s3_migration_cluster_config.ini`, as Python's `configparser` reads it, as far as Longbow uses it.
//!
//! Apart from [`super::keys`], which knows what the keys mean. Not done: interpolation and values over several lines,
//! which no key of Longbow has; both are faults.

use std::collections::HashSet;
use std::sync::Arc;

/// One key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IniEntry {
    /// The section, as written; shared by all its keys, however long it is.
    pub section: Arc<str>,
    /// The key in small letters: the file does not tell letters apart.
    pub key: String,
    /// The value without white space around it.
    pub value: String,
    /// Its line, from 1.
    pub line: usize,
}

/// What is wrong in the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct IniFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
}

/// Reads the file; reports every fault. A byte order mark is skipped; lines that begin with `#` or `;` are comments.
pub fn read_ini(text: &str) -> Result<Vec<IniEntry>, Vec<IniFault>> {
    let (mut entries, mut faults) = (Vec::<IniEntry>::new(), Vec::new());
    let (mut section, mut given) = (None::<Arc<str>>, HashSet::new());
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let mut fault = |what: &str| faults.push(IniFault { line, what: what.to_owned() });
        let plain = raw.trim();
        if plain.is_empty() || plain.starts_with(['#', ';']) {
            continue;
        }
        if raw.starts_with([' ', '\t']) {
            fault("begins with white space, which would carry on the value of the line before");
            continue;
        }
        if let Some(rest) = plain.strip_prefix('[') {
            // A name with such a sign in it is a line without its end, and may hold a secret: it is not repeated.
            match rest.strip_suffix(']').filter(|name| !name.is_empty() && !name.contains([']', '='])) {
                Some(name) => section = Some(name.into()),
                None => fault("is no [section]"),
            }
            continue;
        }
        let Some(section) = &section else {
            fault("stands before the first [section]");
            continue;
        };
        let Some(at) = plain.find(['=', ':']) else {
            fault("is neither a [section] nor `key = value`");
            continue;
        };
        let (key, value) = (plain[..at].trim().to_ascii_lowercase(), plain[at + 1..].trim().to_owned());
        if key.is_empty() {
            fault("has no key before the sign");
        } else if !given.insert((section.clone(), key.clone())) {
            fault("gives a key of this section for the second time");
        } else {
            entries.push(IniEntry { section: section.clone(), key, value, line });
        }
    }
    if faults.is_empty() { Ok(entries) } else { Err(faults) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries_are_read_with_their_lines() {
        let text = "\u{feff}; note\r\n[Basic]\r\nJobType = PUT\r\n\r\n# x\r\n[Mode]\nMaxThread: 20\nEmpty=\n";
        let entry = |section: &str, key: &str, value: &str, line| IniEntry {
            section: section.into(),
            key: key.into(),
            value: value.into(),
            line,
        };
        assert_eq!(
            read_ini(text),
            Ok(vec![
                entry("Basic", "jobtype", "PUT", 3),
                entry("Mode", "maxthread", "20", 7),
                entry("Mode", "empty", "", 8),
            ])
        );
    }

    #[test]
    fn every_fault_is_named_with_its_line() {
        let faults =
            read_ini("a=1\n[Basic\n[S]\nb\n =2\n=3\nc=1\nC=2\n[S]secret=SECRET]\n[x=SECRET]\n").unwrap_err();
        let lines: Vec<usize> = faults.iter().map(|f| f.line).collect();
        assert_eq!(lines, [1, 2, 4, 5, 6, 8, 9, 10], "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.to_string().contains("SECRET")), "{faults:?}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[\\[\\]=:;# \na-c\u{feff}é]{0,60}") {
            let _ = read_ini(&text);
        }
    }
}
