//! What every reader promises alike: errors that are short and harmless to show, and depths that are bounded.

/// The longest error, unless names of objects stand in it.
const LONGEST: usize = 4 * 1024;

/// An error must be something that can be shown to a person, whatever was read.
pub(super) fn showable(error: &dyn std::fmt::Display) {
    showable_with(error, 0);
}

/// The same of an error that names objects: a byte of a name may be written out, as `\u{1b}`.
pub(super) fn showable_with(error: &dyn std::fmt::Display, names: usize) {
    let text = error.to_string();
    assert!(!text.is_empty(), "an error says nothing");
    assert!(text.len() <= LONGEST + 20 * names, "an error has {} bytes", text.len());
    let wrong = text.chars().find(|c| c.is_control() && *c != '\n');
    assert!(wrong.is_none(), "an error holds the control character {wrong:?}: {text:?}");
}

/// How deep brackets stand in each other, outside of texts: for what was accepted as JSON.
pub(super) fn depth(json: &str) -> usize {
    let (mut deepest, mut depth, mut text, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if text => escaped = true,
            b'"' => text = !text,
            b'[' | b'{' if !text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Undoes percent-encoding in the most simple-minded way: what `decode_percent` is held against.
pub(super) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (head, tail) = rest.split_at(first.len_utf8());
        rest = tail;
        match first {
            '+' => bytes.push(b' '),
            '%' => {
                let digits = rest.get(..2).filter(|d| d.chars().all(|c| c.is_ascii_hexdigit()))?;
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            _ => bytes.extend_from_slice(head.as_bytes()),
        }
    }
    String::from_utf8(bytes).ok()
}

/// Percent-encodes every byte that is no letter, in either case of digits.
pub(super) fn encoded(text: &str) -> String {
    let one = |(at, byte): (usize, u8)| match byte {
        b' ' if at % 2 == 0 => "+".to_owned(),
        b'a'..=b'z' | b'A'..=b'Z' | b'/' => char::from(byte).to_string(),
        _ if at % 3 == 0 => format!("%{byte:02x}"),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().enumerate().map(one).collect()
}
