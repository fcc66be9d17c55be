//! Tells the Auto Scaling group that an instance has finished its work, so that it need not wait for its hook's time-out.
//!
//! Two calls of an API of some hundred: signed here by the SDK's signer and sent by its client, since the whole SDK for it
//! would take longer to build than the rest of this crate. Which hook and when is not decided here.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::timeout::TimeoutConfig;
use longbow_core::failure::BackendError;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::cluster::{ClusterSession, FaultKind, kind_of_code};
use crate::failure::{chain, printable};

/// Tries of a call, and the time between two.
const TRIES: u32 = 3;
const BETWEEN: Duration = Duration::from_millis(500);

/// An instance that a lifecycle hook holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifecycleHook {
    /// The hook's name.
    pub hook: String,
    /// The Auto Scaling group's name.
    pub group: String,
    /// The instance's name, as [`Notices::instance_id`](crate::Notices::instance_id) gives it.
    pub instance: String,
}

impl LifecycleHook {
    /// Lets the group go on: the instance is done. A hook that does not hold the instance any more is no failure.
    pub async fn complete(&self, session: &ClusterSession) -> Result<(), BackendError> {
        self.ask(session, "CompleteLifecycleAction", &[("LifecycleActionResult", "CONTINUE")]).await
    }

    /// Asks the group to wait for the hook's time-out once more.
    pub async fn wait_longer(&self, session: &ClusterSession) -> Result<(), BackendError> {
        self.ask(session, "RecordLifecycleActionHeartbeat", &[]).await
    }

    async fn ask(
        &self,
        session: &ClusterSession,
        call: &str,
        more: &[(&str, &str)],
    ) -> Result<(), BackendError> {
        let fields = [
            ("Action", call),
            ("Version", "2011-01-01"),
            ("AutoScalingGroupName", self.group.as_str()),
            ("InstanceId", self.instance.as_str()),
            ("LifecycleHookName", self.hook.as_str()),
        ];
        let encode =
            |(name, value): &(&str, &str)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC));
        let form: Vec<String> = fields.iter().chain(more).map(encode).collect();
        let form = form.join("&");
        let subject = format!("{call} of the hook {} of the Auto Scaling group {}", self.hook, self.group);
        let mut attempt = 1;
        loop {
            let error = match post(session, &form).await.map(|reply| judge(&subject, call, &reply)) {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) => error,
                Err(error) => BackendError::new(error.kind, format!("{subject}: {error}")),
            };
            if !error.transient || attempt == TRIES {
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(BETWEEN).await;
        }
    }
}

/// Status and text of an answer.
type Reply = (u16, String);

async fn post(session: &ClusterSession, form: &str) -> Result<Reply, BackendError> {
    let place = session.autoscaling()?;
    let credentials = place.credentials.provide_credentials().await;
    let credentials = credentials.map_err(|error| {
        BackendError::fatal(format!("the credentials cannot be loaded or renewed: {}", chain(&error)))
    })?;
    let identity = credentials.into();
    let cannot = |error: &(dyn std::error::Error + 'static)| {
        BackendError::fatal(format!("the request cannot be made: {}", chain(error)))
    };
    let params = SigningParams::builder()
        .identity(&identity)
        .region(place.region.as_ref())
        .name("autoscaling")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| cannot(&error))?
        .into();
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let uri = format!("{}/", place.endpoint.trim_end_matches('/'));
    let signable =
        SignableRequest::new("POST", uri.as_str(), headers.into_iter(), SignableBody::Bytes(form.as_bytes()));
    let signed = sign(signable.map_err(|error| cannot(&error))?, &params).map_err(|error| cannot(&error))?;
    let mut request = http::Request::post(uri.as_str()).header(headers[0].0, headers[0].1);
    for (name, value) in signed.output().headers() {
        request = request.header(name, value);
    }
    let request = request.body(form.to_owned()).map_err(|error| cannot(&error))?;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(3100))
        .operation_attempt_timeout(Duration::from_secs(10))
        .build();
    let operation = Operation::builder()
        .service_name("autoscaling")
        .operation_name("lifecycle")
        .http_client(place.http)
        .endpoint_url(&place.endpoint)
        .no_auth()
        .no_retry()
        .sleep_impl(TokioSleep::new())
        .timeout_config(timeouts)
        .serializer(|request: http::Request<String>| Ok(HttpRequest::try_from(request.map(SdkBody::from))?))
        .deserializer::<Reply, BackendError>(|reply| {
            let text = String::from_utf8_lossy(reply.body().bytes().unwrap_or_default()).into_owned();
            Ok((reply.status().as_u16(), text))
        })
        .build();
    let answer = operation.invoke(request).await;
    answer.map_err(|error| {
        BackendError::transient(format!("no answer from {}: {}", place.endpoint, chain(&error)))
    })
}

