//! How a check is named, run and judged.

use std::fmt;
use std::pin::Pin;

use longbow_core::failure::{BackendError, StoreError};
use longbow_core::port::SwapError;

/// What a check found out. Errors of the port that a check does not expect become violations by `?`.
pub type Verdict = Result<(), Violation>;

/// A broken promise, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<StoreError> for Violation {
    fn from(error: StoreError) -> Self {
        let code = error.code.as_deref().unwrap_or("no code");
        Self(format!("unexpected error {:?} ({code}): {}", error.kind, error.message))
    }
}

impl From<BackendError> for Violation {
    fn from(error: BackendError) -> Self {
        Self(format!("unexpected error (transient: {}): {}", error.transient, error.message))
    }
}

impl From<SwapError> for Violation {
    fn from(error: SwapError) -> Self {
        Self(format!("unexpected swap error: {error}"))
    }
}

/// Fails the check unless the condition holds.
macro_rules! demand {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err($crate::contract::Violation(format!($($words)+)));
        }
    };
}
pub(super) use demand;

type Future<'a> = Pin<Box<dyn std::future::Future<Output = Verdict> + Send + 'a>>;

/// One promise of the port `P`, checked under the quirks `Q`.
pub struct Check<P: ?Sized, Q> {
    /// The promise's name.
    pub name: &'static str,
    run: for<'a> fn(&'a P, &'a Q) -> Future<'a>,
}

impl<P: ?Sized, Q> fmt::Debug for Check<P, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Check({})", self.name)
    }
}

impl<P: ?Sized, Q> Check<P, Q> {
    /// A check of this name.
    pub fn new(name: &'static str, run: for<'a> fn(&'a P, &'a Q) -> Future<'a>) -> Self {
        Self { name, run }
    }

    /// Runs it.
    pub async fn run(&self, port: &P, quirks: &Q) -> Verdict {
        (self.run)(port, quirks).await
    }
}

/// Makes a list of checks of functions, each named as its function.
macro_rules! checks {
    ($($function:ident),+ $(,)?) => {
        vec![$($crate::contract::Check::new(stringify!($function), |port, quirks| {
            Box::pin($function(port, quirks))
        })),+]
    };
}
pub(super) use checks;

/// Runs all checks, one after the other, and gives those that failed.
pub async fn failures<P: ?Sized, Q>(
    port: &P,
    quirks: &Q,
    checks: Vec<Check<P, Q>>,
) -> Vec<(&'static str, Violation)> {
    let mut failed = Vec::new();
    for check in checks {
        if let Err(violation) = check.run(port, quirks).await {
            failed.push((check.name, violation));
        }
    }
    failed
}

/// Runs all checks and panics with the names and words of those that failed.
pub(super) async fn judge<P: ?Sized, Q>(port: &P, quirks: &Q, what: &str, checks: Vec<Check<P, Q>>) {
    let count = checks.len();
    let failed = failures(port, quirks, checks).await;
    if !failed.is_empty() {
        let list: Vec<String> = failed.iter().map(|(name, why)| format!("  {name}: {why}")).collect();
        panic!(
            "the contract of {what} is broken in {} of {count} checks:\n{}",
            failed.len(),
            list.join("\n")
        );
    }
}
