//! The settings of metrics: where they go, how often, and under which name.

use std::net::SocketAddr;

use super::Judge;
use crate::settings::raw::RawMetrics;
use crate::settings::reading::{duration, truth};
use crate::settings::values::MetricsSettings;

impl Judge<'_> {
    pub(super) fn metrics(&mut self, raw: &RawMetrics) -> MetricsSettings {
        MetricsSettings {
            emf: self.take("metrics.emf", &raw.emf, truth),
            interval: self.take("metrics.interval", &raw.interval, |t| match duration(t)? {
                time if (1..=3600).contains(&time.as_secs()) => Ok(time),
                _ => Err("give 1s to 1h; CloudWatch's alarms look each minute".to_owned()),
            }),
            fleet: self.text("metrics.fleet", &raw.fleet),
            listen: self.take("metrics.listen", &raw.listen, |t| match t {
                "" => Ok(None),
                text => match text.parse::<SocketAddr>() {
                    Ok(address) if address.ip().is_loopback() => Ok(Some(address)),
                    Ok(_) => Err("only this machine may ask: give an address of loopback, as 127.0.0.1:9600"
                        .to_owned()),
                    Err(_) => Err("give an address and a port, as 127.0.0.1:9600 or [::1]:9600".to_owned()),
                },
            }),
        }
    }
}
