//! The settings of a cluster: its services, and how jobsenders and workers go about it.

use std::num::NonZeroUsize;

use longbow_core::job::WhenBusy;
use longbow_core::legacy::{JobType, Side};
use longbow_core::routes::KeyMapping;

use super::Judge;
use crate::settings::raw::RawCluster;
use crate::settings::reading::{choice, duration, number, truth};
use crate::settings::values::{ClusterSettings, Credentials, SideSettings};
use crate::settings::written::Written;

impl Judge<'_> {
    pub(super) fn cluster(&mut self, raw: &RawCluster, allow_http: bool) -> ClusterSettings {
        let manners = [("refuse", WhenBusy::Refuse), ("append", WhenBusy::Append)];
        let mappings = [
            ("auto", None),
            ("relative", Some(KeyMapping::Relative)),
            ("full-key", Some(KeyMapping::FullKey)),
        ];
        for (one, other, key) in [
            (&raw.auto_scaling_group, &raw.lifecycle_hook, "cluster.auto_scaling_group"),
            (&raw.lifecycle_hook, &raw.auto_scaling_group, "cluster.lifecycle_hook"),
        ] {
            if one.text().is_empty() && !other.text().is_empty() {
                self.fault(key, "", "a group and its hook go together: name both, or none");
            }
        }
        ClusterSettings {
            queue: self.text("cluster.queue_url", &raw.queue_url),
            dead_letter_queue: self.text("cluster.dead_letter_queue_url", &raw.dead_letter_queue_url),
            table: self.text("cluster.table", &raw.table),
            region: self.text("cluster.region", &raw.region),
            profile: self.text("cluster.profile", &raw.profile),
            endpoint_url: self.endpoint("cluster.endpoint_url", &raw.endpoint_url, allow_http),
            allow_http,
            when_busy: self.take("cluster.when_busy", &raw.when_busy, |t| choice(t, &manners)),
            retry_most: self.take("cluster.retry_most", &raw.retry_most, |t| match duration(t)? {
                time if time.as_secs() <= 12 * 3600 => Ok(time),
                _ => Err("give at most 12h, as Amazon SQS has it".to_owned()),
            }),
            propagate_deletes: self.take("cluster.propagate_deletes", &raw.propagate_deletes, truth),
            drain_within: self.take("cluster.drain_within", &raw.drain_within, duration),
            settings_parameter: self.text("cluster.settings_parameter", &raw.settings_parameter),
            reload_every: self.take("cluster.reload_every", &raw.reload_every, |t| match duration(t)? {
                time if time.is_zero() => Ok(None),
                time if time.as_secs() >= 1 => Ok(Some(time)),
                _ => Err("give at least 1s, or 0s for never".to_owned()),
            }),
            routes_parameter: self.text("cluster.routes_parameter", &raw.routes_parameter),
            credentials_parameter: self.text("cluster.credentials_parameter", &raw.credentials_parameter),
            job_type: self.take("cluster.job_type", &raw.job_type, |t| {
                JobType::read(t).map_err(|_| "give put or get".to_owned())
            }),
            key_mapping: self.take("cluster.key_mapping", &raw.key_mapping, |t| choice(t, &mappings)),
            listing_requests: self.several("cluster.listing_requests", &raw.listing_requests),
            routes_at_once: self.several("cluster.routes_at_once", &raw.routes_at_once),
            sweep_uploads_after: self.take("cluster.sweep_uploads_after", &raw.sweep_uploads_after, |t| {
                match duration(t)? {
                    time if time.is_zero() => Ok(None),
                    time if time >= longbow_worker::LEAST_AGE => Ok(Some(time)),
                    _ => {
                        Err("give at least 12h, or 0s for never: a younger upload may be in work".to_owned())
                    }
                }
            }),
            auto_scaling_group: self.text("cluster.auto_scaling_group", &raw.auto_scaling_group),
            lifecycle_hook: self.text("cluster.lifecycle_hook", &raw.lifecycle_hook),
        }
    }
}

impl Judge<'_> {
    fn several(&mut self, key: &str, written: &Written) -> NonZeroUsize {
        let read = |text: &str| {
            let n = number(text, 1, 256)?;
            Ok(usize::try_from(n).ok().and_then(NonZeroUsize::new))
        };
        self.take(key, written, read).unwrap_or(NonZeroUsize::MIN)
    }
}

impl ClusterSettings {
    /// The stored keys are for the side of the other account, unless that side says itself who asks.
    pub(super) fn give_stored_keys(&self, source: &mut SideSettings, destination: &mut SideSettings) {
        let Some(parameter) = &self.credentials_parameter else { return };
        let side = match self.job_type.other_account() {
            Side::Source => source,
            Side::Destination => destination,
        };
        if matches!(side.credentials, Credentials::Chain) && side.profile.is_none() && side.role.is_none() {
            side.credentials = Credentials::Stored { parameter: parameter.clone() };
        }
    }
}
