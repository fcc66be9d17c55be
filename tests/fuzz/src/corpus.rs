//! Inputs that are kept: one text file a target, one input a line.
//!
//! A line is `NAME: INPUT`, or `= INPUT` where coverage found it; lines that begin with `#` are comments. In an
//! input, `\n`, `\r`, `\t`, `\\` and `\xNN` stand for one byte each, so that a change of the corpus can be read like
//! any other change. Messages and lists that other tests keep as files are taken from there.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The folder of these tests.
fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The file of a target.
pub(crate) fn path(target: &str) -> PathBuf {
    home().join("corpus").join(format!("{target}.txt"))
}

/// All inputs of a target: those of its file, and those of the files in `folders` (below the workspace).
pub(crate) fn load(target: &str, folders: &[&str]) -> Result<Vec<Vec<u8>>, String> {
    let file = path(target);
    let told = |error: std::io::Error| format!("{} cannot be read: {error}", file.display());
    let mut all = match std::fs::read_to_string(&file) {
        Ok(text) => read(&text).map_err(|why| format!("{}: {why}", file.display()))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(told(error)),
    };
    for folder in folders {
        let folder = home().join("../..").join(folder);
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(&folder).map_err(told)?.filter_map(|e| Some(e.ok()?.path())).collect();
        paths.sort();
        for path in paths.iter().filter(|p| p.is_file()) {
            all.push(std::fs::read(path).map_err(told)?);
        }
    }
    Ok(all)
}

/// Writes inputs that were found behind those that stand in the file with a name.
pub(crate) fn save(target: &str, found: &[Vec<u8>]) -> std::io::Result<()> {
    let file = path(target);
    let old = std::fs::read_to_string(&file).unwrap_or_default();
    let mut text: String = old.lines().filter(|l| is_named(l)).fold(String::new(), |text, l| text + l + "\n");
    let mut lines: Vec<String> = found.iter().map(|input| escape(input)).collect();
    lines.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    lines.dedup();
    for line in lines {
        text.push_str("= ");
        text.push_str(&line);
        text.push('\n');
    }
    std::fs::write(file, text)
}

fn is_named(line: &str) -> bool {
    !line.starts_with("= ")
}

fn read(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut all = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let input = match line.strip_prefix("= ") {
            Some(input) => input,
            None => {
                let (_, input) = line.split_once(':').ok_or(format!("line {}: no name", index + 1))?;
                input.strip_prefix(' ').unwrap_or(input)
            }
        };
        all.push(unescape(input).ok_or(format!("line {}: a backslash that means nothing", index + 1))?);
    }
    Ok(all)
}

/// An input on one line.
pub(crate) fn escape(input: &[u8]) -> String {
    let mut text = String::with_capacity(input.len());
    for piece in input.utf8_chunks() {
        for c in piece.valid().chars() {
            match c {
                '\n' => text.push_str("\\n"),
                '\r' => text.push_str("\\r"),
                '\t' => text.push_str("\\t"),
                '\\' => text.push_str("\\\\"),
                ' '..='~' => text.push(c),
                'À'..='ž' => text.push(c),
                _ => c.encode_utf8(&mut [0; 4]).bytes().for_each(|b| hex(&mut text, b)),
            }
        }
        piece.invalid().iter().for_each(|b| hex(&mut text, *b));
    }
    text
}

fn hex(text: &mut String, byte: u8) {
    // Writing to a String does not fail.
    let _ = write!(text, "\\x{byte:02x}");
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.bytes());
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' => b'\\',
            b'x' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(bytes)
}

/// The folder in which inputs that fail, and those that run, are written down.
pub(crate) fn scratch() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target.unwrap_or_else(|| home().join("../../target")).join("fuzz")
}

/// Where the input that runs is written down.
pub(crate) fn running(target: &str) -> PathBuf {
    scratch().join(format!("{target}.running"))
}

/// Writes down an input that fails.
pub(crate) fn keep_failing(target: &str, input: &[u8]) -> std::io::Result<PathBuf> {
    let sum = input
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, b| (sum ^ u64::from(*b)).wrapping_mul(0x100_0000_01b3));
    let path = scratch().join(format!("{target}-{sum:016x}.input"));
    std::fs::write(&path, input)?;
    Ok(path.canonicalize().unwrap_or_else(|_| Path::new(&path).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_has_one_line_and_comes_back() {
        let odd = b"a: b\\ \n\r\t\0\xff\xc3\xa9\xc3\\x41\xe2\x80\xa8= ".to_vec();
        let all: Vec<Vec<u8>> = vec![odd, Vec::new(), (0..=255).collect(), b"= x".to_vec(), b"# y".to_vec()];
        for input in &all {
            let line = escape(input);
            assert_eq!(line.lines().count(), usize::from(!line.is_empty()));
            assert_eq!(unescape(&line).as_ref(), Some(input));
        }
        let text: String = all.iter().map(|input| format!("= {}\n", escape(input))).collect();
        assert_eq!(read(&format!("# note\n\nname: a\\x00\n{text}")).unwrap()[1..], all);
        assert!(read("nameless").is_err() && read("= \\q").is_err());
    }
}
