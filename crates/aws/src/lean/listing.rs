//! XML of replies: pages of keys, and refusals.
//!
//! Apart, because a page is read as its bytes come, without a tree. Whether it can be complete is decided where the
//! SDK's pages are, in `s3/list.rs`.

use longbow_core::failure::{StoreError, StoreErrorKind};
use quick_xml::Reader;
use quick_xml::events::Event;
use quick_xml::name::LocalName;

use crate::attributes::{etag, iso_timestamp, storage_class};
use crate::failure::{About, Reply, from_reply, printable};
use crate::s3::{Listed, Page};

/// `<Error>`: what a refusal says.
#[derive(Debug, Default)]
pub(super) struct ErrorText {
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
}

/// Reads a refusal; `None` when the text is something else.
pub(super) fn error_text(body: &[u8]) -> Option<ErrorText> {
    let mut found: Option<ErrorText> = None;
    // What was said before a text breaks off still counts.
    let _ = walk(body, |path, text| match path {
        "/Error" => drop(found.get_or_insert_default()),
        "/Error/Code" => found.get_or_insert_default().code = Some(printable(text)),
        "/Error/Message" => found.get_or_insert_default().message = Some(printable(text)),
        _ => {}
    });
    found
}

/// Reads the reply to ListObjectsV2.
pub(crate) fn read(about: &About<'_>, body: &[u8]) -> Result<Page, StoreError> {
    let mut page = Page::default();
    let mut entry = Listed::default();
    let mut is_listing = false;
    let read = walk(body, |path, text| {
        let Some(field) = path.strip_prefix("/ListBucketResult") else { return };
        match field {
            "/Contents/Key" => entry.key = Some(text.to_owned()),
            "/Contents/Size" => entry.size = text.trim().parse().ok(),
            "/Contents/ETag" => entry.etag = etag(Some(text)),
            "/Contents/LastModified" => entry.modified = iso_timestamp(text.trim()),
            "/Contents/StorageClass" => entry.storage_class = storage_class(text).map(Into::into),
            "/Contents" => page.entries.push(std::mem::take(&mut entry)),
            "/IsTruncated" => page.truncated = text.trim().parse().ok(),
            "/NextContinuationToken" => page.next = Some(text.to_owned()),
            "/EncodingType" => page.encoded = text == "url",
            "" => is_listing = true,
            _ => {}
        }
    });
    if read.is_ok() && is_listing {
        return Ok(page);
    }
    match (read, error_text(body)) {
        (_, Some(error)) => {
            let (code, message) = (error.code.as_deref(), error.message.as_deref());
            Err(from_reply(about, &Reply { status: 200, code, message, body, ..Reply::default() }))
        }
        (Err(why), None) => Err(unreadable(about, &why)),
        (Ok(()), None) => Err(unreadable(about, "it is no listing")),
    }
}

fn unreadable(about: &About<'_>, why: &str) -> StoreError {
    // The reason may repeat a name out of the reply.
    about.fault(StoreErrorKind::Transient, &format!("the 200 reply cannot be read: {}", printable(why)))
}

/// Most elements inside each other; S3's replies have four.
const DEEPEST: usize = 16;

/// Calls `at` at the end of each element, with its path (`/Outer/Inner`) and its own text. A text that does not end with
/// the element that it began with is an error.
fn walk(body: &[u8], mut at: impl FnMut(&str, &str)) -> Result<(), String> {
    let mut reader = Reader::from_reader(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body));
    // Whether the element that we are in holds an element.
    let mut held = false;
    let (mut path, mut text, mut depth, mut whole) = (String::with_capacity(64), String::new(), 0, false);
    loop {
        let event = reader.read_event().map_err(|error| error.to_string())?;
        // An element holds a text or elements. Of a key with an element in it only a part would be taken.
        if matches!(event, Event::Start(_) | Event::Empty(_)) && !text.trim_ascii().is_empty() {
            return Err("a text and an element stand side by side".into());
        }
        match event {
            Event::Start(element) => {
                enter(&mut path, element.local_name(), depth, whole)?;
                held = false;
                depth += 1;
                text.clear();
            }
            Event::Empty(element) => {
                enter(&mut path, element.local_name(), depth, whole)?;
                at(&path, "");
                leave(&mut path);
                held = true;
                whole = depth == 0;
            }
            Event::End(_) => {
                if held && !text.trim_ascii().is_empty() {
                    return Err("a text and an element stand side by side".into());
                }
                held = true;
                at(&path, &text);
                leave(&mut path);
                text.clear();
                depth -= 1;
                whole = depth == 0;
            }
            Event::Text(piece) => {
                let piece = piece.decode().map_err(|error| error.to_string())?;
                // XML allows it nowhere but at the end of a CDATA section: what looks like one here was cut.
                if piece.contains(']') && piece.contains("]]>") {
                    return Err("a text holds \"]]>\"".into());
                }
                text.push_str(&piece);
            }
            Event::CData(piece) => text.push_str(&piece.decode().map_err(|error| error.to_string())?),
            Event::GeneralRef(name) => match name.resolve_char_ref().map_err(|error| error.to_string())? {
                Some(character) => text.push(character),
                None => {
                    let name = name.decode().map_err(|error| error.to_string())?;
                    let known = quick_xml::escape::resolve_xml_entity(&name);
                    text.push_str(known.ok_or_else(|| format!("the entity {name:?} is unknown"))?);
                }
            },
            Event::Eof if whole && text.trim_ascii().is_empty() => return Ok(()),
            Event::Eof if whole => return Err("a text follows the first element".into()),
            Event::Eof => return Err("the reply is cut short".into()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
        }
    }
}

fn enter(path: &mut String, name: LocalName<'_>, depth: usize, whole: bool) -> Result<(), String> {
    if whole {
        return Err("a second element follows the first".into());
    }
    if depth == DEEPEST {
        return Err("elements are nested too deeply".into());
    }
    let name = std::str::from_utf8(name.as_ref()).map_err(|error| error.to_string())?;
    // What stands in paths between names is in no name.
    if name.contains('/') {
        return Err(format!("an element is called {name:?}"));
    }
    path.push('/');
    path.push_str(name);
    Ok(())
}

fn leave(path: &mut String) {
    path.truncate(path.rfind('/').unwrap_or_default());
}
