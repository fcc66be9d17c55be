//! The key of a request by the SDK, also one of white space alone.
//!
//! Apart, because the SDK takes such a key for none and refuses to make the request, whichever call it is. It gets a
//! stand-in, and the path is put right before the request is signed. A request whose path is not as expected is not
//! sent: it would be about another object.

use aws_sdk_s3::client::customize::CustomizableOperation;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use longbow_core::object::ObjectKey;
use percent_encoding::utf8_percent_encode;

use crate::attributes::RESERVED_IN_PATH;

/// What the SDK is told instead. It needs no encoding.
const STAND_IN: &str = "a-key-of-white-space";

/// Gives a call its key: the last that is said of it before it is sent.
macro_rules! named {
    ($call:expr, $key:expr) => {{
        let key: &longbow_core::object::ObjectKey = $key;
        $crate::s3::naming::put_right($call.key($crate::s3::naming::told(key)).customize(), key)
    }};
}
pub(super) use named;

/// The key as the SDK takes it.
pub(super) fn told(key: &ObjectKey) -> &str {
    if is_blank(key) { STAND_IN } else { key.as_str() }
}

/// Puts the key itself where its stand-in stands.
pub(super) fn put_right<T, E, B>(
    call: CustomizableOperation<T, E, B>,
    key: &ObjectKey,
) -> CustomizableOperation<T, E, B> {
    if !is_blank(key) {
        return call;
    }
    let name = utf8_percent_encode(key.as_str(), &RESERVED_IN_PATH).to_string();
    call.map_request(move |request| rename(request, &name))
}

/// What the SDK's endpoint parameters take for no key. The empty one is none (`check_key`).
fn is_blank(key: &ObjectKey) -> bool {
    !key.as_str().is_empty() && key.as_str().trim().is_empty()
}

/// The path of a request does not end with the stand-in.
#[derive(Debug)]
struct Unexpected;

impl std::fmt::Display for Unexpected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the SDK has made a request whose path cannot be given its key")
    }
}

impl std::error::Error for Unexpected {}

fn rename(mut request: HttpRequest, name: &str) -> Result<HttpRequest, Unexpected> {
    let renamed = renamed(request.uri(), name).ok_or(Unexpected)?;
    request.set_uri(renamed).map_err(|_| Unexpected)?;
    Ok(request)
}

fn renamed(uri: &str, name: &str) -> Option<String> {
    let (path, query) = uri.find('?').map_or((uri, ""), |at| uri.split_at(at));
    let before = path.strip_suffix(STAND_IN).filter(|before| before.ends_with('/'))?;
    Some(format!("{before}{name}{query}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_white_space_alone_need_another_name() {
        for blank in [" ", "\t", "\n", "\u{2003}\n", "\u{3000}", "   "] {
            assert_eq!(told(&ObjectKey::from(blank)), STAND_IN, "{blank:?}");
        }
        for plain in ["a", " a ", "/", " / ", "\u{200b}", "\u{feff}", ""] {
            assert_eq!(told(&ObjectKey::from(plain)), plain, "{plain:?}");
        }
    }

    #[test]
    fn the_path_alone_is_changed() {
        let uri = |text: &str| text.replace('@', STAND_IN);
        assert_eq!(renamed(&uri("http://h/b/@?x=@"), "%20"), Some(uri("http://h/b/%20?x=@")));
        assert_eq!(renamed(&uri("https://b.h/@"), "%09%09"), Some("https://b.h/%09%09".into()));
        for other in ["http://h/b/k?x=/@", "http://h/b/k@", "http://h/b/@/", "http://h/b"] {
            assert_eq!(renamed(&uri(other), "%20"), None, "{other}");
        }
    }
}
