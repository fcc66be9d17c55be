//! Bytes of an object.
//!
//! Nothing that a reply states is taken on trust: tag, range and length must be what was asked for before the
//! first byte is passed on, since there are stores that ignore `If-Match` or `Range`.

use aws_sdk_s3::types::ChecksumMode;
use longbow_core::failure::{Feature, StoreError, StoreErrorKind};
use longbow_core::object::{ETag, ObjectKey};
use longbow_core::port::{ByteRange, GetRequest, ObjectBody};

use super::S3Store;
use super::head::{check_key, check_pin};
use super::naming::named;
use crate::attributes::{content_range, head_of_get};
use crate::body::reading;
use crate::call::Call;
use crate::failure::{About, translate};

impl S3Store {
    pub(super) async fn get_object(
        &self,
        key: &ObjectKey,
        request: &GetRequest,
    ) -> Result<ObjectBody, StoreError> {
        let about = self.about(Call::GetObject, Some(key));
        check_key(&about, key)?;
        if let Some(lean) = &self.lean
            && let Some(body) = lean.get(&about, &self.bucket, key, request).await?
        {
            return Ok(body);
        }
        let range = request.range.map(|range| range_header(&about, range)).transpose()?;
        let checksums = request.checksums && range.is_none();
        let call = self
            .clients
            .quick
            .get_object()
            .bucket(&*self.bucket)
            .set_if_match(request.pin.etag.as_ref().map(ETag::quoted))
            .set_version_id(request.pin.version.as_ref().map(|v| v.0.clone()))
            .set_range(range)
            .set_checksum_mode(checksums.then_some(ChecksumMode::Enabled))
            .set_request_payer(self.payer.clone())
            .set_expected_bucket_owner(self.owner.clone());
        let mut answer = named!(call, key).send().await.map_err(|error| translate(&about, error))?;
        let mut head = head_of_get(&mut answer);
        head.parts = None;
        check_pin(&about, &request.pin, head.etag.as_ref(), head.version.as_ref())?;
        let extent = Extent {
            length: answer.content_length.and_then(|n| u64::try_from(n).ok()),
            range: answer.content_range.as_deref(),
        };
        let length = check_extent(&about, request.range, &extent)?;
        if request.range.is_none() {
            head.size = length;
        }
        let stream = reading(answer.body.into_inner(), length, None, self.bucket.clone(), key.clone());
        Ok(ObjectBody { head, length, stream })
    }
}

/// The header `Range` (RFC 9110, section 14.1.2: both ends are included).
pub(crate) fn range_header(about: &About<'_>, range: ByteRange) -> Result<String, StoreError> {
    let last = range.length.checked_sub(1).and_then(|n| range.start.checked_add(n));
    let last =
        last.ok_or_else(|| about.fault(StoreErrorKind::Permanent, "the range is empty or too long"))?;
    Ok(format!("bytes={}-{last}", range.start))
}

/// What a reply says of the bytes that follow.
pub(crate) struct Extent<'a> {
    /// `Content-Length`.
    pub(crate) length: Option<u64>,
    /// `Content-Range`.
    pub(crate) range: Option<&'a str>,
}

