//! What is wrong with the settings: each fault with its key, its value, where it was written and the remedy.

use std::fmt::{self, Write as _};

use super::layers::is_secret;
use super::origin::Origin;

/// One fault.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The setting, or the argument.
    pub(crate) key: String,
    /// As written.
    pub(crate) value: String,
    /// Where it was written.
    pub(crate) origin: Origin,
    /// What is wrong and what would be right.
    pub(crate) remedy: String,
}

/// As it is told: the value may be a secret.
impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A name that nobody knows may hold anything.
        for c in self.key.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { f.write_char(c)? }
        }
        if is_secret(&self.key) {
            write!(f, " = (hidden)")?;
        } else if !self.value.is_empty() {
            write!(f, " = {:?}", self.value)?;
        }
        write!(f, " ({}): {}", self.origin, self.remedy)
    }
}

/// All faults that were found; never empty when it is an error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Faults(pub(crate) Vec<Fault>);

impl Faults {
    /// Adds a fault of an argument of the command line.
    pub(crate) fn argument(&mut self, name: &'static str, value: &str, remedy: impl Into<String>) {
        self.0.push(Fault {
            key: name.to_owned(),
            value: value.to_owned(),
            origin: Origin::Argument(name),
            remedy: remedy.into(),
        });
    }

    /// Ends in an error if there is any fault.
    pub(crate) fn check(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [one] => write!(f, "{one}"),
            many => {
                write!(f, "{} faults:", many.len())?;
                many.iter().try_for_each(|fault| write!(f, "\n  {fault}"))
            }
        }
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_knows_is_shown_harmlessly() {
        let mut faults = Faults::default();
        let fault = Fault {
            key: "source.\u{7f}\u{1b}[2Jkey".to_owned(),
            value: "a\u{1b}".to_owned(),
            origin: Origin::Argument("--source"),
            remedy: "there is no such setting".to_owned(),
        };
        faults.0.push(fault);
        let told = faults.to_string();
        assert!(told.chars().all(|c| !c.is_control()), "{told:?}");
        assert!(told.starts_with("source.\\u{7f}\\u{1b}[2Jkey"), "{told}");
    }
}
