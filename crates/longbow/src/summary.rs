//! The end of a run in figures that add up: for people, for machines, and for the state file.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use longbow_core::diff::Comparison;
use longbow_core::port::Side;
use serde_json::{Value, json};

use crate::amounts::{bytes, count, duration, objects};
use crate::exit::Exit;
use crate::ledger::{Fate, Ledger};

/// Names that are told of those passed over.
const NAMED: usize = 10;

/// What a run did, and how it ended.
pub(crate) struct Summary {
    /// The totals.
    pub(crate) ledger: Ledger,
    /// How objects were compared.
    pub(crate) comparison: Comparison,
    /// How long it took.
    pub(crate) elapsed: Duration,
    /// How it ended.
    pub(crate) exit: Exit,
    /// What kept the run from its end, each with its remedy.
    pub(crate) troubles: Vec<String>,
    /// Names that are no objects or cannot be keys: the first ones, and how many there are.
    pub(crate) passed_over: (Vec<String>, u64),
    /// Where each object's line is.
    pub(crate) report: Option<PathBuf>,
    /// Where the state is.
    pub(crate) state: PathBuf,
}

impl Summary {
    /// Objects of the source: what was listed, and what jobs of an earlier run were about.
    fn listed(&self) -> u64 {
        self.ledger.keys_listed(Side::Source) + self.ledger.carried_over()
    }

    /// Listed things that had no fate: markers without a name at the destination, and what an incomplete
    /// comparison did not come to.
    fn not_compared(&self) -> u64 {
        let fates = [
            Fate::Waiting,
            Fate::Same,
            Fate::Recorded,
            Fate::Excluded,
            Fate::Inspected,
            Fate::Copied,
            Fate::Failed,
        ];
        let total: u64 = fates.iter().map(|f| self.ledger.of(*f).objects).sum();
        self.listed().saturating_sub(total)
    }

    fn skipped(&self) -> u64 {
        [Fate::Same, Fate::Recorded, Fate::Inspected].iter().map(|f| self.ledger.of(*f).objects).sum()
    }

    /// The summary for people.
    pub(crate) fn text(&self) -> String {
        let ledger = &self.ledger;
        let mut out = String::new();
        let end = match self.exit {
            Exit::Done => "Done",
            Exit::Stopped(_) => "Stopped",
            Exit::Refused => "Refused in part",
            Exit::Failed | Exit::Usage | Exit::Differences => "Ended with failures",
        };
        let _ = write!(out, "{end} after {}: {}", duration(self.elapsed), objects(self.listed()));
        if ledger.carried_over() > 0 {
            let _ = write!(out, ", {} of them from an earlier run's jobs", count(ledger.carried_over()));
        }
        let mut row = |name: &str, n: u64, note: String| {
            let _ = write!(
                out,
                "\n  {name:<13}{:>11}{}{note}",
                count(n),
                if note.is_empty() { "" } else { "   " }
            );
        };
        let copied = ledger.of(Fate::Copied);
        let mut note = bytes(copied.bytes);
        if ledger.bytes_sent() != copied.bytes {
            let _ = write!(note, ", {} of them sent by this run", bytes(ledger.bytes_sent()));
        }
        if ledger.parts_reused() > 0 {
            let _ = write!(note, ", {} parts were there already", count(ledger.parts_reused()));
        }
        row("copied", copied.objects, note);
        let reasons = [
            (Fate::Same, "unchanged"),
            (Fate::Recorded, "unchanged since copied"),
            (Fate::Inspected, "equal at a closer look"),
        ];
        let note: Vec<_> = (reasons.iter())
            .filter(|(fate, _)| ledger.of(*fate).objects > 0)
            .map(|(fate, word)| format!("{word} {}", count(ledger.of(*fate).objects)))
            .collect();
        row("skipped", self.skipped(), note.join(", "));
        for (fate, name) in
            [(Fate::Excluded, "excluded"), (Fate::Failed, "failed"), (Fate::Waiting, "not finished")]
        {
            let n = ledger.of(fate).objects;
            if n > 0 || fate == Fate::Failed {
                let note = if fate == Fate::Waiting { "left for the next run" } else { "" };
                row(name, n, note.to_owned());
            }
        }
        if self.not_compared() > 0 {
            row("not compared", self.not_compared(), String::new());
        }
        if ledger.deleted().objects > 0 {
            let note = format!("{} at the destination only", bytes(ledger.deleted().bytes));
            row("deleted", ledger.deleted().objects, note);
        }
        if ledger.is_inexact() {
            out.push_str("\n  The comparison began again late: some objects may be counted twice.");
        }
        self.failures(&mut out);
        self.passed_over(&mut out);
        if ledger.with_losses() > 0 {
            let n = objects(ledger.with_losses());
            let _ = write!(out, "\nOf {n} something could not be preserved; the report says what.");
        }
        for trouble in &self.troubles {
            let _ = write!(out, "\n{trouble}");
        }
        if let Some(report) = &self.report {
            let _ = write!(out, "\nReport: {}", report.display());
        }
        let _ = write!(out, "\nState:  {}", self.state.display());
        out
    }