/// How many bytes follow, if they are those that were asked for.
pub(crate) fn check_extent(
    about: &About<'_>,
    asked: Option<ByteRange>,
    answer: &Extent<'_>,
) -> Result<u64, StoreError> {
    let (stated, sent) = (answer.length, answer.range);
    let Some(asked) = asked else {
        if let Some(sent) = sent {
            // A reply cut short by something in between that keeps the rest for later requests.
            let whole = content_range(sent).is_some_and(|(first, last, total)| {
                first == 0 && Some(last + 1) == stated && last + 1 == total
            });
            if !whole {
                let text = format!("the whole was asked for, and {sent:?} came");
                return Err(about.fault(StoreErrorKind::Transient, &text));
            }
        }
        return stated.ok_or_else(|| {
            about.fault(
                StoreErrorKind::Unsupported(Feature::Other),
                "the reply states no Content-Length: nothing would show a body that is cut short",
            )
        });
    };
    let Some(sent) = sent else {
        if asked.start == 0
            && let Some(whole) = stated.filter(|whole| *whole <= asked.length)
        {
            return Ok(whole);
        }
        return Err(about.fault(
            StoreErrorKind::Unsupported(Feature::Other),
            &format!(
                "{} bytes from {} on were asked for, and the whole object came: the store ignores ranges",
                asked.length, asked.start
            ),
        ));
    };
    // A range over the end of the object is cut there.
    let fits = content_range(sent).filter(|&(first, last, total)| {
        first == asked.start
            && first <= last
            && last < total
            && (last - first + 1 == asked.length || (last - first + 1 < asked.length && last + 1 == total))
            && stated.is_none_or(|stated| stated == last - first + 1)
    });
    match fits {
        Some((first, last, _)) => Ok(last - first + 1),
        None => {
            let text = format!(
                "{} bytes from {} on were asked for, and {sent:?} came: the object is not the one expected",
                asked.length, asked.start
            );
            Err(about.fault(StoreErrorKind::PreconditionFailed, &text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABOUT: About<'static> =
        About { call: Call::GetObject, bucket: "b", region: "r", place: "there", key: None, condition: None };

    fn extent(
        asked: Option<(u64, u64)>,
        length: Option<u64>,
        range: Option<&str>,
    ) -> Result<u64, StoreErrorKind> {
        let asked = asked.map(|(start, length)| ByteRange { start, length });
        check_extent(&ABOUT, asked, &Extent { length, range }).map_err(|e| e.kind)
    }

    #[test]
    fn only_what_was_asked_for_is_taken() {
        use StoreErrorKind as K;
        assert_eq!(extent(None, Some(9), None), Ok(9));
        assert_eq!(extent(None, Some(0), None), Ok(0));
        assert_eq!(extent(None, Some(9), Some("bytes 0-8/9")), Ok(9));
        assert_eq!(extent(None, Some(5), Some("bytes 0-4/9")), Err(K::Transient));
        assert_eq!(extent(None, None, None), Err(K::Unsupported(Feature::Other)));
        assert_eq!(extent(Some((2, 3)), Some(3), Some("bytes 2-4/9")), Ok(3));
        assert_eq!(extent(Some((2, 3)), None, Some("bytes 2-4/9")), Ok(3));
        assert_eq!(extent(Some((2, 3)), Some(2), Some("bytes 2-3/4")), Ok(2), "up to the end of the object");
        assert_eq!(extent(Some((2, 3)), Some(2), Some("bytes 2-3/5")), Err(K::PreconditionFailed));
        assert_eq!(extent(Some((2, 3)), Some(4), Some("bytes 2-5/9")), Err(K::PreconditionFailed));
        assert_eq!(extent(Some((2, 3)), Some(4), Some("bytes 2-4/9")), Err(K::PreconditionFailed));
        assert_eq!(extent(Some((2, 3)), Some(0), Some("bytes 2-1/9")), Err(K::PreconditionFailed));
        assert_eq!(extent(Some((2, 3)), Some(3), Some("bytes 0-2/9")), Err(K::PreconditionFailed));
        assert_eq!(extent(Some((2, 3)), Some(3), Some("bytes */9")), Err(K::PreconditionFailed));
        assert_eq!(extent(Some((0, 9)), Some(9), None), Ok(9));
        assert_eq!(extent(Some((0, 12)), Some(9), None), Ok(9));
        assert_eq!(extent(Some((0, 3)), Some(9), None), Err(K::Unsupported(Feature::Other)));
        assert_eq!(extent(Some((2, 7)), Some(9), None), Err(K::Unsupported(Feature::Other)));
    }

    #[test]
    fn ranges_include_both_ends() {
        assert_eq!(range_header(&ABOUT, ByteRange { start: 5, length: 10 }).unwrap(), "bytes=5-14");
        assert!(range_header(&ABOUT, ByteRange { start: 5, length: 0 }).is_err());
        assert!(range_header(&ABOUT, ByteRange { start: u64::MAX, length: 2 }).is_err());
    }
}
