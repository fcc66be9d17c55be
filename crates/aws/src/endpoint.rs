//! Where a store is: what its endpoint says about the style of requests and about whose store it is.
//!
//! Apart, because all of it follows from a text. It asks no server.

use std::net::IpAddr;

use http::Uri;
use longbow_core::failure::{StoreError, StoreErrorKind};

/// The URL of a store other than the region's own endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// As the SDK gets it.
    pub(crate) url: String,
    host: String,
    /// Without user name and password, which do not belong there and are not to be shown.
    pub(crate) shown: String,
}

impl Endpoint {
    /// Reads `http://HOST[:PORT][/PATH]`.
    pub(crate) fn parse(text: &str) -> Result<Self, StoreError> {
        let wrong = |why: &str| {
            let shown = text.rsplit('@').next().unwrap_or_default();
            StoreError::new(
                StoreErrorKind::Permanent,
                format!(
                    "the endpoint {shown:?} {why}; write it like https://s3.example.com or http://127.0.0.1:9000"
                ),
            )
        };
        let uri: Uri = text.trim().parse().map_err(|_| wrong("is no URL"))?;
        let scheme = match uri.scheme_str() {
            Some(scheme @ ("http" | "https")) => scheme,
            _ => return Err(wrong("does not begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("holds a user name or password; give the keys as credentials"));
        }
        if uri.query().is_some() {
            return Err(wrong("holds a query"));
        }
        let path = uri.path().trim_end_matches('/');
        Ok(Self {
            url: format!("{scheme}://{authority}{path}"),
            host: authority.host().trim_matches(['[', ']']).to_ascii_lowercase(),
            shown: format!("{scheme}://{authority}{path}"),
        })
    }

    /// Whether this is Amazon's own service.
    pub(crate) fn is_amazon(&self) -> bool {
        [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| self.host.ends_with(end))
    }

    /// Whether a bucket's name in front of the host cannot be resolved: addresses, localhost and hosts without a
    /// domain (`http://minio:9000`).
    fn has_no_subdomains(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok() || !self.host.contains('.') || self.host.ends_with(".localhost")
    }
}

/// Whether requests name the bucket in the path, where the user has not said.
pub(crate) fn path_style(bucket: &str, endpoint: Option<&Endpoint>) -> bool {
    if bucket.starts_with("arn:") {
        return false;
    }
    // A dot in the name does not fit `*.s3.amazonaws.com` certificates.
    bucket.contains('.') || endpoint.is_some_and(Endpoint::has_no_subdomains)
}

/// The partition that a region belongs to: within it one identity can copy between all regions.
pub(crate) fn partition(region: &str) -> &'static str {
    for (prefix, partition) in [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
        ("eusc-", "aws-eusc"),
    ] {
        if region.starts_with(prefix) {
            return partition;
        }
    }
    "aws"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(text: &str) -> Endpoint {
        Endpoint::parse(text).unwrap()
    }

    #[test]
    fn path_style_follows_from_the_host_and_the_name() {
        for (bucket, url, expected) in [
            ("b", Some("http://127.0.0.1:9000"), true),
            ("b", Some("http://[::1]:9000/"), true),
            ("b", Some("http://localhost:9000"), true),
            ("b", Some("http://minio:9000"), true),
            ("b", Some("http://s3.localhost"), true),
            ("b", Some("https://s3.example.com"), false),
            ("b.c", Some("https://s3.example.com"), true),
            ("b.c", None, true),
            ("b", None, false),
            ("arn:aws:s3:eu-west-1:1:accesspoint/a.b", None, false),
        ] {
            let endpoint = url.map(endpoint);
            assert_eq!(path_style(bucket, endpoint.as_ref()), expected, "{bucket} {url:?}");
        }
    }

    #[test]
    fn amazon_is_known_by_its_domain() {
        assert!(endpoint("https://s3.eu-west-1.amazonaws.com").is_amazon());
        assert!(endpoint("https://s3.cn-north-1.amazonaws.com.cn").is_amazon());
        assert!(endpoint("https://s3.dualstack.eu-west-1.api.aws").is_amazon());
        assert!(!endpoint("https://amazonaws.com.example.com").is_amazon());
        assert!(!endpoint("http://127.0.0.1:1").is_amazon());
        assert_eq!(partition("us-gov-west-1"), "aws-us-gov");
        assert_eq!(partition("eu-central-1"), "aws");
    }

    #[test]
    fn wrong_endpoints_are_named_without_their_secrets() {
        for (text, why) in [
            ("127.0.0.1:9000", "http://"),
            ("s3://x", "http://"),
            ("http://", "URL"),
            ("ftp://h", "http://"),
            ("http://u:secret@h", "user name"),
            ("http://h?x=1", "query"),
        ] {
            let error = Endpoint::parse(text).unwrap_err();
            assert!(error.message.contains(why), "{}", error.message);
            assert!(!error.message.contains("secret"), "{}", error.message);
        }
        assert_eq!(endpoint("http://h:1/base/").url, "http://h:1/base");
    }
}
