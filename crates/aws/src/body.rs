//! Bodies: the port's streams of frames to the bodies of requests and back, without copying a byte.
//!
//! Apart, because both ways, and both paths (the SDK's and the lean one), share the same care: exactly the announced
//! number of bytes passes, or there is an error; a body that stands still is given up; and a fault of one side is never
//! blamed on the other.

mod outgoing;
mod passage;
mod reading;

pub(crate) use outgoing::{Outgoing, Parcel};
#[cfg(test)]
pub(crate) use passage::Unanswered;
pub(crate) use passage::{Awaiting, Limits};
pub(crate) use reading::reading;

#[cfg(test)]
mod tests;
