//! What EC2 tells an instance about its end, read from the instance metadata service (IMDSv2).
//!
//! Three documents: the Spot interruption, two minutes ahead; the rebalance recommendation, earlier and without a date; the
//! state that the Auto Scaling group wants the instance in. They are polled, since nothing announces them. A machine
//! without the service is asked for a few seconds and then left alone. What a worker does about a notice is not
//! decided here.

use std::str::FromStr as _;
use std::time::Duration;

use aws_config::imds;
use aws_config::imds::client::error::ImdsError;
use aws_config::provider_config::ProviderConfig;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::Uri;
use longbow_core::failure::BackendError;
use longbow_core::object::Timestamp;
use tokio::time::{Instant, MissedTickBehavior};

use crate::failure::chain;

const SPOT: &str = "/latest/meta-data/spot/instance-action";
const REBALANCE: &str = "/latest/meta-data/events/recommendations/rebalance";
const LIFECYCLE: &str = "/latest/meta-data/autoscaling/target-lifecycle-state";
const INSTANCE: &str = "/latest/meta-data/instance-id";

/// How often a service that has never answered is asked before there is none.
const FIRST_TRIES: u32 = 3;

/// What EC2 has in mind for this instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A Spot instance is taken away: stopped, hibernated or terminated.
    SpotInterruption {
        /// When; two minutes after the notice. `None` if the notice does not say.
        at: Option<Timestamp>,
    },
    /// The instance is likelier than others to be taken away soon.
    Rebalance,
    /// The Auto Scaling group is about to terminate the instance, and waits for its lifecycle hook.
    Terminating,
}

/// How the metadata service is reached.
#[derive(Debug, Clone)]
pub struct NoticeOptions {
    /// Another address than EC2's own.
    pub endpoint: Option<String>,
    /// Ask nothing.
    pub disabled: bool,
    /// Between two looks. EC2 recommends five seconds.
    pub interval: Duration,
}

impl Default for NoticeOptions {
    fn default() -> Self {
        Self { endpoint: None, disabled: false, interval: Duration::from_secs(5) }
    }
}

impl NoticeOptions {
    /// What `AWS_EC2_METADATA_SERVICE_ENDPOINT` and `AWS_EC2_METADATA_DISABLED` say.
    pub fn from_environment(interval: Duration) -> Self {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        Self {
            endpoint: variable("AWS_EC2_METADATA_SERVICE_ENDPOINT"),
            disabled: variable("AWS_EC2_METADATA_DISABLED").is_some_and(|v| v.eq_ignore_ascii_case("true")),
            interval,
        }
    }
}

/// Watches for notices. Each is told once.
#[derive(Debug)]
pub struct Notices {
    /// `None` once there is nothing to ask.
    service: Option<imds::Client>,
    ticks: tokio::time::Interval,
    answered: bool,
    failures: u32,
    told: Vec<Notice>,
    waiting: Vec<Notice>,
}

