//! One side of a route: a bucket and a prefix, or a folder.

use std::fmt;
use std::path::PathBuf;

use super::Prefix;

/// Why a text is no location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// Nothing was given.
    #[error("the location is empty; give s3://BUCKET/PREFIX or a folder")]
    Empty,
    /// A scheme that longbow does not move.
    #[error("{0:?} is no location that longbow knows; give s3://BUCKET/PREFIX or a folder")]
    Scheme(String),
    /// `s3://` without a bucket.
    #[error("{0:?} names no bucket; write s3://BUCKET or s3://BUCKET/PREFIX")]
    NoBucket(String),
    /// A bucket name that no store takes.
    #[error("{bucket:?} is no bucket name: {why}")]
    Bucket {
        /// The name as given.
        bucket: String,
        /// Which rule it breaks.
        why: &'static str,
    },
}

/// Characters of what was written that an error repeats.
const SHOWN: usize = 200;

/// The beginning of a text that may be of any length; how it is shown is for the error to say.
fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Where objects are: `s3://BUCKET/PREFIX`, or a folder of this machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Location {
    /// A bucket (or access point ARN) and the keys under a prefix.
    S3 {
        /// Bucket name or access point ARN.
        bucket: String,
        /// The folder of keys.
        prefix: Prefix,
    },
    /// A folder; keys are paths relative to it.
    Folder(PathBuf),
}

impl Location {
    /// Reads `s3://BUCKET[/PREFIX]` or the path of a folder. With `raw_prefix` the prefix is taken as it is.
    pub fn parse(text: &str, raw_prefix: bool) -> Result<Self, LocationError> {
        if text.is_empty() {
            return Err(LocationError::Empty);
        }
        if let Some(rest) = text.strip_prefix("s3://") {
            // An access point ARN holds one '/' of its own: arn:aws:s3:REGION:ACCOUNT:accesspoint/NAME.
            let cut = if rest.starts_with("arn:") {
                rest.find('/').and_then(|first| rest[first + 1..].find('/').map(|second| first + 1 + second))
            } else {
                rest.find('/')
            };
            let (bucket, prefix) = cut.map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..]));
            if bucket.is_empty() {
                return Err(LocationError::NoBucket(short(text)));
            }
            if let Some(why) = bucket_fault(bucket) {
                return Err(LocationError::Bucket { bucket: short(bucket), why });
            }
            let prefix = if raw_prefix { Prefix::raw(prefix) } else { Prefix::folder(prefix) };
            return Ok(Self::S3 { bucket: bucket.to_owned(), prefix });
        }
        if text.contains("://") && !text.starts_with("file://") {
            return Err(LocationError::Scheme(short(text)));
        }
        Ok(Self::Folder(PathBuf::from(text.strip_prefix("file://").unwrap_or(text))))
    }

    /// The prefix inside the bucket; empty for a folder, whose keys are relative to it.
    pub fn prefix(&self) -> Prefix {
        match self {
            Self::S3 { prefix, .. } => prefix.clone(),
            Self::Folder(_) => Prefix::default(),
        }
    }

    /// Whether this is a folder of this machine.
    pub fn is_folder(&self) -> bool {
        matches!(self, Self::Folder(_))
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{}", prefix.as_str()),
            Self::Folder(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The rules that every S3 store shares (S3 User Guide, "General purpose buckets naming rules"), less strict
/// where old buckets and other stores are: capitals and underscores pass.
fn bucket_fault(bucket: &str) -> Option<&'static str> {
    if let Some(rest) = bucket.strip_prefix("arn:") {
        return arn_fault(rest);
    }
    if !(3..=255).contains(&bucket.len()) {
        return Some("it must have 3 to 255 characters");
    }
    if !bucket.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_')) {
        return Some("it may hold letters, digits, '-', '.' and '_' only");
    }
    if bucket.contains("..") {
        return Some("it must not hold two dots in a row");
    }
    if bucket.parse::<std::net::Ipv4Addr>().is_ok() {
        return Some(
            "it has the form of an IP address; write an endpoint as --source-endpoint or --destination-endpoint",
        );
    }
    None
}

