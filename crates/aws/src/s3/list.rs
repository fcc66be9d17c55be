//! Pages of keys.
//!
//! A page that cannot be trusted whole is an error: what is missing from a listing would be deleted from, or not
//! copied to, the other side.

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::{EncodingType, Object};
use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectKey, ObjectMeta, Prefix, Timestamp, VersionId, decode_percent};
use longbow_core::port::ListPage;

use super::S3Store;
use crate::attributes::{etag, storage_class, timestamp};
use crate::call::Call;
use crate::failure::{About, translate};

/// Keys a page: the most that S3 gives.
pub(super) const PAGE: i32 = 1000;

/// A page as it was sent, before anything is believed.
#[derive(Debug, Default)]
pub(crate) struct Page {
    /// Keys are encoded for URLs.
    pub(crate) encoded: bool,
    /// Whether more follow, if that is said.
    pub(crate) truncated: Option<bool>,
    /// Where they follow.
    pub(crate) next: Option<String>,
    pub(crate) entries: Vec<Listed>,
}

/// One entry of a page.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) key: Option<String>,
    pub(crate) size: Option<u64>,
    pub(crate) etag: Option<ETag>,
    pub(crate) modified: Option<Timestamp>,
    pub(crate) storage_class: Option<Box<str>>,
    pub(crate) version: Option<VersionId>,
}

