//! The count of findings, and the table at the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longbow_core::job::Proof;
use longbow_core::port::Side;
use longbow_jobsender::PairEvent;
use serde_json::{Value, json};

use super::finding::{Finding, Verdict, describe};
use crate::amounts::{bytes, count, duration, objects};
use crate::exit::Exit;
use crate::progress::{Reading, Voice};
use crate::report::ReportFile;

/// Differences that are told by name.
const NAMED: usize = 10;

/// Counts of findings.
#[derive(Debug, Clone, Default)]
pub(super) struct Counts {
    /// Equal pairs by evidence, with their bytes.
    pub(super) same: BTreeMap<Proof, (u64, u64)>,
    pub(super) differs: u64,
    pub(super) missing: u64,
    pub(super) extra: u64,
    pub(super) unknown: u64,
    pub(super) excluded: u64,
    /// The first differences, in words.
    first: Vec<String>,
    listed: [u64; 2],
    complete: [bool; 2],
    known: u64,
    bytes_known: u64,
    bytes_done: u64,
}

impl Counts {
    /// Names of which the two sides are not equal. Objects that only the destination has count too: the sides differ.
    pub(super) fn differences(&self) -> u64 {
        self.differs + self.missing + self.extra
    }

    fn equal(&self) -> u64 {
        self.same.values().map(|(n, _)| n).sum()
    }
}

/// Counts findings from many tasks.
pub(super) struct Tally {
    voice: Voice,
    report: Option<Arc<ReportFile>>,
    counts: Mutex<Counts>,
}

impl Tally {
    pub(super) fn new(voice: Voice, report: Option<Arc<ReportFile>>) -> Self {
        Self { voice, report, counts: Mutex::default() }
    }

    pub(super) fn voice(&self) -> &Voice {
        &self.voice
    }

    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    pub(super) fn listed(&self, side: Side, keys: u64) {
        self.lock().listed[side as usize] += keys;
    }

    pub(super) fn listing_complete(&self, side: Side) {
        self.lock().complete[side as usize] = true;
    }

    pub(super) fn excluded(&self, _bytes: u64) {
        self.lock().excluded += 1;
    }

    /// These will be examined.
    pub(super) fn begin(&self, batch: &[PairEvent]) {
        let mut counts = self.lock();
        for event in batch {
            counts.known += 1;
            if let PairEvent::Both(source, _) = event {
                counts.bytes_known = counts.bytes_known.saturating_add(source.size);
            }
        }
    }

    /// Everything is told anew.
    pub(super) fn restart(&self) {
        *self.lock() = Counts::default();
        if let Some(report) = &self.report {
            report.restart();
        }
    }

    /// Takes a finding.
    pub(super) fn take(&self, finding: &Finding) {
        let mut counts = self.lock();
        let size = finding.size.unwrap_or_default();
        match finding.verdict {
            Verdict::Same => {
                let same = counts.same.entry(finding.evidence.unwrap_or(Proof::Size)).or_default();
                *same = (same.0 + 1, same.1.saturating_add(size));
            }
            Verdict::Differs => counts.differs += 1,
            Verdict::Missing => counts.missing += 1,
            Verdict::Extra => counts.extra += 1,
            Verdict::Unknown => counts.unknown += 1,
        }
        if finding.destination_size.is_some() {
            counts.bytes_done = counts.bytes_done.saturating_add(size);
        }
        if finding.verdict != Verdict::Same {
            if counts.first.len() < NAMED {
                counts.first.push(format!("{}: {}", finding.name(), finding.reason));
            }
            let mut event = serde_json::to_value(finding).unwrap_or_default();
            event["event"] = "object".into();
            drop(counts);
            self.voice.event(&event);
        }
        if let Some(report) = &self.report {
            report.write(finding);
        }
    }

