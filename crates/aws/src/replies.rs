//! Where the SDK is too strict or too lenient about replies.
//!
//! Too strict: it fails a whole GET or HEAD when one `x-amz-meta-…` value is Latin-1, as old tools wrote them. The
//! object can still be copied; what could not be read is counted as S3 itself counts what it cannot state, in
//! `x-amz-missing-meta`, and so gets into the report.
//!
//! Too lenient: its XML reader takes the end of the text for the end of every open element, so that half a listing
//! is a whole one. Replies have to end with the element that they began with. It also takes a place that is no XML, say a bare
//! control character or `]]>` in a key that a store did not encode, for the end of a list. Replies have to be XML to their end.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::Headers;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_xml::decode::Document;

const COUNT: &str = "x-amz-missing-meta";

/// Takes unreadable headers out of replies before the SDK reads them, and refuses those that are cut short.
#[derive(Debug)]
pub(crate) struct SoundReplies;

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for SoundReplies {
    fn name(&self) -> &'static str {
        "SoundReplies"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        drop_unreadable(context.response_mut().headers_mut());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        // The bodies of objects are streams by now and have no bytes to look at.
        match response.body().bytes() {
            Some(body) if response.status().is_success() => sound(body),
            _ => Ok(()),
        }
    }
}

/// Refuses a text of which the SDK's reader would give a part and say nothing.
pub(crate) fn sound(text: &[u8]) -> Result<(), BoxError> {
    if !is_whole(text) {
        return Err("the reply is cut short".into());
    }
    if text.trim_ascii_start().starts_with(b"<") {
        // The very reader that stops in silence says here why.
        for token in Document::try_from(text)? {
            token?;
        }
    }
    Ok(())
}

/// Whether an XML text ends with the element that it began with. What is no XML has nothing to end.
fn is_whole(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let mut rest = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text).trim_ascii_start();
    if !rest.starts_with(b"<") {
        return true;
    }
    // A declaration and comments may stand before the first element.
    while rest.starts_with(b"<?") || rest.starts_with(b"<!") {
        let Some(end) = rest.iter().position(|b| *b == b'>') else { return false };
        rest = rest[end + 1..].trim_ascii_start();
    }
    let Some(root) = rest.strip_prefix(b"<") else { return false };
    let ends = |b: &u8| b.is_ascii_whitespace() || matches!(b, b'>' | b'/');
    let Some(length) = root.iter().position(ends) else { return false };
    let Some(before) = rest.strip_suffix(b">").map(<[u8]>::trim_ascii_end) else { return false };
    let closed = before.strip_suffix(&root[..length]).is_some_and(|before| before.ends_with(b"</"));
    closed || (before.ends_with(b"/") && !rest[1..].contains(&b'<'))
}

fn drop_unreadable(headers: &mut Headers) {
    let unreadable: Vec<String> = headers
        .iter_bytes()
        .filter(|(_, value)| std::str::from_utf8(value).is_err())
        .map(|(name, _)| name.to_owned())
        .collect();
    if unreadable.is_empty() {
        return;
    }
    let before: usize = headers.get(COUNT).and_then(|n| n.trim().parse().ok()).unwrap_or_default();
    for name in &unreadable {
        headers.remove(name);
    }
    headers.insert(COUNT, (before + unreadable.len()).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_whole_when_its_first_element_ends() {
        for whole in [
            "",
            " ",
            "no XML",
            "<a></a>",
            "<a/>",
            "<a x='1' />",
            "<?xml version=\"1.0\"?>\n<a xmlns=\"u\"><b>t</b></a>\n",
            "\n\n <?xml?><!-- c --><a></a >",
        ] {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
        for cut in ["<", "<a", "<a>", "<a><b/>", "<a></b>", "<a></", "<a></a", "<?xml", "<?xml?>", "<aa></a>"]
        {
            assert!(!is_whole(cut.as_bytes()), "{cut}");
        }
    }

    #[test]
    fn a_text_is_sound_when_it_is_xml_to_its_end() {
        for good in [
            "",
            "no XML",
            "<a/>",
            "<?xml version=\"1.0\"?><a x='1'><b>t&#10;\t]]</b><!-- c --><![CDATA[<]]></a>",
        ] {
            assert!(sound(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "<a><b>\u{16}</b></a>",
            "<a><b>]]></b></a>",
            "<a><b x=y>t</b></a>",
            "<a><b><</b></a>",
            "<a><b></a>x<</a>",
        ] {
            assert!(sound(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(sound(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn what_cannot_be_read_is_counted() {
        let mut map = http::HeaderMap::new();
        map.insert("x-amz-meta-good", "é".parse().unwrap());
        map.insert("x-amz-meta-bad", http::HeaderValue::from_bytes(b"caf\xe9").unwrap());
        map.insert(COUNT, "2".parse().unwrap());
        let mut headers = Headers::try_from(map).unwrap();
        drop_unreadable(&mut headers);
        assert_eq!(headers.get("x-amz-meta-good"), Some("é"));
        assert!(!headers.contains_key("x-amz-meta-bad"));
        assert_eq!(headers.get(COUNT), Some("3"));
    }
}