impl From<ListObjectsV2Output> for Page {
    fn from(answer: ListObjectsV2Output) -> Self {
        Self {
            encoded: answer.encoding_type == Some(EncodingType::Url),
            truncated: answer.is_truncated,
            next: answer.next_continuation_token,
            entries: answer.contents.unwrap_or_default().into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Object> for Listed {
    fn from(entry: Object) -> Self {
        let class = entry.storage_class.as_ref().and_then(|class| storage_class(class.as_str()));
        Self {
            size: entry.size.and_then(|n| u64::try_from(n).ok()),
            etag: etag(entry.e_tag.as_deref()),
            modified: entry.last_modified.as_ref().and_then(timestamp),
            storage_class: class.map(Into::into),
            version: None,
            key: entry.key,
        }
    }
}

impl S3Store {
    pub(super) async fn list_page(
        &self,
        prefix: &Prefix,
        after: Option<&ObjectKey>,
        page: Option<&str>,
        most: i32,
    ) -> Result<ListPage, StoreError> {
        let about = self.about(Call::ListObjects, None);
        if let Some(lean) = &self.lean
            && let Some(page) = lean.list(&about, prefix, after, page, most).await?
        {
            return Ok(page);
        }
        let text = Some(prefix.as_str()).filter(|p| !p.is_empty());
        let answer = self
            .clients
            .quick
            .list_objects_v2()
            .bucket(&*self.bucket)
            .set_prefix(text.map(str::to_owned))
            // A token says where to go on; S3 ignores the start then.
            .set_start_after(after.filter(|_| page.is_none()).map(|key| key.as_str().to_owned()))
            .set_continuation_token(page.map(str::to_owned))
            .max_keys(most)
            // Without it, keys with control characters make replies that are no XML.
            .encoding_type(EncodingType::Url)
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone())
            .send()
            .await
            .map_err(|error| translate(&about, error))?;
        read_page(&about, prefix, page, answer.into())
    }
}

/// Refuses a page that does not begin after `after`: a store that ignores the start of a listing would give every
/// shard of it the same keys.
pub(super) fn begins_after(page: ListPage, after: &ObjectKey) -> Result<ListPage, StoreError> {
    match page.objects.first() {
        Some(first) if first.key.as_str().as_bytes() <= after.as_str().as_bytes() => {
            let text = format!("the store was asked for keys after {after} and listed {}", first.key);
            Err(StoreError::new(StoreErrorKind::Unsupported(Feature::Other), text))
        }
        _ => Ok(page),
    }
}

/// Takes a page that can be whole.
pub(crate) fn read_page(
    about: &About<'_>,
    prefix: &Prefix,
    asked: Option<&str>,
    answer: Page,
) -> Result<ListPage, StoreError> {
    let incomplete = |text: &str| about.fault(StoreErrorKind::Transient, text);
    let Page { encoded, truncated, next, entries } = answer;
    let next = match (truncated, next) {
        (Some(true), Some(token)) if Some(token.as_str()) == asked => {
            return Err(incomplete("the page names itself as the next one: the listing would never end"));
        }
        (Some(true), Some(token)) if !token.is_empty() => Some(token),
        (Some(true), _) => {
            return Err(incomplete(
                "the page says that more follow, but not where: the listing is incomplete",
            ));
        }
        (Some(false), _) => None,
        (None, _) => {
            return Err(incomplete(
                "the page does not say whether more follow: the listing may be incomplete",
            ));
        }
    };
    let mut objects = Vec::with_capacity(entries.len());
    for entry in entries {
        objects.push(read_entry(about, prefix, encoded, entry)?);
    }
    Ok(ListPage { objects, next, skipped: Vec::new() })
}

fn read_entry(
    about: &About<'_>,
    prefix: &Prefix,
    encoded: bool,
    entry: Listed,
) -> Result<ObjectMeta, StoreError> {
    let unreadable = |text: &str| about.fault(StoreErrorKind::Transient, text);
    let text = entry.key.ok_or_else(|| unreadable("the page holds an entry without a key"))?;
    let key = if encoded { decode(text).map_err(|why| unreadable(&why))? } else { ObjectKey::new(text) };
    if key.strip(prefix).is_none() {
        let text = format!("the page holds the key {key}, which does not begin with {:?}", prefix.as_str());
        return Err(unreadable(&text));
    }
    let size = entry.size.ok_or_else(|| unreadable(&format!("the page gives no size for {key}")))?;
    let Listed { etag, modified, storage_class, version, .. } = entry;
    Ok(ObjectMeta { size, etag, modified, storage_class, key, version })
}

/// Undoes `encoding-type=url` once: `%XX` is a byte, `+` a space (a plus arrives as `%2B`).
pub(super) fn decode(text: String) -> Result<ObjectKey, String> {
    match decode_percent(&text) {
        Ok(key) => Ok(ObjectKey::new(key)),
        Err(why) => Err(format!("the page holds a key that is not encoded as asked: {text:?} ({why})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longbow_core::object::Timestamp;

    const ABOUT: About<'static> = About {
        call: Call::ListObjects,
        bucket: "b",
        region: "r",
        place: "there",
        key: None,
        condition: None,
    };

    fn entry(key: &str) -> Object {
        Object::builder().key(key).size(3).e_tag("\"x\"").build()
    }

    fn page(
        entries: &[&str],
    ) -> aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2OutputBuilder {
        ListObjectsV2Output::builder()
            .encoding_type(EncodingType::Url)
            .is_truncated(false)
            .set_contents(Some(entries.iter().map(|k| entry(k)).collect()))
    }

    fn read(answer: ListObjectsV2Output, prefix: &str) -> Result<ListPage, StoreError> {
        read_page(&ABOUT, &Prefix::raw(prefix), Some("t0"), answer.into())
    }

    #[test]
    fn keys_are_decoded_exactly_once() {
        for (sent, key) in [
            ("plain/a-b.c", "plain/a-b.c"),
            ("a+b%20c%2Bd", "a b c+d"),
            ("%2541", "%41"),
            ("%C3%A9%0A%01", "é\n\u{1}"),
            ("a//b/../%2E/", "a//b/.././"),
        ] {
            let got = read(page(&[sent]).build(), "").unwrap();
            assert_eq!(got.objects[0].key.as_str(), key);
        }
        let plain = page(&["a+b%41"]).set_encoding_type(None).build();
        assert_eq!(read(plain, "").unwrap().objects[0].key.as_str(), "a+b%41");
    }

    #[test]
    fn a_store_that_ignores_the_start_of_a_listing_is_found_out() {
        let listed = |keys: &[&str]| read(page(keys).build(), "").unwrap();
        for honest in [&[][..], &["b0", "c"][..]] {
            assert!(begins_after(listed(honest), &"b".into()).is_ok(), "{honest:?}");
        }
        for ignored in [&["a", "b", "c"][..], &["b"][..]] {
            let error = begins_after(listed(ignored), &"b".into()).unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Unsupported(Feature::Other), "{ignored:?}");
        }
    }

    #[test]
    fn wrongly_encoded_keys_are_errors() {
        for sent in ["%", "a%4", "%zz", "%C3", "%+1"] {
            let error = read(page(&[sent]).build(), "").unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Transient, "{sent}");
        }
    }

    #[test]
    fn a_page_that_cannot_be_complete_is_an_error() {
        let no_token = page(&["a"]).is_truncated(true).build();
        let empty_token = page(&["a"]).is_truncated(true).next_continuation_token("").build();
        let same_token = page(&["a"]).is_truncated(true).next_continuation_token("t0").build();
        let silent = page(&["a"]).set_is_truncated(None).build();
        let elsewhere = page(&["a", "b"]).build();
        let no_size = page(&[]).contents(Object::builder().key("a").build()).build();
        for answer in [no_token, empty_token, same_token, silent, elsewhere, no_size] {
            let text = format!("{answer:?}");
            assert_eq!(read(answer, "a").unwrap_err().kind, StoreErrorKind::Transient, "{text}");
        }
        let more = page(&["a"]).is_truncated(true).next_continuation_token("t1/+%").build();
        assert_eq!(read(more, "a").unwrap().next.as_deref(), Some("t1/+%"));
        assert!(read(page(&[]).set_contents(None).build(), "a").unwrap().objects.is_empty());
    }

    #[test]
    fn entries_are_read() {
        let entry = Object::builder()
            .key("k")
            .size(5)
            .e_tag("&quot;")
            .last_modified(aws_sdk_s3::primitives::DateTime::from_millis(1_700_000_000_123))
            .storage_class(aws_sdk_s3::types::ObjectStorageClass::Glacier)
            .build();
        let standard = Object::builder()
            .key("l")
            .size(0)
            .e_tag("\"\"")
            .storage_class(aws_sdk_s3::types::ObjectStorageClass::Standard)
            .build();
        let got = read(page(&[]).set_contents(Some(vec![entry, standard])).build(), "").unwrap().objects;
        assert_eq!(got[0].modified, Some(Timestamp(1_700_000_000_123)));
        assert_eq!(got[0].storage_class.as_deref(), Some("GLACIER"));
        assert_eq!((got[1].storage_class.as_deref(), got[1].etag.as_ref()), (None, None));
    }
}
