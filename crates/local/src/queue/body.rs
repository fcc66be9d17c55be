//! How a body lies in its column: without saying the subject again.
//!
//! A job names its keys, which are most often the subject itself, so that each would be stored four times. In the
//! column the character U+0001 stands for the subject as JSON writes it; JSON never holds that character raw.
//! Nothing else is known of bodies here: any text comes back as it was.

use std::borrow::Cow;

/// Stands for the subject. A body that holds it already is stored as it is, behind [`VERBATIM`].
const SUBJECT: &str = "\u{1}";
/// Begins a body that is stored as it is.
const VERBATIM: &str = "\u{2}";
/// Shorter subjects are not worth it.
const WORTH: usize = 8;

/// The subject as JSON writes it inside its quotation marks.
fn as_json(subject: &str) -> Cow<'_, str> {
    let plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if subject.bytes().all(plain) {
        return Cow::Borrowed(subject);
    }
    let quoted = serde_json::Value::from(subject).to_string();
    Cow::Owned(quoted[1..quoted.len() - 1].to_owned())
}

/// The body as it is stored. The same body gives the same text.
pub(super) fn shorten<'a>(subject: &str, body: &'a str) -> Cow<'a, str> {
    if body.contains(SUBJECT) || body.starts_with(VERBATIM) {
        return Cow::Owned(format!("{VERBATIM}{body}"));
    }
    let subject = as_json(subject);
    if subject.len() < WORTH || !body.contains(&*subject) {
        return Cow::Borrowed(body);
    }
    Cow::Owned(body.replace(&*subject, SUBJECT))
}

/// The body as it was sent.
pub(super) fn restore(subject: &str, stored: String) -> String {
    if let Some(body) = stored.strip_prefix(VERBATIM) {
        return body.to_owned();
    }
    if stored.contains(SUBJECT) { stored.replace(SUBJECT, &as_json(subject)) } else { stored }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_comes_back_and_most_are_shorter() {
        let subjects = [
            "photos/2024/a.jpg",
            "a",
            "",
            "odd \" and \\ and \u{1}\u{2}",
            "\"quoted\"",
            "ends in \"",
            "tab\there, é",
        ];
        for subject in subjects {
            let quoted = serde_json::Value::from(subject).to_string();
            let bodies = [
                format!("{{\"source\":{quoted},\"destination\":{quoted}}}"),
                format!("{subject}{subject}"),
                String::new(),
                "\u{1}".into(),
                format!("\u{2}{subject}"),
                format!("{{\"other\":\"thing\\\\\",\"source\":{quoted}}}"),
            ];
            for body in bodies {
                let stored = shorten(subject, &body).into_owned();
                assert_eq!(restore(subject, stored.clone()), body, "{stored:?}");
            }
        }
        assert_eq!(shorten("photos/a.jpg", r#"{"source":"photos/a.jpg"}"#), "{\"source\":\"\u{1}\"}");
        let odd = "photos/\"a\".jpg";
        assert_eq!(shorten(odd, r#"{"source":"photos/\"a\".jpg"}"#), "{\"source\":\"\u{1}\"}");
    }
}
