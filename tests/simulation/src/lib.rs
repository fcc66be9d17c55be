//! Deterministic simulation: the real worker and the real jobsender as futures on virtual time, over the strict fakes of
//! `longbow-testkit`, under faults that are drawn from a seed.
//!
//! - [`run`] plays the schedule of a seed and says what was broken; [`replay`] tells its journal as well.
//! - [`Plan`] is a schedule before it runs; a regression can be written down as one.
//! - [`check`](check::check) reads a journal and nothing else.
//!
//! The same seed gives the same journal to the letter. What is random lies in [`dice`]; nothing here or in the crates under
//! test may ask a clock, a hash map or a thread for the order of things (docs/decisions/0021).

#![forbid(unsafe_code)]

mod body;
pub mod check;
pub mod dice;
pub mod fault;
pub mod journal;
mod life;
mod machine;
pub mod many;
mod nature;
pub mod plan;
mod port;
mod stage;
mod world;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

pub use check::{Breach, Rules};
pub use fault::{Fault, KINDS};
pub use journal::Entry;
pub use plan::Plan;

/// What a schedule came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The seed.
    pub seed: u64,
    /// The hash of the journal.
    pub hash: u64,
    /// Lines of the journal.
    pub lines: usize,
    /// What was broken.
    pub breaches: Vec<Breach>,
    /// How often each fault took effect.
    pub took: [u32; KINDS],
}

impl Verdict {
    /// Whether nothing was broken.
    pub fn is_good(&self) -> bool {
        self.breaches.is_empty()
    }
}

thread_local! {
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// Counts panics of this thread: those of a task are swallowed by whoever waits for it.
fn count_panics() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.set(PANICS.get() + 1);
            before(info);
        }));
    });
}

/// Plays the schedule of a seed.
pub fn run(seed: u64) -> Verdict {
    replay(Plan::of(seed)).0
}

/// Plays a schedule, and tells its journal.
pub fn replay(plan: Plan) -> (Verdict, Vec<Entry>) {
    count_panics();
    PANICS.set(0);
    let seed = plan.seed;
    let rules = rules(&plan);
    let died = |text: String| {
        let breach = Breach { invariant: "I22", line: 0, text };
        (Verdict { seed, hash: 0, lines: 0, breaches: vec![breach], took: [0; KINDS] }, Vec::new())
    };
    let played = match catch_unwind(AssertUnwindSafe(|| stage::play(plan))) {
        Ok(Ok(played)) => played,
        Ok(Err(error)) => return died(format!("no runtime: {error}")),
        Err(_) => return died("the schedule panicked".to_owned()),
    };
    let mut breaches = check::check(&played.journal, rules);
    if PANICS.get() > 0 {
        let text = format!("{} tasks panicked", PANICS.get());
        breaches.push(Breach { invariant: "I22", line: played.journal.len(), text });
    }
    let verdict = Verdict {
        seed,
        hash: journal::hash(&played.journal),
        lines: played.journal.len(),
        breaches,
        took: played.took,
    };
    (verdict, played.journal)
}

/// What the checkers have to know of a plan.
pub fn rules(plan: &Plan) -> Rules {
    Rules {
        propagate: plan.propagate,
        tells: !plan.kms && plan.checksums && !plan.by_version,
        conditions: plan.amazon,
        traces: !plan.ends_only && !plan.acts.iter().any(|(_, act)| matches!(act, plan::Act::Jump(..))),
    }
}
