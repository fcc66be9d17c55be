//! What was found out about one right, and what becomes of all of them.

use longbow_aws::{NotShown, Tried};
use longbow_core::failure::{BackendErrorKind, StoreError, StoreErrorKind};
use serde_json::{Value, json};

use crate::exit::Exit;

/// What is known of a right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finding {
    /// It is there.
    Ok,
    /// It is not.
    Missing,
    /// The thing or the identity is no use, so that the right cannot be told.
    Wrong,
    /// No answer that tells; another time it may.
    Unclear,
    /// Not tried, or no answer could tell.
    NotTried,
}

impl Finding {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Wrong => "wrong",
            Self::Unclear => "unclear",
            Self::NotTried => "not-tried",
        }
    }
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) action: String,
    pub(super) on: String,
    pub(super) needed_by: &'static str,
    pub(super) finding: Finding,
    /// What was said, with the remedy; empty where all is well.
    pub(super) words: String,
}

impl Line {
    pub(super) fn new(
        action: &str,
        on: &str,
        needed_by: &'static str,
        finding: Finding,
        words: impl Into<String>,
    ) -> Self {
        Self { action: action.to_owned(), on: on.to_owned(), needed_by, finding, words: words.into() }
    }

    /// From a try on the queue, the table or a parameter.
    pub(super) fn of_tried(tried: Tried, needed_by: &'static str) -> Self {
        let (finding, words) = match tried.outcome {
            Ok(()) => (Finding::Ok, String::new()),
            Err(NotShown::NotTried(why)) => (Finding::NotTried, why),
            Err(NotShown::Failed(error)) => {
                let finding = match error.kind {
                    BackendErrorKind::Denied => Finding::Missing,
                    BackendErrorKind::Transient | BackendErrorKind::Throttled => Finding::Unclear,
                    BackendErrorKind::Credentials
                    | BackendErrorKind::Missing
                    | BackendErrorKind::Permanent => Finding::Wrong,
                };
                (finding, error.message)
            }
        };
        Self::new(tried.action, &tried.thing, needed_by, finding, words)
    }

    /// From a store's refusal.
    pub(super) fn of_refusal(action: &str, on: &str, needed_by: &'static str, error: &StoreError) -> Self {
        let finding = match error.kind {
            StoreErrorKind::Denied => Finding::Missing,
            StoreErrorKind::Transient | StoreErrorKind::Throttled | StoreErrorKind::Corrupt => {
                Finding::Unclear
            }
            StoreErrorKind::Unsupported(_) => Finding::NotTried,
            _ => Finding::Wrong,
        };
        Self::new(action, on, needed_by, finding, error.to_string())
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "event": "right",
            "action": self.action,
            "on": self.on,
            "needed_by": self.needed_by,
            "finding": self.finding.word(),
            "words": (!self.words.is_empty()).then_some(&self.words),
        })
    }

    pub(super) fn text(&self) -> String {
        let Self { action, on, needed_by, finding, words } = self;
        let more = if words.is_empty() { String::new() } else { format!(" — {words}") };
        format!("{:<9} {action:<32} on {on}, for {needed_by}{more}", finding.word())
    }
}

/// How it ends: what is missing or wrong has to be mended by somebody; what is unclear may pass.
pub(super) fn exit(lines: &[Line]) -> Exit {
    let any = |finding: Finding| lines.iter().any(|line| line.finding == finding);
    if any(Finding::Missing) || any(Finding::Wrong) {
        Exit::Usage
    } else if any(Finding::Unclear) {
        Exit::Failed
    } else {
        Exit::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_line_decides_the_exit() {
        let line = |finding| Line::new("a", "b", "c", finding, "");
        for (findings, expected) in [
            (vec![], Exit::Done),
            (vec![Finding::Ok, Finding::NotTried], Exit::Done),
            (vec![Finding::Unclear, Finding::Ok], Exit::Failed),
            (vec![Finding::Unclear, Finding::Missing], Exit::Usage),
            (vec![Finding::Wrong, Finding::Ok], Exit::Usage),
        ] {
            let lines: Vec<Line> = findings.iter().map(|finding| line(*finding)).collect();
            assert_eq!(exit(&lines), expected, "{findings:?}");
        }
    }
}
