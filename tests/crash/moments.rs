//! The moments at which a run can be killed, read off the journal of a run that was not.

use std::fmt;
use std::sync::Arc;

use longbow_testkit::fault::{BodyFault, CallRecord, Fault, Faults, Manner, Rule, When};

/// So many bytes of a body have passed when it is killed in the middle of it; every body has more.
const AMID: u64 = 1000;

/// A moment of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Moment {
    /// The call never happens.
    Before(CallRecord),
    /// The call happens, and its answer never arrives.
    After(CallRecord),
    /// In the middle of the body that the call of this name gives, at this occurrence of it, from 1.
    Amid(CallRecord, u32),
}

impl Moment {
    /// Before and after every call of a journal.
    pub(super) fn around(journal: &[CallRecord]) -> Vec<Self> {
        journal.iter().flat_map(|call| [Self::Before(call.clone()), Self::After(call.clone())]).collect()
    }

    /// In the middle of every body that was read.
    pub(super) fn amid_bodies(journal: &[CallRecord]) -> Vec<Self> {
        let gets = journal.iter().filter(|call| call.call == "get");
        gets.zip(1..).map(|(call, nth)| Self::Amid(call.clone(), nth)).collect()
    }

    /// A plan that kills there.
    pub(super) fn plan(&self) -> Faults {
        let faults = Faults::new();
        match self {
            Self::Before(call) => {
                faults.stop_at(call.number, When::Before, Manner::Hang);
            }
            Self::After(call) => {
                faults.stop_at(call.number, When::After, Manner::Hang);
            }
            Self::Amid(_, nth) => {
                let plan = faults.clone();
                let kill = BodyFault::Do(Arc::new(move || plan.stop_now(Manner::Hang)));
                faults.add(Rule::new("get", Fault::Body(AMID, kill)).nth(*nth));
            }
        }
        faults
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (when, CallRecord { number, port, call, .. }) = match self {
            Self::Before(call) => ("before", call),
            Self::After(call) => ("after", call),
            Self::Amid(call, _) => ("amid the body of", call),
        };
        write!(f, "killed {when} call {number} ({port} {call})")
    }
}

/// The names of the calls, for messages and tables.
pub(super) fn names(journal: &[CallRecord]) -> Vec<&'static str> {
    journal.iter().map(|call| call.call).collect()
}
