//! Several configured routes: which of them an object, an event or a job concerns.
//!
//! [`crate::route::Route`] is one way from here to there; this is the table of all ways that an operator allows, and the
//! only thing that says where data may come from and go. A message is asked against it and never adds to it.

mod admit;
mod loops;
mod mapping;
mod name;
mod table;

pub use admit::{IgnoreReason, Refusal, RoutedCopy, RoutedRemoval, Work};
pub use mapping::KeyMapping;
pub use name::{RouteName, RouteNameError};
pub use table::{NamedRoute, OnRemoval, RouteFault, RouteTable, Stores};
