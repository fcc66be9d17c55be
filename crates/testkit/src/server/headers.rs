//! Object metadata as headers, both ways.

use longbow_core::object::{ObjectAttributes, Tag, Timestamp};
use s3s::S3Result;
use s3s::dto;

use super::convert::invalid;

/// The attributes of a write. One macro for the inputs of three operations, which have the same fields.
macro_rules! attributes_in {
    ($input:expr) => {
        longbow_core::object::ObjectAttributes {
            content_type: $input.content_type.as_ref().map(ToString::to_string),
            cache_control: $input.cache_control.clone(),
            content_disposition: $input.content_disposition.clone(),
            content_encoding: crate::server::headers::content_encoding($input.content_encoding.as_deref()),
            content_language: $input.content_language.clone(),
            expires: crate::server::headers::expires_in($input.expires.as_ref())?,
            website_redirect: $input.website_redirect_location.clone(),
            user: crate::server::headers::user_in($input.metadata.as_ref()),
            unreadable: 0,
        }
    };
}
pub(super) use attributes_in;

/// `aws-chunked` is how the body travelled, not what it is.
pub(super) fn content_encoding(text: Option<&str>) -> Option<String> {
    let kept: Vec<&str> =
        text?.split(',').map(str::trim).filter(|one| !one.is_empty() && *one != "aws-chunked").collect();
    (!kept.is_empty()).then(|| kept.join(","))
}

pub(super) fn expires_in(time: Option<&dto::Timestamp>) -> S3Result<Option<String>> {
    let Some(time) = time else { return Ok(None) };
    let mut text = Vec::new();
    time.format(dto::TimestampFormat::HttpDate, &mut text).map_err(|_| invalid("Expires is no date"))?;
    Ok(String::from_utf8(text).ok())
}

pub(super) fn expires_out(text: Option<&str>) -> Option<dto::Timestamp> {
    dto::Timestamp::parse(dto::TimestampFormat::HttpDate, text?).ok()
}

pub(super) fn user_in(metadata: Option<&dto::Metadata>) -> Vec<(String, String)> {
    metadata
        .map(|map| map.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
        .unwrap_or_default()
}

pub(super) fn user_out(attributes: &ObjectAttributes) -> Option<dto::Metadata> {
    (!attributes.user.is_empty()).then(|| attributes.user.iter().cloned().collect())
}

/// Headers state whole seconds.
pub(super) fn last_modified(time: Timestamp) -> Option<dto::Timestamp> {
    Some(super::convert::time_out(Timestamp(time.second() * 1000)))
}

/// The tags of `x-amz-tagging`: a query string.
pub(super) fn tags_in(text: Option<&str>) -> S3Result<Vec<Tag>> {
    let decode = |part: &str| {
        let spaced = part.replace('+', " ");
        percent_encoding::percent_decode_str(&spaced)
            .decode_utf8()
            .map(|text| text.into_owned())
            .map_err(|_| invalid("x-amz-tagging is not UTF-8"))
    };
    let pairs = text.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok(Tag { key: decode(key)?, value: decode(value)? })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_a_query_string() {
        let tags = tags_in(Some("class=a%20b%2Bc+d%3De&stage%401=&flag")).unwrap();
        let expected = [("class", "a b+c d=e"), ("stage@1", ""), ("flag", "")];
        assert_eq!(tags, expected.map(|(k, v)| Tag { key: k.into(), value: v.into() }));
        assert!(tags_in(None).unwrap().is_empty());
    }

    #[test]
    fn the_travelling_form_is_not_kept() {
        assert_eq!(content_encoding(Some("aws-chunked")), None);
        assert_eq!(content_encoding(Some("gzip, aws-chunked")), Some("gzip".into()));
    }
}
