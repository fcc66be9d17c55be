//! What others wrote, for a message to a person: short, and nothing that a terminal obeys.

/// At most so many characters of a text; what is left out is told by `…`, and control characters are written out.
pub(crate) fn excerpt(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_harmless() {
        assert_eq!(excerpt("a\x1b[2Jé", 10), "a\\u{1b}[2Jé");
        assert_eq!(excerpt("abc", 3), "abc");
        assert_eq!(excerpt("abcd", 3), "abc…");
        assert_eq!(excerpt("", 0), "");
    }
}
