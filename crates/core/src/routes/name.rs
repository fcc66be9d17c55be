//! The name of a configured route: in messages, logs, metrics and state.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest name.
const MAX: usize = 64;

/// A route's name: 1 to 64 letters, digits, `-`, `_` and `.`, so that it can stand in a log, a metric and a table key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RouteName(String);

/// Why a text is no route name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a route's name has 1 to {MAX} letters, digits, '-', '_' and '.'")]
pub struct RouteNameError;

impl RouteName {
    /// Reads a name.
    pub fn new(text: &str) -> Result<Self, RouteNameError> {
        let fits = (1..=MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if fits { Ok(Self(text.to_owned())) } else { Err(RouteNameError) }
    }

    /// The name of an unnamed entry of a list, from 0: `pair-1`, `pair-2`, …
    pub fn of_pair(index: usize) -> Self {
        Self(format!("pair-{}", index.saturating_add(1)))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RouteName {
    type Error = RouteNameError;

    fn try_from(text: String) -> Result<Self, RouteNameError> {
        Self::new(&text)
    }
}

impl From<RouteName> for String {
    fn from(name: RouteName) -> Self {
        name.0
    }
}

impl fmt::Display for RouteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert!(RouteName::new("eu-1.photos_2").is_ok());
        for wrong in ["", "a b", "a/b", "é", &"x".repeat(65)] {
            assert!(RouteName::new(wrong).is_err(), "{wrong}");
        }
        assert_eq!(RouteName::of_pair(0).as_str(), "pair-1");
        assert!(serde_json::from_str::<RouteName>("\"a b\"").is_err());
    }
}