    fn failures(&self, out: &mut String) {
        for (class, failures) in self.ledger.failures() {
            let _ = write!(out, "\nFailed, {class} ({}):", count(failures.objects));
            for (key, reason) in &failures.first {
                let _ = write!(out, "\n  {key}: {reason}");
            }
            let more = failures.objects.saturating_sub(failures.first.len() as u64);
            if more > 0 {
                let _ = write!(out, "\n  … and {} more", count(more));
            }
        }
    }

    fn passed_over(&self, out: &mut String) {
        let (names, n) = &self.passed_over;
        if *n == 0 {
            return;
        }
        let _ = write!(out, "\nPassed over, no objects or no possible keys ({}):", count(*n));
        for name in names.iter().take(NAMED) {
            let _ = write!(out, "\n  {}", name.escape_debug());
        }
    }

    /// The summary for machines.
    pub(crate) fn event(&self) -> Value {
        let ledger = &self.ledger;
        let number = |fate| ledger.of(fate).objects;
        let failures: serde_json::Map<String, Value> =
            ledger.failures().iter().map(|(class, f)| (class.clone(), f.objects.into())).collect();
        json!({
            "event": "summary",
            "listed": self.listed(),
            "carried_over": ledger.carried_over(),
            "copied": number(Fate::Copied),
            "skipped": self.skipped(),
            "skipped_by_reason": {
                "same": number(Fate::Same),
                "recorded": number(Fate::Recorded),
                "inspected": number(Fate::Inspected),
            },
            "excluded": number(Fate::Excluded),
            "deleted": ledger.deleted().objects,
            "failed": number(Fate::Failed),
            "failed_by_class": failures,
            "unfinished": number(Fate::Waiting),
            "not_compared": self.not_compared(),
            "passed_over": self.passed_over.1,
            "passed_over_first": self.passed_over.0.iter().take(NAMED).collect::<Vec<_>>(),
            "with_losses": ledger.with_losses(),
            "bytes_copied": ledger.of(Fate::Copied).bytes,
            "bytes_sent": ledger.bytes_sent(),
            "parts_reused": ledger.parts_reused(),
            "comparison": self.comparison.to_string(),
            "troubles": self.troubles,
            "report": self.report.as_deref().map(Path::to_string_lossy),
            "state": self.state.to_string_lossy(),
            "seconds": self.elapsed.as_secs_f64(),
            "exit": self.exit.code(),
        })
    }
}

#[cfg(test)]
mod tests {
    use longbow_core::diff::{CopyReason, Decision, SkipReason};
    use longbow_core::job::ReportOutcome;

    use super::*;
    use crate::ledger::tests::report;

    fn summary() -> Summary {
        let mut ledger = Ledger::new(false);
        ledger.listed(Side::Source, 7);
        for (key, decision) in [
            ("a", Decision::Copy(CopyReason::Missing)),
            ("b", Decision::Copy(CopyReason::Inspect)),
            ("c", Decision::Copy(CopyReason::Newer)),
            ("d", Decision::Copy(CopyReason::Newer)),
            ("e", Decision::Skip(SkipReason::Same)),
            ("f", Decision::Skip(SkipReason::Excluded)),
        ] {
            ledger.decided(decision, &key.into(), 10);
        }
        ledger.finished(&report("a", ReportOutcome::Copied));
        ledger.finished(&report("b", ReportOutcome::Skipped));
        ledger.finished(&report("c\u{1b}[2J", ReportOutcome::Failed));
        ledger.finished(&report("z", ReportOutcome::Deleted));
        Summary {
            ledger,
            comparison: Comparison::Checksum,
            elapsed: Duration::from_secs(3),
            exit: Exit::Failed,
            troubles: vec!["Mend it.".into()],
            passed_over: (vec!["x\n: a socket".into()], 1),
            report: None,
            state: "/s".into(),
        }
    }

    #[test]
    fn the_figures_add_up() {
        let event = summary().event();
        let n = |name: &str| event[name].as_u64().unwrap();
        let parts = ["copied", "skipped", "excluded", "failed", "unfinished", "not_compared"];
        assert_eq!(n("listed"), parts.iter().map(|p| n(p)).sum::<u64>());
        assert_eq!((n("listed"), n("copied"), n("skipped"), n("not_compared")), (7, 1, 2, 1));
        assert_eq!((n("deleted"), n("exit"), &event["comparison"]), (1, 1, &json!("checksum")));
    }

    #[test]
    fn people_read_all_of_it_and_terminals_obey_none_of_it() {
        let text = summary().text();
        for part in [
            "7 objects",
            "copied",
            "unchanged 1, equal at a closer look 1",
            "not finished",
            "Failed, denied (1)",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("x\\n: a socket"), "{text}");
        assert!(text.ends_with("Mend it.\nState:  /s"), "{text}");
    }
}