    /// What the progress shows.
    pub(super) fn reading(&self) -> Reading {
        let counts = self.lock();
        Reading {
            listed: counts.listed[Side::Source as usize],
            listing_complete: counts.complete.iter().all(|c| *c),
            objects_done: counts.equal() + counts.differences() + counts.unknown,
            objects_known: counts.known,
            bytes_done: counts.bytes_done,
            bytes_known: counts.bytes_known,
            failed: counts.differences() + counts.unknown,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of the command.
pub(super) struct End {
    pub(super) counts: Counts,
    pub(super) troubles: Vec<String>,
    pub(super) passed_over: (Vec<String>, u64),
    pub(super) elapsed: Duration,
    pub(super) exit: Exit,
}

impl End {
    /// The table for people: the strongest evidence first.
    pub(super) fn text(&self, report: Option<&Path>) -> String {
        let counts = &self.counts;
        let verdict = match self.exit {
            Exit::Done => "No differences",
            Exit::Differences => "DIFFERENCES",
            Exit::Stopped(_) => "Stopped: incomplete",
            Exit::Failed | Exit::Usage | Exit::Refused => "Incomplete",
        };
        let mut out = format!("{verdict}, after {}", duration(self.elapsed));
        let mut row = |name: &str, n: u64, note: &str| {
            let _ = write!(out, "\n  {name:<10}{:>13}   {note}", count(n));
        };
        for (evidence, (n, size)) in counts.same.iter().rev() {
            row("same", *n, &format!("{} ({})", describe(*evidence), bytes(*size)));
        }
        if counts.same.is_empty() {
            row("same", 0, "");
        }
        row("differs", counts.differs, "");
        row("missing", counts.missing, "at the destination");
        row("extra", counts.extra, "at the destination only; these are differences too");
        for (name, n, note) in [
            ("unknown", counts.unknown, "could not be found out"),
            ("excluded", counts.excluded, "by the selection; not compared"),
        ] {
            if n > 0 {
                row(name, n, note);
            }
        }
        let others = counts.differences() + counts.unknown;
        if others > 0 {
            let _ = write!(out, "\nNot the same:");
            for line in &counts.first {
                let _ = write!(out, "\n  {line}");
            }
            let more = others.saturating_sub(counts.first.len() as u64);
            if more > 0 {
                let _ = write!(out, "\n  … and {} more", count(more));
            }
        }
        if self.passed_over.1 > 0 {
            let _ =
                write!(out, "\nPassed over, no objects or no possible keys ({}):", count(self.passed_over.1));
            for name in self.passed_over.0.iter().take(NAMED) {
                let _ = write!(out, "\n  {}", name.escape_debug());
            }
        }
        let weak: u64 = counts.same.range(..Proof::Recorded).map(|(_, (n, _))| n).sum();
        if weak > 0 {
            let _ = write!(
                out,
                "\nOf {} only sizes or times were compared: `longbow verify --read` reads the bytes.",
                objects(weak)
            );
        }
        for trouble in &self.troubles {
            let _ = write!(out, "\n{trouble}");
        }
        if let Some(report) = report {
            let _ = write!(out, "\nReport: {}", report.display());
        }
        out
    }

    /// The same for machines.
    pub(super) fn event(&self) -> Value {
        let counts = &self.counts;
        let evidence: serde_json::Map<String, Value> = (counts.same.iter())
            .map(|(proof, (n, size))| {
                let name = serde_json::to_value(proof).ok().and_then(|v| v.as_str().map(str::to_owned));
                (name.unwrap_or_default(), json!({"objects": n, "bytes": size}))
            })
            .collect();
        json!({
            "event": "summary",
            "same": counts.equal(),
            "evidence": evidence,
            "differs": counts.differs,
            "missing": counts.missing,
            "extra": counts.extra,
            "unknown": counts.unknown,
            "excluded": counts.excluded,
            "passed_over": self.passed_over.1,
            "passed_over_first": self.passed_over.0.iter().take(NAMED).collect::<Vec<_>>(),
            "troubles": self.troubles,
            "seconds": self.elapsed.as_secs_f64(),
            "exit": self.exit.code(),
        })
    }
}
