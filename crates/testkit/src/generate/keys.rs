//! Keys that break programs which take a key for a path, a URL or a line of text.
//!
//! Each is a name that Amazon S3 keeps byte for byte (S3 User Guide, "Naming Amazon S3 objects").

/// The odd keys of fixed text. All of them can stand beside each other in one bucket.
pub const ODD_KEYS: &[&str] = &[
    // Paths that a file system would fold together.
    "a//b",
    "/a",
    "//a",
    "a/./b",
    "a/../b",
    "./a",
    "../a",
    "y/..",
    "dir/",
    "dir//",
    "x",
    "x/",
    "x/y",
    "x/y/z",
    "x-y",
    "x.y",
    "x0",
    // Text that a URL or a form would decode.
    "+",
    "a+b c",
    "%41",
    "A",
    "%2F",
    "%25",
    "100% sure",
    "a?b#c",
    "a?b=c&d=e",
    "key=value;version",
    // Spaces at every place.
    " leading",
    "trailing ",
    "two  spaces",
    " ",
    // Unicode: composed, decomposed, beyond the basic plane, right to left, invisible.
    "caf\u{e9}",
    "cafe\u{301}",
    "\u{1f3f9}/\u{1f469}\u{200d}\u{1f680}.png",
    "\u{5e97}\u{8217}/\u{65e5}\u{672c}.csv",
    "\u{5e9}\u{5dc}\u{5d5}\u{5dd}",
    "\u{feff}bom",
    "\u{ffff}",
    "\u{10ffff}",
    // Order: UTF-8 bytes and UTF-16 units sort these two differently.
    "order/\u{fb01}",
    "order/\u{10000}",
    // Control characters.
    "new\nline",
    "carriage\rreturn",
    "tab\tbed",
    "one\u{1}",
    "escape\u{1b}[31m",
    "delete\u{7f}",
    // Text that XML, JSON, shells or globs would read.
    "quotes \"'`",
    "<tag>&amp;</tag>",
    "]]>",
    "back\\slash",
    "~*()!",
    "*",
    "[a-z]?",
    "{a,b}",
    "^|$;",
    "-rf",
    "--",
    // Names that some systems keep for themselves.
    "CON",
    "aux.txt",
    "soap",
    "Case",
    "case",
    ".hidden",
    "...",
];

/// A key of exactly `length` bytes: segments of at most 200 bytes.
pub fn long_key(length: usize) -> String {
    let mut key: String = (0..length).map(|i| if i % 200 == 199 { '/' } else { 'k' }).collect();
    if key.ends_with('/') {
        key.pop();
        key.push('k');
    }
    key
}

/// A key of one segment of `length` bytes.
pub fn long_segment(length: usize) -> String {
    "s".repeat(length)
}

/// All odd keys: [`ODD_KEYS`], one of 1,024 bytes and one with a segment of 300 bytes. With a prefix of `reserved`
/// bytes before it, the longest one still has 1,024 bytes.
pub fn odd_keys(reserved: usize) -> Vec<String> {
    let mut keys: Vec<String> = ODD_KEYS.iter().map(|key| (*key).to_owned()).collect();
    keys.push(long_key(1024 - reserved.min(1000)));
    keys.push(long_segment(300));
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use longbow_core::object::ObjectKey;

    #[test]
    fn all_are_keys_and_all_differ() {
        let keys = odd_keys(10);
        for key in &keys {
            assert!(ObjectKey::new(format!("0123456789{key}")).check().is_ok(), "{key:?}");
        }
        assert_eq!(keys.iter().collect::<std::collections::HashSet<_>>().len(), keys.len());
        assert!(keys.iter().any(|key| key.len() == 1014));
    }
}
