//! Which keys take part: globs to include, globs to exclude, and an ignore file in Longbow's format.
//!
//! A glob is matched against the key without the source prefix. `*` stands for any run of characters, `/`
//! included, `?` for one character, `[seq]` and `[!seq]` for one of a class, and the whole key must match, as in
//! Longbow's list (Python's `fnmatchcase`). A line of an ignore file may also be written as Longbow has it, with
//! the bucket in front: `bucket/key`.

use glob::{MatchOptions, Pattern};

use crate::object::{Location, ObjectKey, Prefix};

const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: false,
};

/// A glob that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{origin}: {glob:?} is no glob: {why}")]
pub struct GlobError {
    /// The flag, or file and line.
    pub origin: String,
    /// As written.
    pub glob: String,
    /// What is wrong with it.
    pub why: String,
}

/// Decides which keys take part.
#[derive(Debug, Clone, Default)]
pub struct KeySelection {
    source_prefix: Prefix,
    bucket: Option<String>,
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
    ignore: Vec<Pattern>,
}

impl KeySelection {
    /// Everything under the source of a route.
    pub fn of(source: &Location) -> Self {
        let bucket = match source {
            Location::S3 { bucket, .. } => Some(bucket.clone()),
            Location::Folder(_) => None,
        };
        Self { source_prefix: source.prefix(), bucket, ..Self::default() }
    }

    /// Adds a glob that keys must match (one of several).
    pub fn include(&mut self, glob: &str) -> Result<(), GlobError> {
        self.include.push(compile(glob, "--include")?);
        Ok(())
    }

    /// Adds a glob that keys must not match.
    pub fn exclude(&mut self, glob: &str) -> Result<(), GlobError> {
        self.exclude.push(compile(glob, "--exclude")?);
        Ok(())
    }

    /// Adds the lines of an ignore file: one glob a line; empty lines and lines that begin with `#` are skipped,
    /// a trailing carriage return is dropped. All faults are reported at once.
    pub fn ignore_file(&mut self, name: &str, text: &str) -> Result<(), Vec<GlobError>> {
        let mut faults = Vec::new();
        for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            match compile(line, &format!("{name}:{}", index + 1)) {
                Ok(pattern) => self.ignore.push(pattern),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    /// Whether every key takes part.
    pub fn is_everything(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty() && self.ignore.is_empty()
    }

    /// Whether an object of the source takes part, by its full key.
    pub fn selects(&self, key: &ObjectKey) -> bool {
        key.strip(&self.source_prefix).is_none_or(|name| self.selects_name(name))
    }

    /// Whether an object takes part, by its name under the prefix: what both sides of a route share.
    pub fn selects_name(&self, name: &str) -> bool {
        if self.is_everything() {
            return true;
        }
        let matches =
            |patterns: &[Pattern], text: &str| patterns.iter().any(|p| p.matches_with(text, OPTIONS));
        if !self.include.is_empty() && !matches(&self.include, name) {
            return false;
        }
        if matches(&self.exclude, name) {
            return false;
        }
        if self.ignore.is_empty() {
            return true;
        }
        if matches(&self.ignore, name) {
            return false;
        }
        // Longbow's own form: bucket and full key.
        let Some(bucket) = &self.bucket else { return true };
        !matches(&self.ignore, &format!("{bucket}/{}{name}", self.source_prefix.as_str()))
    }
}

fn compile(glob: &str, origin: &str) -> Result<Pattern, GlobError> {
    // The glob crate reads `**` as "any folders" and refuses it inside a segment; here it means what `*` means.
    let mut plain = String::with_capacity(glob.len());
    let mut class = false;
    for c in glob.chars() {
        if c == '*' && !class && plain.ends_with('*') {
            continue;
        }
        class = (class || c == '[') && c != ']';
        plain.push(c);
    }
    Pattern::new(&plain).map_err(|e| GlobError {
        origin: origin.to_owned(),
        glob: glob.to_owned(),
        why: e.msg.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(source: &str, ignore: &str) -> KeySelection {
        let mut s = KeySelection::of(&Location::parse(source, false).unwrap());
        s.ignore_file("ignore", ignore).unwrap();
        s
    }

    #[test]
    fn longbows_own_examples() {
        // LB-25: exact, any suffix, prefix, extension, name in any folder; `*` crosses `/`.
        let s = over(
            "s3://bucket",
            "bucket/exact.mp4\nbucket/name.*\r\nbucket/prefix*\n*.jpg\n*/readme.md\n\n# comment\nbucket/t/*.tmp",
        );
        for ignored in
            ["exact.mp4", "name.x", "prefix/a/b", "a/b/c.jpg", "a/readme.md", "t/x.tmp", "t/dir/sub/x.tmp"]
        {
            assert!(!s.selects_name(ignored), "{ignored}");
        }
        for kept in ["exact.mp4x", "a/exact.mp4", "x.JPG", "t/x.tm"] {
            assert!(s.selects_name(kept), "{kept}");
        }
    }

    /// LBB-28: line ends of Windows broke patterns, there were no comments, and a key with brackets needs a class to be
    /// named.
    #[test]
    fn lbb_28_ignore_lists_as_people_write_them() {
        let s = over("s3://sbk", "\u{feff}sbk/b.txt\r\n# sbk/c.txt\r\nsbk/a[[]1].txt\r\n");
        for ignored in ["b.txt", "a[1].txt"] {
            assert!(!s.selects_name(ignored), "{ignored}");
        }
        for kept in ["c.txt", "a1.txt"] {
            assert!(s.selects_name(kept), "{kept}");
        }
    }

    #[test]
    fn the_bucket_form_sees_the_full_key_and_the_plain_form_the_name() {
        let s = over("s3://bucket/p", "bucket/p/x");
        assert!(!s.selects(&"p/x".into()));
        assert!(s.selects(&"p/y".into()));
        assert!(!over("s3://bucket/p", "x").selects(&"p/x".into()));
    }

    #[test]
    fn include_then_exclude() {
        let mut s = KeySelection::of(&Location::Folder("/d".into()));
        s.include("*.txt").unwrap();
        s.exclude("secret/*").unwrap();
        assert!(s.selects_name("a/b.txt"));
        assert!(!s.selects_name("a/b.bin"));
        assert!(!s.selects_name("secret/b.txt"));
        assert!(!s.selects_name("SECRET.TXT"));
    }

    #[test]
    fn doubled_stars_mean_one_and_faults_name_their_line() {
        let s = over("s3://bucket", "a**b");
        assert!(!s.selects_name("a/x/b"));
        let mut s = KeySelection::default();
        let faults = s.ignore_file("f", "ok\n[\n[").unwrap_err();
        assert_eq!(faults.len(), 2);
        assert!(faults[0].to_string().starts_with("f:2: "));
    }
}
