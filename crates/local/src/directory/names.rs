//! Which keys can be files, and which file names are longbow's own.
//!
//! Apart from the code that opens files, since it decides from the text alone: the same key has the same answer
//! on every machine. What only the file system can say (a name too long for it, a file where a folder is
//! needed) is not decided here.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;

/// The longest name of a file or folder, in bytes (`NAME_MAX` of every common file system).
pub(super) const MAX_NAME: usize = 255;
/// The longest path below the root, in bytes (`PATH_MAX` less its NUL): other programs must be able to open it.
pub(super) const MAX_PATH: usize = 4095;

const OWN: &str = ".longbow-";
const DIGITS: usize = 16;
const WHOLE: &str = ".tmp";
const PARTS: &str = ".part";

/// A key that can be a path below the root: segments that are neither empty nor `.` nor `..`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyPath {
    key: ObjectKey,
    file_at: usize,
}

impl KeyPath {
    /// Reads a key; the error says why no file can be called so.
    pub(super) fn parse(key: &ObjectKey) -> Result<Self, StoreError> {
        let text = key.as_str();
        match fault(text) {
            None => Ok(Self { key: key.clone(), file_at: text.rfind('/').map_or(0, |at| at + 1) }),
            Some(why) => Err(StoreError::new(
                StoreErrorKind::InvalidKey,
                format!(
                    "the key {key} cannot be a file: {why}; copy it to a bucket or leave it out by --exclude"
                ),
            )),
        }
    }

    /// The key itself.
    pub(super) fn key(&self) -> &ObjectKey {
        &self.key
    }

    /// The folders on the way, from the root.
    pub(super) fn folders(&self) -> impl Iterator<Item = &str> {
        self.folder().split('/').filter(|s| !s.is_empty())
    }

    /// The path of the folder that holds the file: empty for the root, else ending in `/`.
    pub(super) fn folder(&self) -> &str {
        &self.key.as_str()[..self.file_at]
    }

    /// The file's own name.
    pub(super) fn file(&self) -> &str {
        &self.key.as_str()[self.file_at..]
    }
}

fn fault(key: &str) -> Option<String> {
    if key.is_empty() {
        return Some("it is empty".into());
    }
    if key.len() > MAX_PATH {
        return Some(format!("it has {} bytes, and a path may have {MAX_PATH}", key.len()));
    }
    if key.contains('\0') {
        return Some("it holds a NUL character".into());
    }
    if key.starts_with('/') {
        return Some("it begins with '/'".into());
    }
    if key.ends_with('/') {
        return Some("it ends in '/' and names a folder".into());
    }
    key.split('/').find_map(segment_fault)
}

/// Why a segment is no name of a file or folder.
pub(super) fn segment_fault(segment: &str) -> Option<String> {
    match segment {
        "" => Some("it holds two '/' in a row".into()),
        "." | ".." => Some(format!("it holds the segment '{segment}'")),
        s if s.len() > MAX_NAME => {
            Some(format!("it holds a segment of {} bytes, and a name may have {MAX_NAME}", s.len()))
        }
        s if is_own(s.as_bytes()) => {
            Some("it holds a name of the form that longbow keeps for its temporary files".into())
        }
        _ => None,
    }
}

/// Whether a name has the form of longbow's temporary files.
pub(super) fn is_own(name: &[u8]) -> bool {
    own_suffix(name).is_some_and(|rest| rest == WHOLE.as_bytes() || is_parts_suffix(rest))
}

/// Whether a name is that of a file being written whole.
pub(super) fn is_whole(name: &[u8]) -> bool {
    own_suffix(name) == Some(WHOLE.as_bytes())
}

/// Whether a name is that of a multipart upload.
pub(super) fn is_upload(name: &[u8]) -> bool {
    own_suffix(name).is_some_and(is_parts_suffix)
}

fn is_parts_suffix(rest: &[u8]) -> bool {
    rest == PARTS.as_bytes() || (rest.starts_with(b"-") && rest.ends_with(PARTS.as_bytes()))
}

fn own_suffix(name: &[u8]) -> Option<&[u8]> {
    let rest = name.strip_prefix(OWN.as_bytes())?;
    let (digits, rest) = rest.split_at_checked(DIGITS)?;
    digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')).then_some(rest)
}