fn judge(subject: &str, call: &str, (status, text): &Reply) -> Result<(), BackendError> {
    if (200..300).contains(status) {
        return Ok(());
    }
    let said = |element: &str| {
        let from = text.split_once(&format!("<{element}>")).map_or("", |(_, rest)| rest);
        printable(from.split_once(&format!("</{element}>")).map_or("", |(said, _)| said))
    };
    let (code, message) = (said("Code"), said("Message"));
    // The group has gone on without us.
    if code == "ValidationError" && message.contains("No active Lifecycle Action") {
        tracing::debug!(message, "the hook does not hold the instance");
        return Ok(());
    }
    let kind = kind_of_code(&code).unwrap_or(match status {
        401 | 403 => FaultKind::Denied,
        429 | 503 => FaultKind::Throttled,
        500.. => FaultKind::Transient,
        _ => FaultKind::Permanent,
    });
    let remedy = match kind {
        FaultKind::Denied => format!("; the identity lacks the right autoscaling:{call}"),
        _ => String::new(),
    };
    Err(BackendError::new(kind, format!("{subject}: {status} {code}: {message}{remedy}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canned::Canned;
    use crate::cluster::canned_session;

    fn hook() -> LifecycleHook {
        LifecycleHook { hook: "drain &".into(), group: "workers".into(), instance: "i-1".into() }
    }

    fn refusal(code: &str, message: &str) -> String {
        format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
        )
    }

    #[tokio::test]
    async fn the_group_is_told_in_a_signed_request() {
        let canned = Canned::always(200, &[], "<CompleteLifecycleActionResponse/>");
        let session = canned_session(&canned).await;
        hook().complete(&session).await.unwrap();
        hook().wait_longer(&session).await.unwrap();
        let asked = canned.asked();
        assert_eq!((asked[0].method.as_str(), asked[0].uri.as_str()), ("POST", "http://127.0.0.1:1/"));
        let body = String::from_utf8_lossy(&asked[0].body).into_owned();
        let words = "Action=CompleteLifecycleAction&Version=2011%2D01%2D01&AutoScalingGroupName=workers\
                     &InstanceId=i%2D1&LifecycleHookName=drain%20%26&LifecycleActionResult=CONTINUE";
        assert_eq!(body, words);
        let signature = asked[0].header("authorization").unwrap();
        assert!(signature.contains("Credential=the-access-key/"), "{signature}");
        assert!(signature.contains("/us-east-1/autoscaling/aws4_request"), "{signature}");
        assert!(asked[1].body.starts_with(b"Action=RecordLifecycleActionHeartbeat&"));
    }

    /// Signed by hand, but sent through the client that all requests pass.
    #[tokio::test(start_paused = true)]
    async fn the_group_is_not_asked_by_plain_http_on_another_machine() {
        let options = crate::ClusterOptions {
            endpoint_url: Some("http://store.invalid:9000".into()),
            region: Some("us-east-1".into()),
            access_key: Some("the-access-key".into()),
            secret_key: Some("the-secret-key".into()),
            ..crate::ClusterOptions::default()
        };
        let session = ClusterSession::open(&options).await.unwrap();
        let error = hook().complete(&session).await.unwrap_err();
        assert!(error.message.contains("store.invalid is reached by plain http"), "{}", error.message);
        assert!(error.message.contains("--allow-http"), "{}", error.message);
        let allowed = crate::ClusterOptions { allow_http: true, ..options };
        let session = ClusterSession::open(&allowed).await.unwrap();
        let error = hook().complete(&session).await.unwrap_err();
        assert!(!error.message.contains("--allow-http"), "{}", error.message);
    }

    #[tokio::test]
    async fn a_hook_that_holds_nothing_is_no_failure() {
        let gone = refusal("ValidationError", "No active Lifecycle Action found with instance ID i-1");
        let session = canned_session(&Canned::always(400, &[], &gone)).await;
        hook().complete(&session).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn faults_say_whether_they_may_pass() {
        for (status, code, transient, tries, words) in [
            (403, "AccessDenied", false, 1, "autoscaling:CompleteLifecycleAction"),
            (400, "Throttling", true, 3, "Throttling"),
            (400, "ValidationError", false, 1, "no such group"),
            (500, "InternalFailure", true, 3, "500"),
        ] {
            let canned = Canned::always(status, &[], &refusal(code, "no such group"));
            let error = hook().complete(&canned_session(&canned).await).await.unwrap_err();
            assert_eq!((error.transient, canned.asked().len()), (transient, tries), "{}", error.message);
            assert!(error.message.contains(words) && error.message.contains("workers"), "{}", error.message);
        }
    }
}
