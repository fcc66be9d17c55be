//! Where a bucket's requests go, and how they are signed: what the SDK's own endpoint rules say of it.
//!
//! Apart, because the rules are Amazon's (partitions, access points, dual stack, FIPS) and change with the SDK. It makes
//! no request.

use aws_config::SdkConfig;
use aws_sdk_s3::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use http::Uri;
use longbow_core::object::ObjectKey;
use percent_encoding::utf8_percent_encode;

use super::request::Query;
use crate::attributes::RESERVED_IN_PATH;

/// The address of one bucket.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// Scheme, host and port.
    origin: Uri,
    /// The header `Host`: without a port that the scheme implies.
    host: String,
    /// Everything in front of `/KEY`.
    base: String,
    pub(crate) region: String,
    pub(crate) service: String,
}

impl Address {
    /// What the SDK would use for an object of the bucket; the reason why this is not for the lean path otherwise.
    pub(crate) async fn find(
        bucket: &str,
        region: &str,
        path_style: bool,
        endpoint: Option<&str>,
        config: &SdkConfig,
    ) -> Result<Self, String> {
        let params = Params::builder()
            .bucket(bucket)
            .region(region)
            .set_endpoint(endpoint.map(str::to_owned))
            .force_path_style(path_style)
            .use_arn_region(true)
            .set_use_fips(config.use_fips())
            .set_use_dual_stack(config.use_dual_stack())
            .build()
            .map_err(|error| error.to_string())?;
        let found = DefaultResolver::new().resolve_endpoint(&params).await.map_err(|e| e.to_string())?;
        if found.headers().next().is_some() {
            return Err("requests need headers of their own".into());
        }
        let scheme = found.auth_schemes().first().ok_or("nothing is said of the signature")?;
        if scheme.name() != "sigv4" {
            return Err(format!("requests are signed by {}", scheme.name()));
        }
        let text = |name| scheme.get(name).and_then(|value| value.as_string()).map(str::to_owned);
        let region = text("signingRegion").unwrap_or_else(|| region.to_owned());
        let service = text("signingName").unwrap_or_else(|| "s3".into());
        Self::parse(found.url(), region, service).ok_or_else(|| format!("{:?} is no URL", found.url()))
    }

    fn parse(url: &str, region: String, service: String) -> Option<Self> {
        let url = url.trim_end_matches('/');
        let uri: Uri = url.parse().ok()?;
        let (scheme, authority) = (uri.scheme_str()?, uri.authority()?);
        let implied = matches!((scheme, authority.port_u16()), ("http", Some(80)) | ("https", Some(443)));
        let host = if implied { authority.host() } else { authority.as_str() }.to_owned();
        let origin = format!("{scheme}://{authority}").parse().ok()?;
        Some(Self { origin, host, base: url.to_owned(), region, service })
    }

    pub(crate) fn origin(&self) -> &Uri {
        &self.origin
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// The absolute URI of a key, or of the bucket.
    pub(super) fn uri(&self, key: Option<&ObjectKey>, query: &Query) -> String {
        let name = key.map_or("", |key| key.as_str());
        let mut uri = String::with_capacity(self.base.len() + name.len() + query.as_str().len() + 16);
        uri.push_str(&self.base);
        uri.push('/');
        uri.extend(utf8_percent_encode(name, &RESERVED_IN_PATH));
        if !query.as_str().is_empty() {
            uri.push('?');
            uri.push_str(query.as_str());
        }
        uri
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> SdkConfig {
        SdkConfig::builder().build()
    }

    async fn find(
        bucket: &str,
        region: &str,
        style: bool,
        endpoint: Option<&str>,
    ) -> Result<Address, String> {
        Address::find(bucket, region, style, endpoint, &config()).await
    }

    #[tokio::test]
    async fn addresses_are_those_of_the_sdk() {
        for (bucket, region, style, endpoint, base, signed) in [
            ("bkt", "eu-west-3", false, None, "https://bkt.s3.eu-west-3.amazonaws.com", "eu-west-3"),
            ("b.c", "eu-west-3", true, None, "https://s3.eu-west-3.amazonaws.com/b.c", "eu-west-3"),
            ("bkt", "cn-north-1", false, None, "https://bkt.s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
            (
                "b",
                "us-east-1",
                true,
                Some("http://127.0.0.1:9/base/"),
                "http://127.0.0.1:9/base/b",
                "us-east-1",
            ),
            ("bkt", "x", false, Some("http://h.example.com/"), "http://bkt.h.example.com", "x"),
            (
                "arn:aws:s3:eu-west-1:123456789012:accesspoint/point",
                "us-east-1",
                false,
                None,
                "https://point-123456789012.s3-accesspoint.eu-west-1.amazonaws.com",
                "eu-west-1",
            ),
        ] {
            let found = find(bucket, region, style, endpoint).await.unwrap();
            assert_eq!((found.base.as_str(), found.region.as_str()), (base, signed), "{bucket}");
            assert_eq!(found.service, "s3");
        }
    }

    #[tokio::test]
    async fn what_needs_more_than_a_signature_is_left_to_the_sdk() {
        let directory = find("b--use1-az4--x-s3", "us-east-1", false, None).await.unwrap_err();
        assert!(directory.contains("express"), "{directory}");
        let everywhere = "arn:aws:s3::123456789012:accesspoint/mfzwi23gnjvgw.mrap";
        assert!(find(everywhere, "us-east-1", false, None).await.unwrap_err().contains("sigv4a"));
    }

    #[test]
    fn keys_are_encoded_byte_by_byte() {
        let address = Address::parse("http://h:80/b", "r".into(), "s3".into()).unwrap();
        assert_eq!((address.host(), address.origin().to_string().as_str()), ("h", "http://h:80/"));
        let uri = |key: &str| address.uri(Some(&ObjectKey::from(key)), &Query::default());
        assert_eq!(uri("a//b/../c d"), "http://h:80/b/a//b/../c%20d");
        assert_eq!(uri("/+%41é\n~"), "http://h:80/b//%2B%2541%C3%A9%0A~");
        assert_eq!(uri(" "), "http://h:80/b/%20");
        let mut query = Query::default();
        query.add("prefix", "a b/&=+");
        assert_eq!(address.uri(None, &query), "http://h:80/b/?prefix=a%20b%2F%26%3D%2B");
    }
}
