//! Keeps requests from going over plain http to another machine, whoever named the endpoint.
//!
//! Apart, and around the client that all requests of the SDK pass: the settings are judged before, but environment and profile name
//! endpoints of each service too, an address of a queue is one, and identities are found by services of their own. The lean path
//! asks only the store that was judged when it was opened.

use std::net::IpAddr;

use aws_sdk_s3::config::{RuntimeComponents, SharedHttpClient};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;

/// Where instances and containers get their keys: on the machine, though not by a loopback address, and without TLS (EC2 User Guide,
/// "Instance metadata"; ECS and EKS, "credentials endpoint").
const KEYS_OF_THE_MACHINE: [&str; 5] =
    ["169.254.169.254", "169.254.170.2", "169.254.170.23", "fd00:ec2::254", "fd00:ec2::23"];

/// Whether a URL is plain http to another machine than this one.
pub fn is_plain_http_elsewhere(url: &str) -> bool {
    host_without_tls(url).is_some_and(|host| !is_loopback(host))
}

/// The host of an http URL, without port and brackets.
fn host_without_tls(url: &str) -> Option<&str> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit('@').next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => authority.split(':').next(),
    };
    scheme.eq_ignore_ascii_case("http").then_some(host.unwrap_or_default())
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The same client, that sends nothing over plain http to another machine.
pub(crate) fn refuse(client: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(Guarded(client))
}

#[derive(Debug)]
struct Guarded(SharedHttpClient);

impl HttpClient for Guarded {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Guard(self.0.http_connector(settings, components)))
    }
}

#[derive(Debug)]
struct Guard(SharedHttpConnector);

impl HttpConnector for Guard {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match PlainHttp::of(request.uri()) {
            None => self.0.call(request),
            // Of a kind that is not tried again.
            Some(refused) => HttpConnectorFuture::ready(Err(ConnectorError::user(Box::new(refused)))),
        }
    }
}

/// A request that was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PlainHttp {
    host: String,
}

impl PlainHttp {
    fn of(uri: &str) -> Option<Self> {
        let host = host_without_tls(uri)?;
        let here = is_loopback(host) || KEYS_OF_THE_MACHINE.contains(&host);
        (!here).then(|| Self { host: host.to_owned() })
    }
}

impl std::fmt::Display for PlainHttp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "not sent: {} is reached by plain http, and anybody on the way can read it; use https, or allow it by --allow-http",
            self.host
        )
    }
}

impl std::error::Error for PlainHttp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_stays_on_this_machine() {
        for (url, elsewhere, refused) in [
            ("https://sqs.eu-west-1.amazonaws.com/", false, false),
            ("HTTP://store.example/bucket", true, true),
            ("http://127.0.0.1:9000/b/k?x=http://other", false, false),
            ("http://[::1]:9000", false, false),
            ("http://localhost", false, false),
            ("http://a.localhost:1", false, false),
            ("http://localhost.example", true, true),
            ("http://127.0.0.1@store.example/", true, true),
            ("http://10.0.0.1", true, true),
            ("http://169.254.169.254/latest/api/token", true, false),
            ("http://[fd00:ec2::254]/latest", true, false),
            ("http://169.254.170.2/creds", true, false),
            ("http://169.254.1.1/", true, true),
        ] {
            assert_eq!(is_plain_http_elsewhere(url), elsewhere, "{url}");
            assert_eq!(PlainHttp::of(url).is_some(), refused, "{url}");
        }
    }
}
