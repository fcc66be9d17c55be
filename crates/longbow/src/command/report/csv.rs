//! Lines of comma-separated values as RFC 4180 has them: quoted where needed, with CRLF at their ends.
//!
//! Values are as they are: a key that begins with `=`, `+`, `-` or `@` may be taken for a formula by a spreadsheet,
//! which has to import such columns as text. A key that was changed to prevent that would be another key.

/// One line.
pub(super) fn line<T: AsRef<str>>(fields: impl IntoIterator<Item = T>) -> String {
    let mut out = String::new();
    for (n, field) in fields.into_iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        let field = field.as_ref();
        // White space at the ends is part of a field, but not to every reader.
        let odd = field.starts_with(char::is_whitespace) || field.ends_with(char::is_whitespace);
        if odd || field.contains([',', '"', '\r', '\n']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(field);
        }
    }
    out.push_str("\r\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(line(["a", "", "b c"]), "a,,b c\r\n");
        assert_eq!(line(["a,b", "\"", "x\ny", "\r", " z"]), "\"a,b\",\"\"\"\",\"x\ny\",\"\r\",\" z\"\r\n");
        assert_eq!(line(["=1+1", "\u{1f3f9}"]), "=1+1,\u{1f3f9}\r\n");
    }
}
