//! What a user calls a queue: its URL, its ARN or its name.
//!
//! Pure: nothing is looked up here. A URL also says in which region its queue is, and, on a server that is not
//! Amazon's, where to ask.

use longbow_core::failure::BackendError;

/// A queue as a user names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum QueueAddress {
    /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME`, or a URL of another server.
    Url {
        url: String,
        /// The region in Amazon's host names.
        region: Option<String>,
        /// `http://HOST:PORT` of a server that is not Amazon's.
        origin: Option<String>,
    },
    /// A queue to be looked up, in the account of the identity unless another is named.
    Name { name: String, account: Option<String>, region: Option<String> },
}

impl QueueAddress {
    /// Reads what the user gave. FIFO queues are refused: they deliver a group's messages one after another, so that one
    /// slow object would hold up all that follow it.
    pub(super) fn parse(text: &str) -> Result<Self, BackendError> {
        let text = text.trim();
        let wrong = |why: &str| {
            BackendError::fatal(format!(
                "{text:?} names no queue: {why}; give a URL (https://sqs.REGION.amazonaws.com/ACCOUNT/NAME), an ARN \
                 (arn:aws:sqs:REGION:ACCOUNT:NAME) or a name"
            ))
        };
        let address = if let Some(rest) = text.strip_prefix("arn:") {
            let fields: Vec<&str> = rest.split(':').collect();
            let [_, "sqs", region, account, name] = fields.as_slice() else {
                return Err(wrong("it is not the ARN of a queue"));
            };
            let some = |field: &str| (!field.is_empty()).then(|| field.to_owned());
            Self::Name { name: (*name).to_owned(), account: some(account), region: some(region) }
        } else if let Some((scheme, rest)) = text.split_once("://") {
            if !matches!(scheme, "http" | "https") {
                return Err(wrong("its URL begins with neither https:// nor http://"));
            }
            let Some((host, path)) = rest.split_once('/') else {
                return Err(wrong("its URL has no path"));
            };
            if host.is_empty() || host.contains('@') {
                return Err(BackendError::fatal("the URL of a queue has a host and no user name in it"));
            }
            if path.contains(['?', '#']) || path.trim_matches('/').is_empty() {
                return Err(wrong("its URL ends in no name"));
            }
            let name = host.split(':').next().unwrap_or(host).to_ascii_lowercase();
            let amazon =
                [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"].iter().any(|end| name.ends_with(end));
            Self::Url {
                url: text.to_owned(),
                region: if amazon { region_of(&name) } else { None },
                origin: (!amazon).then(|| format!("{scheme}://{host}")),
            }
        } else {
            Self::Name { name: text.to_owned(), account: None, region: None }
        };
        let name = address.name();
        if name.ends_with(".fifo") {
            return Err(BackendError::fatal(format!(
                "{name} is a FIFO queue: objects would wait for one another; make a standard queue (without .fifo)"
            )));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        if name.is_empty() || name.len() > 80 || !name.chars().all(plain) {
            return Err(wrong("names of queues have 1 to 80 letters, digits, hyphens and underscores"));
        }
        Ok(address)
    }

    /// The name alone.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Url { url, .. } => url.rsplit('/').next().unwrap_or(url),
            Self::Name { name, .. } => name,
        }
    }

    pub(super) fn region(&self) -> Option<&str> {
        match self {
            Self::Url { region, .. } | Self::Name { region, .. } => region.as_deref(),
        }
    }

    pub(super) fn origin(&self) -> Option<&str> {
        match self {
            Self::Url { origin, .. } => origin.as_deref(),
            Self::Name { .. } => None,
        }
    }
}

/// `sqs.REGION.amazonaws.com`, `sqs-fips.REGION…`, `vpce-….sqs.REGION.vpce…`, and the old `REGION.queue…`.
fn region_of(host: &str) -> Option<String> {
    let labels: Vec<&str> = host.split('.').collect();
    let at = labels.iter().position(|label| matches!(*label, "sqs" | "sqs-fips"));
    let label = match at {
        Some(at) => labels.get(at + 1),
        None if labels.get(1) == Some(&"queue") => labels.first(),
        None => None,
    }?;
    (*label != "amazonaws").then(|| (*label).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_is_named_by_url_arn_or_name() {
        for (text, name, region, origin) in [
            ("https://sqs.eu-west-1.amazonaws.com/123456789012/jobs", "jobs", Some("eu-west-1"), None),
            ("https://sqs.cn-north-1.amazonaws.com.cn/1/jobs", "jobs", Some("cn-north-1"), None),
            ("https://eu-west-1.queue.amazonaws.com/1/jobs", "jobs", Some("eu-west-1"), None),
            ("https://vpce-1.sqs.us-east-2.vpce.amazonaws.com/1/jobs", "jobs", Some("us-east-2"), None),
            ("http://127.0.0.1:4566/000000000000/jobs", "jobs", None, Some("http://127.0.0.1:4566")),
            ("arn:aws-cn:sqs:cn-north-1:1:jobs", "jobs", Some("cn-north-1"), None),
            (" jobs_2-x ", "jobs_2-x", None, None),
        ] {
            let address = QueueAddress::parse(text).unwrap();
            assert_eq!(
                (address.name(), address.region(), address.origin()),
                (name, region, origin),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_standard_queue_is_refused_in_words() {
        for (text, why) in [
            ("", "1 to 80"),
            ("jobs.fifo", "FIFO"),
            ("https://sqs.eu-west-1.amazonaws.com/1/jobs.fifo", "FIFO"),
            ("arn:aws:sqs:eu-west-1:1:jobs.fifo", "FIFO"),
            ("arn:aws:sns:eu-west-1:1:jobs", "not the ARN"),
            ("ftp://h/1/jobs", "https://"),
            ("https://sqs.eu-west-1.amazonaws.com", "path"),
            ("https://sqs.eu-west-1.amazonaws.com/", "no name"),
            ("a b", "letters"),
        ] {
            let error = QueueAddress::parse(text).unwrap_err();
            assert!(error.message.contains(why) && !error.transient, "{text}: {}", error.message);
        }
        let error = QueueAddress::parse("https://user:secret@h/1/jobs").unwrap_err();
        assert!(!error.message.contains("secret"), "{}", error.message);
    }
}
