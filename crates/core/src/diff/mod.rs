//! Comparing two sides: walking two sorted listings in step, and deciding about each pair.

mod merge;
mod policy;

pub use merge::{OrderCheck, OrderViolation, Step, step};
pub use policy::{
    Comparison, CopyReason, Decision, Pair, SkipReason, compare, default_comparison, needs_record,
};
