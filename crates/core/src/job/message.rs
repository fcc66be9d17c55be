//! The wire form of jobs: longbow's own versioned JSON.

use serde::{Deserialize, Serialize};

use super::CopyJob;

/// The newest version that this program writes, and the only one it reads.
const VERSION: u32 = 1;

/// Amazon SQS takes at most this many bytes a message (and, unless raised, a queue's default limit).
const MAX_BYTES: usize = 256 * 1024;

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    longbow: u32,
    copy: T,
}

#[derive(Deserialize)]
struct VersionOnly {
    longbow: u32,
}

/// Why a message is no job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Larger than any queue would carry.
    #[error("the message has {0} bytes; at most {MAX_BYTES} are read")]
    TooLarge(usize),
    /// Written by another release.
    #[error("the message is of version {0}; this release reads version {VERSION}")]
    Version(u32),
    /// Not a job at all.
    #[error("the message is no longbow job: {0}")]
    Malformed(String),
}

/// Writes a job.
pub fn encode(job: &CopyJob) -> String {
    #[expect(
        clippy::expect_used,
        reason = "a CopyJob holds text, numbers and options only: it always has a JSON form"
    )]
    serde_json::to_string(&Envelope { longbow: VERSION, copy: job }).expect("a job has a JSON form")
}

/// Reads a message. Total: every input gives a job or an error, in bounded time and memory.
pub fn decode(body: &str) -> Result<CopyJob, MessageError> {
    if body.len() > MAX_BYTES {
        return Err(MessageError::TooLarge(body.len()));
    }
    // serde_json stops at a depth of 128 by itself.
    match serde_json::from_str::<Envelope<CopyJob>>(body) {
        Ok(Envelope { longbow: VERSION, copy }) => Ok(copy),
        Ok(Envelope { longbow, .. }) => Err(MessageError::Version(longbow)),
        Err(error) => match serde_json::from_str::<VersionOnly>(body) {
            Ok(VersionOnly { longbow }) if longbow != VERSION => Err(MessageError::Version(longbow)),
            _ => Err(MessageError::Malformed(error.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Observation, SourceVersion, TransferId};
    use crate::object::{ETag, ObjectKey, Timestamp};
    use proptest::prelude::*;

    fn job(key: &str) -> CopyJob {
        CopyJob {
            source: ObjectKey::from(key),
            destination: ObjectKey::from(key),
            object: SourceVersion {
                size: 5,
                etag: Some(ETag::new("x")),
                version: None,
                modified: Some(Timestamp(7)),
            },
            observed: Observation::Present(ETag::new("y")),
            inspect: false,
            transfer: TransferId("t".into()),
        }
    }

    #[test]
    fn other_versions_and_other_things_are_told_apart() {
        assert!(matches!(decode("{}"), Err(MessageError::Malformed(_))));
        assert!(matches!(decode(r#"{"longbow":9}"#), Err(MessageError::Version(9))));
        assert!(matches!(decode(&"[".repeat(100_000)), Err(MessageError::Malformed(_))));
        assert!(matches!(decode(&"x".repeat(300_000)), Err(MessageError::TooLarge(300_000))));
    }

    proptest! {
        #[test]
        fn every_key_survives(key in any::<String>()) {
            prop_assert_eq!(decode(&encode(&job(&key))), Ok(job(&key)));
        }

        #[test]
        fn any_text_is_read_without_panic(text in any::<String>()) {
            let _ = decode(&text);
        }
    }
}