impl Notices {
    /// Begins with the first call of [`Notices::next`]; asks nothing by itself.
    pub fn new(options: &NoticeOptions) -> Result<Self, BackendError> {
        let interval = options.interval.max(Duration::from_millis(1));
        let mut ticks = tokio::time::interval_at(Instant::now(), interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let service = if options.disabled {
            tracing::debug!("notices of EC2 are not looked for: AWS_EC2_METADATA_DISABLED is set");
            None
        } else {
            Some(service(options.endpoint.as_deref())?)
        };
        Ok(Self { service, ticks, answered: false, failures: 0, told: Vec::new(), waiting: Vec::new() })
    }

    /// Waits for the next notice; for ever where there is no metadata service, so that it can stand in a `select!`.
    /// Dropping the future loses no notice.
    pub async fn next(&mut self) -> Notice {
        loop {
            if let Some(notice) = self.waiting.pop() {
                return notice;
            }
            if self.service.is_none() {
                return std::future::pending().await;
            }
            self.ticks.tick().await;
            self.look().await;
        }
    }

    /// The name of this instance; `None` where there is no metadata service.
    pub async fn instance_id(&self) -> Option<String> {
        match self.service.as_ref()?.get(INSTANCE).await {
            Ok(id) => Some(id.as_ref().trim().to_owned()),
            Err(error) => {
                tracing::debug!(
                    reason = chain(&error),
                    "the instance metadata service does not name the instance"
                );
                None
            }
        }
    }

    async fn look(&mut self) {
        let Some(service) = &self.service else { return };
        for path in [SPOT, LIFECYCLE, REBALANCE] {
            match document(service, path).await {
                Ok(text) => {
                    self.answered = true;
                    self.failures = 0;
                    let notice = text.and_then(|text| read(path, &text));
                    if let Some(notice) = notice.filter(|notice| !self.is_told(notice)) {
                        self.told.push(notice);
                        self.waiting.insert(0, notice);
                    }
                }
                Err(error) => {
                    self.failed(&chain(&error));
                    return;
                }
            }
        }
    }

    /// A date that changes is the same interruption.
    fn is_told(&self, notice: &Notice) -> bool {
        self.told.iter().any(|told| std::mem::discriminant(told) == std::mem::discriminant(notice))
    }

    fn failed(&mut self, reason: &str) {
        self.failures += 1;
        if self.answered {
            // It was there: it will be again.
            if self.failures == 1 {
                tracing::warn!(reason, "the instance metadata service does not answer");
            }
        } else if self.failures >= FIRST_TRIES {
            tracing::debug!(reason, "no instance metadata service here: notices of EC2 are not looked for");
            self.service = None;
        }
    }
}

fn service(endpoint: Option<&str>) -> Result<imds::Client, BackendError> {
    let second = Duration::from_secs(1);
    // Never through a proxy: the service answers the instance alone.
    let http = aws_smithy_http_client::Builder::new().build_http();
    let mut builder = imds::Client::builder()
        .configure(&ProviderConfig::without_region().with_http_client(http))
        // The next look comes soon.
        .max_attempts(1)
        .connect_timeout(second)
        .read_timeout(second)
        .operation_timeout(2 * second)
        .operation_attempt_timeout(second);
    if let Some(endpoint) = endpoint {
        let wrong = |why: String| {
            BackendError::fatal(format!(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT is {endpoint:?}, which is no URL: {why}"
            ))
        };
        let uri = Uri::from_str(endpoint).map_err(|error| wrong(error.to_string()))?;
        if uri.scheme().is_none() {
            return Err(wrong("it begins with no http://".to_owned()));
        }
        builder = builder.endpoint(endpoint).map_err(|error| wrong(error.to_string()))?;
    }
    Ok(builder.build())
}

/// A document, or that there is none.
async fn document(service: &imds::Client, path: &str) -> Result<Option<String>, ImdsError> {
    match service.get(path).await {
        Ok(text) => Ok(Some(text.as_ref().to_owned())),
        Err(ImdsError::ErrorResponse(answer)) if answer.response().status().as_u16() == 404 => Ok(None),
        Err(error) => Err(error),
    }
}

/// What a document says. One that cannot be read is a notice all the same, where only notices have documents.
fn read(path: &str, text: &str) -> Option<Notice> {
    match path {
        SPOT => {
            let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
            let at = document.get("time").and_then(|time| time.as_str());
            let at = at.and_then(|time| DateTime::from_str(time.trim(), Format::DateTime).ok());
            let at = at.and_then(|time| time.to_millis().ok()).map(Timestamp);
            Some(Notice::SpotInterruption { at })
        }
        REBALANCE => Some(Notice::Rebalance),
        // Others: InService, Warmed:Stopped and their like.
        LIFECYCLE => (text.trim() == "Terminated").then_some(Notice::Terminating),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