/// A new name for a file being written whole.
pub(super) fn new_whole() -> String {
    format!("{OWN}{:0DIGITS$x}{WHOLE}", unique())
}

/// A new name for an upload of the file `target`. It tells the target, unless that is too long to fit.
pub(super) fn new_upload(target: &str) -> String {
    let room = MAX_NAME - OWN.len() - DIGITS - 1 - PARTS.len();
    if target.len() <= room {
        format!("{OWN}{:0DIGITS$x}-{target}{PARTS}", unique())
    } else {
        new_nameless_upload()
    }
}

/// A new name for an upload that does not tell its target.
pub(super) fn new_nameless_upload() -> String {
    format!("{OWN}{:0DIGITS$x}{PARTS}", unique())
}

/// The file that an upload of this name will become, if the name tells.
pub(super) fn upload_target(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(OWN)?.get(DIGITS..)?;
    rest.strip_prefix('-')?.strip_suffix(PARTS).filter(|t| segment_fault(t).is_none())
}

/// The same name in other letters: what a file system that takes both for one would find.
pub(super) fn in_other_case(own: &str) -> String {
    own.to_ascii_uppercase()
}

fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // The hasher's keys come from the operating system's random source; files are opened with O_EXCL anyway.
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(NEXT.fetch_add(1, Ordering::Relaxed));
    hasher.write_u32(std::process::id());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(key: &str) -> String {
        let error = KeyPath::parse(&ObjectKey::from(key)).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::InvalidKey);
        error.message
    }

    #[test]
    fn keys_that_cannot_be_files_are_refused_with_the_reason() {
        for (key, reason) in [
            ("", "empty"),
            ("/a", "begins with '/'"),
            ("/", "begins with '/'"),
            ("a//b", "two '/' in a row"),
            ("a/", "names a folder"),
            (".", "segment '.'"),
            ("..", "segment '..'"),
            ("../x", "segment '..'"),
            ("a/../b", "segment '..'"),
            ("a/./b", "segment '.'"),
            ("a/..", "segment '..'"),
            ("a\0b", "NUL"),
            (".longbow-0123456789abcdef.tmp", "temporary"),
            (".longbow-0123456789abcdef-x.part/y", "temporary"),
        ] {
            assert!(why(key).contains(reason), "{key:?}: {}", why(key));
        }
        assert!(why(&"x".repeat(256)).contains("segment of 256 bytes"));
        assert!(why(&format!("{}y", "x/".repeat(2048))).contains("a path may have 4095"));
    }

    #[test]
    fn odd_names_that_a_file_can_have_pass() {
        let long = "é".repeat(127);
        for key in [
            "...", "..a", "a..", " ", "a b", "+", "%41", "%2e%2e", "\u{1}\n", "\\", "a\\..\\b", "C:", "-rf",
            &long,
        ] {
            assert_eq!(KeyPath::parse(&ObjectKey::from(key)).unwrap().file(), key);
        }
        let path = KeyPath::parse(&ObjectKey::from("a/b/c")).unwrap();
        assert_eq!((path.folder(), path.file()), ("a/b/", "c"));
        assert_eq!(path.folders().collect::<Vec<_>>(), ["a", "b"]);
        for key in [".longbow-x.tmp", ".longbow-0123456789abcdef", ".longbow-0123456789abcdef.txt"] {
            assert!(KeyPath::parse(&ObjectKey::from(key)).is_ok(), "{key}");
        }
    }

    #[test]
    fn own_names_are_told_apart() {
        let whole = new_whole();
        assert!(is_own(whole.as_bytes()) && is_whole(whole.as_bytes()) && !is_upload(whole.as_bytes()));
        assert_ne!(whole, new_whole());
        let upload = new_upload("big.bin");
        assert!(is_own(upload.as_bytes()) && is_upload(upload.as_bytes()) && !is_whole(upload.as_bytes()));
        assert_eq!(upload_target(&upload), Some("big.bin"));
        let long = new_upload(&"x".repeat(255));
        assert!(long.len() <= MAX_NAME && is_upload(long.as_bytes()));
        assert_eq!(upload_target(&long), None);
        let just_fits = new_upload(&"x".repeat(224));
        assert_eq!(just_fits.len(), MAX_NAME);
        assert_eq!(upload_target(&just_fits).map(str::len), Some(224));
    }
}