/// An ARN may stand for a bucket if it is that of an access point: PARTITION:SERVICE:REGION:ACCOUNT:accesspoint/NAME.
fn arn_fault(rest: &str) -> Option<&'static str> {
    let mut parts = rest.splitn(5, ':');
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let [Some(partition), Some(service), Some(region), Some(account), Some(resource)] =
        std::array::from_fn(|_| parts.next())
    else {
        return Some(
            "it is no whole ARN; write arn:PARTITION:s3:REGION:ACCOUNT:accesspoint/NAME or a bucket's name",
        );
    };
    let name = resource.strip_prefix("accesspoint/").unwrap_or_default();
    let named =
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if named && service.starts_with("s3") && [partition, service, region, account].into_iter().all(plain) {
        return None;
    }
    if service == "s3" && !resource.contains(':') && !resource.starts_with("accesspoint") {
        return Some("it is the ARN of a bucket; write the bucket's name alone");
    }
    Some(
        "it is not the ARN of an access point; write arn:PARTITION:s3:REGION:ACCOUNT:accesspoint/NAME or a bucket's name",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn s3(bucket: &str, prefix: Prefix) -> Location {
        Location::S3 { bucket: bucket.into(), prefix }
    }

    #[test]
    fn locations_are_read() {
        assert_eq!(Location::parse("s3://bucket", false), Ok(s3("bucket", Prefix::folder(""))));
        assert_eq!(Location::parse("s3://bucket/", false), Ok(s3("bucket", Prefix::folder(""))));
        assert_eq!(Location::parse("s3://bucket/a/b", false), Ok(s3("bucket", Prefix::folder("a/b/"))));
        assert_eq!(Location::parse("s3://bucket/a", true), Ok(s3("bucket", Prefix::raw("a"))));
        assert_eq!(Location::parse("s3://bucket//a", false), Ok(s3("bucket", Prefix::folder("/a/"))));
        let arn = "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine";
        assert_eq!(Location::parse(&format!("s3://{arn}/p"), false), Ok(s3(arn, Prefix::folder("p"))));
        assert_eq!(Location::parse("./dir", false), Ok(Location::Folder("./dir".into())));
    }

    #[test]
    fn wrong_locations_are_named() {
        assert!(matches!(Location::parse("", false), Err(LocationError::Empty)));
        assert!(matches!(Location::parse("s3://", false), Err(LocationError::NoBucket(_))));
        assert!(matches!(Location::parse("s3:///x", false), Err(LocationError::NoBucket(_))));
        assert!(matches!(Location::parse("gs://b/x", false), Err(LocationError::Scheme(_))));
        for long in [format!("s3://{}", "a.0".repeat(2_000)), format!("gs://{}", "é".repeat(2_000))] {
            let error = Location::parse(&long, false).expect_err("no location").to_string();
            assert!(error.len() < 1_000 && error.contains('…'), "{error}");
        }
        assert!(matches!(Location::parse("s3://a b/x", false), Err(LocationError::Bucket { .. })));
    }

    #[test]
    fn each_wrong_bucket_name_has_its_own_hint() {
        for (bucket, hint) in [
            ("ab", "3 to 255"),
            ("a_b c", "letters, digits"),
            ("a..b", "two dots"),
            ("10.0.0.1", "IP address"),
            ("arn:aws:s3:::bucket", "the bucket's name alone"),
            ("arn:aws:s3:::bucket/p", "the bucket's name alone"),
            ("arn:", "no whole ARN"),
            ("arn:aws:s3:r:1:accesspoint/", "not the ARN of an access point"),
            ("arn:aws:s3:r:1:accesspoint", "not the ARN of an access point"),
            ("arn:aws:s3-outposts:r:1:outpost/op/accesspoint/a", "not the ARN of an access point"),
            ("arn:aws:sqs:r:1:queue", "not the ARN of an access point"),
        ] {
            let error = Location::parse(&format!("s3://{bucket}"), false).unwrap_err();
            assert!(error.to_string().contains(hint), "{bucket}: {error}");
        }
        for right in [
            "My_Bucket",
            "a.b-c",
            "1.2.3",
            "arn:aws-cn:s3:cn-north-1:1:accesspoint/a",
            "arn:aws:s3::1:accesspoint/m.mrap",
        ] {
            assert!(Location::parse(&format!("s3://{right}/p"), false).is_ok(), "{right}");
        }
    }
}
