//! Receipts: issued once, read back, and worth nothing in another run of the program.

use std::sync::atomic::{AtomicI64, Ordering};

use longbow_core::port::Receipt;

/// Issues the receipts of one run.
#[derive(Debug)]
pub(crate) struct Receipts {
    run: i64,
    next: AtomicI64,
}

/// What a receipt of this run names: a message and one reception of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The message.
    pub(super) id: i64,
    /// The reception: no other in this run has the number.
    pub(super) lease: i64,
}

impl Receipts {
    /// `run` counts how often the file was opened.
    pub(crate) fn of_run(run: i64) -> Self {
        Self { run, next: AtomicI64::new(1) }
    }

    /// A new reception of a message.
    pub(super) fn hold(&self, id: i64) -> Held {
        Held { id, lease: self.next.fetch_add(1, Ordering::Relaxed) }
    }

    pub(super) fn write(&self, held: Held) -> Receipt {
        Receipt(format!("{}-{}-{}", self.run, held.id, held.lease))
    }

    /// `None` for a receipt of another run, or of no run.
    pub(super) fn read(&self, receipt: &Receipt) -> Option<Held> {
        let mut numbers = receipt.0.splitn(3, '-').map(|number| number.parse().ok());
        let mut number = || numbers.next().flatten();
        let (run, id, lease): (i64, i64, i64) = (number()?, number()?, number()?);
        (run == self.run).then_some(Held { id, lease })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_receipts_of_this_run_are_read() {
        let receipts = Receipts::of_run(3);
        let held = receipts.hold(7);
        assert_ne!(receipts.hold(7), held);
        let receipt = receipts.write(held);
        assert_eq!(receipts.read(&receipt), Some(held));
        assert_eq!(Receipts::of_run(4).read(&receipt), None);
        for text in ["", "3-7", "3-7-x", "3-7-1-1", "AQEB…", "3--1"] {
            assert_eq!(receipts.read(&Receipt(text.into())), None, "{text}");
        }
    }
}
