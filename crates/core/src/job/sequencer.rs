//! The order of S3's events about one key.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longer than any that S3 was seen to send (16 to 20 digits), and short enough to keep.
const MAX_DIGITS: usize = 128;

/// A `sequencer` of an S3 event: the greater one happened later. Only events about the *same key of the same
/// bucket* can be compared (S3 User Guide, "Event message structure").
///
/// S3 says to pad the shorter of two with zeros on the right and to compare them as text. The form kept here has no
/// zeros on the right and small letters only, so that the plain order of the text *is* that order: a database that
/// compares strings (a condition of DynamoDB) orders them rightly too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sequencer(String);

/// Why a text is no sequencer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a sequencer has 1 to {MAX_DIGITS} hexadecimal digits")]
pub struct SequencerError;

impl Sequencer {
    /// Reads hexadecimal digits.
    pub fn new(text: &str) -> Result<Self, SequencerError> {
        let fits = (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
        if !fits {
            return Err(SequencerError);
        }
        let kept = text.trim_end_matches('0');
        // A sequencer of zeros alone is the smallest; one digit is kept so that it can be stored.
        Ok(Self(if kept.is_empty() { "0".to_owned() } else { kept.to_ascii_lowercase() }))
    }

    /// The form to keep and to compare as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Sequencer {
    type Error = SequencerError;

    fn try_from(text: String) -> Result<Self, SequencerError> {
        Self::new(&text)
    }
}

impl From<Sequencer> for String {
    fn from(sequencer: Sequencer) -> Self {
        sequencer.0
    }
}

impl fmt::Display for Sequencer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn s(text: &str) -> Sequencer {
        Sequencer::new(text).unwrap()
    }

    /// The order as S3's documentation words it.
    fn documented(a: &str, b: &str) -> std::cmp::Ordering {
        let width = a.len().max(b.len());
        let pad = |t: &str| format!("{:0<width$}", t.to_ascii_lowercase());
        pad(a).cmp(&pad(b))
    }

    #[test]
    fn the_greater_one_is_later_whatever_the_lengths() {
        assert!(s("0055AED6DCD90281E5") < s("0055AED6DCD90281E6"));
        assert!(s("0055AED6DCD90281E5") < s("0055AED6DCD90281E501"));
        assert!(s("0055aed6dcd9") < s("0055AED6DCD90281E5"));
        assert_eq!(s("00ab00"), s("00AB"));
        assert_eq!(s("000"), s("0"));
        assert!(s("0") < s("00001"));
    }

    #[test]
    fn other_text_is_refused() {
        for wrong in ["", "xyz", "12 ", "-1", &"a".repeat(129)] {
            assert_eq!(Sequencer::new(wrong), Err(SequencerError), "{wrong}");
        }
        assert!(serde_json::from_str::<Sequencer>("\"no\"").is_err());
    }

    proptest! {
        #[test]
        fn the_order_is_the_documented_one(a in "[0-9a-fA-F]{1,20}", b in "[0-9a-fA-F]{1,20}") {
            prop_assert_eq!(s(&a).cmp(&s(&b)), documented(&a, &b));
        }

        #[test]
        fn it_survives_its_json_form(a in "[0-9a-fA-F]{1,20}") {
            let json = serde_json::to_string(&s(&a)).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sequencer>(&json).unwrap(), s(&a));
        }
    }
}
