//! Which bodies a queue carries unchanged.
//!
//! SQS takes the characters of XML 1.0 and refuses or replaces all others (API reference, SendMessageBatch), U+FFFE and
//! U+FFFF among them, which are good characters of object keys. A job is JSON, and in JSON such a character can stand in a
//! string only, where it has an escape: so it arrives.

use std::borrow::Cow;

/// The body as it is sent, or why it cannot be.
pub(super) fn sendable(body: &str, most: usize) -> Result<Cow<'_, str>, String> {
    if body.is_empty() {
        return Err("the message is empty, which the queue does not take".to_owned());
    }
    let body = if body.chars().all(carried) {
        Cow::Borrowed(body)
    } else if serde_json::from_str::<serde_json::Value>(body).is_ok() {
        Cow::Owned(escaped(body))
    } else {
        return Err("the message has characters that the queue does not carry, and is no JSON".to_owned());
    };
    if body.len() > most {
        return Err(format!("the message has {} bytes; the queue takes at most {most}", body.len()));
    }
    Ok(body)
}

/// Whether SQS carries a character: `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF`.
fn carried(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if carried(c) {
            text.push(c);
        } else {
            text.push_str(&format!("\\u{:04x}", u32::from(c)));
        }
    }
    text
}

/// Text for a message attribute, of bounded length.
pub(super) fn attribute(text: &str) -> String {
    let text: String = text.chars().take(1000).map(|c| if carried(c) { c } else { '\u{fffd}' }).collect();
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_characters_that_xml_lacks_arrive_all_the_same() {
        let job = serde_json::to_string(&serde_json::json!({ "key": "a\u{ffff}\u{fffe}\u{1}b" })).unwrap();
        let sent = sendable(&job, 1000).unwrap();
        assert!(sent.chars().all(carried) && sent.contains("\\uffff"), "{sent}");
        let read: serde_json::Value = serde_json::from_str(&sent).unwrap();
        assert_eq!(read["key"], "a\u{ffff}\u{fffe}\u{1}b");
        assert!(matches!(sendable("{\"a\": \"\u{1f3f9}\"}\n", 100), Ok(Cow::Borrowed(_))));
    }

    #[test]
    fn what_cannot_be_carried_is_refused_before_it_is_sent() {
        for (body, why) in [("", "empty"), ("no json \u{1}", "no JSON"), ("12345678901", "at most 10")] {
            assert!(sendable(body, 10).unwrap_err().contains(why), "{body}");
        }
        assert_eq!(attribute(""), "-");
        assert_eq!(attribute("a\u{0}b"), "a\u{fffd}b");
    }
}
