//! A value as somebody wrote it: text, number, truth value or a list of these, not judged yet.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// One value, as text.
    One(String),
    /// A list.
    Many(Vec<String>),
}

/// Without the value: some are secrets, and only the key tells which.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(text) => write!(f, "{} bytes", text.len()),
            Self::Many(list) => write!(f, "{} entries", list.len()),
        }
    }
}

impl Written {
    /// The value on one line.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Many(list) => list.join("\n"),
        }
    }

    /// The entries of a list; one text is a list of its lines, so that the environment can hold lists.
    pub(crate) fn entries(&self) -> Vec<String> {
        match self {
            Self::One(text) => text.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect(),
            Self::Many(list) => list.clone(),
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false or a list of these")
    }

    fn visit_str<E: de::Error>(self, v: &str) -> Result<Written, E> {
        Ok(Written::One(v.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, v: bool) -> Result<Written, E> {
        Ok(Written::One(v.to_string()))
    }

    fn visit_i64<E: de::Error>(self, v: i64) -> Result<Written, E> {
        Ok(Written::One(v.to_string()))
    }

    fn visit_u64<E: de::Error>(self, v: u64) -> Result<Written, E> {
        Ok(Written::One(v.to_string()))
    }

    fn visit_f64<E: de::Error>(self, v: f64) -> Result<Written, E> {
        Ok(Written::One(v.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Written, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = seq.next_element::<Written>()? {
            list.push(entry.text());
        }
        Ok(Written::Many(list))
    }
}
